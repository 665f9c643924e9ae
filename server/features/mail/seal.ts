/**
 * What a waiting mail says is kept sealed (JWE, RFC 7516, with the server's own key): its links and codes open accounts, and
 * neither a dump of the database nor whoever reads it should hold them.
 */
import { CompactEncrypt, compactDecrypt, type DecryptOptions } from "jose";
import type { CheckedValues } from "./values";

/** The part of a mail that is not for reading. */
export type Payload = { readonly name: string | null; readonly values: CheckedValues };

/** The key in use, then those before it. */
export type SealKeys = readonly [Uint8Array, ...Uint8Array[]];

const algorithms: DecryptOptions = {
  keyManagementAlgorithms: ["dir"],
  contentEncryptionAlgorithms: ["A256GCM"],
};

/** Seals with one key of 32 bytes, and opens what it or an earlier one has sealed. */
export type Seal = {
  readonly close: (payload: Payload) => Promise<string>;
  /** @throws Error when the text is damaged, or was sealed with another key. */
  readonly open: (sealed: string) => Promise<Payload>;
};

export function createSeal(keys: SealKeys): Seal {
  return {
    close: (payload) =>
      new CompactEncrypt(new TextEncoder().encode(JSON.stringify(payload)))
        .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
        .encrypt(keys[0]),
    open: async (sealed) => {
      const opened = await Promise.any(keys.map((key) => compactDecrypt(sealed, key, algorithms))).catch(
        () => {
          throw new Error("the mail is sealed with a key that this server does not have (SECRET_KEY)");
        },
      );
      return JSON.parse(new TextDecoder().decode(opened.plaintext)) as Payload;
    },
  };
}
