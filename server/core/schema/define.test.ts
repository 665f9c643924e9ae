/** Definitions, good and bad: what they become, and the exact words for every mistake. */
import { describe, expect, test } from "bun:test";
import type { SchemaDefinition, SchemaRecord } from "@baasix/types";
import { AppError } from "../errors";
import { buildSchema, indexesOf, recordsOf, storedSchema } from "./define";
import { describeCollection } from "./describe";
import { nameOfType } from "./describe-field";
import type { Collection, Field, Schema } from "./model";

const base = buildSchema(1, [
  {
    collectionName: "categories",
    schema: {
      name: "Category",
      timestamps: false,
      fields: {
        code: { type: "String", values: { length: 8 }, primaryKey: true },
        name: { type: "String" },
        sort: { type: "Integer" },
      },
    },
  },
]);

/** An untrusted definition, read against the collections that exist. */
function readDefinition(name: string, input: unknown, others: Schema): Collection {
  const records = recordsOf(others).filter((record) => record.collectionName !== name);
  const given = { collectionName: name, schema: input as SchemaDefinition };
  const placeOf = (collection: string): string => (collection === name ? "schema" : collection);
  const schema = buildSchema(others.version, [...records, given], placeOf, others.extensions, others.tenants);
  return schema.collections.get(name) as Collection;
}
const define = (input: unknown, name = "products"): Collection => readDefinition(name, input, base);
const field = (definition: unknown): Field => {
  const found = define({ name: "P", fields: { x: definition } }).fields.get("x");
  if (!found) throw new Error("no field");
  return found;
};
function mistake(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError && error.code === "INVALID_SCHEMA") return error.message;
    throw error;
  }
  throw new Error("expected a mistake");
}

describe("fields", () => {
  const good: readonly (readonly [definition: object, type: string, rest: Partial<Field>])[] = [
    [{ type: "string" }, "String", { allowNull: true, unique: false, default: null }],
    [{ type: "String", values: { length: 5 } }, "String(5)", {}],
    [{ type: "String", values: { stringLength: 5 } }, "String(5)", {}],
    [{ type: "ENUM", values: ["a", "b"] }, "Enum", { values: ["a", "b"] }],
    [{ type: "Enum", values: { values: ["a"] } }, "Enum", { values: ["a"] }],
    [{ type: "Decimal", values: { precision: 10, scale: 2 } }, "Decimal(10,2)", {}],
    [{ type: "Decimal", values: { precision: 10 } }, "Decimal(10,0)", {}],
    [{ type: "Decimal" }, "Decimal", {}],
    [{ type: "Array_Integer" }, "Array(Integer)", {}],
    [{ type: "Array", values: { type: "String", length: 9 } }, "Array(String(9))", {}],
    [{ type: "Array", values: { type: "Enum", values: ["a"] } }, "Array(Enum)", { values: ["a"] }],
    [{ type: "html" }, "HTML", {}],
    [{ type: "CITEXT", unique: true }, "CiText", { unique: true }],
    [{ type: "Token", defaultValue: { type: "SUID" } }, "TOKEN", {}],
    [{ type: "DateTime_NO_TZ", defaultValue: "now" }, "DateTime_NO_TZ", { default: { kind: "now" } }],
    [{ type: "Range_Integer", validate: { min: 0 } }, "Range(Integer)", { items: "Integer" }],
    [{ type: "Range", values: { type: "Date" } }, "Range(Date)", { items: "Date" }],
    [
      { type: "Range_Integer", defaultValue: { lower: 1, upper: 5 } },
      "Range(Integer)",
      { default: { kind: "static", value: '["1","5"]' } },
    ],
    [{ type: "Array_Time_NO_TZ" }, "Array(Time_NO_TZ)", {}],
    [{ type: "Point" }, "Point", { srid: 4326 }],
    [{ type: "geography", values: { srid: 4326 } }, "Geography", { srid: 4326 }],
    [{ type: "Polygon", values: { srid: 3857 } }, "Polygon(3857)", { srid: 3857 }],
    [{ type: "VIRTUAL", calculated: "1 + 1" }, "VIRTUAL", { generated: "1 + 1", managed: "generated" }],
    [{ type: "Integer", calculated: "1", unique: true }, "Integer", { generated: "1", unique: true }],
    [{ type: "UUID", defaultValue: { type: "UUIDV4" } }, "UUID", { default: { kind: "uuid" } }],
    [{ type: "SUID", defaultValue: { type: "suid" } }, "SUID", { default: { kind: "suid" } }],
    [{ type: "DateTime", default: "now()" }, "DateTime", { default: { kind: "now" } }],
    [{ type: "Date", defaultValue: "now" }, "Date", { default: { kind: "now" } }],
    [{ type: "Text", defaultValue: "now" }, "Text", { default: { kind: "static", value: "now" } }],
    [{ type: "Integer", defaultValue: { type: "AUTOINCREMENT" } }, "Integer", { allowNull: false }],
    [{ type: "Integer", defaultValue: 0 }, "Integer", { default: { kind: "static", value: "0" } }],
    [{ type: "Boolean", default: false, allowNull: false }, "Boolean", { allowNull: false }],
    [{ type: "JSON", defaultValue: { a: 1 } }, "JSON", { default: { kind: "static", value: { a: 1 } } }],
    [
      { type: "JSON", defaultValue: { value: { type: "SQL" } } },
      "JSON",
      { default: { kind: "static", value: { type: "SQL" } } },
    ],
    [{ type: "Array_String", defaultValue: [] }, "Array(String)", { default: { kind: "static", value: [] } }],
    [{ type: "Text", defaultValue: null }, "Text", { default: null }],
    [{ type: "String", comment: "why", showAs: "x" }, "String", { description: "why" }],
    [
      { type: "String", validate: { len: [3, 50], notEmpty: true } },
      "String",
      { validate: { len: [3, 50], notEmpty: true } },
    ],
  ];
  for (const [definition, type, rest] of good) {
    test(`${JSON.stringify(definition)} is ${type}`, () => {
      const read = field(definition);
      expect(nameOfType(read)).toBe(type);
      expect(read).toMatchObject(rest);
    });
  }

  const bad: readonly (readonly [definition: unknown, message: string])[] = [
    ["String", "schema.fields.x: expected an object, got 'String'"],
    [{}, "schema.fields.x.type: expected one of UUID, SUID, String"],
    [{ type: "Decmal" }, "schema.fields.x.type: unknown type 'Decmal'; did you mean 'Decimal'?"],
    [{ type: "Geometri" }, "schema.fields.x.type: unknown type 'Geometri'; did you mean 'Geometry'?"],
    [{ type: "Blob" }, "schema.fields.x.type: unknown type 'Blob'; known are UUID"],
    [{ type: "Range_Text" }, "schema.fields.x.type: unknown type 'Range_Text'"],
    [
      { type: "Range" },
      'schema.fields.x.values.type: expected the type of the bounds, such as {"type": "Date"}',
    ],
    [{ type: "Array_Point" }, "schema.fields.x.type: unknown type 'Array_Point'"],
    [{ type: "Point", unique: true }, "schema.fields.x.unique: Point values cannot be unique"],
    [{ type: "Point", values: { srid: 0 } }, "schema.fields.x.values.srid: expected a whole number from 1"],
    [{ type: "VIRTUAL" }, "schema.fields.x.calculated: a VIRTUAL field needs an SQL expression"],
    [{ type: "VIRTUAL", calculated: "y || 'a'" }, "schema.fields.x.calculated: 'products' has no field 'y'"],
    [{ type: "VIRTUAL", calculated: "x || 'a'" }, "schema.fields.x.calculated: 'x' is calculated itself"],
    [{ type: "VIRTUAL", calculated: "max(id)" }, "schema.fields.x.calculated: 'max' looks at many rows"],
    [
      { type: "VIRTUAL", calculated: "(select max(id) from p)" },
      "schema.fields.x.calculated: a calculated field knows its own row alone",
    ],
    [{ type: "VIRTUAL", calculated: "pg_sleep(1)" }, "schema.fields.x.calculated: function 'pg_sleep'"],
    [{ type: "VIRTUAL", calculated: "'a'; drop table p" }, "schema.fields.x.calculated: one expression only"],
    [
      { type: "Integer", calculated: "1", defaultValue: 1 },
      "schema.fields.x.calculated: a calculated field is no primary key and has no defaultValue",
    ],
    [{ type: "Range_Integer", validate: { len: [1, 2] } }, "schema.fields.x.validate.len: applies to text"],
    [{ type: "__proto__" }, "schema.fields.x.type: unknown type '__proto__'"],
    [{ type: "String", lenght: 5 }, "schema.fields.x.lenght: unknown key"],
    [{ type: "String", allowNul: true }, "schema.fields.x.allowNul: unknown key; did you mean 'allowNull'?"],
    [{ type: "String", allowNull: "yes" }, "schema.fields.x.allowNull: expected true or false, got 'yes'"],
    [
      { type: "String", values: { length: 0 } },
      "schema.fields.x.values.length: expected a whole number from 1 to 10485760, got 0",
    ],
    [{ type: "String", values: { size: 5 } }, "schema.fields.x.values.size: unknown key"],
    [{ type: "Integer", values: { length: 5 } }, "schema.fields.x.values: Integer takes no values"],
    [{ type: "Decimal", values: { scale: 2 } }, "schema.fields.x.values.precision: scale needs a precision"],
    [
      { type: "Decimal", values: { precision: 2, scale: 3 } },
      "schema.fields.x.values.scale: expected a whole number from 0 to 2, got 3",
    ],
    [{ type: "Enum" }, 'schema.fields.x.values: an Enum needs its values, such as ["draft", "published"]'],
    [
      { type: "Enum", values: ["a", 1] },
      "schema.fields.x.values[1]: expected text of 1 to 255 characters, got 1",
    ],
    [{ type: "Enum", values: ["a", "a"] }, "schema.fields.x.values: 'a' is named twice"],
    [
      { type: "Array" },
      'schema.fields.x.values.type: expected the type of the items, such as {"type": "String"}',
    ],
    [
      { type: "Array", values: { type: "JSON" } },
      "schema.fields.x.values.type: expected the type of the items",
    ],
    [
      { type: "Enum", values: ["a"], defaultValue: "b" },
      "schema.fields.x.defaultValue: expected one of 'a', got 'b'",
    ],
    [{ type: "Integer", defaultValue: 1.5 }, "schema.fields.x.defaultValue: expected a whole number"],
    [
      { type: "Integer", defaultValue: 1, default: 1 },
      "schema.fields.x.default: the same as defaultValue; give one of them",
    ],
    [
      { type: "Integer", defaultValue: { type: "UUIDV4" } },
      "schema.fields.x.defaultValue: UUIDV4 suits UUID, String, TOKEN; this field is Integer",
    ],
    [
      { type: "String", defaultValue: { type: "AUTOINCREMENT" } },
      "schema.fields.x.defaultValue: AUTOINCREMENT suits Integer, BigInt; this field is String",
    ],
    [
      { type: "String", defaultValue: { type: "UUIDV5" } },
      "schema.fields.x.defaultValue.type: unknown default 'UUIDV5'; did you mean 'UUIDV4'?",
    ],
    [
      { type: "String", defaultValue: { type: "UUIDV4", value: 1 } },
      "schema.fields.x.defaultValue.value: unknown key",
    ],
    [{ type: "JSON", unique: true }, "schema.fields.x.unique: JSON values cannot be unique"],
    [
      { type: "String", hidden: true },
      "schema.fields.x.hidden: only built-in collections have hidden fields",
    ],
    [
      { type: "JSON", primaryKey: true },
      "schema.fields.x.type: a primary key is one of UUID, SUID, String, Text, Integer, BigInt, not JSON",
    ],
    [
      { type: "UUID", primaryKey: true, allowNull: true },
      "schema.fields.x.allowNull: a primary key is never null; remove it",
    ],
    [
      { type: "String", validate: { min: 1 } },
      "schema.fields.x.validate.min: applies to numbers; this field is String",
    ],
    [
      { type: "Integer", validate: { isEmail: true } },
      "schema.fields.x.validate.isEmail: applies to text; this field is Integer",
    ],
    [
      { type: "Integer", validate: { min: 5, max: 1 } },
      "schema.fields.x.validate.max: 1 is less than min 5: no value would pass",
    ],
    [{ type: "Integer", validate: { min: "5" } }, "schema.fields.x.validate.min: expected a number, got '5'"],
    [
      { type: "String", validate: { len: [5, 1] } },
      "schema.fields.x.validate.len: expected [least, most], such as [3, 50]",
    ],
    [{ type: "String", validate: { is: "(" } }, "schema.fields.x.validate.is: not a regular expression: "],
    [
      { type: "String", validate: { isMail: true } },
      "schema.fields.x.validate.isMail: unknown key; did you mean 'isEmail'?",
    ],
  ];
  for (const [definition, message] of bad) {
    test(`${JSON.stringify(definition)} is refused`, () => {
      expect(mistake(() => field(definition))).toStartWith(message);
    });
  }
});

describe("collections", () => {
  test("without a primary key get a UUID one, first", () => {
    const { fields, primaryKey } = define({ name: "P", fields: { name: { type: "String" } } });
    expect([...fields.keys()]).toEqual(["id", "name", "createdAt", "updatedAt"]);
    expect(primaryKey).toMatchObject({
      name: "id",
      type: "UUID",
      default: { kind: "uuid" },
      allowNull: false,
    });
  });

  test("flags add what the server fills", () => {
    const made = define({ name: "P", fields: {}, timestamps: false, paranoid: "true", usertrack: true });
    expect([...made.fields.values()].map(({ name, managed }) => [name, managed])).toEqual([
      ["id", null],
      ["deletedAt", "deletedAt"],
      ["userCreated_Id", "userCreated"],
      ["userUpdated_Id", "userUpdated"],
    ]);
    expect(made.relations.get("userCreated")).toMatchObject({ target: "baasix_User", onDelete: "SET NULL" });
  });

  test("timestamps declared by hand win, and stay filled", () => {
    const made = define({
      name: "P",
      fields: { createdAt: { type: "DateTime", default: "now()" }, updatedAt: { type: "DateTime" } },
    });
    expect(made.fields.get("createdAt")).toMatchObject({
      allowNull: true,
      default: { kind: "now" },
      managed: "createdAt",
    });
    expect(made.fields.get("updatedAt")).toMatchObject({ default: { kind: "now" }, managed: "updatedAt" });
    const plain = define({ name: "P", timestamps: false, fields: { createdAt: { type: "String" } } });
    expect(plain.fields.get("createdAt")).toMatchObject({ type: "String", managed: null });
  });

  test("indexes are the declared ones and one for each foreign key", () => {
    const made = define({
      name: "P",
      fields: { a: { type: "String" }, category: { relType: "BelongsTo", target: "categories" } },
      indexes: [
        { fields: ["a", "category_Id"], unique: true },
        { name: "by_a", fields: ["a"] },
      ],
    });
    expect(indexesOf(made)).toEqual([
      { name: "products_a_category_Id_idx", fields: ["a", "category_Id"], unique: true },
      { name: "by_a", fields: ["a"], unique: false },
      { name: "products_category_Id_idx", fields: ["category_Id"], unique: false },
    ]);
  });

  test("the legacy form of options, and realtime as an object", () => {
    const made = define({
      name: "P",
      fields: {},
      options: { paranoid: true, timestamps: false },
      realtime: { enabled: false },
    });
    expect(made).toMatchObject({ paranoid: true, timestamps: false, realtime: false });
    expect(made.definition).toEqual({
      name: "P",
      fields: {},
      timestamps: false,
      paranoid: true,
      realtime: false,
    });
  });

  test.each<[given: unknown, stored: unknown]>([
    [{}, true],
    [{ actions: ["delete", "update", "insert"], replicaIdentityFull: true }, true],
    [{ actions: ["delete", "insert"] }, { enabled: true, actions: ["insert", "delete"] }],
    [
      { replicaIdentityFull: false },
      { enabled: true, actions: ["insert", "update", "delete"], replicaIdentityFull: false },
    ],
    [{ enabled: false, actions: ["insert"] }, false],
  ])("realtime %j is kept as %j", (given, stored) => {
    const made = define({ name: "P", fields: {}, realtime: given });
    expect(made.definition.realtime).toEqual(stored as never);
    expect(define(made.definition).liveness).toEqual(made.liveness);
  });

  test.each<[flag: boolean | undefined, audit: boolean]>([
    [undefined, true],
    [false, false],
    [true, true],
  ])("audit: %p", (flag, audit) => {
    const made = define({ name: "P", fields: {}, ...(flag !== undefined && { audit: flag }) });
    expect([made.audit, made.definition.audit]).toEqual([audit, flag]);
  });

  test("immutable", () => {
    const made = define({
      name: "P",
      fields: {
        sku: { type: "String", immutable: true },
        x: { type: "String" },
        category: { relType: "BelongsTo", target: "categories", immutable: true },
      },
    });
    const immutable = [...made.fields.values()].filter((field) => field.immutable).map(({ name }) => name);
    expect(immutable).toEqual(["sku", "category_Id"]);
  });

  const bad: readonly (readonly [name: unknown, input: unknown, message: string])[] = [
    [
      "1a",
      {},
      "collectionName: expected a name of letters, digits and '_' (at most 63, not starting with a digit), got '1a'",
    ],
    ["a".repeat(64), {}, "collectionName: expected a name of letters"],
    ["naïve", {}, "collectionName: expected a name of letters"],
    ["constructor", {}, "collectionName: expected a name of letters"],
    ['x"; drop', {}, "collectionName: expected a name of letters"],
    ["BAASIX_x", {}, "collectionName: 'BAASIX_x': names that begin with 'baasix_' or 'pg_' are reserved"],
    ["a_junction", {}, "collectionName: 'a_junction': names that end in '_junction' are those of junctions"],
    ["a", null, "schema: expected an object, got null"],
    ["a", [], "schema: expected an object, got a list of 0"],
    ["a", { field: {} }, "schema.field: unknown key; did you mean 'fields'?"],
    ["a", { fields: [] }, "schema.fields: expected an object, got a list of 0"],
    ["a", { fields: { "a b": { type: "Text" } } }, "schema.fields.a b: expected a name of letters"],
    [
      "a",
      JSON.parse('{"fields":{"__proto__":{"type":"Text"}}}'),
      "schema: expected JSON at 'fields' without the key '__proto__'",
    ],
    [
      "a",
      { fields: { xmin: { type: "Text" } } },
      "schema.fields.xmin: 'xmin' is a system column of PostgreSQL",
    ],
    ["a", { fields: { OR: { type: "Text" } } }, "schema.fields.OR: 'OR' has a meaning in filters"],
    [
      "a",
      { fields: { id: { type: "Text" } } },
      'schema.fields.id: no field is the primary key; add "primaryKey": true here',
    ],
    [
      "a",
      { fields: { x: { type: "Text", primaryKey: true }, y: { type: "Text", primaryKey: true } } },
      "schema.fields: 'x' and 'y' are both primaryKey",
    ],
    [
      "a",
      { fields: { createdAt: { type: "Date" } } },
      'schema.fields.createdAt.type: the server fills it: expected DateTime, or "timestamps": false',
    ],
    ["a", { fields: {}, usertrack: 1 }, "schema.usertrack: expected true or false, got 1"],
    [
      "products",
      { fields: { a: { type: "Integer" }, b: { type: "Integer", calculated: "a + 1", immutable: true } } },
      "schema.fields.b.immutable: a calculated field follows the others",
    ],
    [
      "a",
      { fields: {}, realtime: { actions: ["insert", "create"] } },
      "schema.realtime.actions[1]: expected one of insert, update, delete, got 'create'",
    ],
    ["a", { fields: {}, realtime: { actions: [] } }, "schema.realtime.actions: expected an action"],
    [
      "a",
      { fields: {}, realtime: { replicaIdentityFull: 1 } },
      "schema.realtime.replicaIdentityFull: expected true or false",
    ],
    [
      "a",
      { fields: {}, indexes: [{ fields: ["nope"] }] },
      "schema.indexes[0].fields[0]: 'nope' is not a field of 'a'",
    ],
    [
      "a",
      { fields: {}, indexes: [{ fields: [] }] },
      "schema.indexes[0].fields: an index names at least one field",
    ],
    [
      "a",
      { fields: {}, indexes: [{ fields: ["id"] }, { fields: ["id"] }] },
      "schema.indexes: two indexes are named 'a_id_idx'",
    ],
  ];
  for (const [name, input, message] of bad) {
    test(`${String(name).slice(0, 20)} ${JSON.stringify(input).slice(0, 60)} is refused`, () => {
      expect(mistake(() => readDefinition(String(name), input, base))).toStartWith(message);
    });
  }

  test("a name that PostgreSQL needs for something else is told before it clashes there", () => {
    expect(mistake(() => define({ fields: {} }, "categories_pkey"))).toBe(
      "categories: the name 'categories_pkey' of the primary key of 'categories' is taken by the collection 'categories_pkey'; rename one of them",
    );
  });

  test("names over 63 bytes are cut and stay different", () => {
    const long = "x".repeat(60);
    const made = define({
      fields: { [`${long}a`]: { type: "Text", unique: true }, [`${long}b`]: { type: "Text", unique: true } },
      indexes: [{ fields: [`${long}a`] }],
    });
    expect(made.indexes[0]?.name).toHaveLength(63);
  });
});

describe("relations", () => {
  const category = { relType: "BelongsTo", target: "categories" };

  test("BelongsTo makes its key column, of the type of the target's key", () => {
    const made = define({ name: "P", fields: { category } });
    expect(made.fields.get("category_Id")).toMatchObject({
      type: "String",
      length: 8,
      allowNull: true,
      managed: null,
    });
    expect(made.relations.get("category")).toEqual({
      name: "category",
      kind: "one",
      keyOn: "source",
      scope: null,
      constrained: true,
      source: "products",
      sourceColumn: "category_Id",
      target: "categories",
      targetColumn: "code",
      onDelete: "SET NULL",
      onUpdate: "NO ACTION",
    });
    expect(
      define({ fields: { category: { ...category, allowNull: false } } }).relations.get("category")?.onDelete,
    ).toBe("RESTRICT");
  });

  test("the key column may be declared, on its own or on the same entry", () => {
    const apart = define({
      fields: { cat: { type: "String" }, category: { ...category, foreignKey: "cat", onDelete: "cascade" } },
    });
    expect(apart.relations.get("category")).toMatchObject({ sourceColumn: "cat", onDelete: "CASCADE" });
    expect(apart.fields.has("category_Id")).toBe(false);
    const together = define({ fields: { cat: { type: "String", ...category, as: "category" } } });
    expect(together.relations.get("category")).toMatchObject({ sourceColumn: "cat" });
    expect([...together.fields.keys()]).toEqual(["id", "cat", "createdAt", "updatedAt"]);
    const generated = define({
      fields: { category, category_Id: { type: "UUID", SystemGenerated: true, allowNull: false } },
    });
    expect(generated.fields.get("category_Id")).toMatchObject({
      type: "String",
      length: 8,
      allowNull: false,
    });
  });

  test("HasMany follows the key of the other side; both may be of one definition", () => {
    const made = define({
      fields: {
        parent: { relType: "BelongsTo", target: "products" },
        children: { relType: "HasMany", target: "products", foreignKey: "parent_Id" },
      },
    });
    expect(made.relations.get("children")).toMatchObject({
      kind: "many",
      sourceColumn: "id",
      targetColumn: "parent_Id",
    });
  });

  test("HasOne follows a key that is unique", () => {
    const made = define({
      fields: {
        parent: { relType: "BelongsTo", target: "products", unique: true },
        child: { relType: "HasOne", target: "products", foreignKey: "parent_Id" },
      },
    });
    expect(made.relations.get("child")).toMatchObject({
      kind: "one",
      keyOn: "target",
      sourceColumn: "id",
      targetColumn: "parent_Id",
      constrained: false,
    });
  });

  test("one key may lead to several collections, each under a scope and without a foreign key", () => {
    const way = { relType: "BelongsTo", foreignKey: "item_id", constraints: false };
    const fields = {
      item_id: { type: "String" },
      collection: { type: "String" },
      first: { ...way, target: "categories", scope: { collection: "categories" } },
      second: { ...way, target: "categories", scope: { collection: "others" } },
    };
    const made = define({ fields });
    expect(made.relations.get("second")).toMatchObject({
      kind: "one",
      keyOn: "source",
      sourceColumn: "item_id",
      scope: { column: "collection", value: "others" },
      constrained: false,
    });
    const { scope: _, ...bare } = fields.first;
    const imported = define({
      isJunction: true,
      fields: { ...fields, first: bare, second: { ...bare, as: "b" } },
    });
    expect(imported.relations.get("first")?.scope).toEqual({ column: "collection", value: "categories" });
    expect(mistake(() => define({ fields: { ...fields, first: bare } }))).toContain(
      "'item_id' is the key of another relation already",
    );
  });

  const bad: readonly (readonly [fields: object, message: string])[] = [
    [
      {
        parent: { relType: "BelongsTo", target: "products" },
        child: { relType: "HasOne", target: "products", foreignKey: "parent_Id" },
      },
      `schema.fields.child.foreignKey: HasOne needs a key that is unique; add "unique": true to 'products.parent_Id'`,
    ],
    [
      { r: { relType: "HasMany", target: "categories", foreignKey: "x", through: "y" } },
      "schema.fields.r.through: belongs to no HasMany; the target is the junction itself",
    ],
    [
      { r: { relType: "BelongsTo", target: "categories", tables: ["categories"] } },
      "schema.fields.r.tables: belongs to HasMany, not to BelongsTo",
    ],
    [
      { r: { relType: "BelongsTo", target: "categories", scope: { kind: "x" } } },
      "schema.fields.r.scope.kind: 'products' has no field 'kind'",
    ],
    [
      { n: { type: "Integer" }, r: { relType: "BelongsTo", target: "categories", scope: { n: "1" } } },
      "schema.fields.r.scope.n: expected a field of text; it is Integer",
    ],
    [
      { r: { relType: "BelongsTo", target: "categories", scope: { a: "x", b: "y" } } },
      "schema.fields.r.scope: expected one column and its value",
    ],
    [
      { r: { relType: "BelongsTo", target: "categories", scope: { a: 5 } } },
      "schema.fields.r.scope.a: expected text of 1 to 255 characters, got 5",
    ],
    [
      {
        kind: { type: "String" },
        up: { relType: "BelongsTo", target: "products", foreignKey: "up_Id", scope: { kind: "a" } },
        down: { relType: "HasMany", target: "products", foreignKey: "up_Id" },
      },
      "schema.fields.down.scope: 'products.up_Id' leads to 'products' only where 'kind' is 'a'; got no scope",
    ],
    [
      { r: { relType: "BelongsTo" } },
      "schema.fields.r.target: a relation names the collection that it leads to",
    ],
    [
      { r: { relType: "BelongsTo", target: "categorys" } },
      "schema.fields.r.target: unknown collection 'categorys'; did you mean 'categories'?",
    ],
    [
      { r: { relType: "BelongsTo", target: "baasix_Sessions" } },
      "schema.fields.r.target: unknown collection 'baasix_Sessions'",
    ],
    [
      { r: { relType: "BelongTo", target: "categories" } },
      "schema.fields.r.relType: expected BelongsTo, HasMany, HasOne, got 'BelongTo'; did you mean 'BelongsTo'?",
    ],
    [
      { r: { relType: "BelongsToMany", target: "categories" } },
      "schema.fields.r.relType: a many-to-many relation leads to its junction: HasMany with the junction as target",
    ],
    [
      { r: { ...category, onDelete: "DESTROY" } },
      "schema.fields.r.onDelete: expected CASCADE, SET NULL, RESTRICT, NO ACTION, got 'DESTROY'",
    ],
    [
      { r: { ...category, onDelete: "SET NULL", allowNull: false } },
      "schema.fields.r.onDelete: SET NULL needs a key that may be null; allow null on 'r_Id'",
    ],
    [
      { r: { ...category, targetKey: "name" } },
      "schema.fields.r.targetKey: relations lead to primary keys; that of 'categories' is 'code'",
    ],
    [
      { r: { ...category, type: "String" } },
      "schema.fields.r.as: 'r' is the key column; give the relation a name of its own in 'as'",
    ],
    [
      { k: { type: "Integer" }, r: { ...category, foreignKey: "k" } },
      "schema.fields.k.type: it holds the key of 'categories', which is String; this field is Integer",
    ],
    [
      { r_Id: { type: "String" }, r: { ...category, as: "r_Id" } },
      "schema.fields.r: there is already a field 'r_Id'",
    ],
    [
      { a: { ...category, foreignKey: "k" }, b: { ...category, foreignKey: "k" } },
      "schema.fields.b.foreignKey: 'k' is the key of another relation already",
    ],
    [
      { k: category, b: { ...category, foreignKey: "k" } },
      "schema.fields.k: 'k' is also a key column; choose another name",
    ],
    [
      { r: { relType: "HasMany", target: "categories" } },
      "schema.fields.r.foreignKey: HasMany names the column of 'categories' that holds the key",
    ],
    [
      { r: { relType: "HasMany", target: "categories", foreignKey: "nam" } },
      "schema.fields.r.foreignKey: 'categories' has no field 'nam'; did you mean 'name'?; add it there first",
    ],
    [
      { r: { relType: "HasMany", target: "categories", foreignKey: "name" } },
      "schema.fields.r.foreignKey: 'categories.name' is String; the primary key of 'products' is UUID",
    ],
    [
      { r: { relType: "HasMany", target: "baasix_UserRole", foreignKey: "user_Id" } },
      "schema.fields.r.foreignKey: 'baasix_UserRole.user_Id' leads to 'baasix_User', not to 'products'",
    ],
  ];
  for (const [fields, message] of bad) {
    test(`${JSON.stringify(fields).slice(0, 90)} is refused`, () => {
      expect(mistake(() => define({ fields }))).toStartWith(message);
    });
  }
});

describe("what is stored and told", () => {
  const records: readonly SchemaRecord[] = [
    ...recordsOf(base),
    {
      collectionName: "products",
      schema: define({
        name: "P",
        usertrack: true,
        fields: { category: { relType: "BelongsTo", target: "categories", allowNull: false } },
      }).definition,
    },
  ];

  test("stored definitions build the same schema again", () => {
    const schema = buildSchema(3, records);
    expect(storedSchema(recordsOf(schema)).collections).toEqual(schema.collections);
    expect(buildSchema(3, JSON.parse(JSON.stringify(recordsOf(schema))))).toEqual(schema);
  });

  test("what is told may be sent back and means the same", () => {
    for (const collection of buildSchema(3, records).collections.values()) {
      if (collection.system) continue;
      const back = readDefinition(collection.name, describeCollection(collection), buildSchema(3, records));
      expect({ ...back, definition: null, fields: new Set(back.fields.values()) }).toEqual({
        ...collection,
        definition: null as never,
        fields: new Set(collection.fields.values()) as never,
      });
    }
  });
});
