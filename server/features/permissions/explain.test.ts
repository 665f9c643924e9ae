/** What explanations say, whole; and what everybody is told of the own rights. Ids are written as names. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Explanation, Rights } from "@baasix/types";
import { testApp, type TestApp } from "../../testing/app";

setDefaultTimeout(60_000);

type Row = Record<string, unknown>;

let app: TestApp;
/** Names of ids. */
const names = new Map<string, string>();
const ids = new Map<string, string>();
const tokens = new Map<string, string>();

const key = { type: "Integer", primaryKey: true } as const;
const schemas = {
  authors: {
    name: "Author",
    timestamps: false,
    fields: { id: key, name: { type: "String" }, mail: { type: "String" } },
  },
  posts: {
    name: "Post",
    timestamps: false,
    fields: {
      id: key,
      title: { type: "String" },
      state: { type: "String" },
      price: { type: "Integer" },
      owner: { type: "UUID" },
      author_Id: { type: "Integer" },
    },
  },
};
const permissions: Record<string, Row> = {
  "reader reads": {
    role: "reader",
    action: "read",
    fields: ["id", "title", "author.name"],
    conditions: { state: "public" },
  },
  "reader writes": {
    role: "reader",
    action: "create",
    fields: "title, author_Id",
    defaultValues: { state: "draft" },
  },
  "seller reads": {
    role: "seller",
    action: "read",
    fields: ["id", "price"],
    conditions: { owner: "$CURRENT_USER" },
  },
  "seller changes": { role: "seller", action: "update", fields: ["price"] },
  "seller deletes": { role: "seller", action: "delete", conditions: { price: 0 } },
  "public reads": { role: "public", action: "read", fields: ["*"], conditions: { state: "public" } },
};

beforeAll(async () => {
  app = await testApp();
  for (const [collectionName, schema] of Object.entries(schemas))
    await app.ok("POST", "/schemas", { collectionName, schema });
  const relation = {
    type: "M2O",
    name: "author",
    target: "authors",
    alias: "posts",
    foreignKey: "author_Id",
  };
  await app.ok("POST", "/schemas/posts/relationships", relation);
  for (const name of ["reader", "seller", "idle"]) await app.ok("POST", "/items/baasix_Role", { name });
  const roles = (await get("/items/baasix_Role")).data as { id: string; name: string }[];
  for (const { id, name } of roles) note(name, id);
  for (const [name, { role, ...permission }] of Object.entries(permissions)) {
    const body = { role_Id: ids.get(String(role)), collection: "posts", ...permission };
    note(name, String(((await app.ok("POST", "/permissions", body)).body as { id: string }).id));
  }
  for (const held of [["reader"], ["reader", "seller"], ["idle"]]) {
    const name = held.join("+");
    const { id, token } = await app.signUp(`${held.join("-")}@example.com`);
    const [first] = (await get(`/items/baasix_UserRole?filter[user_Id]=${id}`)).data as { id: string }[];
    for (const role of held)
      await app.ok("POST", "/items/baasix_UserRole", { user_Id: id, role_Id: ids.get(role) });
    await app.call("DELETE", `/items/baasix_UserRole/${first?.id}`, { token: app.admin });
    note(`account ${name}`, id);
    tokens.set(name, token);
  }
  await app.ok("POST", "/items/authors", { id: 1, name: "Ann", mail: "ann@x" });
  await app.ok("POST", "/items/posts/bulk", [
    { id: 1, title: "one", state: "public", price: 3, author_Id: 1 },
    { id: 2, title: "two", state: "draft", price: 2, owner: ids.get("account reader+seller") },
  ]);
});
afterAll(() => app.close());

function note(name: string, id: string): void {
  names.set(id, name);
  ids.set(name, id);
}

async function get(path: string, token: string | undefined = app.admin): Promise<Row> {
  const answer = await app.call("GET", path, { token });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return answer.body as Row;
}

/** With names for ids, so that it can be written down. */
function named<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, one: unknown) =>
    typeof one === "string" ? (names.get(one) ?? one) : one,
  ) as T;
}

async function explain(path: string): Promise<Explanation> {
  return named((await get(`/items/${path}`)).explain as Explanation);
}

const role = (name: string) => ({ id: name, name });
const granted = (name: string, conditions: Row | null) => ({
  permission: name,
  role: role(String(permissions[name]?.role)),
  fields: permissions[name]?.fields,
  conditions,
  relConditions: null,
});
const open = (path: string, ...by: string[]) => ({
  path,
  at: null,
  outcome: "open",
  permissions: by,
  reason: null,
});

describe("an explanation", () => {
  test("of a list, for a role: rows cut, fields left out of a wildcard, a relation opened by a path", async () => {
    expect(await explain("posts?fields=*,author.*&explain=permissions&explainRole=reader")).toEqual({
      collection: "posts",
      action: "read",
      caller: { kind: "user", id: null, admin: false, roles: [role("reader")] },
      outcome: "allowed",
      refusal: null,
      bypass: null,
      grants: [granted("reader reads", { state: "public" })],
      rows: "some",
      problems: [],
      decisions: [
        open("id", "reader reads"),
        open("title", "reader reads"),
        ...["state", "price", "owner", "author_Id"].map((path) => ({
          path,
          at: null,
          outcome: "left out",
          permissions: [],
          reason: `no permission of the caller opens '${path}' of 'posts'`,
        })),
        open("author", "reader reads"),
        {
          path: "author.id",
          at: null,
          outcome: "left out",
          permissions: [],
          reason: "no permission of the caller opens 'id' of 'authors'",
        },
        open("author.name", "reader reads"),
        {
          path: "author.mail",
          at: null,
          outcome: "left out",
          permissions: [],
          reason: "no permission of the caller opens 'mail' of 'authors'",
        },
      ],
    } as Explanation);
  });

  test("of a refusal says where and why", async () => {
    const told = await explain(
      "posts?fields=title&filter[author.mail]=x&explain=permissions&explainRole=reader",
    );
    expect(told).toMatchObject({
      outcome: "refused",
      refusal: {
        code: "FORBIDDEN",
        message: "filter.author.mail: You don't have permission to read field 'mail' of 'authors'",
      },
    });
    expect(told.decisions.at(-1)).toEqual({
      path: "author.mail",
      at: "filter.author.mail",
      outcome: "refused",
      permissions: [],
      reason: "no permission of the caller opens 'mail' of 'authors'",
    });
    const closed = await explain("posts?fields=author.posts.id&explain=permissions&explainRole=reader");
    expect(closed.decisions.at(-1)).toMatchObject({
      path: "author.posts",
      outcome: "refused",
      reason:
        "no permission of the caller names a path through 'posts', and the caller may not read the key 'author_Id' of 'posts'",
    });
  });

  test("without any right there is nothing to decide", async () => {
    expect(await explain("posts?explain=permissions&explainRole=idle")).toMatchObject({
      outcome: "refused",
      refusal: { code: "FORBIDDEN", message: "You don't have permission to read items in 'posts'" },
      grants: [],
      rows: "none",
      decisions: [],
    });
  });

  test("of several roles says which of them opens what, on which rows", async () => {
    const user = ids.get("account reader+seller");
    const told = await explain(
      `posts?fields=id,title,price&sort=price&explain=permissions&explainUser=${user}`,
    );
    expect(told).toMatchObject({
      caller: { kind: "user", id: "account reader+seller", roles: [role("reader"), role("seller")] },
      grants: [
        granted("reader reads", { state: "public" }),
        granted("seller reads", { owner: "$CURRENT_USER" }),
      ],
      rows: "some",
      decisions: [
        { path: "id", outcome: "open", permissions: ["reader reads", "seller reads"] },
        { path: "title", outcome: "partly", permissions: ["reader reads"] },
        { path: "price", outcome: "partly", permissions: ["seller reads"] },
        { path: "price", at: "sort", outcome: "partly" },
      ],
    });
  });

  const rows: [string, string, Explanation["row"]][] = [
    [
      "1",
      "explainRole=reader",
      { exists: true, visible: true, opened: [{ permission: "reader reads", holds: true }] },
    ],
    [
      "2",
      "explainRole=reader",
      { exists: true, visible: false, opened: [{ permission: "reader reads", holds: false }] },
    ],
    [
      "3",
      "explainRole=reader",
      { exists: false, visible: false, opened: [{ permission: "reader reads", holds: false }] },
    ],
    // A role has no account whose rows could be meant.
    [
      "2",
      "explainRole=seller",
      { exists: true, visible: false, opened: [{ permission: "seller reads", holds: false }] },
    ],
    [
      "2",
      "explainUser=account reader+seller",
      {
        exists: true,
        visible: true,
        opened: [
          { permission: "reader reads", holds: false },
          { permission: "seller reads", holds: true },
        ],
      },
    ],
    ["1", "explainRole=idle", { exists: true, visible: false, opened: [] }],
    [
      "2",
      "explainRole=public",
      { exists: true, visible: false, opened: [{ permission: "public reads", holds: false }] },
    ],
    ["2", "explainRole=administrator", { exists: true, visible: true, opened: [] }],
  ];
  test.each(rows)("of item %s with %s says whether it is seen", async (id, who, row) => {
    const [name, value] = who.split("=") as [string, string];
    expect((await explain(`posts/${id}?explain=permissions&${name}=${ids.get(value) ?? value}`)).row).toEqual(
      row,
    );
  });

  test("of administrators, guests and aggregates", async () => {
    expect(await explain("posts?explain=permissions")).toMatchObject({
      caller: { kind: "user", admin: true, roles: [role("administrator")] },
      outcome: "allowed",
      bypass: "administrator",
      grants: [],
      rows: "all",
    });
    expect(await explain(`posts?explain=permissions&explainRole=${ids.get("public")}`)).toMatchObject({
      caller: { kind: "anonymous", id: null, roles: [role("public")] },
      grants: [{ permission: "public reads" }],
    });
    const aggregate = encodeURIComponent('{"n":{"function":"max","field":"price"}}');
    expect(
      await explain(`posts?aggregate=${aggregate}&explain=permissions&explainRole=reader`),
    ).toMatchObject({
      outcome: "refused",
      decisions: [{ path: "price", at: "aggregate.n.field", outcome: "refused" }],
    });
    const open = await explain("baasix_File?fields=filename&explain=permissions&explainRole=idle");
    expect(open).toMatchObject({
      outcome: "allowed",
      grants: [{ permission: null, role: null }],
      rows: "some",
    });
    expect(await explain("baasix_Account?fields=password&explain=permissions")).toMatchObject({
      outcome: "refused",
      decisions: [{ path: "password", reason: "hidden: nobody may read it" }],
    });
  });

  test("names the permissions that cannot be understood", async () => {
    const body = {
      role_Id: ids.get("idle"),
      collection: "posts",
      action: "read",
      fields: ["*"],
      conditions: { gone: 1 },
    };
    const made = await app.ok("POST", "/items/baasix_Permission", body);
    const told = await explain("posts?explain=permissions&explainRole=idle");
    expect(told).toMatchObject({ outcome: "refused", grants: [] });
    expect(told.problems).toEqual([expect.stringMatching(/idle, read posts\): conditions\.gone/)]);
    const { id } = (made.body as { data: { id: string } }).data;
    await app.call("DELETE", `/permissions/${id}`, { token: app.admin });
  });

  const wrong: [string, number, RegExp][] = [
    ["posts?explain=everything", 400, /expected permissions/],
    ["posts?explain=permissions&explainRole=readr", 400, /no role 'readr'.*did you mean 'reader'/],
    ["posts?explain=permissions&explainUser=00000000-0000-4000-8000-000000000000", 404, /no account/],
    ["posts?explain=permissions&explainUser=me", 400, /UUID/],
    ["posts?explain=permissions&explainRole=reader&explainUser=x", 400, /not both/],
    ["posts?explain=permissions&explainRole[a]=x", 400, /explainRole: expected one text/],
    ["posts?explain=permissions&explainUser[a]=x", 400, /explainUser: expected one text/],
    ["posts?explainRole=reader", 400, /explainRole/],
    ["posts?explain=permissions&fields=titel", 400, /did you mean 'title'/],
    ["nothing?explain=permissions", 404, /does not exist/],
    ["posts/abc?explain=permissions", 400, /id/],
  ];
  test.each(wrong)("%s: %d", async (path, status, message) => {
    const answer = await app.call("GET", `/items/${path}`, { token: app.admin });
    expect(answer.status).toBe(status);
    expect((answer.body as { error: { message: string } }).error.message).toMatch(message);
  });

  test("is for administrators alone", async () => {
    for (const token of [undefined, tokens.get("reader"), tokens.get("reader+seller")]) {
      for (const path of ["posts", "posts/1", "posts?explainRole=seller", "nothing"]) {
        const query = path.includes("?") ? "&explain=permissions" : "?explain=permissions";
        const answer = await app.call("GET", `/items/${path}${query}`, { ...(token && { token }) });
        expect(answer.status).toBe(403);
      }
    }
  });
});

describe("GET /permissions/me", () => {
  const rights = async (who?: string) => {
    const token = who === undefined ? undefined : who === "admin" ? app.admin : tokens.get(who);
    const answer = await app.call("GET", "/permissions/me", { ...(token && { token }) });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    return named((answer.body as { data: Rights }).data);
  };
  const publicFiles = { read: { fields: expect.any(Array), partly: [], conditional: true } };
  const ownNotifications = {
    read: { fields: ["*"], partly: [], conditional: true },
    update: { fields: ["seen", "seenAt"], partly: [], conditional: true },
    delete: { conditional: true },
  };

  test("tells an account what it may do, and no condition", async () => {
    expect(await rights("reader")).toEqual({
      admin: false,
      roles: [role("reader")],
      collections: {
        baasix_File: publicFiles,
        baasix_Notification: ownNotifications,
        posts: {
          create: { fields: ["title", "author_Id"], partly: [], conditional: false },
          read: { fields: ["id", "title", "author.name"], partly: [], conditional: true },
        },
      },
    } as Rights);
  });
  test("adds up several roles", async () => {
    expect((await rights("reader+seller")).collections.posts).toEqual({
      create: { fields: ["title", "author_Id"], partly: [], conditional: false },
      read: {
        fields: ["id", "title", "price", "author.name"],
        partly: ["title", "price"],
        conditional: true,
      },
      update: { fields: ["price"], partly: [], conditional: false },
      delete: { conditional: true },
    });
  });
  test("tells guests, accounts without rights and administrators", async () => {
    expect((await rights()).collections.posts).toEqual({
      read: { fields: ["*"], partly: [], conditional: true },
    });
    expect(await rights("idle")).toEqual({
      admin: false,
      roles: [role("idle")],
      collections: { baasix_File: publicFiles, baasix_Notification: ownNotifications },
    } as unknown as Rights);
    const admin = await rights("admin");
    expect(admin.admin).toBe(true);
    expect(admin.collections.posts).toEqual({
      create: { fields: ["*", "**"], partly: [], conditional: false },
      read: { fields: ["*", "**"], partly: [], conditional: false },
      update: { fields: ["*", "**"], partly: [], conditional: false },
      delete: { conditional: false },
    });
    expect(Object.keys(admin.collections.baasix_Sessions ?? {})).toEqual(["read"]);
    expect(JSON.stringify(admin)).not.toMatch(/token|password/);
  });
  test("follows a change at once", async () => {
    const body = { role_Id: ids.get("idle"), collection: "authors", action: "delete" };
    const { id } = (await app.ok("POST", "/permissions", body)).body as { id: string };
    expect((await rights("idle")).collections.authors).toEqual({ delete: { conditional: false } });
    await app.call("DELETE", `/permissions/${id}`, { token: app.admin });
    expect((await rights("idle")).collections).not.toHaveProperty("authors");
  });
});
