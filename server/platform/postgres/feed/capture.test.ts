/** The feed where the log may not be read, beside the one that reads it: a role without REPLICATION, and a superuser. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { externalServer, type ExternalServer, outsider } from "../../../testing/postgres";
import type { ChangeFeed, ChangeSet, DatabaseAddress, RowChange } from "../database";
import { openFeed } from "./feed";

const publication = "baasix_realtime";
const times = { tick: 5, check: 50, grace: 100 };

let server: ExternalServer;
/** The same database, as a role that owns it and may not replicate. */
let owner: DatabaseAddress & { readonly kind: "url" };

beforeAll(async () => {
  server = await externalServer({ walLevel: "logical" });
  await outsider(
    server.address,
    `create role owner login`,
    `alter database app owner to owner`,
    `alter schema public owner to owner`,
  );
  owner = { kind: "url", url: server.url.replace("operator", "owner") };
});
afterAll(() => server.stop());

const write = (...statements: string[]) => outsider(owner, ...statements);

type Gap = { readonly reason: string; readonly tables: readonly string[] | null };

/** What a feed told, in order. `wanted` may be changed. */
function listen(feed: ChangeFeed, wanted: Set<string>) {
  const told: (ChangeSet | Gap)[] = [];
  let wake = Promise.withResolvers<void>();
  const add = (one: ChangeSet | Gap): void => {
    told.push(one);
    wake.resolve();
    wake = Promise.withResolvers();
  };
  feed.onChanges(add, (table) => wanted.has(table));
  feed.onGap((reason, tables) => add({ reason, tables: tables && [...tables] }));
  const next = async (): Promise<ChangeSet | Gap> => {
    while (told.length === 0) await wake.promise;
    return told.shift() as ChangeSet | Gap;
  };
  const gap = async (): Promise<Gap> => {
    const one = await next();
    if ("reason" in one) return one;
    throw new Error(`changes in place of a gap: ${JSON.stringify(one)}`);
  };
  const changes = async (): Promise<readonly RowChange[]> => {
    const one = await next();
    if ("changes" in one) return one.changes;
    throw new Error(`a gap in place of changes: ${one.reason}`);
  };
  return { wanted, told, next, gap, changes };
}

async function openCapture(...tables: string[]) {
  const feed = openFeed(owner, { publication, capture: times });
  const heard = listen(feed, new Set(tables));
  const begun = await heard.gap();
  expect(begun).toEqual({ reason: "triggers tell of changes from now on", tables: null });
  return { feed, ...heard };
}

const triggersOn = async (table: string): Promise<number> =>
  (
    await write(
      `select from pg_trigger where tgrelid = 'public."${table}"'::regclass and tgname like 'baasix%'`,
    )
  ).length;

async function until(ask: () => Promise<boolean>): Promise<void> {
  while (!(await ask())) await Bun.sleep(10);
}

test("says what it is, and why", async () => {
  const { feed } = await openCapture();
  expect(feed.status()).toEqual({
    source: "triggers",
    connected: true,
    reason: expect.stringMatching(/REPLICATION.*Triggers .* not of writes while triggers are off/),
    blind: [expect.stringContaining("session_replication_role")],
  });
  await feed.close();
  expect(feed.status().connected).toBe(false);
});

describe("tells the same as the log", () => {
  let log: ReturnType<typeof listen>;
  let capture: Awaited<ReturnType<typeof openCapture>>;
  let logFeed: ChangeFeed;
  const tables = ["zoo", "parents", "children", "plain"];

  beforeAll(async () => {
    await write(
      `create type mood as enum ('sad', 'glad')`,
      `create table zoo (id bigint primary key, dropped int, t text, b boolean, n numeric, f float8, r real, ts timestamptz,
        d date, ti time, iv interval, by bytea, j jsonb, js json, u uuid, a int[], ta text[], m mood, rg int4range, p point,
        g bigint generated always as (id * 2) stored, "g ""q""" text)`,
      `alter table zoo drop column dropped`,
      `create table parents (id int primary key, name text unique)`,
      `create table children (id int primary key, parent int references parents on delete cascade on update cascade, other int references parents on delete set null on update cascade)`,
      `create table plain (id int primary key, t text)`,
      ...tables.map((name) => `alter table ${name} replica identity full`),
    );
    logFeed = openFeed(server.address, { publication });
    log = listen(logFeed, new Set(tables));
    await log.gap();
    await outsider(server.address, `alter publication ${publication} add table ${tables.join(", ")}`);
    capture = await openCapture(...tables);
  });
  afterAll(async () => {
    await logFeed.close();
    await capture.feed.close();
  });

  const zoo = `(1, 'a "q", \\ (b)', true, 1.10, 0.1, 1e-7, '2024-02-03 04:05:06.123456+02', '2024-02-03', '04:05', '1 year -3 days',
    '\\x00ff', '{"a": [1, null]}', '{"b" :1}', '0b9e2c3e-7a0a-4b6e-9d0e-111111111111', '{1,NULL}', '{"x,y","\\"z"}', 'glad', '[1,5)', '(1,2)', default, '')`;

  test.each<[what: string, ...statements: string[]]>([
    ["values of every type", `insert into zoo values ${zoo}`],
    [
      "values that a session writes otherwise",
      `set datestyle = 'German, DMY'; set timezone = 'Asia/Tokyo'; set intervalstyle = 'iso_8601'; set extra_float_digits = -5; set bytea_output = 'escape'; update zoo set t = null`,
    ],
    ["nothing", `update zoo set t = 'none' where false`, `delete from zoo`],
    ["many rows of one statement", `insert into plain select i, 'n' || i from generate_series(1, 50) i`],
    [
      "an upsert that does both",
      `insert into plain values (50, 'again'), (51, 'new') on conflict (id) do update set t = excluded.t`,
    ],
    ["a new key", `update plain set id = 1000 where id = 1`],
    [
      "a row written twice",
      `begin; update plain set t = 'x' where id = 2; update plain set t = 'y' where id = 2; delete from plain where id = 2; insert into plain values (2, 'z'); commit`,
    ],
    [
      "what was rolled back",
      `begin; delete from plain; rollback`,
      `begin; insert into plain values (60, 'a'); savepoint s; insert into plain values (61, 'b'); rollback to s; insert into plain values (62, 'c'); commit`,
    ],
    [
      "rows that foreign keys change",
      `insert into parents values (1, 'a'), (2, 'b')`,
      `insert into children values (1, 1, 2), (2, 2, 1), (3, null, null)`,
      `update parents set id = 1001 where id = 1`,
      `delete from parents where id = 1001`,
      `delete from parents`,
    ],
    [
      "several writes of one statement",
      `with gone as (delete from plain where id < 5 returning *) insert into parents select id, t from gone`,
    ],
    [
      "a merge",
      `merge into plain p using (values (10, 'm'), (70, 'm')) v(id, t) on p.id = v.id when matched then delete when not matched then insert values (v.id, v.t)`,
    ],
    ["a copy", `create temp table made as select 80 as id, 'copied' as t; insert into plain table made`],
    [
      "another shape",
      `alter table plain add extra int default 7`,
      `update plain set extra = 8 where id = 80`,
      `alter table plain drop column t`,
      `update plain set extra = 9 where id = 80`,
    ],
  ])("of %s", async (_what, ...statements) => {
    await write(...statements, `insert into parents values (99, null)`, `delete from parents where id = 99`);
    const all = async (one: Pick<typeof log, "changes">): Promise<unknown[]> => {
      const sets: unknown[] = [];
      for (;;) {
        const changes = await one.changes();
        // In which order the tables of one transaction are told does not matter.
        sets.push(
          changes
            .flatMap(split)
            .map((change) => JSON.stringify(sorted(change)))
            .toSorted(),
        );
        if (
          changes.some(
            ({ table, before, action }) => table === "parents" && action === "delete" && before?.id === "99",
          )
        )
          return sets;
      }
    };
    const [expected, got] = [await all(log), await all(capture)];
    expect(got).toEqual(expected);
  });
});

/** A row that got another key is one that left and one that came. */
function split(change: RowChange): readonly RowChange[] {
  const { table, before, after } = change;
  if (!before || !after || before.id === after.id) return [change];
  return [
    { table, action: "delete", before, after: null },
    { table, action: "create", before: null, after },
  ];
}

/** The columns that the log of version 15 tells, too, by name. */
function sorted({ table, action, before, after }: RowChange): unknown {
  const row = (values: RowChange["before"]) =>
    values &&
    Object.entries(values)
      .filter(([name]) => name !== "g")
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { table, action, before: row(before), after: row(after) };
}

describe("a table", () => {
  test("has triggers while somebody wants it, here or elsewhere, and is told from a gap on", async () => {
    await write(
      `create table notes (id int primary key, t text)`,
      `insert into notes values (0, 'before')`,
      `create table passing (id int primary key)`,
    );
    const one = await openCapture();
    expect(await triggersOn("notes")).toBe(0);
    one.wanted.add("notes");
    expect(await one.gap()).toEqual({ reason: "'notes' is followed from now on", tables: ["notes"] });
    expect(await triggersOn("notes")).toBe(4);
    const other = await openCapture("notes");
    await write(`insert into notes values (1, 'a')`);
    for (const each of [one, other]) expect((await each.changes())[0]?.after).toEqual({ id: "1", t: "a" });

    one.wanted.add("passing");
    expect((await one.gap()).tables).toEqual(["passing"]);
    one.wanted.clear();
    // It lets go of both at once.
    await until(async () => (await triggersOn("passing")) === 0);
    expect(await triggersOn("notes")).toBe(4);
    await write(`insert into notes values (2, 'b')`);
    expect((await other.changes())[0]?.after).toEqual({ id: "2", t: "b" });
    expect(one.told).toEqual([]);

    other.wanted.clear();
    await until(async () => (await triggersOn("notes")) === 0);
    await one.feed.close();
    await other.feed.close();
  });

  test("that one who was killed left with triggers is let go of", async () => {
    await write(`create table left_behind (id int primary key)`);
    const one = await openCapture("left_behind");
    await one.feed.close();
    expect(await triggersOn("left_behind")).toBe(4);
    await write(`insert into left_behind values (1)`);
    const other = await openCapture();
    await until(async () => (await triggersOn("left_behind")) === 0);
    await other.feed.close();
  });

  test("that is emptied, or changes too much at once, is a gap of its own", async () => {
    await write(`create table bulk (id int primary key)`);
    const { feed, gap, changes } = await openCapture("bulk");
    const isGap = { reason: expect.stringContaining("emptied"), tables: ["bulk"] };
    await write(`insert into bulk select generate_series(1, 10001)`);
    expect(await gap()).toEqual(isGap);
    await write(`begin; update bulk set id = -id where id < 6000; delete from bulk where id > 5000; commit`);
    expect(await gap()).toEqual(isGap);
    await write(`truncate bulk`);
    expect(await gap()).toEqual(isGap);
    await write(`insert into bulk values (1)`);
    expect(await changes()).toHaveLength(1);
    await feed.close();
  });

  test("that loses its triggers, or is made anew, is told of by a gap and followed again", async () => {
    await write(`create table fragile (id int primary key)`);
    const { feed, gap, changes } = await openCapture("fragile");
    const again = { reason: "'fragile' is followed from now on", tables: ["fragile"] };
    for (const harm of [
      `drop trigger baasix_tell_update on fragile`,
      `alter table fragile disable trigger baasix_tell_insert`,
      `begin; drop table fragile; create table fragile (id int primary key); insert into fragile values (1); commit`,
    ]) {
      await write(harm);
      expect(await gap()).toEqual(again);
    }
    await write(`insert into fragile values (2)`);
    expect((await changes())[0]?.after).toEqual({ id: "2" });
    await feed.close();
  });

  test("that others hold is read again and again until it is followed", async () => {
    await write(`create table held (id int primary key)`);
    const sql = new Bun.SQL(owner.url, { max: 1 });
    const { feed, wanted, gap, changes } = await openCapture();
    await sql.begin(async (transaction) => {
      await transaction`insert into held values (1)`;
      wanted.add("held");
      expect(await gap()).toEqual({
        reason: "'held' is in use, and cannot be followed yet",
        tables: ["held"],
      });
    });
    while ((await gap()).reason !== "'held' is followed from now on");
    await write(`delete from held`);
    expect((await changes())[0]?.before).toEqual({ id: "1" });
    await feed.close();
    await sql.close();
  });
});

test("whoever may write to a table is told of, and may not read what is told", async () => {
  await write(`create table shared (id int primary key, t text)`, `grant insert on shared to public`);
  await outsider(server.address, `drop role if exists guest`, `create role guest login`);
  const { feed, changes } = await openCapture("shared");
  const guest: DatabaseAddress = { kind: "url", url: server.url.replace("operator", "guest") };
  await outsider(guest, `insert into shared values (1, 'from a guest')`);
  expect((await changes())[0]?.after).toEqual({ id: "1", t: "from a guest" });
  await expect(outsider(guest, `select * from "baasix_Change"`)).rejects.toThrow("permission denied");
  await feed.close();
});

test("no write fails because it cannot be told: that is a gap", async () => {
  await write(`create table brave (id int primary key)`);
  const { feed, gap } = await openCapture("brave");
  await write(`alter table "baasix_Change" rename to away`);
  await write(`insert into brave values (1)`);
  expect(await gap()).toEqual({ reason: "a change could not be written down", tables: null });
  await write(`alter table away rename to "baasix_Change"`);
  await feed.close();
});

test("a role that may not make triggers either is off, with both reasons", async () => {
  await outsider(server.address, `create role stranger login`);
  const failed = Promise.withResolvers<Error>();
  const address: DatabaseAddress = { kind: "url", url: server.url.replace("operator", "stranger") };
  const feed = openFeed(address, { publication, onError: failed.resolve });
  await failed.promise;
  expect(feed.status()).toEqual({
    source: "off",
    connected: false,
    reason: expect.stringMatching(/REPLICATION.*; the database role may not make triggers/),
  });
  await feed.close();
});

test.each([
  [
    "its connections were killed",
    () =>
      outsider(
        server.address,
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'owner'",
      ),
  ],
  ["the server was restarted", async () => (await server.kill(), server.start())],
])("comes back with a gap after %s", async (_what, harm) => {
  await write(`create table if not exists steady (id serial primary key)`);
  const { feed, gap, changes } = await openCapture("steady");
  await harm();
  expect(await gap()).toEqual({ reason: "triggers tell of changes from now on", tables: null });
  await write(`insert into steady default values`);
  expect((await changes())[0]).toMatchObject({ action: "create" });
  await feed.close();
});

test("gives way to the log as soon as that may be read, and takes its triggers off", async () => {
  await write(`create table kept (id int primary key)`);
  await outsider(server.address, `alter publication ${publication} add table kept`);
  const { feed, gap, changes } = await openCapture("kept");
  await outsider(server.address, `alter role owner replication`);
  feed.retry();
  expect((await gap()).reason).toBe("the stream of changes was connected");
  expect(feed.status()).toMatchObject({ source: "log", connected: true, reason: null });
  await write(`insert into kept values (1)`);
  expect((await changes())[0]?.after).toEqual({ id: "1" });
  expect(await write(`select from pg_trigger where tgname like 'baasix%'`)).toEqual([]);
  await outsider(server.address, `alter role owner noreplication`);
  await feed.close();
});
