/** Who is signed in, for components. */
import type { Auth, AuthState, CallOptions, LoginResult, MfaRequired, SecondStepProof } from "@baasix/sdk";
import { useCallback, useState, useSyncExternalStore } from "react";
import { useBaasix } from "./provider";
import type { AnyBaasix } from "./queries";

/** The state of the session, and the calls that change it. */
export type UseAuthResult = Pick<AuthState, "user" | "tenant" | "isAuthenticated" | "error"> &
  Pick<Auth, "login" | "logout" | "register" | "switchTenant"> & {
    /** True until it is known whether someone is signed in. */
    readonly isPending: boolean;
    /** What the last `login` or `switchTenant` of this component asks for before it signs in; null when it asks for nothing. */
    readonly secondStep: MfaRequired | null;
    /** Finishes that sign-in with a code or a recovery code. */
    readonly finishSignIn: (proof: SecondFactor, options?: CallOptions) => Promise<void>;
  };

/** A code of the app, or a recovery code. */
export type SecondFactor = { readonly code: string } | { readonly recoveryCode: string };

/** The state of a client's session; renders again at each change. A page takes over what the client was made with. */
export function useAuthState(client: Pick<AnyBaasix, "auth">): AuthState {
  return useSyncExternalStore(
    client.auth.onStateChange,
    () => client.auth.state,
    () => client.auth.initialState,
  );
}

/** Who is signed in, and how to sign in, out and up. */
export function useAuth(): UseAuthResult {
  const client = useBaasix();
  const { user, tenant, isAuthenticated, isLoading, error } = useAuthState(client);
  const [secondStep, setSecondStep] = useState<MfaRequired | null>(null);
  const { logout, register } = client.auth;
  const stepping = useCallback(async (work: Promise<LoginResult>): Promise<LoginResult> => {
    setSecondStep(null);
    const result = await work;
    if (result.mfaRequired) setSecondStep(result);
    return result;
  }, []);
  const login = useCallback<Auth["login"]>(
    (...given) => stepping(client.auth.login(...given)),
    [client, stepping],
  );
  const switchTenant = useCallback<Auth["switchTenant"]>(
    (...given) => stepping(client.auth.switchTenant(...given)),
    [client, stepping],
  );
  const finishSignIn = useCallback<UseAuthResult["finishSignIn"]>(
    async (proof, options) => {
      const mfaToken = secondStep?.mfaToken ?? "";
      await client.auth.mfa.finishSignIn({ mfaToken, ...proof } satisfies SecondStepProof, options);
      setSecondStep(null);
    },
    [client, secondStep],
  );
  return {
    user,
    tenant,
    isAuthenticated,
    isPending: isLoading,
    error,
    login,
    logout,
    register,
    switchTenant,
    secondStep,
    finishSignIn,
  };
}
