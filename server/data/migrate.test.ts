/** Schema changes on a real database: what is told, what is refused, and that the tables become what the schema says. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ErrorCode, FieldDefinition, FieldType, SchemaDefinition } from "@baasix/types";
import { AppError } from "../core/errors";
import { fieldTypeNames } from "../core/schema/fields";
import { type Database, openDatabase } from "../platform/postgres";
import { testDatabase } from "../testing/postgres";
import { refuseNullsNotDistinct } from "./migrate";
import { openSnapshot, type SnapshotStore } from "./snapshot";

let database: Database;
let store: SnapshotStore;
let drop: () => Promise<void>;
let serial = 0;

beforeAll(async () => {
  const made = await testDatabase();
  drop = made.drop;
  database = await openDatabase(made.address, { shortPool: 2, slowPool: 2 });
  store = await openSnapshot(database);
});
afterAll(async () => {
  await database.close();
  await drop();
});

type Fields = { readonly [name: string]: FieldDefinition };
const fresh = (): string => `t${++serial}`;
const put = (name: string, schema: Partial<SchemaDefinition>, options = {}) =>
  store.changeSchema(
    () => ({
      put: [{ collectionName: name, schema: { name, timestamps: false, fields: {}, ...schema } }],
      remove: [],
    }),
    options,
  );
const sql = async (text: string): Promise<unknown> =>
  (await database.run({ text, params: [] }))[0]?.[0] ?? null;
const insert = (name: string, values: string) => sql(`insert into "${name}" ${values}`);

async function refusal(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("expected a refusal");
}

/** The table as PostgreSQL describes it: columns, constraints, indexes, identity, publication. */
async function shape(name: string): Promise<unknown> {
  const text = await sql(`select json_build_object(
    'columns', (select json_object_agg(attname, concat_ws(' ', format_type(atttypid, atttypmod),
        case when attnotnull then 'not null' end, case when attidentity = 'd' then 'identity' end,
        'default ' || pg_get_expr(adbin, adrelid)) order by attname)
      from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
      where attrelid = c.oid and attnum > 0 and not attisdropped),
    'constraints', (select json_object_agg(conname, pg_get_constraintdef(oid) order by conname)
      from pg_constraint where conrelid = c.oid and contype <> 'n'),
    'indexes', (select json_agg(indexname order by indexname) from pg_indexes where tablename = c.relname),
    'identity', c.relreplident,
    'published', exists (select 1 from pg_publication_tables where tablename = c.relname))::text
    from pg_class c where c.oid = to_regclass('public."${name}"')`);
  return text === null ? null : JSON.parse(String(text));
}

describe("a change gives the table that a new definition would give", () => {
  const key: Fields = { id: { type: "Integer", primaryKey: true } };
  const rows: readonly (readonly [
    what: string,
    from: Partial<SchemaDefinition>,
    to: Partial<SchemaDefinition>,
  ])[] = [
    [
      "field added",
      { fields: key },
      { fields: { ...key, a: { type: "String", values: { length: 9 }, unique: true, defaultValue: "x" } } },
    ],
    [
      "field dropped",
      { fields: { ...key, a: { type: "Enum", values: ["a"], unique: true } } },
      { fields: key },
    ],
    [
      "type widened",
      { fields: { ...key, a: { type: "Integer", defaultValue: 5 } } },
      { fields: { ...key, a: { type: "BigInt", defaultValue: 5 } } },
    ],
    [
      "type to text",
      { fields: { ...key, a: { type: "Decimal" } } },
      { fields: { ...key, a: { type: "Text" } } },
    ],
    [
      "type with another default",
      { fields: { ...key, a: { type: "Text", defaultValue: "abc" } } },
      { fields: { ...key, a: { type: "Integer", defaultValue: 1 } } },
    ],
    [
      "length and precision",
      {
        fields: {
          ...key,
          a: { type: "String", values: { length: 5 } },
          b: { type: "Decimal", values: { precision: 5, scale: 2 } },
        },
      },
      {
        fields: {
          ...key,
          a: { type: "String", values: { length: 50 } },
          b: { type: "Decimal", values: { precision: 9, scale: 4 } },
        },
      },
    ],
    [
      "scalar to array",
      { fields: { ...key, a: { type: "Integer" } } },
      { fields: { ...key, a: { type: "Array", values: { type: "Integer" } } } },
    ],
    [
      "to JSON",
      { fields: { ...key, a: { type: "Array_String" } } },
      { fields: { ...key, a: { type: "JSON" } } },
    ],
    [
      "required",
      { fields: { ...key, a: { type: "Text" } } },
      { fields: { ...key, a: { type: "Text", allowNull: false, defaultValue: "" } } },
    ],
    [
      "optional",
      { fields: { ...key, a: { type: "Text", allowNull: false, defaultValue: "" } } },
      { fields: { ...key, a: { type: "Text" } } },
    ],
    [
      "unique",
      { fields: { ...key, a: { type: "Text" } } },
      { fields: { ...key, a: { type: "Text", unique: true } } },
    ],
    [
      "not unique",
      { fields: { ...key, a: { type: "Text", unique: true } } },
      { fields: { ...key, a: { type: "Text" } } },
    ],
    [
      "enum values",
      { fields: { ...key, a: { type: "Enum", values: ["a"] } } },
      { fields: { ...key, a: { type: "Enum", values: ["a", "it's"] } } },
    ],
    [
      "text to enum",
      { fields: { ...key, a: { type: "String", values: { length: 3 } } } },
      { fields: { ...key, a: { type: "Enum", values: ["a"] } } },
    ],
    [
      "enum to text",
      { fields: { ...key, a: { type: "Enum", values: ["a"] } } },
      { fields: { ...key, a: { type: "Text" } } },
    ],
    [
      "enum array",
      { fields: { ...key, a: { type: "Array_String" } } },
      { fields: { ...key, a: { type: "Array", values: { type: "Enum", values: ["a"] } } } },
    ],
    [
      "counting starts",
      { fields: key },
      { fields: { id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } } },
    ],
    [
      "counting ends",
      { fields: { ...key, n: { type: "BigInt", defaultValue: { type: "AUTOINCREMENT" } } } },
      { fields: { ...key, n: { type: "Text" } } },
    ],
    [
      "primary key moves",
      { fields: { ...key, code: { type: "String" } } },
      { fields: { id: { type: "Integer" }, code: { type: "String", primaryKey: true } } },
    ],
    ["flags on", { fields: key }, { fields: key, timestamps: true, paranoid: true, usertrack: true }],
    ["flags off", { fields: key, timestamps: true, paranoid: true, usertrack: true }, { fields: key }],
    ["not live", { fields: key }, { fields: key, realtime: false }],
    ["live", { fields: key, realtime: false }, { fields: key }],
    ["not audited", { fields: key }, { fields: key, audit: false }],
    ["audited", { fields: key, audit: false }, { fields: key }],
    ["sorted", { fields: key }, { fields: key, sortEnabled: true }],
    ["not sorted", { fields: key, sortEnabled: true }, { fields: key }],
    [
      "a place for each",
      { fields: key, sortEnabled: true },
      { fields: { ...key, sort: { type: "Integer", allowNull: false } }, sortEnabled: true },
    ],
    [
      "set once",
      { fields: { ...key, a: { type: "Text" } } },
      { fields: { ...key, a: { type: "Text", immutable: true } } },
    ],
    [
      "indexes",
      { fields: { ...key, a: { type: "Text" } }, indexes: [{ fields: ["a"] }] },
      { fields: { ...key, a: { type: "Text" } }, indexes: [{ fields: ["a", "id"], unique: true }] },
    ],
    [
      "relation added",
      { fields: key },
      { fields: { ...key, owner: { relType: "BelongsTo", target: "baasix_User", onDelete: "CASCADE" } } },
    ],
    [
      "relation dropped",
      { fields: { ...key, owner: { relType: "BelongsTo", target: "baasix_User" } } },
      { fields: key },
    ],
    [
      "on delete",
      { fields: { ...key, owner: { relType: "BelongsTo", target: "baasix_User" } } },
      {
        fields: {
          ...key,
          owner: { relType: "BelongsTo", target: "baasix_User", onDelete: "RESTRICT", unique: true },
        },
      },
    ],
    [
      "range",
      { fields: { ...key, a: { type: "Range_Integer" } } },
      {
        fields: {
          ...key,
          a: { type: "Range_Decimal" },
          b: { type: "Range_Time" },
          c: { type: "Range_DateTime" },
        },
      },
    ],
    [
      "text in any case",
      { fields: { ...key, a: { type: "Text", unique: true } } },
      { fields: { ...key, a: { type: "CiText", unique: true } } },
    ],
    [
      "calculated added",
      { fields: { ...key, a: { type: "Integer" } } },
      {
        fields: {
          ...key,
          b: { type: "VIRTUAL", calculated: "upper(c)" },
          a: { type: "Integer" },
          c: { type: "Text" },
        },
      },
    ],
    [
      "calculated otherwise",
      {
        fields: { ...key, a: { type: "Integer" }, b: { type: "Integer", calculated: "a + 1" } },
        indexes: [{ fields: ["b"] }],
      },
      {
        fields: { ...key, a: { type: "Integer" }, b: { type: "BigInt", calculated: "a * 2" } },
        indexes: [{ fields: ["b"] }],
      },
    ],
    [
      "calculated otherwise, one index gone and one more",
      {
        fields: { ...key, a: { type: "Integer" }, b: { type: "Integer", calculated: "a + 1" } },
        indexes: [{ fields: ["b"] }],
      },
      {
        fields: { ...key, a: { type: "Integer" }, b: { type: "Integer", calculated: "a + 2" } },
        indexes: [{ fields: ["b", "a"] }],
      },
    ],
    [
      "a calculated field and its index gone",
      {
        fields: { ...key, a: { type: "Integer" }, b: { type: "Integer", calculated: "a + 1" } },
        indexes: [{ fields: ["b", "a"] }],
      },
      { fields: { ...key, a: { type: "Integer" } } },
    ],
    [
      "no longer calculated",
      { fields: { ...key, a: { type: "Integer" }, b: { type: "Integer", calculated: "a + 1" } } },
      { fields: { ...key, a: { type: "Integer" }, b: { type: "Integer" } } },
    ],
    [
      "told otherwise",
      { fields: { ...key, a: { type: "Text" } } },
      {
        fields: {
          ...key,
          a: { type: "Text", comment: "new", validate: { notEmpty: true }, immutable: true },
        },
        description: "x",
      },
    ],
    [
      "indexes of every kind",
      { fields: { ...key, a: { type: "JSON" }, b: { type: "Range_Date" }, c: { type: "Text" } } },
      {
        fields: { ...key, a: { type: "JSON" }, b: { type: "Range_Date" }, c: { type: "Text" } },
        indexes: [
          { fields: ["a"], type: "gin" },
          { fields: ["b"], type: "gist" },
          { fields: ["c"], type: "hash" },
          { fields: ["c", "id"], unique: true, nullsNotDistinct: true },
        ],
        searchable: ["c"],
      },
    ],
    ["numbered", { fields: key }, { fields: key, sortEnabled: true }],
    [
      "sql default",
      { fields: { ...key, a: { type: "DateTime" } } },
      {
        fields: {
          ...key,
          a: { type: "DateTime", defaultValue: { type: "SQL", value: "now() + interval '7 days'" } },
        },
      },
    ],
  ];
  for (const [what, from, to] of rows) {
    test(what, async () => {
      const [changed, made] = [fresh(), fresh()];
      await put(changed, from);
      await put(changed, to);
      await put(made, to);
      const text = (value: unknown): string => JSON.stringify(value).replaceAll(changed, made);
      expect(text(await shape(changed))).toBe(text(await shape(made)));
      expect(await shape(made)).not.toBeNull();
      if (!isReversible(from, to)) return;
      await put(changed, from, { force: true });
      const again = fresh();
      await put(again, from);
      expect(JSON.stringify(await shape(changed)).replaceAll(changed, again)).toBe(
        JSON.stringify(await shape(again)),
      );
    });
  }
});

describe("every type is added, changed and dropped", () => {
  const key: Fields = { id: { type: "Integer", primaryKey: true } };
  const defaults: { readonly [type: string]: unknown } = {
    UUID: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    SUID: "abc",
    Boolean: true,
    Date: "2026-11-20",
    DateTime: "2026-11-20T10:00:00Z",
    DateTime_NO_TZ: "2026-11-20T10:00:00",
    Time: "10:00:00",
    Time_NO_TZ: "10:00:00",
    JSON: { value: { a: 1 } },
    JSONB: { value: [1] },
    Enum: "b",
    Array: { value: ["x"] },
    Range: { value: { lower: 1, upper: 5 } },
  };
  const numeric = ["Integer", "BigInt", "Decimal", "Double", "Float", "Real"];
  const sizes: { readonly [type: string]: Partial<FieldDefinition> } = {
    Enum: { values: ["a", "b"] },
    Array: { values: { type: "String" } },
    Range: { values: { type: "Integer" } },
  };
  const spatial = /^(Point|LineString|Polygon|Multi|Geo)/;
  const types = fieldTypeNames.filter((one) => !spatial.test(one) && one !== "VIRTUAL");
  const plainly = (type: FieldType): FieldDefinition => ({ type, ...sizes[type] });

  test.each(types)("%s becomes every type to which there is a way", async (type) => {
    const name = fresh();
    const become = new Map<string, FieldDefinition>(types.map((one) => [`x${one}`, plainly(type)]));
    await put(name, { fields: { ...key, ...Object.fromEntries(become) } });
    for (const one of types) become.set(`x${one}`, plainly(one));
    const change = async (): Promise<void> => {
      const fields = { ...key, ...Object.fromEntries(become) };
      try {
        await put(name, { fields });
      } catch (error) {
        const lost = /\.(x\w+)\.type: .+ cannot become /.exec(String(error))?.[1];
        if (lost === undefined) throw error;
        become.set(lost, plainly(type));
        return change();
      }
      const made = fresh();
      await put(made, { fields });
      expect(JSON.stringify(await shape(name)).replaceAll(name, made)).toBe(
        JSON.stringify(await shape(made)),
      );
    };
    await change();
  });

  for (const type of types) {
    test(type, async () => {
      const name = fresh();
      const plain = plainly(type);
      const value = (defaults[type] ?? (numeric.includes(type) ? 5 : "x")) as FieldDefinition["defaultValue"];
      const isPlain = !["JSON", "JSONB"].includes(type);
      const steps: readonly Fields[] = [
        key,
        { ...key, x: plain },
        { ...key, x: { ...plain, defaultValue: value, comment: "told" } },
        { ...key, x: { ...plain, defaultValue: value, allowNull: false } },
        { ...key, x: { ...plain, defaultValue: value, allowNull: false, ...(isPlain && { unique: true }) } },
        { ...key, x: plain },
        key,
      ];
      for (const [i, fields] of steps.entries()) {
        await put(name, { fields });
        if (i < 4) continue;
        const made = fresh();
        await put(made, { fields });
        expect(JSON.stringify(await shape(name)).replaceAll(name, made)).toBe(
          JSON.stringify(await shape(made)),
        );
      }
    });
  }
});

describe("what a change is told to be", () => {
  const key: Fields = { id: { type: "Integer", primaryKey: true } };
  type Told = readonly string[];
  const x = (more: FieldDefinition): Fields => ({ ...key, x: more });
  const rows: readonly (readonly [
    from: Partial<SchemaDefinition>,
    to: Partial<SchemaDefinition>,
    told: Told,
  ])[] = [
    [{ fields: key }, { fields: key }, []],
    [{ fields: key }, { fields: x({ type: "Text" }) }, ["addField x"]],
    [{ fields: x({ type: "Text" }) }, { fields: key }, ["dropField x"]],
    [{ fields: x({ type: "Text" }) }, { fields: x({ type: "Integer" }) }, ["changeType x"]],
    [
      { fields: x({ type: "String", values: { length: 5 } }) },
      { fields: x({ type: "String", values: { length: 9 } }) },
      ["changeType x"],
    ],
    [{ fields: x({ type: "Text" }) }, { fields: x({ type: "Text", unique: true }) }, ["changeUnique x"]],
    [
      { fields: x({ type: "Text" }) },
      { fields: x({ type: "Text", allowNull: false, defaultValue: "a" }) },
      ["changeNull x", "changeDefault x"],
    ],
    [{ fields: x({ type: "Text" }) }, { fields: x({ type: "Text", comment: "a" }) }, ["changeField x"]],
    [
      { fields: x({ type: "Enum", values: ["a"] }) },
      { fields: x({ type: "Enum", values: ["b", "a"] }) },
      ["changeValues x"],
    ],
    [
      { fields: { ...key, x: { type: "VIRTUAL", calculated: "id::text" } } },
      { fields: { ...key, x: { type: "VIRTUAL", calculated: "(id + 1)::text" } } },
      ["changeGenerated x"],
    ],
    [
      { fields: key },
      { fields: { ...key, u: { relType: "BelongsTo", target: "baasix_User" } } },
      ["addField u_Id", "addRelation u", "addIndex "],
    ],
    [{ fields: key }, { fields: key, indexes: [{ fields: ["id"] }] }, ["addIndex "]],
    [{ fields: key }, { fields: key, realtime: false }, ["changeRealtime "]],
    [{ fields: key }, { fields: key, realtime: { replicaIdentityFull: false } }, ["changeIdentity "]],
    [{ fields: key }, { fields: key, realtime: { actions: ["insert"] } }, ["changeDefinition "]],
    [{ fields: key }, { fields: key, description: "a" }, ["changeDefinition "]],
    [{ fields: key }, { fields: key, paranoid: true }, ["addField deletedAt"]],
  ];
  for (const [from, to, told] of rows) {
    test(`${JSON.stringify(to)} is ${told.join(", ")}`, async () => {
      const name = fresh();
      await put(name, from);
      const dry = await put(name, to, { dryRun: true });
      const changes = await put(name, to);
      expect(changes).toEqual(dry);
      expect(changes.map(({ kind, field = "" }) => `${kind} ${field}`)).toEqual([...told]);
    });
  }
});

// An Array has no way back to a single value.
function isReversible(from: Partial<SchemaDefinition>, to: Partial<SchemaDefinition>): boolean {
  const isArray = ({ fields }: Partial<SchemaDefinition>) => fields?.a?.type?.startsWith("Array") === true;
  return isArray(from) === isArray(to);
}

test("the table of a definition has true types, defaults and constraints", async () => {
  const name = fresh();
  await put(name, {
    timestamps: true,
    fields: {
      id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
      a: { type: "String", values: { length: 20 }, unique: true, defaultValue: { type: "SUID" } },
      b: { type: "Decimal", values: { precision: 10, scale: 2 }, allowNull: false, defaultValue: "1.5" },
      c: { type: "Enum", values: ["x", "it's"], defaultValue: "it's" },
      d: { type: "Array", values: { type: "UUID" } },
      e: { type: "JSON", defaultValue: { value: { a: "'" } } },
      f: { type: "Float" },
      g: { type: "Time" },
      h: { type: "UUID", defaultValue: { type: "UUIDV4" } },
      i: { type: "Date", defaultValue: { type: "NOW" } },
      owner: { relType: "BelongsTo", target: "baasix_User" },
    },
  });
  expect(await shape(name)).toEqual({
    columns: {
      id: "integer not null identity",
      a: expect.stringMatching(/^character varying\(20\) default /),
      b: "numeric(10,2) not null default 1.5",
      c: "text default 'it''s'::text",
      d: "uuid[]",
      e: `jsonb default '{"a": "''"}'::jsonb`,
      f: "real",
      g: "time without time zone",
      h: "uuid default gen_random_uuid()",
      i: "date default ((now() AT TIME ZONE 'UTC'::text))::date",
      owner_Id: "uuid",
      createdAt: "timestamp with time zone not null default now()",
      updatedAt: "timestamp with time zone not null default now()",
    },
    constraints: {
      [`${name}_pkey`]: "PRIMARY KEY (id)",
      [`${name}_a_key`]: "UNIQUE (a)",
      [`${name}_c_values`]: "CHECK ((c = ANY (ARRAY['x'::text, 'it''s'::text])))",
      [`fk_${name}_owner_Id`]: `FOREIGN KEY ("owner_Id") REFERENCES "baasix_User"(id) ON DELETE SET NULL`,
    },
    indexes: [`${name}_a_key`, `${name}_owner_Id_idx`, `${name}_pkey`],
    identity: "f",
    published: true,
  });
});

describe("values survive a change of type, or it asks", () => {
  const rows: readonly (readonly [
    from: FieldDefinition,
    value: string,
    to: FieldDefinition,
    result: string | RegExp | null,
    forced?: string | null,
  ])[] = [
    [{ type: "Integer" }, "7", { type: "BigInt" }, "7"],
    [{ type: "Integer" }, "7", { type: "Text" }, "7"],
    [{ type: "Decimal" }, "12.50", { type: "Decimal", values: { precision: 6, scale: 2 } }, "12.50"],
    [
      { type: "Decimal" },
      "12.345",
      { type: "Decimal", values: { precision: 6, scale: 2 } },
      /loses .*Decimal\(6,2\)/,
      "12.35",
    ],
    [{ type: "Decimal" }, "12.00", { type: "Integer" }, "12"],
    [{ type: "Decimal" }, "12.5", { type: "Integer" }, /loses .*Integer does not hold/, "13"],
    [{ type: "BigInt" }, "9000000000", { type: "Integer" }, /some values cannot become Integer/],
    [{ type: "Double" }, "0.5", { type: "Real" }, "0.5"],
    [{ type: "Double" }, "0.1", { type: "Real" }, /loses/, "0.1"],
    [{ type: "Text" }, "'42'", { type: "Integer" }, "42"],
    [{ type: "Text" }, "'042'", { type: "Integer" }, /loses/, "42"],
    [{ type: "Text" }, "'abc'", { type: "Integer" }, /some values cannot become Integer/],
    [{ type: "Text" }, "'abcdef'", { type: "String", values: { length: 6 } }, "abcdef"],
    [{ type: "Text" }, "'abcdef'", { type: "String", values: { length: 3 } }, /loses .*String\(3\)/, "abc"],
    [{ type: "DateTime" }, "'2026-11-20T00:00:00Z'", { type: "Date" }, "2026-11-20"],
    [{ type: "DateTime" }, "'2026-11-20T23:30:00Z'", { type: "Date" }, /loses/, "2026-11-20"],
    [{ type: "Date" }, "'2026-11-20'", { type: "DateTime" }, "2026-11-20 00:00:00+00"],
    [
      { type: "DateTime" },
      "'2026-11-20T23:30:00.123456Z'",
      { type: "Text" },
      "2026-11-20T23:30:00.123456+00:00",
    ],
    [{ type: "Boolean" }, "true", { type: "Integer" }, "1"],
    [{ type: "Integer" }, "2", { type: "Boolean" }, /loses/, "true"],
    [
      { type: "UUID" },
      "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
      { type: "String" },
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ],
    [
      { type: "String" },
      "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
      { type: "UUID" },
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ],
    [{ type: "Text" }, `'say "hi"'`, { type: "JSON" }, `"say \\"hi\\""`],
    [{ type: "JSON" }, `'"plain"'`, { type: "Text" }, "plain"],
    [{ type: "JSON" }, `'{"a": 1}'`, { type: "Text" }, /loses/, '{"a": 1}'],
    [{ type: "Array_Integer" }, "'{1,2}'", { type: "JSON" }, "[1, 2]"],
    [{ type: "Array_Integer" }, "'{1,2}'", { type: "Array_String" }, "{1,2}"],
    [{ type: "Integer" }, "7", { type: "Array_Integer" }, "{7}"],
    [
      { type: "Enum", values: ["a", "b"] },
      "'b'",
      { type: "Enum", values: ["a"] },
      /the value 'b' of 'x': it would become null/,
      null,
    ],
    [{ type: "Enum", values: ["a", "b"] }, "'a'", { type: "Enum", values: ["a"] }, "a"],
    [{ type: "Text" }, "'c'", { type: "Enum", values: ["a"] }, /some items hold other values than 'a'/],
    [{ type: "Integer" }, "1", { type: "Enum", values: ["1", "2"] }, "1"],
    [{ type: "Integer" }, "3", { type: "Enum", values: ["1", "2"] }, /some items hold other values than '1'/],
    [{ type: "JSON" }, `'"a"'`, { type: "Enum", values: ["a"] }, "a"],
    [
      { type: "Range_Integer" },
      "'[1,5)'",
      { type: "JSON" },
      '{"lower": 1, "upper": 4, "lowerInclusive": true, "upperInclusive": true}',
    ],
    [{ type: "Range_Date" }, "null", { type: "JSON" }, null],
    [{ type: "Range_Integer" }, "'[1,5]'", { type: "Range_BigInt" }, "[1,6)"],
    [{ type: "Range_Double" }, "'[1.5,5]'", { type: "Range_Integer" }, /some values cannot become Range/],
    [{ type: "Range_Date" }, "'[2026-01-01,2026-02-01)'", { type: "Text" }, "[2026-01-01,2026-02-01)"],
    [{ type: "CiText" }, "'Ab'", { type: "Text" }, "Ab"],
    [
      { type: "Decimal", values: { precision: 9, scale: 3 } },
      "1.250",
      { type: "Decimal", values: { precision: 5, scale: 2 } },
      "1.25",
    ],
    [
      { type: "Array_String" },
      "'{a,c}'",
      { type: "Array", values: { type: "Enum", values: ["a"] } },
      /some items hold other values than 'a'/,
    ],
  ];
  for (const [from, value, to, result, forced] of rows) {
    test(`${from.type} ${value} → ${JSON.stringify(to)} is ${String(result)}`, async () => {
      const name = fresh();
      const id: FieldDefinition = { type: "Integer", primaryKey: true };
      await put(name, { fields: { id, x: from } });
      await insert(name, `values (1, ${value})`);
      const read = () => sql(`select x::text from "${name}"`);
      const before = await read();
      const change = put(name, { fields: { id, x: to } });
      if (typeof result === "string" || result === null) {
        await change;
        expect(await read()).toBe(result);
        return;
      }
      const refused = await refusal(change);
      expect(refused.message.replace("This would lose data (", "loses ")).toMatch(result);
      expect([before, await read()]).toEqual([expect.any(String), before]);
      const force = put(name, { fields: { id, x: to } }, { force: true });
      if (forced === undefined) expect((await refusal(force)).code).toBe("CONFLICT");
      else {
        await force;
        expect(await sql(`select x::text from "${name}"`)).toBe(forced);
      }
    });
  }

  test("an Array has no way to a single value", async () => {
    const name = fresh();
    await put(name, { fields: { x: { type: "Array_Integer" } } });
    const refused = await refusal(put(name, { fields: { x: { type: "Integer" } } }, { force: true }));
    expect([refused.code, refused.message]).toEqual([
      "INVALID_SCHEMA",
      `${name}.x.type: Array(Integer) cannot become Integer; add a field under another name and copy the values`,
    ]);
  });
});

describe("rows that stand in the way", () => {
  const rows: readonly (readonly [
    what: string,
    from: Fields,
    row: string,
    to: Fields,
    code: ErrorCode,
    message: string,
  ])[] = [
    [
      "a new required field",
      {},
      "(id) values (1)",
      { x: { type: "Text", allowNull: false } },
      "CONFLICT",
      "x: the items that exist would have no value; give it a defaultValue, or allow null",
    ],
    [
      "a required field with nulls",
      { x: { type: "Text" } },
      "(id) values (1)",
      { x: { type: "Text", allowNull: false } },
      "CONFLICT",
      "x: some items have no value",
    ],
    [
      "a required field with nulls and a default",
      { x: { type: "Text" } },
      "(id) values (1)",
      { x: { type: "Text", allowNull: false, defaultValue: "d" } },
      "DATA_LOSS",
      "x: which items have no 'x': they would get the default",
    ],
    [
      "values that are not unique",
      { x: { type: "Text" } },
      "(id, x) values (1, 'a'), (2, 'a')",
      { x: { type: "Text", unique: true } },
      "CONFLICT",
      "x: some values occur more than once; make them unique first",
    ],
    [
      "keys that lead nowhere",
      { x: { type: "UUID" } },
      "(id, x) values (1, gen_random_uuid())",
      { x: { type: "UUID", relType: "BelongsTo", as: "u", target: "baasix_User" } },
      "CONFLICT",
      "u: some items hold a key that does not exist",
    ],
    [
      "dropped values",
      { x: { type: "Text" } },
      "(id, x) values (1, 'a')",
      {},
      "DATA_LOSS",
      "x: the values of 'x'",
    ],
  ];
  for (const [what, from, row, to, code, message] of rows) {
    test(what, async () => {
      const name = fresh();
      const id: FieldDefinition = { type: "Integer", primaryKey: true };
      await put(name, { fields: { id, ...from } });
      const before = await shape(name);
      await insert(name, row);
      const refused = await refusal(put(name, { fields: { id, ...to } }));
      expect(refused.code).toBe(code);
      expect(refused.message).toContain(`${name}.${message}`);
      expect(await shape(name)).toEqual(before);
      const dry = await put(name, { fields: { id, ...to } }, { dryRun: true }).catch(
        (error: AppError) => error,
      );
      expect(JSON.stringify(dry)).not.toBe("[]");
    });
  }

  test("soft-deleted rows would reappear", async () => {
    const name = fresh();
    await put(name, { paranoid: true });
    await insert(name, `("deletedAt") values (now())`);
    const refused = await refusal(put(name, {}));
    expect(refused.message).toContain(`which items of '${name}' are deleted: they would reappear`);
  });
});

describe("defaults in the database", () => {
  test("a counter that starts late goes on after the highest value", async () => {
    const name = fresh();
    await put(name, { fields: { id: { type: "Integer", primaryKey: true } } });
    await insert(name, "values (41)");
    await put(name, {
      fields: { id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } },
    });
    expect(await sql(`insert into "${name}" default values returning id`)).toBe(42);
  });

  test("a sub-select is tried when it is defined", async () => {
    const name = fresh();
    const x = (value: string): Fields => ({ x: { type: "Integer", defaultValue: { type: "SQL", value } } });
    expect((await refusal(put(name, { fields: x(`(SELECT MAX(id) FROM ${name})`) }))).code).toBe(
      "INVALID_SCHEMA",
    );
    await put(name, { fields: x(`(SELECT MAX(x) + 1 FROM ${name})`) });
    expect(await shape(name)).toMatchObject({ columns: { x: "integer" } });
    const gone = await refusal(put(name, { fields: { ...x(`(SELECT MAX(y) FROM ${name})`) } }));
    expect(gone.message).toBe(`schema.fields.x.defaultValue: '${name}' has no field 'y'; did you mean 'x'?`);
  });

  test("a default of the wrong type is refused with PostgreSQL's reason", async () => {
    const refused = await refusal(
      put(fresh(), { fields: { x: { type: "Integer", defaultValue: { type: "SQL", value: "now()" } } } }),
    );
    expect(refused.code).toBe("INVALID_SCHEMA");
    expect(refused.message).toContain(
      'column "x" is of type integer but default expression is of type timestamp',
    );
  });
});

describe("primary keys that others hold", () => {
  test("keys of others follow the type", async () => {
    const [target, source] = [fresh(), fresh()];
    await put(target, { fields: { id: { type: "Integer", primaryKey: true } } });
    await put(source, { fields: { t: { relType: "BelongsTo", target } } });
    await insert(target, "values (5)");
    await insert(source, `("t_Id") values (5)`);
    await put(target, { fields: { id: { type: "BigInt", primaryKey: true } } });
    expect(await shape(source)).toMatchObject({
      columns: { t_Id: "bigint" },
      constraints: { [`fk_${source}_t_Id`]: expect.stringContaining(target) },
    });
    expect(await sql(`select "t_Id"::int from "${source}"`)).toBe(5);
  });

  test("and do not move to another field", async () => {
    const [target, source] = [fresh(), fresh()];
    await put(target, { fields: { id: { type: "Integer", primaryKey: true }, code: { type: "Integer" } } });
    await put(source, { fields: { t: { relType: "BelongsTo", target } } });
    const refused = await refusal(
      put(target, { fields: { id: { type: "Integer" }, code: { type: "Integer", primaryKey: true } } }),
    );
    expect(refused.message).toBe(
      `${target}.fields: the primary key cannot move while '${source}.t' lead to it; delete those relations first`,
    );
  });
});

test("a table that is there and is no collection is left alone", async () => {
  await sql(`create table foreign_table (a int)`);
  const refused = await refusal(put("foreign_table", {}));
  expect([refused.code, refused.message]).toEqual([
    "CONFLICT",
    "'foreign_table' exists in the database already and is not a collection; choose another name",
  ]);
});

test("only a server of version 15 or later takes nulls for equal", () => {
  expect(refuseNullsNotDistinct(150_000, "15.0")).toBeNull();
  expect(refuseNullsNotDistinct(140_012, "14.12")).toBe(
    "nullsNotDistinct needs PostgreSQL 15 or later; this is 14.12",
  );
});

test("a table in use is not waited for without end", async () => {
  const name = fresh();
  await put(name, {});
  const hasty = await openSnapshot(database, { tableTimeout: 50 });
  const more = () => ({
    put: [{ collectionName: name, schema: { name, fields: { x: { type: "Text" } } } }],
    remove: [],
  });
  await database.transaction(
    async (runner) => {
      await runner.run({ text: `lock table "${name}" in access share mode`, params: [] });
      const refused = await refusal(hasty.changeSchema(more));
      expect([refused.code, refused.message]).toEqual([
        "CONFLICT",
        `'${name}': in use by others for 0.05 s now; try again`,
      ]);
    },
    { pool: "slow" },
  );
  await hasty.changeSchema(more);
});
