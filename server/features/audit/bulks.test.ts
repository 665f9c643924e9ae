/** Entries of bulks lie together, and are read by every door as if each lay by itself. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import type { AuditEntry } from "../../testing/audit";
import { removeOldEntries } from "./retention";

let app: TestApp;

const log = "baasix_AuditLog";
const day = 86_400_000;
const count = 300;
const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

const admin = async (method: string, path: string, body?: unknown): Promise<unknown> =>
  (await app.ok(method, path, body)).body;

/** Entries and their total by a query. */
async function told(
  query: Readonly<Record<string, unknown>>,
): Promise<{ data: readonly AuditEntry[]; totalCount: number }> {
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  const search = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, text(value)]));
  return (await admin("GET", `/items/${log}?${search.toString()}`)) as {
    data: readonly AuditEntry[];
    totalCount: number;
  };
}

const summary = (entries: readonly AuditEntry[]): readonly string[] =>
  entries.map(({ action, entity, entityId }) => `${action} ${entity} ${entityId}`);

const item = (id: number) => ({
  id,
  name: `Item ${id}`,
  price: "12345678901234567.25",
  pages: "9007199254740993",
  ratio: id / 4,
  on: id % 2 === 0,
  day: "2026-11-20",
  marks: id % 3 === 0 ? null : { a: [id, null], b: { c: "x" } },
  words: id % 2 === 0 ? ["x", 'y"'] : [],
  span: { lower: "2026-01-01", upper: "2026-02-01", lowerInclusive: true, upperInclusive: true },
});

beforeAll(async () => {
  app = await testApp();
  const fields = {
    id: { type: "Integer", primaryKey: true },
    name: { type: "String" },
    price: { type: "Decimal", values: { precision: 20, scale: 2 } },
    pages: { type: "BigInt" },
    ratio: { type: "Double" },
    on: { type: "Boolean" },
    day: { type: "Date" },
    marks: { type: "JSONB" },
    words: { type: "Array", values: { type: "String" } },
    span: { type: "Range", values: { type: "Date" } },
  };
  await admin("POST", "/schemas", {
    collectionName: "parts",
    schema: { name: "Part", paranoid: true, fields },
  });
  const moments = { at: { type: "String", primaryKey: true }, n: { type: "Integer" } };
  await admin("POST", "/schemas", { collectionName: "moments", schema: { name: "Moment", fields: moments } });

  // Bulks between writes of one, so that entries of both kinds stand in one order.
  await admin("POST", "/items/parts", item(0));
  await admin("POST", "/items/parts/bulk", range(1, count).map(item));
  await admin("PATCH", "/items/parts/7", { name: "Seven" });
  await admin(
    "PATCH",
    "/items/parts/bulk",
    range(1, 30).map((id) => ({ id, name: `New ${id}`, marks: { id } })),
  );
  await admin("DELETE", "/items/parts/bulk", range(11, 40));
  await admin("DELETE", "/items/parts/bulk?permanent=true", range(41, 70));
  await admin("PATCH", "/items/parts/7", { name: "Siebter" });
});
afterAll(() => app.close());

const all = 1 + count + 1 + 30 + 30 + 30 + 1;

test("they do lie together: one row tells of up to 128 items", async () => {
  const rows = await app.database.run({
    text: `select action, n from "baasix_AuditBulk" where entity = 'parts' order by id`,
    params: [],
  });
  expect(rows.map(([action, n]) => `${String(action)} ${String(n)}`).toSorted()).toEqual([
    "create 128",
    "create 128",
    "create 44",
    "delete 30",
    "delete 30",
    "update 30",
  ]);
});

test("each entry says of its item what one by itself would", async () => {
  const [own, ...bulk] = (
    await told({ filter: { entity: "parts", action: "create" }, sort: "id", limit: -1 })
  ).data;
  expect(bulk).toHaveLength(count);
  for (const { changes, entityId, ...entry } of bulk) {
    const { createdAt, updatedAt, deletedAt, ...values } = changes.after ?? {};
    expect([entry.type, entry.entity, entry.action]).toEqual(["data", "parts", "create"]);
    expect(changes.before).toBeNull();
    expect(values).toEqual(item(Number(entityId)));
    expect([typeof createdAt, typeof updatedAt, deletedAt]).toEqual(["string", "string", null]);
  }
  expect(Object.keys(bulk[0]?.changes.after ?? {}).toSorted()).toEqual(
    Object.keys(own?.changes.after ?? {}).toSorted(),
  );
  const [changed] = (await told({ filter: { entityId: "7", action: "update" }, sort: "id" })).data.slice(1);
  expect(changed?.changes).toEqual({
    before: { name: "Seven", marks: item(7).marks, updatedAt: expect.any(String) },
    after: { name: "New 7", marks: { id: 7 }, updatedAt: expect.any(String) },
  });
  const [softly] = (await told({ filter: { entityId: "12", action: "delete" } })).data;
  expect(softly?.changes).toMatchObject({
    before: { id: 12, name: "New 12", deletedAt: null },
    after: { deletedAt: expect.any(String) },
  });
  const [gone] = (await told({ filter: { entityId: "50", action: "delete" } })).data;
  expect(gone?.changes).toEqual({ before: expect.objectContaining(item(50)), after: null });
});

test("keys of text, of items that come and go", async () => {
  const at = range(10, 39).map((n) => `"${n}", it's`);
  await admin(
    "POST",
    "/items/moments/bulk",
    at.map((one, n) => ({ at: one, n })),
  );
  await admin("DELETE", "/items/moments/bulk", at);
  await admin("POST", "/items/moments", { at: at[0], n: 1 });
  const { data } = await told({ filter: { entity: "moments" }, sort: "id", limit: -1 });
  const own = data.at(-1)?.entityId ?? "";
  expect(summary(data.filter(({ entityId }) => entityId === own))).toEqual(
    ["create", "delete", "create"].map((action) => `${action} moments ${own}`),
  );
  expect(new Set(data.map(({ entityId }) => entityId)).size).toBe(at.length);
});

describe("every door gives the same entries", () => {
  const ofParts = { entity: "parts" };
  let whole: readonly AuditEntry[];
  beforeAll(async () => {
    whole = (await told({ filter: ofParts, sort: "id", limit: -1 })).data;
  });

  test("the whole, in the order of its making, each by its own id", () => {
    expect(whole).toHaveLength(all);
    expect(new Set(whole.map(({ id }) => id)).size).toBe(all);
    const ids = whole.map(({ id }) => BigInt(id));
    expect(ids).toEqual(ids.toSorted((a, b) => (a < b ? -1 : 1)));
    const steps = summary(whole).map((text) => text.split(" ")[0]);
    const runs = steps.filter((step, i) => step !== steps[i - 1]);
    expect(runs).toEqual(["create", "update", "delete", "update"]);
    expect(summary(whole.slice(-1))).toEqual(["update parts 7"]);
  });

  test.each<[query: string, query_: Readonly<Record<string, unknown>>, of: (entry: AuditEntry) => boolean]>([
    ["by item", { filter: { entity: "parts", entityId: "7" } }, ({ entityId }) => entityId === "7"],
    [
      "by some items",
      { filter: { entity: "parts", entityId: { in: ["7", "12", "0", "none"] } } },
      ({ entityId }) => ["7", "12", "0"].includes(entityId),
    ],
    ["by no item", { filter: { entity: "parts", entityId: { in: [] } } }, () => false],
    ["but one", { filter: { entity: "parts", entityId: { ne: "7" } } }, ({ entityId }) => entityId !== "7"],
    [
      "not the item",
      { filter: { NOT: { entityId: "7" }, entity: "parts" } },
      ({ entityId }) => entityId !== "7",
    ],
    [
      "by item or action",
      { filter: { entity: "parts", OR: [{ entityId: "7" }, { action: "delete" }] } },
      ({ entityId, action }) => entityId === "7" || action === "delete",
    ],
    [
      "by the beginning of keys",
      { filter: { entity: "parts", entityId: { startsWith: "12" } } },
      ({ entityId }) => entityId.startsWith("12"),
    ],
    [
      "by what changed",
      { filter: { entity: "parts", changes: { jsonbPathMatch: '$.after.name == "New 7"' } } },
      ({ changes }) => changes.after?.name === "New 7",
    ],
    [
      "by one item or the other",
      { filter: { entity: "parts", OR: [{ entityId: "7" }, { entityId: "12", action: "delete" }] } },
      ({ entityId, action }) => entityId === "7" || (entityId === "12" && action === "delete"),
    ],
    [
      "by nothing of several",
      { filter: { entity: "parts", OR: [{ entityId: "none" }, { AND: [{ entityId: "7" }, { id: "0" }] }] } },
      () => false,
    ],
    ["by action", { filter: { entity: "parts", action: "delete" } }, ({ action }) => action === "delete"],
  ])("%s", async (_query, query, of) => {
    const expected = whole.filter(of);
    const upwards = await told({ ...query, sort: "id", limit: -1 });
    expect(upwards.data).toEqual(expected);
    expect(upwards.totalCount).toBe(expected.length);
    const down = await told({ ...query, sort: "-id", limit: 5 });
    expect([down.data, down.totalCount]).toEqual([expected.toReversed().slice(0, 5), expected.length]);
    const later = await told({ ...query, sort: "-createdAt", limit: 3, offset: 2 });
    const times = expected
      .map(({ createdAt }) => createdAt)
      .toSorted()
      .toReversed();
    expect(later.data.map(({ createdAt }) => createdAt)).toEqual(times.slice(2, 5));
  });

  // No entry has a tenant: its place in a cursor is null.
  test.each([
    "id",
    "-id",
    "createdAt",
    "-createdAt",
    "entityId",
    "-tenant_Id",
    "tenant_Id,-createdAt",
    "-entity,createdAt,-id",
    "-action,userId",
  ])("a walk by cursor, sort=%s", async (sort) => {
    const seen: AuditEntry[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page = await admin(
        "GET",
        `/items/${log}?filter[entity]=parts&sort=${sort}&limit=37&cursor=${cursor}`,
      );
      const { data, nextCursor } = page as { data: readonly AuditEntry[]; nextCursor: string | null };
      seen.push(...data);
      cursor = nextCursor;
    }
    const { data } = await told({ filter: ofParts, sort, limit: -1 });
    expect(seen).toEqual([...data]);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(all);
  });

  test("one by its id, and neighbours that are none", async () => {
    for (const entry of [whole[0], whole[1], whole[129], whole[301], whole[310], whole.at(-1)]) {
      expect(await admin("GET", `/items/${log}/${entry?.id}`)).toMatchObject({ data: { ...entry } });
      expect((await told({ filter: { id: entry?.id } })).data).toEqual(entry ? [entry] : []);
    }
    const ids = new Set(whole.map(({ id }) => id));
    const none = range(1, 200).find((n) => !ids.has(String(BigInt(whole.at(-1)?.id ?? 0) + BigInt(n))));
    const last = BigInt(whole.at(-1)?.id ?? 0);
    for (const id of [last + BigInt(none ?? 0), -(2n ** 63n), 2n ** 63n - 1n]) {
      const answer = await app.call("GET", `/items/${log}/${id}`, { token: app.admin });
      expect([id, answer.status]).toEqual([id, 404]);
    }
    const lowest = await told({ filter: { entity: "parts", id: { gt: String(-(2n ** 63n)) } }, limit: 0 });
    expect(lowest.totalCount).toBe(all);
  });

  test("an estimated total is near the total", async () => {
    await app.database.run({ text: 'analyze "baasix_AuditLog", "baasix_AuditBulk"', params: [] });
    const { totalCount: total } = await told({ limit: 0 });
    const { totalCount: guess } = await told({ count: "estimated", limit: 5 });
    expect([guess > total / 2, guess < total * 2]).toEqual([true, true]);
  });

  test("ids: some of them, and those from one to another", async () => {
    const wanted = [0, 1, 128, 129, 140, 310, all - 1].map((place) => whole[place]);
    const ids = wanted.flatMap((entry) => entry?.id ?? []);
    const some = await told({ filter: { id: { in: ["0", ...ids, String(2n ** 63n - 1n)] } }, sort: "id" });
    expect(some.data).toEqual(wanted as AuditEntry[]);
    const between = { entity: "parts", id: { between: [whole[100]?.id, whole[320]?.id] } };
    for (const limit of [-1, 1, 100]) {
      const { data } = await told({ filter: between, sort: "id", limit });
      expect(data).toEqual(whole.slice(100, limit < 0 ? 321 : 100 + limit));
      const down = await told({ filter: between, sort: "-id", limit });
      expect(down.data).toEqual(whole.slice(limit < 0 ? 100 : 321 - limit, 321).toReversed());
    }
  });

  test.each([
    ["gt", 101, all],
    ["gte", 100, all],
    ["lt", 0, 100],
    ["lte", 0, 101],
  ])("ids: %s one in the middle of a bulk", async (operator, from, to) => {
    const middle = whole[100]?.id ?? "";
    const { data } = await told({
      filter: { entity: "parts", id: { [operator]: middle } },
      sort: "id",
      limit: -1,
    });
    expect(data).toEqual(whole.slice(from, to));
  });

  test("groups and counts", async () => {
    const groups = await told({
      filter: ofParts,
      aggregate: {
        n: { function: "count", field: "*" },
        items: { function: "countDistinct", field: "entityId" },
      },
      groupBy: "action",
      sort: "action",
    });
    expect(groups.data as unknown).toEqual([
      { action: "create", n: count + 1, items: count + 1 },
      { action: "delete", n: 60, items: 60 },
      { action: "update", n: 32, items: 30 },
    ]);
    expect((await told({ filter: ofParts, limit: 0 })).totalCount).toBe(all);
  });

  test("exports", async () => {
    const answer = await app.call("GET", `/items/${log}?filter[entity]=parts&sort=id&export=ndjson`, {
      token: app.admin,
    });
    const lines = answer.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as AuditEntry);
    expect(lines.map(({ id, changes }) => ({ id, changes }))).toEqual(
      whole.map(({ id, changes }) => ({ id, changes })),
    );
  });

  test("a search, by the words and by their likeness", async () => {
    const { data, totalCount } = await told({ search: "parts", filter: ofParts, sort: "-id", limit: 50 });
    expect([data, totalCount]).toEqual([whole.toReversed().slice(0, 50), all]);
    const found = await told({ search: "299", searchFields: "entityId", fields: "entity,entityId,action" });
    expect(summary(found.data)).toEqual(["create parts 299"]);
    const like = await told({
      search: "299",
      searchFields: "entityId",
      searchMode: "fuzzy",
      filter: ofParts,
    });
    expect(summary(like.data)).toContain("create parts 299");
  });
});

test("nothing is left of a bulk that was refused, and nothing is told where nothing was written", async () => {
  const before = (await told({ limit: 0 })).totalCount;
  const bodies = [...range(1000, 1030), 0].map(item);
  const answer = await app.call("POST", "/items/parts/bulk", { token: app.admin, body: bodies });
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect((await told({ limit: 0 })).totalCount).toBe(before);
});

test("they end with all others, in whole bulks", async () => {
  const total = async (): Promise<number> => (await told({ limit: 0 })).totalCount;
  const before = await total();
  expect(await removeOldEntries(app.data, Date.now(), 1)).toBe(0);
  await app.database.run({
    text: `update "baasix_AuditBulk" set "createdAt" = now() - interval '40 days' where entity = 'moments'`,
    params: [],
  });
  expect(await removeOldEntries(app.data, Date.now(), 30)).toBe(60);
  expect(await total()).toBe(before - 60);
  const removed = await removeOldEntries(app.data, Date.now() + 40 * day, 30);
  expect([removed, await total()]).toEqual([before - 60, 0]);
  const asUser = app.data.removeEntries({ kind: "anonymous" } as never, new Date());
  expect(asUser).rejects.toMatchObject({ code: "FORBIDDEN" });
});
