/** API tokens: what programs sign in with, made by administrators. */
import type { ApiToken, ApiTokenInput, NewApiToken } from "@baasix/types";
import { type CallOptions, type Http, path } from "./http";

/** The token calls of a client, for administrators that signed in. Making one takes a fresh proof (`auth.reauthenticate`). */
export type ApiTokens = {
  /** Makes one. Its text is in this answer and never told again. @throws BaasixError REAUTHENTICATION_REQUIRED */
  create(input: ApiTokenInput, options?: CallOptions): Promise<NewApiToken>;
  /** All of them, the newest first, 1,000 at most. */
  list(options?: CallOptions): Promise<readonly ApiToken[]>;
  /** Deletes one: it is dead within a second. @throws BaasixError NOT_FOUND */
  delete(id: string, options?: CallOptions): Promise<void>;
  /** Gives one a new text, and another end if told so; the old text is dead within a second. */
  rotate(
    id: string,
    change?: { readonly expiresAt?: string | null },
    options?: CallOptions,
  ): Promise<NewApiToken>;
};

/** The calls on `/auth/tokens`. */
export function createApiTokens(http: Http): ApiTokens {
  const all = "/auth/tokens";
  type Made = { readonly data: NewApiToken };
  return {
    create: async (body, options) => (await http<Made>({ ...options, method: "POST", path: all, body })).data,
    list: async (options) =>
      (await http<{ readonly data: readonly ApiToken[] }>({ ...options, path: all })).data,
    delete: (id, options) => http({ ...options, method: "DELETE", path: path`/auth/tokens/${id}` }),
    rotate: async (id, body = {}, options) =>
      (await http<Made>({ ...options, method: "POST", path: path`/auth/tokens/${id}/rotate`, body })).data,
  };
}
