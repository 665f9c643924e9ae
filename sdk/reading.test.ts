/** Reading items through the client, plain and step by step, against the real server. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import { type Baasix, createBaasix, type NumberText, type OperatorName, operatorNames } from ".";

interface Product {
  id: number;
  name: string;
  price: NumberText | null;
  stock: number;
  tags: string[];
  details: unknown;
  soldAt: string | null;
  deletedAt: string | null;
  category?: Category | null;
}
interface Category {
  id: number;
  name: string;
  products?: Product[];
}
interface Shop {
  products: Product;
  categories: Category;
}

let app: TestApp;
let baasix: Baasix<Shop>;
const requests: string[] = [];
const products = () => baasix.items("products");

beforeAll(async () => {
  app = await testApp();
  baasix = createBaasix<Shop>({
    url: app.listen(),
    fetch(url, init) {
      requests.push(decodeURIComponent(new URL(url).search));
      return fetch(url, init);
    },
  });
  await baasix.auth.login(testAdmin);
  const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } as const;
  await baasix.schemas.create("categories", {
    name: "Category",
    timestamps: false,
    fields: { id, name: { type: "String" } },
  });
  await baasix.schemas.create("products", {
    name: "Product",
    timestamps: false,
    paranoid: true,
    fields: {
      id,
      name: { type: "String", allowNull: false },
      price: { type: "Decimal", values: { precision: 10, scale: 2 } },
      stock: { type: "Integer", defaultValue: 0 },
      tags: { type: "Array", values: { type: "String" } },
      details: { type: "JSONB" },
      soldAt: { type: "DateTime" },
    },
  });
  await baasix.schemas.createRelationship("products", {
    type: "M2O",
    name: "category",
    target: "categories",
    alias: "products",
  });
  const [shoes, hats] = await baasix.items("categories").createMany([{ name: "Shoes" }, { name: "Hats" }]);
  await products().createMany(
    Array.from({ length: 250 }, (_, i) => ({
      name: `${i % 2 === 0 ? "running boot" : "felt hat"} ${i}`,
      price: i === 7 ? null : i / 2,
      stock: i % 10,
      tags: i % 3 === 0 ? ["new", "sale"] : ["old"],
      details: { size: i },
      soldAt: `2026-0${(i % 3) + 1}-10T00:00:00Z`,
      category: i % 5 === 0 ? undefined : i % 2 === 0 ? shoes : hats,
    })),
  );
});
afterAll(async () => {
  baasix.close();
  await app.close();
});

test("the steps of the builder and the plain query are one thing", async () => {
  const steps = products()
    .query()
    .select("id", "name", "category.name")
    .gte("price", 10)
    .lt("price", "20.50")
    .eq("category.name", "Hats")
    .arraycontains("tags", ["new"])
    .jsonbKeyGt("details", { key: "size", value: 25 })
    .orderBy("price", "desc")
    .limit(5);
  const chained = await steps.get();
  expect(chained.data.map(({ id, category }) => [id, category?.name])).toEqual([
    [40, "Hats"],
    [34, "Hats"],
    [28, "Hats"],
  ]);
  expect<unknown>(await products().find(steps.getQuery())).toEqual(chained);
  const plain = await products().find({
    fields: ["id", "name", "category.name"],
    filter: {
      price: { gte: 10, lt: 20.5 },
      category: { name: "Hats" },
      tags: { contains: "new" },
      details: { jsonbKeyGt: { key: "size", value: 25 } },
    },
    sort: { price: "desc" },
    limit: 5,
  });
  expect(plain).toEqual(chained);
});

test("first, single, count and exists", async () => {
  const boots = products().query().startsWith("name", "running").sort("-id");
  expect((await boots.first())?.name).toBe("running boot 248");
  expect(await boots.count()).toBe(125);
  expect(await boots.limit(10).page(3).count()).toBe(125);
  expect(await products().count({ filter: { category: { isNull: true } } })).toBe(50);
  expect(await boots.exists()).toBe(true);
  expect(await boots.lt("price", 0).exists()).toBe(false);
  expect(await boots.lt("price", 0).first()).toBeNull();
  expect((await boots.eq("id", 3).single()).name).toBe("running boot 2");
  await expect(boots.single()).rejects.toMatchObject({ code: "NOT_SINGLE" });
  await expect(boots.eq("id", -1).single()).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("walks over all pages, each item once, in order", async () => {
  requests.length = 0;
  const prices: (string | null)[] = [];
  for await (const { price } of products().query().select("price").sort("-price").all()) prices.push(price);
  expect(prices).toHaveLength(250);
  expect(prices.slice(0, 3)).toEqual([null, "124.50", "124.00"]);
  expect(requests).toHaveLength(3);
  expect(requests[0]).toMatch(/count=none.*cursor=$/);
  const ids: number[] = [];
  for await (const { id } of products().all({ filter: { stock: 3 }, fields: ["id"], limit: 10 }))
    ids.push(id);
  expect(ids).toEqual(Array.from({ length: 25 }, (_, i) => i * 10 + 4));
  const sizes: number[] = [];
  for await (const { data, totalCount } of products().query().withCount("exact").limit(120).pages()) {
    expect(totalCount).toBe(250);
    sizes.push(data.length);
  }
  expect(sizes).toEqual([120, 120, 10]);
});

test("counts as it is told", async () => {
  const none = await products().find({ limit: 1, count: "none" });
  expect("totalCount" in none).toBe(false);
  const guess = await products().find({ limit: 1, count: "estimated" });
  expect([typeof guess.totalCount, guess.estimated]).toEqual(["number", true]);
});

test("searches", async () => {
  const found = await products().query().search("boots run", ["name"]).eq("stock", 2).get();
  expect(found.totalCount).toBe(25);
  expect(await products().query().search("hat").count()).toBe(125);
  const fuzzy = await products().query().search("feltt hatt", ["name"], { searchMode: "fuzzy" }).first();
  expect(fuzzy?.name).toStartWith("felt hat");
});

test("aggregates, with the filter of the builder", async () => {
  const aggregate = {
    n: { function: "count", field: "*" },
    total: { function: "sum", field: "price" },
    dearest: { function: "max", field: "price" },
  } as const;
  expect(await products().aggregate({ aggregate, filter: { stock: 3 } })).toEqual([
    { n: 25, total: 1537.5, dearest: "121.50" },
  ]);
  const rows = await products()
    .query()
    .isNotNull("category.id")
    .aggregate({
      aggregate,
      groupBy: ["category.name", "date:month:soldAt"],
      having: { n: { gt: 33 } },
      sort: { total: "desc" },
      limit: 2,
      exact: true,
    });
  expect(rows).toHaveLength(2);
  for (const row of rows) {
    expect(row.category_name).toBe(row["category.name"]);
    expect(row.month_soldAt).toBe(row["date:month:soldAt"]);
    expect(row.n).toBeGreaterThan(33);
    expect(row.total).toMatch(/^\d+\.\d\d$/);
  }
  expect(await products().aggregate({ groupBy: ["tags"], sort: "tags" })).toEqual([
    { tags: ["new", "sale"] },
    { tags: ["old"] },
  ]);
});

test("deleted items are there when asked for", async () => {
  const id = await products().create({ name: "gone" });
  await products().delete(id);
  const gone = products().query().eq("name", "gone");
  expect(await gone.exists()).toBe(false);
  expect(await gone.withDeleted().count()).toBe(1);
  expect((await gone.withDeleted().single()).deletedAt).toBeString();
});

test("shows the related items that are wanted", async () => {
  const { data } = await baasix
    .items("categories")
    .query()
    .select("name", "products.id")
    .relFilter({ products: { stock: { eq: 3 } } })
    .eq("name", "Hats")
    .get();
  expect(data[0]?.products.map(({ id }) => id).slice(0, 2)).toEqual([4, 14]);
});

test("chooses, orders and limits related items in the selection", async () => {
  const { data } = await baasix
    .items("categories")
    .query()
    .select("name", { products: { fields: ["id"], filter: { stock: { lt: 5 } }, sort: "-id", limit: 2 } })
    .orderBy("name")
    .get();
  expect<unknown>(data).toEqual([
    { name: "Hats", products: [{ id: 244 }, { id: 242 }] },
    { name: "Shoes", products: [{ id: 245 }, { id: 243 }] },
  ]);
});

test("exports more than a list may hold, as a stream", async () => {
  const lines = await new Response(
    await products().query().eq("stock", 3).select("id").sort("id").export("ndjson"),
  ).text();
  expect(lines.trimEnd().split("\n").slice(0, 2)).toEqual(['{"id":4}', '{"id":14}']);
  const csv = await products().export({ format: "csv", fields: ["id", "name"], limit: 1, sort: "id" });
  expect(await new Response(csv).text()).toBe("id,name\n1,running boot 0\n");
  await expect(products().export({ fields: ["nothing" as never] })).rejects.toMatchObject({
    code: "UNKNOWN_FIELD",
  });
});

test("every read ends by its signal", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const stream = await products().export({}, { signal });
  const reader = stream.getReader();
  expect((await reader.read()).done).toBe(false);
  const walk = products().query().limit(10).all({ signal });
  await walk.next();
  const reason = new Error("enough");
  controller.abort(reason);
  const query = products().query();
  const aggregate = { n: { function: "count" } } as const;
  const results = await Promise.allSettled([
    reader.read(),
    (async () => {
      for await (const _ of walk) void _;
    })(),
    products().find({}, { signal }),
    products().findOne(1, { signal }),
    products().count({}, { signal }),
    products().aggregate({ aggregate }, { signal }),
    query.get({ signal }),
    query.first({ signal }),
    query.single({ signal }),
    query.exists({ signal }),
    query.aggregate({ aggregate }, { signal }),
    query.export("csv", { signal }),
    baasix.permissions.find({}, { signal }),
    baasix.roles.find({}, { signal }),
  ]);
  for (const result of results) expect(result).toEqual({ status: "rejected", reason });
});

test("every operator is a step", () => {
  const query = products().query() as unknown as Record<string, unknown>;
  expect(operatorNames.filter((name: OperatorName) => typeof query[name] !== "function")).toEqual([]);
});
