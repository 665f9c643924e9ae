/** Carries out what the realtime state asks for: a WebSocket, timers and paced frames. Knows no subscriptions. */
import type { ClientFrame, ServerFrame } from "@baasix/types";
import { BaasixError } from "./error";
import { step } from "./realtime-state";
import {
  initialState,
  type Phase,
  type Proof,
  type RealtimeEffect,
  type RealtimeEvent,
  type TimerName,
} from "./realtime-words";

/** What is used of a WebSocket. */
export type SocketLike = {
  send(text: string): void;
  close(code?: number): void;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "close", listener: (event: { readonly code: number }) => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
};

/** What the transport needs. `proof` renews the token first when `renew`. */
export type SocketOptions = {
  readonly url: string;
  readonly open: (url: string) => SocketLike;
  readonly proof: (renew: boolean) => Promise<Proof>;
  readonly random: () => number;
};

/** Effects that concern those who listen, not the transport. */
export type Notice =
  | { readonly type: "phase"; readonly phase: Phase }
  | Extract<
      RealtimeEffect,
      {
        readonly type:
          "connection" | "frame" | "live" | "change" | "resync" | "answer" | "stale" | "ended" | "failed";
      }
    >;

/** Frames at once, and then per second: below the server's limit of 40 and 20. */
const burst = 30;
const rate = 15;

/** One connection that comes back by itself. */
export type Socket = { dispatch(event: RealtimeEvent): void };

/** Makes the transport; it does nothing before the first event. */
export function createSocket(options: SocketOptions, notify: (notice: Notice) => void): Socket {
  let state = initialState;
  let socket: SocketLike | null = null;
  let outbox: ClientFrame[] = [];
  let spent = 0;
  let pacer: ReturnType<typeof setInterval> | undefined;
  const timers = new Map<TimerName, ReturnType<typeof setTimeout>>();
  const events: RealtimeEvent[] = [];
  let busy = false;
  let asked = 0;

  function dispatch(event: RealtimeEvent): void {
    events.push(event);
    // An effect may cause an event: it then waits until the effects before it are done.
    if (busy) return;
    busy = true;
    try {
      for (let next = events.shift(); next; next = events.shift()) {
        const [following, effects] = step(state, next);
        const { phase } = state;
        state = following;
        if (state.phase !== phase) notify({ type: "phase", phase: state.phase });
        for (const effect of effects) perform(effect);
      }
    } finally {
      busy = false;
    }
  }

  function perform(effect: RealtimeEffect): void {
    switch (effect.type) {
      case "ask":
        ask(effect.renew);
        return;
      case "open":
        open();
        return;
      case "close":
        close();
        return;
      case "send":
        outbox.push(effect.frame);
        flush();
        return;
      case "wait":
        cancel(effect.name);
        timers.set(
          effect.name,
          setTimeout(() => dispatch({ type: "timer", name: effect.name }), effect.ms),
        );
        return;
      case "cancel":
        cancel(effect.name);
        return;
      default:
        notify(effect);
    }
  }

  function ask(renew: boolean): void {
    const mine = ++asked;
    // An older question may be answered with the token of a user who has left.
    const latest = (event: RealtimeEvent) => {
      if (mine === asked) dispatch(event);
    };
    options.proof(renew).then(
      (proof) => latest({ type: "proof", proof }),
      (error: unknown) =>
        latest({
          type: "noProof",
          retryable: error instanceof BaasixError && (error.isRetryable || error.code === "SESSION_CHANGED"),
          message: messageOf(error),
          random: options.random(),
        }),
    );
  }

  function open(): void {
    let mine: SocketLike;
    try {
      mine = options.open(options.url);
    } catch (error) {
      dispatch({ type: "impossible", message: messageOf(error) });
      return;
    }
    socket = mine;
    const ours = (event: RealtimeEvent | null) => {
      if (socket === mine && event) dispatch(event);
    };
    mine.addEventListener("open", () => ours({ type: "opened" }));
    mine.addEventListener("close", ({ code }) => ours({ type: "closed", code, random: options.random() }));
    mine.addEventListener("message", ({ data }) => ours(parseFrame(data)));
  }

  function close(): void {
    const old = socket;
    socket = null;
    outbox = [];
    spent = 0;
    clearInterval(pacer);
    pacer = undefined;
    old?.close(1000);
  }

  function flush(): void {
    while (spent < burst && outbox.length > 0) {
      spent += 1;
      socket?.send(JSON.stringify(outbox.shift()));
    }
    pacer ??= setInterval(() => {
      spent = Math.max(0, spent - rate);
      flush();
      if (spent > 0) return;
      clearInterval(pacer);
      pacer = undefined;
    }, 1000);
  }

  function cancel(name: TimerName): void {
    clearTimeout(timers.get(name));
    timers.delete(name);
  }

  return { dispatch };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function parseFrame(data: unknown): RealtimeEvent | null {
  try {
    const frame: unknown = JSON.parse(String(data));
    return typeof frame === "object" && frame !== null && "type" in frame
      ? { type: "frame", frame: frame as ServerFrame }
      : null;
  } catch {
    return null;
  }
}
