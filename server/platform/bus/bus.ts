/**
 * Messages between the instances of one installation, and which of them live. An instance that has said nothing for three
 * beats, or has said goodbye, is gone. Whoever may have missed something of another one is told everything anew.
 */
import type { OpenTransport } from "./transport";

export type BusOptions = {
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

/** What goes over the transport. `n` counts the envelopes of an instance; `since`: when it began, ms since 1970. */
type Envelope = {
  readonly from: string;
  readonly n: number;
  readonly since: number;
  readonly to?: string;
  /** `hello`: tell me everything. `alive`: nothing else to say. `bye`: gone. */
  readonly kind: "hello" | "alive" | "bye" | "message";
  readonly message?: unknown;
};
type Other = { n: number; readonly since: number; heard: number };

const defaultBeat = 5_000;
/** Beats without a sign of life. */
const patience = 3;
/** Beats between two signs of life of an instance that knows of no others. */
const lonely = 6;

/** Opens a bus. It finds the others by itself. */
export function openBus(
  open: OpenTransport,
  {
    beat = defaultBeat,
    onError = () => {},
    now = () => performance.now(),
    every = everyBeat,
  }: BusOptions = {},
): Bus {
  const id = crypto.randomUUID();
  const since = Date.now();
  const others = new Map<string, Other>();
  let listener: BusListener = { onMessage: () => {}, onCome: () => {}, onGone: () => {} };
  let sent = 0;
  let closed = false;
  let beats = 0;
  let ticked = now();
  /** What went wrong last: said once, not at each attempt. */
  let fault: string | null = null;

  const send = (kind: Envelope["kind"], rest: Pick<Envelope, "to" | "message"> = {}): void => {
    transport.send(JSON.stringify({ from: id, n: ++sent, since, kind, ...rest } satisfies Envelope));
  };

  const lose = (instance: string): void => {
    if (others.delete(instance)) listener.onGone(instance);
  };

  const hear = (text: string): void => {
    const envelope = parse(text);
    if (closed || envelope === null || envelope.from === id) return;
    const { from, n, kind, to } = envelope;
    if (kind === "bye") return lose(from);
    const known = others.get(from);
    const isNew = known === undefined;
    const missed = known !== undefined && n !== known.n + 1;
    if (known) {
      known.n = n;
      known.heard = now();
    } else {
      others.set(from, { n, since: envelope.since, heard: now() });
    }
    const isMeant = to === undefined || to === id;
    const asks = kind === "hello" && isMeant;
    // It is asked for what it holds when it is unknown, when something of it was missed, and when its way was broken: a
    // question of ours may have been lost there. One that asks this instance alone has been told of us, and tells.
    const wasBroken = kind === "hello" && to === undefined;
    if (missed || wasBroken || (isNew && !asks)) send("hello", { to: from });
    if (isNew || asks) listener.onCome(from);
    if (kind === "message" && isMeant) listener.onMessage(envelope.message, from);
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

function parse(text: string): Envelope | null {
  try {
    const value = JSON.parse(text) as Partial<Envelope> | null;
    const isEnvelope =
      typeof value?.from === "string" && typeof value.n === "number" && typeof value.kind === "string";
    return isEnvelope ? (value as Envelope) : null;
  } catch {
    return null;
  }
}
