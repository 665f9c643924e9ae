/** What is run again when the schema was in its way, and for how long. Of whole requests `overtaken.test.ts` tells. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { buildSchema } from "../core/schema/define";
import { parseRules } from "../core/access/rules";
import { type Database, openDatabase } from "../platform/postgres";
import { outsider, type TestDatabase, testDatabase } from "../testing/postgres";
import type { Snapshot } from "./snapshot";
import { retryStale } from "./stale";

setDefaultTimeout(60_000);

let server: TestDatabase;
let database: Database;

beforeAll(async () => {
  server = await testDatabase();
  database = await openDatabase(server.address, { shortPool: 1, slowPool: 1 });
});
afterAll(async () => {
  await database.close();
  await server.drop();
});

const snapshotOf = (version: number): Snapshot => {
  const schema = buildSchema(version, []);
  return { schema, rules: parseRules([], [], schema), version };
};

test("a transaction whose kept plan a change by hand outdated is run again, with the schema that there is", async () => {
  const snapshot = snapshotOf(1);
  const again = retryStale({ snapshot: () => snapshot, reloadSchema: async () => {} });
  let runs = 0;
  const read = () =>
    again(() => {
      runs++;
      return database.transaction((tx) =>
        tx.run({ text: "SELECT * FROM changing WHERE a = $1::int", params: ["1"] }),
      );
    });
  await outsider(server.address, "CREATE TABLE changing (a int)", "INSERT INTO changing VALUES (1)");
  await read();
  await read();
  await outsider(server.address, "ALTER TABLE changing ADD b text DEFAULT 'new'");
  expect((await read()).map((row) => [...row])).toEqual([[1, "new"]]);
  // The pool leaves it to the door, which plans anew. Only statements with parameters keep a plan.
  expect(runs).toBe(4);
});

/** A server whose schema is another one at each look, and whose every statement takes `seconds`. */
const changing = (seconds: number) => {
  let [time, version] = [0, 0];
  const again = retryStale({
    snapshot: () => snapshotOf(++version),
    reloadSchema: async () => {},
    elapsed: () => time,
  });
  const runs = { count: 0 };
  const ask = (isThere: () => boolean) =>
    again(async () => {
      runs.count++;
      time += seconds * 1000;
      return database.run({ text: isThere() ? "SELECT 1" : "SELECT 1 FROM nowhere", params: [] });
    });
  return { ask, runs };
};

test("work that took long before the schema got in its way is run again all the same", async () => {
  const { ask, runs } = changing(60);
  expect(await ask(() => runs.count > 1)).toEqual([[1]]);
  expect(runs.count).toBe(2);
});

test("a schema that goes on changing is followed for 10 s from the first failure, then refused", async () => {
  const { ask, runs } = changing(6);
  await expect(ask(() => false)).rejects.toMatchObject({
    code: "CONFLICT",
    message: "The schema changed meanwhile; try again.",
  });
  // Failures after 6, 12 and 18 s: the second is 6 s after the first, the third 12.
  expect(runs.count).toBe(3);
});
