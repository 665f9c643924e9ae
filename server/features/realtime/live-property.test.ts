/**
 * The promise of live queries, tried at random: whatever is written by whom, whoever gets other rights, whichever
 * connections break, once all is quiet each subscriber has what a fresh read gives it. Through the client's own state.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  type AggregateQuery,
  type Baasix,
  createBaasix,
  MemoryStorageAdapter,
  type PermissionInput,
  type Query,
} from "@baasix/sdk";
import { testAdmin, testApp, type TestApp } from "../../testing/app";
import { type Chance, chance, seedOfRun } from "../../testing/chance";
import { outsider } from "../../testing/postgres";
import { openWay, type Way } from "../../testing/way";

type Row = Record<string, unknown>;
type Answer = { readonly data: readonly Row[]; readonly totalCount?: number };

let app: TestApp;
let url: string;
/** Breaks sockets in the middle of what they carry. */
let way: Way;
let admin: Baasix;
const clients: Client[] = [];
/** Roles that the users change between; `user` is the one that they sign up with. */
let roles: readonly string[] = [];

const password = "a good password";
const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } as const;

/** A client with its user, and a way to break its connection. */
type Client = { readonly baasix: Baasix; readonly breakOff: () => void };

async function connect(
  credentials: { readonly email: string; readonly password: string },
  at = url,
): Promise<Client> {
  // Bun's own sockets break off without a word, as a cable does.
  let socket: (WebSocket & { readonly terminate?: () => void }) | null = null;
  const baasix = createBaasix({
    url: at,
    storage: new MemoryStorageAdapter(),
    webSocket: (address) => (socket = new WebSocket(address)),
  });
  await baasix.auth.login(credentials);
  const client = { baasix, breakOff: () => socket?.terminate?.() };
  clients.push(client);
  return client;
}

beforeAll(async () => {
  app = await testApp({ env: { DATABASE_POOL_MAX: "6" } });
  url = app.listen();
  const bytes = chance(1);
  way = await openWay(url, () => 2_000 + bytes.below(20_000));
  ({ baasix: admin } = await connect(testAdmin));
  await admin.schemas.create("teams", {
    name: "Team",
    timestamps: false,
    fields: { id: key, name: { type: "String" } },
  });
  await admin.schemas.create("tasks", {
    name: "Task",
    timestamps: false,
    paranoid: true,
    fields: {
      id: key,
      title: { type: "String" },
      done: { type: "Boolean", defaultValue: false },
      points: { type: "Integer", defaultValue: 1 },
      owner: { type: "UUID" },
      secret: { type: "String" },
      at: { type: "DateTime", defaultValue: { type: "NOW" } },
    },
  });
  await admin.schemas.createRelationship("tasks", {
    type: "M2O",
    name: "team",
    target: "teams",
    alias: "tasks",
    onDelete: "SET NULL",
  });
  await app.signUp("ann@example.com", password);
  await app.signUp("bob@example.com", password);
  const second = await admin.items("baasix_Role").create({ name: "second" });
  const { data } = await admin.items("baasix_Role").find({ filter: { name: "user" } });
  roles = [String(data[0]?.id), String(second)];
  for (const email of ["ann@example.com", "bob@example.com"]) await connect({ email, password });
  await connect({ email: "ann@example.com", password }, way.url);
}, 60_000);
afterAll(async () => {
  for (const { baasix } of clients) baasix.close();
  way.end();
  await app.close();
});

const count = { n: { function: "count", field: "*" }, sum: { function: "sum", field: "points" } } as const;
const lists: readonly Query[] = [
  {},
  { sort: ["-points", "title"], limit: 5 },
  { sort: "title", limit: 4, page: 2 },
  { filter: { done: true }, fields: ["id", "title"] },
  { filter: { owner: { eq: "$CURRENT_USER" } } },
  { filter: { "team.name": { in: ["a", "b"] } }, sort: ["team.name", "id"] },
  { fields: ["id", "title", "team.name", "team.tasks.title"], limit: 6 },
  { search: "w1", fields: ["title"] },
  { filter: { points: { gt: 3 } }, limit: 0 },
  { filter: { at: { gt: "$NOW-SECONDS_1" } }, fields: ["id"], sort: "-id", limit: 20 },
  { filter: { "team.tasks.points": { gt: 5 } }, fields: ["id", "team.name"], sort: "id" },
  { sort: "id", cursor: "", limit: 3, fields: ["id", "points"] },
  { paranoid: false, fields: ["id", "done"], count: "none" as never, limit: 8 },
];
const groups: readonly AggregateQuery[] = [
  { aggregate: count },
  { aggregate: count, groupBy: ["done"] },
  { aggregate: count, groupBy: ["team.name"], having: { n: { gt: 1 } }, sort: "-n" },
];

/** One who watches, and what it has. */
type Subscriber = {
  readonly name: string;
  readonly fresh: () => Promise<Answer | string>;
  readonly watch: () => void;
  readonly stop: () => void;
  state: Answer | string | null;
  heard: number;
  /** It was no mistake. */
  answered: boolean;
};

function subscriber({ baasix }: Client, chosen: number): Subscriber {
  const list = lists[chosen];
  const group = groups[chosen - lists.length];
  let stop = () => {};
  const told = (state: Answer | string): void => {
    self.state = state;
    self.heard++;
    self.answered ||= typeof state !== "string";
  };
  const options = { onError: ({ code }: { readonly code: string }) => told(code) };
  const self: Subscriber = {
    name: JSON.stringify(list ?? group),
    state: null,
    heard: 0,
    answered: false,
    fresh: async () => {
      try {
        if (list) return await baasix.items("tasks").find(list);
        return { data: await baasix.items("tasks").aggregate(group as AggregateQuery) };
      } catch (error) {
        return (error as { readonly code: string }).code;
      }
    },
    watch: () => {
      stop = list
        ? baasix.realtime.liveQuery("tasks", list, told, options)
        : baasix.realtime.liveAggregate("tasks", group as AggregateQuery, (data) => told({ data }), options);
    },
    stop: () => stop(),
  };
  self.watch();
  return self;
}

const psql = (...statements: string[]) => outsider(app.address, ...statements);

/** Something that happens. Refusals are part of it: an item may be gone. */
async function happen({ below: next, one: pick }: Chance): Promise<void> {
  const id = () => 1 + next(30);
  const task = (): Row => ({
    title: `w${next(4)} t${next(9)}`,
    done: next(2) === 0,
    points: next(7),
    team_Id: next(3) === 0 ? null : 1 + next(3),
    secret: `hush ${next(3)}`,
  });
  const sql = (): string =>
    pick([
      `update tasks set points = points + 1 where id % ${2 + next(4)} = 0`,
      `update tasks set owner = (select id from "baasix_User" order by random() limit 1) where id = ${id()}`,
      `update tasks set title = 'w${next(4)} sql' where id in (${id()}, ${id()})`,
      `update tasks set "deletedAt" = case when "deletedAt" is null then now() end where id = ${id()}`,
      `update teams set name = '${pick(["a", "b", "c"])}' where id = ${1 + next(3)}`,
      `insert into tasks (title, "team_Id") select 'w' || n, null from generate_series(1, ${1 + next(4)}) n`,
      `delete from tasks where id = (select id from tasks order by random() limit 1)`,
      `update tasks set secret = 'x' || id`,
      `update tasks set at = now() where id = ${id()}`,
      `begin; delete from tasks where id = ${id()}; update teams set name = 'gone'; rollback`,
      `begin; update tasks set "team_Id" = null where "team_Id" = 3; delete from teams where id = 3; insert into teams (id, name) values (3, 'c'); commit`,
    ]);
  const permission = async (): Promise<void> => {
    const { data } = await admin.permissions.find({ filter: { collection: { in: ["tasks", "teams"] } } });
    const known = pick(data);
    if (known && next(3) === 0) return void (await admin.permissions.delete(String(known.id)));
    const body: PermissionInput = {
      role_Id: pick(roles),
      collection: next(3) === 0 ? "teams" : "tasks",
      action: "read",
      fields: pick([["*"], ["*"], ["id", "title", "done", "points", "team_Id", "team.*", "owner"]]),
      conditions: pick<PermissionInput["conditions"]>([
        null,
        null,
        { points: { lt: 5 } },
        { owner: { eq: "$CURRENT_USER" } },
      ]),
    };
    await (known?.collection === body.collection && next(2) === 0
      ? admin.permissions.update(String(known.id), body)
      : admin.permissions.create(body));
  };
  /** What the log tells is missed for a moment, or it is too much to be told. */
  const gap = (): Promise<unknown> =>
    next(2) === 0
      ? psql(`select pg_terminate_backend(active_pid) from pg_replication_slots where active`)
      : psql(
          `begin; insert into tasks (id, title) select -n, 'bulk' from generate_series(1, 6000) n; delete from tasks where id < 0; update tasks set points = points + 1 where id = ${id()}; commit`,
        );
  const tasks = admin.items("tasks");
  await pick<() => Promise<unknown>>([
    () => tasks.create(task()),
    () => tasks.createMany([task(), task(), task()]),
    () => tasks.update(id(), task()),
    () => tasks.update(id(), { points: next(7) }),
    () => tasks.updateWhere({ done: true }, { points: next(7) }),
    () => tasks.delete(id()),
    () => admin.items("teams").update(1 + next(3), { name: pick(["a", "b", "c"]) }),
    () => psql(sql()),
    () => psql(sql()),
    () => psql(sql()),
    permission,
    () =>
      psql(
        `update "baasix_UserRole" set "role_Id" = '${pick(roles)}' where "role_Id" in ('${roles.join("','")}') and "user_Id" = (select id from "baasix_User" where email = '${pick(["ann", "bob"])}@example.com')`,
      ),
    async () => pick(clients).breakOff(),
    async () => way.cut(),
    gap,
  ])().catch(() => undefined);
}

/** Waits until a subscriber has what a fresh read gives; what it has at the end otherwise. */
async function settled(one: Subscriber): Promise<{ readonly has: unknown; readonly fresh: unknown }> {
  const deadline = Date.now() + 15_000;
  for (let turn = 0; ; turn++) {
    // oxlint-disable-next-line no-await-in-loop
    const fresh = await one.fresh();
    // A query that was refused is over; who still wants it asks again.
    if (typeof one.state === "string" && typeof fresh !== "string") {
      one.stop();
      one.state = null;
      one.watch();
    }
    if (Bun.deepEquals(one.state, fresh) || Date.now() > deadline) return { has: one.state, fresh };
    // Broken connections come back at once, and not as late as after so many breaks.
    if (turn % 10 === 0) dispatchEvent(new Event("online"));
    // oxlint-disable-next-line no-await-in-loop
    await Bun.sleep(20);
  }
}

test("after quiet, every subscriber has what a fresh read gives", async () => {
  const seed = seedOfRun();
  const random = chance(seed);
  await psql(
    `insert into teams (id, name) values (1, 'a'), (2, 'b'), (3, 'c')`,
    `insert into tasks (title, points, "team_Id", owner) select 'w' || n % 4 || ' t' || n, n % 7, 1 + n % 3,
     (select id from "baasix_User" where email = case n % 2 when 0 then 'ann@example.com' else 'bob@example.com' end)
     from generate_series(1, 25) n`,
  );
  for (const role_Id of roles) {
    for (const collection of ["tasks", "teams"]) {
      await admin.permissions.create({
        role_Id,
        collection,
        action: "read",
        fields: ["*"],
        conditions: null,
      });
    }
  }
  const subscribers = clients.flatMap((client) =>
    Array.from({ length: lists.length + groups.length }, (_, chosen) => subscriber(client, chosen)),
  );
  for (let round = 1; round <= 6; round++) {
    const together = 1 + random.below(4);
    // Else the rights would soon be gone for good.
    const role_Id = random.one(roles);
    // oxlint-disable-next-line no-await-in-loop
    await admin.permissions
      .create({ role_Id, collection: "tasks", action: "read", fields: ["*"], conditions: null })
      .catch(() => undefined);
    for (let step = 0; step < 10; step++) {
      // oxlint-disable-next-line no-await-in-loop
      await Promise.all(Array.from({ length: together }, () => happen(random)));
    }
    for (const one of subscribers) {
      // oxlint-disable-next-line no-await-in-loop
      const { has, fresh } = await settled(one);
      expect({ seed, round, query: one.name, has }).toEqual({ seed, round, query: one.name, has: fresh });
    }
  }
  // Each of the administrator's was answered at some time; others may never have had the right.
  const own = subscribers.slice(0, lists.length + groups.length);
  expect(own.filter(({ answered }) => !answered).map(({ name }) => name)).toEqual([]);
  const heard = subscribers.reduce((sum, one) => sum + one.heard, 0);
  expect(heard).toBeGreaterThan(5 * subscribers.length);
}, 120_000);
