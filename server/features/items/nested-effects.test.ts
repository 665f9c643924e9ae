/**
 * Writes with related items beyond one relation at a time: in how many statements, what is left alone, what is said when
 * something is not there, several writers at once, and any order of writes against a model in JavaScript.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import { system } from "../../core/access/actor";
import { type Answer, testApp, type TestApp } from "../../testing/app";
import { seedOfRun } from "../../testing/chance";

setDefaultTimeout(60_000);

type Row = Record<string, unknown>;

const actor = system("tests of nested writes");
const seed = seedOfRun();
let app: TestApp;
let ann: string;
let role: string;
let told: string[] = [];
/** Called with each run of a write of posts, also of one that has to begin again. */
let counted: () => unknown = () => undefined;

const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const name = { type: "String" };

beforeAll(async () => {
  app = await testApp({ env: { DATABASE_POOL_MAX: "8" } });
  const schemas: Record<string, Row> = {
    authors: {
      fields: { id, name: { ...name, unique: true }, age: { type: "Integer", validate: { min: 0 } } },
    },
    posts: { fields: { id, title: { type: "String", allowNull: false, unique: true } } },
    comments: { fields: { id, text: { type: "String", allowNull: false } }, paranoid: true },
    tags: { fields: { id, name } },
  };
  for (const [collectionName, schema] of Object.entries(schemas))
    await send("POST", "/schemas", {
      collectionName,
      schema: { name: collectionName, timestamps: false, ...schema },
    });
  for (const body of [
    { type: "M2O", name: "author", target: "authors", alias: "posts" },
    { type: "O2M", name: "comments", target: "comments", alias: "post" },
    { type: "M2M", name: "tags", target: "tags", alias: "posts", through: "posts_tags" },
  ])
    await send("POST", "/schemas/posts/relationships", body);
  // A junction of three, made by hand.
  const end = (target: string, foreignKey: string): Row => ({
    relType: "BelongsTo",
    target,
    foreignKey,
    allowNull: false,
  });
  const fields = {
    id,
    share: { type: "Integer" },
    post: end("posts", "post_Id"),
    author: end("authors", "author_Id"),
    tag: end("tags", "tag_Id"),
  };
  const indexes = [{ fields: ["post_Id", "author_Id", "tag_Id"], unique: true }];
  const credits = { name: "Credit", isJunction: true, timestamps: false, fields, indexes };
  await send("POST", "/schemas", { collectionName: "credits", schema: credits });
  const { schema } = (await send("GET", "/schemas/posts", undefined)) as { schema: { fields: Row } };
  const list = { relType: "HasMany", target: "credits", foreignKey: "post_Id" };
  await send("PATCH", "/schemas/posts", {
    schema: { ...schema, fields: { ...schema.fields, credits: list } },
  });
  const made = await app.signUp("ann@example.com");
  ann = made.token;
  role = (await app.data.create(actor, "baasix_Role", [{ name: "writer" }]))[0] as string;
  await app.data.create(actor, "baasix_UserRole", [{ user_Id: made.id, role_Id: role }]);
  app.data.beforeWrite(({ collection }) => (collection === "posts" ? counted() : undefined));
  app.data.onWrite(({ collection, action, ids }) => void told.push(`${action} ${ids.length} ${collection}`));
});

afterAll(() => app.close());

beforeEach(async () => {
  await app.data.transaction(async (rows) => {
    for (const table of ["credits", "posts_tags", "comments", "posts", "authors", "tags"])
      await rows.removeWhere(actor, table, { id: { gt: 0 } }, { permanent: true });
  });
  told = [];
});

async function call(method: string, path: string, body: unknown, token = app.admin): Promise<Answer> {
  return app.call(method, path, { token, body });
}

async function send(method: string, path: string, body: unknown, token = app.admin): Promise<unknown> {
  const answer = await call(method, path, body, token);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return (answer.body as { data?: unknown } | null)?.data;
}

const make = async (collection: string, rows: readonly Row[]): Promise<readonly number[]> =>
  (await app.data.create(actor, collection, rows)).map(Number);

async function rowsOf(collection: string, fields: readonly string[]): Promise<readonly Row[]> {
  return app.data.find<Row>(actor, collection, { fields, sort: "id", limit: 1000 });
}

/** The refusal: its status, its text, and what it says of related items. */
async function refusal(method: string, path: string, body: unknown, token = app.admin): Promise<unknown[]> {
  const { status, body: answer } = await call(method, path, body, token);
  const { error } = answer as { error: { message: string; details: unknown } };
  return [status, error.message, error.details];
}

/** Grants rights to the role `writer` while `work` runs. */
async function granted(rights: Readonly<Record<string, Row>>, work: () => Promise<void>): Promise<void> {
  const ids = await app.data.create(
    actor,
    "baasix_Permission",
    Object.entries(rights).map(([right, more]) => {
      const [collection, action] = right.split(".");
      return { role_Id: role, collection, action, fields: ["*"], ...more };
    }),
  );
  try {
    await work();
  } finally {
    await app.data.remove(actor, "baasix_Permission", ids);
  }
}

describe("in few statements", () => {
  test("a bulk of items with related ones: one statement for each relation of each level", async () => {
    const posts = Array.from({ length: 100 }, (_, i) => ({
      title: `post ${i}`,
      author: { name: `author ${i}` },
      comments: [{ text: "a" }, { text: "b" }],
      tags: [{ tags: { name: `tag ${i}` } }],
    }));
    const ids = (await send("POST", "/items/posts/bulk", posts)) as readonly number[];
    expect(told).toEqual([
      "create 100 authors",
      "create 100 posts",
      "create 200 comments",
      "create 100 tags",
      "create 100 posts_tags",
    ]);
    const shown = await app.data.find<Row>(actor, "posts", {
      fields: ["title", "author.name", "comments.text", "tags.tags.name"],
      filter: { id: ids[57] },
    });
    expect(shown).toMatchObject([
      {
        title: "post 57",
        author: { name: "author 57" },
        comments: [{ text: "a" }, { text: "b" }],
        tags: [{ tags: { name: "tag 57" } }],
      },
    ]);
  });

  test("more related items than one statement takes", async () => {
    const comments = Array.from({ length: 2100 }, (_, i) => ({ text: `${i}` }));
    const { id: post } = (await send("POST", "/items/posts", { title: "long", comments })) as { id: number };
    expect(told).toEqual([
      "create 1 posts",
      "create 1000 comments",
      "create 1000 comments",
      "create 100 comments",
    ]);
    await send("PATCH", `/items/posts/${post}`, { comments: [] });
    expect(await app.data.find(actor, "comments", { filter: { post_Id: post } })).toEqual([]);
  });

  test("a filter does not multiply related items beyond what one request may name", async () => {
    await make(
      "posts",
      Array.from({ length: 101 }, (_, i) => ({ title: `post ${i}` })),
    );
    told = [];
    const comments = (length: number) => ({ create: Array.from({ length }, () => ({ text: "x" })) });
    const write = (data: Row) => call("PATCH", "/items/posts", { filter: { id: { gt: 0 } }, data });
    expect((await write({ comments: comments(100) })).body).toMatchObject({
      error: { code: "QUERY_TOO_COMPLEX", message: expect.stringContaining("10000 items") },
    });
    expect([told, await rowsOf("comments", ["id"])]).toEqual([[], []]);
    expect((await write({ comments: comments(2) })).status).toBe(200);
    expect(told).toEqual(["update 101 posts", "create 202 comments"]);
  });

  test("items that name no relation are written as ever", async () => {
    await send("POST", "/items/posts", { title: "flat", author_Id: null });
    expect(told).toEqual(["create 1 posts"]);
  });

  test("each item that was written is in the audit log", async () => {
    const total = async (): Promise<number> =>
      (await app.data.read(actor, "baasix_AuditLog", { limit: 1 })).totalCount ?? 0;
    const before = await total();
    const { id: post } = (await send("POST", "/items/posts", {
      title: "noted",
      author: { name: "Ann" },
      comments: [{ text: "a" }],
    })) as { id: number };
    await send("PATCH", `/items/posts/${post}`, { comments: [] });
    const log = await app.data.find<Row>(actor, "baasix_AuditLog", {
      fields: ["entity", "action"],
      filter: { entity: { in: ["authors", "posts", "comments"] } },
      sort: "-id",
      limit: 5,
    });
    expect(log.toReversed().map(({ entity, action }) => `${action} ${entity}`)).toEqual([
      "create authors",
      "create posts",
      "create comments",
      "update posts",
      "update comments",
    ]);
    expect((await total()) - before).toBe(5);
  });
});

describe("what the writer does not see", () => {
  test("items that are not seen stay in the list, and cannot be named", async () => {
    const [post = 0] = await make("posts", [{ title: "one" }]);
    const [open = 0, secret = 0] = await make("comments", [
      { text: "open", post_Id: post },
      { text: "secret", post_Id: post },
    ]);
    const others = { conditions: { text: { ne: "secret" } } };
    const rights = { "posts.update": {}, "comments.read": others, "comments.update": others };
    await granted(rights, async () => {
      const path = `/items/posts/${post}`;
      const gone = (field: string): unknown[] => [
        400,
        "Validation failed for relational data",
        [{ field, message: `Related record not found: ${secret}` }],
      ];
      expect(await refusal("PATCH", path, { comments: [open, secret] }, ann)).toEqual(gone("comments[1]"));
      expect(await refusal("PATCH", path, { comments: [{ id: secret, text: "x" }] }, ann)).toEqual(
        gone("comments[0]"),
      );
      for (const step of ["connect", "detach", "delete"] as const)
        expect(await refusal("PATCH", path, { comments: { [step]: [secret] } }, ann)).toEqual(
          gone(`comments.${step}[0]`),
        );
      expect(
        await refusal("PATCH", path, { comments: { update: [{ id: secret, text: "x" }] } }, ann),
      ).toEqual(gone("comments.update[0]"));
      await send("PATCH", path, { comments: [] }, ann);
    });
    expect(await rowsOf("comments", ["text", "post_Id"])).toEqual([
      { text: "open", post_Id: null },
      { text: "secret", post_Id: post },
    ]);
  });

  test("an item that is seen and may not be written is another refusal than one that is not there", async () => {
    const [author = 0] = await make("authors", [{ name: "Ann" }]);
    const [post = 0] = await make("posts", [{ title: "one", author_Id: author }]);
    const rights = {
      "posts.update": {},
      "authors.read": {},
      "authors.update": { conditions: { name: "Bob" } },
    };
    await granted(rights, async () => {
      expect(
        await refusal(
          "PATCH",
          `/items/posts/${post}`,
          { title: "two", author: { id: author, name: "Amy" } },
          ann,
        ),
      ).toEqual([403, "You don't have permission to update this item in 'authors'", null]);
    });
    expect(await rowsOf("posts", ["title", "author.name"])).toEqual([
      { title: "one", author: { id: author, name: "Ann" } },
    ]);
  });

  test.each<readonly [body: Row, field: string]>([
    [{ author: 999 }, "author"],
    [{ author: { id: 999 } }, "author"],
    [{ author: { id: 999, name: "x" } }, "author"],
    [{ comments: [999] }, "comments[0]"],
    [{ comments: [{ id: 999, text: "x" }] }, "comments[0]"],
    [{ comments: { connect: [999] } }, "comments.connect[0]"],
    [{ comments: { update: [{ id: 999, text: "x" }] } }, "comments.update[0]"],
    [{ tags: [999] }, "tags[0]"],
    [{ tags: [{ tags_id: 999 }] }, "tags[0].tags_id"],
    [{ tags: [{ tags: { id: 999, name: "x" } }] }, "tags[0].tags"],
    [{ tags: [{ id: 999 }] }, "tags[0]"],
    [{ tags: { detach: [999] } }, "tags.detach[0]"],
  ])("%j names what is not there", async (body, field) => {
    const [post = 0] = await make("posts", [{ title: "one" }]);
    const details = [{ field, message: "Related record not found: 999" }];
    const expected = [400, "Validation failed for relational data", details];
    expect(await refusal("PATCH", `/items/posts/${post}`, { title: "two", ...body })).toEqual(expected);
    expect(await rowsOf("posts", ["title"])).toEqual([{ title: "one" }]);
  });

  test("a deleted item is not there, nor are items of other lists in steps", async () => {
    const [one = 0, two = 0] = await make("posts", [{ title: "one" }, { title: "two" }]);
    const [gone = 0, other = 0] = await make("comments", [{ text: "a" }, { text: "b", post_Id: two }]);
    await app.data.remove(actor, "comments", [gone]);
    for (const comments of [
      [gone],
      { detach: [other] },
      { delete: [other] },
      { update: [{ id: other, text: "x" }] },
    ])
      expect((await refusal("PATCH", `/items/posts/${one}`, { comments }))[0]).toBe(400);
    expect(await rowsOf("comments", ["text", "post_Id"])).toEqual([{ text: "b", post_Id: two }]);
  });
});

test("an item that was read is sent back as it is: nothing but what it holds changes", async () => {
  const [author = 0] = await make("authors", [{ name: "Ann" }]);
  const { id: post } = (await send("POST", "/items/posts", {
    title: "one",
    author,
    comments: [{ text: "a" }, { text: "b" }],
    tags: [{ tags: { name: "red" } }],
    credits: [{ share: 1, author, tag: { name: "blue" } }],
  })) as { id: number };
  const fields = ["*", "author", "comments", "tags", "tags.tags", "credits", "credits.author", "credits.tag"];
  const path = `/items/posts/${post}?fields=${fields.map((one) => `${one}.*`.replace("*.*", "*")).join()}`;
  const read = async () => (await app.call("GET", path, { token: app.admin })).body as { data: Row };
  const { data } = await read();
  expect(data).toMatchObject({ comments: [{ deletedAt: null }, {}], tags: [{ tags: { name: "red" } }] });
  await send("PATCH", `/items/posts/${post}`, data);
  expect(await read()).toEqual({ data });
  // A new one says as little of when it was deleted; a time is for the delete to say.
  await send("POST", "/items/comments", { text: "c", post, deletedAt: null });
  const deletedAt = "2026-01-01T00:00:00Z";
  const [first] = data.comments as readonly Row[];
  for (const entry of [
    { text: "d", deletedAt },
    { id: first?.id, deletedAt },
  ])
    expect(await refusal("PATCH", `/items/posts/${post}`, { comments: [entry] })).toEqual([
      400,
      "comments[0].deletedAt: set by deleting the item",
      null,
    ]);
});

describe("refused with the place, and nothing is written", () => {
  test.each<readonly [status: number, message: string, body: unknown]>([
    [
      400,
      "[1].comments[1].text: Field is required",
      [{ title: "a" }, { title: "b", comments: [{ text: "x" }, {}] }],
    ],
    [
      400,
      "[0].author.age: Value -1 is less than minimum 0",
      [{ title: "a", author: { name: "x", age: -1 } }, { title: "b" }],
    ],
    [400, "author.age: ", [{ title: "a", author: { age: "old" } }]],
    [400, "comments[0].text: Field is required", [{ title: "a", comments: [{ text: null }] }]],
    [400, "tags[0].tags.x: 'tags' has no field 'x'", [{ title: "a", tags: [{ tags: { name: "y", x: 1 } }] }]],
    [
      400,
      "comments[0].post_Id: belongs to the item in which this one stands",
      [{ title: "a", comments: [{ text: "x", post_Id: 5 }] }],
    ],
    [
      409,
      "authors.name: another row has this value",
      [
        { title: "a", author: { name: "same" } },
        { title: "b", author: { name: "same" } },
      ],
    ],
    [
      409,
      "posts.title: another row",
      [
        { title: "a", author: { name: "x" } },
        { title: "a", author: { name: "y" } },
      ],
    ],
    [
      400,
      "at most 1000 items in one request; got 1001",
      Array.from({ length: 1001 }, (_, n) => ({ title: `${n}`, author: { name: `${n}` } })),
    ],
  ])("%i: %s", async (status, message, body) => {
    const [given, text] = await refusal("POST", "/items/posts/bulk", body);
    expect([given, text]).toEqual([status, expect.stringContaining(message)]);
    for (const table of ["posts", "authors", "comments", "tags"])
      expect(await rowsOf(table, ["id"])).toEqual([]);
    expect(told).toEqual([]);
  });

  test("one related item said in two ways", async () => {
    const [author = 0] = await make("authors", [{ name: "Ann" }]);
    const both = (age: number): Row[] => [
      { title: "a", author: { id: author, age: 1 } },
      { title: "b", author: { id: author, age } },
    ];
    expect((await refusal("POST", "/items/posts/bulk", both(2)))[1]).toBe(
      `[1].author: item ${author} of 'authors' is written twice, with different values`,
    );
    await send("POST", "/items/posts/bulk", both(1));
    expect(await rowsOf("authors", ["age", "posts.title"])).toMatchObject([
      { age: 1, posts: [{ title: "a" }, { title: "b" }] },
    ]);
  });

  test("a version that no longer stands", async () => {
    const [post = 0] = await make("posts", [{ title: "one" }]);
    const body = [{ id: post, version: "1", data: { author: { name: "Ann" }, comments: [{ text: "x" }] } }];
    expect((await refusal("PATCH", "/items/posts/bulk", body))[0]).toBe(412);
    for (const table of ["authors", "comments"]) expect(await rowsOf(table, ["id"])).toEqual([]);
  });

  test("a list may be replaced by nobody who may not change the item itself", async () => {
    const [post = 0] = await make("posts", [{ title: "one" }]);
    await granted(
      { "posts.update": { conditions: { title: "mine" } }, "comments.create": {}, "comments.read": {} },
      async () => {
        expect(await refusal("PATCH", `/items/posts/${post}`, { comments: [{ text: "x" }] }, ann)).toEqual([
          404,
          "Item not found",
          null,
        ]);
      },
    );
    await granted({ "posts.update": { fields: ["title"] }, "comments.create": {} }, async () => {
      expect(await refusal("PATCH", `/items/posts/${post}`, { comments: [{ text: "x" }] }, ann)).toEqual([
        403,
        "You don't have permission to update relation: comments",
        null,
      ]);
      expect((await refusal("PATCH", `/items/posts/${post}`, { author: { name: "x" } }, ann))[1]).toBe(
        "You don't have permission to update relation: author",
      );
    });
    await granted({ "posts.update": { fields: ["comments.id"] }, "comments.create": {} }, async () => {
      expect(
        (await refusal("PATCH", `/items/posts/${post}`, { comments: { create: [{ text: "x" }] } }, ann))[1],
      ).toBe("You don't have permission to update field: comments.text");
    });
    expect(await rowsOf("comments", ["id"])).toEqual([]);
  });
});

test("a junction of three: its rows are told apart by both other ends", async () => {
  const [post = 0] = await make("posts", [{ title: "one" }]);
  const [ann1 = 0, bob = 0] = await make("authors", [{ name: "Ann" }, { name: "Bob" }]);
  const [text = 0, art = 0] = await make("tags", [{ name: "text" }, { name: "art" }]);
  const path = `/items/posts/${post}`;
  const credit = (author: number, tag: number, more: Row = {}): Row => ({
    author_Id: author,
    tag_Id: tag,
    ...more,
  });
  await send("PATCH", path, { credits: [credit(ann1, text, { share: 3 }), credit(ann1, art)] });
  const [first] = await rowsOf("credits", ["id"]);
  await send("PATCH", path, { credits: [credit(ann1, text), { author: bob, tag: { name: "music" } }] });
  await send("PATCH", path, { credits: { connect: [credit(bob, art), credit(ann1, text)] } });
  expect(await rowsOf("credits", ["id", "share", "author.name", "tag.name"])).toMatchObject([
    { ...first, share: 3, author: { name: "Ann" }, tag: { name: "text" } },
    { share: null, author: { name: "Bob" }, tag: { name: "music" } },
    { share: null, author: { name: "Bob" }, tag: { name: "art" } },
  ]);
  await send("PATCH", path, {
    credits: { update: [credit(bob, art, { share: 1 })], detach: [credit(ann1, text)] },
  });
  expect((await rowsOf("credits", ["share"])).map(({ share }) => share)).toEqual([null, 1]);
});

describe("other doors", () => {
  const rights = {
    "posts.create": {},
    "posts.read": {},
    "comments.create": { conditions: { text: { ne: "forbidden" } } },
    "tags.create": {},
    "tags.read": {},
    "posts_tags.create": {},
  };

  test("a transaction, whose operations refer to each other from inside related items", async () => {
    const operations = (text: string): readonly Row[] => [
      { action: "create", collection: "tags", data: { name: "red" } },
      {
        action: "create",
        collection: "posts",
        name: "post",
        data: { title: "one", tags: ["{{0.id}}", { tags: { name: "new" } }] },
      },
      {
        action: "create",
        collection: "posts",
        data: { title: "two", comments: [{ text: "about {{post.id}}" }, { text }] },
      },
    ];
    await granted(rights, async () => {
      expect((await call("POST", "/transaction", { operations: operations("forbidden") }, ann)).status).toBe(
        403,
      );
      for (const table of ["posts", "tags", "comments"]) expect(await rowsOf(table, ["id"])).toEqual([]);
      await send("POST", "/transaction", { operations: operations("fine") }, ann);
    });
    const [one, two] = await rowsOf("posts", ["tags.tags.name", "comments.text"]);
    expect(one).toMatchObject({ tags: [{ tags: { name: "red" } }, { tags: { name: "new" } }] });
    expect(two).toMatchObject({
      comments: [{ text: expect.stringMatching(/^about \d+$/) }, { text: "fine" }],
    });
  });

  test("an import, whose rows are refused with what stands inside them", async () => {
    const list = (text: string): readonly Row[] => [
      { title: "one", comments: [{ text: "first" }] },
      { title: "two", comments: [{ text }], tags: [{ tags: { name: "new" } }] },
    ];
    const path = "/items/posts/import-json";
    await granted(rights, async () => {
      expect((await call("POST", path, list("forbidden"), ann)).status).toBe(400);
      expect(await rowsOf("posts", ["id"])).toEqual([]);
      const partial = await call("POST", `${path}?mode=partial`, list("forbidden"), ann);
      expect(partial.body).toMatchObject({ results: { imported: 1, failed: 1 } });
      expect(await rowsOf("tags", ["id"])).toEqual([]);
      expect((await call("POST", path, list("fine").slice(1), ann)).status).toBe(200);
    });
    expect(await rowsOf("posts", ["title", "comments.text"])).toMatchObject([
      { title: "one", comments: [{ text: "first" }] },
      { title: "two", comments: [{ text: "fine" }] },
    ]);
  });
});

test("nobody gives an account the rights of an administrator by writing them inside it", async () => {
  const [administrator] = await app.data.find<{ id: string }>(actor, "baasix_Role", {
    filter: { name: "administrator" },
  });
  const [account] = await app.data.find<{ id: string }>(actor, "baasix_User", {
    filter: { email: "ann@example.com" },
  });
  const path = `/items/baasix_User/${account?.id}`;
  const own = { conditions: { id: "$CURRENT_USER" } };
  const wishes = [
    { userRoles: { create: [{ role_Id: administrator?.id }] } },
    { userRoles: { create: [{ role: administrator?.id }] } },
    { userRoles: { create: [{ role: { name: "administrator" } }] } },
    { userRoles: [{ role: { id: administrator?.id } }] },
  ];
  const before = await app.data.read(actor, "baasix_UserRole", { sort: "id" });
  await granted({ "baasix_User.update": own }, async () => {
    for (const wish of wishes) expect((await call("PATCH", path, wish, ann)).status).toBe(403);
  });
  const memberships = {
    "baasix_UserRole.create": {},
    "baasix_UserRole.read": {},
    "baasix_UserRole.delete": {},
  };
  await granted({ "baasix_User.update": own, ...memberships, "baasix_Role.read": {} }, async () => {
    for (const wish of wishes) expect((await call("PATCH", path, wish, ann)).status).toBe(403);
  });
  expect(await app.data.read(actor, "baasix_UserRole", { sort: "id" })).toEqual(before);
});

test("a key that leads to another item is opened by its relation only where that says it", async () => {
  const schema = {
    name: "Portrait",
    timestamps: false,
    fields: {
      id: { type: "Integer", primaryKey: true },
      style: name,
      author: { relType: "BelongsTo", target: "authors", foreignKey: "id" },
    },
  };
  await send("POST", "/schemas", { collectionName: "portraits", schema });
  const [mine = 0, other = 0] = await make("authors", [{ name: "Ann" }, { name: "Bob" }]);
  const rights = {
    "portraits.create": { fields: ["style", "author"] },
    "authors.read": { conditions: { name: "Ann" } },
  };
  await granted(rights, async () => {
    for (const theirs of [{ id: other }, { author: other }]) {
      const answer = await call("POST", "/items/portraits/bulk", [{ author: mine }, theirs], ann);
      expect([403, 400]).toContain(answer.status);
    }
    expect(await rowsOf("portraits", ["id"])).toEqual([]);
    await send("POST", "/items/portraits/bulk", [{ author: mine, style: "oil" }], ann);
  });
  expect(await rowsOf("portraits", ["id", "style"])).toEqual([{ id: mine, style: "oil" }]);
  await send("DELETE", "/schemas/portraits?force=true", undefined);
});

describe("upserts", () => {
  test("by a unique field: related items of both that are made and that are there", async () => {
    const [post = 0] = await make("posts", [{ title: "one" }]);
    await make("comments", [{ text: "old", post_Id: post }]);
    const answer = await send("PUT", "/items/posts", {
      on: "title",
      data: [
        { title: "one", author: { name: "Ann" }, comments: [{ text: "new" }] },
        { title: "two", author: { name: "Bob" }, comments: [{ text: "first" }] },
      ],
    });
    expect(answer).toMatchObject([{ id: post, created: false }, { created: true }]);
    expect(await rowsOf("posts", ["title", "author.name", "comments.text"])).toMatchObject([
      { title: "one", author: { name: "Ann" }, comments: [{ text: "new" }] },
      { title: "two", author: { name: "Bob" }, comments: [{ text: "first" }] },
    ]);
  });

  test("by a filter, with the rights for what happens", async () => {
    const upsert = { filter: { title: "one" }, data: { comments: [{ text: "x" }] } };
    const rights = { "posts.create": {}, "posts.read": {}, "comments.create": {}, "comments.read": {} };
    await granted(rights, async () => {
      expect(await send("PUT", "/items/posts", upsert, ann)).toMatchObject({ created: true });
      expect((await refusal("PUT", "/items/posts", upsert, ann))[0]).toBe(403);
    });
    await granted({ ...rights, "posts.update": {}, "comments.update": {} }, async () => {
      expect(await send("PUT", "/items/posts", { ...upsert, data: { comments: [] } }, ann)).toMatchObject({
        created: false,
      });
    });
    expect(await rowsOf("comments", ["text", "post_Id"])).toEqual([{ text: "x", post_Id: null }]);
  });
});

describe("several writers at once", () => {
  const rounds = [1, 2, 3];
  test.each(rounds)("replacing one list leaves one of the lists, round %i", async () => {
    const [post = 0] = await make("posts", [{ title: "one" }]);
    const tags = await make(
      "tags",
      Array.from({ length: 6 }, (_, i) => ({ name: `${i}` })),
    );
    const lists = [tags.slice(0, 3), tags.slice(2, 5), tags.slice(1, 6), [], tags.slice(5), tags];
    const answers = await Promise.all(
      lists.map((list, i) =>
        call("PATCH", `/items/posts/${post}`, {
          tags: list,
          comments: list.map((tag) => ({ text: `${i} ${tag}` })),
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(lists.map(() => 200));
    const left = (await rowsOf("posts_tags", ["tags_id"]))
      .map(({ tags_id }) => Number(tags_id))
      .toSorted((a, b) => a - b);
    expect(lists).toContainEqual(left);
    const texts = (await rowsOf("comments", ["text", "post_Id"])).flatMap(({ text, post_Id }) =>
      post_Id === null ? [] : [String(text)],
    );
    const one = lists.findIndex((list) => JSON.stringify(list) === JSON.stringify(left));
    expect(texts).toEqual(left.map((tag) => `${one} ${tag}`));
  });

  test("who take items out of each other's lists follow one another, and none is run again", async () => {
    const posts = await make("posts", [{ title: "one" }, { title: "two" }]);
    const comments = await make(
      "comments",
      Array.from({ length: 8 }, (_, i) => ({ text: `${i}`, post_Id: posts[i % 2] })),
    );
    let runs = 0;
    counted = () => runs++;
    const requests = 60;
    const answers = await Promise.all(
      Array.from({ length: requests }, (_, i) =>
        // Every other one, from either end of the list.
        call("PATCH", `/items/posts/${posts[i % 2]}`, {
          comments: comments.filter((_comment, n) => (n + (i >> 1)) % 2 === 0),
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(runs).toBe(requests);
  });

  test("of lists of a collection that relates to itself follow one another, and none is run again", async () => {
    const boss = { relType: "BelongsTo", target: "people", foreignKey: "boss_Id" };
    const staff = { relType: "HasMany", target: "people", foreignKey: "boss_Id" };
    const schema = { name: "Person", timestamps: false, fields: { id, name, boss, staff } };
    await send("POST", "/schemas", { collectionName: "people", schema });
    const people = await make(
      "people",
      Array.from({ length: 7 }, () => ({})),
    );
    let runs = 0;
    app.data.beforeWrite(({ collection, bodies }) => {
      // Each request writes one such body: nothing of the item itself, or the name of its boss.
      const [names, ...more] = bodies.map((body) => Object.keys(body).join(" "));
      if (collection === "people" && more.length === 0 && (names === "" || names === "id name")) runs++;
    });
    const requests = 60;
    const answers = await Promise.all(
      Array.from({ length: requests }, (_, i) =>
        call(
          "PATCH",
          `/items/people/${people[i % 7]}`,
          i % 4 === 0
            ? { boss: { id: people[(i + 3) % 7], name: `${i}` } }
            : { staff: people.filter((_person, n) => n !== i % 7 && (n * 5 + i) % 3 !== 0) },
        ),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(runs).toBe(requests);
    await send("DELETE", "/schemas/people?force=true", undefined);
  });

  test("connecting the same item makes one row", async () => {
    const [post = 0] = await make("posts", [{ title: "one" }]);
    const [tag = 0] = await make("tags", [{ name: "red" }]);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => call("PATCH", `/items/posts/${post}`, { tags: { connect: [tag] } })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect(await rowsOf("posts_tags", ["posts_id", "tags_id"])).toEqual([{ posts_id: post, tags_id: tag }]);
  });
});

describe("both sides of a list at once", () => {
  test("who attaches an item elsewhere keeps it, whatever a replacement of its old list takes out", async () => {
    const [one = 0, two = 0] = await make("posts", [{ title: "one" }, { title: "two" }]);
    const ids = await make(
      "comments",
      Array.from({ length: 5 }, (_, i) => ({ text: `${i}`, post_Id: one })),
    );
    const answers = await Promise.all([
      call("PATCH", `/items/posts/${two}`, { comments: { connect: ids } }),
      call("PATCH", `/items/posts/${one}`, { comments: [] }),
      call("PATCH", `/items/posts/${two}`, { comments: { connect: ids } }),
      call("PATCH", `/items/posts/${one}`, { comments: [] }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await rowsOf("comments", ["post_Id"])).map(({ post_Id }) => post_Id)).toEqual(ids.map(() => two));
  });

  test("one pair from both ends is one row, and may be taken away from both", async () => {
    const [post = 0] = await make("posts", [{ title: "one" }]);
    const [tag = 0] = await make("tags", [{ name: "red" }]);
    for (const [step, expected] of [
      ["connect", [{ posts_id: post, tags_id: tag }]],
      ["set", []],
    ] as const) {
      const body = (list: string, key: number): Row => ({
        [list]: step === "connect" ? { connect: [key] } : [],
      });
      // oxlint-disable-next-line no-await-in-loop
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          i % 2 === 0
            ? call("PATCH", `/items/posts/${post}`, body("tags", tag))
            : call("PATCH", `/items/tags/${tag}`, body("posts", post)),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
      // oxlint-disable-next-line no-await-in-loop
      expect(await rowsOf("posts_tags", ["posts_id", "tags_id"])).toEqual(expected);
    }
  });
});

test("any order of writes gives what a model in JavaScript gives", async () => {
  const posts = 2;
  const items = 4;
  const some = fc.uniqueArray(fc.nat(items - 1), { maxLength: items });
  const step = fc.record(
    { connect: some, detach: fc.uniqueArray(fc.nat(items - 1), { maxLength: 1 }) },
    { requiredKeys: [] },
  );
  const write = fc.record({
    /** The list: comments of a post, tags of a post, or posts of a tag. */
    list: fc.constantFrom("comments", "tags", "posts"),
    of: fc.nat(posts - 1),
    change: fc.oneof(some, step),
  });
  const property = fc.asyncProperty(fc.array(write, { maxLength: 7 }), async (writes) => {
    const [postIds, commentIds, tagIds] = await app.data.transaction(async (rows) => {
      const create = (collection: string, field: string, count: number) =>
        rows.create(
          actor,
          collection,
          Array.from({ length: count }, (_, i) => ({ [field]: `${collection} ${i}` })),
        );
      for (const table of ["posts_tags", "comments", "posts", "tags"])
        await rows.removeWhere(actor, table, { id: { gt: 0 } }, { permanent: true });
      return [
        (await create("posts", "title", items)).map(Number),
        (await create("comments", "text", items)).map(Number),
        (await create("tags", "name", items)).map(Number),
      ] as const;
    });
    const holder = new Map<number, number>(); // comment → post
    const pairs = new Set<string>(); // "post tag"
    const has = (list: string, of: number, item: number): boolean =>
      list === "comments"
        ? holder.get(item) === of
        : pairs.has(list === "tags" ? `${of} ${item}` : `${item} ${of}`);
    const put = (list: string, of: number, item: number): unknown =>
      list === "comments"
        ? holder.set(item, of)
        : pairs.add(list === "tags" ? `${of} ${item}` : `${item} ${of}`);
    const drop = (list: string, of: number, item: number): unknown =>
      list === "comments"
        ? holder.delete(item)
        : pairs.delete(list === "tags" ? `${of} ${item}` : `${item} ${of}`);
    const all = Array.from({ length: items }, (_, i) => i);

    for (const { list, of, change } of writes) {
      const ids = list === "comments" ? commentIds : list === "tags" ? tagIds : postIds;
      const keys = (indexes: readonly number[]): readonly (number | undefined)[] =>
        indexes.map((i) => ids[i]);
      const isSet = Array.isArray(change);
      const { connect = [], detach = [] } = isSet ? {} : change;
      const body = isSet
        ? { [list]: keys(change) }
        : { [list]: { connect: keys(connect), detach: keys(detach) } };
      const path = list === "posts" ? `/items/tags/${tagIds[of]}` : `/items/posts/${postIds[of]}`;
      // oxlint-disable-next-line no-await-in-loop
      const { status } = await call("PATCH", path, body);
      const absent = detach.some((item) => !has(list, of, item));
      expect([body, status]).toEqual([body, absent ? 400 : 200]);
      if (absent) continue;
      for (const item of isSet ? all : detach) if (has(list, of, item)) drop(list, of, item);
      for (const item of isSet ? change : connect) if (isSet || !detach.includes(item)) put(list, of, item);
    }
    const comments = await rowsOf("comments", ["post_Id"]);
    expect(comments.map(({ post_Id }) => post_Id)).toEqual(
      all.map((i) => postIds[holder.get(i) ?? -1] ?? null),
    );
    const rows = await rowsOf("posts_tags", ["posts_id", "tags_id"]);
    const found = rows.map(
      (row) => `${postIds.indexOf(Number(row.posts_id))} ${tagIds.indexOf(Number(row.tags_id))}`,
    );
    expect(found.toSorted()).toEqual([...pairs].toSorted());
  });
  await fc.assert(property, { numRuns: 20, seed });
});
