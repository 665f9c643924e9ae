/** What the JavaScript SDK document says of reading, roles and permissions, call by call, against the real server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import { type Baasix, createBaasix, type Filter } from ".";

let app: TestApp;
let baasix: Baasix;
let author: string;
let postId: string;
let productId: string;
const clients: Baasix[] = [];

const uuid = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } } as const;

beforeAll(async () => {
  app = await testApp();
  baasix = createBaasix({ url: app.listen() });
  clients.push(baasix);
  const { user } = await baasix.auth.login(testAdmin);
  author = user?.id ?? "";
  await baasix.schemas.create("products", {
    name: "Product",
    paranoid: true,
    fields: {
      id: uuid,
      name: { type: "String" },
      price: { type: "Decimal", values: { precision: 10, scale: 2 } },
      status: { type: "String", defaultValue: "active" },
      category: { type: "String" },
      featured: { type: "Boolean", defaultValue: false },
      views: { type: "Integer", defaultValue: 0 },
      tags: { type: "Array", values: { type: "String" } },
      author_Id: { type: "UUID" },
    },
  });
  await baasix.schemas.create("posts", {
    name: "Post",
    paranoid: true,
    fields: {
      id: uuid,
      title: { type: "String" },
      content: { type: "Text" },
      slug: { type: "String" },
      status: { type: "String" },
    },
  });
  await baasix.schemas.create("comments", {
    name: "Comment",
    fields: { id: uuid, text: { type: "Text" }, approved: { type: "Boolean" } },
  });
  await baasix.schemas.createRelationship("posts", {
    type: "M2O",
    name: "author",
    target: "baasix_User",
    alias: "posts",
  });
  await baasix.schemas.createRelationship("comments", {
    type: "M2O",
    name: "post",
    target: "posts",
    alias: "comments",
  });
  const product = { status: "active", category: "tools", tags: ["featured"], author_Id: author };
  productId = String(await baasix.items("products").create({ ...product, name: "Product 1", price: 100 }));
  await baasix.items("products").createMany([
    { ...product, name: "Productive", price: 29.99, status: "pending", featured: true },
    { ...product, name: "Other", price: 2000, status: "archived", tags: [], views: 2000, author_Id: null },
  ]);
  const post = { status: "published", content: "all about JavaScript", author };
  postId = String(await baasix.items("posts").create({ ...post, title: "First", slug: "my-post" }));
  await baasix.items("posts").create({ ...post, title: "Second", slug: "other" });
  await baasix.items("comments").createMany([
    { text: "good", approved: true, post: postId },
    { text: "spam", approved: false, post: postId },
  ]);
});
afterAll(async () => {
  for (const each of clients) each.close();
  await app.close();
});

describe("items", () => {
  test("find, findOne", async () => {
    const products = baasix.items("products");
    const { data, totalCount } = await products.find({
      filter: { status: { eq: "active" } },
      sort: { createdAt: "desc" },
      limit: 20,
      page: 1,
    });
    expect([data[0]?.name, totalCount]).toEqual(["Product 1", 1]);
    expect((await products.findOne(productId)).price).toBe("100.00");
  });

  test("the query builder", async () => {
    const posts = () => baasix.items("posts").query();
    const results = await posts()
      .select("*", "author.*", "comments.*")
      .filter({ status: { eq: "published" } })
      .sort({ createdAt: "desc" })
      .limit(10)
      .page(1)
      .get();
    expect(results.data.map(({ title }) => title)).toEqual(["Second", "First"]);
    expect(results.data[1]?.author.id).toBe(author);
    expect(results.data[1]?.comments).toHaveLength(2);
    const post = await posts()
      .filter({ slug: { eq: "my-post" } })
      .first();
    expect(post?.title).toBe("First");
    const published = posts().filter({ status: { eq: "published" } });
    expect(await published.count()).toBe(2);
    expect((await posts().offset(1).limit(10).get()).data).toHaveLength(1);
    expect((await posts().search("javascript", ["title", "content"]).get()).totalCount).toBe(2);
    expect((await posts().withDeleted().get()).totalCount).toBe(2);
    const filtered = await posts()
      .select("*", "comments.*")
      .relFilter({ comments: { approved: { eq: true } } })
      .sort("title")
      .get();
    expect(filtered.data.map(({ comments }) => comments.length)).toEqual([1, 0]);
  });

  test.each<[number, Filter]>([
    [1, { price: { eq: 100 } }],
    [2, { price: { neq: 100 } }],
    [1, { price: { gt: 100 } }],
    [2, { price: { gte: 100 } }],
    [1, { price: { lt: 100 } }],
    [2, { price: { lte: 100 } }],
    [2, { name: { like: "%Product%" } }],
    [2, { name: { ilike: "%product%" } }],
    [2, { name: { startsWith: "Pro" } }],
    [2, { name: { contains: "duct" } }],
    [2, { status: { in: ["active", "pending"] } }],
    [2, { price: { between: [10, 100] } }],
    [3, { deletedAt: { isNull: true } }],
    [2, { tags: { arraycontains: ["featured"] } }],
    [1, { AND: [{ status: { eq: "active" } }, { price: { gt: 0 } }] }],
    [2, { OR: [{ featured: { eq: true } }, { views: { gt: 1000 } }] }],
    [2, { author_Id: { eq: "$CURRENT_USER" } }],
    [3, { createdAt: { gte: "$NOW-DAYS_30" } }],
  ])("%p items match %p", async (count, filter) => {
    expect((await baasix.items("products").find({ filter })).totalCount).toBe(count);
  });

  test("aggregate", async () => {
    const results = await baasix.items("products").aggregate({
      aggregate: {
        total: { function: "sum", field: "price" },
        count: { function: "count", field: "id" },
        avgPrice: { function: "avg", field: "price" },
      },
      groupBy: ["category", "status"],
      filter: { createdAt: { gte: "$NOW-DAYS_30" } },
    });
    expect(results).toEqual([
      { category: "tools", status: "active", total: 100, count: 1, avgPrice: 100 },
      { category: "tools", status: "archived", total: 2000, count: 1, avgPrice: 2000 },
      { category: "tools", status: "pending", total: 29.99, count: 1, avgPrice: 29.99 },
    ]);
  });
});

test("reports: aggregate, count, distinct", async () => {
  const { reports } = baasix;
  const results = await reports.aggregate("products", {
    aggregate: { total: { function: "sum", field: "price" }, avg: { function: "avg", field: "price" } },
    groupBy: ["status"],
  });
  expect(results.map(({ status, total }) => [status, total])).toEqual([
    ["active", 100],
    ["archived", 2000],
    ["pending", 29.99],
  ]);
  expect(await reports.count("baasix_User", { status: { eq: "active" } })).toBe(1);
  expect(await reports.distinct("products", "category")).toEqual(["tools"]);
  expect(await reports.distinct("products", "status", { price: { gt: 50 } })).toEqual(["active", "archived"]);
});

describe("roles and permissions", () => {
  test("roles", async () => {
    const roleId = await baasix.roles.create({
      name: "Editor",
      description: "Content editors",
      appAccess: true,
    });
    const { data: roles } = await baasix.roles.find();
    expect(roles.map(({ name }) => name).toSorted()).toEqual(["Editor", "administrator", "public", "user"]);
    expect((await baasix.roles.findOne(roleId)).description).toBe("Content editors");
    expect((await baasix.roles.findByName("Editor"))?.id).toBe(roleId);
    await baasix.roles.update(roleId, { description: "Writers" });
    expect((await baasix.permissions.getRoles()).find(({ id }) => id === roleId)?.description).toBe(
      "Writers",
    );
  });

  test("permissions", async () => {
    const { permissions } = baasix;
    const role = String((await baasix.roles.findByName("Editor"))?.id);
    const permission = await permissions.create({
      role_Id: role,
      collection: "posts",
      action: "update",
      fields: ["title", "content", "status"],
      conditions: { author_Id: { eq: "$CURRENT_USER" } },
    });
    expect(permission).toMatchObject({ collection: "posts", fields: ["title", "content", "status"] });
    const made = await permissions.createCrudPermissions(role, "products", {
      create: { fields: ["name", "price"] },
      read: { fields: ["*"] },
      update: { fields: ["name", "price"] },
      delete: false,
    });
    expect(made.map(({ action }) => action)).toEqual(["create", "read", "update"]);
    expect((await permissions.find()).totalCount).toBeGreaterThanOrEqual(4);
    expect((await permissions.findByRole(role)).data).toHaveLength(4);
    const onProducts = await permissions.findByCollection("products");
    expect(onProducts.data.map(({ collection }) => collection)).toEqual(["products", "products", "products"]);
    const changed = await permissions.update(permission.id, { fields: ["*"], conditions: null });
    expect([changed.fields, changed.conditions]).toEqual([["*"], null]);
    await permissions.delete(permission.id);
    expect((await permissions.findByRole(role)).data).toHaveLength(3);
    await permissions.reloadCache();
  });

  test("export and import", async () => {
    const { permissions } = baasix;
    const exported = await permissions.export();
    const editor = exported.roles.find(({ name }) => name === "Editor");
    expect(editor?.permissions.map(({ collection, action }) => `${collection}:${action}`)).toEqual([
      "products:create",
      "products:read",
      "products:update",
    ]);
    const document = {
      ...exported,
      roles: [
        { name: "Writer", description: "new", permissions: editor?.permissions ?? [] },
        { name: "Editor", permissions: [] },
      ],
    };
    const preview = await permissions.previewImport(document);
    expect(preview.changes.new.map(({ name }) => name)).toEqual(["Writer"]);
    expect(preview.changes.modified.map(({ name }) => name)).toEqual(["Editor"]);
    const kept = await permissions.import(document, { overwrite: false });
    expect([kept.imported, kept.errors]).toEqual([3, []]);
    const role = String((await baasix.roles.findByName("Editor"))?.id);
    expect((await permissions.findByRole(role)).data).toHaveLength(3);
    const importResult = await permissions.import(document, { overwrite: true });
    expect(importResult.imported).toBe(0);
    expect((await permissions.findByRole(role)).data).toHaveLength(0);
  });

  test("what one may do, and why", async () => {
    expect((await baasix.permissions.me()).admin).toBe(true);
    const visitor = createBaasix({ url: baasix.url });
    clients.push(visitor);
    const { user } = await visitor.auth.register({
      email: "ann@example.com",
      password: "password123",
      firstName: "Ann",
    });
    const role = String((await baasix.roles.findByName("user"))?.id);
    await baasix.permissions.createCrudPermissions(role, "products", {
      read: { fields: ["id", "name"], conditions: { status: "active" } },
    });
    const rights = await visitor.permissions.me();
    expect(rights.collections.products).toEqual({
      read: { fields: ["id", "name"], partly: [], conditional: true },
    });
    const told = await baasix.permissions.explain("products", {
      query: { filter: { price: { gt: 1 } } },
      user: user.id,
    });
    expect([told.outcome, told.refusal?.code]).toEqual(["refused", "FORBIDDEN"]);
    const one = await baasix.permissions.explain("products", { id: productId, role: "user" });
    expect([one.outcome, one.row?.visible]).toEqual(["allowed", true]);
    await expect(visitor.permissions.explain("products")).rejects.toMatchObject({ status: 403 });
  });
});
