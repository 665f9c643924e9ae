/** The page: a sign-in form, or the board of whoever is signed in. */
import { SignedIn, SignedOut, useAuth } from "@baasix/react";
import { Board } from "./board";
import { SignIn } from "./sign-in";

/** Everything between the header and the foot. */
export function App() {
  const { user, logout } = useAuth();
  return (
    <>
      <header className="top">
        <div className="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M6 20 26 9l-6 16-4-6z" />
          </svg>
          <span>Flights</span>
        </div>
        <SignedIn>
          <div className="account">
            <span className="account-name">{user?.email}</span>
            <button type="button" className="quiet" onClick={() => void logout()}>
              Sign out
            </button>
          </div>
        </SignedIn>
      </header>
      <main>
        <SignedIn>
          <Board />
        </SignedIn>
        <SignedOut>
          <SignIn />
        </SignedOut>
      </main>
    </>
  );
}
