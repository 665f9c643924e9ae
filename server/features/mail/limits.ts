/** How many mails strangers may cause one address to get. In memory and bounded; each instance counts for itself. */
import { AppError } from "../../core/errors";
import { createRecent } from "../../http";

/** At most `count` in any `interval` ms. */
export type MailLimit = { readonly count: number; readonly interval: number };

/** One a minute and five an hour. */
const strangersLimits: readonly MailLimit[] = [
  { count: 1, interval: 60_000 },
  { count: 5, interval: 3_600_000 },
];

/** Five a minute and thirty an hour: of all that comes to one mailbox, whatever stands behind a `+` in its address. */
const mailboxLimits: readonly MailLimit[] = [
  { count: 5, interval: 60_000 },
  { count: 30, interval: 3_600_000 },
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
export function createMailLimits(clock: () => number, addresses = 50_000): MailLimits {
  const counters = [
    { keyOf: plain, counter: counterOf(strangersLimits, addresses) },
    { keyOf: mailboxOf, counter: counterOf(mailboxLimits, addresses) },
  ];
  return {
    take: (address) => {
      const now = clock();
      const asked = counters.map(({ keyOf, counter }) => counter(keyOf(address), now));
      const wait = Math.max(...asked.map(({ wait: each }) => each));
      if (wait > 0) {
        const retryAfter = Math.ceil(wait / 1000);
        throw new AppError("RATE_LIMITED", `Too many mails to this address; try again in ${retryAfter} s`, {
          retryAfter,
        });
      }
      for (const { note } of asked) note();
    },
  };
}

/** How long a key must wait, in ms, and the note that it got one more. */
function counterOf(limits: readonly MailLimit[], keys: number) {
  const times = createRecent<readonly number[]>(keys);
  const longest = Math.max(...limits.map(({ interval }) => interval));
  return (key: string, now: number): { readonly wait: number; readonly note: () => void } => {
    const taken = (times.get(key) ?? []).filter((time) => now - time < longest);
    const waits = limits.map(({ count, interval }) => {
      // The one that must have passed for another to be within the limit.
      const oldest = taken.at(-count);
      return oldest === undefined ? 0 : oldest + interval - now;
    });
    return { wait: Math.max(...waits), note: () => times.set(key, [...taken, now]) };
  };
}

function plain(address: string): string {
  return address.trim().toLowerCase();
}

/** The address without what follows a `+` (RFC 5233), which most mail servers put into the same mailbox. */
function mailboxOf(address: string): string {
  return plain(address).replace(/\+[^@]*(?=@)/, "");
}
