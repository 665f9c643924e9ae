/**
 * Messages between the instances of one installation, and which of them live. An instance that has said nothing for three
 * beats, or has said goodbye, is gone. Whoever may have missed something of another one is told everything anew. What is said is
 * sealed, and heard once: an instance is believed when it has answered this one, whose name is new with each start.
 */
import { createSeal } from "./seal";
import type { OpenTransport } from "./transport";

export type BusOptions = {
  /** Keys of the installation, 32 bytes each: the first one seals, all open. */
  readonly keys: readonly Uint8Array[];
  /** Milliseconds between two signs of life. */
  readonly beat?: number;
  readonly onError?: (error: Error) => void;
  /** A clock that never goes back, in ms. */
  readonly now?: () => number;
  /** Calls back every so many ms; gives the function that stops. */
  readonly every?: (ms: number, work: () => void) => () => void;
};

/** What is told of the others. */
export type BusListener = {
  /** A message, of a living instance; in the order in which it was sent. */
  readonly onMessage: (message: unknown, from: string) => void;
  /** It has come, or may have missed something: everything is to be told to it. */
  readonly onCome: (instance: string) => void;
  readonly onGone: (instance: string) => void;
};

export type Bus = {
  /** This instance. */
  readonly id: string;
  /** The instances that live, this one not among them. */
  readonly others: () => readonly string[];
  /** Whether this one has lived longer than all others but `than`. */
  readonly isOldest: (than: string) => boolean;
  /** One listener; call it before anything else. */
  readonly listen: (listener: BusListener) => void;
  /** Sends JSON to all others, or to one of them; nothing while there are none. */
  readonly publish: (message: unknown, to?: string) => void;
  /** Says goodbye. */
  readonly close: () => Promise<void>;
};

/** What goes over the transport, sealed. `since`: when its instance began, ms since 1970. */
type Envelope = {
  readonly since: number;
  readonly to?: string;
  /** `hello`: tell me everything. `alive`: nothing else to say, or the answer to a `hello`. `bye`: gone. */
  readonly kind: "hello" | "alive" | "bye" | "message";
  readonly message?: unknown;
};
type Other = { n: number; readonly since: number; heard: number };

const defaultBeat = 5_000;
/** Beats without a sign of life. */
const patience = 3;
/** Beats between two signs of life of an instance that knows of no others. */
const lonely = 6;
/** Instances whose last numbers are remembered: what they said is not heard again. */
const mostNumbers = 10_000;

/** Opens a bus. It finds the others by itself. */
export function openBus(
  open: OpenTransport,
  {
    keys,
    beat = defaultBeat,
    onError = () => {},
    now = () => performance.now(),
    every = everyBeat,
  }: BusOptions,
): Bus {
  const id = crypto.randomUUID();
  const { seal, open: unseal } = createSeal(keys);
  const since = Date.now();
  const others = new Map<string, Other>();
  /** The numbers of the last envelopes of all that were ever heard, those that are gone too. */
  const numbers = new Map<string, number>();
  /** When instances that are not believed yet were asked for an answer. */
  const asked = new Map<string, number>();
  let listener: BusListener = { onMessage: () => {}, onCome: () => {}, onGone: () => {} };
  let sent = 0;
  let closed = false;
  let beats = 0;
  let ticked = now();
  /** What went wrong last: said once, not at each attempt. */
  let fault: string | null = null;
  let toldStrange = false;

  const send = (kind: Envelope["kind"], rest: Pick<Envelope, "to" | "message"> = {}): void => {
    const text = JSON.stringify({ since, kind, ...rest } satisfies Envelope);
    transport.send(seal({ from: id, n: ++sent, text }));
  };

  const lose = (instance: string): void => {
    if (others.delete(instance)) listener.onGone(instance);
  };

  /** Somebody repeats what was said before this one began, or it has just come: only an answer to this one's name shows which. */
  const askForAnswer = (instance: string): void => {
    const time = now();
    if (time - (asked.get(instance) ?? -Infinity) < beat) return;
    asked.set(instance, time);
    send("hello", { to: instance });
  };

  const hear = (line: string): void => {
    const sealed = closed ? null : unseal(line);
    const envelope = sealed && parse(sealed.text);
    if (!sealed || !envelope) return tellStrange();
    const { from, n } = sealed;
    // A number of before: it is said for the second time.
    if (from === id || n <= (numbers.get(from) ?? 0)) return;
    const { kind, to } = envelope;
    const known = others.get(from);
    if (!known && to !== id) {
      if (kind !== "bye") askForAnswer(from);
      return;
    }
    note(numbers, from, n);
    if (kind === "bye") return lose(from);
    const isNew = known === undefined;
    const missed = known !== undefined && n !== known.n + 1;
    const hasAnswered = asked.delete(from);
    if (known) {
      known.n = n;
      known.heard = now();
    } else {
      others.set(from, { n, since: envelope.since, heard: now() });
    }
    const isMeant = to === undefined || to === id;
    const asks = kind === "hello" && isMeant;
    // It is asked for what it holds when something of it was missed, and when its way was broken: a question of ours may have
    // been lost there. One that asks this instance alone has been told of us, and tells; so does one that answers.
    const wasBroken = kind === "hello" && to === undefined;
    if (missed || wasBroken || (isNew && !asks && !hasAnswered)) send("hello", { to: from });
    if (kind === "hello" && to === id) send("alive", { to: from });
    if (isNew || asks) listener.onCome(from);
    if (kind === "message" && isMeant) listener.onMessage(envelope.message, from);
  };

  /** Another installation on the same way, an instance with another secret, or somebody who tries something. */
  const tellStrange = (): void => {
    if (closed || toldStrange) return;
    toldStrange = true;
    onError(
      new Error("something was said between instances that none with this secret has said; it is ignored"),
    );
  };

  const tick = (): void => {
    const time = now();
    // This process itself was held up: what the others said waits to be read.
    const isLate = time - ticked > beat * 2;
    ticked = time;
    for (const [instance, other] of others) {
      if (isLate) other.heard = time;
      else if (time - other.heard > beat * patience) lose(instance);
    }
    if (others.size > 0 || ++beats % lonely === 0) send("alive");
  };

  const transport = open({
    onText: (text) => {
      try {
        hear(text);
      } catch (error) {
        onError(error as Error);
      }
    },
    onUp: () => {
      fault = null;
      send("hello");
    },
    onError: (error) => {
      if (error.message !== fault) onError(error);
      fault = error.message;
    },
  });
  const stopBeats = every(beat, tick);

  return {
    id,
    others: () => [...others.keys()],
    isOldest: (than) =>
      [...others].every(
        ([instance, other]) =>
          instance === than || since < other.since || (since === other.since && id < instance),
      ),
    listen: (given) => void (listener = given),
    publish: (message, to) => {
      if (others.size > 0) send("message", { message, ...(to !== undefined && { to }) });
    },
    close: async () => {
      if (closed) return;
      closed = true;
      stopBeats();
      send("bye");
      await transport.close();
    },
  };
}

function everyBeat(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/** Forgets those that were heard of the longest ago. */
function note(numbers: Map<string, number>, from: string, n: number): void {
  numbers.delete(from);
  numbers.set(from, n);
  const [oldest] = numbers.keys();
  if (numbers.size > mostNumbers && oldest !== undefined) numbers.delete(oldest);
}

function parse(text: string): Envelope | null {
  try {
    const value = JSON.parse(text) as Partial<Envelope> | null;
    const isEnvelope = typeof value?.since === "number" && typeof value.kind === "string";
    return isEnvelope ? (value as Envelope) : null;
  } catch {
    return null;
  }
}
