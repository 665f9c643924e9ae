/** What each kind of relationship adds to the definitions, and which wishes are refused. */
import { describe, expect, test } from "bun:test";
import type { SchemaRecord } from "@baasix/types";
import { AppError } from "../../core/errors";
import { buildSchema } from "../../core/schema/define";
import { applyEdit } from "../../core/schema/edit";
import type { RelationshipBody } from "./model";
import { relateEdit } from "./relate";

const number = { type: "Integer", primaryKey: true } as const;
const record = (collectionName: string, fields: SchemaRecord["schema"]["fields"] = { id: number }) => ({
  collectionName,
  schema: { name: collectionName, timestamps: false, fields },
});
const long = "a".repeat(50);
const schema = buildSchema(1, [
  record("posts", { id: number, title: { type: "String" } }),
  record("tags"),
  record("files", { id: { type: "UUID", primaryKey: true } }),
  record("notes", { id: number, post_Id: { type: "Integer" } }),
  record(long),
]);

/** The fields that come in, by collection. */
function added(body: RelationshipBody): Record<string, unknown> {
  const { put } = applyEdit(schema, relateEdit(schema, "posts", body), 2);
  return Object.fromEntries(
    put.map(({ collectionName, schema: { fields, indexes } }) => {
      const before = schema.collections.get(collectionName)?.definition.fields ?? {};
      const fresh = Object.entries(fields).filter(([name]) => !Object.hasOwn(before, name));
      const shown = Object.fromEntries(
        fresh.map(([name, field]) => [name, { ...field, SystemGenerated: undefined }]),
      );
      return [collectionName, indexes ? { ...shown, indexes } : shown];
    }),
  );
}

const junctionKey = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const side = (target: string, foreignKey: string, more: object = {}) => ({
  relType: "BelongsTo",
  target,
  foreignKey,
  allowNull: false,
  onDelete: "CASCADE",
  ...more,
});

const made: readonly (readonly [what: string, body: RelationshipBody, expected: Record<string, unknown>])[] =
  [
    [
      "M2O",
      {
        type: "M2O",
        name: "tag",
        target: "tags",
        alias: "posts",
        onDelete: "RESTRICT",
        description: "Its tag",
      },
      {
        posts: {
          tag: {
            relType: "BelongsTo",
            target: "tags",
            foreignKey: "tag_Id",
            onDelete: "RESTRICT",
            description: "Its tag",
          },
        },
        tags: { posts: { relType: "HasMany", target: "posts", foreignKey: "tag_Id" } },
      },
    ],
    [
      "O2O",
      { type: "o2o", name: "tag", target: "tags", alias: "post", foreignKey: "t" },
      {
        posts: { tag: { relType: "BelongsTo", target: "tags", foreignKey: "t", unique: true } },
        tags: { post: { relType: "HasOne", target: "posts", foreignKey: "t" } },
      },
    ],
    [
      "O2O with an account",
      { type: "O2O", name: "owner", target: "baasix_User", alias: "post" },
      {
        posts: {
          owner: { relType: "BelongsTo", target: "baasix_User", foreignKey: "owner_Id", unique: true },
        },
        baasix_User: { post: { relType: "HasOne", target: "posts", foreignKey: "owner_Id" } },
      },
    ],
    [
      "O2M on a key that is there",
      { type: "O2M", name: "notes", target: "notes", foreignKey: "post_Id" },
      { posts: { notes: { relType: "HasMany", target: "notes", foreignKey: "post_Id" } } },
    ],
    [
      "O2M that makes the key",
      { type: "O2M", name: "tags", target: "tags", alias: "post", onDelete: "CASCADE", allowNull: false },
      {
        posts: { tags: { relType: "HasMany", target: "tags", foreignKey: "post_Id" } },
        tags: {
          post: {
            relType: "BelongsTo",
            target: "posts",
            foreignKey: "post_Id",
            allowNull: false,
            onDelete: "CASCADE",
          },
        },
      },
    ],
    [
      "M2M",
      { type: "M2M", name: "tags", target: "tags", alias: "posts" },
      {
        posts: { tags: { relType: "HasMany", target: "posts_tags_tags_junction", foreignKey: "posts_id" } },
        tags: { posts: { relType: "HasMany", target: "posts_tags_tags_junction", foreignKey: "tags_id" } },
        posts_tags_tags_junction: {
          id: junctionKey,
          posts: side("posts", "posts_id"),
          tags: side("tags", "tags_id"),
          indexes: [
            { name: "posts_tags_tags_junction_unique", fields: ["posts_id", "tags_id"], unique: true },
          ],
        },
      },
    ],
    [
      "M2M to itself",
      {
        type: "M2M",
        name: "related",
        target: "posts",
        alias: "relatedBy",
        through: "pairs",
        onDelete: "RESTRICT",
      },
      {
        posts: {
          related: { relType: "HasMany", target: "pairs", foreignKey: "posts_id" },
          relatedBy: { relType: "HasMany", target: "pairs", foreignKey: "posts_id_2" },
        },
        pairs: {
          id: junctionKey,
          posts: side("posts", "posts_id", { onDelete: "RESTRICT" }),
          posts_2: side("posts", "posts_id_2", { onDelete: "RESTRICT" }),
          indexes: [{ name: "pairs_unique", fields: ["posts_id", "posts_id_2"], unique: true }],
        },
      },
    ],
    [
      "M2A",
      { type: "M2A", name: "parts", tables: ["tags", "notes"], alias: "partOf" },
      {
        posts: {
          parts: {
            relType: "HasMany",
            target: "posts_parts_junction",
            foreignKey: "posts_id",
            polymorphic: true,
            tables: ["tags", "notes"],
          },
        },
        tags: { partOf: backOf("tags") },
        notes: { partOf: backOf("notes") },
        posts_parts_junction: {
          id: junctionKey,
          posts: side("posts", "posts_id"),
          item_id: { type: "Integer", allowNull: false },
          collection: { type: "Enum", values: ["tags", "notes"], allowNull: false },
          tags: wayTo("tags"),
          notes: wayTo("notes"),
          indexes: [
            {
              name: "posts_parts_junction_unique",
              fields: ["posts_id", "item_id", "collection"],
              unique: true,
            },
            { fields: ["item_id", "collection"] },
          ],
        },
      },
    ],
  ];

function wayTo(target: string): object {
  return {
    relType: "BelongsTo",
    target,
    foreignKey: "item_id",
    constraints: false,
    scope: { collection: target },
  };
}

function backOf(collection: string): object {
  return {
    relType: "HasMany",
    target: "posts_parts_junction",
    foreignKey: "item_id",
    constraints: false,
    scope: { collection },
  };
}

const refused: readonly (readonly [body: RelationshipBody, code: string, message: string])[] = [
  [{ type: "M2X", name: "x" }, "INVALID_SCHEMA", "type: expected M2O, O2O, O2M, M2M, M2A, got 'M2X'"],
  [{ type: "M2O", name: "x" }, "INVALID_SCHEMA", "target: a relation names the collection that it leads to"],
  [
    { type: "M2O", name: "x", target: "tagz" },
    "INVALID_SCHEMA",
    "target: unknown collection 'tagz'; did you mean 'tags'?",
  ],
  [{ type: "M2O", name: "x", target: "baasix_Sessions" }, "INVALID_SCHEMA", "target: unknown collection"],
  [
    { type: "M2O", name: "posts", target: "tags" },
    "INVALID_SCHEMA",
    "name: 'posts' is the name of the collection itself",
  ],
  [{ type: "M2O", name: "order", target: "tags" }, "INVALID_SCHEMA", "name: 'order' is reserved"],
  [
    { type: "M2O", name: "x", target: "tags", alias: "tags" },
    "INVALID_SCHEMA",
    "alias: 'tags' is the name of the collection itself",
  ],
  [{ type: "M2O", name: "title", target: "tags" }, "CONFLICT", "name: 'posts' already has a field 'title'"],
  [
    { type: "M2O", name: "x", target: "tags", alias: "id" },
    "CONFLICT",
    "alias: 'tags' already has a field 'id'",
  ],
  [{ type: "M2O", name: "x", target: "posts", alias: "x" }, "CONFLICT", "'posts' already has a field 'x'"],
  [
    { type: "M2O", name: "x", target: "tags", through: "y" },
    "INVALID_SCHEMA",
    "through: a relation of type M2O has none",
  ],
  [
    { type: "M2A", name: "x", target: "tags", tables: ["tags"] },
    "INVALID_SCHEMA",
    "target: a relation of type M2A has none",
  ],
  [
    { type: "O2O", name: "x", target: "tags", unique: false },
    "INVALID_SCHEMA",
    "unique: a relation of type O2O has none",
  ],
  [
    { type: "O2M", name: "x", target: "tags" },
    "INVALID_SCHEMA",
    "foreignKey: name the column of 'tags' that holds the key",
  ],
  [{ type: "O2M", name: "x", target: "tags", foreignKey: "y" }, "INVALID_SCHEMA", "'tags' has no field 'y'"],
  [
    { type: "O2M", name: "x", target: "baasix_User", alias: "p" },
    "INVALID_SCHEMA",
    "alias: 'baasix_User' is built in",
  ],
  [{ type: "M2M", name: "x", target: long }, "INVALID_SCHEMA", "through: Junction table name too long"],
  [{ type: "M2M", name: "x", target: "tags", through: "tags" }, "CONFLICT", "through: 'tags' exists already"],
  [
    { type: "M2M", name: "x", target: "tags", through: "baasix_x" },
    "INVALID_SCHEMA",
    "through: 'baasix_x': names that begin",
  ],
  [{ type: "M2A", name: "x" }, "INVALID_SCHEMA", "tables: expected a list of 1 to 50 collections"],
  [
    { type: "M2A", name: "x", tables: "tags" },
    "INVALID_SCHEMA",
    "tables: expected a list of 1 to 50 collections",
  ],
  [
    { type: "M2A", name: "x", tables: ["tags", 5] },
    "INVALID_SCHEMA",
    "tables[1]: a relation names the collection",
  ],
  [{ type: "M2A", name: "x", tables: ["tags", "tags"] }, "INVALID_SCHEMA", "tables: one is named twice"],
  [
    { type: "M2A", name: "x", tables: ["tags", "files"] },
    "INVALID_SCHEMA",
    "tables: their keys must be of one type; that of 'tags' is Integer, that of 'files' UUID",
  ],
];

describe("a relationship", () => {
  test.each(made)("%s", (_what, body, expected) => expect(added(body)).toEqual(expected));

  test.each(refused)("%j is refused", (body, code, message) => {
    try {
      added(body);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect([error.code as string, error.message]).toEqual([code, expect.stringContaining(message)]);
      return;
    }
    throw new Error("expected a refusal");
  });
});
