/**
 * What instances say, sealed: whoever may connect to the database or to Redis may listen to the way between them, and speak on it. AES-256-GCM
 * under a key of each instance's own, from that of the installation; the number of a message is its nonce.
 */
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";

/** A message, its sender and its number, which no other one of the sender has. */
export type Sealed = { readonly from: string; readonly n: number; readonly text: string };

export type Seal = {
  /** As one line of ASCII. */
  readonly seal: (message: Sealed) => string;
  /** Null for what was not sealed by an instance of this installation. Whether it comes for the second time it does not say. */
  readonly open: (line: string) => Sealed | null;
};

const line = /^([0-9a-zA-Z-]{1,64}) ([1-9][0-9]{0,15}) ([A-Za-z0-9_-]+)$/;
const tagLength = 16;

/** `keys`: 32 bytes each. The first one seals; those before it, that some instances still have, open. */
export function createSeal(keys: readonly Uint8Array[]): Seal {
  const [first] = keys;
  if (!first) throw new Error("a seal needs a key");
  const cipherFor = (key: Uint8Array, from: string): Buffer =>
    createHmac("sha256", key).update(from).digest();
  /** Keys of instances whose messages were opened: others cannot fill the memory. */
  const known = new Map<string, readonly Buffer[]>();

  return {
    seal: ({ from, n, text }) => {
      const cipher = createCipheriv("aes-256-gcm", cipherFor(first, from), nonceOf(n));
      cipher.setAAD(Buffer.from(`${from} ${n}`));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return `${from} ${n} ${body.toString("base64url")}`;
    },
    open: (sealed) => {
      const [, from = "", number = "", body = ""] = line.exec(sealed) ?? [];
      const n = Number(number);
      const bytes = Buffer.from(body, "base64url");
      if (!Number.isSafeInteger(n) || bytes.length < tagLength) return null;
      const subkeys = known.get(from) ?? keys.map((key) => cipherFor(key, from));
      for (const key of subkeys) {
        const text = decrypt(key, { from, n }, bytes);
        if (text === null) continue;
        if (!known.has(from)) remember(known, from, subkeys);
        return { from, n, text };
      }
      return null;
    },
  };
}

function decrypt(key: Buffer, { from, n }: Omit<Sealed, "text">, bytes: Buffer): string | null {
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(n), { authTagLength: tagLength });
    decipher.setAAD(Buffer.from(`${from} ${n}`));
    decipher.setAuthTag(bytes.subarray(-tagLength));
    return decipher.update(bytes.subarray(0, -tagLength), undefined, "utf8") + decipher.final("utf8");
  } catch {
    return null;
  }
}

/** 96 bits, as AES-GCM wants them. */
function nonceOf(n: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(n), 4);
  return nonce;
}

const mostKnown = 1_000;

function remember(known: Map<string, readonly Buffer[]>, from: string, keys: readonly Buffer[]): void {
  if (known.size >= mostKnown) known.clear();
  known.set(from, keys);
}
