/** Every door through which many items are written at once: the log, played back, gives the tables, whatever their keys. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { type AuditEntry, entriesOf, playBack } from "../../testing/audit";
import { openTwoTenants } from "../../testing/two-tenants";
import { removeOldEntries } from "./retention";

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const admin = async (method: string, path: string, body?: unknown): Promise<unknown> =>
  (await app.ok(method, path, body)).body;

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** How the entries of a collection lie: `action n` for each row of `baasix_AuditBulk`, in their order. */
async function together(entity: string): Promise<readonly string[]> {
  const rows = await app.database.run({
    text: `select action, n from "baasix_AuditBulk" where entity = $1 order by id`,
    params: [entity],
  });
  return rows.map(([action, n]) => `${String(action)} ${String(n)}`);
}

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const keys: readonly (readonly [type: string, keyOf: (n: number) => string | number])[] = [
  ["Integer", (n) => n],
  ["BigInt", (n) => String(9_007_199_254_740_993n + BigInt(n))],
  ["UUID", uuid],
  ["String", (n) => `it's "${n}", {null} \\ ü ${" ".repeat(n % 3)}`],
];

describe.each(keys)("keys of type %s", (type, keyOf) => {
  const name = `things_${type.toLowerCase()}`;
  const ids = (from: number, to: number) => range(from, to).map(keyOf);
  const path = `/items/${name}`;

  test("every door, with few and with many", async () => {
    const fields = {
      id: { type, primaryKey: true },
      code: { type: "String", unique: true },
      text: { type: "Text" },
      marks: { type: "JSON" },
    };
    await admin("POST", "/schemas", { collectionName: name, schema: { name, paranoid: true, fields } });
    const item = (n: number) => ({ id: keyOf(n), code: `c${n}`, text: n % 5 ? `t ${n}` : null, marks: [n] });
    for (const [from, to] of [
      [1, 1],
      [101, 120],
      [201, 221],
      [301, 428],
      [501, 629],
      [1001, 2000],
    ] as const)
      await admin("POST", `${path}/bulk`, range(from, to).map(item));
    const changed = ids(301, 340).map((id, n) => ({ id, text: n % 2 ? null : "new" }));
    await admin("PATCH", `${path}/bulk`, changed);
    await admin("PATCH", path, { filter: { code: { startsWith: "c5" } }, data: { text: "by filter" } });
    const upserted = range(420, 460).map((n) => ({ ...item(n), text: "put" }));
    await admin("PUT", path, { on: "code", data: upserted });
    await admin("POST", `${path}/import-json`, range(3001, 3030).map(item));
    await admin("POST", "/transaction", {
      operations: range(4001, 4025).map((n) => ({ action: "create", collection: name, data: item(n) })),
    });
    await admin("DELETE", `${path}/bulk`, ids(1001, 1150));
    await admin("POST", `${path}/restore`, ids(1001, 1030));
    await admin("POST", `${path}/restore`, ids(1001, 1040));
    await admin("DELETE", `${path}/bulk?permanent=true`, ids(201, 221));
    await admin("DELETE", path, { filter: { code: { startsWith: "c6" } } });
    await playBack(app, name);
    const told = (await entriesOf(app, name)).map(({ action }) => action);
    expect(told.filter((action) => action === "restore")).toHaveLength(40);
    expect((await together(name)).filter((row) => row.startsWith("restore"))).toEqual([
      "restore 30",
      "restore 10",
    ]);
  });

  test("what happened to one item is found by its key, and nothing else", async () => {
    for (const n of [301, 1001, 205, 3005]) {
      const filter = encodeURIComponent(JSON.stringify({ entity: name, entityId: String(keyOf(n)) }));
      const { data } = (await admin("GET", `/items/baasix_AuditLog?filter=${filter}&sort=id`)) as {
        data: readonly AuditEntry[];
      };
      const whole = (await entriesOf(app, name)).filter(({ entityId }) => entityId === String(keyOf(n)));
      expect(data).toEqual(whole);
      expect(data.length).toBeGreaterThan(n === 3005 ? 0 : 1);
    }
  });
});

test("items inside items", async () => {
  const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
  for (const collectionName of ["boxes", "balls"])
    await admin("POST", "/schemas", {
      collectionName,
      schema: { name: collectionName, fields: { id, name: { type: "String" } } },
    });
  await admin("POST", "/schemas/balls/relationships", {
    type: "M2O",
    name: "box",
    target: "boxes",
    alias: "balls",
    onDelete: "CASCADE",
  });
  const balls = range(1, 150).map((n) => ({ name: `ball ${n}` }));
  await admin("POST", "/items/boxes", { name: "Big", balls });
  await admin(
    "POST",
    "/items/boxes/bulk",
    range(1, 40).map((n) => ({ name: `Box ${n}`, balls: [{ name: "own" }] })),
  );
  await admin("PATCH", "/items/boxes/1", {
    balls: { detach: range(1, 30), update: [{ id: 31, name: "31" }] },
  });
  await admin("DELETE", "/items/boxes/bulk", range(1, 30));
  await playBack(app, "boxes", "balls");
  expect(await together("balls")).toContain("create 128");
});

test("two bulks at once, and one that fails amid them", async () => {
  const bulk = (from: number) => range(from, from + 199).map((n) => ({ id: n, code: `d${n}` }));
  const path = "/items/things_integer/bulk";
  const post = (bodies: readonly object[]) => app.call("POST", path, { token: app.admin, body: bodies });
  const answers = await Promise.all([
    post(bulk(10_000)),
    post(bulk(20_000)),
    post([...bulk(30_000), { id: 10_000, code: "d10000", text: "there" }, { id: 30_000, code: "twice" }]),
    post(bulk(40_000)),
  ]);
  expect(answers.map(({ status }) => status < 300)).toEqual([true, true, false, true]);
  await playBack(app, "things_integer");
  const ids = (await entriesOf(app, "things_integer")).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("long values: no row holds more than a document can", async () => {
  const fields = { id: { type: "Integer", primaryKey: true }, text: { type: "Text" } };
  await admin("POST", "/schemas", { collectionName: "scrolls", schema: { name: "Scroll", fields } });
  const long = range(1, 21).map((id) => ({ id, text: `${id} `.padEnd(820_000, "x") }));
  await admin("POST", "/items/scrolls/bulk", long);
  const short = long.map(({ id }) => ({ id, text: "short" }));
  await admin("PATCH", "/items/scrolls/bulk", short);
  await playBack(app, "scrolls");
  await admin("DELETE", "/items/scrolls/bulk", range(1, 21));
  await playBack(app, "scrolls");
  expect(await together("scrolls")).toEqual(["create 21", "update 20", "update 1", "delete 21"]);
});

test("an entry lies with those of its tenant, and ends when its time is over, not before", async () => {
  const two = await openTwoTenants();
  try {
    const { A, B } = two.tenants;
    const owners = [A, B, null] as const;
    const bodies = range(1, 200).map((n) => ({ text: `${n}`, tenant_Id: owners[n % 3] }));
    const made = await two.as("root", "POST /items/notes/bulk", bodies);
    expect(made.status).toBe(201);
    const own = await two.as(
      "ann",
      "POST /items/notes/bulk",
      bodies.slice(0, 30).map(({ text }) => ({ text })),
    );
    expect(own.status).toBe(201);
    for (const [tenant_Id, total] of [
      [A, 66 + 30],
      [B, 67],
      [{ isNull: true }, 67],
    ] as const) {
      const filter = encodeURIComponent(JSON.stringify({ entity: "notes", tenant_Id }));
      const answer = await two.as("root", `GET /items/baasix_AuditLog?filter=${filter}&limit=-1`);
      const { data, totalCount } = answer.body as { data: readonly AuditEntry[]; totalCount: number };
      expect([data.length, totalCount]).toEqual([total, total]);
      const told = typeof tenant_Id === "string" ? tenant_Id : null;
      expect(data.map(({ changes }) => changes.after?.tenant_Id)).toEqual(data.map(() => told));
    }
    expect((await two.as("ann", "GET /items/baasix_AuditLog")).status).toBe(403);

    const [row] = await two.database.run({
      text: `update "baasix_AuditBulk" set "createdAt" = '2026-01-01T00:00:00Z' where "tenant_Id" = $1::uuid returning n`,
      params: [B],
    });
    expect(Number(row?.[0])).toBeLessThanOrEqual(67);
    const days = (time: string): number => Date.parse(time) + 86_400_000;
    expect(await removeOldEntries(two.data, days("2026-01-01T00:00:00.000Z"), 1)).toBe(0);
    expect(await removeOldEntries(two.data, days("2026-01-01T00:00:00.001Z"), 1)).toBe(67);
  } finally {
    await two.close();
  }
});
