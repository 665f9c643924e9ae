/** The example's collections, relations, roles, accounts and first board, as data. */
import type { Action, Permission, RelationshipDefinition, SchemaDefinition } from "@baasix/types";

const id = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } } as const;

/** Collections in the order they must be made. Columns and cards are put in order by hand. */
export const collections: { readonly [name: string]: SchemaDefinition } = {
  boards: {
    name: "boards",
    timestamps: false,
    fields: { id, name: { type: "String", allowNull: false, values: { length: 80 } } },
  },
  columns: {
    name: "columns",
    timestamps: false,
    sortEnabled: true,
    fields: {
      id,
      title: { type: "String", allowNull: false, values: { length: 80 } },
      closed: {
        type: "Boolean",
        allowNull: false,
        defaultValue: false,
        description: "Its cards stay as they are",
      },
    },
  },
  cards: {
    name: "cards",
    timestamps: false,
    sortEnabled: true,
    fields: { id, title: { type: "String", allowNull: false, values: { length: 200 } } },
  },
};

/** Boards have columns, columns have cards; what is deleted takes along what it has. */
export const relationships: { readonly [collection: string]: RelationshipDefinition } = {
  columns: {
    type: "M2O",
    name: "board",
    target: "boards",
    alias: "columns",
    allowNull: false,
    onDelete: "CASCADE",
  },
  cards: {
    type: "M2O",
    name: "column",
    target: "columns",
    alias: "cards",
    allowNull: false,
    onDelete: "CASCADE",
  },
};

/** What a role may do. */
export type ExampleGrant = Pick<Permission, "collection" | "fields"> & {
  readonly action: Action;
  readonly conditions?: Permission["conditions"];
};

const open = { column: { closed: false } };

/** Editors see everything, and write cards; those of closed columns neither come nor go. */
export const editor: { readonly name: string; readonly grants: readonly ExampleGrant[] } = {
  name: "editor",
  grants: [
    { collection: "boards", action: "read", fields: ["*"] },
    { collection: "columns", action: "read", fields: ["*"] },
    { collection: "cards", action: "read", fields: ["*"] },
    { collection: "cards", action: "create", fields: ["title", "column_Id"], conditions: open },
    { collection: "cards", action: "update", fields: ["title", "column_Id", "sort"], conditions: open },
    { collection: "cards", action: "delete", fields: ["*"], conditions: open },
  ],
};

/** Accounts that the loader makes, all editors. */
export const people = [
  { firstName: "Ann", email: "ann@example.com" },
  { firstName: "Bob", email: "bob@example.com" },
] as const;

/** The board that there is at first: titles of columns, with those of their cards. */
export const firstBoard = {
  name: "Garden house",
  columns: [
    { title: "To do", closed: false, cards: ["Measure the site", "Choose the wood", "Order nails"] },
    { title: "Doing", closed: false, cards: ["Draw the plan"] },
    { title: "Done", closed: false, cards: ["Ask the neighbours"] },
    { title: "Paid", closed: true, cards: ["Planning fee"] },
  ],
} as const;
