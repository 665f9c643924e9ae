/**
 * What opens something once: long tokens in links, and short codes that are typed. Rows of `baasix_Verification`, one for each
 * kind and subject, so that a new one ends the one before. The texts are nowhere in the database: of tokens the SHA-256 hash,
 * which is enough for 32 random bytes; of codes, which could be tried out, an HMAC with a key of the server.
 */
import { createHash, createHmac, randomInt, timingSafeEqual } from "node:crypto";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, Rows } from "../../data";

const collection = "baasix_Verification";
const keeping = system("tokens that work once are kept by the auth feature");

const minute = 60_000;

/** Milliseconds that each kind holds. */
export const lifetimes = {
  "email-verification": 24 * 60 * minute,
  "password-reset": 30 * minute,
  "magic-link": 15 * minute,
  otp: 5 * minute,
  "confirm-code": 5 * minute,
  "email-undo": 72 * 60 * minute,
  "oauth-state": 10 * minute,
  "oauth-link": 10 * minute,
  "oauth-proof": minute,
} as const;

export type OneTimeKind = keyof typeof lifetimes;

/** How often a code may be tried. */
export const mostTries = 5;

/** Codes by where they are typed: the digits of a one-time code, or the sign-in code that a mail carries in place of a link. */
export type CodeForm = "digits" | "letters";

/** What to make. `subject`: whom or what it is for, such as a mail address; `data`: kept with it. */
export type OneTimeInput = {
  readonly kind: OneTimeKind;
  readonly subject: string;
  readonly data?: Readonly<Record<string, unknown>>;
};

/** What was proven. `id`: of the row that says so. */
export type Proven = {
  readonly id: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>> | null;
};

/** Made just now. `expiresAt` in ISO 8601. */
export type Made = { readonly text: string; readonly expiresAt: string };

/** Kept with a token that an administrator handed over: nobody mailed it, so that it proves no address. */
export const handedOver = { handedOver: true } as const;

/** True for one that was handed over. */
export function isHandedOver({ data }: Pick<Proven, "data">): boolean {
  return data?.handedOver === true;
}

export type OneTimes = {
  /** Makes a token of 64 hex digits; the one before it for the same kind and subject is dead. */
  readonly create: (rows: Rows, input: OneTimeInput) => Promise<Made>;
  /** Makes a code, which opens only beside its subject. */
  readonly createCode: (rows: Rows, input: OneTimeInput, form: CodeForm) => Promise<Made>;
  /** What a token would prove; it stays. Null: it is unknown, used, replaced or too old. */
  readonly find: (rows: Data, kind: OneTimeKind, token: string) => Promise<Proven | null>;
  /** Uses a token up: of any number at once exactly one gets what it proves, all others null. */
  readonly consume: (rows: Data, kind: OneTimeKind, token: string) => Promise<Proven | null>;
  /**
   * Uses a code up, likewise. A wrong one counts as a try before it is compared, so that many at once are not more tries; the
   * fifth was the last. To be called outside transactions: what fails must count.
   */
  readonly consumeCode: (
    data: Data,
    kind: OneTimeKind,
    subject: string,
    code: string,
  ) => Promise<Proven | null>;
  /** Whether nothing has ended or replaced what was used up since. */
  readonly stands: (rows: Data, proven: Proven) => Promise<boolean>;
  /** Whether one of a kind can be used now whose subject begins so. */
  readonly isOpen: (rows: Data, kind: OneTimeKind, prefix: string) => Promise<boolean>;
  /** Ends what is open, or used up, of these kinds for a subject. */
  readonly end: (rows: Rows, subject: string, kinds: readonly OneTimeKind[]) => Promise<void>;
};

type Row = {
  readonly id: string;
  readonly value: string;
  readonly tries: number;
  readonly data: Readonly<Record<string, unknown>> | null;
};

type Named = Pick<Row, "id" | "data"> & { readonly identifier: string };

const iso = (time: number): string => new Date(time).toISOString();

/** Makes the functions. `codeKey`: 32 bytes, the same for all instances; `clock` in ms since 1970. */
export function createOneTimes({
  codeKey,
  clock,
}: {
  readonly codeKey: Uint8Array;
  readonly clock: () => number;
}): OneTimes {
  const hashToken = (kind: OneTimeKind, token: string): string =>
    createHash("sha256").update(`${kind}:${token}`).digest("hex");
  const hashCode = (kind: OneTimeKind, subject: string, code: string): string =>
    createHmac("sha256", codeKey).update(`${kind}:${subject}:${code}`).digest("hex");
  const open = (): readonly object[] => [{ usedAt: { isNull: true } }, { expiresAt: { gt: iso(clock()) } }];

  const write = async (rows: Rows, input: OneTimeInput, value: string): Promise<string> => {
    const { kind, subject, data = null } = input;
    const expiresAt = iso(clock() + lifetimes[kind]);
    await rows.upsert(keeping, collection, { on: ["identifier"] }, [
      { identifier: identifierOf(kind, subject), value, expiresAt, usedAt: null, tries: 0, data },
    ]);
    return expiresAt;
  };
  const provenBy = (kind: OneTimeKind, { id, identifier, data }: Named): Proven => ({
    id,
    subject: identifier.slice(kind.length + 1),
    data,
  });

  return {
    create: async (rows, input) => {
      const text = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
      return { text, expiresAt: await write(rows, input, hashToken(input.kind, text)) };
    },

    createCode: async (rows, input, form) => {
      const text = form === "digits" ? digits() : letters();
      return { text, expiresAt: await write(rows, input, hashCode(input.kind, input.subject, text)) };
    },

    find: async (rows, kind, token) => {
      const [found] = await rows.find<Named>(keeping, collection, {
        filter: { AND: [{ value: { eq: hashToken(kind, token) } }, ...open()] },
        fields: ["id", "identifier", "data"],
        limit: 1,
      });
      return found ? provenBy(kind, found) : null;
    },

    consume: async (rows, kind, token) => {
      const value = hashToken(kind, token);
      const used = await rows.updateWhere(
        keeping,
        collection,
        { AND: [{ value: { eq: value } }, ...open()] },
        { usedAt: iso(clock()) },
      );
      if (used.length === 0) return null;
      const [found] = await rows.find<Named>(keeping, collection, {
        filter: { value: { eq: value } },
        fields: ["id", "identifier", "data"],
        limit: 1,
      });
      return found ? provenBy(kind, found) : null;
    },

    consumeCode: async (data, kind, subject, code) => {
      const expected = Buffer.from(hashCode(kind, subject, code));
      // Each turn that is lost was a try of somebody else, or a new code.
      for (let turn = 0; turn < 4 * mostTries; turn++) {
        // oxlint-disable-next-line no-await-in-loop
        const [row] = await data.find<Row>(keeping, collection, {
          filter: {
            AND: [
              { identifier: { eq: identifierOf(kind, subject) } },
              { tries: { lt: mostTries } },
              ...open(),
            ],
          },
          fields: ["id", "value", "tries", "data"],
          limit: 1,
        });
        if (!row) return null;
        const asSeen = [{ id: { eq: row.id } }, { value: { eq: row.value } }, { usedAt: { isNull: true } }];
        // oxlint-disable-next-line no-await-in-loop
        const counted = await data.updateWhere(
          keeping,
          collection,
          { AND: [...asSeen, { tries: { eq: row.tries } }] },
          { tries: row.tries + 1 },
        );
        if (counted.length === 0) continue;
        const value = Buffer.from(row.value);
        if (value.length !== expected.length || !timingSafeEqual(value, expected)) return null;
        // oxlint-disable-next-line no-await-in-loop
        const won = await data.updateWhere(keeping, collection, { AND: asSeen }, { usedAt: iso(clock()) });
        return won.length === 0 ? null : { id: row.id, subject, data: row.data };
      }
      return null;
    },

    stands: async (rows, { id }) => {
      const found = await rows.find(keeping, collection, {
        filter: { AND: [{ id: { eq: id } }, { usedAt: { isNotNull: true } }] },
        fields: ["id"],
        limit: 1,
      });
      return found.length > 0;
    },

    isOpen: async (rows, kind, prefix) => {
      const found = await rows.find(keeping, collection, {
        filter: { AND: [{ identifier: { startsWith: identifierOf(kind, prefix) } }, ...open()] },
        fields: ["id"],
        limit: 1,
      });
      return found.length > 0;
    },

    end: endOneTimes,
  };
}

/** Ends what is open, or used up, of these kinds for a subject. */
export async function endOneTimes(rows: Rows, subject: string, kinds: readonly OneTimeKind[]): Promise<void> {
  const identifiers = kinds.map((kind) => identifierOf(kind, subject));
  await rows.removeWhere(keeping, collection, { identifier: { in: identifiers } });
}

/** Deletes what ended before `now` (ms since 1970); gives how many. For an hourly run. */
export async function removeExpiredOneTimes(data: Data, now: number): Promise<number> {
  // By what they are and not by key: one that is made anew meanwhile stays.
  return (await data.removeWhere(keeping, collection, { expiresAt: { lt: iso(now) } })).length;
}

/** The refusal of a token or code that opens nothing. 400: it is not the caller's session that ended. */
export function invalidOneTime(): AppError {
  return new AppError("INVALID_CREDENTIALS", "Invalid or expired token");
}

function identifierOf(kind: OneTimeKind, subject: string): string {
  return `${kind}:${subject}`;
}

/** Six digits. */
function digits(): string {
  return String(randomInt(1_000_000)).padStart(6, "0");
}

/** 48 random bits as twelve hex digits in upper case. */
function letters(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(6)))
    .toString("hex")
    .toUpperCase();
}
