/** When live queries are run, and who is told what: queries are answered by hand, through the runs they begin. */
import { expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import type { Collection } from "../../core/schema/model";
import type { LiveAnswer, LiveQuery, View } from "../../data";
import type { ChangeFeed, RowChange } from "../../platform/postgres";
import { blogSchema } from "../../testing/blog";
import { createLiveViews, followLive, type Watcher } from "./live-views";
import type { Member } from "./seats";

type Run = {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly answer: (rows: readonly string[]) => void;
  readonly fail: (error: unknown) => void;
};

const change: RowChange = { table: "posts", action: "update", before: { a: "1" }, after: { a: "2" } };

const members: View = {
  key: "",
  collection: blogSchema.collections.get("posts") as Collection,
  statement: { version: 1, text: "", params: [] },
  params: [],
  dependencies: new Map(),
  seen: null,
};

function stage() {
  const runs: Run[] = [];
  let wake = Promise.withResolvers<void>();
  let begun = 0;
  const published: string[] = [];
  const errors: AppError[] = [];
  const judged: string[][] = [];
  const judging = { fails: false };
  /** What is under way to find out who may what. */
  const rights = { work: Promise.resolve(true) };
  const views = createLiveViews({
    publish: (topic, text) => void published.push(`${topic} ${text}`),
    judge: async (members, changes) => {
      judged.push(members.map(({ key }) => key));
      if (judging.fails) throw new Error("cannot");
      // Every change concerns those of whom it names the key.
      const verdicts = members.flatMap(({ key }, view) =>
        changes.flatMap(({ after }, change) =>
          after?.["for"] === key ? [{ view, change, gone: null, now: "{}", old: null }] : [],
        ),
      );
      return { verdicts, failures: new Map(), untold: false };
    },
    settled: () => rights.work,
    tell: (error) => void errors.push(error),
  });
  const query = (key = "k", passes = false): LiveQuery => ({
    key,
    passes,
    collection: "posts",
    reads: {
      own: { columns: new Set(["a"]), created: true },
      related: new Map([["authors", { columns: new Set(["a"]), created: false }]]),
    },
    members: { ...members, key },
    run: (signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<LiveAnswer>();
      signal.addEventListener("abort", () => reject(new AppError("TIMEOUT", "cancelled")));
      const answer = (rows: readonly string[]) =>
        resolve({ rows, totalCount: rows.length, truncated: false });
      runs.push({ key, signal, answer, fail: reject });
      wake.resolve();
      return promise;
    },
  });
  return {
    views,
    published,
    errors,
    judged,
    judging,
    rights,
    query,
    runs,
    /** The next run to begin. */
    run: async (): Promise<Run> => {
      while (runs.length <= begun) {
        wake = Promise.withResolvers();
        await wake.promise;
      }
      return runs[begun++] as Run;
    },
    /** A watcher, and what it is told first. */
    enter: (key?: string, version: string | null = null, passes = false, id: string | null = "1") => {
      const names = new Set<string>();
      const also: Record<string, unknown>[] = [];
      const member: Member = {
        has: (name) => names.has(name),
        join: (name) => void names.add(name),
        leave: () => {},
      };
      const told = Promise.withResolvers<Record<string, unknown>>();
      told.promise.catch(() => {});
      const watcher: Watcher = views.enter(query(key, passes), {
        member,
        id,
        asker: "ann",
        version,
        answer: (text) => told.resolve(JSON.parse(text) as Record<string, unknown>),
        tell: (text) => void also.push(JSON.parse(text) as Record<string, unknown>),
        fail: (error) => {
          views.exit(watcher);
          told.reject(error as Error);
        },
      });
      return { watcher, told: told.promise, names, also };
    },
  };
}

test("who comes while a statement runs is answered by the next one, which all share", async () => {
  const { enter, run, runs, published } = stage();
  const first = enter();
  const one = await run();
  const [second, third] = [enter(), enter()];
  one.answer(['{"a":1}']);
  expect(await first.told).toMatchObject({ type: "query.result", id: "1", data: [{ a: 1 }], totalCount: 1 });
  expect(second.names.size).toBe(0);
  (await run()).answer(['{"a":1}', '{"a":2}']);
  const answers = await Promise.all([second.told, third.told]);
  expect(answers.map(({ data }) => data)).toEqual([
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { a: 2 }],
  ]);
  expect(published).toHaveLength(1);
  expect(JSON.parse(published[0]?.slice(3) ?? "")).toEqual({
    type: "query.difference",
    subscription: "q1",
    from: ((await first.told) as { version: string }).version,
    version: answers[0]?.["version"],
    data: [[0, 1], { a: 2 }],
    totalCount: 2,
  });
  expect(runs).toHaveLength(2);
});

test("changes make one run at once and one after the pause; equal answers are told to nobody", async () => {
  const { enter, run, runs, views, published } = stage();
  const { told } = enter();
  (await run()).answer(["{}"]);
  await told;
  const second = run();
  views.changed([change]);
  const running = await second;
  for (let i = 0; i < 10; i++) views.changed([change]);
  views.changed([
    { ...change, after: { a: "1", b: "9" } },
    { ...change, table: "others" },
  ]);
  running.answer(["{}"]);
  (await run()).answer(["{}"]);
  await Bun.sleep(0);
  expect(runs).toHaveLength(3);
  expect(published).toEqual([]);
});

test("versions: the same is unchanged, one that is remembered gets the difference, others the whole", async () => {
  const { enter, run, views } = stage();
  const first = enter();
  (await run()).answer(["1", "2", "3"]);
  const { version } = (await first.told) as { version: string };
  const again = enter("k", version);
  (await run()).answer(["1", "2", "3"]);
  expect(await again.told).toEqual({ type: "query.unchanged", id: "1", subscription: "q1", version });
  // Nobody watches for a while.
  views.exit(first.watcher);
  views.exit(again.watcher);
  views.changed([change]);
  const [back, stranger] = [enter("k", version), enter("k", "another")];
  (await run()).answer(["1", "9", "3"]);
  expect(await back.told).toMatchObject({
    type: "query.difference",
    from: version,
    data: [[0, 1], 9, [2, 1]],
  });
  expect(await stranger.told).toMatchObject({ type: "query.result", data: [1, 9, 3] });
  expect(views.count()).toBe(1);
});

test("a run whose watchers have left is cancelled, and tells those who come then nothing", async () => {
  const { enter, run, views, published, errors } = stage();
  const left = enter();
  const one = await run();
  views.exit(left.watcher);
  expect(one.signal.aborted).toBe(true);
  const next = enter();
  (await run()).answer(["1"]);
  expect(await next.told).toMatchObject({ data: [1] });
  expect([published, errors]).toEqual([[], []]);
});

test("what fails is told to who waits; who watches hears at the second time, what a read would fail with, and when it is over", async () => {
  const { enter, run, views, published } = stage();
  const watching = enter();
  (await run()).answer(["1"]);
  const { version } = (await watching.told) as { version: string };
  const waiting = enter();
  (await run()).fail(new AppError("UNAVAILABLE", "away"));
  expect(waiting.told).rejects.toMatchObject({ code: "UNAVAILABLE" });
  (await run()).fail(new AppError("UNAVAILABLE", "away"));
  (await run()).answer(["1"]);
  views.changed([change]);
  (await run()).fail(new AppError("INVALID_VALUE", "no such cast"));
  await Bun.sleep(0);
  views.changed([change]);
  (await run()).fail(new AppError("INVALID_VALUE", "no such cast"));
  await Bun.sleep(0);
  views.changed([change]);
  (await run()).answer(["1"]);
  await Bun.sleep(0);
  expect(published.map((text) => JSON.parse(text.slice(3)) as unknown)).toEqual([
    { type: "query.stale", subscription: "q1", reason: "away" },
    { type: "query.unchanged", subscription: "q1", version },
    { type: "error", id: null, subscription: "q1", code: "INVALID_VALUE", message: "no such cast" },
    { type: "query.result", subscription: "q1", version, data: [1], totalCount: 1 },
  ]);
});

test("who comes with a name to a query that cannot be answered is told so, like those who watch", async () => {
  const { enter, run, views, published } = stage();
  const watching = enter();
  (await run()).answer(["1"]);
  await watching.told;
  views.changed([change]);
  const broken = new AppError("INVALID_VALUE", "no such cast");
  (await run()).fail(broken);
  await Bun.sleep(0);
  const renamed = enter("k", null, false, null);
  (await run()).fail(broken);
  await Bun.sleep(0);
  expect(renamed.also).toEqual([
    { type: "error", id: null, subscription: "q1", code: "INVALID_VALUE", message: "no such cast" },
  ]);
  expect(renamed.names).toEqual(new Set(["q1"]));
  expect(published).toHaveLength(1);
  // While the database is away: at the second time, as the others.
  const later = enter("k", null, false, null);
  for (const _ of [1, 2]) {
    (await run()).fail(new AppError("UNAVAILABLE", "away"));
    await Bun.sleep(0);
  }
  expect(later.also).toEqual([{ type: "query.stale", subscription: "q1", reason: "away" }]);
  (await run()).answer(["2"]);
  expect(await later.told).toMatchObject({ type: "query.result", data: [2] });
});

test("an answer waits for rights that are being found out, and is told to nobody who has left by then or when they cannot be", async () => {
  const { enter, run, views, published, rights } = stage();
  const [stays, goes] = [enter(), enter()];
  (await run()).answer(["1"]);
  await stays.told;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  rights.work = promise;
  views.changed([change]);
  const late = enter();
  (await run()).answer(["2"]);
  await Bun.sleep(0);
  expect(published).toEqual([]);
  views.exit(goes.watcher);
  views.exit(late.watcher);
  resolve(true);
  await Bun.sleep(0);
  expect(published.map((text) => (JSON.parse(text.slice(3)) as { data: unknown }).data)).toEqual([[2]]);
  expect(late.names.size).toBe(0);
  rights.work = Promise.resolve(false);
  views.changed([change]);
  (await run()).answer(["3"]);
  await Bun.sleep(0);
  rights.work = Promise.resolve(true);
  (await run()).answer(["4"]);
  await Bun.sleep(0);
  expect(published.map((text) => (JSON.parse(text.slice(3)) as { data: unknown }).data)).toEqual([[2], [4]]);
});

test("where changes cannot be judged at all, every query that reads the table is run, and again at the next change", async () => {
  const { enter, run, views, judging } = stage();
  const keys = ["a", "b", "c", "d", "e"];
  for (const key of keys) {
    const { told } = enter(key);
    (await run()).answer(["1"]);
    await told;
  }
  const all = async (): Promise<string[]> => {
    const seen: string[] = [];
    for (const _ of keys) {
      // oxlint-disable-next-line no-await-in-loop -- two go side by side
      const one = await run();
      seen.push(one.key);
      one.answer(["1"]);
    }
    return seen.toSorted();
  };
  judging.fails = true;
  views.changed([change]);
  expect(await all()).toEqual(keys);
  views.changed([change]);
  expect(await all()).toEqual(keys);
});

test("an answer of more than 512 KiB ends the query", async () => {
  const { enter, run } = stage();
  const { told } = enter();
  (await run()).answer([JSON.stringify("\u20ac".repeat(200_000))]);
  expect(told).rejects.toMatchObject({ code: "QUERY_TOO_COMPLEX" });
});

test("where time alone changes the answer, it is run again without a change", async () => {
  const { enter, run } = stage();
  const { told } = enter("k", null, true);
  (await run()).answer(["1"]);
  await told;
  (await run()).answer(["2"]);
});

test("a dear statement holds up no other, and rests longer than it took", async () => {
  const { enter, run, views } = stage();
  const dear = enter("dear");
  const first = await run();
  await Bun.sleep(110);
  first.answer(["1"]);
  await dear.told;
  views.changed([change]);
  // It is due, and rests: others are answered meanwhile, as many as come.
  for (const key of ["a", "b", "c", "d"]) {
    const { told } = enter(key);
    const next = await run();
    expect(next.key).toBe(key);
    next.answer(["1"]);
    await told;
  }
});

test("of many queries those are run among whose rows a change was or is; all where a related row changed", async () => {
  const { enter, run, runs, views, judged } = stage();
  const keys = ["a", "b", "c", "d", "e", "f"];
  for (const key of keys) {
    const { told } = enter(key);
    (await run()).answer(["1"]);
    await told;
  }
  const begun = runs.length;
  // While the first change is judged, the others wait, and are judged together.
  views.changed([{ ...change, after: { a: "2", for: "c" } }, change]);
  for (const key of ["a", "b"]) views.changed([{ ...change, after: { a: "2", for: key } }]);
  const answered = async (count: number): Promise<string[]> => {
    const answers: string[] = [];
    while (answers.length < count) {
      // oxlint-disable-next-line no-await-in-loop -- two go side by side: the next begins when one has ended
      const one = await run();
      answers.push(one.key);
      one.answer(["1"]);
    }
    return answers.toSorted();
  };
  expect(await answered(3)).toEqual(["a", "b", "c"]);
  expect(judged).toHaveLength(2);
  expect(judged[0]).toEqual(keys);
  views.changed([{ ...change, table: "authors" }]);
  expect(await answered(6)).toEqual(keys);
  expect(runs).toHaveLength(begun + 9);
});

test("while nobody tells what changes, those who watch know; once it is told again, all is run", async () => {
  const { enter, run, views, published } = stage();
  const watching = enter();
  (await run()).answer(["1"]);
  const { version } = (await watching.told) as { version: string };
  let connected = true;
  const asked = { times: 0 };
  let gap: Parameters<ChangeFeed["onGap"]>[0] = () => {};
  const feed: ChangeFeed = {
    publication: "test",
    retry: () => {},
    watching: () => {},
    status: () => {
      asked.times++;
      return { source: "log", connected, reason: null };
    },
    onChanges: () => () => {},
    onGap: (listener) => {
      gap = () => (listener as (reason: string, tables: null) => void)("connected", null);
      return () => {};
    },
    close: () => Promise.resolve(),
  };
  const stop = followLive(feed, views, 1);
  connected = false;
  while (published.length === 0) await Bun.sleep(1);
  // They know, and are not told again.
  const known = asked.times;
  while (asked.times < known + 3) await Bun.sleep(1);
  connected = true;
  gap("connected", null);
  (await run()).answer(["1"]);
  while (published.length < 2) await Bun.sleep(1);
  stop();
  expect(published.map((text) => JSON.parse(text.slice(3)) as unknown)).toEqual([
    { type: "query.stale", subscription: "q1", reason: "changes are not to be had at the moment" },
    { type: "query.unchanged", subscription: "q1", version },
  ]);
});
