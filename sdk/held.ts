/** What a client holds by name on its socket (rooms, channels, topics): entered anew after each break. */
import { BaasixError } from "./error";
import { mayPass } from "./realtime-subscriptions";
import type { Answer, AnswerOf, Question, Requests } from "./requests";
import type { SubscriptionState } from "./subscriptions";

/** How one kind of thing is entered and left, and who hears of it. */
export type HeldOptions<Type extends Answer["type"]> = {
  readonly enter: (name: string) => Question;
  readonly exit: (name: string) => Question;
  /** It is held. `again`: after a break, so that something may have been missed. */
  readonly entered: (name: string, answer: AnswerOf<Type>, again: boolean) => void;
  /** It is held no more, and why. `stood`: it was held before. */
  readonly lost: (name: string, error: BaasixError, stood: boolean) => void;
};

/** Milliseconds until an entry is tried again that was refused for a passing reason. */
const pause = 1_000;

type Entry<Held> = {
  readonly release: () => void;
  readonly first: Promise<Held>;
  readonly resolve: (answer: Held) => void;
  readonly reject: (error: BaasixError) => void;
  running: boolean;
  stood: boolean;
  /** Since when it is held, ISO 8601; null also during a break. */
  since: string | null;
};

/** Makes an empty set. `Type`: of the frame that answers who enters. */
export function createHeld<Type extends Answer["type"]>(requests: Requests, options: HeldOptions<Type>) {
  type Held = Entry<AnswerOf<Type>>;
  const entries = new Map<string, Held>();
  const leave = (name: string) => requests.request<"done">(options.exit(name));

  function forget(name: string, error: BaasixError): void {
    const entry = entries.get(name);
    if (!entry) return;
    entries.delete(name);
    entry.release();
    entry.reject(error);
    options.lost(name, error, entry.stood);
    requests.flush();
  }

  function take(name: string, entry: Held, answer: AnswerOf<Type>): void {
    if (entries.get(name) !== entry) {
      // Left before the answer came; whoever wants it again has asked for itself.
      if (!entries.has(name)) leave(name).catch(() => {});
      return;
    }
    const again = entry.stood;
    entry.stood = true;
    entry.since = new Date().toISOString();
    options.entered(name, answer, again);
    entry.resolve(answer);
    requests.flush();
  }

  async function run(name: string, entry: Held): Promise<void> {
    if (entry.running) return;
    entry.running = true;
    try {
      await requests.request<Type>(options.enter(name), {
        wanted: () => entries.get(name) === entry,
        answered: (answer) => take(name, entry, answer),
      });
    } catch (error) {
      if (entries.get(name) !== entry) return;
      if (!(error instanceof BaasixError)) throw error;
      // A break: the next connection enters anew.
      if (error.code === "NETWORK_ERROR") return;
      // Whoever was in already waits as long as it takes; who enters is told when nobody answers.
      if (!mayPass(error.code as never) || (error.code === "TIMEOUT" && !entry.stood)) {
        return forget(name, error);
      }
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
    /** Asks as one who is in: while it is being entered, not before that is done. */
    ask: <Kind extends Answer["type"]>(name: string, question: Question) =>
      requests.request<Kind>(question, { may: () => entries.get(name)?.since !== null }),
    /** Enters, or enters anew; the promise is of the first time that it is held. */
    add(name: string): Promise<AnswerOf<Type>> {
      const known = entries.get(name);
      if (known) return known.first;
      let resolve: Held["resolve"] = () => {};
      let reject: Held["reject"] = () => {};
      const first = new Promise<AnswerOf<Type>>((done, fail) => {
        resolve = done;
        reject = fail;
      });
      const entry: Held = {
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
      requests.flush();
      try {
        // Without a connection nothing is held on the server's side.
        if (requests.connected) await leave(name);
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
      requests.flush();
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
