/**
 * `bun bench/plan.ts`: what the server adds to a read before PostgreSQL hears of it, in µs of CPU: parse, plan, authorize,
 * compile and bind, for a query that was seen before and for one that was not. The database is left out: the
 * statement goes to a runner that answers at once, and what that alone costs is the floor.
 */
import { accessOf } from "../server/core/access/policy";
import { authorizeRead } from "../server/core/query/authorize";
import { parseRead } from "../server/core/query/parse";
import { planRead } from "../server/core/query/plan";
import { createTotals } from "../server/data/totals";
import { readPage, type ReadParts } from "../server/data/read";
import { blogSchema, rulesFor } from "../server/testing/blog";
import { printTable } from "./figures";

const user = {
  kind: "user",
  id: "u1",
  role: "role-user",
  roles: ["role-user"],
  admin: false,
  session: "s1",
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

const queries: readonly (readonly [string, (n: number) => Record<string, string>])[] = [
  ["list", () => ({ limit: "20" })],
  [
    "filter, sort",
    (n) => ({
      filter: `{"price":{"gte":${n},"lt":${n + 100}},"title":{"startsWith":"a"}}`,
      sort: "-price",
      limit: "20",
    }),
  ],
  [
    "filter, sort, two relations",
    (n) => ({
      fields: "*,author.*,comments.text",
      filter: `{"price":{"gt":${n}},"author.name":{"ne":"x"}}`,
      sort: "author.name",
      limit: "20",
    }),
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

const us = (value: number): string => value.toFixed(1);
const floor = await cpu(50_000, () => runner.run());
const rows: string[][] = [];
for (const [name, query] of queries) {
  const hit = await cpu(50_000, () => readPage(parts, user, "posts", query(1)));
  let fresh = 1000;
  const miss = await cpu(20_000, () =>
    readPage(
      parts,
      user,
      "posts",
      name === "list" ? { offset: String(fresh++), limit: "20" } : query(fresh++),
    ),
  );
  const plan = await cpu(20_000, () => {
    const read = parseRead(
      "posts",
      name === "list" ? { offset: String(fresh++), limit: "20" } : query(fresh++),
    );
    return authorizeRead(planRead(blogSchema, read), accessOf(rules, blogSchema, user));
  });
  rows.push([name, us(hit), us(plan), "40", us(miss), us(floor)]);
}
printTable(
  [
    "read",
    "seen before, µs",
    "parse, plan, authorize, µs",
    "goal",
    "all of it, compiled and bound, µs",
    "floor (an awaited runner), µs",
  ],
  rows,
);
