/** How many sessions of a kind an account may have open. Counting is `sessions.ts`. */
import { administratorRole } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Rows } from "../../data";
import { settingsOf } from "../settings";
import type { HeldRole } from "./roles";

/** What a session is opened for; only `mobile` and `web` are ever limited. */
export type SessionType = "default" | "mobile" | "web";

/** Settings; `Config` fits. Null: any number. */
export type SessionLimitConfig = {
  readonly MOBILE_SESSION_LIMIT: number | null;
  readonly WEB_SESSION_LIMIT: number | null;
  /** Names or ids of the roles that are limited; none: all. */
  readonly SESSION_LIMIT_ROLES: readonly string[];
};

/** The limits that hold in a tenant (null: outside of them): those of `baasix_Settings`, else those of the environment. */
export async function limitsIn(
  rows: Rows,
  config: SessionLimitConfig,
  tenant: string | null,
): Promise<SessionLimitConfig> {
  const { mobile_session_limit, web_session_limit, session_limit_roles } = await settingsOf(rows, tenant);
  const limit = (set: number | null, otherwise: number | null): number | null =>
    set === null ? otherwise : set < 0 ? null : set;
  return {
    MOBILE_SESSION_LIMIT: limit(mobile_session_limit, config.MOBILE_SESSION_LIMIT),
    WEB_SESSION_LIMIT: limit(web_session_limit, config.WEB_SESSION_LIMIT),
    SESSION_LIMIT_ROLES: session_limit_roles ?? config.SESSION_LIMIT_ROLES,
  };
}

/**
 * How many sessions of a type an account with these roles may have; null: any number. Administrators are never limited;
 * of several roles one that is limited is enough.
 */
export function sessionLimit(
  config: SessionLimitConfig,
  type: SessionType,
  roles: readonly HeldRole[],
): number | null {
  if (type === "default" || roles.some(({ name }) => name === administratorRole)) return null;
  const limited = config.SESSION_LIMIT_ROLES;
  const counts = limited.length === 0 || roles.some(({ id, name }) => [id, name].some(isIn(limited)));
  if (!counts) return null;
  return type === "mobile" ? config.MOBILE_SESSION_LIMIT : config.WEB_SESSION_LIMIT;
}

/** Refuses one more session beside `open` others. @throws AppError FORBIDDEN */
export function requireRoom(type: SessionType, limit: number, open: number): void {
  if (open < limit) return;
  throw new AppError(
    "FORBIDDEN",
    limit === 0
      ? `${type === "mobile" ? "Mobile" : "Web"} sessions are not allowed`
      : `Maximum ${type} session limit (${limit}) reached. Please logout from another device.`,
  );
}

function isIn(list: readonly string[]): (entry: string) => boolean {
  return (entry) => list.includes(entry);
}
