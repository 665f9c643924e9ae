/** Bodies with related items: what they mean, and how those that cannot mean anything are refused. */
import { describe, expect, test } from "bun:test";
import { AppError } from "../errors";
import { parseFieldGrant } from "../access/grants";
import { buildSchema } from "../schema/define";
import { namesRelated, readBodies } from "./nested";
import { type Body, nestedLimits } from "./nestedBody";
import { type ListEffects, planList, type Present } from "./nestedChange";
import { textOfEnds } from "./nestedLists";
import { refusedName } from "./nestedNames";

const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } as const;
const name = { type: "String" } as const;
const toPost = { relType: "BelongsTo", target: "posts", foreignKey: "posts_id", allowNull: false } as const;
const item = { relType: "BelongsTo", foreignKey: "item_id", constraints: false } as const;

const schema = buildSchema(1, [
  {
    collectionName: "authors",
    schema: {
      name: "Author",
      timestamps: false,
      fields: { id, name, profile: { relType: "HasOne", target: "profiles", foreignKey: "author_Id" } },
    },
  },
  {
    collectionName: "profiles",
    schema: {
      name: "Profile",
      timestamps: false,
      fields: { id, bio: name, author: { relType: "BelongsTo", target: "authors", unique: true } },
    },
  },
  {
    collectionName: "posts",
    schema: {
      name: "Post",
      usertrack: true,
      fields: {
        id,
        title: name,
        author: { relType: "BelongsTo", target: "authors" },
        parent: { relType: "BelongsTo", target: "posts" },
        children: { relType: "HasMany", target: "posts", foreignKey: "parent_Id" },
        comments: { relType: "HasMany", target: "comments", foreignKey: "post_Id" },
        thread: { relType: "HasMany", target: "comments", foreignKey: "thread" },
        lines: { relType: "HasMany", target: "lines", foreignKey: "post_Id" },
        tags: { relType: "HasMany", target: "posts_tags", foreignKey: "posts_id" },
        credits: { relType: "HasMany", target: "credits", foreignKey: "posts_id" },
        blocks: { relType: "HasMany", target: "blocks", foreignKey: "posts_id" },
      },
    },
  },
  {
    collectionName: "comments",
    schema: {
      name: "Comment",
      timestamps: false,
      fields: {
        id,
        text: name,
        thread: { type: "Integer", calculated: "id" },
        post: { relType: "BelongsTo", target: "posts" },
      },
    },
  },
  {
    collectionName: "lines",
    schema: {
      name: "Line",
      timestamps: false,
      fields: { id, text: name, post: { relType: "BelongsTo", target: "posts", allowNull: false } },
    },
  },
  { collectionName: "tags", schema: { name: "Tag", timestamps: false, fields: { id, name } } },
  {
    collectionName: "posts_tags",
    schema: {
      name: "PostTag",
      isJunction: true,
      fields: {
        id,
        note: name,
        posts: toPost,
        tags: { relType: "BelongsTo", target: "tags", foreignKey: "tags_id", allowNull: false },
      },
    },
  },
  {
    collectionName: "credits",
    schema: {
      name: "Credit",
      isJunction: true,
      fields: {
        id,
        posts: toPost,
        authors: { relType: "BelongsTo", target: "authors", foreignKey: "authors_id", allowNull: false },
        tags: { relType: "BelongsTo", target: "tags", foreignKey: "tags_id", allowNull: false },
      },
    },
  },
  { collectionName: "images", schema: { name: "Image", timestamps: false, fields: { id, url: name } } },
  { collectionName: "quotes", schema: { name: "Quote", timestamps: false, fields: { id, words: name } } },
  {
    collectionName: "blocks",
    schema: {
      name: "Block",
      isJunction: true,
      fields: {
        id,
        posts: toPost,
        item_id: { type: "Integer", allowNull: false },
        collection: { type: "Enum", values: ["images", "quotes"], allowNull: false },
        images: { ...item, target: "images", scope: { collection: "images" } },
        quotes: { ...item, target: "quotes", scope: { collection: "quotes" } },
      },
    },
  },
]);

function collection(of: string) {
  const found = schema.collections.get(of);
  if (!found) throw new Error(of);
  return found;
}

function read(...bodies: readonly unknown[]): Body {
  const [first] = readBodies(schema, collection("posts"), bodies);
  if (!first) throw new Error("no body");
  return first;
}

function refusal(...bodies: readonly unknown[]): readonly [string, string] {
  try {
    read(...bodies);
  } catch (error) {
    if (error instanceof AppError) return [error.code, error.message];
    throw error;
  }
  return ["", "is not refused"];
}

function deep(levels: number): unknown {
  return levels === 0 ? "x" : { parent: deep(levels - 1) };
}

describe("refused, with the place", () => {
  const hidden = JSON.parse('{"author": {"__proto__": {"name": "x"}}}') as unknown;
  const table: readonly (readonly [body: unknown, code: string, message: string])[] = [
    [
      { author: { nam: "x" } },
      "UNKNOWN_FIELD",
      "author.nam: 'authors' has no field 'nam'; did you mean 'name'?",
    ],
    [{ coments: [] }, "UNKNOWN_FIELD", "coments: 'posts' has no field 'coments'; did you mean 'comments'?"],
    [
      { comments: [{ text: "a" }, { txt: "b" }] },
      "UNKNOWN_FIELD",
      "comments[1].txt: 'comments' has no field 'txt'",
    ],
    [{ tags: [{ tags: { nme: "b" } }] }, "UNKNOWN_FIELD", "tags[0].tags.nme: 'tags' has no field 'nme'"],
    [hidden, "UNKNOWN_FIELD", "author.__proto__: 'authors' has no field '__proto__'"],
    [{ author: { constructor: 1 } }, "UNKNOWN_FIELD", "author.constructor: "],
    [
      { author: [1] },
      "INVALID_VALUE",
      "author: expected the key of an item of 'authors', an object of its fields, or null",
    ],
    [{ author: true }, "INVALID_VALUE", "author: expected the key"],
    [{ author: "x" }, "INVALID_VALUE", "author: "],
    [{ author: { id: "x" } }, "INVALID_VALUE", "author.id: "],
    [{ author: { id: {} } }, "INVALID_VALUE", "author.id: "],
    [
      { comments: 5 },
      "INVALID_VALUE",
      "comments: expected a list of items, or an object of lists: create, connect, update, detach, delete",
    ],
    [{ comments: "5" }, "INVALID_VALUE", "comments: expected a list of items"],
    [
      { thread: [1] },
      "INVALID_VALUE",
      "thread: 'thread' of 'comments' is filled by the server; nothing can be attached by it",
    ],
    [
      { comments: [null] },
      "INVALID_VALUE",
      "comments[0]: expected the key of an item of 'comments', or an object of its fields",
    ],
    [{ comments: [[]] }, "INVALID_VALUE", "comments[0]: expected the key"],
    [
      { comments: { creat: [] } },
      "INVALID_VALUE",
      "comments.creat: expected a list of items, or an object of lists: create, connect, update, detach, delete; did you mean 'create'?",
    ],
    [{ comments: { create: {} } }, "INVALID_VALUE", "comments.create: expected a list"],
    [
      { comments: { create: [5] } },
      "INVALID_VALUE",
      "comments.create[0]: expected an object of field and value",
    ],
    [
      { comments: { connect: [{ text: "x" }] } },
      "INVALID_VALUE",
      "comments.connect[0]: name the item by its key 'id'",
    ],
    [
      { comments: { connect: [{ id: 1, text: "x" }] } },
      "INVALID_VALUE",
      "comments.connect[0]: takes keys alone; what changes an item stands under update",
    ],
    [
      { comments: { update: [{ text: "x" }] } },
      "INVALID_VALUE",
      "comments.update[0]: name the item by its key 'id'",
    ],
    [{ comments: { update: [5] } }, "INVALID_VALUE", "comments.update[0]: say what changes beside the key"],
    [
      { comments: { delete: [{ id: 5, text: "x" }] } },
      "INVALID_VALUE",
      "comments.delete[0]: takes keys alone",
    ],
    [
      { comments: [{ text: "x", post: { title: "y" } }] },
      "INVALID_VALUE",
      "comments[0].post: is the item in which this one stands; leave it out",
    ],
    [
      { comments: [{ text: "x", post: 1, post_Id: 2 }] },
      "INVALID_VALUE",
      "comments[0].post: is the item in which this one stands",
    ],
    [
      { author: { name: "x" }, author_Id: 5 },
      "INVALID_VALUE",
      "author: 'author_Id' of 'posts' is given too, and says another item; give one of them",
    ],
    [{ author: { id: 4 }, author_Id: 5 }, "INVALID_VALUE", "author: 'author_Id' of 'posts' is given too"],
    [{ author: null, author_Id: 5 }, "INVALID_VALUE", "author: 'author_Id' of 'posts' is given too"],
    [
      { tags: [{ note: "x" }] },
      "INVALID_VALUE",
      'tags[0]: expected a key of \'tags\', {"tags_id": …}, {"tags": {…}} or {"id": …} of \'posts_tags\'',
    ],
    [{ tags: [{}] }, "INVALID_VALUE", "tags[0]: expected a key of 'tags'"],
    [{ tags: [true] }, "INVALID_VALUE", "tags[0]: expected a key of 'tags'"],
    [{ tags: ["x"] }, "INVALID_VALUE", "tags[0]: "],
    [
      { tags: [{ tags_id: 1, tags: { name: "x" } }] },
      "INVALID_VALUE",
      "tags[0].tags: 'tags_id' of 'posts_tags' is given too",
    ],
    [{ tags: { detach: [{ tags_id: 1, note: "x" }] } }, "INVALID_VALUE", "tags.detach[0]: takes keys alone"],
    [{ tags: { create: [{ note: "x" }] } }, "INVALID_VALUE", "tags.create[0]: expected a key of 'tags'"],
    [
      { blocks: [5] },
      "INVALID_VALUE",
      "blocks[0]: a key alone does not say where the row of 'blocks' leads; expected an object",
    ],
    [
      { blocks: [{ item_id: 5 }] },
      "INVALID_VALUE",
      'blocks[0]: expected {"collection": …, "item_id": …} or {"collection": …, "images": {…}}, where \'collection\' is one of images, quotes',
    ],
    [{ blocks: [{ collection: "images" }] }, "INVALID_VALUE", "blocks[0]: expected"],
    [
      { credits: [5] },
      "INVALID_VALUE",
      "credits[0]: a key alone does not say where the row of 'credits' leads; expected an object",
    ],
    [{ credits: [{ tags_id: 5 }] }, "INVALID_VALUE", "credits[0]: expected"],
    [
      { blocks: [{ collection: "image", item_id: 5 }] },
      "INVALID_VALUE",
      "blocks[0].collection: expected one of images, quotes; did you mean 'images'?",
    ],
    [
      { blocks: [{ collection: "quotes", images: { url: "x" } }] },
      "INVALID_VALUE",
      "blocks[0].images: belongs to 'images', but 'collection' is given and says another",
    ],
    [
      { blocks: [{ images: { url: "x" }, quotes: { words: "y" } }] },
      "INVALID_VALUE",
      "blocks[0].quotes: 'images' is given too, and both are the key 'item_id'; give one",
    ],
    [
      { blocks: [{ type: "images", collection: "images", item: 1 }] },
      "INVALID_VALUE",
      "blocks[0].type: 'collection' is given too; give one of them",
    ],
    [
      deep(nestedLimits.depth + 1),
      "QUERY_TOO_COMPLEX",
      "parent.parent.parent.parent.parent.parent.parent.parent: related items may be nested 7 levels deep",
    ],
    [
      { comments: Array.from({ length: nestedLimits.rows }, () => 1) },
      "QUERY_TOO_COMPLEX",
      "comments[9999]: at most 10000 items in one request, related ones included",
    ],
  ];
  test.each(
    table.map(([body, code, message]) => [JSON.stringify(body).slice(0, 90), code, message, body] as const),
  )("%s", (_text, code, message, body) => {
    const [given, text] = refusal(body);
    expect([given, text]).toEqual([code, expect.stringContaining(message)]);
    expect(text.startsWith(message.slice(0, 8))).toBe(true);
  });

  test("of several items each says which one it is", () => {
    expect(refusal({ title: "x" }, { author: { nam: 1 } })[1]).toStartWith("[1].author.nam: ");
  });
});

test("bodies that name no relation are told apart", () => {
  const posts = collection("posts");
  expect(namesRelated(posts, [{ title: "x", author_Id: 5 }, {}])).toBe(false);
  expect(namesRelated(posts, [{ title: "x" }, { author: 5 }])).toBe(true);
  expect(namesRelated(collection("tags"), [{ posts: 5 }])).toBe(false);
});

describe("what was read may be sent back", () => {
  test.each<readonly [what: string, body: Row, own: readonly string[], toOne: readonly string[]]>([
    ["key and relation that agree", { author_Id: 5, author: { id: 5, name: "x" } }, [], ["author"]],
    ["the same of a text", { author_Id: "5", author: 5 }, [], ["author"]],
    ["both are null", { author_Id: null, author: null }, ["author_Id"], []],
    [
      "a relation that the server fills",
      { userCreated: { id: "x", password: "y" }, title: "t" },
      ["userCreated_Id", "title"],
      [],
    ],
    ["undefined is not said", { author: undefined, comments: undefined, title: undefined }, [], []],
  ])("%s", (_what, body, own, toOne) => {
    const given = read(body);
    expect([...given.own.keys()]).toEqual([...own]);
    expect(given.toOne.map(({ relation }) => relation.name)).toEqual([...toOne]);
  });
});

type Row = Record<string, unknown>;

/** Lists as `what happens`, short: `-key` removed, `~key` detached, `+key` attached, `key=` changed, `new`. */
function effects({ remove, detach, change, create, ends, missing }: ListEffects): readonly string[] {
  return [
    ...remove.map(({ key }) => `-${key}`),
    ...detach.map(({ key }) => `~${key}`),
    ...ends.map(({ target, key }) => `${target.name}.${key}=`),
    ...change.map(({ key, attach, body }) => {
      const says = body.own.size + body.toOne.length > 0 ? "=" : "";
      return `${attach ? "+" : ""}${key}${says}`;
    }),
    ...create.map(
      ({ body: { own, toOne } }) =>
        `new ${toOne.map(({ reference }) => ("key" in reference ? reference.key : "new")).join()}${[...own.keys()].join()}`,
    ),
    ...missing.map(({ key }) => `?${key}`),
  ];
}

describe("set logic", () => {
  const plain: readonly Present[] = ["1", "2"].map((key) => ({ key, end: null }));
  const rows: readonly Present[] = [
    { key: "1", end: textOfEnds([["", "10"]]) },
    { key: "2", end: textOfEnds([["", "20"]]) },
  ];
  const three: readonly Present[] = [
    {
      key: "1",
      end: textOfEnds([
        ["", "10"],
        ["", "20"],
      ]),
    },
  ];
  const any: readonly Present[] = [
    { key: "1", end: textOfEnds([["images", "10"]]) },
    { key: "2", end: textOfEnds([["quotes", "10"]]) },
  ];
  test.each<readonly [body: Row, present: readonly Present[], expected: readonly string[]]>([
    [{ comments: [1, 2] }, plain, []],
    [{ comments: [] }, plain, ["~1", "~2"]],
    [{ lines: [] }, plain, ["-1", "-2"]],
    [{ comments: [2, 2, { id: 3 }, { text: "x" }] }, plain, ["~1", "+3", "new text"]],
    [{ comments: [{ id: 1, text: "x" }] }, plain, ["~2", "1="]],
    [
      { comments: { connect: [1, 3], update: [{ id: 2, text: "x" }], create: [{ text: "y" }] } },
      plain,
      ["2=", "+3", "new text"],
    ],
    [{ comments: { create: [{ id: 9, text: "y" }] } }, plain, ["new id,text"]],
    [{ comments: { detach: [1], delete: [2, 7] } }, plain, ["-2", "~1", "?7"]],
    [{ tags: [10, 20] }, rows, []],
    [{ tags: [20, 30, 30, { tags_id: 30 }] }, rows, ["-1", "new 30"]],
    [{ tags: [{ id: 2 }, 10] }, rows, []],
    [{ tags: [{ id: 2 }, 20] }, rows, ["-1"]],
    [{ tags: [{ tags_id: 10, note: "x" }] }, rows, ["-2", "1="]],
    [{ tags: [{ id: 1, tags_id: 30 }] }, rows, ["-2", "1="]],
    [{ tags: [{ id: 1, posts_id: 5, tags_id: 10, tags: { id: 10, name: "x" } }, 20] }, rows, ["tags.10="]],
    [
      { tags: [{ tags: { id: 10, name: "x" } }, { tags: { name: "y" } }] },
      rows,
      ["-2", "tags.10=", "new new"],
    ],
    [{ tags: { connect: [10, 30], detach: [20] } }, rows, ["-2", "new 30"]],
    [{ tags: { create: [{ tags_id: 10 }] } }, rows, ["new 10"]],
    [{ tags: { delete: [{ id: 1 }], detach: [30] } }, rows, ["-1", "?30"]],
    [{ tags: { update: [{ tags_id: 20, note: "x" }] } }, rows, ["2="]],
    [
      {
        blocks: [
          { collection: "quotes", item_id: 10 },
          { type: "images", id: 11 },
        ],
      },
      any,
      ["-1", "new 11"],
    ],
    [{ credits: [{ authors_id: 10, tags_id: 20 }] }, three, []],
    [{ credits: [{ authors_id: 10, tags: 21 }] }, three, ["-1", "new 21,10"]],
    [{ blocks: [{ id: 1 }, { quotes: { id: 10, words: "x" } }] }, any, ["quotes.10="]],
    [
      { blocks: [{ id: 1, collection: "images", item_id: 10, images: { id: 10 }, quotes: null }, { id: 2 }] },
      any,
      [],
    ],
  ])("%j", (body, present, expected) => {
    const [part] = read(body).lists;
    if (!part) throw new Error("no list");
    expect(effects(planList(part, present))).toEqual([...expected]);
  });

  test("an item that must have a key is not detached by a step, and none stands twice", () => {
    const plan = (body: Row) => () => read(body).lists.map((part) => planList(part, plain));
    expect(plan({ lines: { detach: [1] } })).toThrow("lines.detach: 'post_Id' of 'lines' must have a value");
    expect(plan({ comments: [{ id: 1, text: "a" }, 1] })).toThrow(
      "comments[1]: the same item stands in the list already",
    );
  });
});

describe("names that a grant is asked for", () => {
  test.each<readonly [fields: string, body: Row, refused: string | null]>([
    ["*", { author: { name: "x" }, tags: [1] }, null],
    ["author", { author: { name: "x", profile: { bio: "y" } } }, null],
    ["author.*", { author: { name: "x" } }, null],
    ["author.*", { author: { name: "x", profile: { bio: "y" } } }, null],
    ["author.**", { author: { profile: { bio: "y" } } }, null],
    ["author.name", { author: { id: 1, name: "x" } }, null],
    ["author.name", { author: { profile: { bio: "y" } } }, "relation: author.profile"],
    ["author.profile.bio", { author: { profile: { bio: "y" } } }, null],
    ["author.profile.bio", { author: { name: "x" } }, "field: author.name"],
    ["title", { author: { name: "x" } }, "relation: author"],
    ["title", { author: 5 }, "relation: author"],
    ["author_Id", { author: 5 }, null],
    ["author_Id", { author: null }, null],
    ["author_Id", { author: { name: "x" } }, "relation: author"],
    ["author.name", { author: 5 }, null],
    ["title", { comments: [] }, "relation: comments"],
    ["comments.text", { comments: [{ text: "x" }, 5] }, null],
    ["comments.id", { comments: [{ id: 1, text: "x" }] }, "field: comments.text"],
    ["tags.tags.name", { tags: [1, { tags: { name: "x" } }] }, null],
    ["tags.tags.name", { tags: [{ tags_id: 1, note: "x" }] }, "field: tags.tags_id"],
    ["", { tags: [] }, "relation: tags"],
  ])("%s opens %j", (fields, body, refused) => {
    expect(refusedName(parseFieldGrant(fields), read(body).named)).toBe(refused);
  });
});
