/** A schema that holds every field type, every spelling of a relation and every name that is hard to write. */
import type { SchemaRecord } from "@baasix/types";

const id = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } } as const;

export const schemas: readonly SchemaRecord[] = [
  {
    collectionName: "posts",
    schema: {
      name: "Posts",
      description: "What people wrote.",
      timestamps: true,
      paranoid: true,
      usertrack: true,
      fields: {
        id,
        title: { type: "String", allowNull: false, values: { length: 200 }, validate: { len: [3, 200] } },
        slug: { type: "SUID", allowNull: false, immutable: true },
        body: { type: "Text", description: "Markdown. It may hold */ and\nmore lines." },
        views: { type: "BigInt", allowNull: false },
        price: { type: "Decimal", values: { precision: 10, scale: 2 }, validate: { min: 0 } },
        rank: { type: "Integer", allowNull: false },
        score: { type: "Double" },
        weight: { type: "Float" },
        share: { type: "Real" },
        live: { type: "Boolean", allowNull: false },
        startsAt: { type: "DateTime", allowNull: false },
        day: { type: "Date" },
        hour: { type: "Time" },
        meta: { type: "JSONB" },
        raw: { type: "JSON", allowNull: false },
        status: { type: "ENUM", values: ["draft", "published", "it's late"], allowNull: false },
        mood: { type: "Enum", values: { values: ["calm", "cross"] } },
        tags: { type: "Array", values: { type: "String" }, allowNull: false },
        moods: { type: "Array", values: { type: "Enum", values: ["calm", "cross"] } },
        marks: { type: "Array_Decimal" },
        seats: { type: "Range", values: { type: "Integer" }, allowNull: false },
        open: { type: "range_date" },
        place_at: { type: "Point" },
        area: { type: "Geography" },
        full: { type: "VIRTUAL", calculated: "title || body" },
        local: { type: "DateTime_NO_TZ" },
        contact: { type: "String", validate: { isEmail: true } },
        secret: { type: "String", hidden: true },
        "odd name": { type: "String" },
        category_Id: { type: "UUID", SystemGenerated: true },
        category: { relType: "BelongsTo", target: "categories", foreignKey: "category_Id" },
        author_Id: {
          type: "UUID",
          relType: "BelongsTo",
          target: "baasix_User",
          as: "author",
          allowNull: false,
        },
        place: { relType: "BelongsTo", target: "places" },
        comments: { relType: "HasMany", target: "comments", foreignKey: "post_Id" },
      },
    },
  },
  {
    collectionName: "categories",
    schema: {
      name: "Categories",
      timestamps: false,
      fields: {
        id,
        name: { type: "String", allowNull: false },
        posts: { relType: "HasMany", target: "posts", foreignKey: "category_Id" },
        parent: { relType: "BelongsTo", target: "categories" },
      },
    },
  },
  {
    collectionName: "comments",
    schema: {
      name: "Comments",
      timestamps: false,
      fields: {
        id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
        text: { type: "Text", allowNull: false },
        post: { relType: "BelongsTo", target: "posts", foreignKey: "post_Id", allowNull: false },
      },
    },
  },
  {
    collectionName: "places",
    schema: {
      name: "Places",
      timestamps: false,
      fields: { code: { type: "String", primaryKey: true }, name: { type: "String" } },
    },
  },
  {
    collectionName: "2024 sales",
    schema: {
      name: "Sales",
      timestamps: false,
      fields: { id: { type: "BigInt", primaryKey: true }, unknown: { type: "Later" } },
    },
  },
  { collectionName: "PLACES", schema: { name: "Same", timestamps: false, fields: { id } } },
  {
    collectionName: "baasix_User",
    schema: {
      name: "User",
      fields: {
        id,
        email: { type: "String", allowNull: false },
        password: { type: "String", hidden: true },
        roles: { relType: "HasMany", target: "baasix_UserRole", foreignKey: "user_Id" },
      },
    },
  },
  {
    collectionName: "baasix_UserRole",
    schema: { name: "UserRole", fields: { id, user: { relType: "BelongsTo", target: "baasix_User" } } },
  },
  { collectionName: "baasix_File", schema: { name: "File", fields: { id } } },
];
