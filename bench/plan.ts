/**
 * `bun bench/plan.ts`: what the server adds to a read before PostgreSQL hears of it, in µs of CPU, for a query that was seen
 * before, for one whose shape was (the same with other values), and for one of a new shape, which is parsed, planned,
 * authorized, compiled and bound. The database is left out: the statement goes to a runner that answers at once, and what
 * that alone costs is the floor.
 */
import { unproven } from "../server/core/access/actor";
import { accessOf } from "../server/core/access/policy";
import { authorizeRead } from "../server/core/query/authorize";
import { parseRead } from "../server/core/query/parse";
import { planRead } from "../server/core/query/plan";
import { createTotals } from "../server/data/totals";
import { planCounts, readPage, type ReadParts } from "../server/data/read";
import { blogSchema, rulesFor } from "../server/testing/blog";
import { printTable } from "./figures";

const user = {
  kind: "user",
  id: "u1",
  role: "role-user",
  roles: ["role-user"],
  admin: false,
  ...unproven,
} as const;
const rules = rulesFor([
  { collection: "posts", action: "read", fields: ["*", "author.*"], conditions: { published: true } },
  { collection: "comments", action: "read", fields: ["*"], conditions: { approved: true } },
]);
const snapshot = { schema: blogSchema, rules, version: 1 };
const runner = { run: () => Promise.resolve([]) };
const parts: ReadParts = {
  runner,
  again: (work) => work(),
  snapshot: () => snapshot,
  now: Date.now,
  totals: createTotals({ schema: () => blogSchema, live: () => false }),
};

/** Queries by number: `values` makes others of the same shape, `shape` others of another shape. */
type Queries = (values: number, shape: number) => Record<string, string>;
const queries: readonly (readonly [string, Queries])[] = [
  ["list", (_, shape) => ({ limit: "20", offset: String(shape) })],
  [
    "filter, sort",
    (n, shape) => ({
      filter: `{"price":{"gte":${n},"lt":${n + 100}},"title":{"startsWith":"a${n}"}}`,
      sort: "-price",
      limit: "20",
      offset: String(shape),
    }),
  ],
  [
    "filter, sort, two relations",
    (n, shape) => ({
      fields: "*,author.*,comments.text",
      filter: `{"price":{"gt":${n}},"author.name":{"ne":"x${n}"}}`,
      sort: "author.name",
      limit: "20",
      offset: String(shape),
    }),
  ],
  [
    "search",
    (n, shape) => ({ search: `some words ${n}`, sort: "-price", limit: "20", offset: String(shape) }),
  ],
];

/** CPU per call in µs. */
async function cpu(calls: number, work: (n: number) => unknown): Promise<number> {
  for (let n = 0; n < calls / 5; n++) await work(n);
  const before = process.cpuUsage();
  for (let n = 0; n < calls; n++) await work(n);
  const { user: own, system } = process.cpuUsage(before);
  return (own + system) / calls;
}

/** The same with the share of plans that were found among those that were kept. */
async function measure(calls: number, query: (n: number) => Record<string, string>): Promise<string> {
  const before = planCounts(snapshot);
  const used = await cpu(calls, (n) => readPage(parts, user, "posts", query(n)));
  const after = planCounts(snapshot);
  const [hits, misses] = [after.hits - before.hits, after.misses - before.misses];
  return `${us(used)} (${hits} / ${misses})`;
}

const us = (value: number): string => value.toFixed(1);
const floor = await cpu(50_000, () => runner.run());
const rows: string[][] = [];
let next = 1000;
for (const [name, query] of queries) {
  rows.push([
    name,
    await measure(50_000, () => query(1, 1)),
    await measure(50_000, () => query(next++, 1)),
    await measure(20_000, () => query(next, next++)),
    us(
      await cpu(20_000, () => {
        const read = parseRead("posts", query(next, next++));
        return authorizeRead(planRead(blogSchema, read), accessOf(rules, blogSchema, user));
      }),
    ),
    "40",
    us(floor),
  ]);
}
printTable(
  [
    "read, µs (plans found / made)",
    "seen before",
    "shape seen before",
    "first sight",
    "of that parse, plan, authorize",
    "goal",
    "floor: an awaited runner",
  ],
  rows,
);
