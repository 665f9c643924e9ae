/**
 * Filters, sorts and pages made at random, answered by PostgreSQL and by a plain evaluation in JavaScript: the same rows
 * in the same order, and the same total. `SEED=… bun test` repeats a run.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { FieldDefinition } from "@baasix/types";
import * as fc from "fast-check";
import { system } from "../../core/access/actor";
import { testApp, type TestApp } from "../../testing/app";
import { seedOfRun } from "../../testing/chance";

const actor = system("tests of filters");
const seed = seedOfRun();

type Value = null | number | string | boolean | readonly string[];
type Row = { readonly [column: string]: Value };
type Truth = true | false | null;

// The world: people in teams, with bosses who are people.

const columns = {
  people: {
    id: "number",
    name: "text",
    age: "number",
    score: "number",
    active: "flag",
    born: "date",
    tags: "list",
  },
  teams: { id: "number", title: "text", size: "number", founded: "date" },
} as const;
type Table = keyof typeof columns;
type Kind = "number" | "text" | "flag" | "date" | "list";

type Link = { readonly to: Table; readonly many: boolean; readonly from: string; readonly by: string };
const links: { readonly [table in Table]: { readonly [name: string]: Link } } = {
  people: {
    boss: { to: "people", many: false, from: "boss_Id", by: "id" },
    team: { to: "teams", many: false, from: "team_Id", by: "id" },
    reports: { to: "people", many: true, from: "id", by: "boss_Id" },
  },
  teams: { members: { to: "people", many: true, from: "id", by: "team_Id" } },
};

const types: { readonly [kind in Kind]: FieldDefinition } = {
  number: { type: "Integer" },
  text: { type: "String" },
  flag: { type: "Boolean" },
  date: { type: "Date" },
  list: { type: "Array_String" },
};

// Small letters alone: their order is the same in every collation.
const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 3 });
const valueOf: { readonly [kind in Kind]: fc.Arbitrary<Exclude<Value, null>> } = {
  number: fc.integer({ min: -2, max: 6 }),
  text: word,
  flag: fc.boolean(),
  date: fc.constantFrom("2025-12-31", "2026-01-01", "2026-06-01"),
  list: fc.uniqueArray(fc.constantFrom("a", "b", "c"), { maxLength: 3 }),
};

const rowOf = (table: Table, keys: Record<string, fc.Arbitrary<Value>>): fc.Arbitrary<Row> =>
  fc.record({
    ...Object.fromEntries(
      Object.entries(columns[table])
        .filter(([name]) => name !== "id")
        .map(([name, kind]) => [name, fc.option<Value>(valueOf[kind], { freq: 4 })]),
    ),
    ...keys,
  });

const sizes = { people: 40, teams: 6 } as const;
const key = (most: number) => fc.option(fc.integer({ min: 1, max: most }), { freq: 3 });
const numbered = (rows: readonly Row[]): readonly Row[] => rows.map((row, i) => ({ ...row, id: i + 1 }));
const world: { readonly [table in Table]: readonly Row[] } = {
  people: numbered(
    fc.sample(rowOf("people", { boss_Id: key(sizes.people), team_Id: key(sizes.teams) }), {
      seed,
      numRuns: sizes.people,
    }),
  ),
  teams: numbered(fc.sample(rowOf("teams", {}), { seed, numRuns: sizes.teams })),
};

// Filters.

type Filter = { readonly [key: string]: unknown };

const pattern = fc.string({ unit: fc.constantFrom("a", "b", "B", "%", "_"), maxLength: 3 });

function conditionOf(kind: Kind, others: readonly string[]): fc.Arbitrary<unknown> {
  const value: fc.Arbitrary<unknown> = valueOf[kind];
  const pick = (names: readonly string[], operand: fc.Arbitrary<unknown>): fc.Arbitrary<Filter> =>
    fc.tuple(fc.constantFrom(...names), operand).map(([name, of]) => ({ [name]: of }));
  const nulls = fc.constantFrom<unknown>(
    null,
    { eq: null },
    { ne: null },
    { isNull: true },
    { isNotNull: true },
  );
  const equal = pick(["eq", "ne", "neq", "not"], value);
  const list = pick(["in", "notIn", "nin"], fc.array(value, { maxLength: 3 }));
  const order = pick(["gt", "gte", "lt", "lte"], value);
  const pair = pick(["between", "notBetween"], fc.tuple(value, value));
  const column = others.map((name) =>
    pick(["eq", "ne", "gt", "gte", "lt", "lte"], fc.constant(`$COL(${name})`)),
  );
  switch (kind) {
    case "flag":
      return fc.oneof(value, equal, list, nulls, pick(["is"], fc.constantFrom(true, false, null)));
    case "list":
      return fc.oneof(nulls, pick(["eq", "ne", "arraycontains", "arraycontained", "arrayoverlaps"], value));
    case "text": {
      const names = [
        "like",
        "notLike",
        "ilike",
        "notILike",
        "contains",
        "startsWith",
        "nstartsWith",
        "endsWith",
        "nendsWith",
        "startsWiths",
        "endsWiths",
        "nstartsWiths",
        "nendsWiths",
      ];
      return fc.oneof(value, equal, list, order, pair, nulls, pick(names, pattern), ...column);
    }
    default: {
      const both = fc.tuple(value, value).map(([low, high]) => ({ gte: low, lt: high }));
      return fc.oneof(value, equal, list, order, pair, both, nulls, ...column);
    }
  }
}

/** Paths to columns through at most `depth` relations. */
function pathsOf(
  table: Table,
  depth: number,
): readonly { readonly path: readonly string[]; readonly kind: Kind }[] {
  const own = Object.entries(columns[table]).map(([name, kind]) => ({ path: [name], kind: kind as Kind }));
  if (depth === 0) return own;
  return [
    ...own,
    ...Object.entries(links[table]).flatMap(([name, { to }]) =>
      pathsOf(to, depth - 1).map(({ path, kind }) => ({ path: [name, ...path], kind })),
    ),
  ];
}

/** Columns that `$COL` may name beside this one: of the row that the filter is about, and behind its to-one relations. */
const references: { readonly [kind in Kind]: readonly string[] } = {
  number: ["age", "people.score", "team.size", "boss.age", "boss.team.size"],
  text: ["name", "team.title", "boss.name"],
  date: ["born", "team.founded", "boss.team.founded"],
  flag: [],
  list: [],
};

function leafOf(table: Table): fc.Arbitrary<Filter> {
  const paths = pathsOf(table, 3);
  return fc
    .constantFrom(...paths.filter(({ path }) => path.length === 1), ...paths)
    .chain(({ path, kind }) =>
      conditionOf(kind, references[kind]).map((condition) => ({ [path.join(".")]: condition })),
    );
}

const filters: fc.Arbitrary<Filter> = fc.letrec<{ people: Filter; teams: Filter }>((tie) => {
  const of = (table: Table): fc.Arbitrary<Filter> => {
    const leaf = leafOf(table);
    const inside = Object.entries(links[table]).map(([name, { to }]) =>
      tie(to).map((inner) => ({ [name]: spelled(inner) })),
    );
    return fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.array(leaf, { minLength: 2, maxLength: 3 }).map((parts) => Object.assign({}, ...parts) as Filter),
      fc.array(tie(table), { maxLength: 3 }).map((AND) => ({ AND })),
      fc.array(tie(table), { maxLength: 3 }).map((OR) => ({ OR })),
      tie(table).map((NOT) => ({ NOT })),
      fc.tuple(leaf, tie(table), tie(table)).map(([own, NOT, one]) => ({ ...own, NOT, OR: [one, own] })),
      ...inside,
      fc.tuple(fc.oneof(...inside), leaf).map(([one, other]) => ({ ...one, ...other })),
    );
  };
  return { people: of("people"), teams: of("teams") };
}).people;

/** Inside an object for a relation a bare value could be read as an operator's; spelled out it cannot. */
function spelled(filter: Filter): Filter {
  return Object.fromEntries(
    Object.entries(filter).map(([name, value]) => {
      const bare = typeof value !== "object" || value === null || Array.isArray(value);
      return [name, bare && !/^(AND|OR|NOT)$/.test(name) ? { eq: value } : value];
    }),
  );
}

// What a filter means, in JavaScript.

type Chain = readonly { readonly table: Table; readonly row: Row | null; readonly name: string }[];

function evaluate(filter: Filter, chain: Chain): Truth {
  return evaluateAll([filter], chain);
}

/** Filters that hold together; what they say of one relation speaks of one row. */
function evaluateAll(together: readonly Filter[], chain: Chain): Truth {
  const truths: Truth[] = [];
  const related = new Map<string, Filter[]>();
  for (const [name, value] of together.flatMap((one) => Object.entries(one))) {
    if (name === "AND") truths.push(all((value as Filter[]).map((one) => evaluate(one, chain))));
    else if (name === "OR")
      truths.push(not(all((value as Filter[]).map((one) => not(evaluate(one, chain))))));
    else if (name === "NOT") truths.push(not(evaluate(value as Filter, chain)));
    else {
      const [first = "", ...rest] = name.split(".");
      const table = chain.at(-1)?.table ?? "people";
      if (links[table][first]) {
        const inner = rest.length > 0 ? { [rest.join(".")]: value } : (value as Filter);
        related.set(first, [...(related.get(first) ?? []), inner]);
      } else truths.push(compare(chain.at(-1)?.row?.[first] ?? null, value, chain));
    }
  }
  for (const [name, inner] of related) truths.push(follow(name, inner, chain));
  return all(truths);
}

function follow(name: string, inner: readonly Filter[], chain: Chain): Truth {
  const here = chain.at(-1);
  const link = links[here?.table ?? "people"][name];
  if (!link) throw new Error(name);
  const rows = behind(here?.row ?? null, link);
  const ask = (row: Row | null): Truth => evaluateAll(inner, [...chain, { table: link.to, row, name }]);
  return link.many ? rows.some((row) => ask(row) === true) : ask(rows[0] ?? null);
}

function behind(row: Row | null, { to, from, by }: Link): readonly Row[] {
  const value = row?.[from] ?? null;
  return value === null ? [] : world[to].filter((one) => one[by] === value);
}

function all(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes(null) ? null : true;
}

function not(truth: Truth): Truth {
  return truth === null ? null : !truth;
}

function compare(value: Value, condition: unknown, chain: Chain): Truth {
  if (typeof condition !== "object" || condition === null || Array.isArray(condition)) {
    return operate(value, "eq", condition as Value);
  }
  return all(
    Object.entries(condition).map(([name, operand]) => operate(value, name, resolve(operand, chain))),
  );
}

/** The value of `$COL`: names begin at the first row; as far as the path is the one taken, it means the same rows. */
function resolve(operand: unknown, chain: Chain): Value | typeof unresolved {
  const match = typeof operand === "string" ? /^\$COL\((?:people\.)?(.*)\)$/.exec(operand) : null;
  if (!match) return operand as Value;
  let path = (match[1] ?? "").split(".");
  let at = 0;
  while (path.length > 1 && chain[at + 1]?.name === path[0]) [at, path] = [at + 1, path.slice(1)];
  let row = chain[at]?.row ?? null;
  let table = chain[at]?.table ?? "people";
  for (const name of path.slice(0, -1)) {
    const link = links[table][name];
    if (!link) throw new Error(name);
    [row, table] = [behind(row, link)[0] ?? null, link.to];
  }
  return row?.[path.at(-1) ?? ""] ?? unresolved;
}

/** A column without a value, which is not the test for null that `eq: null` asks. */
const unresolved = Symbol("null");

function operate(value: Value, name: string, operand: Value | typeof unresolved): Truth {
  if (name === "isNull") return (value === null) === operand;
  if (name === "isNotNull") return (value !== null) === operand;
  if (name === "is") return value === operand;
  if (operand === null) return name === "eq" ? value === null : value !== null;
  if (Array.isArray(operand) && operand.length === 0 && /^(in|notIn|nin)$/.test(name)) return name !== "in";
  if (value === null || operand === unresolved) return null;
  return known(value, name, operand);
}

const patterns: Record<string, { readonly exact: boolean; readonly make: (text: string) => string }> = {
  like: { exact: true, make: like },
  ilike: { exact: false, make: like },
  contains: { exact: false, make: (text) => `.*${quote(text)}.*` },
  startsWith: { exact: false, make: (text) => `${quote(text)}.*` },
  endsWith: { exact: false, make: (text) => `.*${quote(text)}` },
  startsWiths: { exact: true, make: (text) => `${quote(text)}.*` },
  endsWiths: { exact: true, make: (text) => `.*${quote(text)}` },
};
const negations: Record<string, string> = {
  ne: "eq",
  neq: "eq",
  not: "eq",
  notIn: "in",
  nin: "in",
  notBetween: "between",
  notLike: "like",
  notILike: "ilike",
  nstartsWith: "startsWith",
  nendsWith: "endsWith",
  nstartsWiths: "startsWiths",
  nendsWiths: "endsWiths",
};

function quote(text: string): string {
  return text.replace(/[%_]/g, "[$&]");
}

function like(text: string): string {
  const whole = text.includes("%") ? text : `%${text}%`;
  return whole.replaceAll("%", ".*").replaceAll("_", ".");
}

function known(value: Exclude<Value, null>, name: string, operand: Exclude<Value, null>): boolean {
  const positive = negations[name];
  if (positive !== undefined) return !known(value, positive, operand);
  const pattern = patterns[name];
  if (pattern) {
    return new RegExp(`^${pattern.make(String(operand))}$`, pattern.exact ? "s" : "is").test(String(value));
  }
  const items = value as readonly string[];
  const others = operand as readonly Exclude<Value, null>[];
  switch (name) {
    case "eq":
      return JSON.stringify(value) === JSON.stringify(operand);
    case "gt":
      return value > operand;
    case "gte":
      return value >= operand;
    case "lt":
      return value < operand;
    case "lte":
      return value <= operand;
    case "in":
      return others.includes(value);
    case "between":
      return value >= (others[0] ?? 0) && value <= (others[1] ?? 0);
    case "arraycontains":
      return others.every((one) => items.includes(one as string));
    case "arraycontained":
      return items.every((one) => others.includes(one));
    case "arrayoverlaps":
      return items.some((one) => others.includes(one));
    default:
      throw new Error(name);
  }
}

// Orders and pages.

type Term = { readonly path: string; readonly descending: boolean };
const sortable = [
  "id",
  "name",
  "age",
  "born",
  "active",
  "team.title",
  "team.size",
  "boss.age",
  "boss.team.title",
];
const orders: fc.Arbitrary<readonly Term[]> = fc.uniqueArray(
  fc.record({ path: fc.constantFrom(...sortable), descending: fc.boolean() }),
  { maxLength: 3, selector: ({ path }) => path },
);
const pages = fc.record({ limit: fc.integer({ min: 0, max: 12 }), offset: fc.integer({ min: 0, max: 45 }) });

function ordered(rows: readonly Row[], terms: readonly Term[]): readonly Row[] {
  return rows.toSorted((a, b) => {
    for (const { path, descending } of [...terms, { path: "id", descending: false }]) {
      const [left, right] = [at(a, path), at(b, path)];
      if (left === right) continue;
      // Null counts as greater than everything, as PostgreSQL has it.
      const before = right === null || (left !== null && left < right);
      return before === descending ? 1 : -1;
    }
    return 0;
  });
}

function at(row: Row, path: string): Value {
  const value = resolve(`$COL(${path})`, [{ table: "people", row, name: "" }]);
  return value === unresolved ? null : (value as Value);
}

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
  const id = { type: "Integer", primaryKey: true } as const;
  const fieldsOf = (table: Table) =>
    Object.fromEntries(
      Object.entries(columns[table]).map(([name, kind]) => [name, name === "id" ? id : types[kind]]),
    );
  const person = { relType: "HasMany", target: "people" } as const;
  await app.snapshot.changeSchema(() => ({
    put: [
      {
        collectionName: "people",
        schema: {
          name: "Person",
          timestamps: false,
          fields: {
            ...fieldsOf("people"),
            boss_Id: { type: "Integer" },
            team_Id: { type: "Integer" },
            boss: { relType: "BelongsTo", target: "people", foreignKey: "boss_Id" },
            team: { relType: "BelongsTo", target: "teams", foreignKey: "team_Id" },
            reports: { ...person, foreignKey: "boss_Id" },
          },
        },
      },
      {
        collectionName: "teams",
        schema: {
          name: "Team",
          timestamps: false,
          fields: { ...fieldsOf("teams"), members: { ...person, foreignKey: "team_Id" } },
        },
      },
    ],
    remove: [],
  }));
  await app.data.create(actor, "teams", world.teams);
  await app.data.create(
    actor,
    "people",
    world.people.map((row) => ({ ...row, boss_Id: null })),
  );
  await app.data.update(
    actor,
    "people",
    world.people.map(({ id: key, boss_Id }) => ({ id: Number(key), data: { boss_Id } })),
  );
});
afterAll(() => app.close());

describe(`seed ${seed}`, () => {
  test("filters, orders and pages answer as JavaScript does", async () => {
    await fc.assert(
      fc.asyncProperty(filters, orders, pages, async (filter, terms, { limit, offset }) => {
        const matching = world.people.filter(
          (row) => evaluate(filter, [{ table: "people", row, name: "" }]) === true,
        );
        const wanted = ordered(matching, terms).slice(offset, offset + limit);
        const sort = terms.map(({ path, descending }) => `${descending ? "-" : ""}${path}`);
        const { json, totalCount } = await app.data.read(actor, "people", {
          filter,
          sort,
          limit,
          offset,
          fields: "id",
        });
        const got = (JSON.parse(json) as { id: number }[]).map(({ id }) => id);
        expect({ got, totalCount }).toEqual({
          got: wanted.map(({ id }) => Number(id)),
          totalCount: matching.length,
        });
      }),
      { seed, numRuns: 500 },
    );
  }, 60_000);
});
