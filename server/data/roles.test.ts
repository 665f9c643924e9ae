/**
 * Several roles together: what they show is compared, cell by cell, with a plain evaluation of the rules in JavaScript, for
 * random permissions and requests. A cell may be shown when some one grant shows it, and must be then.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { SchemaRecord } from "@baasix/types";
import { type Actor, unproven } from "../core/access/actor";
import { parseRules, type PermissionRow } from "../core/access/rules";
import { AppError } from "../core/errors";
import { compileChanges } from "../core/schema/ddl";
import { buildSchema, storedSchema } from "../core/schema/define";
import { diffSchemas } from "../core/schema/diff";
import { type Database, type DatabaseAddress, openDatabase } from "../platform/postgres";
import { type Chance, chance } from "../testing/chance";
import { outsider, testDatabase, type TestDatabase } from "../testing/postgres";
import { createData } from "./data";
import type { Data } from "./door";
import { createJudge } from "./judge";
import type { Snapshot } from "./snapshot";

type Row = Readonly<Record<string, string | number | boolean | null>>;
type Collection = "authors" | "posts" | "comments";

const key = { type: "Integer", primaryKey: true } as const;
const definitions: readonly SchemaRecord[] = [
  {
    collectionName: "authors",
    schema: {
      name: "Author",
      timestamps: false,
      fields: {
        id: key,
        name: { type: "String" },
        mail: { type: "String" },
        boss: { relType: "BelongsTo", target: "authors", foreignKey: "boss_Id" },
        boss_Id: { type: "Integer", SystemGenerated: true },
        posts: { relType: "HasMany", target: "posts", foreignKey: "author_Id" },
      },
    },
  },
  {
    collectionName: "posts",
    schema: {
      name: "Post",
      timestamps: false,
      fields: {
        id: key,
        title: { type: "String" },
        secret: { type: "String" },
        state: { type: "Integer" },
        author_Id: { type: "Integer", SystemGenerated: true },
        author: { relType: "BelongsTo", target: "authors", foreignKey: "author_Id" },
        comments: { relType: "HasMany", target: "comments", foreignKey: "post_Id" },
      },
    },
  },
  {
    collectionName: "comments",
    schema: {
      name: "Comment",
      timestamps: false,
      fields: {
        id: key,
        text: { type: "String" },
        approved: { type: "Boolean" },
        post_Id: { type: "Integer", SystemGenerated: true },
        post: { relType: "BelongsTo", target: "posts", foreignKey: "post_Id" },
      },
    },
  },
];
const schema = buildSchema(1, definitions);

const relations: Readonly<Record<Collection, Readonly<Record<string, Relation>>>> = {
  authors: {
    boss: { target: "authors", key: "boss_Id", on: "source" },
    posts: { target: "posts", key: "author_Id", on: "target" },
  },
  posts: {
    author: { target: "authors", key: "author_Id", on: "source" },
    comments: { target: "comments", key: "post_Id", on: "target" },
  },
  comments: { post: { target: "posts", key: "post_Id", on: "source" } },
};
type Relation = { readonly target: Collection; readonly key: string; readonly on: "source" | "target" };
const columns: Readonly<Record<Collection, readonly string[]>> = {
  authors: ["id", "name", "mail", "boss_Id"],
  posts: ["id", "title", "secret", "state", "author_Id"],
  comments: ["id", "text", "approved", "post_Id"],
};

const names = ["ann", "bob", "cid", "dee", "eve"];
const tables: Readonly<Record<Collection, readonly Row[]>> = {
  authors: names.map((name, i) => ({
    id: i + 1,
    name,
    mail: `${name}@x`,
    boss_Id: [null, 1, 1, 2, 4][i] ?? null,
  })),
  posts: Array.from({ length: 9 }, (_, i) => ({
    id: i + 1,
    title: `title ${i % 4}`,
    secret: `secret ${i}`,
    state: i % 3,
    author_Id: i === 8 ? null : (i % 5) + 1,
  })),
  comments: Array.from({ length: 14 }, (_, i) => ({
    id: i + 1,
    text: `text ${i}`,
    approved: i % 2 === 0,
    post_Id: (i % 7) + 1,
  })),
};

// Conditions, each with what it means; those through relations see every row, as a rule may.
type Rule = { readonly filter: object | null; readonly holds: (row: Row) => boolean };
const authorOf = (row: Row): Row | undefined => tables.authors.find(({ id }) => id === row.author_Id);
const conditions: Readonly<Record<Collection, readonly Rule[]>> = {
  authors: [
    { filter: null, holds: () => true },
    { filter: { id: { lte: 2 } }, holds: ({ id }) => Number(id) <= 2 },
    { filter: { boss_Id: 1 }, holds: ({ boss_Id }) => boss_Id === 1 },
    { filter: { name: { in: ["bob", "dee"] } }, holds: ({ name }) => name === "bob" || name === "dee" },
  ],
  posts: [
    { filter: null, holds: () => true },
    { filter: { state: 0 }, holds: ({ state }) => state === 0 },
    { filter: { state: { gte: 1 } }, holds: ({ state }) => Number(state) >= 1 },
    { filter: { "author.name": "ann" }, holds: (row) => authorOf(row)?.name === "ann" },
  ],
  comments: [
    { filter: null, holds: () => true },
    { filter: { approved: true }, holds: ({ approved }) => approved === true },
    { filter: { post_Id: { lt: 4 } }, holds: ({ post_Id }) => Number(post_Id) < 4 },
  ],
};
const patterns: Readonly<Record<Collection, readonly string[]>> = {
  authors: [
    "id",
    "name",
    "mail",
    "boss_Id",
    "*",
    "boss.name",
    "boss.*",
    "posts.title",
    "posts.*",
    "boss.boss.mail",
  ],
  posts: [
    "id",
    "title",
    "secret",
    "state",
    "author_Id",
    "*",
    "author.name",
    "author.*",
    "author.boss.name",
    "author.**",
    "comments.text",
    "comments.*",
    "comments.post.secret",
    "*.*",
  ],
  comments: [
    "id",
    "text",
    "approved",
    "post_Id",
    "*",
    "post.title",
    "post.*",
    "post.author.name",
    "post.author.*",
  ],
};
const collections = Object.keys(tables) as Collection[];

type Grant = {
  readonly role: string;
  readonly collection: Collection;
  readonly fields: readonly string[];
  readonly rule: Rule;
  readonly related: Limits;
};
/** relConditions: which rows of relations there are, and what lies behind them. */
type Limits = { readonly [relation: string]: { readonly rule: Rule; readonly behind: Limits } };

/** As they are written: the filter of a relation beside the relations behind it. */
function written(limits: Limits): object {
  return Object.fromEntries(
    Object.entries(limits).map(([name, { rule, behind }]) => [name, { ...rule.filter, ...written(behind) }]),
  );
}

function randomLimits({ sometimes, one }: Chance, collection: Collection, depth = 2): Limits {
  const limits: Record<string, Limits[string]> = {};
  for (const [name, { target }] of Object.entries(relations[collection])) {
    if (depth === 0 || !sometimes(0.25)) continue;
    // A filter on a relation beside the relation itself would be taken for a way down.
    const rule = one(conditions[target].filter(({ filter }) => !JSON.stringify(filter).includes(".")));
    limits[name] = { rule, behind: randomLimits({ sometimes, one } as Chance, target, depth - 1) };
  }
  return limits;
}

function randomGrants(random: Chance, roles: readonly string[]): Grant[] {
  const limited = random.sometimes(0.5);
  return roles.flatMap((role) =>
    collections.flatMap((collection): Grant[] => {
      if (!random.sometimes(collection === "posts" ? 0.9 : 0.55)) return [];
      const fields = random.some(patterns[collection], 4);
      const related = limited ? randomLimits(random, collection) : {};
      return [{ role, collection, fields, rule: random.one(conditions[collection]), related }];
    }),
  );
}

// ---------------------------------------------------------------------------------------------------------------
// What the rules mean, row by row.

/** A grant that holds on the way to a row, and what is left there of its patterns and limits. */
type Active = {
  readonly role: string;
  readonly fields: readonly (readonly string[])[];
  readonly related: Limits;
};

function actorRights(grants: readonly Grant[]) {
  const own = (collection: Collection, row: Row): Active[] =>
    grants
      .filter((grant) => grant.collection === collection && grant.rule.holds(row))
      .map(({ role, fields, related }) => ({
        role,
        fields: fields.map((pattern) => pattern.split(".")),
        related,
      }));
  const opens = ({ fields }: Active, column: string): boolean =>
    fields.some(([name, ...rest]) => rest.length === 0 && (name === "*" || name === "**" || name === column));
  const through = ({ role, fields, related }: Active, relation: string): Active[] => {
    const left = fields.flatMap(([name, ...rest]) => {
      if (name === "**") return [["**"]];
      return rest.length > 0 && (name === relation || name === "*") ? [rest] : [];
    });
    return left.length > 0 ? [{ role, fields: left, related: related[relation]?.behind ?? {} }] : [];
  };
  /** What is active on a related row; nothing: it does not exist for the actor. */
  const pass = (active: readonly Active[], name: string, { target, key: column, on }: Relation, row: Row) => {
    const rights = grants.filter((grant) => grant.collection === target);
    const left = active.filter(({ related }) => related[name]?.rule.holds(row) ?? true);
    const passing = left
      .flatMap((one) => through(one, name))
      .filter(({ role }) => {
        const ofRole = rights.filter((grant) => grant.role === role);
        return ofRole.length === 0 || ofRole.some(({ rule }) => rule.holds(row));
      });
    const there = own(target, row);
    // By the key: read here, it is limited by what limits the grant that shows it; read there, by any that shows the row.
    const keyed =
      on === "source"
        ? left.filter((one) => opens(one, column))
        : there.some((one) => opens(one, column))
          ? left
          : [];
    const links = [
      ...passing.map(({ related }) => related),
      ...keyed.map(({ related }) => related[name]?.behind ?? {}),
    ];
    return [
      ...passing,
      ...links.flatMap((limits) => there.map((one) => ({ ...one, related: both(one.related, limits) }))),
    ];
  };
  return { own, opens, pass };
}

/** The limits of both. */
function both(a: Limits, b: Limits): Limits {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries(
    [...names].map((name) => {
      const [one, other] = [a[name], b[name]];
      const holds = (row: Row): boolean => (one?.rule.holds(row) ?? true) && (other?.rule.holds(row) ?? true);
      return [name, { rule: { filter: null, holds }, behind: both(one?.behind ?? {}, other?.behind ?? {}) }];
    }),
  );
}

function relatedRows(row: Row, { target, key: column, on }: Relation): readonly Row[] {
  return tables[target].filter((one) => (on === "source" ? one.id === row[column] : one[column] === row.id));
}

type Rights = ReturnType<typeof actorRights>;
/** What is asked for: relations and what is asked for of them. */
type Wish = { readonly [relation: string]: Wish };
type Shown = { [name: string]: unknown };

/** The row as it must be shown; what is not there and what is null are one. */
function shown(
  rights: Rights,
  collection: Collection,
  row: Row,
  active: readonly Active[],
  wish: Wish,
): Shown {
  const made: Shown = {};
  for (const column of columns[collection]) {
    if (row[column] !== null && active.some((one) => rights.opens(one, column))) made[column] = row[column];
  }
  for (const [name, inner] of Object.entries(wish)) {
    const relation = relations[collection][name] as Relation;
    const list = relatedRows(row, relation).flatMap((one) => {
      const there = rights.pass(active, name, relation, one);
      return there.length > 0 ? [shown(rights, relation.target, one, there, inner)] : [];
    });
    if (list.length > 0) made[name] = relation.on === "source" ? list[0] : list;
  }
  return made;
}

function everythingShown(grants: readonly Grant[], collection: Collection, wish: Wish): Shown[] {
  const rights = actorRights(grants);
  return tables[collection].flatMap((row) => {
    const active = rights.own(collection, row);
    return active.length > 0 ? [shown(rights, collection, row, active, wish)] : [];
  });
}

/** The values that the actor may see at the end of a path, over all rows on the way. */
function valuesAt(rights: Rights, collection: Collection, row: Row, path: readonly string[]): unknown[] {
  const own: readonly Active[] = rights.own(collection, row);
  let places = own.length > 0 ? [{ collection, row, active: own }] : [];
  for (const name of path.slice(0, -1)) {
    places = places.flatMap((place) => {
      const relation = relations[place.collection][name] as Relation;
      return relatedRows(place.row, relation).flatMap((one) => {
        const active = rights.pass(place.active, name, relation, one);
        return active.length > 0 ? [{ collection: relation.target, row: one, active }] : [];
      });
    });
  }
  const column = path.at(-1) ?? "";
  return places.flatMap((place) =>
    place.active.some((one) => rights.opens(one, column)) ? [place.row[column] ?? null] : [],
  );
}

/** Without nulls and empty lists, in the order of the names. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value)
    .map(([name, one]) => [name, plain(one)] as const)
    .filter(([, one]) => one !== null && !(Array.isArray(one) && one.length === 0));
  return Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

// ---------------------------------------------------------------------------------------------------------------

let place: TestDatabase;
let database: Database;

async function prepare(address: DatabaseAddress): Promise<void> {
  const steps = compileChanges(diffSchemas(storedSchema([]), schema), { published: false });
  const inserts = collections.map(
    (name) =>
      `insert into ${name} select * from json_populate_recordset(null::${name}, '${JSON.stringify(tables[name])}')`,
  );
  await outsider(
    address,
    "create function baasix_suid() returns text language sql as $$ select 'x' $$",
    ...steps.map(({ statement }) => statement.text),
    ...inserts,
  );
}

beforeAll(async () => {
  place = await testDatabase(prepare);
  database = await openDatabase(place.address, { shortPool: 4, slowPool: 1 });
}, 60_000);
afterAll(async () => {
  await database?.close();
  await place?.drop();
});

const roles = ["a", "b", "c"];
const actor = (ids: readonly string[]): Actor => ({
  kind: "user",
  id: "00000000-0000-4000-8000-000000000001",
  role: ids[0] ?? "",
  roles: ids,
  admin: false,
  ...unproven,
});

function snapshotOf(grants: readonly Grant[]): Snapshot {
  const rows = grants.map(({ role, collection, fields, rule, related }, i): PermissionRow => ({
    id: `p${i}`,
    role_Id: role,
    collection,
    action: "read",
    fields,
    conditions: rule.filter,
    relConditions: written(related),
    defaultValues: null,
  }));
  const rules = parseRules(
    roles.map((id) => ({ id, name: id })),
    rows,
    schema,
  );
  expect(rules.problems).toEqual([]);
  return { schema, rules, version: 1 };
}

function doorOf(snapshot: Snapshot): Data {
  const totals = {
    known: () => null,
    begin: () => [],
    remember: () => undefined,
    touched: () => undefined,
    depends: () => false,
    clear: () => undefined,
  };
  return createData({
    database,
    snapshot: () => snapshot,
    reloadSchema: async () => undefined,
    now: () => 0,
    totals,
  });
}

/** Relations to expand; on one way at most `lists` of them are lists, as answers have room for no more. */
function randomWish(random: Chance, collection: Collection, depth = 3, lists = 2): Wish {
  const wish: Record<string, Wish> = {};
  for (const [name, { target, on }] of Object.entries(relations[collection])) {
    const left = on === "target" ? lists - 1 : lists;
    if (depth > 0 && left >= 0 && random.sometimes(0.6))
      wish[name] = randomWish(random, target, depth - 1, left);
  }
  return wish;
}

function fieldsOf(wish: Wish, prefix = ""): string[] {
  return [
    `${prefix}*`,
    ...Object.entries(wish).flatMap(([name, inner]) => fieldsOf(inner, `${prefix}${name}.`)),
  ];
}

function randomPath(random: Chance, collection: Collection, lists: boolean, depth = 3): string[] {
  const ways = Object.entries(relations[collection]).filter(([, { on }]) => lists || on === "source");
  const [name, relation] = ways.length > 0 && random.sometimes(0.7) ? random.one(ways) : [];
  if (name === undefined || relation === undefined || depth === 0) return [random.one(columns[collection])];
  return [name, ...randomPath(random, relation.target, lists, depth - 1)];
}

/** What a read answers, or null when it is refused. */
async function answer(
  data: Data,
  who: Actor,
  collection: Collection,
  query: object,
): Promise<unknown[] | null> {
  try {
    return JSON.parse((await data.read(who, collection, query)).json) as unknown[];
  } catch (error) {
    if (error instanceof AppError && error.code === "FORBIDDEN") return null;
    throw error;
  }
}

/** Rows one by one, so that their lists have room. */
async function everyRow(
  data: Data,
  who: Actor,
  collection: Collection,
  fields: string,
): Promise<unknown[] | null> {
  const rows: unknown[] = [];
  for (let offset = 0; ; offset++) {
    const page = await answer(data, who, collection, { fields, limit: 1, offset, count: "none" });
    if (page === null) return null;
    if (page.length === 0) return rows;
    rows.push(...page);
  }
}

type Case = {
  readonly grants: Grant[];
  readonly held: Grant[];
  readonly who: Actor;
  readonly collection: Collection;
  readonly random: Chance;
};

/** Runs with random rights of an actor; says which when it fails. */
async function each(
  count: number,
  check: (data: Data, one: Case, snapshot: Snapshot) => Promise<void>,
): Promise<void> {
  for (let seed = 1; seed <= count; seed++) {
    const random = chance(seed);
    const grants = randomGrants(random, roles);
    const ids = random.one([["a", "b"], ["a", "b", "c"], ["b", "c"], ["a"]]);
    const held = grants.filter(({ role }) => ids.includes(role));
    const collection = random.one(collections);
    const snapshot = snapshotOf(grants);
    try {
      await check(doorOf(snapshot), { grants, held, who: actor(ids), collection, random }, snapshot);
    } catch (error) {
      const told = held.map(({ role, collection: on, fields, rule, related }) =>
        JSON.stringify([role, on, fields, rule.filter, written(related)]),
      );
      throw new Error(`seed ${seed} reading ${collection} as ${ids.join("+")}:\n${told.join("\n")}`, {
        cause: error,
      });
    }
  }
}

const opensRead = (held: readonly Grant[], collection: Collection): boolean =>
  held.some((grant) => grant.collection === collection);

test("lists, with relations to any depth", async () => {
  let cells = 0;
  await each(250, async (data, { held, who, collection, random }) => {
    const wish = randomWish(random, collection);
    const rows = await everyRow(data, who, collection, fieldsOf(wish).join(","));
    if (!opensRead(held, collection)) return expect(rows).toBeNull();
    const expected = everythingShown(held, collection, wish);
    expect(plain(rows)).toEqual(plain(expected));
    cells += JSON.stringify(expected).length;
    const exported: unknown[] = [];
    for await (const batch of data.stream(who, collection, { fields: "*" })) {
      for (const row of batch) exported.push(JSON.parse(row));
    }
    expect(plain(exported)).toEqual(plain(everythingShown(held, collection, {})));
  });
  expect(cells).toBeGreaterThan(100_000);
}, 60_000);

test("filters by any path", async () => {
  const seen = { refused: 0, some: 0 };
  await each(400, async (data, { held, who, collection, random }) => {
    const path = randomPath(random, collection, true);
    const rights = actorRights(held);
    const all = tables[collection].map((row) => ({ row, values: valuesAt(rights, collection, row, path) }));
    const wanted = random.one(tables[collection].flatMap((row) => valuesOfAnyone(collection, row, path)));
    if (wanted === undefined || wanted === null) return;
    const query = { filter: { [path.join(".")]: { eq: wanted } }, fields: "*", limit: 100 };
    const got = await answer(data, who, collection, query);
    const expected = all.filter(({ values }) => values.includes(wanted));
    if (got === null) {
      seen.refused++;
      return expect(expected).toEqual([]);
    }
    seen.some += expected.length;
    const wish = {};
    const rows = expected.map(({ row }) => shown(rights, collection, row, rights.own(collection, row), wish));
    expect({ path, rows: plain(got) }).toEqual({ path, rows: plain(rows) });
    const counted = await data.read(who, collection, { ...query, limit: 0 });
    expect(counted.totalCount).toBe(expected.length);
  });
  expect(seen.refused).toBeGreaterThan(20);
  expect(seen.some).toBeGreaterThan(50);
}, 60_000);

/** The same without rights. */
function valuesOfAnyone(collection: Collection, row: Row, path: readonly string[]): unknown[] {
  const everyone = collections.map((name): Grant => {
    const rule = { filter: null, holds: () => true };
    return { role: "x", collection: name, fields: ["**"], rule, related: {} };
  });
  return valuesAt(actorRights(everyone), collection, row, path);
}

test("sorts by any path: what may not be seen of a row is null", async () => {
  let sorted = 0;
  await each(300, async (data, { held, who, collection, random }) => {
    const path = randomPath(random, collection, false);
    const rights = actorRights(held);
    const got = await answer(data, who, collection, { sort: path.join("."), fields: "*" });
    if (got === null) return;
    const rows = tables[collection]
      .filter((row) => rights.own(collection, row).length > 0)
      .map((row) => ({ row, value: valuesAt(rights, collection, row, path)[0] ?? null }))
      .toSorted((a, b) => compare(a.value, b.value) || Number(a.row.id) - Number(b.row.id));
    const expected = rows.map(({ row }) => shown(rights, collection, row, rights.own(collection, row), {}));
    expect(plain(got)).toEqual(plain(expected));
    sorted += rows.filter(({ value }) => value !== null).length;
  });
  expect(sorted).toBeGreaterThan(300);
}, 60_000);

/** As PostgreSQL sorts: null last. */
function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  return (a as string | number) < (b as string | number) ? -1 : 1;
}

test("aggregates over any path, in groups of any path", async () => {
  let values = 0;
  await each(300, async (data, { held, who, collection, random }) => {
    const path = randomPath(random, collection, true);
    const group = randomPath(random, collection, false);
    const rights = actorRights(held);
    const got = await answer(data, who, collection, {
      aggregate: { n: { function: "count", field: path.join(".") } },
      groupBy: [group.join(".")],
    });
    if (got === null) return;
    const groups = new Map<string, number>();
    for (const row of tables[collection]) {
      if (rights.own(collection, row).length === 0) continue;
      const name = JSON.stringify(valuesAt(rights, collection, row, group)[0] ?? null);
      const counted = valuesAt(rights, collection, row, path).filter((value) => value !== null).length;
      groups.set(name, (groups.get(name) ?? 0) + counted);
    }
    const answered = (got as Record<string, unknown>[]).map((one) => [
      JSON.stringify(one[group.join(".")] ?? null),
      one.n,
    ]);
    expect(new Map(answered as [string, number][])).toEqual(groups);
    for (const n of groups.values()) values += n;
  });
  expect(values).toBeGreaterThan(300);
}, 60_000);

test("views of realtime show what a read shows", async () => {
  let frames = 0;
  await each(150, async (_, { held, who, collection, random }, snapshot) => {
    const wish = randomWish(random, collection, 2);
    const judge = createJudge({ database, snapshot: () => snapshot, now: () => 0 });
    const rights = actorRights(held);
    const view = (() => {
      try {
        return judge.open(who, { collection, fields: fieldsOf(wish) });
      } catch (error) {
        if (error instanceof AppError && error.code === "FORBIDDEN") return null;
        throw error;
      }
    })();
    if (view === null) {
      const keys = tables[collection].flatMap((row) => valuesAt(rights, collection, row, ["id"]));
      return expect(keys).toEqual([]);
    }
    const text = (value: unknown): string | null => (value === null ? null : String(value));
    const changes = tables[collection].map((row) => ({
      action: "create" as const,
      before: null,
      after: Object.fromEntries(Object.entries(row).map(([name, value]) => [name, text(value)])),
    }));
    const { verdicts, failures, untold } = await judge.judge([view], changes);
    expect([failures.size, untold]).toEqual([0, false]);
    const rows = tables[collection].filter((row) => valuesAt(rights, collection, row, ["id"]).length > 0);
    const expected = rows.map((row) => shown(rights, collection, row, rights.own(collection, row), wish));
    expect(plain(verdicts.map(({ now }) => JSON.parse(now ?? "null")))).toEqual(plain(expected));
    frames += rows.length;
  });
  expect(frames).toBeGreaterThan(200);
}, 60_000);

test("a second role takes nothing away", async () => {
  await each(60, async (data, { held, collection, random }) => {
    const wish = randomWish(random, collection);
    const query = fieldsOf(wish).join(",");
    const whole = ((await everyRow(data, actor(roles), collection, query)) ?? []).map(plain);
    for (const role of new Set(held.map((grant) => grant.role))) {
      const alone = ((await everyRow(data, actor([role]), collection, query)) ?? []).map(plain);
      for (const row of alone) expect(whole.some((other) => contains(other, row))).toBe(true);
    }
  });
}, 60_000);

function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.every((one) => whole.some((other) => contains(other, one)));
  }
  if (typeof part !== "object" || part === null) return whole === part;
  if (typeof whole !== "object" || whole === null) return false;
  const fields = whole as Record<string, unknown>;
  return Object.entries(part).every(([name, value]) => contains(fields[name], value));
}
