/** The client against the real server, over real sockets. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import { type Baasix, BaasixError, createBaasix, type Permission } from ".";

interface Product {
  id: string;
  name: string;
  price: `${number}` | null;
  stock: number;
  secret: string | null;
  category: Category | null;
  createdAt: string;
}
interface Category {
  id: string;
  name: string;
  products: Product[];
}
interface Shop {
  products: Product;
  categories: Category;
}

const key = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } } as const;
let now = Date.now();
let app: TestApp;
let url: string;
let admin: Baasix<Shop>;
let roleId: string;
const clients: Baasix<Shop>[] = [];

function client(more: object = {}): Baasix<Shop> {
  const made = createBaasix<Shop>({ url, ...more });
  clients.push(made);
  return made;
}

let accounts = 0;
async function signedUp(more: object = {}): Promise<{ baasix: Baasix<Shop>; email: string }> {
  const baasix = client(more);
  const email = `user${++accounts}@example.com`;
  await baasix.auth.register({ email, password: "password123", firstName: "Ann" });
  return { baasix, email };
}

beforeAll(async () => {
  app = await testApp({ now: () => now });
  url = app.listen();
  admin = client();
  await admin.auth.login(testAdmin);
  await admin.schemas.create("categories", {
    name: "Category",
    fields: { id: key, name: { type: "String" } },
  });
  await admin.schemas.create({
    collectionName: "products",
    schema: {
      name: "Product",
      fields: {
        id: key,
        name: { type: "String", allowNull: false, unique: true },
        price: { type: "Decimal", values: { precision: 10, scale: 2 } },
        stock: { type: "Integer", defaultValue: 0 },
        secret: { type: "String" },
      },
    },
  });
  await admin.schemas.createRelationship("products", {
    type: "M2O",
    name: "category",
    target: "categories",
    alias: "products",
  });
  roleId = (await admin.roles.findByName("user"))?.id ?? "";
  await admin.permissions.createCrudPermissions(roleId, "products", {
    read: { fields: ["id", "name", "price", "stock", "category.*"] },
    create: { fields: ["name", "price", "stock"] },
    update: { fields: ["stock"] },
    delete: false,
  });
  await admin.permissions.create({
    role_Id: roleId,
    collection: "categories",
    action: "read",
    fields: ["*"],
  });
});
afterAll(async () => {
  for (const each of clients) each.close();
  await app.close();
});

test("signs up, in and out, and knows who is there", async () => {
  const events: string[] = [];
  const { baasix, email } = await signedUp({ onAuthStateChange: (event: string) => events.push(event) });
  const { user, isAuthenticated } = await baasix.auth.getState();
  expect([user?.email, isAuthenticated]).toEqual([email, true]);
  expect((await baasix.auth.me())?.email).toBe(email);
  expect((await baasix.auth.getCachedUser())?.email).toBe(email);
  expect(await baasix.auth.checkSession()).toBe(true);
  const token = await baasix.auth.getToken();
  await baasix.auth.logout();
  expect(await baasix.auth.getUser()).toBeNull();
  expect(await baasix.auth.isAuthenticated()).toBe(false);
  expect(await client({ token }).auth.checkSession()).toBe(false);
  const { user: again } = await baasix.auth.login({ email, password: "password123" });
  expect(again?.email).toBe(email);
  await expect(baasix.auth.login({ email, password: "wrong password" })).rejects.toMatchObject({
    name: "BaasixError",
    code: "INVALID_CREDENTIALS",
  });
  expect(await baasix.auth.isAuthenticated()).toBe(true);
  expect(events).toEqual(["INITIALIZED", "SIGNED_IN", "USER_UPDATED", "SIGNED_OUT", "SIGNED_IN"]);
});

test("renews an ended token by itself, rotating the refresh token", async () => {
  const { baasix } = await signedUp();
  const before = await baasix.auth.getToken();
  now += 20 * 60_000;
  const answers = await Promise.all([baasix.items("products").find(), baasix.items("products").find()]);
  expect(answers).toHaveLength(2);
  const { token, expiresIn } = await baasix.auth.refreshToken();
  expect(token).not.toBe(before);
  expect(expiresIn).toBe(900);
  expect(await baasix.auth.checkSession()).toBe(true);
});

test("creates, reads, changes and deletes items", async () => {
  const products = admin.items("products");
  const shoes = await admin.items("categories").create({ name: "Shoes" });
  const id = await products.create({ name: "Boot", price: 29.9, stock: 3, category: shoes });
  expect(id).toBeString();
  const boot = await products.findOne(id, { fields: ["name", "price", "category.name"] });
  expect(boot).toMatchObject({ name: "Boot", price: "29.90", category: { name: "Shoes" } });
  expect(await products.update(id, { stock: 4 })).toBe(id);
  const shown = await products.update(id, { stock: 5 }, { fields: ["id", "stock"] });
  expect(shown).toEqual({ id: String(id), stock: 5 } as Product);
  const more = await products.createMany([
    { name: "Sock", price: 4, stock: 0 },
    { name: "Hat", price: "12.50", stock: 7 },
  ]);
  expect(await products.updateMany(more, { stock: 1 })).toEqual(more);
  const { data, totalCount } = await products.find({
    filter: { price: { lt: 20 }, stock: 1 },
    sort: { price: "desc" },
    fields: ["name"],
    limit: 1,
  });
  expect([data.map(({ name }) => name), totalCount]).toEqual([["Hat"], 2]);
  const query = products
    .query()
    .where({ name: { startsWith: "S" } })
    .orderBy("name")
    .select("name", "stock");
  expect(await query.first()).toMatchObject({ name: "Sock", stock: 1 });
  expect(await query.count()).toBe(1);
  expect((await products.query().filter({ "category.name": "Shoes" }).get()).totalCount).toBe(1);
  await products.delete(id);
  await expect(products.findOne(id)).rejects.toMatchObject({ status: 404, code: "NOT_FOUND" });
  await products.deleteMany(more);
  expect((await products.find()).totalCount).toBe(0);
});

test("a refusal says what the server said", async () => {
  const { baasix } = await signedUp();
  const products = baasix.items("products");
  const id = await products.create({ name: "Scarf" });
  const refused = await products.delete(id).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(BaasixError);
  expect(refused).toMatchObject({ status: 403, code: "FORBIDDEN", isRetryable: false });
  expect((refused as BaasixError).requestId).toBeString();
  await expect(products.find({ filter: { secret: "x" } })).rejects.toMatchObject({ status: 403 });
  await expect(products.create({ name: "Scarf" })).rejects.toMatchObject({ code: "UNIQUE_VIOLATION" });
  await expect(products.find({ sort: "nam" })).rejects.toMatchObject({ code: "UNKNOWN_FIELD" });
  await admin.items("products").delete(id);
});

test("defines collections, with a look ahead", async () => {
  const schema = { name: "Draft", fields: { id: key, title: { type: "String" } } } as const;
  await admin.schemas.create("drafts", schema);
  const known = await admin.schemas.find({ search: "draft" });
  expect(known.data.map(({ collectionName }) => collectionName)).toEqual(["drafts"]);
  await admin.schemas.addField("drafts", "body", { type: "Text" });
  expect((await admin.schemas.findOne("drafts")).schema.fields.body).toMatchObject({ type: "Text" });
  await admin.items<{ title: string; body: string }>("drafts").create({ title: "a", body: "b" });
  const changes = await admin.schemas.diff("drafts", schema);
  expect(changes.map(({ field }) => field)).toEqual(["body"]);
  await expect(admin.schemas.removeField("drafts", "body")).rejects.toMatchObject({ code: "DATA_LOSS" });
  await admin.schemas.removeField("drafts", "body", { force: true });
  expect((await admin.schemas.findOne("drafts")).schema.fields.body).toBeUndefined();
  await admin.schemas.delete("drafts");
  await expect(admin.schemas.findOne("drafts")).rejects.toMatchObject({ status: 404 });
});

test("hands out and withdraws rights", async () => {
  const roleName = "Editor";
  const editor = String(await admin.roles.create({ name: roleName, description: "writes" }));
  const made = await admin.permissions.createCrudPermissions(editor, "products", {
    read: {},
    update: { fields: ["name"], conditions: { stock: { gt: 0 } } },
    delete: false,
  });
  expect(made.map(({ action, fields }) => [action, fields])).toEqual([
    ["read", ["*"]],
    ["update", ["name"]],
  ]);
  const [read] = made as [Permission, Permission];
  expect((await admin.permissions.update(read.id, { fields: ["id", "name"] })).fields).toEqual([
    "id",
    "name",
  ]);
  expect((await admin.permissions.findByRole(editor)).totalCount).toBe(2);
  await admin.permissions.delete(read.id);
  expect((await admin.permissions.findByRole(editor)).data.map(({ action }) => action)).toEqual(["update"]);
  const onProducts = await admin.permissions.findByCollection("products");
  expect(onProducts.data.length).toBeGreaterThan(1);
  await expect(admin.permissions.findOne(read.id)).rejects.toMatchObject({ status: 404 });
  const { email } = await signedUp();
  const found = await admin.users.findByEmail(email.toUpperCase());
  expect(found?.status).toBe("active");
  await admin.users.suspend(found?.id ?? "");
  await expect(client().auth.login({ email, password: "password123" })).rejects.toMatchObject({
    status: 403,
  });
});

test("uploads, finds, changes, shows and deletes files", async () => {
  const percent: number[] = [];
  const file = new File(["hello"], "hello.txt", { type: "text/plain" });
  const record = await admin.files.upload(file, {
    title: "Greeting",
    isPublic: true,
    onProgress: (done) => percent.push(done),
  });
  expect(record).toMatchObject({ title: "Greeting", originalFilename: "hello.txt", size: 5, isPublic: true });
  expect(percent).toEqual([100]);
  expect((await admin.files.findOne(record.id)).title).toBe("Greeting");
  expect((await admin.files.find({ filter: { title: "Greeting" } })).totalCount).toBe(1);
  expect(await (await fetch(admin.files.getAssetUrl(record.id))).text()).toBe("hello");
  expect((await admin.files.update(record.id, { isPublic: false })).isPublic).toBe(false);
  expect((await fetch(admin.files.getAssetUrl(record.id))).status).toBe(404);
  expect(await (await admin.files.download(record.id)).text()).toBe("hello");
  await admin.files.delete(record.id);
  await expect(admin.files.findOne(record.id)).rejects.toMatchObject({ status: 404 });
  expect(admin.files.getAssetUrl("a b", { width: 200, format: "webp" })).toBe(
    `${url}/assets/a%20b?width=200&format=webp`,
  );
});

test("hears of changes, in the subscriber's fields and filter", async () => {
  const { baasix } = await signedUp();
  const heard: unknown[] = [];
  let wake: (() => void) | undefined;
  const count = async (wanted: number) => {
    while (heard.length < wanted) await new Promise<void>((resolve) => (wake = resolve));
  };
  const live = Promise.withResolvers<string>();
  const stop = baasix.realtime.subscribe(
    "products",
    { filter: { stock: { gt: 5 } }, onLive: live.resolve, onError: live.reject },
    ({ action, data }) => {
      heard.push([action, data.stock, Object.keys(data).toSorted().join()]);
      wake?.();
    },
  );
  expect(await live.promise).toBe("id");
  const products = admin.items("products");
  const id = await products.create({ name: "Glove", stock: 1, secret: "s" });
  await products.update(id, { stock: 6 });
  await products.update(id, { stock: 7 });
  await products.update(id, { stock: 2 });
  await count(3);
  expect(heard).toEqual([
    ["create", 6, "id,name,price,stock"],
    ["update", 7, "id,name,price,stock"],
    ["delete", undefined, "id"],
  ]);
  stop();
  await products.delete(id);
});

test("a subscription that is not allowed says so", async () => {
  const refused = Promise.withResolvers<BaasixError>();
  const { baasix } = await signedUp();
  baasix.realtime.subscribe("baasix_Permission", { onError: refused.resolve }, () => undefined);
  expect((await refused.promise).code).toBe("FORBIDDEN");
});

test("a sign-out ends the connection, and the next user's is another", async () => {
  const { baasix, email } = await signedUp();
  await baasix.realtime.connect();
  const states: boolean[] = [];
  baasix.realtime.onConnectionChange((connected) => states.push(connected));
  await baasix.auth.logout();
  await baasix.auth.login({ email, password: "password123" });
  await baasix.realtime.connect();
  expect(states[0]).toBe(false);
  expect(states.at(-1)).toBe(true);
});

test("knows the server", async () => {
  expect(await admin.server.health()).toBe(true);
  expect(await admin.server.info()).toMatchObject({ live: true, ready: true, parts: { database: "up" } });
  expect(await createBaasix({ url: "http://127.0.0.1:1" }).server.health()).toBe(false);
});

test("open sessions are listed, and ended one by one or all but this", async () => {
  const { baasix, email } = await signedUp();
  const phone = client();
  const laptop = client();
  const account = { email, password: "password123" };
  await phone.auth.login({ ...account, authType: "mobile" });
  await laptop.auth.login(account);
  const open = await baasix.auth.sessions.list();
  expect(open.map(({ type, current }) => [type, current]).toSorted()).toEqual([
    ["default", false],
    ["default", true],
    ["mobile", false],
  ]);
  const mobile = open.find(({ type }) => type === "mobile");
  await baasix.auth.sessions.revoke(mobile?.id ?? "");
  expect(await phone.auth.me()).toBeNull();
  expect(await baasix.auth.sessions.revokeOthers()).toBe(1);
  expect(await laptop.auth.me()).toBeNull();
  expect((await baasix.auth.me())?.email).toBe(email);
  await expect(baasix.auth.sessions.revoke(mobile?.id ?? "")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("an administrator sees and ends a user's sessions", async () => {
  const boss = client();
  await boss.auth.login(testAdmin);
  const { baasix, email } = await signedUp();
  const user = (await baasix.auth.me())?.id ?? "";
  const [own] = await boss.users.sessions.list(user);
  await boss.users.sessions.revoke(user, own?.id ?? "");
  expect(await baasix.auth.me()).toBeNull();
  await baasix.auth.login({ email, password: "password123" });
  expect(await boss.users.sessions.revokeAll(user)).toBe(1);
  expect(await baasix.auth.me()).toBeNull();
});

test("API tokens are made after a fresh proof, used by programs, rotated and deleted", async () => {
  const boss = client();
  await boss.auth.login(testAdmin);
  now += 14 * 60_000;
  await boss.auth.refreshToken();
  now += 60_000;
  const input = { name: "reports", role_Id: roleId };
  await expect(boss.tokens.create(input)).rejects.toMatchObject({
    code: "REAUTHENTICATION_REQUIRED",
    status: 403,
  });
  await expect(boss.auth.reauthenticate("not the password")).rejects.toMatchObject({
    code: "INVALID_CREDENTIALS",
  });
  const { authenticatedAt } = await boss.auth.reauthenticate(testAdmin.password);
  expect(Date.parse(authenticatedAt)).toBe(now);
  const made = await boss.tokens.create(input);
  const { token, ...listed } = made;
  expect((await boss.tokens.list()).find(({ id }) => id === made.id)).toEqual(listed);

  const program = client({ token });
  expect((await program.auth.me())?.id).toBe(made.user_Id);
  await expect(program.auth.sessions.list()).rejects.toMatchObject({ code: "FORBIDDEN" });
  const rotated = await boss.tokens.rotate(made.id);
  await expect(program.items("products").find()).rejects.toMatchObject({ status: 401 });
  const later = client();
  await later.auth.setToken(rotated.token);
  expect((await later.auth.me())?.id).toBe(made.user_Id);
  await boss.tokens.delete(made.id);
  await expect(later.items("products").find()).rejects.toMatchObject({ status: 401 });
  await expect(boss.tokens.delete(made.id)).rejects.toMatchObject({ code: "NOT_FOUND" });
});
