/** Requests over the socket that are no subscriptions: sent when the connection stands, given up when it breaks. */
import type { ClientFrame, ServerFrame } from "@baasix/types";
import { BaasixError } from "./error";
import { tell } from "./listeners";
import { requestPrefix } from "./realtime-words";

/** What requests need of the connection. */
export type RequestOptions = {
  readonly send: (frame: ClientFrame) => void;
  /** Asks to be connected as long as it is true. */
  readonly hold: (held: boolean) => void;
};

/** Milliseconds that a request waits for the connection and its answer. */
const patience = 35_000;

type Unsent<Frame> = Frame extends unknown ? Omit<Frame, "id"> : never;
/** A request, which gets its id when it is made. */
export type Question = Unsent<ClientFrame>;
export type Answer = Exclude<ServerFrame, { readonly type: "error" }>;
/** The answers of a type. */
export type AnswerOf<Type extends Answer["type"]> = Extract<Answer, { readonly type: Type }>;
type Pending = {
  readonly frame: ClientFrame;
  readonly settle: (result: Answer | BaasixError) => void;
  readonly wanted: (() => boolean) | undefined;
  readonly may: (() => boolean) | undefined;
  sent: boolean;
};

/**
 * `wanted`: whether it still is when there is a connection at last. `may`: whether it may be sent already; `flush` asks again.
 * `answered` gets the answer before the next frame is looked at: what awaits it goes on later, when frames of the same packet
 * may have passed.
 */
export type AskOptions<Type extends Answer["type"]> = {
  readonly wanted?: () => boolean;
  readonly may?: () => boolean;
  readonly answered?: (answer: AnswerOf<Type>) => void;
};

export type Requests = ReturnType<typeof createRequests>;

/** Makes the requests of one client. */
export function createRequests({ send, hold }: RequestOptions) {
  const pending = new Map<string, Pending>();
  const listeners = new Set<(frame: ServerFrame) => void>();
  const readyListeners = new Set<() => void>();
  let holds = 0;
  let count = 0;
  let connected = false;

  function keep(): () => void {
    if (holds++ === 0 || !connected) hold(true);
    let kept = true;
    return () => {
      if (!kept) return;
      kept = false;
      if (--holds === 0) hold(false);
    };
  }

  function end(
    message: string,
    code: BaasixError["code"],
    which: (one: Pending) => boolean = () => true,
  ): void {
    // A list of its own: each that settles is taken out.
    const ending = [...pending.values()].filter(which);
    for (const { settle } of ending) settle(failure(message, code));
  }

  /** Sends what waits, as far as it may be sent. */
  function flush(): void {
    if (!connected) return;
    for (const each of pending.values()) {
      if (each.sent || each.wanted?.() === false || each.may?.() === false) continue;
      each.sent = true;
      send(each.frame);
    }
  }

  return {
    flush,
    /** Keeps the connection until the returned function is called. */
    keep,
    /**
     * The answer, whose type is that of the question.
     * @throws BaasixError of the server, TIMEOUT, or NETWORK_ERROR when the connection broke before the answer came
     */
    request<Type extends Answer["type"]>(
      frame: Question,
      { wanted, may, answered }: AskOptions<Type> = {},
    ): Promise<AnswerOf<Type>> {
      const id = `${requestPrefix}${++count}`;
      const release = keep();
      return new Promise<Answer>((resolve, reject) => {
        const settle = (result: Answer | BaasixError) => {
          clearTimeout(timer);
          pending.delete(id);
          release();
          if (result instanceof BaasixError) return reject(result);
          tell(answered, result as AnswerOf<Type>);
          resolve(result);
        };
        const timer = setTimeout(() => settle(failure("No answer in time", "TIMEOUT")), patience);
        const full = { ...frame, id } as ClientFrame;
        pending.set(id, { frame: full, settle, wanted, may, sent: false });
        flush();
      }) as Promise<AnswerOf<Type>>;
    },
    /** Called for each frame that answers no request. */
    onFrame: (listener: (frame: ServerFrame) => void) => void listeners.add(listener),
    /** Called whenever the connection stands anew, before what waits is sent. */
    onReady: (listener: () => void) => void readyListeners.add(listener),
    receive(frame: ServerFrame): void {
      const asked = "id" in frame ? pending.get(frame.id ?? "") : undefined;
      if (asked) asked.settle(frame.type === "error" ? failure(frame.message, frame.code) : frame);
      else for (const listener of listeners) tell(listener, frame);
    },
    /** The connection stands, or has broken: then what was sent may have arrived, or not. */
    connection(now: boolean): void {
      connected = now;
      if (!now) {
        return end("The connection broke before the answer", "NETWORK_ERROR", ({ sent }) => sent);
      }
      for (const listener of readyListeners) tell(listener);
      end("Not wanted any more", "SESSION_CHANGED", ({ sent, wanted }) => !sent && wanted?.() === false);
      flush();
    },
    /** Gives up everything that waits. */
    end: (message: string, code: BaasixError["code"]) => end(message, code),
    get connected(): boolean {
      return connected;
    },
  };
}

function failure(message: string, code: BaasixError["code"]): BaasixError {
  return new BaasixError(message, { status: code === "TIMEOUT" ? 408 : 0, code });
}
