/** How many mails strangers may cause one address to get. In memory and bounded; each instance counts for itself. */
import { AppError } from "../../core/errors";
import { createRecent } from "../../http";

/** At most `count` in any `interval` ms. */
export type MailLimit = { readonly count: number; readonly interval: number };

/** One a minute and five an hour. */
export const strangersLimits: readonly MailLimit[] = [
  { count: 1, interval: 60_000 },
  { count: 5, interval: 3_600_000 },
];

export type MailLimits = {
  /**
   * Counts a mail to an address, whatever its letter case. To be asked for addresses without an account just as for others,
   * so that the refusal tells nothing.
   * @throws AppError RATE_LIMITED with `retryAfter` seconds; a refused mail does not count.
   */
  readonly take: (address: string) => void;
};

/** Remembers the addresses that were used last, `addresses` of them at least. */
export function createMailLimits(
  clock: () => number,
  limits: readonly MailLimit[] = strangersLimits,
  addresses = 50_000,
): MailLimits {
  const times = createRecent<readonly number[]>(addresses);
  const longest = Math.max(...limits.map(({ interval }) => interval));
  return {
    take: (address) => {
      const key = address.trim().toLowerCase();
      const now = clock();
      const taken = (times.get(key) ?? []).filter((time) => now - time < longest);
      const waits = limits.map(({ count, interval }) => {
        // The one that must have passed for another to be within the limit.
        const oldest = taken.at(-count);
        return oldest === undefined ? 0 : oldest + interval - now;
      });
      const wait = Math.max(...waits);
      if (wait > 0) {
        const retryAfter = Math.ceil(wait / 1000);
        throw new AppError("RATE_LIMITED", `Too many mails to this address; try again in ${retryAfter} s`, {
          retryAfter,
        });
      }
      times.set(key, [...taken, now]);
    },
  };
}
