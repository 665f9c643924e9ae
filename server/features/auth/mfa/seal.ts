/**
 * Secrets of factors as the database keeps them: sealed (JWE, RFC 7516) with a key of the server, and bound to their factor, so
 * that a sealed secret that is moved to another row opens nothing.
 */
import { createHash } from "node:crypto";
import { CompactEncrypt, compactDecrypt, type DecryptOptions } from "jose";

/** 32 bytes each: the key in use, then those before it. */
export type SealKeys = readonly [Uint8Array, ...Uint8Array[]];

export type FactorSeal = {
  /** What the key in use is called. */
  readonly keyId: string;
  /** Seals the secret of a factor. */
  readonly close: (factor: string, secret: string) => Promise<string>;
  /** @throws Error when it is damaged, of another factor, or sealed with a key that the server does not have. */
  readonly open: (factor: string, sealed: string) => Promise<string>;
};

const algorithms: DecryptOptions = {
  keyManagementAlgorithms: ["dir"],
  contentEncryptionAlgorithms: ["A256GCM"],
};

/** Seals with the first key; opens what any of them has sealed. */
export function createFactorSeal(keys: SealKeys): FactorSeal {
  const byId = new Map(keys.map((key) => [idOf(key), key] as const));
  const keyId = idOf(keys[0]);
  return {
    keyId,
    close: (factor, secret) =>
      new CompactEncrypt(new TextEncoder().encode(JSON.stringify({ factor, secret })))
        .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: keyId })
        .encrypt(keys[0]),
    open: async (factor, sealed) => {
      const opened = await compactDecrypt(sealed, ({ kid }) => keyOf(byId, kid), algorithms);
      const content = JSON.parse(new TextDecoder().decode(opened.plaintext)) as {
        readonly factor: string;
        readonly secret: string;
      };
      if (content.factor !== factor) throw new Error("the sealed secret is that of another factor");
      return content.secret;
    },
  };
}

function keyOf(byId: ReadonlyMap<string, Uint8Array>, kid: unknown): Uint8Array {
  const key = typeof kid === "string" ? byId.get(kid) : undefined;
  if (key) return key;
  throw new Error("the secret is sealed with a key that this server does not have (SECRET_KEY)");
}

function idOf(key: Uint8Array): string {
  return createHash("sha256").update("baasix factor key id").update(key).digest("base64url").slice(0, 12);
}
