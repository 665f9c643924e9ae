/**
 * Writes with related items: every kind of relation, every way to write it, by an administrator, by a role that has just
 * the rights for it, and by that role with each of these rights taken away or bound to rows that are not meant; then
 * everything is read again, and nothing has changed.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { system } from "../../core/access/actor";
import { testApp, type TestApp } from "../../testing/app";

setDefaultTimeout(60_000);

type Row = Record<string, unknown>;

let app: TestApp;
let ann: string;
let role: string;
const actor = system("tests of nested writes");

const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const name = { type: "String" };
const schemas: Record<string, Row> = {
  authors: { fields: { id, name } },
  posts: { fields: { id, title: { type: "String" } } },
  comments: { fields: { id, text: name } },
  lines: { fields: { id, text: name } },
  notes: { fields: { id, text: name }, paranoid: true },
  profiles: { fields: { id, bio: name } },
  passports: { fields: { id, number: name } },
  tags: { fields: { id, name: { type: "String", allowNull: false } } },
  images: { fields: { id, url: name } },
  quotes: { fields: { id, words: name } },
  people: { fields: { id, name } },
};
const relations: readonly (readonly [collection: string, body: Row])[] = [
  ["posts", { type: "M2O", name: "author", target: "authors", alias: "posts" }],
  ["posts", { type: "M2O", name: "editor", target: "authors" }],
  ["posts", { type: "O2M", name: "comments", target: "comments", alias: "post" }],
  ["posts", { type: "O2M", name: "lines", target: "lines", alias: "post", allowNull: false }],
  ["posts", { type: "O2M", name: "notes", target: "notes", alias: "post", allowNull: false }],
  ["profiles", { type: "O2O", name: "author", target: "authors", alias: "profile" }],
  ["passports", { type: "O2O", name: "holder", target: "authors", alias: "passport", allowNull: false }],
  ["posts", { type: "M2M", name: "tags", target: "tags", alias: "posts", through: "posts_tags" }],
  [
    "posts",
    { type: "M2A", name: "blocks", tables: ["images", "quotes"], alias: "usedIn", through: "blocks" },
  ],
  ["people", { type: "M2O", name: "boss", target: "people", alias: "staff" }],
  ["people", { type: "M2M", name: "friends", target: "people", alias: "friendOf", through: "friendships" }],
];
const tables = [...Object.keys(schemas), "posts_tags", "blocks", "friendships"];

beforeAll(async () => {
  app = await testApp();
  for (const [collectionName, schema] of Object.entries(schemas))
    await app.ok("POST", "/schemas", {
      collectionName,
      schema: { name: collectionName, timestamps: false, ...schema },
    });
  for (const [collection, body] of relations)
    await app.ok("POST", `/schemas/${collection}/relationships`, body);
  const made = await app.signUp("ann@example.com");
  ann = made.token;
  role = (await app.data.create(actor, "baasix_Role", [{ name: "writer" }]))[0] as string;
  await app.data.create(actor, "baasix_UserRole", [{ user_Id: made.id, role_Id: role }]);
});

afterAll(() => app.close());

/** Keys of a new set of rows, all related as the table of cases tells. */
type World = Readonly<Record<string, number>>;

const world = (): Promise<World> => app.data.transaction(makeWorld);

async function makeWorld(data: TestApp["data"]): Promise<World> {
  const keys: Record<string, number> = {};
  const make = async (collection: string, rows: Readonly<Record<string, Row>>): Promise<void> => {
    const ids = await data.create(actor, collection, Object.values(rows));
    Object.keys(rows).forEach((key, i) => (keys[key] = Number(ids[i])));
  };
  await make("authors", { a1: { name: "Ann" }, a2: { name: "Bob" } });
  await make("posts", { p1: { title: "One", author_Id: keys.a1 }, p2: { title: "Two", author_Id: keys.a2 } });
  const [p1, p2] = [keys.p1, keys.p2];
  await make("comments", {
    c1: { text: "c1", post_Id: p1 },
    c2: { text: "c2", post_Id: p1 },
    c3: { text: "c3", post_Id: p2 },
    c4: { text: "c4" },
  });
  const rows = { text: "first", post_Id: p1 };
  await make("lines", { l1: rows, l2: { ...rows, text: "second" }, l3: { text: "other", post_Id: p2 } });
  await make("notes", { n1: rows, n2: { ...rows, text: "second" }, n3: { text: "other", post_Id: p2 } });
  await make("profiles", { f1: { bio: "hers", author_Id: keys.a1 }, f2: { bio: "nobody's" } });
  await make("passports", {
    s1: { number: "A1", holder_Id: keys.a1 },
    s2: { number: "B2", holder_Id: keys.a2 },
  });
  await make("tags", { t1: { name: "red" }, t2: { name: "blue" }, t3: { name: "green" } });
  await make("posts_tags", {
    j1: { posts_id: p1, tags_id: keys.t1 },
    j2: { posts_id: p1, tags_id: keys.t2 },
    j3: { posts_id: p2, tags_id: keys.t1 },
  });
  await make("images", { i1: { url: "a" }, i2: { url: "b" } });
  await make("quotes", { q1: { words: "so" } });
  await make("blocks", {
    b1: { posts_id: p1, collection: "images", item_id: keys.i1 },
    b2: { posts_id: p1, collection: "quotes", item_id: keys.q1 },
  });
  await make("people", { m1: { name: "Pia" }, m2: { name: "Quy" }, m3: { name: "Rex" } });
  await data.update(actor, "people", [{ id: keys.m2 ?? 0, data: { boss_Id: keys.m1 } }]);
  await make("friendships", { r1: { people_id: keys.m1, people_id_2: keys.m2 } });
  return keys;
}

/** Every row of every table, and how much was noted of changes to them. */
async function everything(): Promise<string> {
  const rows = tables.map((table) =>
    app.data.read(actor, table, { limit: 1000, sort: "id", paranoid: "false", count: "none" }),
  );
  const noted = app.data.read(actor, "baasix_AuditLog", { limit: 0, filter: { entity: { in: tables } } });
  return JSON.stringify([...(await Promise.all(rows)).map(({ json }) => json), (await noted).totalCount]);
}

/** Grants the rights, and nothing else, to the role `writer`. */
async function grant(rights: Readonly<Record<string, Row>>): Promise<void> {
  const old = await app.data.find<{ id: string }>(actor, "baasix_Permission", {
    filter: { role_Id: role },
    fields: ["id"],
  });
  await app.data.transaction(async (rows) => {
    await rows.remove(
      actor,
      "baasix_Permission",
      old.map((one) => one.id),
    );
    await rows.create(
      actor,
      "baasix_Permission",
      Object.entries(rights).map(([right, more]) => {
        const [collection, action] = right.split(".");
        return { role_Id: role, collection, action, ...more };
      }),
    );
  });
}

type Request = readonly [method: string, path: string, body: unknown];
type Case = {
  readonly what: string;
  /** What a role needs, no more: `collection.action` and the fields. */
  readonly rights: Readonly<Record<string, string>>;
  readonly send: (w: World) => Request;
  /** A read, and what it shows afterwards; `own` is the key that the write answered. */
  readonly see: (w: World, own: number) => readonly [collection: string, query: Row, expected: unknown];
};

const patch =
  (body: (w: World) => Row) =>
  (w: World): Request => ["PATCH", `/items/posts/${w.p1}`, body(w)];
const patchAuthor =
  (body: (w: World) => Row) =>
  (w: World): Request => ["PATCH", `/items/authors/${w.a1}`, body(w)];
const patchPerson =
  (key: string, body: (w: World) => Row) =>
  (w: World): Request => ["PATCH", `/items/people/${w[key]}`, body(w)];
const post =
  (collection: string, body: (w: World) => unknown) =>
  (w: World): Request => ["POST", `/items/${collection}`, body(w)];

/** What one row shows of the fields. */
const shows =
  (collection: string, key: string | null, fields: readonly string[], expected: (w: World) => unknown) =>
  (w: World, own: number): readonly [string, Row, unknown] => [
    collection,
    { fields, filter: { id: key === null ? own : w[key] } },
    [expected(w)],
  ];
const shown = expect.any(Number);

const author = (expected: (w: World) => unknown) =>
  shows("posts", "p1", ["author.name"], (w) => ({ author: expected(w) }));
const comments = (...texts: readonly string[]) =>
  shows("posts", "p1", ["comments.text"], () => ({
    comments: texts.map((text) => ({ id: shown, text })),
  }));
const tags = (...names: readonly string[]) =>
  shows("posts", "p1", ["tags.tags.name"], () => ({
    tags: names.map((one) => ({ id: shown, tags: { id: shown, name: one } })),
  }));
/** Junction rows by their own keys: `j1` stays `j1`. */
const junction = (...rows: readonly (readonly [row: string | null, tag: string])[]) =>
  shows("posts", "p1", ["tags.tags_id"], (w) => ({
    tags: rows.map(([row, tag]) => ({ id: row === null ? shown : w[row], tags_id: w[tag] })),
  }));
const blocks = (...rows: readonly (readonly [row: string | null, table: string, item: string | null])[]) =>
  shows("posts", "p1", ["blocks.collection", "blocks.item_id"], (w) => ({
    blocks: rows.map(([row, collection, item]) => ({
      id: row === null ? shown : w[row],
      collection,
      item_id: item === null ? shown : w[item],
    })),
  }));
const texts = (list: string, ...all: readonly string[]) =>
  shows("posts", "p1", [`${list}.text`], () => ({ [list]: all.map((text) => ({ id: shown, text })) }));
const profile = (expected: (w: World) => unknown) =>
  shows("authors", "a1", ["profile.bio"], (w) => ({ profile: expected(w) }));

const readKey = "id,post_Id";
const junctionRights = {
  "posts_tags.read": "id,posts_id,tags_id",
  "posts_tags.create": "posts_id,tags_id",
  "posts_tags.delete": "*",
};
const blockRights = {
  "blocks.read": "id,posts_id,collection,item_id",
  "blocks.create": "posts_id,collection,item_id",
  "blocks.delete": "*",
};

const cases: readonly Case[] = [
  // Many to one
  {
    what: "M2O create, with the item",
    rights: { "posts.create": "title,author.name", "authors.create": "name" },
    send: post("posts", () => ({ title: "New", author: { name: "Cid" } })),
    see: shows("posts", null, ["title", "author.name"], () => ({
      title: "New",
      author: { id: shown, name: "Cid" },
    })),
  },
  {
    what: "M2O create, of an item that is there",
    rights: { "posts.update": "author", "authors.create": "name" },
    send: patch(() => ({ author: { name: "Cid" } })),
    see: author(() => ({ id: shown, name: "Cid" })),
  },
  {
    what: "M2O connect by key",
    rights: { "posts.update": "author_Id", "authors.read": "id" },
    send: patch((w) => ({ author: w.a2 })),
    see: author((w) => ({ id: w.a2, name: "Bob" })),
  },
  {
    what: "M2O connect by object",
    rights: { "posts.update": "author.*", "authors.read": "id" },
    send: patch((w) => ({ author: { id: w.a2 } })),
    see: author((w) => ({ id: w.a2, name: "Bob" })),
  },
  {
    what: "M2O update and connect",
    rights: { "posts.update": "author.*", "authors.update": "name" },
    send: patch((w) => ({ title: undefined, author: { id: w.a2, name: "Bea" } })),
    see: author((w) => ({ id: w.a2, name: "Bea" })),
  },
  {
    what: "M2O detach",
    rights: { "posts.update": "author" },
    send: patch(() => ({ author: null })),
    see: author(() => null),
  },
  {
    what: "M2O without a way back",
    rights: { "posts.update": "title,editor.*", "authors.create": "name" },
    send: patch(() => ({ title: "Uno", editor: { name: "Eve" } })),
    see: shows("posts", "p1", ["title", "editor.name"], () => ({
      title: "Uno",
      editor: { id: shown, name: "Eve" },
    })),
  },
  // One to many
  {
    what: "O2M create, with the item",
    rights: { "posts.create": "title,comments.text", "comments.create": "text,post_Id" },
    send: post("posts", () => ({ title: "New", comments: [{ text: "x" }, { text: "y" }] })),
    see: shows("posts", null, ["comments.text"], () => ({
      comments: [
        { id: shown, text: "x" },
        { id: shown, text: "y" },
      ],
    })),
  },
  {
    what: "O2M replace: creates, attaches, updates, keeps and detaches",
    rights: {
      "posts.update": "comments.*",
      "comments.read": readKey,
      "comments.create": "text,post_Id",
      "comments.update": "text,post_Id",
    },
    send: patch((w) => ({ comments: [{ id: w.c1, text: "first" }, w.c4, { id: w.c3 }, { text: "new" }] })),
    see: comments("first", "c3", "c4", "new"),
  },
  {
    what: "O2M replace leaves a detached item in its collection",
    rights: { "posts.update": "comments", "comments.read": readKey, "comments.update": "post_Id" },
    send: patch((w) => ({ comments: [w.c1] })),
    see: shows("comments", "c2", ["text", "post_Id"], () => ({ text: "c2", post_Id: null })),
  },
  {
    what: "O2M update of an item that stays needs no right on the key",
    rights: { "posts.update": "comments.*", "comments.read": readKey, "comments.update": "text" },
    send: patch((w) => ({ comments: [{ id: w.c1, text: "first" }, w.c2] })),
    see: comments("first", "c2"),
  },
  {
    what: "O2M clear",
    rights: { "posts.update": "comments.*", "comments.read": readKey, "comments.update": "post_Id" },
    send: patch(() => ({ comments: [] })),
    see: comments(),
  },
  {
    what: "O2M null leaves the list as it is",
    rights: { "posts.update": "title" },
    send: patch(() => ({ title: "Uno", comments: null })),
    see: comments("c1", "c2"),
  },
  {
    what: "O2M steps: create",
    rights: { "posts.update": "comments.*", "comments.create": "text,post_Id" },
    send: patch(() => ({ comments: { create: [{ text: "x" }] } })),
    see: comments("c1", "c2", "x"),
  },
  {
    what: "O2M steps: connect",
    rights: { "posts.update": "comments.*", "comments.read": readKey, "comments.update": "post_Id" },
    send: patch((w) => ({ comments: { connect: [w.c4, { id: w.c3 }] } })),
    see: comments("c1", "c2", "c3", "c4"),
  },
  {
    what: "O2M steps: update, detach and delete",
    rights: {
      "posts.update": "comments.*",
      "comments.read": readKey,
      "comments.update": "text,post_Id",
      "comments.delete": "*",
    },
    send: (w) => [
      "PATCH",
      "/items/posts/bulk",
      [
        { id: w.p1, data: { comments: { update: [{ id: w.c1, text: "first" }], delete: [w.c2] } } },
        { id: w.p2, data: { comments: { detach: [w.c3] } } },
      ],
    ],
    see: shows("posts", "p1", ["comments.text"], () => ({ comments: [{ id: shown, text: "first" }] })),
  },
  {
    what: "O2M with a key that must be there: replace deletes",
    rights: {
      "posts.update": "lines.*",
      "lines.read": readKey,
      "lines.create": "text,post_Id",
      "lines.delete": "*",
    },
    send: patch((w) => ({ lines: [w.l2, { text: "third" }] })),
    see: texts("lines", "second", "third"),
  },
  {
    what: "O2M with a key that must be there: attach moves",
    rights: { "posts.update": "lines.*", "lines.read": readKey, "lines.update": "post_Id" },
    send: patch((w) => ({ lines: { connect: [w.l3] } })),
    see: texts("lines", "first", "second", "other"),
  },
  {
    what: "O2M with a key that must be there: steps",
    rights: {
      "posts.update": "lines.*",
      "lines.read": readKey,
      "lines.create": "text,post_Id",
      "lines.update": "text",
      "lines.delete": "*",
    },
    send: patch((w) => ({
      lines: { create: [{ text: "third" }], update: [{ id: w.l2, text: "2nd" }], delete: [w.l1] },
    })),
    see: texts("lines", "2nd", "third"),
  },
  {
    what: "O2M of soft deletes: replace deletes softly",
    rights: { "posts.update": "notes.*", "notes.read": readKey, "notes.delete": "*" },
    send: patch((w) => ({ notes: [w.n2] })),
    see: (w) => [
      "notes",
      { fields: ["text"], paranoid: "false", filter: { id: w.n1, deletedAt: { isNotNull: true } } },
      [{ text: "first" }],
    ],
  },
  // One to one, from the side of the key and from the other
  {
    what: "O2O create on the side of the key",
    rights: { "profiles.create": "bio,author.*", "authors.create": "name" },
    send: post("profiles", () => ({ bio: "new", author: { name: "Dan" } })),
    see: shows("profiles", null, ["bio", "author.name"], () => ({
      bio: "new",
      author: { id: shown, name: "Dan" },
    })),
  },
  {
    what: "O2O connect on the side of the key",
    rights: { "profiles.update": "author_Id", "authors.read": "id" },
    send: (w) => ["PATCH", `/items/profiles/${w.f2}`, { author: w.a2 }],
    see: shows("profiles", "f2", ["author.name"], (w) => ({ author: { id: w.a2, name: "Bob" } })),
  },
  {
    what: "O2O update on the side of the key",
    rights: { "profiles.update": "author.name", "authors.update": "name" },
    send: (w) => ["PATCH", `/items/profiles/${w.f1}`, { author: { id: w.a1, name: "Amy" } }],
    see: shows("profiles", "f1", ["author.name"], (w) => ({ author: { id: w.a1, name: "Amy" } })),
  },
  {
    what: "O2O detach on the side of the key",
    rights: { "profiles.update": "author" },
    send: (w) => ["PATCH", `/items/profiles/${w.f1}`, { author: null }],
    see: shows("profiles", "f1", ["author.name"], () => ({ author: null })),
  },
  {
    what: "O2O create on the other side, which detaches the one before",
    rights: {
      "authors.update": "profile.*",
      "profiles.read": "id,author_Id",
      "profiles.update": "author_Id",
      "profiles.create": "bio,author_Id",
    },
    send: patchAuthor(() => ({ profile: { bio: "new" } })),
    see: profile(() => ({ id: shown, bio: "new" })),
  },
  {
    what: "O2O connect on the other side",
    rights: {
      "authors.update": "profile.*",
      "profiles.read": "id,author_Id",
      "profiles.update": "author_Id",
    },
    send: patchAuthor((w) => ({ profile: w.f2 })),
    see: profile((w) => ({ id: w.f2, bio: "nobody's" })),
  },
  {
    what: "O2O update on the other side",
    rights: { "authors.update": "profile.*", "profiles.read": "id,author_Id", "profiles.update": "bio" },
    send: patchAuthor((w) => ({ profile: { id: w.f1, bio: "changed" } })),
    see: profile((w) => ({ id: w.f1, bio: "changed" })),
  },
  {
    what: "O2O detach on the other side",
    rights: {
      "authors.update": "profile.*",
      "profiles.read": "id,author_Id",
      "profiles.update": "author_Id",
    },
    send: patchAuthor(() => ({ profile: null })),
    see: profile(() => null),
  },
  {
    what: "O2O with a key that must be there: detach deletes",
    rights: { "authors.update": "passport.*", "passports.read": "id,holder_Id", "passports.delete": "*" },
    send: patchAuthor(() => ({ passport: null })),
    see: (w) => ["passports", { fields: ["number"], filter: { id: w.s1 } }, []],
  },
  // Many to many
  {
    what: "M2M create, with the item: by key, by column, by relation, and a new one",
    rights: {
      "posts.create": "title,tags.*",
      "posts_tags.create": "posts_id,tags_id,tags.name",
      "tags.create": "name",
      "tags.read": "id",
    },
    send: post("posts", (w) => ({
      title: "New",
      tags: [w.t1, { tags_id: w.t2 }, { tags: { id: w.t3 } }, { tags: { name: "white" } }],
    })),
    see: shows("posts", null, ["tags.tags.name"], () => ({
      tags: ["red", "blue", "green", "white"].map((one) => ({ id: shown, tags: { id: shown, name: one } })),
    })),
  },
  {
    what: "M2M replace: a row that is there stays",
    rights: { "posts.update": "tags.*", "tags.read": "id", ...junctionRights },
    send: patch((w) => ({ tags: [w.t2, w.t3] })),
    see: junction(["j2", "t2"], [null, "t3"]),
  },
  {
    what: "M2M replace by the rows of the junction",
    rights: {
      "posts.update": "tags.*",
      "posts_tags.read": "id,posts_id,tags_id",
      "posts_tags.delete": "*",
    },
    send: patch((w) => ({ tags: [{ id: w.j1 }] })),
    see: junction(["j1", "t1"]),
  },
  {
    what: "M2M update of an item behind a row that stays",
    rights: {
      "posts.update": "tags.*",
      "posts_tags.read": "id,posts_id,tags_id",
      "posts_tags.delete": "*",
      "tags.update": "name",
    },
    send: patch((w) => ({ tags: [{ tags: { id: w.t1, name: "crimson" } }] })),
    see: tags("crimson"),
  },
  {
    what: "M2M clear",
    rights: {
      "posts.update": "tags.*",
      "posts_tags.read": "id,posts_id,tags_id",
      "posts_tags.delete": "*",
    },
    send: patch(() => ({ tags: [] })),
    see: tags(),
  },
  {
    what: "M2M steps: create, connect (one is there) and detach",
    rights: {
      "posts.update": "tags.*",
      "tags.read": "id",
      ...junctionRights,
      "posts_tags.create": "posts_id,tags_id,tags.*",
      "tags.create": "name",
    },
    send: patch((w) => ({
      tags: { create: [{ tags: { name: "white" } }], connect: [w.t2, w.t3], detach: [w.t1] },
    })),
    see: shows("posts", "p1", ["tags.tags.name"], (w) => ({
      tags: [
        { id: w.j2, tags: { id: w.t2, name: "blue" } },
        { id: shown, tags: { id: w.t3, name: "green" } },
        { id: shown, tags: { id: shown, name: "white" } },
      ],
    })),
  },
  {
    what: "M2M from the other side",
    rights: { "tags.update": "name,posts.*", "posts.read": "id", ...junctionRights },
    send: (w) => ["PATCH", `/items/tags/${w.t2}`, { name: "blau", posts: [w.p2] }],
    see: junction(["j1", "t1"]),
  },
  // Many to any
  {
    what: "M2A create, with the item",
    rights: {
      "posts.create": "title,blocks.*",
      "blocks.create": "posts_id,collection,item_id,images.*",
      "images.create": "url",
      "quotes.read": "id",
    },
    send: post("posts", (w) => ({
      title: "New",
      blocks: [
        { collection: "quotes", item_id: w.q1 },
        { collection: "images", images: { url: "new" } },
      ],
    })),
    see: shows("posts", null, ["blocks.collection", "blocks.images.url", "blocks.quotes.words"], (w) => ({
      blocks: [
        { id: shown, collection: "quotes", images: null, quotes: { id: w.q1, words: "so" } },
        { id: shown, collection: "images", images: { id: shown, url: "new" }, quotes: null },
      ],
    })),
  },
  {
    what: "M2A replace: a row that is there stays, also under other names",
    rights: { "posts.update": "blocks.*", "images.read": "id", ...blockRights },
    send: patch((w) => ({
      blocks: [
        { type: "quotes", item: w.q1 },
        { collection: "images", id: w.i2 },
      ],
    })),
    see: blocks(["b2", "quotes", "q1"], [null, "images", "i2"]),
  },
  {
    what: "M2A steps",
    rights: { "posts.update": "blocks.*", "images.read": "id", ...blockRights },
    send: patch((w) => ({
      blocks: { connect: [{ collection: "images", item_id: w.i2 }], detach: [{ id: w.b1 }] },
    })),
    see: blocks(["b2", "quotes", "q1"], [null, "images", "i2"]),
  },
  {
    what: "M2A update of an item behind a row that stays",
    rights: {
      "posts.update": "blocks.*",
      "blocks.read": "id,posts_id,collection,item_id",
      "blocks.delete": "*",
      "images.update": "url",
    },
    send: patch((w) => ({ blocks: [{ collection: "images", images: { id: w.i1, url: "c" } }] })),
    see: shows("posts", "p1", ["blocks.images.url"], (w) => ({
      blocks: [{ id: w.b1, images: { id: w.i1, url: "c" } }],
    })),
  },
  {
    what: "M2A from the other side",
    rights: {
      "images.update": "usedIn.*",
      "posts.read": "id",
      "blocks.read": "id,posts_id,collection,item_id",
      "blocks.create": "posts_id,collection,item_id",
    },
    send: (w) => ["PATCH", `/items/images/${w.i1}`, { usedIn: [w.p1, w.p2] }],
    see: (w) => [
      "blocks",
      { fields: ["posts_id", "collection"], filter: { item_id: w.i1, collection: "images" }, sort: "id" },
      [
        { posts_id: w.p1, collection: "images" },
        { posts_id: w.p2, collection: "images" },
      ],
    ],
  },
  // To itself
  {
    what: "self: upwards",
    rights: { "people.update": "name,boss.*", "people.create": "name" },
    send: patchPerson("m1", () => ({ boss: { name: "Top" } })),
    see: shows("people", "m1", ["boss.name"], () => ({ boss: { id: shown, name: "Top" } })),
  },
  {
    what: "self: upwards, connect and detach",
    rights: { "people.update": "boss_Id", "people.read": "id" },
    send: (w) => [
      "PATCH",
      "/items/people/bulk",
      [
        { id: w.m2, data: { boss: null } },
        { id: w.m3, data: { boss: { id: w.m1 } } },
      ],
    ],
    see: (w) => [
      "people",
      { fields: ["boss.name"], filter: { id: { in: [w.m2, w.m3] } }, sort: "id" },
      [{ boss: null }, { boss: { id: w.m1, name: "Pia" } }],
    ],
  },
  {
    what: "self: downwards, steps",
    rights: { "people.update": "name,boss_Id,staff.*", "people.read": "id,boss_Id" },
    send: patchPerson("m1", (w) => ({
      staff: { update: [{ id: w.m2, name: "Quin" }], connect: [w.m3] },
    })),
    see: shows("people", "m1", ["staff.name"], (w) => ({
      staff: [
        { id: w.m2, name: "Quin" },
        { id: w.m3, name: "Rex" },
      ],
    })),
  },
  {
    what: "self: downwards",
    rights: {
      "people.update": "boss_Id,staff.*",
      "people.read": "id,boss_Id",
      "people.create": "name,boss_Id",
    },
    send: patchPerson("m1", (w) => ({ staff: [w.m3, { name: "New" }] })),
    see: shows("people", "m1", ["staff.name"], (w) => ({
      staff: [
        { id: w.m3, name: "Rex" },
        { id: shown, name: "New" },
      ],
    })),
  },
  {
    what: "self: many to many, and from its other side",
    rights: {
      "people.update": "friends.*,friendOf.*",
      "people.read": "id",
      "friendships.read": "id,people_id,people_id_2",
      "friendships.create": "people_id,people_id_2",
      "friendships.delete": "*",
    },
    send: (w) => [
      "PATCH",
      "/items/people/bulk",
      [
        { id: w.m1, data: { friends: [w.m3] } },
        { id: w.m2, data: { friendOf: [w.m3] } },
      ],
    ],
    see: (w) => [
      "friendships",
      {
        fields: ["people_id", "people_id_2"],
        filter: { "people.id": { in: [w.m1, w.m3] } },
        sort: "people_id",
      },
      [
        { people_id: w.m1, people_id_2: w.m3 },
        { people_id: w.m3, people_id_2: w.m2 },
      ],
    ],
  },
  // Deeper, and in numbers
  {
    what: "three levels deep, in a bulk of creates",
    rights: {
      "authors.create": "name,posts.title,posts.tags.tags.name,posts.comments.text",
      "posts.create": "title,author_Id,tags.*,comments.*",
      "comments.create": "text,post_Id",
      "posts_tags.create": "posts_id,tags.*",
      "tags.create": "name",
    },
    send: (w) => [
      "POST",
      "/items/authors/bulk",
      [
        {
          name: `deep ${w.a1}`,
          posts: [
            { title: "x", tags: [{ tags: { name: "new" } }], comments: [{ text: "deep" }] },
            { title: "y" },
          ],
        },
        { name: "flat" },
      ],
    ],
    see: (w) => [
      "authors",
      {
        fields: ["name", "posts.title", "posts.tags.tags.name", "posts.comments.text"],
        filter: { name: `deep ${w.a1}` },
      },
      [
        {
          name: `deep ${w.a1}`,
          posts: [
            {
              id: shown,
              title: "x",
              tags: [{ id: shown, tags: { id: shown, name: "new" } }],
              comments: [{ id: shown, text: "deep" }],
            },
            { id: shown, title: "y", tags: [], comments: [] },
          ],
        },
      ],
    ],
  },
  {
    what: "three levels deep, in updates",
    rights: {
      "authors.update": "posts.editor.name,posts.title,posts.comments.text",
      "posts.read": "id,author_Id",
      "posts.update": "title,editor.*,comments.*",
      "authors.create": "name",
      "comments.read": readKey,
      "comments.update": "text",
    },
    send: patchAuthor((w) => ({
      posts: {
        update: [
          {
            id: w.p1,
            title: "Uno",
            editor: { name: "Eve" },
            comments: { update: [{ id: w.c1, text: "1" }] },
          },
        ],
      },
    })),
    see: shows("authors", "a1", ["posts.title", "posts.editor.name", "posts.comments.text"], (w) => ({
      posts: [
        {
          id: w.p1,
          title: "Uno",
          editor: { id: shown, name: "Eve" },
          comments: [
            { id: w.c1, text: "1" },
            { id: w.c2, text: "c2" },
          ],
        },
      ],
    })),
  },
  {
    what: "update by filter",
    rights: {
      "posts.read": "id",
      "posts.update": "author.*,comments.*",
      "authors.create": "name",
      "comments.create": "text,post_Id",
    },
    send: (w) => [
      "PATCH",
      "/items/posts",
      {
        filter: { id: { in: [w.p1, w.p2] } },
        data: { author: { name: "Both" }, comments: { create: [{ text: "each" }] } },
      },
    ],
    see: (w) => [
      "posts",
      { fields: ["author.name", "comments.text"], filter: { id: { in: [w.p1, w.p2] } }, sort: "id" },
      [
        {
          author: { id: shown, name: "Both" },
          comments: ["c1", "c2", "each"].map((text) => ({ id: shown, text })),
        },
        {
          author: { id: shown, name: "Both" },
          comments: ["c3", "each"].map((text) => ({ id: shown, text })),
        },
      ],
    ],
  },
];

/** A condition that no row of the tests meets. */
const never = { id: { lt: 0 } };
const refusals = new Set(["FORBIDDEN", "VALIDATION_ERROR", "NOT_FOUND"]);

describe("each relation and each way", () => {
  test.each(cases.map((one) => [one.what, one] as const))("%s", async (_what, { rights, send, see }) => {
    const run = async (token: string): Promise<void> => {
      const w = await world();
      const [method, path, body] = send(w);
      const answer = await app.call(method, path, { token, body });
      expect([answer.status < 300, answer.text]).toEqual([true, expect.any(String)]);
      const own = (answer.body as { data: { id: number } }).data.id;
      const [collection, query, expected] = see(w, own);
      const read = await app.call("GET", url(collection, query), { token: app.admin });
      expect((read.body as { data: unknown }).data).toEqual(expected);
    };
    await run(app.admin);
    const given = Object.fromEntries(Object.entries(rights).map(([right, fields]) => [right, { fields }]));
    await grant(given);
    await run(ann);

    const w = await world();
    const [method, path, body] = send(w);
    const before = await everything();
    const refuse = async (what: string, granted: Readonly<Record<string, Row>>): Promise<void> => {
      await grant(granted);
      const answer = await app.call(method, path, { token: ann, body });
      const { error, data } = answer.body as { error?: { code: string }; data?: { count?: number } };
      // A filter finds no rows where none may be changed.
      const isRefused = error ? refusals.has(error.code) : data?.count === 0;
      expect([what, answer.text, isRefused]).toEqual([what, answer.text, true]);
    };
    for (const right of Object.keys(rights)) {
      const { [right]: taken, ...rest } = given;
      await refuse(`without ${right}`, rest);
      // What may not be read is no child of anything that the actor knows: see below.
      if (!right.endsWith(".read"))
        await refuse(`${right} of other rows`, { ...given, [right]: { ...taken, conditions: never } });
    }
    expect(JSON.parse(await everything())).toEqual(JSON.parse(before));
  });
});

function url(collection: string, query: Row): string {
  const parts = Object.entries(query).map(
    ([key, value]) =>
      `${key}=${encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value))}`,
  );
  return `/items/${collection}?${parts.join("&")}`;
}
