/** The live queries of the realtime state: their answers, followed frame by frame, and asked for again. Pure. */
import type { QueryFrame } from "@baasix/types";
import { answerAfter } from "./live-answer";
import { find, sendUnsubscribe, subscribeAll } from "./realtime-subscriptions";
import type { Entry, RealtimeState, Step } from "./realtime-words";

/** A frame of a live query: the answer goes on, or is asked for as a whole where it cannot. */
export function receiveQuery(state: RealtimeState, frame: QueryFrame): Step {
  const { subscription } = frame;
  const id = frame.type === "query.stale" ? undefined : frame.id;
  const found = find(state, (entry) =>
    id === undefined ? entry.subscription === subscription : entry.request === id,
  );
  // Nobody waits for it any more. What comes unasked and late needs no answer.
  if (!found?.[1].query) return id === undefined ? [state, []] : sendUnsubscribe(state, subscription);
  const [key, entry] = found;
  if (frame.type === "query.stale") return [state, [{ type: "stale", key }]];
  const answer = answerAfter(entry.answer, frame);
  if (answer === null) return askAnew(state, key, { ...entry, subscription, answer: null });
  const next = { ...entry, request: null, subscription, answer, stood: true };
  return [{ ...state, entries: new Map(state.entries).set(key, next) }, [{ type: "answer", key, answer }]];
}

/** Asks whether the answer still is the one that a read would give now. */
export function refreshQuery(state: RealtimeState, key: string): Step {
  const entry = state.entries.get(key);
  // While it is being asked for, the answer is yet to come.
  if (state.phase !== "ready" || !entry?.query || entry.subscription === null) return [state, []];
  return askAnew(state, key, entry);
}

function askAnew(state: RealtimeState, key: string, entry: Entry): Step {
  const entries = new Map(state.entries).set(key, { ...entry, request: null, subscription: null });
  const [left, effects] =
    entry.subscription === null ? [state, []] : sendUnsubscribe(state, entry.subscription);
  const [next, asked] = subscribeAll({ ...left, entries });
  return [next, [...effects, ...asked]];
}

/** Another user must not go on from what the one before has seen. */
export function forgetQueries(state: RealtimeState): RealtimeState {
  const entries = new Map<string, Entry>();
  for (const [key, entry] of state.entries) entries.set(key, { ...entry, answer: null });
  return { ...state, entries };
}
