import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { system } from "../../core/access/actor";
import { type Answer, openInstance, testAdmin, testApp, type TestApp } from "../../testing/app";
import { removeExpiredKeys } from ".";

type Json = Record<string, unknown>;

const hour = 3_600_000;
const root = system("looks behind the door for the test");

let app: TestApp;
/** How far the clock of the app is ahead, in ms. */
let ahead = 0;
let ann: { token: string };
let bob: { token: string };

beforeAll(async () => {
  app = await testApp({ now: () => Date.now() + ahead });
  const schema = {
    name: "Note",
    sortEnabled: true,
    fields: {
      id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
      text: { type: "String", unique: true },
      count: { type: "Integer", defaultValue: 0 },
    },
  };
  await app.call("POST", "/schemas", { token: app.admin, body: { collectionName: "notes", schema } });
  ann = await app.signUp("ann@example.com");
  bob = await app.signUp("bob@example.com");
  const roles = await app.call("GET", "/items/baasix_Role", { token: app.admin });
  for (const { id, name } of (roles.body as { data: { id: string; name: string }[] }).data) {
    if (name === "administrator") continue;
    for (const action of name === "public" ? ["create"] : ["create", "read", "update", "delete"]) {
      const body = { role_Id: id, collection: "notes", action, fields: ["*"] };
      expect((await app.call("POST", "/permissions", { token: app.admin, body })).status).toBe(201);
    }
  }
});
afterAll(() => app.close());
beforeEach(async () => {
  ahead = 0;
  await app.data.removeWhere(root, "notes", { id: { gt: 0 } });
  await app.data.removeWhere(root, "baasix_IdempotencyKey", { createdAt: { gt: "2000-01-01" } });
});

type Sent = { method?: string; path?: string; body?: unknown; token?: string | undefined };

function send(
  key: string,
  { method = "POST", path = "/items/notes", body, token }: Sent = {},
): Promise<Answer> {
  return app.call(method, path, {
    body,
    headers: { "idempotency-key": key },
    ...(token !== undefined && { token }),
  });
}

const replayed = ({ headers }: Answer) => headers.get("idempotency-replayed");
const errorOf = ({ status, body }: Answer) => [status, (body as { error?: Json }).error?.code];
const notes = () => app.data.find<{ id: number; text: string; count: number }>(root, "notes", { sort: "id" });
const keys = () => app.data.find<Json>(root, "baasix_IdempotencyKey", {});

describe("each writing route takes effect once, and answers the same again", () => {
  const cases: [string, (id: number) => Sent][] = [
    ["create", () => ({ body: { text: "b" } })],
    ["create with fields", () => ({ path: "/items/notes?fields=text", body: { text: "b" } })],
    ["bulk create", () => ({ path: "/items/notes/bulk", body: [{ text: "b" }, { text: "c" }] })],
    ["update", (id) => ({ method: "PATCH", path: `/items/notes/${id}`, body: { text: "z" } })],
    [
      "bulk update",
      (id) => ({ method: "PATCH", path: "/items/notes/bulk", body: [{ id, data: { text: "z" } }] }),
    ],
    [
      "update by filter",
      () => ({ method: "PATCH", path: "/items/notes", body: { filter: { text: "a" }, data: { text: "z" } } }),
    ],
    ["upsert", () => ({ method: "PUT", path: "/items/notes", body: { on: "text", data: { text: "b" } } })],
    ["delete", (id) => ({ method: "DELETE", path: `/items/notes/${id}` })],
    ["bulk delete", (id) => ({ method: "DELETE", path: "/items/notes/bulk", body: [id] })],
    ["delete by filter", () => ({ method: "DELETE", path: "/items/notes", body: { filter: { text: "a" } } })],
    ["a file", () => ({ path: "/items/notes/import-json", body: '[{"text":"b"}]' })],
    ["a move", (id) => ({ path: "/utils/sort/notes", body: { item: id, to: id - 1, mode: "before" } })],
    ["a new order", (id) => ({ path: "/items/notes/reorder", body: { ids: [id, id - 1] } })],
    [
      "a transaction",
      () => ({
        path: "/transaction",
        body: { operations: [{ action: "create", collection: "notes", data: { text: "b" } }] },
      }),
    ],
  ];
  test.each(cases)("%s", async (_, sent) => {
    const [, id] = await app.data.create(root, "notes", [{ text: "0" }, { text: "a" }]);
    const request = { token: ann.token, ...sent(Number(id)) };
    const first = await send("key-1", request);
    expect([first.status < 300, replayed(first)]).toEqual([true, null]);
    const after = await notes();
    const again = await send("key-1", request);
    expect([again.status, again.text, again.headers.get("content-type"), again.headers.get("etag")]).toEqual([
      first.status,
      first.text,
      first.headers.get("content-type"),
      first.headers.get("etag"),
    ]);
    expect(replayed(again)).toBe("true");
    expect(await notes()).toEqual(after);
  });
});

test("requests at the same time under one key: one effect, one answer for all", async () => {
  const create = { token: ann.token, body: { text: "only one" } };
  const answers = await Promise.all(Array.from({ length: 24 }, () => send("together", create)));
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  expect(answers[0]?.status).toBe(201);
  expect(answers.filter((answer) => replayed(answer) === null)).toHaveLength(1);
  expect(await notes()).toHaveLength(1);
});

test("two servers on one database give one effect and one answer, too", async () => {
  const second = await openInstance(app.config, app.address);
  try {
    const sent = { token: ann.token, headers: { "idempotency-key": "both" }, body: { text: "only one" } };
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? app : second).call("POST", "/items/notes", sent)),
    );
    expect([
      new Set(answers.map(({ text }) => text)).size,
      new Set(answers.map(({ status }) => status)),
    ]).toEqual([1, new Set([201])]);
    expect(await notes()).toHaveLength(1);
  } finally {
    await second.close();
  }
});

describe("one key, one request, one account", () => {
  test.each<[string, Sent]>([
    ["another body", { body: { text: "other" } }],
    ["another query", { path: "/items/notes?fields=id", body: { text: "a" } }],
    ["another path", { path: "/items/notes/bulk", body: { text: "a" } }],
    ["another method", { method: "PUT", body: { text: "a" } }],
  ])("%s under the same key is refused", async (_, other) => {
    await send("k", { token: ann.token, body: { text: "a" } });
    expect(errorOf(await send("k", { token: ann.token, ...other }))).toEqual([422, "IDEMPOTENCY_KEY_REUSED"]);
    expect(await notes()).toHaveLength(1);
  });

  test("accounts do not share keys, callers without one share those that nobody guesses", async () => {
    const uuid = "0B6F4C2E-6C1B-4C8E-9D3A-2F1E5A7B9C0D";
    const texts = ["of ann", "of bob", "of nobody"];
    const tokens = [ann.token, bob.token, undefined];
    for (const [i, text] of texts.entries()) {
      expect((await send(uuid, { token: tokens[i], body: { text } })).status).toBe(201);
    }
    expect((await notes()).map(({ text }) => text)).toEqual(texts);
    expect(replayed(await send(uuid.toLowerCase(), { body: { text: "of nobody" } }))).toBe("true");
    expect(errorOf(await send("1", { body: { text: "x" } }))).toEqual([400, "BAD_REQUEST"]);
    expect(await notes()).toHaveLength(3);
  });

  test("quotes, as the draft of the header has them, are no part of the key", async () => {
    await send('"abc"', { token: ann.token, body: { text: "a" } });
    expect(replayed(await send("abc", { token: ann.token, body: { text: "a" } }))).toBe("true");
  });

  test.each([[""], ["a b"], ["x".repeat(256)], ['""'], ["a, b"], ["é"]])("%p is no key", async (key) => {
    expect(errorOf(await send(key, { token: ann.token, body: { text: "a" } }))).toEqual([400, "BAD_REQUEST"]);
    expect(await notes()).toEqual([]);
  });
});

test("an answer is not given again to who may no longer read it", async () => {
  const create = { token: ann.token, path: "/items/notes?fields=text,count", body: { text: "a" } };
  const first = await send("rights", create);
  const filter = { collection: "notes", action: "read", "role.name": "user" };
  const [right] = await app.data.find<Json & { id: string }>(root, "baasix_Permission", { filter });
  await app.data.update(root, "baasix_Permission", [
    { id: right?.id ?? "", data: { fields: ["id", "text"] } },
  ]);
  const refused = await send("rights", create);
  expect([errorOf(refused), await notes()]).toEqual([[403, "FORBIDDEN"], [expect.anything()]]);
  expect(refused.text).not.toContain("count");
  expect(errorOf(await send("rights", { ...create, body: { text: "b" } }))).toEqual([
    422,
    "IDEMPOTENCY_KEY_REUSED",
  ]);
  await app.data.remove(root, "baasix_Permission", [right?.id ?? ""]);
  await app.data.create(root, "baasix_Permission", [
    { role_Id: right?.role_Id, collection: "notes", action: "read", fields: ["*"] },
  ]);
  const again = await send("rights", create);
  expect([again.text, replayed(again)]).toEqual([first.text, "true"]);
});

test("a transaction of reads alone keeps nothing", async () => {
  const path = "/transaction";
  const body = { operations: [{ action: "read", collection: "notes" }] };
  for (let i = 0; i < 2; i++) {
    const answer = await send("reads", { token: ann.token, path, body });
    expect([answer.status, replayed(answer)]).toEqual([200, null]);
  }
  expect(await keys()).toEqual([]);
  expect(errorOf(await send("a b", { token: ann.token, path, body }))).toEqual([400, "BAD_REQUEST"]);
});

test("what fails leaves nothing, and may be sent again", async () => {
  const create = { token: ann.token, body: { text: "a" } };
  const [id] = await app.data.create(root, "notes", [{ text: "a" }]);
  expect(errorOf(await send("again", create))).toEqual([409, "UNIQUE_VIOLATION"]);
  expect(await keys()).toEqual([]);
  await app.data.remove(root, "notes", [id ?? 0]);
  const answer = await send("again", create);
  expect([answer.status, replayed(answer)]).toEqual([201, null]);
  // The same body is another request by now; the key remembers the one that succeeded.
  expect(replayed(await send("again", create))).toBe("true");
});

test("an answer too large to keep undoes the write", async () => {
  const text = "x".repeat(200);
  const body = {
    operations: [
      {
        action: "create",
        collection: "notes",
        data: Array.from({ length: 500 }, (_, i) => ({ text: `${text}${i}` })),
      },
      ...Array.from({ length: 20 }, () => ({ action: "read", collection: "notes", query: { limit: 500 } })),
    ],
  };
  expect(errorOf(await send("large", { token: ann.token, path: "/transaction", body }))).toEqual([
    400,
    "QUERY_TOO_COMPLEX",
  ]);
  expect([await notes(), await keys()]).toEqual([[], []]);
});

test("a day later the key is free, whether it was swept or not", async () => {
  const create = (text: string) => ({ token: ann.token, body: { text } });
  await send("old", create("a"));
  await send("swept", create("b"));
  ahead = 23 * hour;
  expect(await removeExpiredKeys(app.data, Date.now() + ahead)).toBe(0);
  ahead = 24 * hour + 1000;
  // The session has ended by then.
  ann = { token: await app.login("ann@example.com", "a good password") };
  const answer = await send("old", create("c"));
  expect([answer.status, replayed(answer)]).toEqual([201, null]);
  expect(await removeExpiredKeys(app.data, Date.now() + ahead)).toBe(1);
  expect((await send("swept", create("d"))).status).toBe(201);
  expect((await notes()).map(({ text }) => text)).toEqual(["a", "b", "c", "d"]);
});

test("who has used up the keys of a day gets no new one, and the old answers still", async () => {
  let later = 0;
  const small = await testApp({
    env: { IDEMPOTENCY_KEY_LIMIT: "4" },
    now: () => Date.now() + later,
  });
  try {
    const [adam, eve] = [small.admin, (await small.signUp("eve@example.com")).token];
    const make = (key: string, name: string, token = adam) =>
      small.call("POST", "/items/baasix_Role", {
        token,
        headers: { "idempotency-key": key },
        body: { name },
      });
    expect((await make("1", "one")).status).toBe(201);
    expect((await make("2", "one")).status).toBe(409); // leaves no key
    // An answer of more than 4 KiB counts as two.
    const two = { name: "two", description: "x".repeat(5000) };
    const create = {
      action: "create",
      collection: "baasix_Role",
      data: two,
      query: { fields: "description" },
    };
    const large = await small.call("POST", "/transaction", {
      token: adam,
      headers: { "idempotency-key": "2" },
      body: { operations: [create] },
    });
    expect(large.status).toBe(200);
    expect((await make("3", "three")).status).toBe(201);
    const refused = await make("4", "four");
    expect(errorOf(refused)).toEqual([429, "RATE_LIMITED"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(86_000);
    expect(replayed(await make("1", "one"))).toBe("true");
    const unkeyed = await small.call("POST", "/items/baasix_Role", { token: adam, body: { name: "four" } });
    expect(unkeyed.status).toBe(201);
    // Others have their own.
    expect(errorOf(await make("1", "five", eve))).toEqual([403, "FORBIDDEN"]);
    later = 24 * hour + 1000;
    const again = await small.login(testAdmin.email, testAdmin.password);
    expect((await make("4", "six", again)).status).toBe(201);
  } finally {
    await small.close();
  }
});

test("reads pay no heed to the header", async () => {
  const answer = await send("a b", { method: "GET", token: ann.token });
  expect(answer.status).toBe(200);
});

test("neither keys nor kept answers are for anybody to read or write", async () => {
  await send("secret", { token: ann.token, body: { text: "a" } });
  const path = "/items/baasix_IdempotencyKey";
  const [row] = ((await app.call("GET", path, { token: app.admin })).body as { data: Json[] }).data;
  expect(Object.keys(row ?? {}).toSorted()).toEqual(["actor", "createdAt", "id", "requestHash", "status"]);
  const refused: [string, string, string, unknown?][] = [
    ["GET", `${path}?fields=body`, app.admin],
    ["GET", `${path}?filter[key]=secret`, app.admin],
    ["GET", path, ann.token],
    ["POST", path, app.admin, { actor: "user:x", key: "k", requestHash: "h", createdAt: "2026-01-01" }],
    ["DELETE", `${path}/${String(row?.id)}`, app.admin],
  ];
  for (const [method, where, token, body] of refused) {
    const answer = await app.call(method, where, { token, body });
    expect([method, where, answer.status]).toEqual([method, where, 403]);
  }
  expect(await keys()).toHaveLength(1);
});
