/** What a client holds by name on its socket (rooms, channels, topics): entered anew after each break. */
import { BaasixError } from "./error";
import { mayPass } from "./realtime-subscriptions";
import type { Requests } from "./requests";
import type { SubscriptionState } from "./subscriptions";

/** How one kind of thing is entered and left, and who hears of it. */
export type HeldOptions<Answer> = {
  /** `wanted` turns false when it is left before the question could be sent. */
  readonly enter: (name: string, wanted: () => boolean) => Promise<Answer>;
  readonly exit: (name: string) => Promise<unknown>;
  /** It is held. `again`: after a break, so that something may have been missed. */
  readonly entered: (name: string, answer: Answer, again: boolean) => void;
  /** It is held no more, and why. `stood`: it was held before. */
  readonly lost: (name: string, error: BaasixError, stood: boolean) => void;
};

/** Milliseconds until an entry is tried again that was refused for a passing reason. */
const pause = 1_000;

type Entry<Answer> = {
  readonly release: () => void;
  readonly first: Promise<Answer>;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: BaasixError) => void;
  running: boolean;
  stood: boolean;
  /** Since when it is held, ISO 8601; null also during a break. */
  since: string | null;
};

/** Makes an empty set. */
export function createHeld<Answer>(requests: Requests, options: HeldOptions<Answer>) {
  const entries = new Map<string, Entry<Answer>>();

  function forget(name: string, error: BaasixError): void {
    const entry = entries.get(name);
    if (!entry) return;
    entries.delete(name);
    entry.release();
    entry.reject(error);
    options.lost(name, error, entry.stood);
  }

  async function run(name: string, entry: Entry<Answer>): Promise<void> {
    if (entry.running) return;
    entry.running = true;
    try {
      const answer = await options.enter(name, () => entries.get(name) === entry);
      if (entries.get(name) !== entry) {
        // Left before the answer came; whoever wants it again has asked for itself.
        if (!entries.has(name)) await options.exit(name);
        return;
      }
      const again = entry.stood;
      entry.stood = true;
      entry.since = new Date().toISOString();
      options.entered(name, answer, again);
      entry.resolve(answer);
    } catch (error) {
      if (entries.get(name) !== entry) return;
      if (!(error instanceof BaasixError)) throw error;
      // A break: the next connection enters anew.
      if (error.code === "NETWORK_ERROR" || (error.code === "TIMEOUT" && entry.stood)) return;
      if (!mayPass(error.code as never) || error.code === "TIMEOUT") return forget(name, error);
      setTimeout(() => {
        if (entries.get(name) === entry) void run(name, entry);
      }, pause);
    } finally {
      entry.running = false;
    }
  }

  requests.onReady(() => {
    for (const [name, entry] of entries) {
      entry.since = null;
      if (!entry.running) void run(name, entry);
    }
  });

  return {
    has: (name: string) => entries.has(name),
    /** Enters, or enters anew; the promise is of the first time that it is held. */
    add(name: string): Promise<Answer> {
      const known = entries.get(name);
      if (known) return known.first;
      let resolve: Entry<Answer>["resolve"] = () => {};
      let reject: Entry<Answer>["reject"] = () => {};
      const first = new Promise<Answer>((done, fail) => {
        resolve = done;
        reject = fail;
      });
      const entry: Entry<Answer> = {
        release: requests.keep(),
        first,
        resolve,
        reject,
        running: false,
        stood: false,
        since: null,
      };
      // Whoever does not await it hears of it as a loss.
      entry.first.catch(() => {});
      entries.set(name, entry);
      void run(name, entry);
      return entry.first;
    },
    async remove(name: string): Promise<void> {
      const entry = entries.get(name);
      if (!entry) return;
      entries.delete(name);
      entry.reject(new BaasixError("Left", { status: 0, code: "SESSION_CHANGED" }));
      try {
        // Without a connection nothing is held on the server's side.
        if (requests.connected) await options.exit(name);
      } finally {
        entry.release();
      }
    },
    /** The server has ended it: those who wait are refused, and `lost` is told. */
    forget,
    /** The server has ended it, and the caller tells of it. */
    drop(name: string): void {
      const entry = entries.get(name);
      entries.delete(name);
      entry?.release();
    },
    names: () => [...entries.keys()],
    /** What is held, or to be held. */
    list: <Type extends string>(type: Type) =>
      [...entries].map(([channel, { since }]) => {
        const subscribedAt = requests.connected ? since : null;
        const state: SubscriptionState = subscribedAt ? "SUBSCRIBED" : "JOINING";
        return { key: channel, channel, type, state, subscribedAt };
      }),
  };
}
