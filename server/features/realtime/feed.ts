/**
 * The way of a change from the log to its subscribers: transactions in commit order, one judgement at a time, frames
 * in that order. What cannot be told or judged ends in "resync", never in silence and never in a guess.
 */
import { liveActions, type Liveness } from "../../core/schema/model";
import { touches, type Verdict } from "../../core/query/view";
import type { Judge, Judgement, View } from "../../data";
import type { Logger } from "../../http";
import type { ChangeFeed, ChangeSet, RowChange } from "../../platform/postgres";
import type { LiveView, Views } from "./views";

export type FollowParts = {
  readonly feed: ChangeFeed;
  readonly judge: Judge;
  readonly views: Views;
  readonly logger: Logger;
  /** Tells every socket to read everything again. */
  readonly resyncAll: (reason: string) => void;
};

export type Following = {
  /** Views were authorized again: what is being judged under the old rules counts no more. */
  readonly restart: () => void;
  readonly stop: () => void;
};

/** Changes that may wait, and bytes of their text. Beyond, those who watch are told to read again. */
const backlog = { changes: 20_000, bytes: 64 * 1024 * 1024 };
/**
 * Characters of changes that a view is told at one time. Beyond, its subscribers read again: a bulk load would overflow
 * the send buffer of a reader that does nothing wrong.
 */
const burst = 256 * 1024;
/** How often a batch is judged anew because rules changed meanwhile. */
const attempts = 3;

/** Changes of these tables may have been missed at this place among the others. */
type Missed = { readonly reason: string; readonly tables: ReadonlySet<string> };

/** Changes of one collection, with their transaction and position in the batch. */
type Batch = { readonly changes: RowChange[]; readonly origins: Origin[] };
type Origin = { readonly order: number; readonly committedAt: number };
/** `batch`: what was judged; `whole`: what happened. */
type Judged = {
  readonly batch: Batch;
  readonly whole: Batch;
  readonly lives: readonly LiveView[];
  readonly views: readonly View[];
  readonly judgement: Judgement;
};

/** Follows the feed until stopped. */
export function followFeed({ feed, judge, views, logger, resyncAll }: FollowParts): Following {
  let queue: (ChangeSet | Missed)[] = [];
  let waiting = { changes: 0, bytes: 0 };
  let running = false;
  /** How often rules changed: what was judged meanwhile is judged again. */
  let restarts = 0;
  /**
   * How often all that waited was given up for a resync. What is being judged then is given up too: it is older, and
   * told after the resync it would undo what was read.
   */
  let drops = 0;

  const drop = (): void => {
    drops++;
    queue = [];
    waiting = { changes: 0, bytes: 0 };
  };

  const receive = ({ changes, committedAt }: ChangeSet): void => {
    const watched = changes.filter(({ table }) => views.watches(table));
    if (watched.length === 0) return;
    queue.push({ changes: watched, committedAt });
    waiting.changes += watched.length;
    for (const change of watched) waiting.bytes += sizeOf(change);
    if (waiting.changes > backlog.changes || waiting.bytes > backlog.bytes) {
      drop();
      for (const live of views.all()) views.resync(live, "too many changes at once");
      return;
    }
    void pump();
  };

  const pump = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (queue.length > 0) {
      const missed = queue.findIndex(isMissed);
      const sets = (missed < 0 ? queue : queue.slice(0, missed)) as ChangeSet[];
      if (missed === 0) {
        const { tables, reason } = queue.shift() as Missed;
        resyncOf(tables, reason);
        continue;
      }
      queue = queue.slice(sets.length);
      waiting = { changes: 0, bytes: 0 };
      try {
        await deliver(sets);
      } catch (error) {
        logger.error("realtime: changes could not be delivered", { error });
        resyncFor(sets, "an error on the server");
      }
    }
    running = false;
  };

  const deliver = async (sets: readonly ChangeSet[]): Promise<void> => {
    const given = drops;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const started = restarts;
      const judged = await Promise.all(batchesOf(sets).map(judgeBatch));
      if (drops !== given) return;
      if (restarts === started) return publish(judged);
    }
    resyncFor(sets, "rules are changing");
  };

  const judgeBatch = async (whole: Batch): Promise<Judged> => {
    const lives = views.of(whole.changes[0]?.table ?? "");
    const judged = lives.map(({ view }) => view);
    const batch = lives[0] ? toldOf(whole, lives[0].view.collection.liveness) : whole;
    return { batch, whole, lives, views: judged, judgement: await judge.judge(judged, batch.changes) };
  };

  const publish = (judged: readonly Judged[]): void => {
    const told = judged.flatMap(({ batch, lives, judgement }) =>
      judgement.verdicts.map((verdict) => ({
        verdict,
        live: lives[verdict.view] as LiveView,
        change: batch.changes[verdict.change] as RowChange,
        origin: batch.origins[verdict.change] as Origin,
      })),
    );
    told.sort((a, b) => a.origin.order - b.origin.order);
    const sizes = new Map<LiveView, number>();
    for (const { live, verdict } of told) {
      sizes.set(live, (sizes.get(live) ?? 0) + sizeOfVerdict(verdict));
    }
    for (const { verdict, live, change, origin } of told) {
      if ((sizes.get(live) ?? 0) > burst) continue;
      const { name } = live.view.collection;
      const common = { collection: name, committedAt: origin.committedAt };
      const { gone, now, old } = verdict;
      const moved = gone !== null && now !== null && keyChanged(live, change);
      if (gone !== null && (now === null || moved)) {
        views.publish(live, { ...common, action: "delete", data: gone, old: null });
      }
      if (now === null) continue;
      const isNew = gone === null || moved;
      const action = isNew ? "create" : "update";
      views.publish(live, { ...common, action, data: now, old: isNew ? null : old });
    }
    for (const [live, size] of sizes) if (size > burst) views.resync(live, "many changes at once");
    for (const each of judged) {
      confess(each);
      spread(each.whole);
    }
  };

  /** Tells those whose changes could not be judged that there were some. */
  const confess = ({ lives, views: judged, judgement }: Judged): void => {
    if (judgement.failures.size === 0 && !judgement.untold) return;
    lives.forEach((live, index) => {
      const failure = judgement.failures.get(judged[index] as View);
      if (failure) {
        logger.warn("realtime: a view could not be judged", { view: live.name, error: failure });
        views.resync(live, "the change could not be judged");
      } else if (judgement.untold) views.resync(live, "the log did not tell the whole row");
    });
  };

  /** Tells the views that read these rows beside their own. */
  const spread = ({ changes }: Batch): void => {
    const table = changes[0]?.table ?? "";
    for (const live of views.dependingOn(table)) {
      const dependency = live.view.dependencies.get(table);
      if (dependency && changes.some((change) => touches(dependency, change))) views.resyncRelated(live);
    }
  };

  const resyncFor = (sets: readonly ChangeSet[], reason: string): void =>
    resyncOf(new Set(sets.flatMap(({ changes }) => changes.map(({ table }) => table))), reason);

  const resyncOf = (collections: ReadonlySet<string>, reason: string): void => {
    for (const name of collections) {
      for (const live of new Set([...views.of(name), ...views.dependingOn(name)])) views.resync(live, reason);
    }
  };

  const stopChanges = feed.onChanges(receive, views.watches);
  const stopGap = feed.onGap((reason, tables) => {
    if (tables !== null) {
      queue.push({ reason, tables });
      return void pump();
    }
    drop();
    resyncAll(reason);
  });
  return {
    restart: () => void restarts++,
    stop: () => {
      stopChanges();
      stopGap();
      drop();
    },
  };
}

function batchesOf(sets: readonly ChangeSet[]): readonly Batch[] {
  const batches = new Map<string, Batch>();
  let order = 0;
  for (const { changes, committedAt } of sets) {
    for (const change of changes) {
      const batch = batches.get(change.table) ?? { changes: [], origins: [] };
      batch.changes.push(change);
      batch.origins.push({ order: order++, committedAt });
      batches.set(change.table, batch);
    }
  }
  return [...batches.values()];
}

function isMissed(one: ChangeSet | Missed): one is Missed {
  return "tables" in one;
}

const logged = { create: "insert", update: "update", delete: "delete" } as const;

/** What subscribers of the collection are told of, as its schema says. */
function toldOf(batch: Batch, { actions }: Liveness): Batch {
  if (actions.length === liveActions.length) return batch;
  const places = [...batch.changes.keys()].filter((place) =>
    actions.includes(logged[(batch.changes[place] as RowChange).action]),
  );
  return {
    changes: places.map((place) => batch.changes[place] as RowChange),
    origins: places.map((place) => batch.origins[place] as Origin),
  };
}

function keyChanged({ view }: LiveView, { before, after }: RowChange): boolean {
  const { name } = view.collection.primaryKey;
  return before?.[name] !== after?.[name];
}

function sizeOfVerdict({ gone, now, old }: Verdict): number {
  return (gone?.length ?? 0) + (now?.length ?? 0) + (old?.length ?? 0);
}

function sizeOf({ before, after }: RowChange): number {
  let size = 0;
  for (const row of [before, after]) for (const name in row) size += row[name]?.length ?? 0;
  return size;
}
