/** What register and login share: the parts they work with, and the opened session that both end in. */
import type { AuthRole, Permission } from "@baasix/types";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { addressKey, type WindowCounter } from "../../http";
import type { Mail } from "../mail";
import { type Account, permissionsOf } from "./accounts";
import { isServiceAccount } from "./api-tokens";
import type { AppLinkConfig } from "./app-links";
import { type Attempts, tooMany } from "./attempts";
import type { Errands } from "./errands";
import type { OneTimes } from "./one-time";
import type { Passwords } from "./passwords";
import { type HeldRole, shownRole } from "./roles";
import { requireRoom, type SessionLimitConfig, sessionLimit, type SessionType } from "./session-limits";
import type { Session, Sessions } from "./sessions";
import type { AccessToken, Tokens } from "./tokens";

const noting = system("a sign-in is noted on the account");

/** Settings of the auth feature; `Config` fits. */
export type AuthConfig = SessionLimitConfig &
  AppLinkConfig & {
    readonly PUBLIC_REGISTRATION: boolean;
    readonly REQUIRE_EMAIL_VERIFICATION: boolean;
    readonly SEND_WELCOME_EMAIL: boolean;
    readonly DEFAULT_ROLE_REGISTERED: string;
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

/** A sign-in that succeeded. */
export type SignedIn = {
  readonly access: AccessToken;
  readonly session: Session;
  readonly account: Account;
  /** Those that may be used from where the sign-in comes, the oldest first. */
  readonly roles: readonly [AuthRole, ...AuthRole[]];
  readonly permissions: readonly Permission[];
};

/** @throws AppError RATE_LIMITED when the client tried too often within the minute. */
export function countClient({ clients, config, clock }: SignInParts, client: string): void {
  const now = clock();
  const { count, endsAt } = clients.count(addressKey(client), now);
  if (count > config.LOGIN_RATE_LIMIT) throw tooMany((endsAt - now) / 1000);
}

/** What a session is opened with. `roles`: those that may be used from there; `aal`: how many factors were proven. */
export type NewSession = {
  readonly type: SessionType;
  readonly roles: readonly HeldRole[];
  readonly aal: 1 | 2;
};

/**
 * Opens a session for an account that has proven who it is: where every way in ends. `rows`: the transaction it belongs to.
 * @throws AppError FORBIDDEN when the account has as many sessions of the type as it may, and for service accounts.
 */
export async function openSession(
  parts: SignInParts,
  rows: Data,
  account: Pick<Account, "id">,
  { type, roles, aal }: NewSession,
  { client, userAgent }: Origin,
): Promise<Pick<SignedIn, "access" | "session">> {
  if (await isServiceAccount(rows, account.id))
    throw new AppError("FORBIDDEN", "Service accounts do not sign in; they use API tokens");
  // Locks the account's row: of sign-ins at the same time each sees the sessions of those before it.
  const lastAccess = new Date(parts.clock()).toISOString();
  await rows.update(noting, "baasix_User", [{ id: account.id, data: { lastAccess } }]);
  const limit = sessionLimit(parts.config, type, roles);
  if (limit !== null) requireRoom(type, limit, await parts.sessions.count(rows, account.id, type));
  const session = await parts.sessions.open(rows, { user: account.id, type, aal, client, userAgent });
  const access = await parts.tokens.signAccess({
    user: account.id,
    session: session.id,
    notAfter: session.expiresAt,
  });
  return { access, session };
}

/** Adds what the answer tells of the roles. */
export async function describeSignIn(
  { data }: SignInParts,
  opened: Pick<SignedIn, "access" | "session">,
  account: Account,
  [first, ...more]: readonly [HeldRole, ...HeldRole[]],
): Promise<SignedIn> {
  const ids = [first, ...more].map(({ id }) => id);
  return {
    ...opened,
    account,
    roles: [shownRole(first), ...more.map(shownRole)],
    permissions: await permissionsOf(data, ids),
  };
}

/** The refusal of an account that proved its password but may not come in. */
export function barred(account: Account): AppError {
  return new AppError("FORBIDDEN", `Account is ${account.status}`);
}
