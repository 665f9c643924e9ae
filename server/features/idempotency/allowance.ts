/** How much one caller may have kept within a day: keys and answers stay that long, and must not fill the database. */
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { addressKey, createRecent } from "../../http";
import { lifetime } from "./store";

/** Characters of an answer that count as much as a key. */
const charactersPerKey = 4096;

/** Callers that are remembered at least; a flood of new ones makes it forget the quiet. */
const callers = 10_000;

/** What an account, or without one an address, may have kept. Of this server alone, from its first key on for a day. */
export type Allowance = {
  /** @throws AppError RATE_LIMITED with `retryAfter` when all of it is used */
  readonly require: (actor: Actor) => void;
  /** Counts a key and its answer of so many characters. */
  readonly use: (actor: Actor, characters: number) => void;
};

/** `limit`: keys, whose answers have `charactersPerKey` characters each. `now` in ms since 1970. */
export function createAllowance(limit: number, now: () => number): Allowance {
  const used = createRecent<{ keys: number; readonly endsAt: number }>(callers);
  const find = (actor: Actor) => {
    const known = used.get(nameOf(actor));
    return known && now() < known.endsAt ? known : null;
  };
  return {
    require: (actor) => {
      const known = find(actor);
      if (known === null || known.keys < limit) return;
      throw new AppError(
        "RATE_LIMITED",
        `Idempotency-Key: at most ${limit} keys, or that many times ${charactersPerKey} characters of answers, are kept for one caller within a day; send what need not be told apart without one`,
        { retryAfter: Math.ceil((known.endsAt - now()) / 1000) },
      );
    },
    use: (actor, characters) => {
      const keys = Math.max(1, Math.ceil(characters / charactersPerKey));
      const known = find(actor);
      if (known) known.keys += keys;
      else used.set(nameOf(actor), { keys, endsAt: now() + lifetime });
    },
  };
}

function nameOf(actor: Actor): string {
  if (actor.kind === "user") return actor.id;
  return `${actor.kind} ${actor.kind === "anonymous" ? addressKey(actor.origin?.address ?? "") : ""}`;
}
