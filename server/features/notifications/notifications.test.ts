/** Notifications over HTTP: who may do what, and what becomes of whose. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { system } from "../../core/access/actor";
import { type Answer, type TestApp, testApp } from "../../testing/app";

type Json = Record<string, unknown>;
type Who = "admin" | "ann" | "bea" | "sender" | "clerk" | "nobody";

const root = system("sets the scene of the test");
const collection = "baasix_Notification";
const day = 86_400_000;
let time = Date.parse("2026-05-05T12:00:00Z");
let app: TestApp;
const tokens = new Map<Who, string>();
const ids = new Map<string, string>();

beforeAll(async () => {
  app = await testApp({ now: () => time });
  tokens.set("admin", app.admin);
  const [role = ""] = (await app.data.create(root, "baasix_Role", [{ name: "sender" }])).map(String);
  await app.data.create(root, "baasix_Permission", [
    {
      role_Id: role,
      collection,
      action: "create",
      fields: ["type", "title", "message", "data", "userId"],
      conditions: { type: { eq: "note" } },
    },
  ]);
  // Who marks for others, and says that something was seen: when it was is not among what is opened.
  const [clerk = ""] = (await app.data.create(root, "baasix_Role", [{ name: "clerk" }])).map(String);
  await app.data.create(root, "baasix_Permission", [
    { role_Id: clerk, collection, action: "read", fields: ["*"] },
    { role_Id: clerk, collection, action: "update", fields: ["seen"] },
    {
      role_Id: clerk,
      collection,
      action: "create",
      fields: ["type", "title", "message", "userId", "seen"],
    },
  ]);
  await app.snapshot.reloadRules();
  for (const name of ["ann", "bea", "sender", "clerk"] as const) {
    const { token, id } = await app.signUp(`${name}@example.com`);
    tokens.set(name, token);
    ids.set(name, id);
    const held = name === "sender" ? role : name === "clerk" ? clerk : null;
    if (held !== null) {
      await app.data.create(root, "baasix_UserRole", [{ user_Id: id, role_Id: held }]);
      tokens.set(name, await app.login(`${name}@example.com`, "a good password"));
    }
  }
  const [admin] = await app.data.find<{ id: string }>(root, "baasix_User", {
    filter: { email: "admin@example.com" },
    fields: ["id"],
  });
  ids.set("admin", admin?.id ?? "");
});
afterAll(() => app.close());

/** Three of ann (the third is seen), one of bea, one of the administrator: `a1`, `a2`, `a3`, `b1`, `x1`. */
beforeEach(async () => {
  await app.data.removeWhere(root, collection, { id: { isNotNull: true } });
  const rows = [
    ["a1", "ann", 3],
    ["a2", "ann", 2],
    ["a3", "ann", 1],
    ["b1", "bea", 1],
    ["x1", "admin", 1],
  ] as const;
  for (const [name, owner, age] of rows) {
    const at = new Date(Date.now() - age * 1000).toISOString();
    const row = {
      type: "note",
      title: name,
      // A word that no random key begins with, as one may with "a2": they are searched, too.
      message: `to ${owner}${name === "a2" ? ", quietly" : ""}`,
      userId: ids.get(owner),
      ...(name === "a3" && { seen: true, seenAt: at }),
    };
    const [id] = await app.data.create(root, collection, [row], { createdAt: at });
    ids.set(name, String(id));
  }
});

/** Names in `<>` stand for ids. */
function named(text: string): string {
  return text.replaceAll(/<(\w+)>/g, (_, name: string) => ids.get(name) ?? "");
}

async function as(who: Who, request: string, body?: unknown): Promise<Answer> {
  const [method = "", path = ""] = named(request).split(" ");
  const token = tokens.get(who);
  return app.call(method, path, {
    ...(token !== undefined && { token }),
    ...(body !== undefined && { body: JSON.parse(named(JSON.stringify(body))) }),
  });
}

/** What there is: titles, those that are seen with a mark. */
async function left(): Promise<string> {
  const rows = await app.data.find<Json>(root, collection, { sort: ["title"], limit: -1 });
  expect(rows.every(({ seen, seenAt }) => seen === (seenAt !== null))).toBe(true);
  return rows.map(({ title, seen }) => `${String(title)}${seen === true ? "*" : ""}`).join(" ");
}

const all = "a1 a2 a3* b1 x1";
const notice = { type: "note", title: "new", message: "hello", userIds: ["<ann>"] };
const seenAll = { message: "Notifications marked as seen" };
const deleted = { message: "Notifications deleted" };
const refusedNotice = { error: { message: "Invalid notification parameters", code: "VALIDATION_ERROR" } };
const unknown = "00000000-0000-4000-8000-000000000000";

type Row = [who: Who, request: string, body: unknown, status: number, answer: object, after?: string];

describe("who may do what", () => {
  const rows: readonly Row[] = [
    // Lists.
    ["nobody", "GET /notifications", undefined, 401, { error: { message: "Authentication required" } }],
    [
      "ann",
      "GET /notifications?fields=title,seen",
      undefined,
      200,
      {
        data: [
          { title: "a3", seen: true },
          { title: "a2", seen: false },
          { title: "a1", seen: false },
        ],
        totalCount: 3,
      },
    ],
    [
      "ann",
      'GET /notifications?fields=title&filter={"seen":{"eq":false}}&limit=1&sort=createdAt',
      undefined,
      200,
      { data: [{ title: "a1" }], totalCount: 2 },
    ],
    [
      "ann",
      'GET /notifications?filter={"userId":{"eq":"<bea>"}}',
      undefined,
      200,
      { data: [], totalCount: 0 },
    ],
    [
      "ann",
      "GET /notifications?aggregate[n][function]=count&aggregate[n][field]=id&groupBy=seen&sort=seen",
      undefined,
      200,
      {
        data: [
          { seen: false, n: 2 },
          { seen: true, n: 1 },
        ],
      },
    ],
    [
      "ann",
      "GET /notifications?aggregate[n][function]=count&aggregate[n][field]=id",
      undefined,
      200,
      { data: [{ n: 3 }] },
    ],
    [
      "ann",
      "GET /notifications?search=quietly&sortByRelevance=true&fields=title",
      undefined,
      200,
      { data: [{ title: "a2" }] },
    ],
    ["ann", "GET /notifications?export=csv", undefined, 400, {}],
    ["ann", "GET /notifications?fields=nothing", undefined, 400, { error: { code: "UNKNOWN_FIELD" } }],
    ["ann", "GET /notifications?fields=user.email", undefined, 403, {}],
    // An administrator reads all of the collection, and here the own ones alone.
    ["admin", "GET /notifications?fields=title", undefined, 200, { data: [{ title: "x1" }], totalCount: 1 }],
    ["admin", `GET /items/${collection}?limit=0`, undefined, 200, { totalCount: 5 }],
    ["ann", `GET /items/${collection}?limit=0`, undefined, 200, { totalCount: 3 }],
    ["sender", "GET /notifications", undefined, 200, { data: [], totalCount: 0 }],
    ["nobody", `GET /items/${collection}`, undefined, 403, {}],
    ["ann", `GET /items/${collection}/<b1>`, undefined, 404, {}],
    // Counting.
    ["nobody", "GET /notifications/unread/count", undefined, 401, {}],
    ["ann", "GET /notifications/unread/count", undefined, 200, { count: 2 }],
    ["admin", "GET /notifications/unread/count", undefined, 200, { count: 1 }],
    // Marking.
    ["nobody", "POST /notifications/mark-seen", {}, 401, {}, all],
    ["ann", "POST /notifications/mark-seen", undefined, 200, { ...seenAll, count: 2 }, "a1* a2* a3* b1 x1"],
    ["ann", "POST /notifications/mark-seen", {}, 200, { ...seenAll, count: 2 }, "a1* a2* a3* b1 x1"],
    ["admin", "POST /notifications/mark-seen", {}, 200, { ...seenAll, count: 1 }, "a1 a2 a3* b1 x1*"],
    [
      "ann",
      "POST /notifications/mark-seen",
      { notificationIds: ["<a1>", "<a3>", "<b1>", unknown] },
      200,
      { ...seenAll, count: 1 },
      "a1* a2 a3* b1 x1",
    ],
    ["ann", "POST /notifications/mark-seen", { notificationIds: [] }, 200, { ...seenAll, count: 0 }, all],
    ["ann", "POST /notifications/mark-seen", { notificationIds: null }, 400, {}, all],
    ["ann", "POST /notifications/mark-seen", { notificationIds: ["x"] }, 400, {}, all],
    ["ann", "POST /notifications/mark-seen", { ids: ["<a1>"] }, 400, {}, all],
    ["ann", "POST /notifications/mark-seen?notificationIds=<a1>", undefined, 400, {}, all],
    ["ann", "POST /notifications/mark-seen", ["<a1>"], 400, {}, all],
    [
      "ann",
      "POST /notifications/mark-seen",
      { notificationIds: Array.from({ length: 1001 }, () => unknown) },
      400,
      {},
      all,
    ],
    // Deleting.
    ["nobody", "DELETE /notifications", undefined, 401, {}, all],
    ["ann", "DELETE /notifications", undefined, 200, { ...deleted, count: 3 }, "b1 x1"],
    ["admin", "DELETE /notifications", {}, 200, { ...deleted, count: 1 }, "a1 a2 a3* b1"],
    [
      "ann",
      "DELETE /notifications",
      { notificationIds: ["<a1>", "<b1>"] },
      200,
      { ...deleted, count: 1 },
      "a2 a3* b1 x1",
    ],
    ["ann", "DELETE /notifications", { notificationIds: [] }, 200, { ...deleted, count: 0 }, all],
    ["ann", "DELETE /notifications?notificationIds=", undefined, 200, { ...deleted, count: 0 }, all],
    [
      "ann",
      "DELETE /notifications?notificationIds=<a1>,<a2>",
      undefined,
      200,
      { ...deleted, count: 2 },
      "a3* b1 x1",
    ],
    [
      "ann",
      'DELETE /notifications?notificationIds=["<a1>"]',
      undefined,
      200,
      { ...deleted, count: 1 },
      "a2 a3* b1 x1",
    ],
    [
      "ann",
      "DELETE /notifications?notificationIds[]=<a1>&notificationIds[]=<a3>",
      undefined,
      200,
      { ...deleted, count: 2 },
      "a2 b1 x1",
    ],
    // What a request is signed in by names nothing.
    [
      "ann",
      "DELETE /notifications?access_token=x&notificationIds=<a1>",
      undefined,
      200,
      { ...deleted, count: 1 },
      "a2 a3* b1 x1",
    ],
    ["ann", "DELETE /notifications?access_token=x", undefined, 200, { ...deleted, count: 3 }, "b1 x1"],
    ["ann", "DELETE /notifications?ids=<a1>", undefined, 400, {}, all],
    ["ann", "DELETE /notifications?notificationIds=[", undefined, 400, {}, all],
    ["ann", "DELETE /notifications?notificationIds=<a1>", { notificationIds: ["<a2>"] }, 400, {}, all],
    ["ann", "DELETE /notifications", { notificationIds: "<a1>" }, 400, {}, all],
    // Sending.
    ["nobody", "POST /notifications/send", notice, 401, {}, all],
    ["ann", "POST /notifications/send", notice, 403, {}, all],
    ["ann", "POST /notifications/send", {}, 403, {}, all],
    ["admin", "POST /notifications/send?dryRun=true", notice, 400, {}, all],
    [
      "admin",
      "POST /notifications/send",
      notice,
      200,
      { message: "Notifications sent successfully", notificationIds: [expect.any(String)] },
      "a1 a2 a3* b1 new x1",
    ],
    [
      "admin",
      "POST /notifications/send",
      { ...notice, data: { orderId: 7 }, userIds: ["<ann>", "<bea>", "<ann>"] },
      200,
      { notificationIds: [expect.any(String), expect.any(String)] },
      "a1 a2 a3* b1 new new x1",
    ],
    ["sender", "POST /notifications/send", notice, 200, {}, "a1 a2 a3* b1 new x1"],
    ["sender", "POST /notifications/send", { ...notice, type: "alarm" }, 403, {}, all],
    // Who may not send this learns nobody's id by it.
    ["sender", "POST /notifications/send", { ...notice, type: "alarm", userIds: [unknown] }, 403, {}, all],
    [
      "sender",
      "POST /notifications/send",
      { ...notice, type: "alarm", userIds: ["<ann>", unknown] },
      403,
      {},
      all,
    ],
    [
      "sender",
      "POST /notifications/send",
      { ...notice, userIds: ["<ann>", unknown] },
      400,
      refusedNotice,
      all,
    ],
    ["admin", "POST /notifications/send", undefined, 400, refusedNotice, all],
    ["admin", "POST /notifications/send", { ...notice, userIds: [] }, 400, refusedNotice, all],
    [
      "admin",
      "POST /notifications/send",
      { ...notice, userIds: ["<ann>", unknown] },
      400,
      refusedNotice,
      all,
    ],
    ["admin", "POST /notifications/send", { ...notice, userIds: "<ann>" }, 400, refusedNotice, all],
    [
      "admin",
      "POST /notifications/send",
      { ...notice, userIds: Array.from({ length: 1001 }, () => "<ann>") },
      400,
      refusedNotice,
      all,
    ],
    ["admin", "POST /notifications/send", { ...notice, title: " " }, 400, refusedNotice, all],
    ["admin", "POST /notifications/send", { ...notice, title: "x".repeat(256) }, 400, refusedNotice, all],
    [
      "admin",
      "POST /notifications/send",
      { ...notice, message: "x".repeat(10_001) },
      400,
      refusedNotice,
      all,
    ],
    ["admin", "POST /notifications/send", { ...notice, type: "x".repeat(65) }, 400, refusedNotice, all],
    ["admin", "POST /notifications/send", { ...notice, data: "x".repeat(16_383) }, 400, refusedNotice, all],
    ["admin", "POST /notifications/send", { ...notice, title: "nul \0" }, 400, {}, all],
    ["admin", "POST /notifications/send", { ...notice, seen: true }, 400, refusedNotice, all],
    // Without tenants nobody is a member of one.
    ["admin", "POST /notifications/send", { ...notice, tenant_Id: unknown }, 400, refusedNotice, all],
    ["admin", "POST /notifications/send", { ...notice, tenant_Id: null }, 200, {}, "a1 a2 a3* b1 new x1"],
    // Cleaning up.
    ["nobody", "POST /notifications/cleanup", {}, 401, {}, all],
    [
      "ann",
      "POST /notifications/cleanup",
      {},
      403,
      { error: { message: "Access denied. Administrators only." } },
      all,
    ],
    ["admin", "POST /notifications/cleanup", { days: 0 }, 400, {}, all],
    ["admin", "POST /notifications/cleanup", { days: "30" }, 400, {}, all],
    ["admin", "POST /notifications/cleanup", { day: 1 }, 400, {}, all],
    ["admin", "POST /notifications/cleanup?days=365", undefined, 400, {}, all],
    // When it was seen comes with the right to say that it was.
    ["clerk", `PATCH /items/${collection}/<b1>`, { seen: true }, 200, {}, "a1 a2 a3* b1* x1"],
    ["clerk", `PATCH /items/${collection}/<b1>`, { seen: true, seenAt: null }, 200, {}, "a1 a2 a3* b1* x1"],
    ["clerk", `PATCH /items/${collection}/<a3>`, { seen: false }, 200, {}, "a1 a2 a3 b1 x1"],
    ["clerk", `PATCH /items/${collection}/<b1>`, { title: "mine" }, 403, {}, all],
    [
      "clerk",
      `POST /items/${collection}`,
      { type: "note", title: "new", message: "x", userId: "<bea>", seen: true },
      201,
      {},
      "a1 a2 a3* b1 new* x1",
    ],
    // The collection itself: an account marks and deletes its own, and writes nothing else.
    ["ann", `PATCH /items/${collection}/<a1>`, { seen: true }, 200, {}, "a1* a2 a3* b1 x1"],
    ["ann", `PATCH /items/${collection}/<a3>`, { seen: false }, 200, {}, "a1 a2 a3 b1 x1"],
    ["ann", `PATCH /items/${collection}/<a1>`, { seen: true, seenAt: null }, 200, {}, "a1* a2 a3* b1 x1"],
    ["ann", `PATCH /items/${collection}/<a1>`, { title: "mine" }, 403, {}, all],
    ["ann", `PATCH /items/${collection}/<a1>`, { userId: "<bea>" }, 403, {}, all],
    ["ann", `PATCH /items/${collection}/<b1>`, { seen: true }, 404, {}, all],
    [
      "ann",
      `PATCH /items/${collection}`,
      { filter: { title: { ne: "" } }, data: { seen: true } },
      200,
      {},
      "a1* a2* a3* b1 x1",
    ],
    ["ann", `DELETE /items/${collection}/<b1>`, undefined, 404, {}, all],
    ["ann", `DELETE /items/${collection}/<a1>`, undefined, 200, {}, "a2 a3* b1 x1"],
    ["ann", `DELETE /items/${collection}`, { filter: { title: { ne: "" } } }, 200, {}, "b1 x1"],
    [
      "ann",
      `POST /items/${collection}`,
      { type: "note", title: "new", message: "x", userId: "<ann>" },
      403,
      {},
      all,
    ],
  ];
  test.each(rows.map((row): Required<Row> => [row[0], row[1], row[2], row[3], row[4], row[5] ?? all]))(
    "%s: %s %j → %p",
    async (who, request, body, status, answer, after) => {
      const got = await as(who, request, body);
      expect([got.status, got.body]).toMatchObject([status, answer]);
      expect(await left()).toBe(after);
    },
  );
});

test("what was sent is there as it was sent, unseen and newest", async () => {
  const data = { orderId: 7, tags: ["a", null] };
  const sent = await as("admin", "POST /notifications/send", {
    ...notice,
    data,
    userIds: ["<bea>", "<ann>"],
  });
  const { notificationIds } = sent.body as { notificationIds: string[] };
  const list = await as("ann", "GET /notifications?limit=1");
  expect(list.body).toMatchObject({
    data: [
      {
        id: notificationIds[1],
        type: "note",
        title: "new",
        message: "hello",
        data,
        seen: false,
        seenAt: null,
        userId: ids.get("ann"),
        tenant_Id: null,
        createdAt: expect.any(String),
      },
    ],
    totalCount: 4,
  });
});

test("when one was seen is the server's to say, and once", async () => {
  const marked = time;
  await as("ann", "POST /notifications/mark-seen", { notificationIds: ["<a1>"] });
  time += 60_000;
  await as("ann", "POST /notifications/mark-seen");
  const answer = await as("ann", "GET /notifications?fields=seenAt&sort=createdAt&limit=2");
  const { data } = answer.body as { data: { seenAt: string }[] };
  expect(data.map(({ seenAt }) => Date.parse(seenAt))).toEqual([marked, time]);
});

test("cleaning up takes everybody's old ones, and no others", async () => {
  const old = new Date(time - 31 * day).toISOString();
  const row = { type: "note", title: "old", message: "x" };
  for (const owner of ["ann", "bea"])
    await app.data.create(root, collection, [{ ...row, userId: ids.get(owner) }], { createdAt: old });
  expect((await as("admin", "POST /notifications/cleanup", { days: 40 })).body).toEqual({
    message: "Old notifications cleaned up",
    count: 0,
  });
  expect((await as("admin", "POST /notifications/cleanup")).body).toMatchObject({ count: 2 });
  expect(await left()).toBe(all);
});

test("sending again under the same key sends nothing", async () => {
  const headers = { "idempotency-key": "one-notice" };
  const body = { ...notice, userIds: [ids.get("ann")] };
  const answers = [
    await app.call("POST", "/notifications/send", { token: app.admin, body, headers }),
    await app.call("POST", "/notifications/send", { token: app.admin, body, headers }),
  ];
  expect(answers[1]?.body).toEqual(answers[0]?.body);
  expect(await left()).toBe("a1 a2 a3* b1 new x1");
});

test("as many as there are, are counted, marked and deleted at once", async () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({
    type: "note",
    title: `many ${i}`,
    message: "x",
    userId: ids.get("bea"),
  }));
  for (let i = 0; i < 11; i++) await app.data.create(root, collection, many);
  expect((await as("bea", "GET /notifications/unread/count")).body).toEqual({ count: 11_001 });
  expect((await as("bea", "POST /notifications/mark-seen")).body).toMatchObject({ count: 11_001 });
  expect((await as("bea", "GET /notifications/unread/count")).body).toEqual({ count: 0 });
  expect((await as("bea", "DELETE /notifications")).body).toMatchObject({ count: 11_001 });
  expect(await left()).toBe("a1 a2 a3* x1");
});

test("an account that is gone takes its notifications along", async () => {
  const { id } = await app.signUp("gone@example.com");
  await as("admin", "POST /notifications/send", { ...notice, userIds: [id] });
  await app.call("DELETE", `/items/baasix_User/${id}`, { token: app.admin });
  expect(await left()).toBe(all);
});

test("the server's own code sends", async () => {
  const sent = await app.notifications.send({
    type: "note",
    title: "own",
    message: "by code",
    userIds: [ids.get("ann") ?? ""],
  });
  expect(sent).toEqual([expect.any(String)]);
  expect(await left()).toBe("a1 a2 a3* b1 own x1");
  const wrong = app.notifications.send({ type: "note", title: "own", message: "x", userIds: [unknown] });
  expect(wrong).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  // In a transaction that fails nothing was sent.
  const failed = app.data.transaction(async (rows) => {
    await app.notifications.send(
      { type: "note", title: "no", message: "x", userIds: [ids.get("ann") ?? ""] },
      rows,
    );
    throw new Error("no");
  });
  expect(failed).rejects.toThrow("no");
  await failed.catch(() => {});
  expect(await left()).toBe("a1 a2 a3* b1 own x1");
});

test.each<[Who, string]>([
  ["nobody", ""],
  ["ann", "delete,get mark-seen unread/count"],
  ["sender", "delete,get mark-seen send unread/count"],
  ["admin", "delete,get cleanup mark-seen send unread/count"],
])("the description of the API shows %s what it may use: %s", async (who, expected) => {
  const { body } = await as(who, "GET /openapi.json");
  const { paths } = body as { paths: Record<string, Record<string, unknown>> };
  const told = Object.keys(paths).filter((path) => path.startsWith("/notifications"));
  const own = Object.keys(paths["/notifications"] ?? {}).toSorted();
  const others = told.map((path) => path.slice("/notifications/".length)).filter((path) => path !== "");
  expect([own.join(), ...others.toSorted()].join(" ")).toBe(expected);
  if (who === "admin") expect(JSON.stringify(paths["/notifications/send"])).toContain("userIds");
});
