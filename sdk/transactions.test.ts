/** Transactions as they are put together; `writing.test.ts` runs them. */
import { expect, test } from "bun:test";
import {
  type CreateOperation,
  createBaasix,
  type GenericItem,
  type Transaction,
  type TransactionOperation,
} from ".";

const baasix = createBaasix({ url: "http://localhost" });

test.each<[(tx: Transaction<Record<string, GenericItem>>) => void, TransactionOperation[]]>([
  [(tx) => tx.items("c").find(), [{ action: "read", collection: "c" }]],
  [
    (tx) => tx.items("c").find({ filter: { a: 1 }, limit: 2 }),
    [{ action: "read", collection: "c", query: { filter: { a: 1 }, limit: 2 } }],
  ],
  [
    (tx) => tx.items("c").findOne(1, { fields: ["a"] }),
    [{ action: "read", collection: "c", id: 1, query: { fields: ["a"] } }],
  ],
  [(tx) => tx.items("c").create({ a: 1 }), [{ action: "create", collection: "c", data: { a: 1 } }]],
  [
    (tx) => tx.items("c").create({ a: 1 }, { fields: ["a"] }),
    [{ action: "create", collection: "c", data: { a: 1 }, query: { fields: ["a"] } }],
  ],
  [(tx) => tx.items("c").createMany([{ a: 1 }]), [{ action: "create", collection: "c", data: [{ a: 1 }] }]],
  [
    (tx) => tx.items("c").update(1, { a: 2 }, { version: "7" }),
    [{ action: "update", collection: "c", id: 1, data: { a: 2 }, version: "7" }],
  ],
  [
    (tx) => tx.items("c").bulkUpdate([{ id: 1, data: { a: 2 } }]),
    [{ action: "update", collection: "c", data: [{ id: 1, data: { a: 2 } }] }],
  ],
  [
    (tx) => tx.items("c").updateWhere({ a: 1 }, { a: 2 }),
    [{ action: "update", collection: "c", filter: { a: 1 }, data: { a: 2 } }],
  ],
  [
    (tx) => tx.items("c").upsert({ a: 1 }, { b: 2 }),
    [{ action: "upsert", collection: "c", filter: { a: 1 }, data: { b: 2 } }],
  ],
  [
    (tx) => tx.items("c").upsertMany([{ a: 1 }], { on: "a" }),
    [{ action: "upsert", collection: "c", on: "a", data: [{ a: 1 }] }],
  ],
  [(tx) => tx.items("c").sortItem(1, 2), [{ action: "sort", collection: "c", id: 1, to: 2, mode: "before" }]],
  [(tx) => tx.items("c").reorder([2, 1]), [{ action: "sort", collection: "c", id: [2, 1] }]],
  [
    (tx) => tx.items("c").delete(1, { permanent: true }),
    [{ action: "delete", collection: "c", id: 1, permanent: true }],
  ],
  [(tx) => tx.items("c").deleteMany([1, 2]), [{ action: "delete", collection: "c", id: [1, 2] }]],
  [(tx) => tx.items("c").deleteWhere({ a: 1 }), [{ action: "delete", collection: "c", filter: { a: 1 } }]],
  [(tx) => tx.items("c").restore(1), [{ action: "restore", collection: "c", id: 1 }]],
])("%p", (build, operations) => {
  const tx = baasix.transaction();
  build(tx);
  expect(tx.operations).toEqual(operations);
});

test("what an operation gives is put into later ones", () => {
  const tx = baasix.transaction();
  const first = tx.items("a").create({ name: "x" }, { fields: ["name"] });
  const named = tx.items("a").findOne(first.id).named("it");
  const many = tx.items("a").createMany([{}]);
  tx.items("b").create({
    list: [first.id, { deep: `of ${first.field("name")}, ${named.id}` }],
    item: many.at("ids.0"),
    when: new Date(0),
  });
  expect(tx.operations.slice(1)).toEqual([
    { action: "read", collection: "a", id: "{{0.id}}", name: "it" },
    { action: "create", collection: "a", data: [{}] },
    {
      action: "create",
      collection: "b",
      data: {
        list: ["{{0.id}}", { deep: "of {{0.data.name}}, {{it.data.id}}" }],
        item: "{{2.ids.0}}",
        when: "1970-01-01T00:00:00.000Z",
      },
    },
  ]);
});

test("text that looks like a reference stays text, another transaction's references too", () => {
  const tx = baasix.transaction();
  const other = baasix.transaction().items("a").create({});
  tx.items("a").create({}).named("it");
  tx.items("a").create({ mine: "{{0.id}} {{it.id}} {{{", theirs: other.id });
  const data = (tx.operations[1] as CreateOperation).data as GenericItem;
  expect(data.mine).toBe("\\{{0.id}} \\{{it.id}} \\{{{");
  expect(data.theirs).toEndWith("\\{{0.id}}");
});
