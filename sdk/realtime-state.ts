/**
 * What the client's side of `/realtime` does at each event: connect, prove who it is, subscribe, notice
 * silence, come back. Pure: no socket, timer, clock or randomness of its own.
 */
import {
  type ClientFrame,
  closeCodes,
  type ErrorCode,
  realtimeVersion,
  type ServerFrame,
} from "@baasix/types";
import {
  announceChange,
  announceResync,
  forgetAnswers,
  mayPass,
  refuse,
  rename,
  stand,
  standMany,
  subscribeAll,
  unsubscribe,
} from "./realtime-subscriptions";
import { forgetQueries, receiveQuery, refreshQuery } from "./realtime-queries";
import {
  type Addition,
  delays,
  requestPrefix,
  type Proof,
  type RealtimeEffect,
  type RealtimeEvent,
  type RealtimeState,
  type Step,
  type TimerName,
} from "./realtime-words";

const proofId = "proof";

/** Attempt number, and so the delay, to go on with when the server has too many sockets. */
const crowdedAttempt = 4;

/** Milliseconds until the next attempt: doubled each time up to half a minute, the upper half at random. */
export function retryDelay(attempt: number, random: number): number {
  const ceiling = Math.min(delays.lastRetry, delays.firstRetry * 2 ** attempt);
  return Math.round(ceiling * (0.5 + random / 2));
}

/** The next state, and what to do to get there. */
export function step(state: RealtimeState, event: RealtimeEvent): Step {
  switch (event.type) {
    case "start":
      return state.phase === "off" || state.phase === "waiting"
        ? ask({ ...state, explicit: true })
        : [{ ...state, explicit: true }, []];
    case "nudge":
      // One that stands may have died while the machine slept.
      if (state.phase === "waiting") return ask(state);
      // Many in a row would keep what is to be sent waiting.
      return state.asked ? [state, []] : elapse(state, "ping");
    case "stop":
      return [{ ...forgetAnswers(state), phase: "off", explicit: false }, leave(state)];
    case "identity":
      return connectAnew(forgetQueries(state));
    case "anew":
      return state.phase === "off" ? [state, []] : connectAnew(state);
    case "add":
      return add(state, [event]);
    case "addAll":
      return add(state, event.added);
    case "refresh":
      return refreshQuery(state, event.key);
    case "remove":
      return remove(state, event.key);
    case "hold":
      return hold({ ...state, held: event.held });
    case "send":
      return [state, state.phase === "ready" ? [{ type: "send", frame: event.frame }] : []];
    case "proof":
      return takeProof(state, event.proof);
    case "noProof":
      if (state.phase !== "asking") return [state, []];
      return event.retryable ? retry(state, event.random) : giveUp(state, "UNAUTHORIZED", event.message);
    case "opened":
      return prove(state);
    case "closed":
      return lose(state, event.code, event.random);
    case "impossible":
      return giveUp(state, "UNAVAILABLE", event.message);
    case "frame":
      return receive(state, event.frame);
    case "timer":
      return elapse(state, event.name);
  }
}

function ask(state: RealtimeState): Step {
  return [
    { ...forgetAnswers(state), phase: "asking" },
    [
      { type: "cancel", name: "retry" },
      { type: "ask", renew: state.renew },
    ],
  ];
}

/** The effects of leaving the present connection. */
function leave(state: RealtimeState): RealtimeEffect[] {
  const timers = ["deadline", "retry", "ping", "pong", "idle", "resubscribe"] as const;
  const effects: RealtimeEffect[] = timers.map((name) => ({ type: "cancel", name }));
  if (state.phase === "opening" || state.phase === "proving" || state.phase === "ready") {
    effects.push({ type: "close" });
  }
  if (state.phase === "ready") effects.push({ type: "connection", connected: false });
  return effects;
}

function retry(state: RealtimeState, random: number): Step {
  const ms = retryDelay(state.attempt, random);
  return [
    { ...forgetAnswers(state), phase: "waiting", attempt: state.attempt + 1 },
    [...leave(state), { type: "wait", name: "retry", ms }],
  ];
}

/** The server, or the network, closed the connection. */
function lose(state: RealtimeState, code: number, random: number): Step {
  if (state.phase === "off" || state.phase === "waiting" || state.phase === "asking") return [state, []];
  switch (code) {
    case closeCodes.protocol:
      return giveUp(state, "BAD_REQUEST", "The server speaks another version of the realtime protocol");
    case closeCodes.unauthorized:
      return retry({ ...state, renew: true }, random);
    case closeCodes.tooMany:
      return retry({ ...state, attempt: Math.max(state.attempt, crowdedAttempt) }, random);
    default:
      return retry(state, random);
  }
}

function giveUp(state: RealtimeState, code: ErrorCode, message: string): Step {
  return [
    { ...forgetAnswers(state), phase: "off", renew: false },
    [...leave(state), { type: "failed", key: null, code, message }],
  ];
}

function connectAnew(state: RealtimeState): Step {
  const left = leave(state);
  if (!isWanted(state)) return [{ ...forgetAnswers(state), phase: "off" }, left];
  const [next, effects] = ask({ ...state, attempt: 0, renew: false });
  return [next, [...left, ...effects]];
}

/** A token to connect with, or one that has been renewed while connected. */
function takeProof(state: RealtimeState, proof: Proof): Step {
  if (state.phase === "ready" && proof.token !== state.proof?.token) {
    return [{ ...state, proof }, authenticate(proof)];
  }
  if (state.phase !== "asking") return [state, []];
  return [
    { ...state, phase: "opening", proof },
    [{ type: "open" }, { type: "wait", name: "deadline", ms: delays.deadline }],
  ];
}

function prove(state: RealtimeState): Step {
  if (state.phase !== "opening" || state.proof === null) return [state, []];
  return [{ ...state, phase: "proving" }, authenticate(state.proof)];
}

function authenticate({ token, cookie }: Proof): RealtimeEffect[] {
  if (cookie) return [];
  return [{ type: "send", frame: { type: "authenticate", id: proofId, token, version: realtimeVersion } }];
}

function elapse(state: RealtimeState, name: TimerName): Step {
  switch (name) {
    case "retry":
      return state.phase === "waiting" ? ask(state) : [state, []];
    case "deadline":
    case "pong":
      // The middle of the jitter: a timer has no randomness to offer, and a silent server is rare.
      return state.phase === "off" ? [state, []] : retry(state, 0.5);
    case "ping": {
      if (state.phase !== "ready") return [state, []];
      const frame: ClientFrame = { type: "ping", id: String(state.nextId) };
      return [
        { ...state, asked: true, nextId: state.nextId + 1 },
        [
          { type: "send", frame },
          { type: "wait", name: "pong", ms: delays.pong },
          // The token may be near its end: the connection then goes on with the next one.
          { type: "ask", renew: false },
        ],
      ];
    }
    case "idle":
      if (isWanted(state)) return [state, []];
      return [{ ...forgetAnswers(state), phase: "off" }, leave(state)];
    case "resubscribe":
      return state.phase === "ready" ? subscribeAll(state) : [state, []];
  }
}

function receive(state: RealtimeState, frame: ServerFrame): Step {
  switch (frame.type) {
    case "connected": {
      if (state.phase !== "proving" && state.phase !== "opening") return [state, []];
      const [next, effects] = subscribeAll({ ...state, phase: "ready", renew: false, asked: false });
      return [
        next,
        [
          { type: "cancel", name: "deadline" },
          { type: "wait", name: "ping", ms: delays.ping },
          { type: "connection", connected: true },
          { type: "frame", frame },
          ...effects,
        ],
      ];
    }
    case "pong":
      // Only a connection that has held for a while makes the next attempt start over.
      return [
        { ...state, asked: false, attempt: 0 },
        [
          { type: "cancel", name: "pong" },
          { type: "wait", name: "ping", ms: delays.ping },
        ],
      ];
    case "subscribed":
      return stand(state, frame);
    case "subscribed.many":
      return standMany(state, frame);
    case "query.result":
    case "query.difference":
    case "query.unchanged":
    case "query.stale":
      return receiveQuery(state, frame);
    case "change":
      return [state, announceChange(state, frame)];
    case "resync":
      return [state, announceResync(state, frame.subscription, frame.reason)];
    case "renamed":
      return [rename(state, frame.subscription, frame.to), []];
    case "error":
      if (frame.id?.startsWith(requestPrefix)) return [state, [{ type: "frame", frame }]];
      return state.phase === "proving" && (frame.id === proofId || frame.id === null)
        ? refuseProof(state, frame.code, frame.message)
        : refuse(state, frame);
    case "unsubscribed":
      return [state, []];
    default:
      return [state, [{ type: "frame", frame }]];
  }
}

/** A refused token is renewed once. After what may pass, the server closes and `lose` decides. */
function refuseProof(state: RealtimeState, code: ErrorCode, message: string): Step {
  if (mayPass(code)) return [state, []];
  if (code !== "UNAUTHORIZED" || state.renew) return giveUp(state, code, message);
  const [next, effects] = ask({ ...state, renew: true });
  return [next, [...leave(state), ...effects]];
}

function add(state: RealtimeState, added: readonly Addition[]): Step {
  const entries = new Map(state.entries);
  for (const one of added) {
    const view = "view" in one ? one.view : null;
    const query = "query" in one ? one.query : null;
    entries.set(one.key, { view, query, answer: null, request: null, subscription: null, stood: false });
  }
  const next = { ...state, entries };
  const [following, effects] =
    state.phase === "ready" ? subscribeAll(next) : state.phase === "off" ? ask(next) : [next, []];
  return [following, [{ type: "cancel", name: "idle" }, ...effects]];
}

/** Whether something needs the connection. */
function isWanted({ entries, explicit, held }: RealtimeState): boolean {
  return entries.size > 0 || explicit || held;
}

function hold(state: RealtimeState): Step {
  if (!state.held) {
    if (isWanted(state) || state.phase === "off") return [state, []];
    return [state, [{ type: "wait", name: "idle", ms: delays.idle }]];
  }
  const [next, effects] = state.phase === "off" ? ask(state) : [state, []];
  return [next, [{ type: "cancel", name: "idle" }, ...effects]];
}

function remove(state: RealtimeState, key: string): Step {
  const [next, effects] = unsubscribe(state, key);
  if (isWanted(next) || state.phase === "off") return [next, effects];
  return [next, [...effects, { type: "wait", name: "idle", ms: delays.idle }]];
}
