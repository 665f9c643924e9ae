/** What the routes of `/auth` work with: each part is built once here and handed to those that need it. */
import type { Data } from "../../data";
import {
  createOrigins,
  createWindowCounter,
  type Identity,
  identity as identityOf,
  type Logger,
  type OriginConfig,
  type Origins,
  type WindowCounter,
} from "../../http";
import { createAttempts } from "./attempts";
import type { Authenticator } from "./authenticate";
import type { Errands } from "./errands";
import { createFactors } from "./mfa/factors";
import type { MfaParts } from "./mfa/prove";
import type { FactorSeal } from "./mfa/seal";
import { createOneTimes } from "./one-time";
import type { Passwords } from "./passwords";
import { createSessions } from "./sessions";
import type { AuthConfig, SignInParts } from "./sign-in";
import type { Tokens } from "./tokens";

export type AuthRoutesParts = {
  readonly data: Data;
  readonly identity: Identity;
  readonly authenticator: Authenticator;
  readonly tokens: Tokens;
  readonly passwords: Passwords;
  readonly errands: Errands;
  readonly mail: SignInParts["mail"];
  /** For codes that work once: 32 bytes, the same for all instances. */
  readonly codeKey: Uint8Array;
  /** Keeps the secrets of second factors. */
  readonly factorSeal: FactorSeal;
  readonly logger: Logger;
  readonly clock: () => number;
  readonly config: AuthConfig &
    OriginConfig & {
      /** Seconds. */
      readonly REFRESH_TOKEN_EXPIRES_IN: number;
      /** Failed passwords per account and quarter of an hour. */
      readonly LOGIN_ACCOUNT_LIMIT: number;
      /** What apps of second factors show beside the account. */
      readonly PROJECT_NAME: string;
    };
};

/**
 * What a route of `/auth` may need. `refreshes`: counts them per session in windows of a minute. `enrolling`: in place of
 * `identity`, also lets in who must get a second factor first.
 */
export type AuthParts = AuthRoutesParts &
  SignInParts &
  MfaParts & {
    readonly origins: Origins;
    readonly refreshes: WindowCounter;
    readonly enrolling: Identity;
  };

const minute = 60_000;

/** Builds them. All doors to a password share `attempts`. */
export function createParts(given: AuthRoutesParts): AuthParts {
  const { data, tokens, logger, clock, config } = given;
  return {
    ...given,
    origins: createOrigins(config),
    sessions: createSessions({
      data,
      tokens,
      config,
      clock,
      onReuse: ({ session, user }) =>
        logger.warn("a refresh token came back after it was replaced: its session was ended", {
          session,
          user,
        }),
    }),
    oneTimes: createOneTimes({ codeKey: given.codeKey, clock }),
    attempts: createAttempts({ limit: config.LOGIN_ACCOUNT_LIMIT, interval: 15 * minute, clock }),
    clients: createWindowCounter(minute),
    refreshes: createWindowCounter(minute),
    enrolling: identityOf(given.authenticator.authenticateEnrolling, "enrolling identity"),
    factors: createFactors({ data, seal: given.factorSeal, issuer: config.PROJECT_NAME, clock }),
  };
}
