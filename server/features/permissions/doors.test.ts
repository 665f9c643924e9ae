/** Every door through which rows are read, and what each role gets there: a row of the table is a request. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { openSocket } from "../../testing/socket";

setDefaultTimeout(60_000);

type Row = Record<string, unknown>;
type Caller = "guest" | "nobody" | "reader" | "admin";

let app: TestApp;
let url: string;
const tokens: Partial<Record<Caller, string>> = {};

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
      secret: { type: "String" },
      score: { type: "Integer" },
      author_Id: { type: "Integer" },
    },
    searchable: ["title", "secret"],
  },
  comments: {
    name: "Comment",
    timestamps: false,
    fields: {
      id: key,
      text: { type: "String" },
      approved: { type: "Boolean" },
      post_Id: { type: "Integer" },
    },
  },
};

beforeAll(async () => {
  app = await testApp();
  url = app.listen();
  for (const [collectionName, schema] of Object.entries(schemas))
    await app.ok("POST", "/schemas", { collectionName, schema });
  const relate = (on: string, body: Row) =>
    app.ok("POST", `/schemas/${on}/relationships`, { type: "M2O", ...body });
  await relate("posts", { name: "author", target: "authors", alias: "posts", foreignKey: "author_Id" });
  await relate("comments", { name: "post", target: "posts", alias: "comments", foreignKey: "post_Id" });
  await app.ok("POST", "/items/authors/bulk", [
    { id: 1, name: "Ann", mail: "ann@x" },
    { id: 2, name: "Bob", mail: "bob@x" },
  ]);
  await app.ok("POST", "/items/posts/bulk", [
    { id: 1, title: "one", state: "public", secret: "zebra", score: 3, author_Id: 1 },
    { id: 2, title: "two", state: "draft", secret: "horse", score: 2, author_Id: 2 },
    { id: 3, title: "three", state: "public", secret: "apple", score: 1, author_Id: 2 },
  ]);
  await app.ok("POST", "/items/comments/bulk", [
    { id: 1, text: "yes", approved: true, post_Id: 1 },
    { id: 2, text: "no", approved: false, post_Id: 1 },
    { id: 3, text: "hid", approved: true, post_Id: 2 },
  ]);
  const reader = (
    (await app.ok("POST", "/items/baasix_Role", { name: "reader" })).body as { data: { id: string } }
  ).data.id;
  for (const permission of [
    { collection: "posts", fields: ["id", "title", "author.name"], conditions: { state: "public" } },
    { collection: "comments", fields: ["id", "text", "post_Id"], conditions: { approved: true } },
  ]) {
    await app.ok("POST", "/permissions", { role_Id: reader, action: "read", ...permission });
  }
  tokens.admin = app.admin;
  tokens.nobody = (await app.signUp("nobody@example.com")).token;
  const made = await app.signUp("reader@example.com");
  await app.ok("POST", "/items/baasix_UserRole", { user_Id: made.id, role_Id: reader });
  tokens.reader = made.token;
});
afterAll(() => app.close());

/** What an answer says: the rows and the total, or the status and the code of the refusal. */
async function ask(caller: Caller, path: string): Promise<unknown> {
  const token = tokens[caller];
  const answer = await app.call("GET", `/items/${path}`, token === undefined ? {} : { token });
  if (answer.status !== 200) return [answer.status, (answer.body as { error: { code: string } }).error.code];
  if (answer.body === null) return answer.text;
  const { data, totalCount } = answer.body as { data: unknown; totalCount?: number };
  return totalCount === undefined ? data : [data, totalCount];
}

const forbidden = [403, "FORBIDDEN"];
const missing = [404, "NOT_FOUND"];
const one = { id: 1, title: "one" };
const three = { id: 3, title: "three" };
const json = (value: unknown): string => encodeURIComponent(JSON.stringify(value));

/** Guests and accounts without rights are refused at every door; then what a reader gets, and the administrator. */
const doors: readonly (readonly [name: string, path: string, reader: unknown, admin: unknown])[] = [
  ["list", "posts", [[one, three], 2], [[{ id: 1 }, { id: 2 }, { id: 3 }], 3]],
  ["total", "posts?limit=0", [[], 2], [[], 3]],
  [
    "total, guessed",
    "posts?limit=1&count=estimated&fields=id",
    [[{ id: 1 }], 2],
    [[{ id: 1 }], expect.any(Number)],
  ],
  ["no total", "posts?limit=1&count=none", [one], [{ id: 1, secret: "zebra" }]],
  ["one", "posts/1", one, { id: 1, secret: "zebra" }],
  ["one that is hidden", "posts/2", missing, { id: 2 }],
  ["one that is not there", "posts/9", missing, missing],
  ["a hidden field by name", "posts?fields=id,secret", forbidden, [[{ secret: "zebra" }, {}, {}], 3]],
  ["a hidden field of one", "posts/1?fields=secret", forbidden, { secret: "zebra" }],
  ["a field left out", "posts?fields=*,-title", [[{ id: 1 }, { id: 3 }], 2], [[{ id: 1 }, {}, {}], 3]],
  ["filter by what may be read", "posts?filter[title]=one", [[one], 1], [[{ id: 1 }], 1]],
  [
    "filter that would open rows",
    `posts?filter=${json({ OR: [{ title: "two" }, { id: 2 }] })}`,
    [[], 0],
    [[{ id: 2 }], 1],
  ],
  ["filter by a hidden field", "posts?filter[secret]=horse", forbidden, [[{ id: 2 }], 1]],
  [
    "hidden below NOT and OR",
    `posts?filter=${json({ NOT: { OR: [{ title: "x" }, { secret: "horse" }] } })}`,
    forbidden,
    [[{}, {}], 2],
  ],
  [
    "filter by the condition's own field",
    "posts?filter[state]=public",
    forbidden,
    [[{ id: 1 }, { id: 3 }], 2],
  ],
  [
    "filter by a hidden column of the row",
    `posts?filter=${json({ title: { gt: "$COL(secret)" } })}`,
    forbidden,
    [[{ id: 2 }, { id: 3 }], 2],
  ],
  [
    "filter with a cast of a hidden field",
    `posts?filter=${json({ score: { eq: "3", cast: "text" } })}`,
    forbidden,
    [[{ id: 1 }], 1],
  ],
  ["filter through an open path", "posts?filter[author.name]=Bob", [[three], 1], [[{ id: 2 }, { id: 3 }], 2]],
  ["filter through a closed leaf", "posts?filter[author.mail]=bob@x", forbidden, [[{ id: 2 }, { id: 3 }], 2]],
  ["filter by the key of a relation", "posts?filter[author]=1", forbidden, [[{ id: 1 }], 1]],
  [
    "filter back through a closed collection",
    "posts?filter[author.posts.title]=two",
    forbidden,
    [[{ id: 2 }, { id: 3 }], 2],
  ],
  ["filter by a list: hidden rows do not count", "posts?filter[comments.text]=no", [[], 0], [[{ id: 1 }], 1]],
  ["sort by a hidden field", "posts?sort=secret", forbidden, [[{ id: 3 }, { id: 2 }, { id: 1 }], 3]],
  [
    "sort through an open path",
    "posts?sort=-author.name",
    [[three, one], 2],
    [[{ id: 2 }, { id: 3 }, { id: 1 }], 3],
  ],
  ["sort through a closed leaf", "posts?sort=author.mail", forbidden, [[{ id: 1 }, { id: 2 }, { id: 3 }], 3]],
  [
    "nested, to one",
    "posts?fields=id,author.*",
    [
      [
        { id: 1, author: { name: "Ann" } },
        { id: 3, author: { name: "Bob" } },
      ],
      2,
    ],
    [[{ author: { mail: "ann@x" } }, {}, {}], 3],
  ],
  [
    "nested, a closed leaf by name",
    "posts?fields=author.mail",
    forbidden,
    [[{ author: { mail: "ann@x" } }, {}, {}], 3],
  ],
  [
    "nested, a list",
    "posts?fields=id,comments.*",
    [
      [
        { id: 1, comments: [{ id: 1, text: "yes", post_Id: 1 }] },
        { id: 3, comments: [] },
      ],
      2,
    ],
    [[{ comments: [{ id: 1 }, { id: 2 }] }, {}, {}], 3],
  ],
  [
    "nested, filtered by a hidden field",
    `posts?fields=${json(["id", { comments: { fields: ["text"], filter: { approved: true } } }])}`,
    forbidden,
    [[{ comments: [{ text: "yes" }] }, {}, {}], 3],
  ],
  [
    "nested, sorted by a hidden field",
    `posts?fields=${json(["id", { comments: { sort: "approved" } }])}`,
    forbidden,
    [[{}, {}, {}], 3],
  ],
  [
    "relConditions on a hidden field",
    `posts?fields=id,comments.text&relConditions=${json({ comments: { approved: false } })}`,
    forbidden,
    [[{ comments: [{ text: "no" }] }, {}, {}], 3],
  ],
  [
    "nested, back to what is hidden",
    "comments?fields=text,post.title,post.secret",
    forbidden,
    [[{}, {}, {}], 3],
  ],
  [
    "nested, back to hidden rows",
    "comments?fields=text,post.title",
    [
      [
        { text: "yes", post: one },
        { text: "hid", post: null },
      ],
      2,
    ],
    [[{}, {}, {}], 3],
  ],
  [
    "wildcards over everything",
    "posts?fields=*.*.*",
    [
      [
        { ...one, author: { name: "Ann" }, comments: [{ id: 1, text: "yes", post_Id: 1, post: one }] },
        { ...three, author: { name: "Bob" }, comments: [] },
      ],
      2,
    ],
    [[{}, {}, {}], 3],
  ],
  ["search", "posts?search=three", [[three], 1], [[{ id: 3 }], 1]],
  ["search for what stands in a hidden field", "posts?search=apple", [[], 0], [[{ id: 3 }], 1]],
  ["search in a hidden field by name", "posts?search=apple&searchFields=secret", forbidden, [[{ id: 3 }], 1]],
  ["search for hidden rows", "posts?search=two", [[], 0], [[{ id: 2 }], 1]],
  [
    "aggregate",
    `posts?aggregate=${json({ n: { function: "count", field: "*" } })}`,
    [[{ n: 2 }], 1],
    [[{ n: 3 }], 1],
  ],
  [
    "aggregate of a hidden field",
    `posts?aggregate=${json({ n: { function: "max", field: "secret" } })}`,
    forbidden,
    [[{ n: "zebra" }], 1],
  ],
  [
    "groups of a hidden field",
    `posts?aggregate=${json({ n: { function: "count", field: "*" } })}&groupBy=state`,
    forbidden,
    [
      [
        { state: "draft", n: 1 },
        { state: "public", n: 2 },
      ],
      2,
    ],
  ],
  [
    "groups through an open path",
    `posts?aggregate=${json({ n: { function: "count", field: "id" } })}&groupBy=author.name`,
    [
      [
        { "author.name": "Ann", author_name: "Ann", n: 1 },
        { "author.name": "Bob", author_name: "Bob", n: 1 },
      ],
      2,
    ],
    [[{ n: 1 }, { n: 2 }], 2],
  ],
  [
    "groups through a closed leaf",
    `posts?aggregate=${json({ n: { function: "count", field: "id" } })}&groupBy=author.mail`,
    forbidden,
    [[{}, {}], 2],
  ],
  [
    "aggregate of a list: hidden rows do not count",
    `posts?aggregate=${json({ n: { function: "count", field: "comments.id" } })}`,
    [[{ n: 1 }], 1],
    [[{ n: 3 }], 1],
  ],
  [
    "aggregate with a filter on a hidden field",
    `posts?aggregate=${json({ n: { function: "count", field: "*" } })}&filter[secret]=horse`,
    forbidden,
    [[{ n: 1 }], 1],
  ],
  ["a walk by cursor", "posts?cursor=&limit=1", [[one], 2], [[{ id: 1 }], 3]],
  ["a walk by a hidden field", "posts?cursor=&limit=1&sort=secret", forbidden, [[{ id: 3 }], 3]],
  [
    "export",
    "posts?export=ndjson",
    '{"id":1,"title":"one"}\n{"id":3,"title":"three"}\n',
    expect.stringContaining("zebra"),
  ],
  ["export of a hidden field", "posts?export=csv&fields=secret", forbidden, expect.stringContaining("zebra")],
  [
    "export with a filter on a hidden field",
    "posts?export=csv&filter[secret]=horse",
    forbidden,
    expect.any(String),
  ],
  ["deleted rows", "posts?paranoid=false", [[one, three], 2], [[{}, {}, {}], 3]],
  ["another collection", "authors", forbidden, [[{ id: 1 }, { id: 2 }], 2]],
  ["one of another collection", "authors/1", forbidden, { id: 1 }],
  ["explanations", "posts?explain=permissions", forbidden, undefined],
  ["what is no collection", "nothing", [404, "UNKNOWN_COLLECTION"], [404, "UNKNOWN_COLLECTION"]],
];

describe("over HTTP", () => {
  test.each(doors)("%s: %s", async (_, path, reader, admin) => {
    expect(await ask("reader", path)).toEqual(reader);
    const told = await ask("admin", path);
    if (admin !== undefined) expect({ told }).toMatchObject({ told: admin } as object);
    for (const caller of ["guest", "nobody"] as const) {
      const refused = path === "nothing" ? [404, "UNKNOWN_COLLECTION"] : forbidden;
      expect(await ask(caller, path)).toEqual(refused);
    }
  });
});

test("without the primary key items may be exported, but not walked by the client's hand", async () => {
  const { id, token } = await app.signUp("keyless@example.com");
  const made = await app.ok("POST", "/items/baasix_Role", { name: "keyless" });
  const role_Id = (made.body as { data: { id: string } }).data.id;
  await app.ok("POST", "/items/baasix_UserRole", { user_Id: id, role_Id });
  await app.ok("POST", "/permissions", { role_Id, collection: "posts", action: "read", fields: ["title"] });
  const read = (query: string) => app.call("GET", `/items/posts?${query}`, { token });
  expect((await read("export=csv&sort=-title")).text).toBe("title\ntwo\nthree\none\n");
  // A cursor names the item where a page ended.
  expect((await read("cursor=&limit=1")).status).toBe(403);
  expect((await read("sort=id")).status).toBe(403);
});

describe("live", () => {
  const subscriptions: readonly (readonly [name: string, request: Row, outcome: "FORBIDDEN" | Row])[] = [
    ["everything that may be read", {}, { id: 1, title: "one!" }],
    ["a filter on what may be read", { filter: { "author.name": "Ann" } }, { id: 1, title: "one!" }],
    [
      "related fields",
      { fields: ["title", "author.name"] },
      { id: 1, title: "one!", author: { name: "Ann" } },
    ],
    ["a hidden field", { fields: ["secret"] }, "FORBIDDEN"],
    ["a filter on a hidden field", { filter: { secret: "zebra" } }, "FORBIDDEN"],
    ["a filter through a closed leaf", { filter: { "author.mail": "ann@x" } }, "FORBIDDEN"],
    ["a closed leaf", { fields: ["author.mail"] }, "FORBIDDEN"],
  ];
  test.each(subscriptions)("%s", async (_, request, outcome) => {
    const socket = await openSocket(url, tokens.reader);
    const subscribe = () => socket.subscribe("posts", request as { filter?: object; fields?: string[] });
    if (outcome === "FORBIDDEN") {
      socket.send({ type: "subscribe", collection: "posts", ...request });
      expect(await socket.expect("error")).toMatchObject({ code: "FORBIDDEN" });
    } else {
      await subscribe();
      const change = (id: number, body: Row) =>
        app.call("PATCH", `/items/posts/${id}`, { token: app.admin, body });
      // What is hidden changes first: it would be heard first.
      await change(2, { title: "two!" });
      await change(1, { title: "one!" });
      expect(await socket.expect("change")).toMatchObject({ action: "update", data: outcome });
      await change(2, { title: "two" });
      await change(1, { title: "one" });
      // Heard, so that the next subscriber does not hear of it.
      await socket.expect("change");
    }
    socket.close();
    await socket.closed;
    expect(socket.heard.join()).not.toMatch(/zebra|horse|two|@x/);
  });
  test("guests and accounts without rights hear nothing", async () => {
    for (const token of [null, tokens.nobody ?? null]) {
      const socket = await openSocket(url, token);
      socket.send({ type: "subscribe", collection: "posts" });
      expect(await socket.expect("error")).toMatchObject({ code: "FORBIDDEN" });
      socket.close();
      await socket.closed;
    }
  });
});
