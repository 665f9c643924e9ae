/** The sign-in form. */
import { useAuth } from "@baasix/react";
import { type FormEvent, useState } from "react";

/** Asks for an account; the app shows something else once it is known. */
export function SignIn() {
  const { login } = useAuth();
  const [problem, setProblem] = useState<string | null>(null);
  const [pending, setPending] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setPending(true);
    setProblem(null);
    try {
      await login({ email: String(form.get("email")), password: String(form.get("password")) });
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setPending(false);
    }
  }

  return (
    <form className="card sign-in" onSubmit={(event) => void submit(event)}>
      <h1>Sign in</h1>
      <p className="hint">With one of the accounts that the loader made.</p>
      <label>
        <span>Email</span>
        <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        <span>Password</span>
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" className="primary" disabled={pending}>
        {pending ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}
