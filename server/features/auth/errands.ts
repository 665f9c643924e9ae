/**
 * Work that is done after the answer: what depends on whether an account exists must not show in how long an answer takes.
 * In memory and bounded; a server that is killed loses what it had not done, and who waits for the mail asks again.
 */
import pLimit from "p-limit";
import { AppError } from "../../core/errors";
import type { Logger } from "../../http";

export type Errands = {
  /**
   * Takes work on; it runs soon, and its failure is told in the log alone.
   * @throws AppError UNAVAILABLE when too much waits, before anything of it is known
   */
  readonly take: (what: string, work: () => Promise<void>) => void;
  /** Resolves when nothing is left to do: for tests, and at the end. */
  readonly idle: () => Promise<void>;
};

/** `atOnce`: how much runs at the same time, less than the pool of connections; `waiting`: how much may wait. */
export type ErrandOptions = { readonly logger: Logger; readonly atOnce?: number; readonly waiting?: number };

/** Makes a list of errands. */
export function createErrands({ logger, atOnce = 2, waiting = 500 }: ErrandOptions): Errands {
  const limit = pLimit(atOnce);
  const open = new Set<Promise<void>>();
  return {
    take: (what, work) => {
      if (open.size >= atOnce + waiting) {
        throw new AppError("UNAVAILABLE", "Too many requests for mails at once; try again in a moment", {
          retryAfter: 5,
        });
      }
      const done = limit(work)
        .catch((error: unknown) => {
          // AppErrors name no secret; anything else may.
          const reason = error instanceof AppError ? `${error.code}: ${error.message}` : String(error);
          logger.error(what, { error: reason });
        })
        .finally(() => open.delete(done));
      open.add(done);
    },
    idle: async () => {
      // oxlint-disable-next-line no-await-in-loop -- an errand may take on another one
      while (open.size > 0) await Promise.all(open);
    },
  };
}
