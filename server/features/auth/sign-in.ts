/** What register and login share: the parts they work with, and the opened session that both end in. */
import type { AuthRole, Permission } from "@baasix/types";
import { AppError } from "../../core/errors";
import type { Data, Rows } from "../../data";
import { addressKey, type WindowCounter } from "../../http";
import { type Account, permissionsOf } from "./accounts";
import { type Attempts, tooMany } from "./attempts";
import type { Passwords } from "./passwords";
import { type HeldRole, shownRole } from "./roles";
import type { Session, Sessions } from "./sessions";
import type { AccessToken, Tokens } from "./tokens";

/** Settings of the auth feature; `Config` fits. */
export type AuthConfig = {
  readonly PUBLIC_REGISTRATION: boolean;
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

/** Opens a session for an account that has proven who it is. `rows`: the transaction it belongs to. */
export async function openSession(
  parts: SignInParts,
  rows: Rows,
  account: Account,
  type: string,
  { client, userAgent }: Origin,
): Promise<Pick<SignedIn, "access" | "session">> {
  const session = await parts.sessions.open(rows, { user: account.id, type, client, userAgent });
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
