/** Writes under an idempotency key: they take effect once, and every repetition gets the first one's answer. */
import { idempotencyHeader, replayedHeader } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { type Data, guestOf, type TransactionOptions } from "../../data";
import { createAllowance } from "./allowance";
import { hashRequest, type HeldKey, readKey } from "./key";
import { findAnswer, keepAnswer, type KeptAnswer, lifetime, takeKey } from "./store";
import { removeKey } from "./sweep";

/**
 * `body`: what tells the content, as JSON; for a file its digest. `slow`: the work is long (an import). `reads`: it writes
 * nothing, so that there is nothing to hold to one effect, and nothing is kept.
 */
export type OnceRequest = {
  readonly actor: Actor;
  readonly request: Request;
  readonly body: unknown;
  readonly slow?: true;
  readonly reads?: boolean;
};

export type Idempotency = {
  /**
   * Answers with `work`. Under a key the key, the effect and the answer are one transaction: `work` does everything through
   * the rows that it is given, and is called again after a deadlock. Then a second request, also one that comes meanwhile
   * or to another instance, gets the same answer with `Idempotency-Replayed: true`. What fails leaves nothing and may be
   * sent again. Answers are kept for a day.
   * @throws AppError BAD_REQUEST for what is no key, IDEMPOTENCY_KEY_REUSED when it was used for another request, FORBIDDEN
   * when the rights have changed for which the answer was given, RATE_LIMITED for a new key of who has used up the
   * allowance, and what `work` throws.
   */
  readonly once: (request: OnceRequest, work: (rows: Data) => Promise<Response>) => Promise<Response>;
};

/**
 * Parts it needs; `now` in ms since 1970. `rights`: another text after each change of what the actor may do. `hashKey`: 32 bytes.
 * `limit`: see `createAllowance`.
 */
export type IdempotencyParts = {
  readonly data: Data;
  readonly now: () => number;
  readonly rights: (actor: Actor) => string;
  readonly hashKey: Uint8Array;
  readonly limit: number;
};

/** A request under a key. */
type Keyed = {
  readonly actor: Actor;
  readonly held: HeldKey;
  readonly hash: string;
  readonly work: (rows: Data) => Promise<Response>;
  readonly options: TransactionOptions;
};

/** A row that another request removes between two looks is met again; more often than this it is not chance. */
const mostTurns = 5;

/** Makes the function that routes call. */
export function createIdempotency({ data, now, rights, hashKey, limit }: IdempotencyParts): Idempotency {
  const inTurn = createTurns();
  const allowance = createAllowance(limit, now);

  /** Null when the key is taken. */
  const perform = async ({ actor, held, hash, work, options }: Keyed): Promise<Response | null> => {
    let taken = false;
    try {
      const { answer, size } = await data.transaction(async (rows) => {
        const id = await takeKey(rows, held, hash, now());
        taken = id === null;
        // A statement has failed, so that the transaction is lost: it must not go on, whatever there was to do.
        if (id === null) throw new AppError("CONFLICT", `${idempotencyHeader}: taken`);
        allowance.require(actor);
        return keepAnswer(rows, id, await work(rows));
      }, options);
      allowance.use(actor, size);
      return answer;
    } catch (error) {
      if (taken) return null;
      throw error;
    }
  };

  const answer = async (keyed: Keyed): Promise<Response> => {
    for (let turn = 0; turn < mostTurns; turn++) {
      // oxlint-disable-next-line no-await-in-loop
      const performed = await perform(keyed);
      if (performed) return performed;
      // oxlint-disable-next-line no-await-in-loop
      const kept = await findAnswer(data, keyed.held);
      if (kept === null) continue;
      if (Date.parse(kept.createdAt) > now() - lifetime) return replay(kept, keyed.hash);
      // oxlint-disable-next-line no-await-in-loop
      await removeKey(data, kept.id);
    }
    throw new AppError("CONFLICT", `${idempotencyHeader}: another request uses the key; try again`);
  };

  return {
    once: ({ actor, request, body, slow, reads }, work) => {
      const header = request.headers.get(idempotencyHeader);
      if (header === null) return work(data);
      const held = readKey(actor, header);
      if (reads) return work(data);
      const hash = `${hashRequest(hashKey, request, body)}.${rights(actor)}`;
      const options = { ...guestOf(actor), ...(slow && { pool: "slow" as const }) };
      return inTurn(`${held.actor} ${held.key}`, () => answer({ actor, held, hash, work, options }));
    },
  };
}

function replay({ requestHash, status, body, headers }: KeptAnswer, hash: string): Response {
  const [request, rights] = requestHash.split(".");
  const [asked, had] = hash.split(".");
  if (request !== asked) {
    throw new AppError(
      "IDEMPOTENCY_KEY_REUSED",
      `${idempotencyHeader}: this key was used for another request; use a new key for a new request`,
    );
  }
  // The answer may tell what its caller may no longer read.
  if (rights !== had) {
    throw new AppError(
      "FORBIDDEN",
      `${idempotencyHeader}: the request took effect; its answer is not given again, as your rights have changed since`,
    );
  }
  return new Response(body === "" ? null : body, {
    status,
    headers: { ...headers, [replayedHeader]: "true" },
  });
}

/**
 * Runs what has the same name one after the other. The database does so too, but a request that waits there holds a
 * connection.
 */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const before = last.get(name);
    const turn = before ? before.then(work, work) : work();
    last.set(name, turn);
    const leave = (): void => {
      if (last.get(name) === turn) last.delete(name);
    };
    turn.then(leave, leave);
    return turn;
  };
}
