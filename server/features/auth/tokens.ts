/**
 * The two tokens of a session, and nothing of where sessions are kept.
 *
 * Access: a JWT (RFC 7519), HS256 alone, short-lived. It names user and session; whether they still stand is looked up.
 * `kid` names the key: that of the secret in use, or of an earlier one, whose tokens go on until they end.
 *
 * Refresh: base64url of `session (16 bytes) ‖ chain (32) ‖ tag (16)`. The first chain value is random; each next one is
 * HMAC(chain key, the token before it). So whoever holds a token and the server's secret can compute the successor:
 * a client that asks twice within the grace gets the same one, and the store needs to keep nothing but SHA-256 hashes.
 * The tag is HMAC(tag key, session ‖ chain): a token that was ever issued is known from a made-up one without the store,
 * which is what lets reuse of an old token end its session while a made-up token ends nothing.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { jwtVerify, SignJWT } from "jose";
import { AppError } from "../../core/errors";
import { deriveKey, type Secret } from "./secret";

/** What an access token says. Times in milliseconds since 1970. */
export type AccessClaims = { readonly user: string; readonly session: string; readonly expiresAt: number };

/** `expiresIn` in seconds. */
export type AccessToken = { readonly token: string; readonly expiresIn: number };

export type Tokens = {
  /** Signs an access token; it never outlives the session (`notAfter`, ms since 1970). */
  readonly signAccess: (claims: { user: string; session: string; notAfter: number }) => Promise<AccessToken>;
  /**
   * Checks signature, algorithm, issuer, audience, purpose and time. `expired: true` accepts one past its time (to log out).
   * @throws AppError UNAUTHORIZED
   */
  readonly readAccess: (token: string, options?: { readonly expired?: boolean }) => Promise<AccessClaims>;
  /** The first refresh token of a session (a UUID). */
  readonly firstRefresh: (session: string) => string;
  /** The successor of a refresh token that `readRefresh` accepted, under the secret in use. */
  readonly nextRefresh: (token: string) => string;
  /** That successor among those under each secret whose hash is `hash`; null when there is none. */
  readonly successorOf: (token: string, hash: string) => string | null;
  /** The session of a refresh token that was issued here, however long ago; null for anything else. */
  readonly readRefresh: (token: string) => string | null;
  /** What the store keeps of a refresh token: SHA-256 in hex. */
  readonly hashRefresh: (token: string) => string;
};

export type TokenOptions = {
  readonly secret: Secret;
  /** Seconds. */
  readonly config: { readonly ACCESS_TOKEN_EXPIRES_IN: number };
  readonly clock: () => number;
};

const issuer = "baasix";
const audience = "baasix-api";
const purpose = "access";
const tokenLimit = 2048;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Makes the token functions for one secret and those before it. */
export function createTokens({ secret, config, clock }: TokenOptions): Tokens {
  const current = keysOf(secret);
  const all = [current, ...(secret.previous ?? []).map(keysOf)];
  const byId = new Map(all.map((keys) => [keys.id, keys.access] as const));
  const lifetime = config.ACCESS_TOKEN_EXPIRES_IN;
  const keyOf = ({ kid = "" }: { kid?: string }) => {
    const key = byId.get(kid);
    if (key === undefined) throw invalidToken();
    return key;
  };

  return {
    signAccess: async ({ user, session, notAfter }) => {
      const issuedAt = Math.floor(clock() / 1000);
      const expires = Math.min(issuedAt + lifetime, Math.floor(notAfter / 1000));
      const token = await new SignJWT({ sid: session, purpose })
        .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: current.id })
        .setSubject(user)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expires)
        .sign(await current.access);
      return { token, expiresIn: Math.max(0, expires - issuedAt) };
    },

    readAccess: async (token, { expired = false } = {}) => {
      if (token.length > tokenLimit) throw invalidToken();
      const { payload, protectedHeader } = await jwtVerify(token, keyOf, {
        algorithms: ["HS256"],
        issuer,
        audience,
        typ: "JWT",
        requiredClaims: ["sub", "sid", "purpose", "iat", "exp"],
        currentDate: new Date(expired ? 0 : clock()),
      }).catch((cause: unknown) => {
        throw invalidToken(cause);
      });
      const { sub, sid, exp } = payload;
      // Any other header member than alg, typ and kid (jku, jwk, x5u, …) says that somebody else made it.
      const plain = Object.keys(protectedHeader).length === 3;
      const known = typeof sub === "string" && typeof sid === "string" && uuid.test(sub) && uuid.test(sid);
      if (!plain || !known || payload.purpose !== purpose || exp === undefined) throw invalidToken();
      return { user: sub, session: sid, expiresAt: exp * 1000 };
    },

    firstRefresh: (session) =>
      encode(current, sessionBytes(session), crypto.getRandomValues(new Uint8Array(32))),
    nextRefresh: (token) => successor(current, token),
    successorOf: (token, hash) => {
      for (const keys of all) {
        const next = successor(keys, token);
        if (hashOf(next) === hash) return next;
      }
      return null;
    },
    readRefresh: (token) => {
      if (token.length !== 86) return null;
      const bytes = Buffer.from(token, "base64url");
      // One token, one spelling: else the same token could come back under another hash.
      if (bytes.byteLength !== 64 || bytes.toString("base64url") !== token) return null;
      const [body, tag] = [bytes.subarray(0, 48), bytes.subarray(48)];
      if (!all.some((keys) => timingSafeEqual(tagOf(keys, body), tag))) return null;
      return sessionText(bytes.subarray(0, 16));
    },
    hashRefresh: hashOf,
  };
}

/** What one secret is used for: a key each. `id`: what its access tokens call it (`kid`). */
type Keys = {
  readonly id: string;
  readonly access: Promise<CryptoKey>;
  readonly chain: Uint8Array;
  readonly tag: Uint8Array;
};

function keysOf(secret: Secret): Keys {
  return {
    id: Buffer.from(deriveKey(secret, "access key id 1").subarray(0, 9)).toString("base64url"),
    // Once: given as bytes, the key would be imported for every token.
    access: crypto.subtle.importKey(
      "raw",
      new Uint8Array(deriveKey(secret, "access 1")),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign", "verify"],
    ),
    chain: deriveKey(secret, "refresh chain 1"),
    tag: deriveKey(secret, "refresh tag 1"),
  };
}

function tagOf({ tag }: Keys, body: Uint8Array): Buffer {
  return createHmac("sha256", tag).update(body).digest().subarray(0, 16);
}

function encode(keys: Keys, session: Uint8Array, chain: Uint8Array): string {
  const body = Buffer.concat([session, chain]);
  return Buffer.concat([body, tagOf(keys, body)]).toString("base64url");
}

function successor(keys: Keys, token: string): string {
  const chain = createHmac("sha256", keys.chain).update(token).digest();
  return encode(keys, Buffer.from(token, "base64url").subarray(0, 16), chain);
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** The refusal of a credential that is not, or no longer, good. */
export function invalidToken(cause?: unknown): AppError {
  return new AppError("UNAUTHORIZED", "Invalid or expired token", null, { cause });
}

function sessionBytes(session: string): Uint8Array {
  return Buffer.from(session.replaceAll("-", ""), "hex");
}

function sessionText(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
