/** What the SDK document says of writing, call by call, and what goes beyond it, against the real server. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import type { Baasix, ItemId, Items } from ".";
import { openClients } from "./testing/clients";

interface Product {
  id: string;
  sku: string;
  name: string | null;
  price: `${number}` | null;
  stock: number;
  status: string;
  sort: number;
  deletedAt: string | null;
  lines?: Line[] | null;
}
interface Line {
  id: number;
  text: string;
  product_Id: string | null;
  product?: Product | null;
}

let app: TestApp;
let baasix: Baasix;
let products: Items<Product>;
const clients = openClients();

const uuid = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } } as const;

beforeAll(async () => {
  app = await testApp();
  baasix = client();
  await baasix.auth.login(testAdmin);
  await baasix.schemas.create("products", {
    name: "Product",
    paranoid: true,
    sortEnabled: true,
    fields: {
      id: uuid,
      sku: { type: "String", unique: true },
      name: { type: "String" },
      price: { type: "Decimal", values: { precision: 10, scale: 2 } },
      stock: { type: "Integer", defaultValue: 0, validate: { min: 0 } },
      status: { type: "String", defaultValue: "active" },
    },
  });
  await baasix.schemas.create("lines", {
    name: "Line",
    fields: {
      id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
      text: { type: "Text", allowNull: false },
    },
  });
  await baasix.schemas.createRelationship("lines", {
    type: "M2O",
    name: "product",
    target: "products",
    alias: "lines",
  });
  products = baasix.items<Product>("products");
});
afterAll(() => app.close());
beforeEach(async () => {
  await baasix.items("lines").deleteWhere({ id: { isNotNull: true } });
  await products.deleteWhere({ id: { isNotNull: true } }, { permanent: true });
});

const client = (fetch?: (url: string, init: RequestInit) => Promise<Response>): Baasix =>
  clients.open({ url: app.listen(), ...(fetch && { fetch }) });

/** Items as a table: `sku stock`, in the order of `sort`. */
async function table(): Promise<string> {
  const { data } = await products.find({ sort: "sort" });
  return data.map(({ sku, stock }) => `${sku} ${stock}`).join(", ");
}
const order = async () => (await products.find({ sort: "sort" })).data.map(({ sku }) => sku).join(" ");

describe("the SDK document", () => {
  test("create and update answer the id", async () => {
    const id = await products.create({ name: "New Product", price: 29.99 });
    expect(id).toBeString();
    expect(await products.update(id, { price: 24.99 })).toBe(id);
    expect(await products.insert({ name: "Other" })).toBeString();
    expect((await products.findOne(id)).price).toBe("24.99");
    await products.delete(id);
    await expect(products.findOne(id)).rejects.toMatchObject({ status: 404 });
  });

  test("bulk", async () => {
    const ids = await products.createMany([
      { name: "Product 1", price: 10 },
      { name: "Product 2", price: 20 },
    ]);
    expect(ids).toHaveLength(2);
    expect(await products.updateMany(ids, { status: "archived" })).toEqual(ids);
    expect((await products.find({ filter: { status: "archived" } })).totalCount).toBe(2);
    await products.deleteMany(ids);
    expect(await products.count()).toBe(0);
    const more = await products.insertMany([{ name: "Product 1", price: 29.99 }]);
    expect(more).toHaveLength(1);
  });

  test("import from files, and from a list", async () => {
    const csv = new File(["sku,name,price,stock\na,Boot,29.90,3\nb,,,0\n"], "products.csv");
    const result = await products.importCSV(csv);
    expect(result).toEqual({ imported: 2, failed: 0, errors: [] });
    const json = new File([JSON.stringify([{ sku: "c", stock: 1 }])], "products.json");
    expect((await products.importJSON(json)).imported).toBe(1);
    expect((await products.importData([{ sku: "d", stock: 4 }])).imported).toBe(1);
    expect(await table()).toBe("a 3, b 0, c 1, d 4");
    expect((await products.find({ filter: { sku: "b" } })).data[0]).toMatchObject({
      name: null,
      price: null,
    });
  });

  test("sortItem and reorder", async () => {
    const [a, b, c, d] = await products.createMany([..."abcd"].map((sku) => ({ sku })));
    if (!a || !b || !c || !d) throw new Error("four ids");
    expect(await order()).toBe("a b c d");
    await products.sortItem(c, a);
    expect(await order()).toBe("c a b d");
    await products.sortItem(c, b, "after");
    expect(await order()).toBe("a b c d");
    await products.reorder([d, a, c]);
    expect(await order()).toBe("d b a c");
  });

  test("upsert", async () => {
    const upsert = (price: number) =>
      products.upsert({ sku: { eq: "WIDGET-001" } }, { name: "Widget", price, sku: "WIDGET-001" });
    const id = await upsert(29.99);
    expect(await upsert(19.99)).toBe(id);
    expect((await products.find()).data.map(({ sku, price }) => [sku, price])).toEqual([
      ["WIDGET-001", "19.99"],
    ]);
  });

  test("softDelete and restore, though reads hide what is deleted", async () => {
    const id = await products.create({ sku: "a", stock: 1 });
    expect(await products.softDelete(id)).toBe(id);
    expect(await products.count()).toBe(0);
    expect((await products.query().withDeleted().get()).data[0]?.deletedAt).toBeString();
    expect(await products.restore(id)).toBe(id);
    expect((await products.findOne(id)).deletedAt).toBeNull();
    const line = await baasix.items<Line>("lines").create({ text: "kept" });
    await expect(baasix.items("lines").softDelete(line)).rejects.toMatchObject({ status: 400 });
    expect(await baasix.items("lines").count()).toBe(1);
  });
});

test("users in bulk", async () => {
  const user = { firstName: "Bea", lastName: null };
  const ids = await baasix.users.createMany([
    { ...user, email: "bea@example.com" },
    { ...user, email: "cleo@example.com" },
  ]);
  expect((await baasix.users.findByEmail("cleo@example.com"))?.id).toBe(String(ids[1]));
  await baasix.users.deleteMany(ids);
  expect(await baasix.users.findByEmail("cleo@example.com")).toBeNull();
});

describe("writes", () => {
  test("with fields, a write of one item answers the item", async () => {
    const fields = ["sku", "stock"] as const;
    const made = await products.create({ sku: "a" }, { fields });
    expect(made).toEqual({ sku: "a", stock: 0 });
    const { id } = (await products.find()).data[0] ?? { id: "" };
    expect(await products.update(id, { stock: 2 }, { fields })).toEqual({ sku: "a", stock: 2 });
    expect(await products.upsert({ sku: "b" }, { stock: 3 }, { fields })).toEqual({ sku: "b", stock: 3 });
    const { deletedAt } = await products.softDelete(id, { fields: ["deletedAt"] });
    expect(deletedAt).toBeString();
    expect(await products.restore(id, { fields })).toEqual({ sku: "a", stock: 2 });
  });

  test("each its own change, by filter, by unique fields", async () => {
    const [a = "", b = ""] = await products.createMany([{ sku: "a" }, { sku: "b" }]);
    await products.bulkUpdate([
      { id: a, data: { stock: 1 } },
      { id: b, data: { stock: 2 } },
    ]);
    expect(await table()).toBe("a 1, b 2");
    expect(await products.updateWhere({ stock: { gt: 1 } }, { stock: 9 })).toEqual({ count: 1, ids: [b] });
    const upserted = await products.upsertMany(
      [
        { sku: "a", stock: 5 },
        { sku: "c", stock: 6 },
      ],
      { on: "sku" },
    );
    expect(upserted.map(({ created }) => created)).toEqual([false, true]);
    expect(upserted[0]?.id).toBe(a);
    expect(await table()).toBe("a 5, b 9, c 6");
    expect((await products.deleteWhere({ stock: { lt: 9 } })).count).toBe(2);
    expect(await table()).toBe("b 9");
    for (const none of [() => products.updateWhere({}, { stock: 0 }), () => products.deleteWhere({})]) {
      await expect(none()).rejects.toMatchObject({ status: 400, code: "INVALID_QUERY" });
    }
    await expect(products.upsertMany([{ name: "x" }], { on: "name" })).rejects.toMatchObject({ status: 400 });
    expect(await table()).toBe("b 9");
  });

  test("all or none", async () => {
    const bad = [{ sku: "a" }, { sku: "b", stock: -1 }];
    const [id = ""] = await products.createMany([{ sku: "z", stock: 7 }]);
    const writes: (() => Promise<unknown>)[] = [
      () => products.createMany(bad),
      () => products.upsertMany(bad, { on: "sku" }),
      () => products.importData(bad),
      () =>
        products.bulkUpdate([
          { id, data: { stock: 1 } },
          { id: crypto.randomUUID(), data: { stock: 1 } },
        ]),
      () => products.deleteMany([id, crypto.randomUUID()]),
      () => products.restoreMany([id, crypto.randomUUID()]),
    ];
    for (const write of writes) {
      await expect(write()).rejects.toMatchObject({ name: "BaasixError" });
      expect(await table()).toBe("z 7");
    }
  });

  test("with the items that belong to it", async () => {
    const texts = async (id: string) => {
      const { lines } = await products.findOne(id, {
        fields: [{ lines: { fields: ["text"], sort: "text" } }],
      });
      return lines?.map(({ text }) => text).join(" ");
    };
    const id = await products.create({ sku: "a", lines: [{ text: "one" }, { text: "two" }] });
    expect(await texts(id)).toBe("one two");
    const lines = await baasix.items<Line>("lines").find({ sort: "text" });
    const [one, two] = lines.data.map((line) => line.id);
    if (one === undefined || two === undefined) throw new Error("two lines");
    await products.update(id, {
      lines: { create: [{ text: "three" }], update: [{ id: one, text: "first" }], delete: [two] },
    });
    expect(await texts(id)).toBe("first three");
    await products.update(id, { lines: [one] });
    expect(await texts(id)).toBe("first");
    const line = await baasix.items<Line>("lines").create({ text: "x", product: { sku: "b" } });
    const { product } = await baasix.items<Line>("lines").findOne(line, { fields: ["product.sku"] });
    expect(product?.sku).toBe("b");
  });

  test("deleted for good, and brought back together", async () => {
    const ids = await products.createMany([{ sku: "a" }, { sku: "b" }, { sku: "c" }]);
    await products.deleteMany(ids);
    expect(await products.restoreMany(ids.slice(0, 2))).toEqual(ids.slice(0, 2));
    await products.delete(ids[2] ?? "", { permanent: true });
    await products.deleteWhere({ sku: "a" }, { permanent: true });
    await products.deleteMany(ids.slice(1, 2), { permanent: true });
    expect((await products.query().withDeleted().get()).totalCount).toBe(0);
  });

  test("a version that is no longer there refuses the write", async () => {
    const id = await products.create({ sku: "a", stock: 1 });
    const { data, version } = await products.getWithVersion(id, { fields: ["stock"] });
    expect(data).toEqual({ stock: 1 });
    await products.update(id, { stock: 2 }, { version });
    const late = { status: 412, code: "PRECONDITION_FAILED" };
    for (const write of [
      () => products.update(id, { stock: 9 }, { version }),
      () => products.update(id, { stock: 9 }, { ifMatch: `"${version}-x"` }),
      () => products.bulkUpdate([{ id, data: { stock: 9 }, version }]),
      () => products.softDelete(id, { version }),
      () => products.delete(id, { version }),
      () =>
        baasix.transaction([{ action: "update", collection: "products", id, data: { stock: 9 }, version }]),
    ]) {
      await expect(write()).rejects.toMatchObject(late);
      expect(await table()).toBe("a 2");
    }
    const fresh = await products.getWithVersion(id);
    await products.delete(id, { version: fresh.version });
    expect(await products.count()).toBe(0);
  });
});

describe("keys", () => {
  test("under one key a write takes effect once, and another is refused", async () => {
    const idempotencyKey = crypto.randomUUID();
    const create = () => products.create({ sku: "a" }, { idempotencyKey });
    const [first, ...others] = await Promise.all([create(), create(), create()]);
    expect(others).toEqual([first, first]);
    expect(await table()).toBe("a 0");
    await expect(products.create({ sku: "b" }, { idempotencyKey })).rejects.toMatchObject({
      status: 422,
      code: "IDEMPOTENCY_KEY_REUSED",
    });
  });

  test("a write whose answer is lost is sent again, and takes effect once", async () => {
    let lost = 0;
    const unlucky = client(async (url, init) => {
      const response = await fetch(url, init);
      if (init.method === "GET" || url.includes("/auth/") || lost > 0) return response;
      lost += 1;
      await response.text();
      throw new TypeError("fetch failed");
    });
    await unlucky.auth.login(testAdmin);
    const items = unlucky.items<Product>("products");
    const writes: [string, () => Promise<unknown>][] = [
      ["a 0", () => items.create({ sku: "a" }, key())],
      ["a 0, b 0", () => items.createMany([{ sku: "b" }], key())],
      ["a 0, b 0, c 0", () => items.importCSV("sku\nc\n", key())],
      [
        "a 0, b 0, c 0, d 0",
        () => unlucky.transaction([{ action: "create", collection: "products", data: { sku: "d" } }], key()),
      ],
      ["a 0, b 0, c 0", () => items.deleteWhere({ sku: "d" }, key())],
    ];
    for (const [expected, write] of writes) {
      lost = 0;
      await write();
      expect([lost, await table()]).toEqual([1, expected]);
    }
    lost = 0;
    await expect(items.create({ sku: "e" })).rejects.toMatchObject({ code: "NETWORK_ERROR" });
  });

  const key = () => ({ idempotencyKey: crypto.randomUUID() });
});

describe("imports", () => {
  const csv = "sku,stock\na,1\nb,many\nc,3\n";

  test("one bad row refuses the file, and is told", async () => {
    await expect(products.importCSV(csv)).rejects.toMatchObject({
      status: 400,
      code: "IMPORT_FAILED",
      details: { results: { failed: 1, errors: [{ row: 2 }] } },
    });
    expect(await products.count()).toBe(0);
  });

  test("in parts, as a rehearsal, over what is there", async () => {
    const rehearsed = await products.importCSV(csv, { mode: "partial", dryRun: true });
    expect([rehearsed.imported, rehearsed.failed, await products.count()]).toEqual([2, 1, 0]);
    const { imported, errors } = await products.importCSV(csv, { mode: "partial" });
    expect([imported, errors[0]?.row, errors[0]?.data]).toEqual([2, 2, { sku: "b", stock: "many" }]);
    const again = await products.importCSV("sku;stock\na;7\nd;8\n", { on: "sku", delimiter: ";" });
    expect(again).toMatchObject({ imported: 2, created: 1, updated: 1 });
    expect(await table()).toBe("a 7, c 3, d 8");
    const lines = new Blob(['{"sku":"e"}\n{"sku":"f"}\n'], { type: "application/x-ndjson" });
    expect((await products.importJSON(lines)).imported).toBe(2);
    expect((await products.importData([{ sku: "a", stock: 1 }], { on: ["sku"] })).updated).toBe(1);
  });

  test("tell how far they are", async () => {
    const told: [number, number][] = [];
    const file = new Blob(["sku\na\n"], { type: "text/csv" });
    await products.importCSV(file, { onProgress: (percent, bytes) => told.push([percent, bytes]) });
    expect(told).toEqual([[100, file.size]]);
  });

  test("end by their signal", async () => {
    const ended = AbortSignal.abort(new Error("enough"));
    await expect(products.importCSV("sku\na\n", { signal: ended })).rejects.toThrow("enough");
    expect(await products.count()).toBe(0);
  });
});

describe("transactions", () => {
  test("step by step, with what earlier operations gave", async () => {
    const tx = baasix.transaction();
    const boot = tx.items<Product>("products").create({ sku: "boot", stock: 10 }, { fields: ["id", "sku"] });
    const line = tx.items<Line>("lines").create({ text: `for ${boot.field("sku")}`, product_Id: boot.id });
    const taken = tx.items<Product>("products").update(boot.id, { stock: 9 }, { fields: ["stock"] });
    const more = tx
      .items<Product>("products")
      .createMany([{ sku: "x" }, { sku: "y" }])
      .named("more");
    tx.items("lines").create({ text: "first of more", product_Id: more.at("ids.0") });
    const read = tx.items<Line>("lines").findOne(line.id, { fields: ["text", "product.sku"] });
    const stood = tx.items<Product>("products").findOne(boot.id, { fields: ["stock"] });
    tx.items<Product>("products").update(boot.id, { name: "sold" }, { version: stood.version });
    const upserted = tx.items<Product>("products").upsert({ sku: "z" }, { stock: 1 });
    const gone = tx.items<Product>("products").deleteMany([upserted.id]);
    const back = tx.items<Product>("products").restore(upserted.id);
    const list = tx.items<Line>("lines").find({ filter: { product_Id: boot.id }, fields: ["id"] });
    const results = await tx.run({ idempotencyKey: crypto.randomUUID() });

    const { id, data } = results.of(boot);
    expect(data).toEqual({ id, sku: "boot" });
    expect(results.of(taken).data).toEqual({ stock: 9 });
    expect(results.of(read).data).toMatchObject({ text: "for boot", product: { sku: "boot" } });
    expect(results.of(upserted).created).toBe(true);
    expect([results.of(gone).count, results.of(back).id]).toEqual([1, results.of(upserted).id]);
    expect(results.of(list)).toMatchObject({ data: [{ id: results.of(line).id }], totalCount: 1 });
    expect(results).toHaveLength(12);
    const { data: first } = await baasix.items<Line>("lines").find({ filter: { text: "first of more" } });
    expect(first[0]?.product_Id).toBe(results.of(more).ids?.[0]);
  });

  test("as a list, as Nexora's runSequential has it", async () => {
    const item = await products.create({ sku: "item-1", stock: 10 });
    const [made, line, stock, many] = await baasix.transaction([
      { action: "create", collection: "products", data: { sku: "order", stock: 100 } },
      { action: "create", collection: "lines", data: { text: "Item 1", product_Id: "{{0.id}}" } },
      { action: "update", collection: "products", id: item, data: { stock: 9 } },
      { action: "update", collection: "products", filter: { stock: { gt: 1 } }, data: { status: "sold" } },
    ]);
    expect(stock.id).toBe(item);
    expect(many.count).toBe(2);
    expect((await baasix.items<Line>("lines").findOne(line.id)).product_Id).toBe(String(made.id));
  });

  test("all or nothing, and the refusal says which", async () => {
    const tx = baasix.transaction();
    const made = tx.items<Product>("products").create({ sku: "a" });
    tx.items<Product>("products").update(made.id, { stock: -1 });
    await expect(tx.run()).rejects.toMatchObject({ code: "VALIDATION_ERROR", details: { operation: 1 } });
    expect(await products.count()).toBe(0);
  });

  test("text that others wrote is never a reference", async () => {
    const texts = ["{{0.id}}", "{{it.id}} {{", "\\{{0.id}}", "{{{0.id}}}"];
    const tx = baasix.transaction();
    tx.items<Product>("products").create({ sku: "a" }).named("it");
    const ids = texts.map((text) => tx.items<Line>("lines").create({ text }, { fields: ["text"] }));
    const found = tx.items<Line>("lines").find({ filter: { text: { in: texts } } });
    const results = await tx.run();
    expect(ids.map((line) => results.of(line).data.text)).toEqual(texts);
    expect(results.of(found).totalCount).toBe(4);
  });

  test("each with the caller's own rights", async () => {
    const visitor = client();
    await visitor.auth.register({ email: "ann@example.com", password: "password123", firstName: "Ann" });
    const role = String((await baasix.roles.findByName("user"))?.id);
    await baasix.permissions.createCrudPermissions(role, "lines", { create: {}, read: {} });
    const refused = visitor.transaction([
      { action: "create", collection: "lines", data: { text: "mine" } },
      { action: "create", collection: "products", data: { sku: "not mine" } },
    ]);
    await expect(refused).rejects.toMatchObject({ status: 403, details: { operation: 1 } });
    expect(await baasix.items("lines").count()).toBe(0);
    const ids: ItemId[] = [];
    const [line] = await visitor.transaction([
      { action: "create", collection: "lines", data: { text: "mine" } },
    ]);
    ids.push(line.id);
    expect(await baasix.items("lines").count({ filter: { id: { in: ids } } })).toBe(1);
  });
});
