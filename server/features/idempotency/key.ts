/** The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): whose key it is, and which request it is for. */
import { idempotencyHeader } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";

/** A key and its holder. */
export type HeldKey = { readonly actor: string; readonly key: string };

const visible = /^[\x21-\x7e]{1,255}$/;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Reads the header; quotes around it, as the draft writes a key, are not part of it. Keys of accounts are apart from each
 * other, and those of one account in each tenant. Callers without an account share theirs: only a UUID, which nobody hits by chance or guess, may be one. An address
 * would not keep them apart, since several share one, and it changes between a try and the next.
 * @throws AppError BAD_REQUEST
 */
export function readKey(actor: Actor, header: string): HeldKey {
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (!visible.test(key)) {
    throw new AppError(
      "BAD_REQUEST",
      `${idempotencyHeader}: expected 1 to 255 visible characters of ASCII, such as a UUID`,
    );
  }
  if (actor.kind === "user") {
    return { actor: `user:${actor.id}${actor.tenant === null ? "" : ` ${actor.tenant}`}`, key };
  }
  if (!uuid.test(key)) {
    throw new AppError("BAD_REQUEST", `${idempotencyHeader}: without an account only a UUID may be the key`);
  }
  return { actor: actor.kind, key: key.toLowerCase() };
}

/**
 * What tells a request from another under the same key: method, path, query and content. 43 characters: an HMAC with a key of
 * the server, as a body may hold a password, which could be tried out against a plain hash.
 */
export function hashRequest(hashKey: Uint8Array, { method, url }: Request, body: unknown): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const target = start < 0 ? "/" : url.slice(start);
  return new Bun.CryptoHasher("sha256", hashKey)
    .update(`${method} ${target}\n${JSON.stringify(body) ?? ""}`)
    .digest("base64url");
}
