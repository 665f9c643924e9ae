/** Moving and reordering over HTTP, by whom and among what; and that places stay whole when everybody sorts at once. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openSnapshot } from "../../data";
import { testApp, type TestApp } from "../../testing/app";
import { chance } from "../../testing/chance";

let app: TestApp;
let ann: string;
let bob: string;
let user: string;

const key = { type: "Integer", primaryKey: true } as const;

beforeAll(async () => {
  app = await testApp();
  ann = (await app.signUp("ann@example.com")).token;
  bob = (await app.signUp("bob@example.com")).token;
  user = await app.roleId("user");
  for (const [collectionName, rest] of [
    ["steps", { sortEnabled: true, fields: { id: key, owner: { type: "String" } } }],
    ["parallel", { sortEnabled: true, fields: { id: { ...key, defaultValue: { type: "AUTOINCREMENT" } } } }],
    ["plain", { fields: { id: key } }],
    ["kept", { sortEnabled: true, paranoid: true, fields: { id: key, label: { type: "String" } } }],
    ["uniquely", { fields: { id: key, sort: { type: "Integer", unique: true } } }],
    ["named", { sortEnabled: true, fields: { id: { type: "String", primaryKey: true } } }],
  ] as const) {
    await done("POST", "/schemas", { collectionName, schema: { name: collectionName, ...rest } }, 201);
  }
  for (const action of ["create", "read", "update"]) {
    const conditions = action === "update" ? { owner: { in: ["ann"] } } : {};
    const permission = { role_Id: user, collection: "steps", action, fields: ["*"], conditions };
    await done("POST", "/permissions", permission, 201);
  }
});
afterAll(() => app.close());

async function done(
  method: string,
  path: string,
  body?: unknown,
  status = 200,
  token = app.admin,
): Promise<unknown> {
  const answer = await app.call(method, path, { token, body });
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return (answer.body as { data?: unknown } | null)?.data;
}

type Item = { readonly id: number | string; readonly sort: number | null; readonly owner?: string | null };

/** Makes a collection hold these items, and new ones begin behind them. */
async function put(collection: string, items: readonly Item[]): Promise<void> {
  const begin = `select setval(pg_get_serial_sequence('${collection}', 'sort'), 0)`;
  for (const text of [`delete from "${collection}"`, begin]) await app.database.run({ text, params: [] });
  await app.data.create({ kind: "system", reason: "a test" }, collection, items);
}

/** The ids in their order. */
async function order(collection: string): Promise<readonly unknown[]> {
  return (await items(collection)).map(({ id }) => id);
}

async function items(collection: string): Promise<readonly Item[]> {
  return (await done("GET", `/items/${collection}?fields=id,sort&sort=sort,id&limit=-1`)) as Item[];
}

const numbered = (n: number, owner = "ann"): readonly Item[] =>
  Array.from({ length: n }, (_, i) => ({ id: i + 1, sort: (i + 1) * 10, owner }));

describe("a move", () => {
  test.each<
    readonly [item: number, to: number, mode: string | undefined, ids: readonly number[], newSort: number]
  >([
    [4, 2, undefined, [1, 4, 2, 3, 5], 20],
    [4, 2, "before", [1, 4, 2, 3, 5], 20],
    [4, 2, "after", [1, 2, 4, 3, 5], 30],
    [1, 5, "before", [2, 3, 4, 1, 5], 40],
    [1, 5, "after", [2, 3, 4, 5, 1], 50],
    [5, 1, "before", [5, 1, 2, 3, 4], 10],
    [2, 3, "before", [1, 2, 3, 4, 5], 20],
    [3, 2, "after", [1, 2, 3, 4, 5], 30],
    [3, 3, "after", [1, 2, 3, 4, 5], 30],
  ])("of %p to %p, %s", async (item, to, mode, ids, newSort) => {
    await put("steps", numbered(5));
    const answer = await done("POST", "/utils/sort/steps", { item, to, ...(mode && { mode }) });
    expect(answer).toEqual({ item, collection: "steps", newSort });
    const after = await items("steps");
    expect(after.map(({ id }) => id)).toEqual([...ids]);
    expect(after.map(({ sort }) => sort)).toEqual([10, 20, 30, 40, 50]);
  });

  test.each<
    readonly [
      items: readonly (number | null)[],
      item: number,
      to: number,
      mode: string,
      sorts: readonly (number | null)[],
    ]
  >([
    // The places of the items 1, 2, … before and after.
    [[null, null, null, null], 3, 1, "before", [2, 3, 1, null]],
    [[1, 2, null, null, null], 4, 1, "after", [1, 3, 4, 2, null]],
    [[1, 1, 1, 2, 3, 9], 3, 2, "before", [1, 3, 2, 4, 5, 9]],
    [[5, 5, 5, 5], 4, 1, "before", [6, 7, 8, 5]],
    [[1, 2, 2, 3], 1, 2, "after", [2, 1, 3, 4]],
    [[7, 7, null], 3, 1, "before", [8, 9, 7]],
    [[-5, 0, 3], 3, 1, "before", [0, 3, -5]],
  ])("among places %p: %p to %p, %s", async (before, item, to, mode, sorts) => {
    await put(
      "steps",
      before.map((sort, i) => ({ id: i + 1, sort, owner: "ann" })),
    );
    await done("POST", "/utils/sort/steps", { item, to, mode });
    const after = new Map((await items("steps")).map(({ id, sort }) => [id, sort]));
    expect(before.map((_, i) => after.get(i + 1) ?? null)).toEqual([...sorts]);
  });

  test("passes over items that were deleted softly, which keep their places", async () => {
    await put(
      "kept",
      numbered(4).map(({ id, sort }) => ({ id, sort })),
    );
    await done("DELETE", "/items/kept/2");
    await done("POST", "/utils/sort/kept", { item: 1, to: 4, mode: "after" });
    expect(await order("kept")).toEqual([3, 4, 1]);
    await done("POST", "/items/kept/2/restore");
    expect((await items("kept")).map(({ id, sort }) => [id, sort])).toEqual([
      [3, 10],
      [2, 20],
      [4, 30],
      [1, 40],
    ]);
  });

  test("takes keys of text, and thousands of items", async () => {
    const many = Array.from({ length: 2500 }, (_, i) => ({ id: `k${i}`, sort: i + 1 }));
    await put("named", many.slice(0, 1000));
    for (const from of [1000, 2000])
      await app.data.create({ kind: "system", reason: "a test" }, "named", many.slice(from, from + 1000));
    await done("POST", "/utils/sort/named", { item: "k2499", to: "k0" });
    const [row] = await app.database.run({
      text: `select count(*)::int, count(distinct sort)::int, min(sort), max(sort), (select id from named where sort = 1), (select id from named where sort = 2500) from named`,
      params: [],
    });
    expect(row).toEqual([2500, 2500, 1, 2500, "k2499", "k2498"]);
  });

  test("is told by the audit log, item by item", async () => {
    await put("steps", numbered(4));
    await done("POST", "/utils/sort/steps", { item: 3, to: 1 });
    const log = await done(
      "GET",
      '/items/baasix_AuditLog?filter={"entity":"steps","action":"update"}&sort=-id&limit=3&fields=entityId,changes',
    );
    const changes = (log as { entityId: string; changes: { before: Item; after: Item } }[]).map((entry) => [
      entry.entityId,
      entry.changes.before.sort,
      entry.changes.after.sort,
    ]);
    expect(changes.toSorted()).toEqual([
      ["1", 10, 20],
      ["2", 20, 30],
      ["3", 30, 10],
    ]);
  });
});

describe("reorder", () => {
  test.each<
    readonly [before: readonly (number | null)[], ids: readonly number[], sorts: readonly (number | null)[]]
  >([
    [
      [10, 20, 30, 40],
      [4, 2],
      [10, 40, 30, 20],
    ],
    [
      [10, 20, 30, 40],
      [3, 1, 2, 4],
      [20, 30, 10, 40],
    ],
    [[10, 20, 30, 40], [2], [10, 20, 30, 40]],
    [[10, 20, 30, 40], [], [10, 20, 30, 40]],
    [
      [1, 1, 1, 2],
      [3, 1],
      [3, 2, 1, 4],
    ],
    [
      [1, 1, 2],
      [3, 2],
      [1, 3, 2],
    ],
    [
      [null, 4, null, 6],
      [3, 1],
      [8, 4, 7, 6],
    ],
  ])("%p by %p", async (before, ids, sorts) => {
    await put(
      "steps",
      before.map((sort, i) => ({ id: i + 1, sort, owner: "ann" })),
    );
    expect(await done("POST", "/items/steps/reorder", { ids })).toEqual([...ids]);
    const after = new Map((await items("steps")).map(({ id, sort }) => [id, sort]));
    expect(before.map((_, i) => after.get(i + 1) ?? null)).toEqual([...sorts]);
  });
});

describe("items of others", () => {
  // Ann may update 1, 3 and 5; all may be read.
  const mixed: readonly Item[] = numbered(5).map((item) => ({
    ...item,
    owner: Number(item.id) % 2 === 1 ? "ann" : "bob",
  }));

  test.each<readonly [item: number, to: number, mode: string, ids: readonly number[] | 409]>([
    [5, 1, "before", [5, 2, 1, 4, 3]],
    [1, 3, "after", [3, 2, 1, 4, 5]],
    // Next to an item of Bob's: the nearest place of Ann's on that side.
    [1, 4, "after", [3, 2, 5, 4, 1]],
    [5, 2, "before", [5, 2, 1, 4, 3]],
    [5, 4, "before", [1, 2, 5, 4, 3]],
    [1, 4, "before", [3, 2, 1, 4, 5]],
    [3, 4, "before", [1, 2, 3, 4, 5]],
    [5, 4, "after", [1, 2, 3, 4, 5]],
  ])("keep their places: %p to %p, %s", async (item, to, mode, ids) => {
    await put("steps", mixed);
    await done("POST", "/utils/sort/steps", { item, to, mode }, 200, ann);
    expect(await order("steps")).toEqual([...(ids as number[])]);
  });

  test("leave no place at the ends", async () => {
    for (const [sorted, to, mode] of [
      [[2, 1, 3], 2, "before"],
      [[1, 3, 2], 2, "after"],
    ] as const) {
      await put(
        "steps",
        sorted.map((id, i) => ({ id, sort: i + 1, owner: id === 2 ? "bob" : "ann" })),
      );
      const answer = await app.call("POST", "/utils/sort/steps", { token: ann, body: { item: 3, to, mode } });
      expect([answer.status, answer.text]).toEqual([
        409,
        expect.stringContaining(`no place ${mode} that item`),
      ]);
      expect(await order("steps")).toEqual([...sorted]);
    }
  });
});

describe("refused", () => {
  const move = { item: 1, to: 2 };
  const missing = "Missing item ID to sort";
  test.each<
    readonly [
      who: string,
      token: () => string | undefined,
      path: string,
      body: unknown,
      status: number,
      message: string,
    ]
  >([
    ["nobody", () => undefined, "/utils/sort/steps", move, 401, "Authentication required"],
    ["nobody", () => undefined, "/items/steps/reorder", { ids: [1] }, 401, "Authentication required"],
    ["Ann", () => ann, "/utils/sort/plain", move, 403, "You don't have permission to sort items in 'plain'"],
    [
      "Ann",
      () => ann,
      "/items/plain/reorder",
      { ids: [1] },
      403,
      "You don't have permission to sort items in 'plain'",
    ],
    ["Ann", () => ann, "/utils/sort/steps", { item: 3, to: 1 }, 404, "Item with ID 3 not found"],
    ["Ann", () => ann, "/items/steps/reorder", { ids: [1, 3] }, 404, "Item with ID 3 not found"],
    ["the admin", () => app.admin, "/utils/sort/steps", {}, 400, missing],
    ["the admin", () => app.admin, "/utils/sort/steps", [], 400, missing],
    ["the admin", () => app.admin, "/utils/sort/steps", { to: 1 }, 400, missing],
    ["the admin", () => app.admin, "/utils/sort/steps", { item: 1 }, 400, "Missing target ID to sort to"],
    [
      "the admin",
      () => app.admin,
      "/utils/sort/steps",
      { ...move, mode: "under" },
      400,
      "Request body must be",
    ],
    ["the admin", () => app.admin, "/utils/sort/steps", { item: "x", to: 1 }, 400, "id: expected"],
    [
      "the admin",
      () => app.admin,
      "/utils/sort/plain",
      move,
      400,
      "Collection 'plain' does not have a sort field",
    ],
    ["the admin", () => app.admin, "/utils/sort/uniquely", move, 400, "a unique rule holds its field 'sort'"],
    ["the admin", () => app.admin, "/utils/sort/baasix_User", move, 400, "does not have a sort field"],
    ["the admin", () => app.admin, "/utils/sort/nowhere", move, 404, "Collection 'nowhere' does not exist"],
    ["the admin", () => app.admin, "/utils/sort/steps", { item: 9, to: 1 }, 404, "Item with ID 9 not found"],
    [
      "the admin",
      () => app.admin,
      "/utils/sort/steps",
      { item: 1, to: 9 },
      404,
      "Target item with ID 9 not found",
    ],
    ["the admin", () => app.admin, "/items/steps/reorder", { ids: [1, 9] }, 404, "Item with ID 9 not found"],
    ["the admin", () => app.admin, "/items/steps/reorder", { ids: [1, 1] }, 400, "named twice"],
    ["the admin", () => app.admin, "/items/steps/reorder", [1], 400, "Request body must be"],
    [
      "the admin",
      () => app.admin,
      "/items/steps/reorder?dryRun=true",
      { ids: [1, 2] },
      400,
      "unknown parameter",
    ],
    [
      "the admin",
      () => app.admin,
      "/utils/sort/steps?before=1",
      { item: 1, to: 2 },
      400,
      "unknown parameter",
    ],
    [
      "the admin",
      () => app.admin,
      "/items/steps/reorder",
      { ids: Array.from({ length: 1001 }, (_, i) => i) },
      400,
      "at most 1000",
    ],
  ])("%s %p: %s (%#)", async (_who, token, path, body, status, message) => {
    await put(
      "steps",
      numbered(3).map((item) => ({ ...item, owner: item.id === 3 ? "bob" : "ann" })),
    );
    const given = token();
    const answer = await app.call("POST", path, { ...(given !== undefined && { token: given }), body });
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(message)]);
    expect(await order("steps")).toEqual([1, 2, 3]);
  });

  test("who may update, but not the field sort; who may not see the target or where it stands", async () => {
    const rights = (await done("GET", "/items/baasix_Permission?filter[collection]=steps&limit=-1")) as {
      id: string;
      action: string;
      fields: string[];
      conditions: object;
    }[];
    const attempt = async (action: string, change: object, body: object, path = "/utils/sort/steps") => {
      const right = rights.find((one) => one.action === action);
      await done("PATCH", `/permissions/${right?.id}`, change);
      await put("steps", numbered(3));
      const answer = await app.call("POST", path, { token: bob, body });
      await done("PATCH", `/permissions/${right?.id}`, {
        fields: right?.fields,
        conditions: right?.conditions,
      });
      expect(await order("steps")).toEqual([1, 2, 3]);
      return [answer.status, (answer.body as { error: { message: string } }).error.message];
    };
    const sorting = "You don't have permission to sort items in 'steps'";
    expect(await attempt("update", { fields: ["owner"] }, { item: 1, to: 2 })).toEqual([403, sorting]);
    expect(await attempt("update", { fields: ["owner"] }, { ids: [2, 1] }, "/items/steps/reorder")).toEqual([
      403,
      sorting,
    ]);
    expect(await attempt("read", { conditions: { id: { ne: 2 } } }, { item: 1, to: 2 })).toEqual([
      404,
      "Target item with ID 2 not found",
    ]);
    expect(await attempt("read", { fields: ["id"] }, { item: 1, to: 2 })).toEqual([
      403,
      expect.stringContaining("sort"),
    ]);
    // A condition that the item would not meet on its new place.
    expect(
      await attempt(
        "update",
        { conditions: { OR: [{ sort: { lte: 20 } }, { id: { ne: 1 } }] } },
        { item: 1, to: 3, mode: "after" },
      ),
    ).toEqual([403, expect.stringContaining("permission to update this item")]);
  });
});

describe("at once", () => {
  test("64 creates, moves and reorders leave every place once and lose no item", async () => {
    await put(
      "parallel",
      Array.from({ length: 20 }, (_, i) => ({ id: 1000 + i, sort: i + 1 })),
    );
    // The same moves at each run.
    const { below: random } = chance(20_261_120);
    const any = (): number => 1000 + random(20);
    const calls = Array.from({ length: 64 }, (_, i) => {
      if (i % 4 === 0) return app.call("POST", "/items/parallel", { token: app.admin, body: {} });
      if (i % 16 === 1) {
        const body = Array.from({ length: 100 }, () => ({}));
        return app.call("POST", "/items/parallel/bulk", { token: app.admin, body });
      }
      if (i % 4 === 1) {
        const ids = [...new Set([any(), any(), any(), any(), any()])];
        return app.call("POST", "/items/parallel/reorder", { token: app.admin, body: { ids } });
      }
      const body = { item: any(), to: any(), mode: random(2) === 0 ? "before" : "after" };
      return app.call("POST", "/utils/sort/parallel", { token: app.admin, body });
    });
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status).filter((status) => status >= 300)).toEqual([]);
    const [row] = await app.database.run({
      text: `select count(*)::int, count(distinct sort)::int, min(sort), max(sort), (select count(*)::int from parallel where id >= 1000 and sort between 1 and 20) from parallel`,
      params: [],
    });
    const all = 20 + 16 + 4 * 100;
    expect(row).toEqual([all, all, 1, all, 20]);
  });

  test("among items of equal places, and of none, too", async () => {
    await put(
      "parallel",
      Array.from({ length: 20 }, (_, i) => ({ id: 1000 + i, sort: i < 10 ? 3 : null })),
    );
    const answers = await Promise.all(
      Array.from({ length: 48 }, (_, i) => {
        if (i % 2 === 0) return app.call("POST", "/items/parallel", { token: app.admin, body: {} });
        const body = { item: 1000 + ((i * 7) % 20), to: 1000 + ((i * 3) % 20) };
        return app.call("POST", "/utils/sort/parallel", { token: app.admin, body });
      }),
    );
    expect(answers.map(({ status }) => status).filter((status) => status >= 300)).toEqual([]);
    const ids = Array.from({ length: 20 }, (_, i) => 1000 + i);
    await done("POST", "/items/parallel/reorder", { ids });
    const all = await items("parallel");
    expect([all.length, new Set(all.map(({ sort }) => sort)).size]).toEqual([44, 44]);
    expect(all.filter(({ id }) => Number(id) >= 1000).map(({ id }) => id)).toEqual(ids);
  });

  test("a create does not wait for one that is not committed, nor gets its place", async () => {
    await put("parallel", []);
    const by = { kind: "system", reason: "a test" } as const;
    await app.data.transaction(async (rows) => {
      const [first] = await rows.create(by, "parallel", [{}]);
      const [given] = await rows.create(by, "parallel", [{ sort: 500 }]);
      const [other] = await app.data.create(by, "parallel", [{}]);
      expect(await items("parallel")).toEqual([{ id: Number(other), sort: 501 }]);
      const own = await rows.find<Item>(by, "parallel", { fields: ["id", "sort"], sort: ["sort"] });
      expect(own.map(({ id }) => id)).toEqual([Number(first), Number(given), Number(other)]);
    });
  });

  test("a place that was given for nothing is passed over; where they run out, they begin behind the highest", async () => {
    await put("parallel", [{ id: 1, sort: 1 }]);
    const create = (body: object) => app.call("POST", "/items/parallel", { token: app.admin, body });
    expect((await create({ id: 1 })).status).toBe(409);
    expect((await create({ id: 1, sort: 2_147_483_647 })).status).toBe(409);
    expect((await create({ id: 2 })).status).toBe(201);
    expect((await create({ id: 3, sort: 2_147_483_647 })).status).toBe(201);
    expect((await create({ id: 4 })).status).toBe(201);
    for (const id of [3, 4]) await done("PATCH", `/items/parallel/${id}`, { sort: id + 4 });
    expect((await create({ id: 5 })).status).toBe(201);
    expect((await items("parallel")).map(({ id, sort }) => [id, sort])).toEqual([
      [1, 1],
      [2, 2],
      [3, 7],
      [4, 8],
      [5, 9],
    ]);
  });

  test("who puts an item at the very end keeps nobody from creating more", async () => {
    const last = 2_147_483_647;
    await put("parallel", [{ id: 1, sort: last }]);
    await done("POST", "/items/parallel", { id: 2 }, 201);
    await done("POST", "/items/parallel/bulk", [{ id: 3 }, { id: 4, sort: 7 }, { id: 5 }], 201);
    expect((await items("parallel")).map(({ id, sort }) => [id, sort])).toEqual([
      [4, 7],
      ...[1, 2, 3, 5].map((id) => [id, last]),
    ]);
  });

  test("items that go, change and come back meanwhile are in nobody's way", async () => {
    await put(
      "kept",
      Array.from({ length: 24 }, (_, i) => ({ id: i + 1, sort: i + 1 })),
    );
    const call = (method: string, path: string, body?: unknown) =>
      app.call(method, path, { token: app.admin, ...(body !== undefined && { body }) });
    const forth = Array.from({ length: 24 }, (_, i) => i + 1);
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, i) => {
        const id = ((i * 5) % 24) + 1;
        // The last four go.
        if (i % 16 === 7) return call("DELETE", `/items/kept/${21 + (i >> 4)}`);
        if (i % 4 === 1) {
          const ids = i % 8 === 1 ? forth.slice(0, 20) : forth.slice(0, 20).toReversed();
          return call(
            "PATCH",
            "/items/kept/bulk",
            ids.map((one) => ({ id: one, data: { label: `${i}` } })),
          );
        }
        if (i % 4 === 2) return call("POST", "/items/kept/reorder", { ids: [id, 1 + (id % 20)] });
        return call("POST", "/utils/sort/kept", { item: id, to: ((i * 11) % 24) + 1, mode: "after" });
      }),
    );
    // An item that is gone is not found; nothing else goes wrong.
    expect(answers.filter(({ status }) => status >= 300 && status !== 404).map(({ text }) => text)).toEqual(
      [],
    );
    const [row] = await app.database.run({
      text: `select count(*)::int, count(distinct sort)::int, min(sort), max(sort), count("deletedAt")::int from kept`,
      params: [],
    });
    expect(row).toEqual([24, 24, 1, 24, 4]);
  });

  test("creates get rising places of their own, also beside those that bring one along", async () => {
    await put("parallel", []);
    // Far apart: a place that was given to another item already would be what its writer wants.
    const bodies = Array.from({ length: 64 }, (_, i) => {
      if (i % 8 === 7) return [{}, { sort: 5000 * i }, {}, {}];
      return i % 8 === 3 ? [{ sort: 5000 * i }] : [{}];
    });
    const made = await Promise.all(
      bodies.map((body) => app.call("POST", "/items/parallel/bulk", { token: app.admin, body })),
    );
    expect(made.map(({ status }) => status)).toEqual(made.map(() => 201));
    const stored = new Map((await items("parallel")).map(({ id, sort }) => [id, sort]));
    expect(new Set(stored.values()).size).toBe(stored.size);
    made.forEach(({ body }, i) => {
      const places = (body as { data: number[] }).data.map((id) => stored.get(id) ?? 0);
      const given = (bodies[i] ?? []).map((one) => ("sort" in one ? (one.sort ?? null) : null));
      const free = places.filter((_, n) => given[n] === null);
      expect(places.filter((_, n) => given[n] !== null)).toEqual(given.flatMap((sort) => sort ?? []));
      expect(free).toEqual(free.toSorted((a, b) => a - b));
    });
  });
});

describe("places follow the schema", () => {
  test("a collection that is sorted later, called anew, and then asks for a place", async () => {
    const fields = { id: key, name: { type: "String" } };
    await done("POST", "/schemas", { collectionName: "later", schema: { name: "Later", fields } }, 201);
    await done("POST", "/items/later/bulk", [{ id: 1 }, { id: 2 }], 201);
    await done("PATCH", "/schemas/later", { schema: { name: "Later", sortEnabled: true, fields } });
    await done("POST", "/items/later", { id: 3 }, 201);
    expect(await items("later")).toEqual([
      { id: 3, sort: 1 },
      { id: 1, sort: null },
      { id: 2, sort: null },
    ]);
    await done("POST", "/utils/sort/later", { item: 1, to: 3 });
    await done("POST", "/schemas/later/rename", { to: "renamed" });
    await done("POST", "/items/renamed", { id: 4 }, 201);
    expect(await order("renamed")).toEqual([1, 3, 4, 2]);
    const required = { ...fields, sort: { type: "Integer", allowNull: false } };
    await done("PATCH", "/schemas/renamed?force=true", {
      schema: { name: "Later", sortEnabled: true, fields: required },
    });
    expect(await order("renamed")).toEqual([1, 3, 4, 2]);
    expect(new Set((await items("renamed")).map(({ sort }) => sort)).size).toBe(4);
    await done("POST", "/items/renamed", { id: 5 }, 201);
    expect(await order("renamed")).toEqual([1, 3, 4, 2, 5]);
  });
});

test("a start on a table without a sequence makes one", async () => {
  await put("parallel", [{ id: 7, sort: 40 }]);
  const sequence = `do $$ begin execute 'drop sequence ' || pg_get_serial_sequence('parallel', 'sort'); end $$`;
  await app.database.run({ text: sequence, params: [] });
  await openSnapshot(app.database);
  const made = await Promise.all(
    [1, 2, 3, 4].map((id) => app.call("POST", "/items/parallel", { token: app.admin, body: { id } })),
  );
  expect(made.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  expect((await items("parallel")).map(({ sort }) => sort)).toEqual([40, 41, 42, 43, 44]);
});

describe("the routes", () => {
  test("take effect once under a key", async () => {
    await put("steps", numbered(3));
    const again = { token: app.admin, body: { item: 3, to: 1 }, headers: { "idempotency-key": "move-3" } };
    const [first, second] = [
      await app.call("POST", "/utils/sort/steps", again),
      await app.call("POST", "/utils/sort/steps", again),
    ];
    expect([second.status, second.body]).toEqual([first.status, first.body]);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(await order("steps")).toEqual([3, 1, 2]);
  });

  test("are described to those with an account", async () => {
    const paths = async (token?: string) => {
      const answer = await app.call("GET", "/openapi.json", token === undefined ? {} : { token });
      return Object.keys((answer.body as { paths: object }).paths).filter((path) =>
        /sort|reorder/.test(path),
      );
    };
    expect(await paths(ann)).toEqual(["/utils/sort/{collection}", "/items/{collection}/reorder"]);
    expect(await paths()).toEqual([]);
  });
});
