/** The order of things when they happen at once: feed and judge are driven by hand. */
import { expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import type { Verdict } from "../../core/query/view";
import type { Collection } from "../../core/schema/model";
import type { Judge, Judgement, View } from "../../data";
import { createLogger } from "../../http";
import type { ChangeFeed, ChangeSet, RowChange } from "../../platform/postgres";
import { blogSchema } from "../../testing/blog";
import { createBarrier } from "./barrier";
import { followFeed } from "./feed";
import { createRelated } from "./related";
import type { Member } from "./seats";
import { createViews } from "./views";

const posts = blogSchema.collections.get("posts") as Collection;
const member: Member = { has: () => false, join: () => {}, leave: () => {} };
const statement = { version: 1, text: "", params: [] };
const row = (id: number, title = "t"): RowChange => ({
  table: "posts",
  action: "create",
  before: null,
  after: { id: String(id), title },
});

/** Every change enters every view. */
function everyone(views: readonly View[], changes: readonly { after: RowChange["after"] }[]): Judgement {
  const verdicts = changes.flatMap(({ after }, change) =>
    views.map((_, view): Verdict => ({
      view,
      change,
      gone: null,
      now: `{"id":${after?.["id"]}}`,
      old: null,
    })),
  );
  return { verdicts, failures: new Map(), untold: false };
}

function stage(count = 1) {
  let tell: (set: ChangeSet) => void = () => {};
  let gap: Parameters<ChangeFeed["onGap"]>[0] = () => {};
  const feed: ChangeFeed = {
    publication: "test",
    retry: () => {},
    watching: () => {},
    status: () => ({ source: "log", connected: true, reason: null }),
    onChanges: (listener) => ((tell = listener), () => {}),
    onGap: (listener) => ((gap = listener), () => {}),
    close: async () => {},
  };
  const asked: { readonly rows: number; readonly answer: (judgement?: Judgement) => void }[] = [];
  let wake = Promise.withResolvers<void>();
  const judge: Judge = {
    open: (_actor, { collection, filter }) => ({
      key: `${collection} ${String(filter)}`,
      collection: posts,
      statement,
      params: [],
      dependencies: new Map(),
      seen: null,
    }),
    judge: (views, changes) => {
      const { promise, resolve } = Promise.withResolvers<Judgement>();
      asked.push({
        rows: changes.length,
        answer: (judgement = everyone(views, changes)) => resolve(judgement),
      });
      wake.resolve();
      return promise;
    },
    look: () => Promise.resolve({ sights: [], failures: new Map(), untold: false }),
    survey: () => Promise.resolve(null),
  };
  const told: string[] = [];
  const rights = createBarrier();
  const views = createViews(judge, (_topic, text) => {
    const { type, subscription, data, reason } = JSON.parse(text) as Record<string, unknown>;
    told.push(
      type === "change" ? `${subscription} ${JSON.stringify(data)}` : `${type} ${subscription} ${reason}`,
    );
  });
  const following = followFeed({
    feed,
    judge,
    views,
    related: createRelated({ judge, views, settled: rights.settled, isTold: () => true }),
    settled: rights.settled,
    logger: createLogger({ LOG_LEVEL: "silent" }),
    resyncAll: (reason) => told.push(`resync all ${reason}`),
  });
  const lives = Array.from(
    { length: count },
    (_, n) => views.enter(member, { kind: "anonymous" }, { collection: "posts", filter: n }).live,
  );
  return {
    told,
    lives,
    rights,
    following,
    tell: (...changes: RowChange[]) => tell({ changes, committedAt: 0 }),
    gap: (reason: string, tables: ReadonlySet<string> | null = null) => gap(reason, tables),
    /** The next question to the judge. */
    asked: async () => {
      while (asked.length === 0) {
        wake = Promise.withResolvers();
        await wake.promise;
      }
      return asked.shift() as (typeof asked)[number];
    },
  };
}

/** Lets everything run that has been answered. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test("what comes while judging is judged together, after it", async () => {
  const { tell, asked, told } = stage();
  tell(row(1));
  const first = await asked();
  tell(row(2));
  tell(row(3), row(4));
  first.answer();
  const second = await asked();
  expect(second.rows).toBe(3);
  second.answer();
  await settle();
  expect(told).toEqual(['v1 {"id":1}', 'v1 {"id":2}', 'v1 {"id":3}', 'v1 {"id":4}']);
});

test("what was judged under rules that have changed is judged again, and not for ever", async () => {
  const { tell, asked, told, following } = stage();
  tell(row(1));
  const first = await asked();
  following.restart();
  first.answer({
    verdicts: [{ view: 0, change: 0, gone: null, now: '{"secret":1}', old: null }],
    failures: new Map(),
    untold: false,
  });
  (await asked()).answer();
  await settle();
  expect(told).toEqual(['v1 {"id":1}']);
  tell(row(2));
  for (let n = 0; n < 3; n++) {
    const again = await asked();
    following.restart();
    again.answer();
  }
  await settle();
  expect(told.slice(1)).toEqual(["resync v1 rules are changing"]);
});

test("after a gap nothing older is told", async () => {
  const { tell, asked, told, gap } = stage();
  tell(row(1));
  const first = await asked();
  tell(row(2));
  gap("the stream broke");
  first.answer();
  await settle();
  tell(row(3));
  (await asked()).answer();
  await settle();
  expect(told).toEqual(["resync all the stream broke", 'v1 {"id":3}']);
});

test("views that could not be judged read again, the others are told", async () => {
  const { tell, asked, told, lives } = stage(2);
  tell(row(1));
  const failures = new Map([[lives[0]?.view as View, new AppError("TIMEOUT", "too slow")]]);
  (await asked()).answer({
    verdicts: [{ view: 1, change: 0, gone: null, now: '{"id":1}', old: null }],
    failures,
    untold: false,
  });
  await settle();
  expect(told).toEqual(['v2 {"id":1}', "resync v1 the change could not be judged"]);
});

test("a judge that breaks is a resync, and the next change is judged", async () => {
  const { tell, asked, told } = stage();
  tell(row(1));
  (await asked()).answer({} as Judgement);
  await settle();
  tell(row(2));
  (await asked()).answer();
  await settle();
  expect(told).toEqual(["resync v1 an error on the server", 'v1 {"id":2}']);
});

test("a backlog beyond its bound is given up for a resync, with what is being judged", async () => {
  const { tell, asked, told } = stage();
  tell(row(1));
  const first = await asked();
  for (let n = 0; n < 3; n++) tell(...Array.from({ length: 7000 }, (_, id) => row(id)));
  first.answer();
  await settle();
  tell(row(2));
  (await asked()).answer();
  await settle();
  expect(told).toEqual(["resync v1 too many changes at once", 'v1 {"id":2}']);
});

test("what was judged waits for rights that are being read, and is not told where they cannot be", async () => {
  const { tell, asked, told, rights } = stage();
  for (const [isRead, expected] of [
    [true, 'v1 {"id":1}'],
    [false, "resync v1 rights could not be read"],
  ] as const) {
    const reading = Promise.withResolvers<boolean>();
    tell(row(1));
    rights.await(reading.promise);
    (await asked()).answer();
    await settle();
    expect(told.splice(0)).toEqual([]);
    reading.resolve(isRead);
    await settle();
    expect(told.splice(0)).toEqual([expected]);
  }
});
