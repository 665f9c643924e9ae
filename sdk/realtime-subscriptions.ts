/** The subscriptions of the realtime state: asked for, standing, renamed, refused, forgotten. Pure. */
import type { ChangeFrame, ErrorCode, ServerFrame } from "@baasix/types";
import {
  delays,
  type Entry,
  type RealtimeEffect,
  type RealtimeState,
  type Step,
  type View,
} from "./realtime-words";

/** Whether a refusal may be over at the next try. */
export function mayPass(code: ErrorCode): boolean {
  return ["RATE_LIMITED", "UNAVAILABLE", "TIMEOUT", "INTERNAL_ERROR"].includes(code);
}

/** Stands for a request that was refused: a subscription with a request is not asked for again. */
const refused = "refused";

/** Nothing stands any more on the server's side, and no answer will come. */
export function forgetAnswers(state: RealtimeState): RealtimeState {
  const entries = new Map<string, Entry>();
  for (const [key, entry] of state.entries) entries.set(key, { ...entry, request: null, subscription: null });
  return { ...state, proof: null, entries };
}

/** Most subscriptions of one frame, and characters of what they ask for: a message may have 256 KiB. */
const together = { count: 50, size: 64 * 1024 };

/** Asks for everything that neither stands nor is being asked for: views together, each query by itself. */
export function subscribeAll(state: RealtimeState): Step {
  const wanted = [...state.entries].filter(
    ([, entry]) => entry.request === null && entry.subscription === null,
  );
  const entries = new Map(state.entries);
  const effects: RealtimeEffect[] = [];
  let { nextId } = state;
  const views: [string, Entry, View][] = [];
  for (const [key, entry] of wanted) {
    const { view, query, answer } = entry;
    if (view) views.push([key, entry, view]);
    if (!query) continue;
    const id = String(nextId++);
    entries.set(key, { ...entry, request: id });
    const known = answer && { version: answer.version };
    effects.push({ type: "send", frame: { type: "query", id, ...query, ...known } });
  }
  for (const group of groupsOf(views)) {
    const id = String(nextId++);
    const [[, , only] = []] = group;
    const alone = group.length === 1 && only !== undefined;
    group.forEach(([key, entry], place) =>
      entries.set(key, { ...entry, request: alone ? id : placeOf(id, place) }),
    );
    const frame = alone
      ? ({ type: "subscribe", id, ...only } as const)
      : ({ type: "subscribe.many", id, subscriptions: group.map(([, , view]) => view) } as const);
    effects.push({ type: "send", frame });
  }
  return [{ ...state, entries, nextId }, effects];
}

const placeOf = (id: string, place: number): string => `${id}.${place}`;

function groupsOf<Member extends readonly [string, Entry, View]>(views: readonly Member[]): Member[][] {
  const groups: Member[][] = [];
  let size = 0;
  for (const member of views) {
    const length = JSON.stringify(member[2]).length;
    const last = groups.at(-1);
    if (last && last.length < together.count && size + length <= together.size) {
      last.push(member);
      size += length;
    } else {
      groups.push([member]);
      size = length;
    }
  }
  return groups;
}

/** The answers to several, in order. */
export function standMany(
  state: RealtimeState,
  { id, subscriptions }: Extract<ServerFrame, { readonly type: "subscribed.many" }>,
): Step {
  let now = state;
  const effects: RealtimeEffect[] = [];
  subscriptions.forEach((answer, place) => {
    const request = placeOf(id, place);
    const [next, following] =
      "code" in answer
        ? refuse(now, { type: "error", id: request, ...answer })
        : stand(now, { type: "subscribed", id: request, ...answer });
    now = next;
    effects.push(...following);
  });
  return [now, effects];
}

/** Drops a subscription. One that is still being asked for is dropped when its answer comes. */
export function unsubscribe(state: RealtimeState, key: string): Step {
  const entries = new Map(state.entries);
  const subscription = entries.get(key)?.subscription ?? null;
  entries.delete(key);
  const next = { ...state, entries };
  return subscription === null ? [next, []] : sendUnsubscribe(next, subscription);
}

/** Tells the server that nobody listens any more. */
export function sendUnsubscribe(state: RealtimeState, subscription: string): Step {
  const frame = { type: "unsubscribe", id: String(state.nextId), subscription } as const;
  return [{ ...state, nextId: state.nextId + 1 }, [{ type: "send", frame }]];
}

/** The answer to a request: changes follow. After a break, some may have been missed. */
export function stand(
  state: RealtimeState,
  { id, subscription, primaryKey }: Extract<ServerFrame, { readonly type: "subscribed" }>,
): Step {
  const found = find(state, (entry) => entry.request === id);
  if (!found) return sendUnsubscribe(state, subscription);
  const [key, entry] = found;
  const entries = new Map(state.entries).set(key, { ...entry, request: null, subscription, stood: true });
  const effects: RealtimeEffect[] = [{ type: "live", key, primaryKey }];
  if (entry.stood) effects.push({ type: "resync", key, reason: "reconnected" });
  return [{ ...state, entries }, effects];
}

/** The server goes on under another name. */
export function rename(state: RealtimeState, subscription: string, to: string): RealtimeState {
  const entries = new Map(state.entries);
  for (const [key, entry] of entries) {
    if (entry.subscription === subscription) entries.set(key, { ...entry, subscription: to });
  }
  return { ...state, entries };
}

/** A change, for the subscription it names. */
export function announceChange(state: RealtimeState, change: ChangeFrame): RealtimeEffect[] {
  const found = find(state, (entry) => entry.subscription === change.subscription);
  return found ? [{ type: "change", key: found[0], change }] : [];
}

/** A gap, for the subscription it names or for all. */
export function announceResync(
  state: RealtimeState,
  subscription: string | null,
  reason: string,
): RealtimeEffect[] {
  return (
    [...state.entries]
      // The server itself runs queries again.
      .filter(
        ([, { view, subscription: name }]) => view && name !== null && [null, name].includes(subscription),
      )
      .map(([key]) => ({ type: "resync", key, reason }))
  );
}

/** A refused request, or a subscription that the server has ended. It is asked for again if the reason may pass. */
export function refuse(
  state: RealtimeState,
  { id, subscription, code, message }: Extract<ServerFrame, { readonly type: "error" }>,
): Step {
  const found = find(state, (entry) =>
    id === null ? subscription !== undefined && entry.subscription === subscription : entry.request === id,
  );
  if (!found) {
    // Nobody waits for it any more. Or a proof has ended: the server closes, and the connection is made anew.
    const isOfConnection = id === null && subscription === undefined && code !== "UNAUTHORIZED";
    return [state, isOfConnection ? [{ type: "failed", key: null, code, message }] : []];
  }
  const [key, entry] = found;
  const again = mayPass(code);
  // A query that has no answer any more keeps its name: it comes back when there is one again.
  const stays = id === null && entry.query !== null && !again;
  const entries = new Map(state.entries);
  entries.set(key, {
    ...entry,
    request: again || stays ? null : refused,
    subscription: stays ? entry.subscription : null,
    answer: again ? entry.answer : null,
  });
  const effect: RealtimeEffect = again
    ? { type: "wait", name: "resubscribe", ms: delays.resubscribe }
    : { type: "failed", key, code, message };
  const isEnded = again && id === null && entry.view !== null;
  return [{ ...state, entries }, isEnded ? [{ type: "ended", key }, effect] : [effect]];
}

/** The first entry that meets the test. */
export function find(state: RealtimeState, test: (entry: Entry) => boolean): [string, Entry] | null {
  for (const each of state.entries) if (test(each[1])) return each;
  return null;
}
