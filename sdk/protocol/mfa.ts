/** Wire shapes of `/auth/mfa`: second factors, and what sign-in asks of an account that has one. */
import type { AuthResult } from "./auth";

/** How much a session has proven: one factor, or two. */
export type AssuranceLevel = "aal1" | "aal2";

/** What a second factor is: an app that makes codes (RFC 6238). */
export type MfaFactorType = "totp";

/** A second factor, as sign-in names it. */
export type MfaFactorSummary = {
  readonly id: string;
  readonly type: MfaFactorType;
  readonly friendlyName: string;
};

/** A second factor of an account. It counts once it is verified. Times are ISO 8601. */
export type MfaFactor = MfaFactorSummary & {
  readonly status: "unverified" | "verified";
  readonly createdAt: string;
  readonly verifiedAt: string | null;
};

/** Body of `POST /auth/mfa/factors`. */
export type MfaEnrollInput = {
  /** Default `totp`. */
  readonly type?: MfaFactorType;
  /** What its owner calls it, 100 characters at most; default `Authenticator`. */
  readonly friendlyName?: string;
};

/** A factor that was made just now, with its secret, which is told this once. */
export type NewMfaFactor = MfaFactorSummary & {
  /** `uri` as a picture for the app's camera: the text of an SVG. */
  readonly qrCode: string;
  /** In base32, to be typed where there is no camera. */
  readonly secret: string;
  /** `otpauth://totp/…` */
  readonly uri: string;
};

/** Answer of `POST /auth/mfa/factors/:id/challenge`. */
export type MfaChallenge = { readonly id: string; readonly factorId: string; readonly expiresAt: string };

/** Answer of `POST /auth/mfa/factors/:id/verify`: a new session, which has proven two factors. */
export type MfaVerifyResult = AuthResult & {
  readonly factor: MfaFactorSummary;
  /** With the account's first factor: ten codes, each good once in place of the app. They are told this once. */
  readonly recoveryCodes?: readonly string[];
};

/**
 * What a sign-in answers in place of a session when the account has a second factor. The token is good for
 * `POST /auth/mfa/verify` alone, `expiresIn` seconds and five tries. The members of a session are never there.
 */
export type MfaRequired = {
  readonly mfaRequired: true;
  readonly mfaToken: string;
  readonly expiresIn: number;
  readonly factors: readonly MfaFactorSummary[];
  readonly token?: undefined;
  readonly refreshToken?: undefined;
  readonly user?: undefined;
  readonly tenant?: undefined;
};

/** What a way in answers. */
export type LoginResult = AuthResult | MfaRequired;

/** Answer of `GET /auth/mfa/level`. */
export type MfaLevel = {
  readonly currentLevel: AssuranceLevel;
  /** What the account can reach, or must: `aal2` when it has a second factor or one of its roles asks for one. */
  readonly nextLevel: AssuranceLevel;
  /** A role asks for a second factor, and the account has none: until it has, it can do nothing else. */
  readonly mfaEnrollmentRequired: boolean;
  readonly recoveryCodesLeft: number;
};
