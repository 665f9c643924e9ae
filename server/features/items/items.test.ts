import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";

type Row = Record<string, unknown>;
type List = { data: Row[]; totalCount: number };

let app: TestApp;
let ann: { token: string; id: string };
let bob: { token: string; id: string };
let role: string;

const schemas: Record<string, unknown> = {
  authors: {
    name: "Author",
    fields: {
      id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
      name: { type: "String", allowNull: false, validate: { len: [2, 50] } },
      mail: { type: "String", unique: true, validate: { isEmail: true } },
    },
  },
  posts: {
    name: "Post",
    usertrack: true,
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      code: { type: "SUID", defaultValue: { type: "SUID" }, unique: true },
      title: { type: "String", allowNull: false, values: { length: 100 } },
      price: { type: "Decimal", values: { precision: 30, scale: 10 }, validate: { min: 0 } },
      views: { type: "BigInt", defaultValue: 0 },
      rating: { type: "Double" },
      kind: { type: "Enum", values: ["news", "story"], defaultValue: "news" },
      tags: { type: "Array", values: { type: "String" } },
      meta: { type: "JSONB" },
      published: { type: "Boolean", defaultValue: false },
      day: { type: "Date" },
      hour: { type: "Time" },
      at: { type: "DateTime" },
      secret: { type: "String" },
    },
  },
  notes: {
    name: "Note",
    paranoid: true,
    fields: { text: { type: "Text" } },
  },
};

beforeAll(async () => {
  app = await testApp();
  for (const [collectionName, schema] of Object.entries(schemas)) {
    const answer = await app.call("POST", "/schemas", { token: app.admin, body: { collectionName, schema } });
    expect(answer.text).toBe('{"message":"Schema created successfully"}');
  }
  const related = await app.call("POST", "/schemas/posts/relationships", {
    token: app.admin,
    body: { type: "M2O", name: "author", target: "authors", alias: "posts" },
  });
  expect(related.status).toBe(201);
  ann = await app.signUp("ann@example.com");
  bob = await app.signUp("bob@example.com");
  const roles = await list("/items/baasix_Role?filter[name]=user");
  role = String(roles.data[0]?.id);
});

afterAll(() => app.close());

async function list(path: string, token = app.admin): Promise<List> {
  const answer = await app.call("GET", path, { token });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return answer.body as List;
}

async function create(collection: string, body: unknown, token = app.admin): Promise<string> {
  const answer = await app.call("POST", `/items/${collection}`, { token, body });
  if (answer.status !== 201) throw new Error(`create ${collection}: ${answer.status} ${answer.text}`);
  return (answer.body as { data: { id: string } }).data.id;
}

async function read(collection: string, id: unknown, query = ""): Promise<Row> {
  const answer = await app.call("GET", `/items/${collection}/${id}${query}`, { token: app.admin });
  if (answer.status !== 200) throw new Error(`read ${collection}: ${answer.status} ${answer.text}`);
  return (answer.body as { data: Row }).data;
}

/** Runs with permissions that are gone afterwards. */
const withPermissions = (permissions: readonly Row[], work: () => Promise<void>): Promise<void> =>
  app.whileAllowed(
    permissions.map((permission) => ({ role_Id: role, ...permission })),
    work,
  );

const error = (body: unknown) =>
  (body as { error: { code: string; message: string; statusCode: number } }).error;

describe("values come back as they were given", () => {
  const table: [string, unknown, unknown][] = [
    ["price", "12345678901234567890.0123456789", "12345678901234567890.0123456789"],
    ["price", 0.5, "0.5000000000"],
    ["views", "9223372036854775807", "9223372036854775807"],
    ["views", 5, "5"],
    ["rating", 1.5, 1.5],
    ["rating", "1e3", 1000],
    ["kind", "story", "story"],
    ["tags", ["a", 'b"c', "d,e\\f", "{}"], ["a", 'b"c', "d,e\\f", "{}"]],
    ["tags", [], []],
    ["meta", { a: [1, { b: null }], c: "x" }, { a: [1, { b: null }], c: "x" }],
    ["meta", "text", "text"],
    ["meta", 5, 5],
    ["published", true, true],
    ["day", "2024-02-29", "2024-02-29"],
    ["hour", "09:30", "09:30:00"],
    ["at", "2026-11-20T09:13:51.123456+02:00", "2026-11-20T07:13:51.123456+00:00"],
    ["title", "Ünïcödé 🙂 'quoted' \\ \"", "Ünïcödé 🙂 'quoted' \\ \""],
    ["meta", null, null],
  ];
  test.each(table)("%s %j", async (field, given, expected) => {
    const one = await create("posts", { title: "t", [field]: given });
    expect((await read("posts", one))[field]).toEqual(expected);
    const [bulk] = (
      (
        await app.call("POST", "/items/posts/bulk", {
          token: app.admin,
          body: [{ title: "t", [field]: given }, { title: "u" }],
        })
      ).body as { data: string[] }
    ).data;
    expect((await read("posts", bulk))[field]).toEqual(expected);
    const changed = await create("posts", { title: "t" });
    await app.call("PATCH", `/items/posts/${changed}`, { token: app.admin, body: { [field]: given } });
    expect((await read("posts", changed))[field]).toEqual(expected);
  });
});

describe("wrong values are refused with the place, and nothing is written", () => {
  const table: [Row, string, RegExp][] = [
    [{ title: "t", price: "abc" }, "VALIDATION_ERROR", /price/],
    [{ title: "t", price: -1 }, "VALIDATION_ERROR", /price: Value -1 is less than minimum 0/],
    [{ title: "t", views: 1.5 }, "VALIDATION_ERROR", /views/],
    [{ title: "t", views: "9223372036854775808" }, "VALIDATION_ERROR", /views/],
    [{ title: "t", kind: "poem" }, "VALIDATION_ERROR", /kind.*news.*story/],
    [{ title: "t", day: "2023-02-29" }, "VALIDATION_ERROR", /day/],
    [{ title: "t", at: "yesterday" }, "VALIDATION_ERROR", /at/],
    [{ title: "t", hour: "25:00" }, "VALIDATION_ERROR", /hour/],
    [{ title: "t", published: "maybe" }, "VALIDATION_ERROR", /published/],
    [{ title: "t", tags: "a" }, "VALIDATION_ERROR", /tags/],
    [{ title: "x".repeat(101) }, "VALIDATION_ERROR", /title/],
    [{ title: "a\0b" }, "VALIDATION_ERROR", /title/],
    [{ title: null }, "VALIDATION_ERROR", /title: Field is required/],
    [{}, "VALIDATION_ERROR", /title: Field is required/],
    [{ title: "t", titel: "u" }, "UNKNOWN_FIELD", /titel.*did you mean 'title'/],
    [{ title: "t", author: { name: "x" } }, "VALIDATION_ERROR", /author.name: Value must be at least 2/],
    [{ title: "t", author: { nam: "x" } }, "UNKNOWN_FIELD", /author.nam: .*did you mean 'name'/],
    [{ title: "t", author: 999_999 }, "VALIDATION_ERROR", /relational data/],
    [{ title: "t", author_Id: 999_999 }, "FOREIGN_KEY_VIOLATION", /author_Id/],
    [{ title: "t", id: "nope" }, "VALIDATION_ERROR", /id/],
  ];
  test.each(table)("%j", async (body, code, message) => {
    const before = await list("/items/posts?limit=0");
    const answer = await app.call("POST", "/items/posts", { token: app.admin, body });
    expect(error(answer.body)).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(answer.status).toBe(code === "FOREIGN_KEY_VIOLATION" ? 409 : 400);
    const bulk = await app.call("POST", "/items/posts/bulk", {
      token: app.admin,
      body: [{ title: "fine" }, body],
    });
    expect(bulk.status).toBe(answer.status);
    expect((await list("/items/posts?limit=0")).totalCount).toBe(before.totalCount);
  });
  test("a second unique value is a conflict that names the field, not the row", async () => {
    await create("authors", { name: "Cy", mail: "cy@example.com" });
    const answer = await app.call("POST", "/items/authors", {
      token: app.admin,
      body: { name: "Di", mail: "cy@example.com" },
    });
    expect(answer.status).toBe(409);
    expect(error(answer.body)).toMatchObject({
      code: "UNIQUE_VIOLATION",
      message: expect.stringContaining("mail"),
    });
  });
});

describe("shapes of the answers", () => {
  test("create, read, update, delete", async () => {
    const created = await app.call("POST", "/items/authors", { token: app.admin, body: { name: "Ed" } });
    expect(created.status).toBe(201);
    const { id } = (created.body as { data: { id: number } }).data;
    expect(created.body).toEqual({ data: { id: expect.any(Number) } });
    const changed = await app.call("PATCH", `/items/authors/${id}`, {
      token: app.admin,
      body: { name: "Eddy" },
    });
    expect([changed.status, changed.body]).toEqual([200, { data: { id } }]);
    expect(await read("authors", id, "?fields=id,name")).toEqual({ id, name: "Eddy" });
    const removed = await app.call("DELETE", `/items/authors/${id}`, { token: app.admin });
    expect([removed.status, removed.body]).toEqual([200, { data: { id } }]);
    const gone = await app.call("GET", `/items/authors/${id}`, { token: app.admin });
    expect(gone.status).toBe(404);
    expect(error(gone.body)).toMatchObject({ code: "NOT_FOUND", statusCode: 404 });
  });
  test("?fields= gives the written row as a read shows it", async () => {
    const answer = await app.call("POST", "/items/posts?fields=title,kind", {
      token: app.admin,
      body: { title: "t" },
    });
    expect([answer.status, answer.body]).toEqual([201, { data: { title: "t", kind: "news" } }]);
    const before = await list("/items/posts?limit=0");
    const refused = await app.call("POST", "/items/posts?fields=nope", {
      token: app.admin,
      body: { title: "t" },
    });
    expect(refused.status).toBe(400);
    expect((await list("/items/posts?limit=0")).totalCount).toBe(before.totalCount);
  });
  test("bulk create, update and delete, all or nothing", async () => {
    const made = await app.call("POST", "/items/authors/bulk", {
      token: app.admin,
      body: [{ name: "F1" }, { name: "F2", mail: "f2@example.com" }],
    });
    expect(made.status).toBe(201);
    const ids = (made.body as { data: number[] }).data;
    const changed = await app.call("PATCH", "/items/authors/bulk", {
      token: app.admin,
      body: [
        { id: ids[0], data: { name: "G1" } },
        { id: ids[1], name: "G2" },
      ],
    });
    expect([changed.status, changed.body]).toEqual([200, { data: ids }]);
    expect(
      (
        await list(
          `/items/authors?filter[id][in][]=${ids[0]}&filter[id][in][]=${ids[1]}&sort=id&fields=name,mail`,
        )
      ).data,
    ).toEqual([
      { name: "G1", mail: null },
      { name: "G2", mail: "f2@example.com" },
    ]);
    const half = await app.call("PATCH", "/items/authors/bulk", {
      token: app.admin,
      body: [
        { id: ids[0], data: { name: "H1" } },
        { id: 999_999, data: { name: "H2" } },
      ],
    });
    expect(half.status).toBe(404);
    expect((await read("authors", ids[0])).name).toBe("G1");
    const partly = await app.call("DELETE", "/items/authors/bulk", {
      token: app.admin,
      body: [ids[0], 999_999],
    });
    expect(partly.status).toBe(404);
    const removed = await app.call("DELETE", "/items/authors/bulk", { token: app.admin, body: ids });
    expect([removed.status, removed.text]).toEqual([204, ""]);
    expect((await app.call("GET", `/items/authors/${ids[0]}`, { token: app.admin })).status).toBe(404);
    expect((await app.call("POST", "/items/authors/bulk", { token: app.admin, body: [] })).body).toEqual({
      data: [],
    });
    expect(
      (await app.call("POST", "/items/authors/bulk", { token: app.admin, body: { name: "x" } })).status,
    ).toBe(400);
  });
  test("who wrote and when is stamped by the server, whatever the client says", async () => {
    await withPermissions(
      [{ collection: "posts", action: "create", fields: ["title", "createdAt", "userCreated_Id"] }],
      async () => {
        const id = await create(
          "posts",
          { title: "t", createdAt: "2000-01-01T00:00:00Z", userCreated_Id: bob.id },
          ann.token,
        );
        const row = await read("posts", id);
        expect(row.userCreated_Id).toBe(ann.id);
        expect(String(row.createdAt)).not.toStartWith("2000");
        expect(await read("posts", id, "?fields=userCreated.email")).toEqual({
          userCreated: { id: ann.id, email: "ann@example.com" },
        });
      },
    );
  });
  test("a paranoid collection keeps what is deleted", async () => {
    const id = await create("notes", { text: "x" });
    await app.call("DELETE", `/items/notes/${id}`, { token: app.admin });
    expect((await app.call("GET", `/items/notes/${id}`, { token: app.admin })).status).toBe(404);
    expect(
      (await app.call("PATCH", `/items/notes/${id}`, { token: app.admin, body: { text: "y" } })).status,
    ).toBe(404);
    expect((await list("/items/notes?paranoid=false")).data).toMatchObject([
      { id, text: "x", deletedAt: expect.any(String) },
    ]);
    expect((await list("/items/notes")).totalCount).toBe(0);
  });
});

describe("lists", () => {
  let authors: number[];
  beforeAll(async () => {
    authors = (
      (
        await app.call("POST", "/items/authors/bulk", {
          token: app.admin,
          body: [{ name: "Zoe" }, { name: "Yan" }],
        })
      ).body as { data: number[] }
    ).data;
    const posts = Array.from({ length: 12 }, (_, i) => ({
      title: `list ${String(i).padStart(2, "0")}`,
      price: i,
      author_Id: i < 10 ? authors[i % 2] : null,
    }));
    await app.call("POST", "/items/posts/bulk", { token: app.admin, body: posts });
  });
  const mine = "filter[title][startsWith]=list%20";
  test("filter, sort, page, total", async () => {
    const page = await list(`/items/posts?${mine}&sort=-price&limit=5&page=2&fields=title`);
    expect(page).toEqual({ data: [6, 5, 4, 3, 2].map((i) => ({ title: `list 0${i}` })), totalCount: 12 });
    expect(await list(`/items/posts?${mine}&limit=0`)).toEqual({ data: [], totalCount: 12 });
    expect(await list(`/items/posts?${mine}&offset=100`)).toEqual({ data: [], totalCount: 12 });
  });
  test("JSON and bracket filters mean the same", async () => {
    const filter = encodeURIComponent(
      JSON.stringify({ title: { startsWith: "list " }, OR: [{ price: { lt: 2 } }, { price: { gte: 11 } }] }),
    );
    const json = await list(`/items/posts?filter=${filter}&sort=price&fields=price`);
    expect(json.data.map((row) => Number(row.price))).toEqual([0, 1, 11]);
    const bracket = await list(
      `/items/posts?${mine}&filter[OR][0][price][lt]=2&filter[OR][1][price][gte]=11&sort=price&fields=price`,
    );
    expect(bracket).toEqual(json);
  });
  test("relations in both directions, in one answer", async () => {
    const page = await list(
      `/items/posts?${mine}&sort=price&limit=1&fields=title,author.name,author.posts.price`,
    );
    expect(page.data).toEqual([
      {
        title: "list 00",
        author: {
          id: authors[0],
          name: "Zoe",
          posts: expect.arrayContaining([{ id: expect.any(String), price: "8.0000000000" }]),
        },
      },
    ]);
    const alone = await list(`/items/posts?${mine}&sort=-price&limit=1&fields=title,author.name`);
    expect(alone.data).toEqual([{ title: "list 11", author: null }]);
    const author = await read("authors", authors[1], "?fields=name,posts.title");
    expect(author.posts).toHaveLength(5);
  });
  test("a list inside an item that reaches its bound is marked", async () => {
    const author = await create("authors", { name: "Prolific" });
    const posts = Array.from({ length: 12 }, (_, i) => ({ title: `p${i}`, author_Id: author }));
    await app.call("POST", "/items/posts/bulk", { token: app.admin, body: posts });
    const path = `/items/authors?filter[id]=${author}&fields=id,posts.id`;
    const wide = await app.call("GET", `${path}&limit=1000`, { token: app.admin });
    expect(wide.body).toMatchObject({ truncated: true, data: [{ posts: { length: 10 } }] });
    const narrow = await app.call("GET", `${path}&limit=100`, { token: app.admin });
    expect(narrow.body).not.toHaveProperty("truncated");
    expect(narrow.body).toMatchObject({ data: [{ posts: { length: 12 } }] });
  });
  test("filters and sorts through relations", async () => {
    const filter = (value: unknown) =>
      `filter=${encodeURIComponent(JSON.stringify({ title: { startsWith: "list " }, ...(value as Row) }))}`;
    expect((await list(`/items/posts?${filter({ "author.name": "Yan" })}`)).totalCount).toBe(5);
    expect((await list(`/items/posts?${filter({ author: { name: { isNull: true } } })}`)).totalCount).toBe(2);
    expect((await list(`/items/posts?${filter({ NOT: { "author.name": "Yan" } })}`)).totalCount).toBe(5);
    expect(
      (
        await list(
          `/items/authors?filter=${encodeURIComponent('{"posts.price":{"gt":7}}')}&sort=name&fields=name`,
        )
      ).data,
    ).toEqual([{ name: "Yan" }, { name: "Zoe" }]);
    const sorted = await list(
      `/items/posts?${filter({ author_Id: { isNotNull: true } })}&sort=author.name,-price&limit=2&fields=price`,
    );
    expect(sorted.data.map((row) => Number(row.price))).toEqual([9, 7]);
  });
  test("without a limit a list has 100 items, and never more than 1,000", async () => {
    await app.call("POST", "/items/notes/bulk", {
      token: app.admin,
      body: Array.from({ length: 1000 }, () => ({ text: "many" })),
    });
    await app.call("POST", "/items/notes/bulk", {
      token: app.admin,
      body: Array.from({ length: 5 }, () => ({ text: "many" })),
    });
    expect((await list("/items/notes?fields=id")).data).toHaveLength(100);
    const most = await list("/items/notes?fields=id&limit=-1");
    expect([most.data.length, most.totalCount]).toEqual([1000, 1005]);
    const tooMany = await app.call("POST", "/items/notes/bulk", {
      token: app.admin,
      body: Array.from({ length: 1001 }, () => ({})),
    });
    expect(error(tooMany.body).code).toBe("QUERY_TOO_COMPLEX");
  });
});

describe("permissions hold at every door", () => {
  let own: string;
  let other: string;
  beforeAll(async () => {
    own = await create("posts", { title: "own", secret: "s1", author_Id: null });
    other = await create("posts", { title: "other", secret: "s2" });
  });
  const reads = {
    collection: "posts",
    action: "read",
    fields: ["id", "title"],
    conditions: { title: { eq: "own" } },
  };

  test("without a permission nothing is there", async () => {
    for (const [method, path, body] of [
      ["GET", "/items/posts"],
      ["GET", `/items/posts/${own}`],
      ["POST", "/items/posts", { title: "x" }],
      ["POST", "/items/posts/bulk", [{ title: "x" }]],
      ["PATCH", `/items/posts/${own}`, { title: "x" }],
      ["PATCH", "/items/posts/bulk", [{ id: own, data: { title: "x" } }]],
      ["DELETE", `/items/posts/${own}`],
      ["DELETE", "/items/posts/bulk", [own]],
    ] as const) {
      for (const token of [ann.token, undefined]) {
        const answer = await app.call(method, path, { body, ...(token && { token }) });
        expect([method, path, answer.status, error(answer.body).code]).toEqual([
          method,
          path,
          403,
          "FORBIDDEN",
        ]);
      }
    }
    expect((await read("posts", own)).title).toBe("own");
  });
  test("without a right on the collection its fields are not told", async () => {
    const bytes = (text: string) => text.replace(/"requestId":"[^"]*"/, "");
    const plain = await app.call("GET", "/items/posts");
    for (const path of [
      "?fields=secre",
      "?sort=secre",
      '?filter={"price":{"like":"x"}}',
      "/1",
      "/1?fields=secre",
    ]) {
      const answer = await app.call("GET", `/items/posts${path}`);
      expect([path, answer.status, bytes(answer.text)]).toEqual([path, 403, bytes(plain.text)]);
    }
  });
  test("rows and fields of a read", async () => {
    await withPermissions([reads], async () => {
      expect(await list("/items/posts", ann.token)).toEqual({
        data: [{ id: own, title: "own" }],
        totalCount: 1,
      });
      const hidden = await app.call("GET", `/items/posts/${other}`, { token: ann.token });
      const missing = await app.call("GET", `/items/posts/${crypto.randomUUID()}`, { token: ann.token });
      const bytes = (text: string) => text.replace(/"requestId":"[^"]*"/, "");
      expect([hidden.status, bytes(hidden.text)]).toEqual([404, bytes(missing.text)]);
      for (const query of [
        "fields=secret",
        'filter={"secret":"s1"}',
        "sort=secret",
        'filter={"author.name":"x"}',
        "fields=author.name",
        'filter={"userCreated.email":"x"}',
      ]) {
        const answer = await app.call("GET", `/items/posts?${query}`, { token: ann.token });
        expect([query, answer.status, error(answer.body).code]).toEqual([query, 403, "FORBIDDEN"]);
      }
      expect((await list("/items/posts?fields=*,author.*,userCreated.*", ann.token)).data).toEqual([
        { id: own, title: "own" },
      ]);
    });
  });
  test("a create must meet the condition, and gets the defaults", async () => {
    const creates = {
      collection: "posts",
      action: "create",
      fields: ["title"],
      conditions: { title: { startsWith: "ok" }, userCreated_Id: "$CURRENT_USER" },
      defaultValues: { secret: "$CURRENT_USER", kind: "story" },
    };
    await withPermissions([creates], async () => {
      const id = await create("posts", { title: "ok 1" }, ann.token);
      expect(await read("posts", id)).toMatchObject({ secret: ann.id, kind: "story" });
      const before = (await list("/items/posts?limit=0")).totalCount;
      for (const body of [{ title: "no" }, { title: "ok 2", secret: "x" }]) {
        const answer = await app.call("POST", "/items/posts", { token: ann.token, body });
        expect([answer.status, error(answer.body).code]).toEqual([403, "FORBIDDEN"]);
      }
      const bulk = await app.call("POST", "/items/posts/bulk", {
        token: ann.token,
        body: [{ title: "ok 3" }, { title: "no" }],
      });
      expect(bulk.status).toBe(403);
      expect((await list("/items/posts?limit=0")).totalCount).toBe(before);
    });
  });
  test("an update needs the row as it is and as it becomes", async () => {
    const updates = {
      collection: "posts",
      action: "update",
      fields: ["title", "published"],
      conditions: {
        published: false,
        userCreated_Id: "$CURRENT_USER",
        "userCreated.email": { endsWith: "@example.com" },
      },
    };
    const creates = { collection: "posts", action: "create", fields: ["title"] };
    await withPermissions([updates, creates], async () => {
      const id = await create("posts", { title: "mine" }, ann.token);
      expect(
        (await app.call("PATCH", `/items/posts/${id}`, { token: ann.token, body: { title: "still mine" } }))
          .status,
      ).toBe(200);
      expect(
        (await app.call("PATCH", `/items/posts/${id}`, { token: bob.token, body: { title: "stolen" } }))
          .status,
      ).toBe(404);
      expect(
        (await app.call("PATCH", `/items/posts/${id}`, { token: ann.token, body: { published: true } }))
          .status,
      ).toBe(403);
      expect(
        (await app.call("PATCH", `/items/posts/${id}`, { token: ann.token, body: { secret: "x" } })).status,
      ).toBe(403);
      expect(await read("posts", id)).toMatchObject({
        title: "still mine",
        published: false,
        userUpdated_Id: ann.id,
      });
    });
  });
  test("the check of a written row reads tables, whatever they are called", async () => {
    const schema = { name: "W", fields: { open: { type: "Boolean" } } };
    await app.call("POST", "/schemas", { token: app.admin, body: { collectionName: "w", schema } });
    const relation = { type: "M2O", name: "w", target: "w" };
    await app.call("POST", "/schemas/posts/relationships", { token: app.admin, body: relation });
    const [open, closed] = [await create("w", { open: true }), await create("w", { open: false })];
    const creates = { collection: "posts", action: "create", fields: ["*"], conditions: { "w.open": true } };
    await withPermissions([creates], async () => {
      await create("posts", { title: "x", w_Id: open }, ann.token);
      const answer = await app.call("POST", "/items/posts", {
        token: ann.token,
        body: { title: "x", w_Id: closed },
      });
      expect([answer.status, error(answer.body).code]).toEqual([403, "FORBIDDEN"]);
    });
  });
  test("a delete reaches only the rows of the condition", async () => {
    await withPermissions(
      [{ collection: "posts", action: "delete", conditions: { title: "own" } }],
      async () => {
        expect((await app.call("DELETE", `/items/posts/${other}`, { token: ann.token })).status).toBe(404);
        expect(
          (await app.call("DELETE", "/items/posts/bulk", { token: ann.token, body: [own, other] })).status,
        ).toBe(404);
        expect((await read("posts", own)).title).toBe("own");
        expect((await app.call("DELETE", `/items/posts/${own}`, { token: ann.token })).status).toBe(200);
      },
    );
  });
  test("a permission that is taken away is gone with the answer", async () => {
    await withPermissions([reads], async () => void (await list("/items/posts", ann.token)));
    expect((await app.call("GET", "/items/posts", { token: ann.token })).status).toBe(403);
  });
  test("a permission written through /items counts at once", async () => {
    const id = await create("baasix_Permission", { role_Id: role, ...reads });
    expect((await list("/items/posts", ann.token)).totalCount).toBeGreaterThanOrEqual(0);
    await app.call("DELETE", `/items/baasix_Permission/${id}`, { token: app.admin });
    expect((await app.call("GET", "/items/posts", { token: ann.token })).status).toBe(403);
  });
});

describe("what nobody may touch", () => {
  test("credentials are readable by no one", async () => {
    for (const [path, field] of [
      ["baasix_Account", "password"],
      ["baasix_Sessions", "token"],
    ] as const) {
      expect((await list(`/items/${path}`)).data[0]).not.toHaveProperty(field);
      for (const query of [`fields=${field}`, `filter[${field}][isNotNull]=true`, `sort=${field}`]) {
        expect((await app.call("GET", `/items/${path}?${query}`, { token: app.admin })).status).toBe(403);
      }
    }
    const users = await app.call("GET", "/items/baasix_User?fields=*.*", { token: app.admin });
    expect(users.status).toBe(200);
    expect(users.text).not.toContain("argon2");
  });
  test("definitions, accounts and sessions are written by the server alone", async () => {
    for (const collection of ["baasix_SchemaDefinition", "baasix_Account", "baasix_Sessions"]) {
      expect((await app.call("POST", `/items/${collection}`, { token: app.admin, body: {} })).status).toBe(
        403,
      );
    }
  });
  test("the server's own roles stay", async () => {
    const roles = (await list("/items/baasix_Role")).data;
    for (const name of ["administrator", "public"]) {
      const id = roles.find((one) => one.name === name)?.id;
      expect((await app.call("DELETE", `/items/baasix_Role/${id}`, { token: app.admin })).status).toBe(403);
      expect(
        (await app.call("PATCH", `/items/baasix_Role/${id}`, { token: app.admin, body: { name: "x" } }))
          .status,
      ).toBe(403);
    }
  });
});

describe("hostile input is an answer, never a failure", () => {
  const strings = [
    "'",
    '"',
    "\\",
    "';--",
    '"; drop table posts; --',
    "\0",
    "\ud800",
    "__proto__",
    "constructor",
    "a.b",
    '"a"',
    "%",
    "$1",
    "$CURRENT_USER",
    "$COL(id)",
    "x".repeat(70),
    "select",
    "t0.id",
    "🙂",
  ];
  test("names and values in every place", async () => {
    const before = await list("/items/posts?limit=0");
    for (const text of strings) {
      const e = encodeURIComponent(text.toWellFormed());
      const json = (value: unknown) => encodeURIComponent(JSON.stringify(value));
      const calls: [string, string, unknown?][] = [
        ["GET", `/items/${e}`],
        ["GET", `/items/posts/${e}`],
        ["GET", `/items/posts?fields=${e}`],
        ["GET", `/items/posts?sort=${e}`],
        ["GET", `/items/posts?limit=${e}`],
        ["GET", `/items/posts?filter=${json({ [text]: 1 })}`],
        ["GET", `/items/posts?filter=${json({ title: { [text]: 1 } })}`],
        ["GET", `/items/posts?filter=${json({ title: { eq: text } })}`],
        ["GET", `/items/posts?filter=${json({ title: { like: text } })}`],
        ["GET", `/items/posts?filter=${json({ title: { in: [text] } })}`],
        ["GET", `/items/posts?filter=${json({ id: text })}`],
        ["GET", `/items/posts?filter[${e}][${e}]=${e}`],
        ["GET", `/items/posts?${e}=${e}`],
        ["POST", "/items/posts", { title: text, [text]: 1 }],
        ["PATCH", `/items/posts/${e}`, { title: text }],
        ["DELETE", `/items/posts/${e}`],
        ["DELETE", "/items/posts/bulk", [text]],
      ];
      for (const [method, path, body] of calls) {
        const answer = await app.call(method, path, {
          token: app.admin,
          ...(body !== undefined && { body }),
        });
        if (answer.status >= 500 || answer.status === 204)
          throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
        if (answer.status === 200)
          expect((answer.body as List).totalCount).toBeLessThan(before.totalCount + 1);
      }
    }
    expect(await list("/items/posts?limit=0")).toEqual(before);
  });
  test("a filter of 1 MB is refused", async () => {
    const answer = await app.call("GET", `/items/posts?filter={"title":"${"x".repeat(1_000_000)}"}`, {
      token: app.admin,
    });
    expect([400, 413, 414]).toContain(answer.status);
    expect(error(answer.body).message).not.toBe("");
  });
  test("a value with thousands of mistakes is told some of them", async () => {
    const fields = { list: { type: "Array", values: { type: "String" }, validate: { isEmail: true } } };
    const schema = { name: "Mails", fields };
    await app.call("POST", "/schemas", { token: app.admin, body: { collectionName: "mails", schema } });
    const list = Array.from({ length: 200_000 }, () => "x");
    const answer = await app.call("POST", "/items/mails", { token: app.admin, body: { list } });
    expect([answer.status, error(answer.body).code]).toEqual([400, "VALIDATION_ERROR"]);
    expect(answer.text.length).toBeLessThan(50_000);
  });
  test("malformed JSON, unknown routes, other methods", async () => {
    const bad = await app.call("POST", "/items/posts", { token: app.admin, body: "{" });
    expect([bad.status, error(bad.body).code]).toEqual([400, "INVALID_JSON"]);
    const nowhere = await app.call("GET", "/nowhere");
    expect([nowhere.status, error(nowhere.body).code]).toEqual([404, "ROUTE_NOT_FOUND"]);
    const unknown = await app.call("GET", "/items/nothing", { token: app.admin });
    expect([unknown.status, error(unknown.body).code]).toEqual([404, "UNKNOWN_COLLECTION"]);
  });
});
