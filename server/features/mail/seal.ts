/**
 * What a waiting mail says is kept sealed (JWE, RFC 7516, with the server's own key): its links and codes open accounts, and
 * neither a dump of the database nor whoever reads it should hold them.
 */
import { CompactEncrypt, compactDecrypt } from "jose";
import type { CheckedValues } from "./values";

/** The part of a mail that is not for reading. */
export type Payload = { readonly name: string | null; readonly values: CheckedValues };

/** Seals and opens with a key of 32 bytes. */
export type Seal = {
  readonly close: (payload: Payload) => Promise<string>;
  /** @throws Error when the text is damaged, or was sealed with another key. */
  readonly open: (sealed: string) => Promise<Payload>;
};

export function createSeal(key: Uint8Array): Seal {
  return {
    close: (payload) =>
      new CompactEncrypt(new TextEncoder().encode(JSON.stringify(payload)))
        .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
        .encrypt(key),
    open: async (sealed) => {
      const { plaintext } = await compactDecrypt(sealed, key, {
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: ["A256GCM"],
      });
      return JSON.parse(new TextDecoder().decode(plaintext)) as Payload;
    },
  };
}
