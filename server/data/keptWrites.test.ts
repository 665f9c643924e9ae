/** How many statements for writes are kept, and which go when there are too many. */
import { expect, test } from "bun:test";
import { type Actor, system } from "../core/access/actor";
import { parseRules } from "../core/access/rules";
import { buildSchema } from "../core/schema/define";
import type { Collection } from "../core/schema/model";
import { keepWrite, type KeptWrite } from "./keptWrites";
import type { Snapshot } from "./snapshot";

const actor: Actor = system("test");

/** One snapshot with as many collections, and what keeps writes of them; `form` stands for all that a statement depends on. */
function keeper(count: number) {
  const records = Array.from({ length: count }, (_, i) => ({
    collectionName: `things${i}`,
    schema: { name: `Thing${i}`, fields: { id: { type: "Integer", primaryKey: true } } },
  }));
  const schema = buildSchema(1, records);
  const snapshot: Snapshot = { schema, rules: parseRules([], [], schema), version: 1 };
  const collections = records.map(
    ({ collectionName }) => schema.collections.get(collectionName) as Collection,
  );
  // Never looked into: only whether it is the same one is asked.
  const targets = [{}] as unknown as KeptWrite["targets"];
  return (collection: number, form: string): KeptWrite =>
    keepWrite(snapshot, actor, collections[collection] as Collection, [], form, () => targets);
}

test("what was dropped of one collection counts no more: others keep theirs", () => {
  const keep = keeper(2);
  const kept = keep(0, "insert");
  // Many times as many as are kept of one collection, and more than of all.
  for (let i = 0; i < 3000; i++) keep(1, `form ${i}`);
  expect(keep(0, "insert")).toBe(kept);
});

test("what comes when all is full is kept", () => {
  const keep = keeper(40);
  for (let i = 0; i < 1000; i++) keep(i % 39, `form ${i}`);
  // In a list of its own, and in one that goes with the others.
  for (const collection of [39, 0]) {
    const kept = keep(collection, "insert");
    expect(keep(collection, "insert")).toBe(kept);
  }
});
