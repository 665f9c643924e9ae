/**
 * Plans kept by shape: a query that meets the plans of others is answered by the very statement, or refused with the very
 * message, that it gets when it is planned by itself. `SEED=… bun test` repeats a run.
 */
import { describe, expect, test } from "bun:test";
import type { SchemaRecord } from "@baasix/types";
import * as fc from "fast-check";
import { type Actor, unproven } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { parseRules } from "../core/access/rules";
import { AppError } from "../core/errors";
import { parseAggregate } from "../core/query/aggregate";
import { authorizeAggregate, authorizeRead } from "../core/query/authorize";
import { compileCount, compileRead } from "../core/query/compile";
import { compileAggregate } from "../core/query/compileAggregate";
import { type OperandKind, operators, operatorTable, worksOn } from "../core/query/operators";
import { parseRead } from "../core/query/parse";
import { planRead } from "../core/query/plan";
import { planAggregate } from "../core/query/planAggregate";
import type { Statement } from "../core/query/statement";
import { bind } from "../core/query/variables";
import { buildSchema } from "../core/schema/define";
import { roles } from "../testing/blog";
import { seedOfRun } from "../testing/chance";
import { readGroups } from "./aggregate";
import { pageShape, planCounts, readItem, readPage, type ReadParts } from "./read";
import type { RawQuery } from "./door";
import type { Snapshot } from "./snapshot";
import { createTotals } from "./totals";

const seed = seedOfRun();

const definitions: readonly SchemaRecord[] = [
  {
    collectionName: "things",
    schema: {
      name: "Thing",
      timestamps: false,
      searchable: ["text", "filter"],
      fields: {
        id: { type: "Integer", primaryKey: true },
        text: { type: "String" },
        whole: { type: "Integer" },
        exact: { type: "Decimal", values: { precision: 10, scale: 2 } },
        flag: { type: "Boolean" },
        moment: { type: "DateTime" },
        key: { type: "UUID" },
        doc: { type: "JSONB" },
        tags: { type: "Array_String" },
        span: { type: "Range_Integer" },
        place: { type: "Point" },
        // Names that also mean something else.
        cast: { type: "String" },
        filter: { type: "String" },
        owner_Id: { type: "Integer" },
        owner: { relType: "BelongsTo", target: "owners", foreignKey: "owner_Id" },
      },
    },
  },
  {
    collectionName: "owners",
    schema: {
      name: "Owner",
      timestamps: false,
      fields: {
        id: { type: "Integer", primaryKey: true },
        name: { type: "String" },
        things: { relType: "HasMany", target: "things", foreignKey: "owner_Id" },
      },
    },
  },
];
const schema = buildSchema(1, definitions, undefined, new Set(["postgis", "pg_trgm"]));
const rules = parseRules(
  roles,
  [
    ["things", { OR: [{ flag: { eq: true } }, { text: "$CURRENT_USER" }] }],
    ["owners", null],
  ].map(([collection, conditions], i) => ({
    id: `p${i}`,
    role_Id: "role-user",
    collection: collection as string,
    action: "read" as const,
    fields: ["*", "owner.*", "things.*"],
    conditions: conditions as object | null,
    relConditions: null,
    defaultValues: null,
  })),
  schema,
);
const user: Actor = {
  kind: "user",
  id: "u1",
  role: "role-user",
  roles: ["role-user"],
  admin: false,
  ...unproven,
};
const now = Date.UTC(2026, 0, 1);

type Outcome = { readonly statement: Statement } | { readonly refused: string };

const again: ReadParts["again"] = (work) => work();

/** What a reader sends to PostgreSQL first, or how it refuses. */
async function outcome(read: (parts: ReadParts) => Promise<unknown>, snapshot: Snapshot): Promise<Outcome> {
  const sent: Statement[] = [];
  const run = (statement: Statement) => {
    sent.push(statement);
    return Promise.resolve([]);
  };
  const totals = createTotals({ schema: () => schema, live: () => false });
  const parts: ReadParts = {
    runner: { run },
    again,
    snapshot: () => snapshot,
    now: () => now,
    totals,
  };
  try {
    await read(parts);
  } catch (error) {
    if (!(error instanceof AppError) || sent.length === 0) return { refused: refusalOf(error) };
  }
  return sent[0] ? { statement: sent[0] } : { refused: "nothing was sent" };
}

function refusalOf(error: unknown): string {
  if (error instanceof AppError) return `${error.code} ${error.message}`;
  throw error;
}

function alone(make: () => Statement): Outcome {
  try {
    return { statement: make() };
  } catch (error) {
    return { refused: refusalOf(error) };
  }
}

const access = accessOf(rules, schema, user);

/** The ways to read: through what is kept, and planned for this one query. */
const ways: Readonly<
  Record<
    string,
    {
      readonly kept: (query: RawQuery) => (parts: ReadParts) => Promise<unknown>;
      readonly alone: (query: RawQuery) => Statement;
    }
  >
> = {
  list: {
    kept: (query) => (parts) => readPage(parts, user, "things", query),
    alone: (query) => {
      const plan = authorizeRead(planRead(schema, parseRead("things", query)), access);
      const shape = plan.count === "exact" ? "list" : pageShape(plan, null);
      const counted = shape === "list" ? compileCount(plan, 1) : null;
      return bind(compileRead(plan, shape, 1, counted, "array"), { actor: user, now });
    },
  },
  item: {
    kept: (query) => (parts) => readItem(parts, user, "things", 7, query),
    alone: (query) => {
      const plan = authorizeRead(planRead(schema, parseRead("things", query)), access);
      return bind(compileRead(plan, "one", 1), { actor: user, now, inputs: ["7"] });
    },
  },
  groups: {
    kept: (query) => (parts) => readGroups(parts, user, "things", query),
    alone: (query) => {
      const plan = authorizeAggregate(planAggregate(schema, parseAggregate("things", query)), access);
      return bind(compileAggregate(plan, 1), { actor: user, now });
    },
  },
};

// Values: right and wrong for their places.

const odd = fc.constantFrom<unknown>(
  "",
  " ",
  "%",
  "a%b",
  "\\",
  "null",
  "true",
  "[1,2]",
  '"',
  "?s",
  "a\nb",
  "=",
  "__proto__",
  "constructor",
  "nul\0",
  "\ud800",
  "$NOW",
  "$NOW-DAYS_3",
  "$CURRENT_USER",
  "$CURRENT_ROLE",
  "$CURRENT_USER.email",
  "$COL(text)",
  "$COL(whole)",
  "$NOPE",
  "$CURRENT_NOPE",
  "$5",
  1e30,
  -0,
  2 ** 53,
  0.1,
  null,
  true,
  false,
);
const small = fc.integer({ min: 0, max: 9 });
const spans = fc.record({ lower: small, upper: fc.integer({ min: 10, max: 19 }) });
const points = fc.record({ type: fc.constant("Point"), coordinates: fc.tuple(small, small) });
const good: { readonly [column: string]: fc.Arbitrary<unknown> } = {
  id: fc.integer({ min: 0, max: 99 }),
  text: fc.string({ maxLength: 4 }),
  whole: fc.oneof(fc.integer(), fc.integer().map(String)),
  exact: fc.oneof(fc.integer({ min: -99, max: 99 }), fc.constantFrom("1.50", "2")),
  flag: fc.constantFrom<unknown>(true, false, "true", "false"),
  moment: fc.constantFrom("2026-01-01T00:00:00Z", "2026-06-01T10:00:00+02:00"),
  key: fc.uuid(),
  doc: fc.jsonValue({ maxDepth: 2 }),
  tags: fc.oneof(fc.string({ maxLength: 3 }), fc.array(fc.string({ maxLength: 3 }), { maxLength: 3 })),
  name: fc.string({ maxLength: 3 }),
  span: fc.oneof(spans, fc.constantFrom("[1,2)", "empty", "(,5]")),
  place: points,
  cast: fc.string({ maxLength: 3 }),
  filter: fc.string({ maxLength: 3 }),
  owner_Id: fc.integer({ min: 0, max: 9 }),
  owner: fc.integer({ min: 0, max: 9 }),
};

const short = fc.string({ maxLength: 3 });
const jsonKey = fc.constantFrom("a", "b", "?s");
const jsonValue = fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), short);
const jsonOrder = fc.oneof(fc.integer(), fc.constantFrom("5", "x", "$CURRENT_USER"));
/** Operands that fit, by their kind; the others are values of the column. */
const operandsOf: {
  readonly [kind in OperandKind]?: (right: fc.Arbitrary<unknown>) => fc.Arbitrary<unknown>;
} = {
  nullable: (right) => fc.option(right, { freq: 8 }),
  list: (right) => fc.array(right, { maxLength: 3 }),
  items: (right) => fc.oneof(fc.array(right, { maxLength: 3 }), right),
  pair: (right) => fc.tuple(right, right),
  flag: () => fc.constantFrom<unknown>(true, false, "true", "false"),
  truth: () => fc.constantFrom<unknown>(true, false, null, "true", "null"),
  text: () => fc.oneof(short, fc.constantFrom("%", "a%", "$CURRENT_USER", "$CURRENT_USER.email")),
  contents: () => short,
  json: () =>
    fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.record({ a: short, who: fc.constant("$CURRENT_USER") })),
  jsonKey: () => jsonKey,
  jsonKeys: () => fc.oneof(jsonKey, fc.array(jsonKey, { maxLength: 3 })),
  jsonKeyValue: () => fc.record({ key: jsonKey, value: jsonValue }),
  jsonKeyOrder: () => fc.record({ key: jsonKey, value: jsonOrder }),
  jsonKeyValues: () => fc.record({ key: jsonKey, values: fc.array(jsonValue, { maxLength: 3 }) }),
  jsonKeyPattern: () => fc.record({ key: jsonKey, pattern: short }),
  jsonPath: () =>
    fc.oneof(
      fc.constantFrom("$.a", "$.b"),
      fc.record({ path: fc.constant("$.a ? (@ > $x)"), vars: fc.record({ x: fc.integer() }) }),
    ),
  jsonLength: () => fc.record({ op: fc.constantFrom("eq", "gt"), value: fc.nat({ max: 9 }) }),
  jsonType: () =>
    fc.constantFrom<unknown>("array", "object", { type: "string" }, { type: "null", path: "a" }),
  jsonDeep: () =>
    fc.record({
      path: fc.array(jsonKey, { minLength: 1, maxLength: 2 }),
      value: jsonOrder,
      op: fc.constantFrom("eq", "ne", "gt", "like"),
    }),
  range: () => fc.oneof(spans, fc.constantFrom("[1,2)", "empty", "(,5]")),
  rangeOrValue: () => fc.oneof(spans, fc.constantFrom<unknown>("[1,2)", "empty", 5, "5")),
  distance: () => fc.record({ geometry: points, distance: fc.nat(), not: fc.boolean() }),
};

function conditionOn(column: string): fc.Arbitrary<unknown> {
  const right = (Object.hasOwn(good, column) && good[column]) || odd;
  const key = column === "owner" ? "owner_Id" : column;
  const field = ["things", "owners"].flatMap(
    (name) => schema.collections.get(name)?.fields.get(key) ?? [],
  )[0];
  const one = fc
    .constantFrom(...operatorTable.filter((entry) => !field || worksOn(entry, field)))
    .chain(({ name, aliases, operand: { kind } }) =>
      fc.tuple(fc.constantFrom(name, ...aliases), operandsOf[kind]?.(right) ?? right),
    )
    .map(([name, operand]) => ({ [name]: operand }));
  const wrong = fc
    .tuple(fc.constantFrom(...operators.keys()), odd)
    .map(([name, operand]) => ({ [name]: operand }));
  const cast = fc.constantFrom("text", "text", "integer", "nope");
  return fc.oneof(
    { weight: 8, arbitrary: right },
    { weight: 20, arbitrary: one },
    { weight: 5, arbitrary: fc.tuple(one, one).map(([a, b]) => ({ ...a, ...b })) },
    { weight: 2, arbitrary: fc.tuple(one, cast).map(([a, type]) => ({ cast: type, ...a })) },
    { weight: 1, arbitrary: wrong },
    { weight: 1, arbitrary: odd },
  );
}

const paths = [...Object.keys(good).filter((name) => name !== "name"), "owner.name", "$owner.things.text$"];
const leaf = fc
  .oneof(
    { weight: 30, arbitrary: fc.constantFrom(...paths) },
    { weight: 1, arbitrary: fc.constantFrom("nope", "__proto__") },
  )
  .chain((name) => conditionOn(name.replaceAll("$", "").split(".").at(-1) ?? "").map((on) => own(name, on)));

/** An object with one key of its own, whatever its name. */
function own(name: string, value: unknown): object {
  return JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value) ?? "null"}}`) as object;
}

const filter: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 5, arbitrary: leaf },
    { weight: 2, arbitrary: fc.array(tie("filter"), { maxLength: 2 }).map((AND) => ({ AND })) },
    { weight: 2, arbitrary: fc.array(tie("filter"), { maxLength: 2 }).map((OR) => ({ OR })) },
    { weight: 2, arbitrary: tie("filter").map((NOT) => ({ NOT })) },
    { weight: 1, arbitrary: tie("filter").map((things) => ({ owner: { things } })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<unknown>({ AND: 5 }, { OR: ["a"] }, { NOT: "x" }, { owner: ["a"] }, {}),
    },
  ),
})).filter;

/** As text or as it is. */
const sent = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.tuple(value, fc.boolean()).map(([it, asText]) => (asText ? JSON.stringify(it) : it));

const named = conditionOn("name");
/** What is shown of each item, and of the rows that belong to it. */
const shown: fc.Arbitrary<object> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom({}, { fields: "id,text" }, { fields: '["id","owner.name"]' }) },
  {
    weight: 2,
    arbitrary: sent(named.map((name) => ({ owner: { name }, AND: [{ "owner.name": "x" }] }))).map(
      (relConditions) => ({ fields: ["id", "owner.*"], relConditions }),
    ),
  },
  {
    weight: 2,
    arbitrary: sent(
      fc
        .record({ fields: fc.constant(["id"]), filter: sent(leaf), limit: fc.nat({ max: 3 }) })
        .map((things) => ["id", { "owner.things": things }]),
    ).map((fields) => ({ fields })),
  },
  {
    weight: 2,
    arbitrary: sent(named.map((name) => ["id", { owner: { filter: { name } } }])).map((fields) => ({
      fields,
    })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<object>(
      { fields: [{ filter: ["id"] }] },
      { fields: '[{"owner":["filter"]}]' },
      { fields: '[{"owner":{"filter":5}}]' },
      { fields: "[{" },
    ),
  },
);
const search = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom("two words", "  ", "ÅNGSTRÖM", 5, ""));
const cursorOf = (...pair: readonly unknown[]) => Buffer.from(JSON.stringify(pair)).toString("base64url");
const walks: fc.Arbitrary<object> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom({}, { sort: "text" }, { sort: '{"moment":"desc"}', limit: 7 }) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.option(fc.integer({ max: 999 })), fc.integer({ max: 999 }))
      .map((keys) => ({ sort: "-whole", cursor: cursorOf("-whole,id", keys) })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("-whole,id", "text,id", "id"), fc.array(odd, { maxLength: 3 }))
      .map(([order, keys]) => ({ cursor: cursorOf(order, keys) })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ cursor: "" }, { cursor: "nonsense" }, { cursor: "x".repeat(5000) }),
  },
);
const searches: fc.Arbitrary<object> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: search.map((words) => ({ search: words })) },
  { weight: 1, arbitrary: search.map((words) => ({ search: words, searchMode: "fuzzy" })) },
);
const filtered: fc.Arbitrary<object> = fc.oneof(
  { weight: 14, arbitrary: sent(filter).map((it) => ({ filter: it })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>("null", "[]", '"a"', "{", "", null, 7).map((it) => ({ filter: it })),
  },
);

const merged = (...parts: readonly fc.Arbitrary<object>[]): fc.Arbitrary<RawQuery> =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all) as RawQuery);
const reading = merged(filtered, shown, searches, walks, fc.constantFrom({}, { count: "none" }));
const grouping = merged(
  fc.constant({
    aggregate: { n: { function: "count", field: "*" }, most: { function: "max", field: "whole" } },
    groupBy: "flag",
  }),
  fc.oneof(fc.constant({}), filtered),
  fc.oneof(
    fc.constant({}),
    fc
      .tuple(fc.constantFrom("n", "most", "most", "nope"), conditionOn("whole"))
      .map(([name, on]) => ({ having: own(name, on) })),
  ),
  searches,
);

/** Other values for those of a query, by their type; `any`: whatever the type. */
type Others = {
  readonly numbers: readonly number[];
  readonly texts: readonly string[];
  readonly any: unknown;
};

const others: fc.Arbitrary<Others> = fc.record({
  numbers: fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 4 }),
  texts: fc.array(fc.oneof(short, fc.constantFrom("%", "[3,4)", "6", "2")), { minLength: 1, maxLength: 4 }),
  any: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: odd }),
});

/** The query with some of its values replaced. */
function revalued(query: RawQuery, { numbers, texts, any }: Others): RawQuery {
  let next = 0;
  const change = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(change);
    if (typeof value === "object" && value !== null) {
      return Object.entries(value).reduce<object>(
        (object, [name, member]) => ({ ...object, ...own(name, change(member)) }),
        {},
      );
    }
    next++;
    if (any !== undefined && next === 1) return any;
    if (typeof value === "number") return numbers[next % numbers.length];
    if (typeof value === "boolean") return next % 2 === 0;
    return typeof value !== "string" || value.startsWith("$") || next % 3 === 0
      ? value
      : texts[next % texts.length];
  };
  const inText = (value: unknown): unknown => {
    if (typeof value !== "string") return change(value);
    try {
      return JSON.stringify(change(JSON.parse(value)));
    } catch {
      return value;
    }
  };
  const changed: Record<string, unknown> = { ...query };
  for (const name of ["filter", "relConditions", "having"]) {
    if (Object.hasOwn(changed, name)) changed[name] = inText(changed[name]);
  }
  if (typeof changed.search === "string") changed.search = "other words";
  if (typeof changed.cursor === "string") changed.cursor = cursorOf("-whole,id", [numbers[0] ?? 1, 5]);
  return changed;
}

describe(`seed ${seed}`, () => {
  test.each([
    ["list", reading],
    ["item", reading],
    ["groups", grouping],
  ] as const)(
    "a %s behind others of its shape is what it is alone",
    async (name, queries) => {
      const way = ways[name];
      if (!way) throw new Error(name);
      const snapshot: Snapshot = { schema, rules, version: 1 };
      await fc.assert(
        fc.asyncProperty(queries, fc.array(others, { minLength: 1, maxLength: 3 }), async (query, values) => {
          const wanted = alone(() => way.alone(query));
          for (const other of values) await outcome(way.kept(revalued(query, other)), snapshot);
          expect(await outcome(way.kept(query), snapshot)).toEqual(wanted);
          expect(await outcome(way.kept(query), snapshot)).toEqual(wanted);
          expect(await outcome(way.kept(query), { ...snapshot })).toEqual(wanted);
        }),
        { seed, numRuns: 500 },
      );
    },
    30_000,
  );
});

describe("one plan serves", () => {
  const table: readonly (readonly [string, RawQuery, RawQuery, boolean])[] = [
    ["values", { filter: { whole: 1 } }, { filter: { whole: 2 } }, true],
    ["values in JSON text", { filter: '{"whole":{"gt":1}}' }, { filter: '{ "whole": {"gt": 22} }' }, true],
    [
      "lists of any length",
      { filter: { whole: { in: [1] } } },
      { filter: { whole: { in: [2, 3, 4] } } },
      true,
    ],
    [
      "patterns with % and without",
      { filter: { text: { like: "a" } } },
      { filter: { text: { like: "%b" } } },
      true,
    ],
    ["pairs", { filter: { whole: { between: [1, 2] } } }, { filter: { whole: { between: [3, 4] } } }, true],
    [
      "documents",
      { filter: { doc: { jsonbContains: { a: 1 } } } },
      { filter: { doc: { jsonbContains: { a: 2 } } } },
      true,
    ],
    ["searches of as many words", { search: "a b" }, { search: "c d" }, true],
    ["cursors", { cursor: cursorOf("id", [1]) }, { cursor: cursorOf("id", [2]) }, true],
    [
      "filters inside fields",
      { fields: [{ owner: { filter: { name: "a" } } }] },
      { fields: [{ owner: { filter: { name: "b" } } }] },
      true,
    ],
    [
      "relConditions",
      { fields: "owner.*", relConditions: { owner: { name: "a" } } },
      { fields: "owner.*", relConditions: { owner: { name: "b" } } },
      true,
    ],
    ["other callers' tokens", { access_token: "a" } as RawQuery, { access_token: "b" } as RawQuery, true],
    [
      "no empty list and a full one",
      { filter: { whole: { in: [] } } },
      { filter: { whole: { in: [1] } } },
      false,
    ],
    [
      "no two tests for null",
      { filter: { whole: { isNull: true } } },
      { filter: { whole: { isNull: false } } },
      false,
    ],
    ["no value and a variable", { filter: { text: "a" } }, { filter: { text: "$CURRENT_USER" } }, false],
    [
      "values of a cast column",
      { filter: { text: { cast: "integer", eq: "1" } } },
      { filter: { text: { cast: "integer", eq: "2" } } },
      true,
    ],
    [
      "no true and false of is",
      { filter: { flag: { is: true } } },
      { filter: { flag: { is: false } } },
      false,
    ],
    [
      "no value in a range and a range",
      { filter: { span: { rangeContains: "5" } } },
      { filter: { span: { rangeContains: "[1,2)" } } },
      false,
    ],
    [
      "no two comparisons inside a document",
      { filter: { doc: { jsonbDeepValue: { path: ["a"], value: 1, op: "gt" } } } },
      { filter: { doc: { jsonbDeepValue: { path: ["a"], value: 1, op: "eq" } } } },
      false,
    ],
    [
      "no key of a walk that is null",
      { sort: "-whole", cursor: cursorOf("-whole,id", [1, 1]) },
      { sort: "-whole", cursor: cursorOf("-whole,id", [null, 1]) },
      false,
    ],
    ["no two numbers of words", { search: "a" }, { search: "a b" }, false],
    ["no value and null", { filter: { text: "a" } }, { filter: { text: null } }, false],
    [
      "no two casts",
      { filter: { text: { cast: "text", eq: "1" } } },
      { filter: { text: { cast: "integer", eq: "1" } } },
      false,
    ],
    ["no two columns", { filter: { text: "1" } }, { filter: { whole: "1" } }, false],
    ["no two pages", { offset: 1 }, { offset: 2 }, false],
    [
      "no two names and one that looks like them",
      { filter: { doc: { jsonbContains: { a: 1, b: 2 } } } },
      { filter: { doc: { jsonbContains: { "a:?n,b": 2 } } } },
      false,
    ],
    [
      "no two names and one that is quoted like them",
      { filter: { doc: { jsonbContains: { a: 1, b: 2 } } } },
      { filter: { doc: { jsonbContains: { 'a":?n,"b': 2 } } } },
      false,
    ],
    ["no value and the mark of one", { filter: { text: "a" } }, { filter: { text: { eq: "?s" } } }, false],
    ["no null as text and no filter", { filter: null }, { filter: "null" }, false],
  ];
  test.each(table)("%s", async (_, first, second, shared) => {
    const snapshot: Snapshot = { schema, rules, version: 1 };
    await outcome(ways.list?.kept(first) ?? fail, snapshot);
    const before = planCounts(snapshot);
    const met = await outcome(ways.list?.kept(second) ?? fail, snapshot);
    expect(met).toEqual(alone(() => ways.list?.alone(second) ?? { text: "", params: [] }));
    expect(planCounts(snapshot).hits - before.hits).toBe(shared ? 1 : 0);
  });

  test("nobody with another role, whatever the role's id says", async () => {
    const snapshot: Snapshot = { schema, rules, version: 1 };
    const query = { filter: { whole: 1 } };
    const other: Actor = { ...user, id: "u2", role: "role-public", roles: ["role-public"] };
    await outcome((parts) => readPage(parts, user, "things", query), snapshot);
    const refused = await outcome((parts) => readPage(parts, other, "things", query), snapshot);
    expect(refused).toEqual({ refused: expect.stringContaining("FORBIDDEN") });
    const forged: Actor = { ...user, role: 'role-user "things"', roles: ['role-user "things"'] };
    expect(await outcome((parts) => readPage(parts, forged, "things", query), snapshot)).toEqual(refused);
    expect(planCounts(snapshot).hits).toBe(0);
  });
});

test("endless shapes and endless values leave a bounded memory", async () => {
  const snapshot: Snapshot = { schema, rules, version: 1 };
  const read = (query: RawQuery) => outcome((parts) => readPage(parts, user, "things", query), snapshot);
  for (let n = 0; n < 4500; n++) await read({ offset: n });
  for (let n = 0; n < 200; n++) await read({ filter: { text: { in: ["$CURRENT_USER", `value ${n}`] } } });
  const { hits } = planCounts(snapshot);
  // Long gone, and the latest still there.
  await read({ offset: 0 });
  expect(planCounts(snapshot).hits).toBe(hits);
  await read({ offset: 4499 });
  await read({ filter: { text: { in: ["$CURRENT_USER", "value 199"] } } });
  expect(planCounts(snapshot).hits).toBe(hits + 2);
  await read({ filter: JSON.parse(`{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`) as object });
  expect(planCounts(snapshot).hits).toBe(hits + 2);
}, 30_000);

function fail(): Promise<never> {
  throw new Error("no such way");
}
