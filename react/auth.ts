/** Who is signed in, for components. */
import type { Auth, AuthState } from "@baasix/sdk";
import { useSyncExternalStore } from "react";
import { useBaasix } from "./provider";
import type { AnyBaasix } from "./queries";

/** The state of the session, and the calls that change it. */
export type UseAuthResult = Pick<AuthState, "user" | "isAuthenticated" | "error"> &
  Pick<Auth, "login" | "logout" | "register"> & {
    /** True until it is known whether someone is signed in. */
    readonly isPending: boolean;
  };

/** What a server renders, and a page until it has taken over: nothing is known yet. */
const unknown: AuthState = {
  user: null,
  isAuthenticated: false,
  isLoading: true,
  error: null,
  identity: null,
};

/** The state of a client's session; renders again at each change. */
export function useAuthState(client: AnyBaasix): AuthState {
  return useSyncExternalStore(
    client.auth.onStateChange,
    () => client.auth.state,
    () => unknown,
  );
}

/** Who is signed in, and how to sign in, out and up. */
export function useAuth(): UseAuthResult {
  const client = useBaasix();
  const { user, isAuthenticated, isLoading, error } = useAuthState(client);
  const { login, logout, register } = client.auth;
  return { user, isAuthenticated, isPending: isLoading, error, login, logout, register };
}
