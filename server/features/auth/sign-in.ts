/** What register and login share: the parts they work with, and the opened session that both end in. */
import type { AuthRole, MfaFactorSummary, Permission, Tenant } from "@baasix/types";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, Rows } from "../../data";
import { addressKey, type WindowCounter } from "../../http";
import type { Mail } from "../mail";
import { type Account, permissionsOf } from "./accounts";
import { isServiceAccount } from "./api-tokens";
import type { AppLinkConfig } from "./app-links";
import { type Attempts, tooMany } from "./attempts";
import type { Entry, TenantConfig } from "./entry";
import type { Errands } from "./errands";
import type { OneTimes } from "./one-time";
import type { Passwords } from "./passwords";
import { challengeLifetime, openSignIn } from "./mfa/challenges";
import { verifiedFactors } from "./mfa/rows";
import { asksForSecondFactor, shownRole } from "./roles";
import {
  limitsIn,
  requireRoom,
  type SessionLimitConfig,
  sessionLimit,
  type SessionType,
} from "./session-limits";
import type { Session, Sessions } from "./sessions";
import type { AccessToken, Tokens } from "./tokens";

const noting = system("a sign-in is noted on the account");

/** Settings of the auth feature; `Config` fits. */
export type AuthConfig = SessionLimitConfig &
  TenantConfig &
  AppLinkConfig & {
    readonly PUBLIC_REGISTRATION: boolean;
    /** `LOCAL` among them: accounts sign in and register with passwords. */
    readonly AUTH_SERVICES_ENABLED: readonly string[];
    readonly REQUIRE_EMAIL_VERIFICATION: boolean;
    readonly SEND_WELCOME_EMAIL: boolean;
    /** Tries of login and register per client and minute. */
    readonly LOGIN_RATE_LIMIT: number;
  };

export type SignInParts = {
  readonly data: Data;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly attempts: Attempts;
  readonly errands: Errands;
  readonly oneTimes: OneTimes;
  readonly mail: Pick<Mail, "queue" | "limits" | "requireWay">;
  /** Counts tries per client in windows of a minute. */
  readonly clients: WindowCounter;
  readonly config: AuthConfig;
  readonly clock: () => number;
};

/** Where a sign-in comes from. */
export type Origin = { readonly client: string; readonly userAgent: string | null };

/** A session that was opened. `aal`: how many factors were proven. */
export type Opened = { readonly access: AccessToken; readonly session: Session; readonly aal: 1 | 2 };

/** What an account with a second factor gets in place of a session: the token to bring with a code. In seconds. */
export type SecondStep = {
  readonly mfaToken: string;
  readonly expiresIn: number;
  readonly factors: readonly MfaFactorSummary[];
};

/** What became of a way in. */
export type SignInResult = SignedIn | SecondStep;

/** A sign-in that succeeded. */
export type SignedIn = Opened & {
  /** A role asks for a second factor, and the account has none: the session is good for getting one. */
  readonly mustEnroll: boolean;
  readonly account: Account;
  /** Where the session acts. */
  readonly tenant: Tenant | null;
  /** Those that count there and may be used from where the sign-in comes, the oldest first. */
  readonly roles: readonly AuthRole[];
  readonly permissions: readonly Permission[];
};

/** @throws AppError RATE_LIMITED when the client tried too often within the minute. */
export function countClient({ clients, config, clock }: SignInParts, client: string): void {
  const now = clock();
  const { count, endsAt } = clients.count(addressKey(client), now);
  if (count > config.LOGIN_RATE_LIMIT) throw tooMany((endsAt - now) / 1000);
}

/** @throws AppError FORBIDDEN where accounts come in through providers alone, and not by password or mail */
export function requireLocal({ AUTH_SERVICES_ENABLED: ways }: AuthConfig): void {
  if (!ways.includes("LOCAL"))
    throw new AppError(
      "FORBIDDEN",
      "Neither passwords nor mails sign in here; use one of GET /auth/providers",
    );
}

/**
 * What a session is opened with. `entry`: where it leads; `aal`: how many factors were proven; `authenticatedAt`: when, in ms
 * since 1970, by default now.
 */
export type NewSession = {
  readonly type: SessionType;
  readonly entry: Entry;
  readonly aal: 1 | 2;
  readonly authenticatedAt?: number;
};

/**
 * Opens a session for an account that has proven who it is: where every way in ends. `rows`: the transaction it belongs to.
 * An account with a second factor of which only one was proven gets no session, but the second step.
 * @throws AppError FORBIDDEN when the account has as many sessions of the type as it may, and for service accounts.
 */
export async function openSession(
  parts: SignInParts,
  rows: Data,
  account: Pick<Account, "id">,
  { type, entry: { tenant, roles }, aal, authenticatedAt = parts.clock() }: NewSession,
  { client, userAgent }: Origin,
): Promise<Opened | SecondStep> {
  if (await isServiceAccount(rows, account.id))
    throw new AppError("FORBIDDEN", "Service accounts do not sign in; they use API tokens");
  if (!(await lockActive(rows, account.id, parts.clock())))
    throw new AppError("FORBIDDEN", "Account is not active");
  const place = tenant?.id ?? null;
  if (aal === 1) {
    const factors = await verifiedFactors(rows, account.id);
    if (factors.length > 0) {
      const mfaToken = await openSignIn(rows, account.id, { type, tenant: place }, parts.clock());
      return { mfaToken, expiresIn: challengeLifetime / 1000, factors };
    }
  }
  const { config, sessions } = parts;
  const limit = type === "default" ? null : sessionLimit(await limitsIn(rows, config, place), type, roles);
  if (limit !== null) {
    const among = config.MULTI_TENANT ? { type, tenant: place } : { type };
    requireRoom(type, limit, await sessions.count(rows, account.id, among));
  }
  const session = await sessions.open(rows, {
    user: account.id,
    type,
    tenant: place,
    aal,
    authenticatedAt,
    client,
    userAgent,
  });
  const access = await parts.tokens.signAccess({
    user: account.id,
    session: session.id,
    notAfter: session.expiresAt,
  });
  return { access, session, aal };
}

/**
 * Locks the account's row: of sign-ins at the same time, and of changes of its factors, each sees what those before it did. The
 * first lock that any of them takes.
 */
export async function lockAccount(rows: Rows, account: string, now: number): Promise<void> {
  const lastAccess = new Date(now).toISOString();
  await rows.update(noting, "baasix_User", [{ id: account, data: { lastAccess } }]);
}

/** The same for an account that may come in; false when it was suspended meanwhile, whose sessions have ended by then. */
async function lockActive(rows: Rows, account: string, now: number): Promise<boolean> {
  const active = { AND: [{ id: { eq: account } }, { status: { eq: "active" } }] };
  const lastAccess = new Date(now).toISOString();
  return (await rows.updateWhere(noting, "baasix_User", active, { lastAccess })).length > 0;
}

/** Adds what the answer tells of the roles; a second step is passed on as it is. */
export async function describeSignIn(
  { data }: SignInParts,
  opened: Opened | SecondStep,
  account: Account,
  { tenant, roles }: Entry,
): Promise<SignInResult> {
  if ("mfaToken" in opened) return opened;
  const ids = roles.map(({ id }) => id);
  return {
    ...opened,
    mustEnroll: opened.aal === 1 && roles.some(asksForSecondFactor),
    account,
    tenant,
    roles: roles.map(shownRole),
    permissions: await permissionsOf(data, ids),
  };
}

/** The refusal of an account that proved its password but may not come in. */
export function barred(account: Account): AppError {
  return new AppError("FORBIDDEN", `Account is ${account.status}`);
}
