/**
 * The views that somebody watches, and who. Subscribers of equal views share one: one judgement, one encoding and one
 * native publish. Knows topics, but no sockets and no protocol.
 */
import type { Actor } from "../../core/access/actor";
import type { ViewRequest } from "../../core/query/view";
import type { Judge, View } from "../../data";
import { type Change, encodeChange, encodeFrame } from "./frames";

/** A view with subscribers. `view` is replaced when the schema gets a new version that leaves it as it was. */
export type LiveView = {
  readonly name: string;
  view: View;
  /** Subscribers of each seat. */
  readonly seats: number[];
  /** Runs for a while after a resync for the sake of related rows; `again`: another one is due when it ends. */
  pause: ReturnType<typeof setTimeout> | null;
  again: boolean;
};

/** Milliseconds between two resyncs of a view because of related rows: each makes every subscriber read. */
const relatedPause = 1000;

/**
 * One subscription of one socket. `name` is the topic too. A second subscription of the same socket to the same view has
 * a seat, and so a name, of its own: names are unique within a socket.
 */
export type Subscription = {
  readonly name: string;
  readonly request: ViewRequest;
  readonly live: LiveView;
  readonly seat: number;
};

/** What the registry needs of a socket: which names it has, and its topics. */
export type Member = {
  readonly has: (name: string) => boolean;
  readonly join: (topic: string) => void;
  readonly leave: (topic: string) => void;
};

export type Views = {
  /** Enters a view as the actor. @throws AppError when the actor may not, or the request is wrong. */
  readonly enter: (member: Member, actor: Actor, request: ViewRequest) => Subscription;
  readonly exit: (member: Member, subscription: Subscription) => void;
  /**
   * Authorizes a subscription again. Null: it has left its view and may not enter another, as `refused` was told.
   * The same object: nothing changed. Another: it goes on under another name.
   */
  readonly renew: (
    member: Member,
    actor: Actor,
    subscription: Subscription,
    refused: (error: unknown) => void,
  ) => Subscription | null;
  /** The views of a collection. */
  readonly of: (collection: string) => readonly LiveView[];
  /** The views that read rows of a collection beside their own. */
  readonly dependingOn: (collection: string) => readonly LiveView[];
  readonly watches: (collection: string) => boolean;
  readonly all: () => Iterable<LiveView>;
  /** Tells the subscribers of a view. */
  readonly publish: (live: LiveView, change: Change) => void;
  readonly resync: (live: LiveView, reason: string) => void;
  /** The same, because a related row changed: at once, but at most once a second. */
  readonly resyncRelated: (live: LiveView) => void;
};

/** Makes an empty registry. `publish` sends text to all sockets that joined a topic. */
export function createViews(judge: Judge, publish: (topic: string, text: string) => void): Views {
  const byKey = new Map<string, LiveView>();
  const byCollection = new Map<string, Set<LiveView>>();
  const byDependency = new Map<string, Set<LiveView>>();
  let count = 0;

  const liveOf = (view: View): LiveView => {
    const known = byKey.get(view.key);
    if (known) {
      known.view = view;
      return known;
    }
    const live: LiveView = { name: `v${++count}`, view, seats: [], pause: null, again: false };
    byKey.set(view.key, live);
    addTo(byCollection, view.collection.name, live);
    for (const name of view.dependencies.keys()) addTo(byDependency, name, live);
    return live;
  };

  const nameOf = (live: LiveView, seat: number): string =>
    seat === 0 ? live.name : `${live.name}.${seat + 1}`;

  const sit = (member: Member, view: View, request: ViewRequest): Subscription => {
    const live = liveOf(view);
    let seat = 0;
    while (member.has(nameOf(live, seat))) seat++;
    live.seats[seat] = (live.seats[seat] ?? 0) + 1;
    const name = nameOf(live, seat);
    member.join(name);
    return { name, request, live, seat };
  };

  const exit = (member: Member, { name, live, seat }: Subscription): void => {
    member.leave(name);
    live.seats[seat] = (live.seats[seat] ?? 1) - 1;
    if (live.seats.some((subscribers) => subscribers > 0)) return;
    byKey.delete(live.view.key);
    removeFrom(byCollection, live.view.collection.name, live);
    for (const collection of live.view.dependencies.keys()) removeFrom(byDependency, collection, live);
    if (live.pause) clearTimeout(live.pause);
  };

  const tell = (live: LiveView, encode: (name: string) => string): void => {
    live.seats.forEach((subscribers, seat) => {
      const name = nameOf(live, seat);
      if (subscribers > 0) publish(name, encode(name));
    });
  };

  const resync = (live: LiveView, reason: string): void =>
    tell(live, (subscription) => encodeFrame({ type: "resync", subscription, reason }));

  const resyncRelated = (live: LiveView): void => {
    live.again = live.pause !== null;
    if (live.again) return;
    resync(live, "a related item changed");
    live.pause = setTimeout(() => {
      live.pause = null;
      if (live.again) resyncRelated(live);
    }, relatedPause);
  };

  return {
    enter: (member, actor, request) => sit(member, judge.open(actor, request), request),
    exit,
    renew: (member, actor, subscription, refused) => {
      try {
        const view = judge.open(actor, subscription.request);
        if (view.key === subscription.live.view.key) {
          subscription.live.view = view;
          return subscription;
        }
        exit(member, subscription);
        return sit(member, view, subscription.request);
      } catch (error) {
        exit(member, subscription);
        refused(error);
        return null;
      }
    },
    of: (collection) => [...(byCollection.get(collection) ?? [])],
    dependingOn: (collection) => [...(byDependency.get(collection) ?? [])],
    watches: (collection) => byCollection.has(collection) || byDependency.has(collection),
    all: () => byKey.values(),
    publish: (live, change) => tell(live, (name) => encodeChange(name, change)),
    resync,
    resyncRelated,
  };
}

function addTo(index: Map<string, Set<LiveView>>, name: string, live: LiveView): void {
  index.set(name, (index.get(name) ?? new Set()).add(live));
}

function removeFrom(index: Map<string, Set<LiveView>>, name: string, live: LiveView): void {
  const views = index.get(name);
  views?.delete(live);
  if (views?.size === 0) index.delete(name);
}
