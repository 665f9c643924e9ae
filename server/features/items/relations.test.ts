/** Every kind of relation: how it is made, shown, filtered and sorted by, and what permissions leave of it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { openSocket } from "../../testing/socket";

type Row = Record<string, unknown>;

let app: TestApp;
let ann: { token: string; id: string };
let role: string;

const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const name = { type: "String" };
const collections: Record<string, Row> = {
  authors: { id, name },
  profiles: { id, bio: { type: "Text" } },
  posts: { id, title: { type: "String" }, views: { type: "Integer" } },
  comments: {
    id,
    text: { type: "Text" },
    approved: { type: "Boolean" },
    likes: { type: "Integer" },
    post_Id: { type: "Integer" },
    post: { relType: "BelongsTo", target: "posts", foreignKey: "post_Id" },
  },
  tags: { id, name },
  images: { id, url: { type: "String" } },
  quotes: { id, words: { type: "String" } },
  people: { id, name },
};

const relations: readonly (readonly [collection: string, body: Row])[] = [
  ["posts", { type: "M2O", name: "author", target: "authors", alias: "posts" }],
  ["profiles", { type: "O2O", name: "author", target: "authors", alias: "profile" }],
  ["posts", { type: "O2M", name: "comments", target: "comments", foreignKey: "post_Id" }],
  ["people", { type: "O2M", name: "remarks", target: "comments", alias: "writer" }],
  ["posts", { type: "M2M", name: "tags", target: "tags", alias: "posts" }],
  ["posts", { type: "M2A", name: "blocks", tables: ["images", "quotes"], alias: "usedIn" }],
  ["people", { type: "M2O", name: "boss", target: "people", alias: "staff" }],
  ["people", { type: "M2M", name: "friends", target: "people", alias: "friendOf", through: "friendships" }],
];

const tagJunction = "posts_tags_tags_junction";
const blockJunction = "posts_blocks_junction";
const rows: readonly (readonly [collection: string, rows: readonly Row[]])[] = [
  [
    "authors",
    [
      { id: 1, name: "Ann" },
      { id: 2, name: "Bob" },
      { id: 3, name: "Cid" },
    ],
  ],
  [
    "profiles",
    [
      { id: 1, bio: "writes", author_Id: 1 },
      { id: 2, bio: "reads", author: 2 },
      { id: 3, bio: "lost" },
    ],
  ],
  [
    "posts",
    [
      { id: 1, title: "One", views: 10, author_Id: 2 },
      { id: 2, title: "Two", views: 5, author_Id: 1 },
      { id: 3, title: "Three", views: 7 },
    ],
  ],
  [
    "people",
    [
      { id: 1, name: "Pia" },
      { id: 2, name: "Quy", boss_Id: 1 },
      { id: 3, name: "Rex", boss: 2 },
    ],
  ],
  [
    "comments",
    [
      { id: 1, text: "first", approved: true, likes: 1, post_Id: 1, writer_Id: 3 },
      { id: 2, text: "spam", approved: false, likes: 9, post_Id: 1, writer_Id: 2 },
      { id: 3, text: "third", approved: true, likes: 5, post_Id: 1, writer_Id: 1 },
      { id: 4, text: "other", approved: true, likes: 2, post_Id: 2 },
    ],
  ],
  [
    "tags",
    [
      { id: 1, name: "red" },
      { id: 2, name: "blue" },
    ],
  ],
  [
    tagJunction,
    [
      { id: 1, posts_id: 1, tags_id: 1 },
      { id: 2, posts_id: 1, tags: 2 },
      { id: 3, posts: 2, tags_id: 2 },
    ],
  ],
  [
    "images",
    [
      { id: 1, url: "a.png" },
      { id: 2, url: "b.png" },
    ],
  ],
  ["quotes", [{ id: 1, words: "so it goes" }]],
  [
    blockJunction,
    [
      { id: 1, posts_id: 1, collection: "images", item_id: 1 },
      { id: 2, posts_id: 1, collection: "quotes", item_id: 1 },
      { id: 3, posts_id: 2, collection: "images", item_id: 2 },
    ],
  ],
  [
    "friendships",
    [
      { id: 1, people_id: 1, people_id_2: 2 },
      { id: 2, people_id: 1, people_id_2: 3 },
    ],
  ],
];

beforeAll(async () => {
  app = await testApp();
  for (const [collectionName, fields] of Object.entries(collections)) {
    const schema = { name: collectionName, timestamps: false, fields };
    await send(201, "POST", "/schemas", { collectionName, schema });
  }
  for (const [collection, body] of relations)
    await send(201, "POST", `/schemas/${collection}/relationships`, body);
  for (const [collection, items] of rows) await send(201, "POST", `/items/${collection}/bulk`, items);
  ann = await app.signUp("ann@example.com");
  role = await app.roleId("user");
}, 60_000);

afterAll(() => app.close());

async function send(status: number, method: string, path: string, body?: unknown): Promise<Row> {
  const answer = await app.call(method, path, { token: app.admin, ...(body !== undefined && { body }) });
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.body as Row;
}

type Query = Readonly<Record<string, unknown>>;

function url(collection: string, query: Query): string {
  const parts = Object.entries(query).map(
    ([key, value]) =>
      `${key}=${encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value))}`,
  );
  return `/items/${collection}?${parts.join("&")}`;
}

async function read(collection: string, query: Query, token = app.admin): Promise<Row[]> {
  const answer = await app.call("GET", url(collection, query), { token });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return (answer.body as { data: Row[] }).data;
}

async function refusal(
  collection: string,
  query: Query,
  token = app.admin,
): Promise<readonly [number, string]> {
  const answer = await app.call("GET", url(collection, query), { token });
  const { error } = answer.body as { error?: { message: string } };
  return [answer.status, error?.message ?? answer.text];
}

/** Runs with permissions to read that are gone afterwards. */
async function allowed(
  permissions: Readonly<Record<string, Row | true>>,
  work: () => Promise<void>,
): Promise<void> {
  const made = Object.entries(permissions).map(([collection, more]) => ({
    role_Id: role,
    collection,
    action: "read",
    fields: ["*"],
    ...(more === true ? {} : more),
  }));
  await app.whileAllowed(made, work);
}

describe("expansion", () => {
  const table: readonly (readonly [what: string, collection: string, query: Query, expected: unknown])[] = [
    [
      "to one",
      "posts",
      { fields: "id,author.name", sort: "id" },
      [
        { id: 1, author: { name: "Bob", id: 2 } },
        { id: 2, author: { name: "Ann", id: 1 } },
        { id: 3, author: null },
      ],
    ],
    [
      "to many, made with the way back",
      "authors",
      { fields: "id,posts.title" },
      [
        { id: 1, posts: [{ title: "Two", id: 2 }] },
        { id: 2, posts: [{ title: "One", id: 1 }] },
        { id: 3, posts: [] },
      ],
    ],
    [
      "one to one, from the side of the key",
      "profiles",
      { fields: "bio,author.*" },
      [
        { bio: "writes", author: { id: 1, name: "Ann" } },
        { bio: "reads", author: { id: 2, name: "Bob" } },
        { bio: "lost", author: null },
      ],
    ],
    [
      "one to one, from the other side",
      "authors",
      { fields: "name,profile.bio" },
      [
        { name: "Ann", profile: { bio: "writes", id: 1 } },
        { name: "Bob", profile: { bio: "reads", id: 2 } },
        { name: "Cid", profile: null },
      ],
    ],
    [
      "one to many on a key that was there",
      "posts",
      { fields: "id,comments.id", filter: { id: { lte: 2 } } },
      [
        { id: 1, comments: [{ id: 1 }, { id: 2 }, { id: 3 }] },
        { id: 2, comments: [{ id: 4 }] },
      ],
    ],
    [
      "one to many that made its key, nested in it the way back",
      "people",
      { fields: "name,remarks.text,remarks.writer.name", filter: { id: 3 } },
      [{ name: "Rex", remarks: [{ text: "first", id: 1, writer: { name: "Rex", id: 3 } }] }],
    ],
    [
      "many to many, as rows of the junction",
      "posts",
      { fields: "id,tags.posts_id,tags.tags_id,tags.tags.*", filter: { id: 1 } },
      [
        {
          id: 1,
          tags: [
            { posts_id: 1, tags_id: 1, id: 1, tags: { id: 1, name: "red" } },
            { posts_id: 1, tags_id: 2, id: 2, tags: { id: 2, name: "blue" } },
          ],
        },
      ],
    ],
    [
      "many to many, from the other side and on",
      "tags",
      { fields: "name,posts.posts.title,posts.posts.author.name", filter: { name: "blue" } },
      [
        {
          name: "blue",
          posts: [
            { id: 2, posts: { title: "One", id: 1, author: { name: "Bob", id: 2 } } },
            { id: 3, posts: { title: "Two", id: 2, author: { name: "Ann", id: 1 } } },
          ],
        },
      ],
    ],
    [
      "many to any",
      "posts",
      {
        fields: "blocks.collection,blocks.item_id,blocks.images.url,blocks.quotes.words",
        filter: { id: 1 },
      },
      [
        {
          blocks: [
            { collection: "images", item_id: 1, id: 1, images: { url: "a.png", id: 1 }, quotes: null },
            { collection: "quotes", item_id: 1, id: 2, images: null, quotes: { words: "so it goes", id: 1 } },
          ],
        },
      ],
    ],
    [
      "many to any, only the rows of the named collection",
      "posts",
      { fields: "id,blocks.quotes.*" },
      [
        { id: 1, blocks: [{ id: 2, quotes: { id: 1, words: "so it goes" } }] },
        { id: 2, blocks: [] },
        { id: 3, blocks: [] },
      ],
    ],
    [
      "many to any, from the other side: equal keys of other collections are not taken for one's own",
      "images",
      { fields: "id,usedIn.collection,usedIn.posts.title" },
      [
        { id: 1, usedIn: [{ collection: "images", id: 1, posts: { title: "One", id: 1 } }] },
        { id: 2, usedIn: [{ collection: "images", id: 3, posts: { title: "Two", id: 2 } }] },
      ],
    ],
    [
      "to itself, up and down",
      "people",
      { fields: "name,boss.name,boss.boss.name,staff.name" },
      [
        { name: "Pia", boss: null, staff: [{ name: "Quy", id: 2 }] },
        { name: "Quy", boss: { name: "Pia", id: 1, boss: null }, staff: [{ name: "Rex", id: 3 }] },
        { name: "Rex", boss: { name: "Quy", id: 2, boss: { name: "Pia", id: 1 } }, staff: [] },
      ],
    ],
    [
      "many to many to itself",
      "people",
      { fields: "name,friends.people_2.name,friendOf.people.name", filter: { id: { lte: 2 } } },
      [
        {
          name: "Pia",
          friends: [
            { id: 1, people_2: { name: "Quy", id: 2 } },
            { id: 2, people_2: { name: "Rex", id: 3 } },
          ],
          friendOf: [],
        },
        { name: "Quy", friends: [], friendOf: [{ id: 1, people: { name: "Pia", id: 1 } }] },
      ],
    ],
    [
      "one star is the columns of one level",
      "posts",
      { fields: "*,author.*", filter: { id: 3 } },
      [{ id: 3, title: "Three", views: 7, author_Id: null, author: null }],
    ],
    [
      "each further star is one level more",
      "profiles",
      { fields: "author.*.*", filter: { id: 1 } },
      [
        {
          author: {
            id: 1,
            name: "Ann",
            posts: [{ id: 2, title: "Two", views: 5, author_Id: 1 }],
            profile: { id: 1, bio: "writes", author_Id: 1 },
          },
        },
      ],
    ],
    [
      "names with a minus are left out, also of wildcards below",
      "posts",
      { fields: "*,-views,comments.*,-comments.text,-comments.writer_Id,-author_Id", filter: { id: 2 } },
      [{ id: 2, title: "Two", comments: [{ id: 4, approved: true, likes: 2, post_Id: 2 }] }],
    ],
  ];
  test.each(table)("%s", async (_what, collection, query, expected) => {
    expect(await read(collection, query)).toEqual(expected as Row[]);
  });

  test("a junction row shows its columns", async () => {
    const [post] = await read("posts", { fields: "tags.*,tags.tags.*", filter: { id: 2 } });
    expect(post).toEqual({
      tags: [
        {
          id: 3,
          posts_id: 2,
          tags_id: 2,
          createdAt: expect.any(String),
          updatedAt: expect.any(String),
          tags: { id: 2, name: "blue" },
        },
      ],
    });
  });
});

describe("lists inside", () => {
  const all = { id: 1 };
  const comments = async (inner: unknown, more: Query = {}): Promise<unknown> =>
    (await read("posts", { fields: ["id", { comments: inner }], filter: all, ...more }))[0]?.comments;

  test("take fields, a filter, an order and a limit of their own", async () => {
    const inner = { fields: ["text"], filter: { approved: true }, sort: "-likes", limit: 1 };
    expect(await comments(inner)).toEqual([{ text: "third", id: 3 }]);
    expect(await comments({ ...inner, limit: 5 })).toEqual([
      { text: "third", id: 3 },
      { text: "first", id: 1 },
    ]);
    expect(await comments({ fields: "id", sort: { likes: "desc" } })).toEqual([
      { id: 2 },
      { id: 3 },
      { id: 1 },
    ]);
    expect(await comments({ fields: ["id"], limit: 0 })).toEqual([]);
    expect(await comments(["id", "likes"])).toEqual([
      { id: 1, likes: 1 },
      { id: 2, likes: 9 },
      { id: 3, likes: 5 },
    ]);
    expect(await comments({ fields: "-text,-approved,-post_Id,-writer_Id", filter: { id: 1 } })).toEqual([
      { id: 1, likes: 1 },
    ]);
  });

  test("sort by what lies behind a relation, and filter through relations", async () => {
    expect(await comments({ fields: ["writer.name"], sort: "writer.name" })).toEqual([
      { id: 3, writer: { name: "Pia", id: 1 } },
      { id: 2, writer: { name: "Quy", id: 2 } },
      { id: 1, writer: { name: "Rex", id: 3 } },
    ]);
    expect(await comments({ fields: ["id"], filter: { "writer.boss.name": "Pia" } })).toEqual([{ id: 2 }]);
    expect(
      await comments({ fields: ["id", { writer: { filter: { name: "Pia" }, fields: ["name"] } }] }),
    ).toEqual([
      { id: 1, writer: null },
      { id: 2, writer: null },
      { id: 3, writer: { name: "Pia", id: 1 } },
    ]);
  });

  test("may stand inside each other, and beside paths", async () => {
    const fields = [
      "name",
      {
        remarks: {
          fields: [
            "text",
            { post: { fields: ["title", { comments: { fields: ["id"], sort: "-id", limit: 2 } }] } },
          ],
        },
      },
      "remarks.likes",
    ];
    expect(await read("people", { fields, filter: { id: 3 }, limit: 1 })).toEqual([
      {
        name: "Rex",
        remarks: [
          {
            text: "first",
            likes: 1,
            id: 1,
            post: { title: "One", id: 1, comments: [{ id: 3 }, { id: 2 }] },
          },
        ],
      },
    ]);
    const path = { fields: ["name", { "remarks.post": { fields: ["title"] } }], filter: { id: 3 } };
    expect(await read("people", path)).toEqual([
      { name: "Rex", remarks: [{ id: 1, post: { title: "One", id: 1 } }] },
    ]);
  });

  test("may be written in brackets", async () => {
    const path =
      "/items/posts?filter[id]=1&fields[0]=id&fields[1][comments][fields]=id&fields[1][comments][sort]=-likes" +
      "&fields[1][comments][limit]=1&fields[1][comments][filter][approved]=true";
    expect(await send(200, "GET", path)).toMatchObject({ data: [{ id: 1, comments: [{ id: 3 }] }] });
  });

  test("one row by key, too", async () => {
    const fields = encodeURIComponent(JSON.stringify([{ comments: { fields: ["id"], limit: 1 } }]));
    expect(await send(200, "GET", `/items/posts/1?fields=${fields}`)).toEqual({
      data: { comments: [{ id: 1 }] },
    });
  });

  test("a limit of the request cuts without the mark of an answer that is too large", async () => {
    expect(await send(200, "GET", url("posts", { fields: [{ comments: { limit: 1 } }] }))).not.toHaveProperty(
      "truncated",
    );
  });

  const refused: readonly (readonly [query: Query, status: number, message: string])[] = [
    [
      { fields: ["id", { coments: {} }] },
      400,
      "fields[1].coments: 'posts' has no field 'coments'; did you mean 'comments'?",
    ],
    [
      { fields: ["id", { title: {} }] },
      400,
      "fields[1].title: 'title' of 'posts' is a field, not a relation",
    ],
    [
      { fields: [{ comments: { where: {} } }] },
      400,
      "fields[0].comments.where: expected fields, filter, sort, limit",
    ],
    [
      { fields: [{ comments: { filter: { nope: 1 } } }] },
      400,
      "fields[0].comments.filter.nope: 'comments' has no field",
    ],
    [
      { fields: [{ comments: { sort: "nope" } }] },
      400,
      "fields[0].comments.sort: 'comments' has no field 'nope'",
    ],
    [{ fields: [{ comments: { limit: 1001 } }] }, 400, "fields[0].comments.limit: at most 1000"],
    [{ fields: [{ comments: { limit: "x" } }] }, 400, "fields[0].comments.limit: expected a whole number"],
    [{ fields: [{ comments: 5 }] }, 400, "fields[0].comments: expected a list of names"],
    [{ fields: [5] }, 400, "fields: expected a list of names"],
    [
      { fields: [{ author: { limit: 1 } }] },
      400,
      "fields[0].author: 'author' is one item; sort and limit are for lists",
    ],
    [{ fields: [{ "*": {} }] }, 400, "fields[0].*: an object names one relation"],
    [
      { fields: [{ comments: { limit: 1 } }, { comments: { limit: 2 } }] },
      400,
      "fields[1].comments: 'comments' has a sort or limit already",
    ],
    [{ fields: "id,-coments.text" }, 400, "'posts' has no field 'coments'; did you mean 'comments'?"],
    [{ fields: Array.from({ length: 201 }, () => "id") }, 400, "fields: at most 200 entries"],
    [{ fields: nestedFields(8) }, 400, "a path may pass 7 relations"],
    [{ fields: "*.*.*.*.*" }, 400, "fields: more than 60 related collections"],
    [
      {
        fields: [{ comments: { filter: { OR: Array.from({ length: 150 }, () => ({ id: 1 })) } } }],
        filter: { OR: Array.from({ length: 60 }, () => ({ id: 1 })) },
      },
      400,
      "a filter may hold 200 conditions",
    ],
  ];
  test.each(refused)("%j is refused", async (query, status, message) => {
    const [given, text] = await refusal("posts", query);
    expect([given, text]).toEqual([status, expect.stringContaining(message)]);
  });
});

/** `{author: {fields: [{posts: {fields: [{author: …}]}}]}}` */
function nestedFields(levels: number): unknown[] {
  let fields: unknown[] = ["id"];
  for (let level = levels; level > 0; level--)
    fields = [{ [level % 2 === 1 ? "author" : "posts"]: { fields } }];
  return fields;
}

describe("relConditions", () => {
  const ids = (list: unknown): unknown => (list as Row[]).map((one) => one.id);

  test("choose rows inside lists; the rows above stay", async () => {
    const query = { fields: "id,comments.id", relConditions: { comments: { approved: { eq: true } } } };
    const posts = await read("posts", query);
    expect(posts.map(({ comments }) => ids(comments))).toEqual([[1, 3], [4], []]);
    const { relConditions, ...rest } = query;
    expect(await read("posts", { ...rest, relFilter: relConditions })).toEqual(posts);
    const dotted = { "comments.approved": true };
    expect(await read("posts", { ...rest, relConditions: dotted })).toEqual(posts);
    const brackets = "/items/posts?fields=id,comments.id&relConditions[comments][approved]=true";
    expect(await send(200, "GET", brackets)).toMatchObject({ data: posts });
  });

  test("the key of an expanded relation goes a level down, other keys filter", async () => {
    const inside = { comments: { writer: { name: "Pia" } } };
    const [nested] = await read("posts", {
      fields: "comments.writer.name",
      relConditions: inside,
      filter: { id: 1 },
    });
    expect(nested?.comments).toEqual([
      { id: 1, writer: null },
      { id: 2, writer: null },
      { id: 3, writer: { name: "Pia", id: 1 } },
    ]);
    const [filtered] = await read("posts", {
      fields: "comments.id",
      relConditions: inside,
      filter: { id: 1 },
    });
    expect(filtered?.comments).toEqual([{ id: 3 }]);
    const dotted = { comments: { "writer.name": "Pia" } };
    const [both] = await read("posts", {
      fields: "comments.writer.name",
      relConditions: dotted,
      filter: { id: 1 },
    });
    expect(both?.comments).toEqual([{ id: 3, writer: { name: "Pia", id: 1 } }]);
  });

  test("AND, OR and NOT at each level", async () => {
    const relConditions = {
      AND: [{ comments: { likes: { gt: 1 } } }, { tags: { tags: { name: "red" } } }],
      comments: { OR: [{ approved: false }, { likes: { gte: 5 } }], NOT: { id: 3 } },
    };
    const [post] = await read("posts", {
      fields: "comments.id,tags.tags.name",
      relConditions,
      filter: { id: 1 },
    });
    expect(post).toEqual({
      comments: [{ id: 2 }],
      tags: [
        { id: 1, tags: { name: "red", id: 1 } },
        { id: 2, tags: null },
      ],
    });
  });

  test("a to-one relation that does not meet them is null", async () => {
    expect(
      await read("posts", { fields: "id,author.name", relConditions: { author: { name: "Ann" } } }),
    ).toEqual([
      { id: 1, author: null },
      { id: 2, author: { name: "Ann", id: 1 } },
      { id: 3, author: null },
    ]);
  });

  const refused: readonly (readonly [relConditions: unknown, message: string])[] = [
    [
      { comments: { approved: true } },
      "relConditions.comments: 'comments' is not among the fields; add 'comments.*'",
    ],
    [{ coments: {} }, "relConditions.coments: 'posts' has no relation 'coments'; did you mean 'comments'?"],
    [{ title: "x" }, "relConditions.title: 'posts' has no relation 'title'"],
    [{ OR: [{ tags: {} }] }, "relConditions.OR: 'posts' has no relation 'OR'"],
    [{ tags: { nope: 1 } }, "relConditions.tags.nope: 'posts_tags_tags_junction' has no field 'nope'"],
    [{ tags: 5 }, "relConditions.tags: 'tags' is not among the fields"],
    [{ AND: {} }, "relConditions.AND: expected a list"],
    ["[1]", "relConditions: expected an object"],
    ["{", "relConditions: not valid JSON"],
    ['{"tags":{"__proto__":{"x":1}}}', "relConditions.tags.__proto__"],
  ];
  test.each(refused)("%j is refused", async (relConditions, message) => {
    const [status, text] = await refusal("posts", { fields: "id,tags.id", relConditions });
    expect([status, text]).toEqual([400, expect.stringContaining(message)]);
  });
});

describe("filters and sorts through relations", () => {
  const table: readonly (readonly [collection: string, query: Query, ids: readonly number[]])[] = [
    ["posts", { filter: { "author.name": "Ann" } }, [2]],
    ["posts", { filter: { author: { name: { in: ["Ann", "Bob"] } } } }, [1, 2]],
    ["posts", { filter: { "author.name": { isNull: true } } }, [3]],
    ["authors", { filter: { "profile.bio": "reads" } }, [2]],
    ["authors", { filter: { "profile.bio": { isNull: true } } }, [3]],
    ["authors", { filter: { "posts.comments.likes": { gt: 5 } } }, [2]],
    ["posts", { filter: { "tags.tags.name": "blue" } }, [1, 2]],
    ["tags", { filter: { "posts.posts.author.name": "Ann" } }, [2]],
    ["posts", { filter: { "blocks.images.url": "b.png" } }, [2]],
    ["posts", { filter: { "blocks.quotes.id": 1 } }, [1]],
    // Key 2 is one of images alone.
    ["posts", { filter: { "blocks.quotes.id": 2 } }, []],
    ["posts", { filter: { blocks: { collection: "images", item_id: 1 } } }, [1]],
    ["images", { filter: { "usedIn.posts.title": "Two" } }, [2]],
    ["quotes", { filter: { "usedIn.posts.title": "Two" } }, []],
    ["people", { filter: { "boss.boss.name": "Pia" } }, [3]],
    ["people", { filter: { "friends.people_2.name": "Rex" } }, [1]],
    ["people", { filter: { "staff.staff.name": "Rex" } }, [1]],
    ["posts", { sort: "author.name" }, [2, 1, 3]],
    ["posts", { sort: "-author.profile.bio" }, [3, 2, 1]],
    ["authors", { sort: "profile.bio" }, [2, 1, 3]],
    ["people", { sort: "-boss.name,id" }, [1, 3, 2]],
    [blockJunction, { sort: "quotes.words,-images.url" }, [2, 3, 1]],
  ];
  test.each(table)("%s %j", async (collection, query, expected) => {
    const found = await read(collection, { fields: "id", ...query });
    expect(found.map((one) => one.id)).toEqual([...expected]);
  });

  const refused: readonly (readonly [collection: string, query: Query, message: string])[] = [
    ["posts", { sort: "tags.tags.name" }, "sort: 'tags' is a list and cannot be sorted by"],
    [
      blockJunction,
      { filter: { images: 1 } },
      "filter.images: 'images' is a related item; name a field of it",
    ],
    [
      "authors",
      { filter: { profile: 1 } },
      "filter.profile: 'profile' is a related item; name a field of it",
    ],
    ["posts", { filter: { tags: 1 } }, "filter.tags: 'tags' is a list; name a field of it"],
  ];
  test.each(refused)("%s %j is refused", async (collection, query, message) => {
    expect(await refusal(collection, query)).toEqual([400, expect.stringContaining(message)]);
  });
});

describe("permissions", () => {
  const only = {
    fields: "id,author.name,tags.tags.name,blocks.images.url,blocks.quotes.words",
    filter: { id: 1 },
  };

  test("on the parent alone: relations by name are refused, wildcards leave them out", async () => {
    await allowed({ posts: true }, async () => {
      expect(
        await read("posts", { fields: "id,author.*,tags.*,blocks.*.*", filter: { id: 1 } }, ann.token),
      ).toEqual([{ id: 1 }]);
      expect(await refusal("posts", only, ann.token)).toEqual([
        403,
        "fields[1]: You don't have permission to read field 'author' of 'posts'",
      ]);
      for (const [query, field] of [
        [{ fields: ["id", { tags: { limit: 1 } }] }, "tags"],
        [{ filter: { "tags.id": 1 } }, "tags"],
        [{ sort: "author.name" }, "author"],
      ] as const) {
        expect(await refusal("posts", query, ann.token)).toEqual([
          403,
          expect.stringContaining(`permission to read field '${field}' of 'posts'`),
        ]);
      }
    });
  });

  test("on parent and target, but not on the junction", async () => {
    await allowed({ posts: true, tags: true }, async () => {
      expect(await refusal("posts", { fields: "tags.tags.name" }, ann.token)).toEqual([
        403,
        "fields[0]: You don't have permission to read field 'tags' of 'posts'",
      ]);
    });
  });

  test("on parent and junction, but not on the target: the rows of the junction alone", async () => {
    await allowed({ posts: true, [tagJunction]: true }, async () => {
      expect(
        await read("posts", { fields: "tags.posts_id,tags.tags.*", filter: { id: 1 } }, ann.token),
      ).toEqual([
        {
          tags: [
            { posts_id: 1, id: 1 },
            { posts_id: 1, id: 2 },
          ],
        },
      ]);
      expect(await refusal("posts", { fields: "tags.tags.name" }, ann.token)).toEqual([
        403,
        `fields[0]: You don't have permission to read field 'tags' of '${tagJunction}'`,
      ]);
      expect(await refusal("posts", { filter: { "tags.tags.name": "red" } }, ann.token)).toEqual([
        403,
        expect.stringContaining("permission to read field 'tags'"),
      ]);
    });
  });

  test("conditions of parent, junction and target all count", async () => {
    await allowed(
      {
        posts: { conditions: { views: { gt: 5 } } },
        [tagJunction]: { conditions: { id: { ne: 1 } } },
        tags: { conditions: { name: "red" } },
      },
      async () => {
        expect(await read("posts", { fields: "id,tags.tags.name" }, ann.token)).toEqual([
          { id: 1, tags: [{ id: 2, tags: null }] },
          { id: 3, tags: [] },
        ]);
        expect(await read("posts", { fields: "id", filter: { "tags.tags.name": "red" } }, ann.token)).toEqual(
          [],
        );
      },
    );
  });

  test("a junction whose key may not be read does not open", async () => {
    await allowed({ posts: true, tags: true, [tagJunction]: { fields: ["id", "tags_id"] } }, async () => {
      expect(await refusal("posts", { fields: "tags.id" }, ann.token)).toEqual([
        403,
        expect.stringContaining("permission to read field 'tags' of 'posts'"),
      ]);
    });
  });

  test("of several collections behind one list, each by its own right", async () => {
    await allowed({ posts: true, [blockJunction]: true, quotes: { conditions: { id: 1 } } }, async () => {
      expect(await read("posts", { fields: "blocks.*.*", filter: { id: 1 } }, ann.token)).toMatchObject([
        {
          blocks: [
            { id: 1, collection: "images", quotes: null },
            { id: 2, collection: "quotes", quotes: { id: 1, words: "so it goes" } },
          ],
        },
      ]);
      expect(await refusal("posts", { fields: "blocks.images.url" }, ann.token)).toEqual([
        403,
        `fields[0]: You don't have permission to read field 'images' of '${blockJunction}'`,
      ]);
    });
  });

  test("the column that says which collection must be readable, too", async () => {
    await allowed(
      { posts: true, quotes: true, [blockJunction]: { fields: ["id", "posts_id", "item_id"] } },
      async () => {
        expect(await refusal("posts", { fields: "blocks.quotes.words" }, ann.token)).toEqual([
          403,
          `fields[0]: You don't have permission to read field 'quotes' of '${blockJunction}'`,
        ]);
      },
    );
  });

  test("paths of the parent's permission open what they name", async () => {
    await allowed({ posts: { fields: ["id", "tags.tags.name", "blocks.quotes.*"] } }, async () => {
      expect(
        await read("posts", { fields: "tags.*.*,blocks.quotes.*", filter: { id: 1 } }, ann.token),
      ).toEqual([
        {
          tags: [{ tags: { name: "red" } }, { tags: { name: "blue" } }],
          blocks: [{ quotes: { id: 1, words: "so it goes" } }],
        },
      ]);
    });
  });

  test("an inner filter and an inner sort read fields", async () => {
    await allowed({ posts: true, comments: { fields: ["id", "text", "post_Id"] } }, async () => {
      for (const inner of [{ filter: { likes: 9 } }, { sort: "likes" }, { filter: { "writer.name": "x" } }]) {
        expect(
          await refusal("posts", { fields: [{ comments: { fields: ["id"], ...inner } }] }, ann.token),
        ).toEqual([403, expect.stringMatching(/permission to read field '(likes|writer)' of 'comments'/)]);
      }
      const relConditions = { comments: { likes: 9 } };
      expect(await refusal("posts", { fields: "comments.id", relConditions }, ann.token)).toEqual([
        403,
        expect.stringContaining("permission to read field 'likes' of 'comments'"),
      ]);
    });
  });

  test("relConditions of a permission hold wherever its relation is passed", async () => {
    const permission = {
      posts: { relConditions: { comments: { approved: true } } },
      comments: true,
    } as const;
    await allowed(permission, async () => {
      const fields = ["id", { comments: { fields: ["id"] } }];
      const shown = async (query: Query): Promise<unknown> =>
        read("posts", { filter: { id: 1 }, ...query }, ann.token);
      expect(await shown({ fields })).toEqual([{ id: 1, comments: [{ id: 1 }, { id: 3 }] }]);
      expect(await shown({ fields, relConditions: { comments: { likes: { gt: 1 } } } })).toEqual([
        { id: 1, comments: [{ id: 3 }] },
      ]);
      expect(await shown({ fields, relConditions: { comments: { approved: false } } })).toEqual([
        { id: 1, comments: [] },
      ]);
      // What is not shown is not found by a filter either.
      expect(await shown({ fields: "id", filter: { "comments.text": "spam" } })).toEqual([]);
      expect(await shown({ fields: "id", filter: { "comments.text": "third" } })).toEqual([{ id: 1 }]);
      // The comments themselves are those of their own permission.
      expect(await read("comments", { fields: "id", filter: { text: "spam" } }, ann.token)).toEqual([
        { id: 2 },
      ]);
    });
  });

  test("relConditions of a permission go down with the relations, and may use variables", async () => {
    await allowed(
      {
        people: {
          relConditions: { remarks: { likes: { gt: 0 }, post: { title: "One" } }, boss: { name: "Pia" } },
        },
        comments: true,
        posts: { relConditions: { comments: { text: "$CURRENT_USER" } } },
      },
      async () => {
        const query = { fields: "name,boss.name,remarks.text,remarks.post.title,remarks.post.comments.id" };
        expect(await read("people", query, ann.token)).toEqual([
          {
            name: "Pia",
            boss: null,
            remarks: [{ text: "third", id: 3, post: { title: "One", id: 1, comments: [] } }],
          },
          {
            name: "Quy",
            boss: { name: "Pia", id: 1 },
            remarks: [{ text: "spam", id: 2, post: { title: "One", id: 1, comments: [] } }],
          },
          {
            name: "Rex",
            boss: null,
            remarks: [{ text: "first", id: 1, post: { title: "One", id: 1, comments: [] } }],
          },
        ]);
        // A sort through a row that is not shown sorts as if there were none.
        expect(await read("people", { fields: "id", sort: "boss.name,id" }, ann.token)).toEqual([
          { id: 2 },
          { id: 1 },
          { id: 3 },
        ]);
      },
    );
  });

  test("relConditions that cannot be understood are refused when they are stored", async () => {
    const body = { role_Id: role, collection: "posts", action: "read", fields: ["*"] };
    for (const [relConditions, message] of [
      [{ coments: {} }, "relConditions.coments: 'posts' has no relation 'coments'; did you mean 'comments'?"],
      [{ comments: { nope: 1 } }, "relConditions.comments.nope: 'comments' has no field 'nope'"],
      [{ comments: { approved: { nope: 1 } } }, "relConditions.comments.approved"],
      [{ OR: [] }, "relConditions.OR"],
    ] as const) {
      const answer = await app.call("POST", "/permissions", {
        token: app.admin,
        body: { ...body, relConditions },
      });
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(message)]);
    }
  });
});

describe("a live view with expanded relations", () => {
  const fields = ["title", "author.name", "tags.tags.name", "blocks.quotes.words", "comments.id"];

  test("shows what a read shows, and tells when related rows change it", async () => {
    const socket = await openSocket(app.listen(), app.admin);
    socket.send({ type: "subscribe", collection: "posts", filter: { "tags.tags.name": "red" }, fields });
    await socket.expect("subscribed");
    await send(200, "PATCH", "/items/posts/1", { title: "Uno" });
    const changed = await socket.expect("change");
    expect([changed.action, changed.data]).toEqual([
      "update",
      (await read("posts", { fields: ["id", ...fields], filter: { id: 1 } }))[0] as Row,
    ]);
    // Until the items of the view are known to the server, it says that something has changed.
    for (let times = 1; ; times++) {
      await send(200, "PATCH", "/items/quotes/1", { words: `poo-tee-weet ${times}` });
      const frame = await socket.next();
      if (frame.type === "change") break;
      expect(frame).toMatchObject({ type: "resync", reason: "a related item changed" });
    }
    const shown = async (id: number) =>
      (await read("posts", { fields: ["id", ...fields], filter: { id } }))[0];
    await send(200, "PATCH", "/items/quotes/1", { words: "poo-tee-weet?" });
    const isOf = (text: string) => (frame: object) => JSON.stringify(frame).includes(text);
    expect(await socket.take(isOf("poo-tee-weet?"))).toMatchObject({
      action: "update",
      data: await shown(1),
    });
    await send(201, "POST", `/items/${tagJunction}`, { id: 9, posts_id: 3, tags_id: 1 });
    expect(await socket.take(isOf('"create"'))).toMatchObject({ action: "create", data: await shown(3) });
    await socket.close();
  });

  test("keeps to the relConditions of the permission", async () => {
    const posts = { relConditions: { comments: { approved: true } } };
    await allowed({ posts, comments: true }, async () => {
      const socket = await openSocket(app.listen(), ann.token);
      socket.send({ type: "subscribe", collection: "posts", fields: ["title", "comments.id"] });
      await socket.expect("subscribed");
      await send(200, "PATCH", "/items/posts/1", { title: "Eins" });
      expect((await socket.expect("change")).data).toEqual({
        id: 1,
        title: "Eins",
        comments: [{ id: 1 }, { id: 3 }],
      });
      await socket.close();
    });
  });
});
