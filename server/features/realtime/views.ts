/**
 * The views that somebody watches, and who. Subscribers of equal views share one: one judgement, one encoding and one
 * native publish. Knows topics, but no sockets and no protocol.
 */
import type { ChangeAction } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import type { ViewRequest } from "../../core/query/view";
import type { Judge, View } from "../../data";
import { type Change, encodeChange, encodeFrame } from "./frames";
import { createSeats, type Member, type Seats } from "./seats";

/** A view with subscribers. `view` is replaced when the schema gets a new version that leaves it as it was. */
export type LiveView = {
  readonly name: string;
  view: View;
  readonly seats: Seats;
  /** Runs for a while after a resync for the sake of related rows; `again`: another one is due when it ends. */
  pause: ReturnType<typeof setTimeout> | null;
  again: boolean;
  /** The last subscriber has left. */
  isClosed: boolean;
};

/** Milliseconds between two resyncs of a view because of related rows: each makes every subscriber read. */
const relatedPause = 1000;

/** What a subscriber asks for. `events`: kinds of change; all unless given. */
export type Asked = ViewRequest & { readonly events?: readonly ChangeAction[] | undefined };

/** One subscription of one socket. `name` is the topic too. */
export type Subscription = {
  readonly name: string;
  readonly request: Asked;
  readonly live: LiveView;
};

export type Views = {
  /** Enters a view as the actor. @throws AppError when the actor may not, or the request is wrong. */
  readonly enter: (member: Member, actor: Actor, request: Asked) => Subscription;
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

/** Makes an empty registry. `publish` sends text to all sockets that joined a topic; `opened` hears of each new view. */
export function createViews(
  judge: Pick<Judge, "open">,
  publish: (topic: string, text: string) => void,
  opened: (live: LiveView) => void = () => {},
): Views {
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
    const name = `v${++count}`;
    const seats = createSeats(name, publish);
    const live: LiveView = { name, view, seats, pause: null, again: false, isClosed: false };
    byKey.set(view.key, live);
    addTo(byCollection, view.collection.name, live);
    for (const dependency of view.dependencies.keys()) addTo(byDependency, dependency, live);
    opened(live);
    return live;
  };

  const sit = (member: Member, view: View, request: Asked): Subscription => {
    const live = liveOf(view);
    const name = live.seats.sit(member, kindOf(request.events));
    member.join(name);
    return { name, request, live };
  };

  const exit = (member: Member, { name, live }: Subscription): void => {
    live.seats.stand(member, name);
    if (!live.seats.isEmpty()) return;
    live.isClosed = true;
    byKey.delete(live.view.key);
    removeFrom(byCollection, live.view.collection.name, live);
    for (const collection of live.view.dependencies.keys()) removeFrom(byDependency, collection, live);
    if (live.pause) clearTimeout(live.pause);
  };

  const resync = (live: LiveView, reason: string): void =>
    live.seats.tell((subscription) => encodeFrame({ type: "resync", subscription, reason }));

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
        const { live } = subscription;
        if (view.key === live.view.key) {
          const isMore = tellsMore(live.view, view);
          live.view = view;
          if (isMore) resync(live, "more kinds of change are told from now on");
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
    publish: (live, change) =>
      live.seats.tell(
        (name) => encodeChange(name, change),
        (kind) => kind === "" || kind.includes(letters[change.action]),
      ),
    resync,
    resyncRelated,
  };
}

/** Whether the collection tells of kinds of change of which it did not tell before. */
function tellsMore(before: View, after: View): boolean {
  const { actions } = before.collection.liveness;
  return after.collection.liveness.actions.some((action) => !actions.includes(action));
}

/** Those who hear of some kinds alone have names of their own. */
const letters = { create: "c", update: "u", delete: "d" } as const;

function kindOf(events: readonly ChangeAction[] | undefined): string {
  if (!events) return "";
  const kind = (["create", "update", "delete"] as const).filter((action) => events.includes(action));
  return kind.length === 3 ? "" : kind.map((action) => letters[action]).join("");
}

function addTo(index: Map<string, Set<LiveView>>, name: string, live: LiveView): void {
  index.set(name, (index.get(name) ?? new Set()).add(live));
}

function removeFrom(index: Map<string, Set<LiveView>>, name: string, live: LiveView): void {
  const views = index.get(name);
  views?.delete(live);
  if (views?.size === 0) index.delete(name);
}
