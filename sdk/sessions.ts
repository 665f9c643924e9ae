/** Open sessions of an account: one's own, and those of a user for administrators. */
import type { SessionInfo } from "@baasix/types";
import { type CallOptions, type Http, path } from "./http";

/** The calls on one's own sessions. */
export type OwnSessions = {
  /** The open ones, the one that was used last first. `current` marks this client's. */
  list(options?: CallOptions): Promise<readonly SessionInfo[]>;
  /** Ends one: whoever uses it is signed out within a second. @throws BaasixError NOT_FOUND */
  revoke(id: string, options?: CallOptions): Promise<void>;
  /** Ends all but this client's; gives how many. */
  revokeOthers(options?: CallOptions): Promise<number>;
};

/** The same for a user, for administrators. To end one takes a fresh proof (`auth.reauthenticate`). */
export type UserSessions = {
  list(user: string, options?: CallOptions): Promise<readonly SessionInfo[]>;
  revoke(user: string, id: string, options?: CallOptions): Promise<void>;
  /** Ends all of them; gives how many. */
  revokeAll(user: string, options?: CallOptions): Promise<number>;
};

type Listed = { readonly data: readonly SessionInfo[] };
type Counted = { readonly data: { readonly count: number } };

/** The calls on `/auth/sessions`. */
export function createOwnSessions(http: Http): OwnSessions {
  const all = "/auth/sessions";
  return {
    list: async (options) => (await http<Listed>({ ...options, path: all })).data,
    revoke: (id, options) => http({ ...options, method: "DELETE", path: path`/auth/sessions/${id}` }),
    revokeOthers: async (options) =>
      (await http<Counted>({ ...options, method: "DELETE", path: all })).data.count,
  };
}

/** The calls on `/auth/admin/users/:id/sessions`. */
export function createUserSessions(http: Http): UserSessions {
  const of = (user: string) => path`/auth/admin/users/${user}/sessions`;
  return {
    list: async (user, options) => (await http<Listed>({ ...options, path: of(user) })).data,
    revoke: (user, id, options) => http({ ...options, method: "DELETE", path: of(user) + path`/${id}` }),
    revokeAll: async (user, options) =>
      (await http<Counted>({ ...options, method: "DELETE", path: of(user) })).data.count,
  };
}
