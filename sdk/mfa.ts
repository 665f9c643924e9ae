/** Second factors: got, proven and removed, and the second half of a sign-in. */
import type {
  AuthMode,
  AuthResult,
  MfaChallenge,
  MfaEnrollInput,
  MfaFactor,
  MfaLevel,
  MfaVerifyResult,
  NewMfaFactor,
} from "@baasix/types";
import { type CallOptions, exchange, type Http, path, type Wire } from "./http";
import type { Session } from "./session";

/** Which factor. */
export type FactorId = { readonly factorId: string };

/** What the app shows, for a factor. `challengeId`: of a challenge that was asked for. */
export type FactorCode = FactorId & { readonly code: string; readonly challengeId?: string };

/** What finishes a sign-in: its token, with what the app shows or with a recovery code. */
export type SecondStepProof = { readonly mfaToken: string } & (
  | { readonly code: string; readonly recoveryCode?: undefined }
  | { readonly recoveryCode: string; readonly code?: undefined }
);

/** The calls on `/auth/mfa`. To begin and to remove a factor takes a fresh proof (`auth.reauthenticate`). */
export type Mfa = {
  /** Begins a factor: show its `qrCode`, then `verify`. @throws BaasixError REAUTHENTICATION_REQUIRED */
  enroll(input?: MfaEnrollInput, options?: CallOptions): Promise<NewMfaFactor>;
  /** Asks for a code of a factor, for five minutes. */
  challenge(factor: FactorId, options?: CallOptions): Promise<MfaChallenge>;
  /**
   * Proves a factor; this client goes on with the new session that it gives. The first factor comes with recovery codes, told
   * this once. @throws BaasixError INVALID_CREDENTIALS, REAUTHENTICATION_REQUIRED, RATE_LIMITED
   */
  verify(proof: FactorCode, options?: CallOptions): Promise<MfaVerifyResult>;
  /** Removes a factor; the other sessions end. @throws BaasixError REAUTHENTICATION_REQUIRED, MFA_REQUIRED, FORBIDDEN */
  unenroll(factor: FactorId, options?: CallOptions): Promise<void>;
  /** Those of this account, also those that were never verified. */
  listFactors(options?: CallOptions): Promise<readonly MfaFactor[]>;
  /** How much this session has proven, and could. */
  getLevel(options?: CallOptions): Promise<MfaLevel>;
  /** Ten new recovery codes; the old ones are dead. @throws BaasixError REAUTHENTICATION_REQUIRED, CONFLICT */
  regenerateRecoveryCodes(options?: CallOptions): Promise<readonly string[]>;
  /** Finishes a sign-in that answered `mfaRequired`. @throws BaasixError INVALID_CREDENTIALS, UNAUTHORIZED, RATE_LIMITED */
  finishSignIn(proof: SecondStepProof, options?: CallOptions): Promise<AuthResult>;
};

/** What `createMfa` needs: `begin` goes on with the session of an answer. */
export type MfaParts = {
  readonly wire: Wire;
  readonly http: Http;
  readonly session: Session;
  readonly authMode: AuthMode;
  readonly begin: (result: AuthResult) => Promise<void>;
};

/** The calls of a client. */
export function createMfa({ wire, http, session, authMode, begin }: MfaParts): Mfa {
  const all = "/auth/mfa/factors";
  const of = (id: string) => path`/auth/mfa/factors/${id}`;
  const post = async <Told>(to: string, body: object | undefined, options?: CallOptions): Promise<Told> =>
    (await http<{ readonly data: Told }>({ ...options, method: "POST", path: to, body })).data;
  const get = async <Told>(from: string, options?: CallOptions): Promise<Told> =>
    (await http<{ readonly data: Told }>({ ...options, path: from })).data;
  return {
    enroll: (input = {}, options) => post(all, input, options),
    challenge: ({ factorId }, options) => post(`${of(factorId)}/challenge`, undefined, options),
    verify: ({ factorId, code, challengeId }, options) =>
      http({
        ...options,
        method: "POST",
        path: `${of(factorId)}/verify`,
        body: { code, challengeId, authMode },
        within: (work) => session.swap(work, false),
      }),
    async unenroll({ factorId }, options) {
      await http({ ...options, method: "DELETE", path: of(factorId) });
    },
    listFactors: (options) => get(all, options),
    getLevel: (options) => get("/auth/mfa/level", options),
    regenerateRecoveryCodes: async (options) =>
      (await post<{ recoveryCodes: string[] }>("/auth/mfa/recovery-codes", undefined, options)).recoveryCodes,
    async finishSignIn(proof, options) {
      const body = { ...proof, authMode };
      const request = { ...options, method: "POST", path: "/auth/mfa/verify", body } as const;
      const result = await exchange<AuthResult>(wire, request, null);
      await begin(result);
      return result;
    },
  };
}
