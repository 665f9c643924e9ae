/** The page: a sign-in form, or the board. */
import { SignedIn, SignedOut, useAuth, useConnection, useItems } from "@baasix/react";
import type { Board as BoardItem } from "../baasix";
import { Board } from "./board";
import { SignIn } from "./sign-in";

/** What there is to see for whoever is signed in. */
export function App() {
  return (
    <>
      <SignedIn>
        <FirstBoard />
      </SignedIn>
      <SignedOut>
        <main className="narrow">
          <SignIn />
        </main>
      </SignedOut>
    </>
  );
}

/** The first board, by name. An application with many would let people choose. */
function FirstBoard() {
  const { user, logout } = useAuth();
  const { state } = useConnection();
  const { data, error } = useItems<BoardItem>("boards", { sort: "name", limit: 1 }, { live: true });
  const [board] = data?.data ?? [];
  return (
    <>
      <header className="top">
        <h1>{board?.name ?? "Board"}</h1>
        <div className="account">
          <span className={state === "connected" ? "live on" : "live"} role="status">
            {state === "connected" ? "Live" : "Connecting…"}
          </span>
          <span className="account-name">{user?.email}</span>
          <button type="button" className="quiet" onClick={() => void logout()}>
            Sign out
          </button>
        </div>
      </header>
      {error && (
        <p className="problem" role="alert">
          {error.message}
        </p>
      )}
      {board && user && <Board key={board.id} board={board} name={user.firstName} />}
    </>
  );
}
