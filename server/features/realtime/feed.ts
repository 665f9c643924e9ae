/**
 * The way of a change from the log to its subscribers: transactions in commit order, of each what became of each row, one
 * judgement at a time, frames in that order. What cannot be told or judged ends in "resync", never in silence and never in a guess.
 */
import { liveActions, type Liveness } from "../../core/schema/model";
import { touches, type Verdict } from "../../core/query/view";
import type { Judge, Judgement, Looked, View } from "../../data";
import type { Logger } from "../../http";
import type { ChangeFeed, ChangeSet, RowChange } from "../../platform/postgres";
import { netOf } from "./net";
import type { Related, Told } from "./related";
import type { LiveView, Views } from "./views";

export type FollowParts = {
  readonly feed: ChangeFeed;
  readonly judge: Judge;
  readonly views: Views;
  readonly related: Related;
  /** Resolves when all that was committed about rights is in force; false when it could not be read. */
  readonly settled: () => Promise<boolean>;
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

/** Changes of one collection, with their places among all and their transactions. */
export type Batch = { readonly changes: readonly RowChange[]; readonly origins: readonly Origin[] };
export type Origin = { readonly order: number; readonly transaction: number; readonly committedAt: number };
/**
 * `batch`: what was judged; `whole`: what happened. Views of which their own rows alone decide, and those of which others do, too,
 * each with what became of them.
 */
type Judged = {
  readonly batch: Batch;
  readonly whole: Batch;
  readonly own: readonly LiveView[];
  readonly judgement: Judgement;
  readonly reaching: readonly LiveView[];
  readonly looked: Looked;
};
/** One frame to be published, in the order of `order`. */
type Emission = Told & { readonly live: LiveView; readonly order: number; readonly committedAt: number };

/** Follows the feed until stopped. */
export function followFeed({
  feed,
  judge,
  views,
  related,
  settled,
  logger,
  resyncAll,
}: FollowParts): Following {
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

  /** Tells that something was not told: what is remembered of a view counts no more. */
  const resync = (live: LiveView, reason: string): void => {
    views.resync(live, reason);
    related.follow(live);
  };

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
      for (const live of views.all()) resync(live, "too many changes at once");
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
      // A right that ended with these changes, or before them, must have ended here, too.
      if (!(await settled())) return resyncFor(sets, "rights could not be read");
      if (drops !== given) return;
      if (restarts === started) return publish(judged);
    }
    resyncFor(sets, "rules are changing");
  };

  const judgeBatch = async (whole: Batch): Promise<Judged> => {
    const lives = views.of(whole.changes[0]?.table ?? "");
    const collection = lives[0]?.view.collection;
    const batch = collection ? toldOf(netOf(whole, collection.primaryKey.name), collection.liveness) : whole;
    const own = lives.filter(({ view }) => !view.seen?.look);
    const reaching = lives.filter(({ view }) => view.seen?.look);
    const [judgement, looked] = await Promise.all([
      judge.judge(viewsOf(own), batch.changes),
      judge.look(viewsOf(reaching), batch.changes),
    ]);
    return { batch, whole, own, judgement, reaching, looked };
  };

  const publish = (judged: readonly Judged[]): void => {
    const emissions = judged.flatMap((each) => [...tellOwn(each), ...tellReaching(each)]);
    emissions.sort((a, b) => a.order - b.order);
    const sizes = new Map<LiveView, number>();
    for (const { live, data, old } of emissions) {
      sizes.set(live, (sizes.get(live) ?? 0) + data.length + (old?.length ?? 0));
    }
    for (const { live, action, data, old, committedAt } of emissions) {
      if ((sizes.get(live) ?? 0) > burst) continue;
      views.publish(live, { collection: live.view.collection.name, action, data, old, committedAt });
    }
    for (const [live, size] of sizes) if (size > burst) views.resync(live, "many changes at once");
    for (const each of judged) {
      confess(each.own, each.judgement);
      confess(each.reaching, each.looked);
      spread(each.whole);
    }
  };

  const tellOwn = ({ batch, own, judgement }: Judged): readonly Emission[] =>
    judgement.verdicts.flatMap((verdict) => {
      const live = own[verdict.view] as LiveView;
      const { order, committedAt } = batch.origins[verdict.change] as Origin;
      const change = batch.changes[verdict.change] as RowChange;
      related.judged(live, verdict, change);
      return frames(verdict, keyChanged(live, change)).map((told): Emission => ({
        ...told,
        live,
        committedAt,
        // Rows that change places: each leaves its old place before another one comes there.
        order:
          told.action === "delete" && verdict.now !== null ? firstOf(batch, verdict.change) - 0.5 : order,
      }));
    });

  const tellReaching = ({ batch, reaching, looked }: Judged): readonly Emission[] =>
    looked.sights.flatMap((sight): Emission[] => {
      const live = reaching[sight.view] as LiveView;
      const { order, committedAt } = batch.origins[sight.change] as Origin;
      const told = related.settle(live, sight, committedAt);
      return told ? [{ ...told, live, order, committedAt }] : [];
    });

  /** Tells those whose changes could not be judged that there were some. */
  const confess = (
    lives: readonly LiveView[],
    { failures, untold }: Pick<Judgement, "failures" | "untold">,
  ): void => {
    if (failures.size === 0 && !untold) return;
    for (const live of lives) {
      const failure = failures.get(live.view);
      if (failure) {
        logger.warn("realtime: a view could not be judged", { view: live.name, error: failure });
        resync(live, "the change could not be judged");
      } else if (untold) resync(live, "the log did not tell the whole row");
    }
  };

  /** Tells the views that read these rows beside their own. */
  const spread = ({ changes, origins }: Batch): void => {
    const table = changes[0]?.table ?? "";
    for (const live of views.dependingOn(table)) {
      const dependency = live.view.dependencies.get(table);
      const place = dependency ? changes.findIndex((change) => touches(dependency, change)) : -1;
      if (place >= 0) related.touched(live, origins[place]?.committedAt ?? 0);
    }
  };

  const resyncFor = (sets: readonly ChangeSet[], reason: string): void =>
    resyncOf(new Set(sets.flatMap(({ changes }) => changes.map(({ table }) => table))), reason);

  const resyncOf = (collections: ReadonlySet<string>, reason: string): void => {
    for (const name of collections) {
      for (const live of new Set([...views.of(name), ...views.dependingOn(name)])) resync(live, reason);
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
    for (const live of views.all()) related.follow(live);
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
  const batches = new Map<string, { changes: RowChange[]; origins: Origin[] }>();
  let order = 0;
  sets.forEach(({ changes, committedAt }, transaction) => {
    for (const change of changes) {
      const batch = batches.get(change.table) ?? { changes: [], origins: [] };
      batch.changes.push(change);
      batch.origins.push({ order: order++, transaction, committedAt });
      batches.set(change.table, batch);
    }
  });
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

function viewsOf(lives: readonly LiveView[]): readonly View[] {
  return lives.map(({ view }) => view);
}

/** What a verdict is told as: one row that got another key has left, and another one has come. */
function frames({ gone, now, old }: Verdict, isMoved: boolean): readonly Told[] {
  const left: Told[] =
    gone !== null && (now === null || isMoved) ? [{ action: "delete", data: gone, old: null }] : [];
  if (now === null) return left;
  const isNew = gone === null || isMoved;
  return [...left, { action: isNew ? "create" : "update", data: now, old: isNew ? null : old }];
}

/** Where the transaction of a change begins in a batch. */
function firstOf({ origins }: Batch, place: number): number {
  let first = place;
  while (origins[first - 1]?.transaction === origins[place]?.transaction) first--;
  return origins[first]?.order ?? 0;
}

function sizeOf({ before, after }: RowChange): number {
  let size = 0;
  for (const row of [before, after]) for (const name in row) size += row[name]?.length ?? 0;
  return size;
}
