/**
 * Live queries over relations of every kind: whichever row changes at whichever end, each answer becomes what a fresh read
 * gives. One change at a time, so that nothing that follows mends what one of them missed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type AggregateQuery,
  type Baasix,
  createBaasix,
  MemoryStorageAdapter,
  type Query,
} from "@baasix/sdk";
import { testAdmin, testApp, type TestApp } from "../../testing/app";
import { chance, seedOfRun } from "../../testing/chance";
import { type ExternalServer, externalServer, outsider } from "../../testing/postgres";

type Row = Record<string, unknown>;

let app: TestApp;
let admin: Baasix;
let ann: Baasix;

const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } as const;
const text = { type: "String" } as const;

async function setUp(server: ExternalServer | null): Promise<void> {
  app = await testApp(server ? { address: server.address } : {});
  const source = server ? "triggers" : "log";
  for (let n = 0; app.feed.status().source !== source && n < 1000; n++) await Bun.sleep(10);
  const url = app.listen();
  const client = () => createBaasix({ url, storage: new MemoryStorageAdapter() });
  [admin, ann] = [client(), client()];
  await admin.auth.login(testAdmin);
  const made: Record<string, Row> = {
    badges: { code: text },
    people: {
      name: text,
      age: { type: "Integer" },
      info: { type: "JSONB" },
      account: { type: "UUID" },
      // No foreign key: a badge may be named before it is there.
      badge: { relType: "BelongsTo", target: "badges", constraints: false },
    },
    desks: { label: text },
    clubs: { name: text },
    notes: { body: text },
  };
  for (const [name, fields] of Object.entries(made)) {
    await admin.schemas.create(name, { name, timestamps: false, fields: { id: key, ...fields } } as never);
  }
  const relate = (collection: string, relation: Row) =>
    admin.schemas.createRelationship(collection, relation as never);
  await relate("people", { type: "M2O", name: "boss", target: "people", alias: "team" });
  await relate("desks", { type: "O2O", name: "person", target: "people", alias: "desk" });
  await relate("people", {
    type: "M2M",
    name: "clubs",
    target: "clubs",
    alias: "members",
    through: "people_clubs",
  });
  await relate("notes", { type: "M2A", name: "about", tables: ["people", "clubs"] });
  const { id } = await app.signUp("ann@example.com");
  await ann.auth.login({ email: "ann@example.com", password: "a good password" });
  const { data: roles } = await admin.items("baasix_Role").find({ filter: { name: "user" } });
  const role_Id = String(roles[0]?.id);
  const may = (collection: string, rest: Row = {}) =>
    admin.permissions.create({ role_Id, collection, action: "read", fields: ["*"], ...rest } as never);
  await may("people", {
    fields: ["id", "name", "boss.name", "team.name", "desk.*", "badge.code"],
    // Whoever is in a club of Ann's, or on the team of Ann.
    conditions: {
      OR: [{ "clubs.clubs.members.people.account": "$CURRENT_USER" }, { "boss.account": "$CURRENT_USER" }],
    },
  });
  await may("clubs", { conditions: { "members.people.age": { gt: 30 } } });
  await may("people_clubs");
  await sql(
    `insert into badges (id, code) values (1, 'A'), (2, 'B')`,
    `insert into people (id, name, age, account, "badge_Id", info) select n, 'p' || n, 20 + n * 3, case n when 1 then '${id}'::uuid end, n % 4, jsonb_build_object('city', 'c' || n % 3) from generate_series(1, 9) n`,
    `update people set "boss_Id" = 1 + id % 3 where id > 3`,
    `insert into desks (id, label, "person_Id") select n, 'd' || n, n from generate_series(1, 4) n`,
    `insert into clubs (id, name) values (1, 'chess'), (2, 'golf'), (3, 'ski')`,
    `insert into people_clubs (people_id, clubs_id) values (1, 1), (2, 1), (3, 2), (4, 2), (5, 3)`,
    `insert into notes (id, body) values (1, 'n1'), (2, 'n2')`,
    `insert into notes_about_junction (notes_id, collection, item_id) values (1, 'people', 2), (1, 'clubs', 1), (2, 'clubs', 3)`,
    ...["badges", "people", "desks", "clubs", "notes", "people_clubs"].map(
      (name) => `select setval('${name}_id_seq', 1000)`,
    ),
  );
}

const sql = (...statements: string[]) => outsider(app.address, ...statements);
const n = { n: { function: "count", field: "*" } } as const;

const asked: readonly (readonly [collection: string, query: Query | AggregateQuery])[] = [
  ["people", { fields: ["name", "boss.name", "boss.boss.name"], sort: "id" }],
  ["people", { fields: ["name", "team.name", "team.team.age"], sort: "id", limit: 4 }],
  ["people", { fields: ["name", "desk.label"], sort: ["desk.label", "id"], limit: 5 }],
  ["people", { filter: { "desk.label": { gt: "d1" } }, fields: ["id"] }],
  ["people", { filter: { NOT: { "desk.label": { isNotNull: true } } }, fields: ["id"], sort: "id" }],
  ["people", { fields: ["id", "badge.code"], sort: "id" }],
  ["people", { filter: { "badge.code": "A" }, fields: ["id"], sort: "id" }],
  ["people", { filter: { "team.age": { gt: 40 } }, fields: ["name"], sort: "id" }],
  ["people", { filter: { NOT: { "clubs.clubs.name": "chess" } }, fields: ["id"], sort: "id" }],
  ["people", { filter: { age: { gt: "$COL(boss.age)" } }, fields: ["id"], sort: "id" } as Query],
  [
    "people",
    { filter: { info: { jsonbContains: { city: "c1" } } } as never, fields: ["id", "info"], sort: "-age" },
  ],
  [
    "people",
    {
      fields: ["id", "clubs.clubs.name"],
      relConditions: { clubs: { clubs: { name: "golf" } } } as never,
      sort: "id",
    },
  ],
  [
    "people",
    { fields: ["name", { team: { fields: ["name"], sort: "-age", limit: 1 } }] as never, sort: "id" },
  ],
  ["people", { aggregate: n, groupBy: ["boss.name"], sort: "-n" } as AggregateQuery],
  ["people", { aggregate: { ...n, old: { function: "max", field: "team.age" } } } as AggregateQuery],
  ["clubs", { fields: ["name", "members.people.name"], sort: "id" }],
  ["clubs", { filter: { "members.people.boss.name": "p1" }, fields: ["name"], sort: "id" }],
  ["clubs", { aggregate: n, groupBy: ["members.people.age"], having: { n: { gt: 0 } } } as AggregateQuery],
  ["desks", { fields: ["label", "person.boss.desk.label"], sort: "id" }],
  ["notes", { fields: ["body", "about.collection", "about.people.name", "about.clubs.name"], sort: "id" }],
  ["notes", { filter: { "about.clubs.name": "chess" }, fields: ["id"] }],
];

/** Who asks what, and what it has been told. */
type Asker = {
  readonly name: string;
  has: unknown;
  readonly fresh: () => Promise<unknown>;
  readonly stop: () => void;
};

function ask(client: Baasix, collection: string, query: Query | AggregateQuery): Asker {
  const items = client.items(collection);
  const isAggregate = "aggregate" in query;
  const codeOf = (error: unknown) => (error as { readonly code: string }).code;
  const told = (has: unknown) => void (self.has = has);
  const options = { onError: (error: unknown) => told(codeOf(error)) };
  const self: Asker = {
    name: `${client === ann ? "Ann" : "the admin"}: ${collection} ${JSON.stringify(query)}`,
    has: null,
    fresh: () =>
      (isAggregate ? items.aggregate(query as AggregateQuery) : items.find(query as Query)).catch(codeOf),
    stop: isAggregate
      ? client.realtime.liveAggregate(collection, query as AggregateQuery, told, options)
      : client.realtime.liveQuery(collection, query as Query, told, options),
  };
  return self;
}

async function right(asker: Asker, change: string): Promise<void> {
  const end = Date.now() + 10_000;
  let fresh = await asker.fresh();
  while (!Bun.deepEquals(asker.has, fresh) && Date.now() < end) {
    await Bun.sleep(10);
    fresh = await asker.fresh();
  }
  const { name, has } = asker;
  expect({ change, name, has }).toEqual({ change, name, has: fresh });
}

const changes = (any: (most: number) => number): string => {
  const person = () => 1 + any(9);
  const club = () => 1 + any(3);
  const all = [
    `update people set name = 'p${any(99)}' where id = ${person()}`,
    `update people set age = ${20 + any(40)} where id = ${person()}`,
    `update people set "boss_Id" = nullif(${any(10)}, 0) where id = ${person()}`,
    `update people set "badge_Id" = ${any(5)} where id = ${person()}`,
    `update people set info = jsonb_set(coalesce(info, '{}'), '{city}', '"c${any(3)}"') where id = ${person()}`,
    `update people set account = (select account from people where account is not null limit 1) where id = ${person()}`,
    `insert into badges (id, code) values (${any(5)}, 'A') on conflict (id) do update set code = 'B' || ${any(9)}`,
    `delete from badges where id = ${any(5)}`,
    `update desks set label = 'd${any(9)}' where id = ${1 + any(4)}`,
    `update desks set "person_Id" = null where id = ${1 + any(4)}`,
    `update desks set "person_Id" = (select p.id from people p left join desks d on d."person_Id" = p.id where d.id is null order by md5(p.id || '${any(99)}') limit 1) where id = ${1 + any(4)}`,
    `insert into desks (label) values ('new')`,
    `insert into people_clubs (people_id, clubs_id) values (${person()}, ${club()}) on conflict do nothing`,
    `delete from people_clubs where people_id = ${person()} and clubs_id = ${club()}`,
    `update people_clubs set clubs_id = ${club()} where id = (select max(id) from people_clubs) and not exists (select from people_clubs x where x.clubs_id = ${club()})`,
    `update clubs set name = 'c${any(9)}' where id = ${club()}`,
    `insert into notes_about_junction (notes_id, collection, item_id) values (${1 + any(2)}, 'people', ${person()})`,
    `delete from notes_about_junction where id = (select min(id) from notes_about_junction)`,
    `update notes_about_junction set collection = case collection when 'people' then 'clubs' else 'people' end where id = (select max(id) from notes_about_junction)`,
    `update notes set body = 'b${any(9)}' where id = ${1 + any(2)}`,
    `insert into people (name, age, "boss_Id") values ('late', ${20 + any(40)}, ${person()})`,
    `delete from people where id = (select max(id) from people where id > 9)`,
  ];
  return all[any(all.length)] ?? "";
};

describe.each(["the log", "triggers"])("told by %s", (source) => {
  let server: ExternalServer | null = null;
  beforeAll(async () => {
    if (source === "triggers") server = await externalServer({ walLevel: "replica" });
    await setUp(server);
    expect(app.feed.status().source).toBe(server ? "triggers" : "log");
  }, 60_000);
  afterAll(async () => {
    for (const client of [admin, ann]) client.close();
    await app.close();
    await server?.stop();
  });

  test("each change leads to the answer of a fresh read", async () => {
    const askers = asked.flatMap(([collection, query]) => [
      ask(admin, collection, query),
      ...(["people", "clubs"].includes(collection) ? [ask(ann, collection, query)] : []),
    ]);
    for (const asker of askers) await right(asker, "at first");
    // No question is a mistake of this test.
    expect(askers.filter(({ name, has }) => name.startsWith("the admin") && typeof has === "string")).toEqual(
      [],
    );
    const seed = seedOfRun();
    const { below: any } = chance(seed);
    for (let round = 0; round < 40; round++) {
      const change = changes(any);
      await sql(change).catch(() => undefined);
      for (const asker of askers) await right(asker, `${seed}: ${change}`);
    }
    for (const { stop } of askers) stop();
  }, 60_000);
});
