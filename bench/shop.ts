/** The data that the workloads run on: a shop with products, categories, reviews and orders, and a user who may see some. */
import { connectTo } from "./server-process";

export const admin = { email: "bench@example.com", password: "correct-horse" };
export const user = { email: "user@example.com", password: "correct-horse", firstName: "User" };

export type Call = <T = unknown>(method: string, path: string, body?: unknown) => Promise<T>;

/** A caller of the API that throws when the answer is no success. */
export function caller(url: string, token: string | null): Call {
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const isForm = body instanceof FormData;
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return JSON.parse(text) as T;
  };
}

/** Signs in and gives the token. */
export async function signIn(url: string, { email, password }: typeof admin): Promise<string> {
  return (await caller(url, null)<{ token: string }>("POST", "/auth/login", { email, password })).token;
}

const id = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } };
const required = { allowNull: false };

const collections = {
  categories: { id, name: { type: "String", ...required } },
  products: {
    id,
    name: { type: "String", ...required },
    price: { type: "Decimal", values: { precision: 10, scale: 2 }, ...required },
    stock: { type: "Integer", ...required },
    status: { type: "Enum", values: ["active", "draft", "archived"], ...required },
    rating: { type: "Double" },
  },
  reviews: { id, rating: { type: "Integer", ...required }, body: { type: "Text" } },
  orders: {
    id,
    number: { type: "Integer", ...required },
    note: { type: "String" },
    amount: { type: "Decimal", values: { precision: 10, scale: 2 } },
  },
};

/** What is searched. */
const articles = {
  name: "articles",
  fields: {
    id,
    title: { type: "String", ...required },
    body: { type: "Text" },
    status: { type: "Enum", values: ["active", "draft"], ...required },
  },
  searchable: ["title", "body"],
};

/** What the measured user may do: everything here is a row condition, none is free. */
const permissions = [
  {
    collection: "products",
    action: "read",
    fields: ["*", "category.*", "reviews.*"],
    conditions: { status: { eq: "active" } },
  },
  { collection: "categories", action: "read", fields: ["*"], conditions: {} },
  { collection: "reviews", action: "read", fields: ["*"], conditions: {} },
  { collection: "articles", action: "read", fields: ["*"], conditions: { status: { eq: "active" } } },
  { collection: "orders", action: "create", fields: ["*"], conditions: { number: { gte: 0 } } },
  { collection: "orders", action: "update", fields: ["*"], conditions: { number: { gte: 0 } } },
  { collection: "orders", action: "read", fields: ["*"], conditions: { number: { gte: 0 } } },
  { collection: "baasix_File", action: "read", fields: ["*"], conditions: {} },
];

/** Makes collections, permissions, the user, over the API. */
export async function buildShop(url: string): Promise<void> {
  const call = caller(url, await signIn(url, admin));
  for (const [collectionName, fields] of Object.entries(collections)) {
    await call("POST", "/schemas", { collectionName, schema: { name: collectionName, fields } });
  }
  await call("POST", "/schemas", { collectionName: "articles", schema: articles });
  await call("POST", "/schemas/products/relationships", {
    type: "M2O",
    name: "category",
    target: "categories",
    alias: "products",
  });
  await call("POST", "/schemas/reviews/relationships", {
    type: "M2O",
    name: "product",
    target: "products",
    alias: "reviews",
  });
  const role_Id = await userRole(call);
  for (const permission of permissions) await call("POST", "/permissions", { ...permission, role_Id });
  await caller(url, null)("POST", "/auth/register", user);
}

/** The role that registration gives. */
async function userRole(call: Call): Promise<string | undefined> {
  const filter = encodeURIComponent(JSON.stringify({ name: "user" }));
  const { data } = await call<{ data: readonly { id: string }[] }>(
    "GET",
    `/items/baasix_Role?filter=${filter}`,
  );
  return data[0]?.id;
}

/** Makes a collection with an id and these fields, and lets those who register read what meets the conditions. */
export async function buildCollection(
  call: Call,
  name: string,
  fields: Readonly<Record<string, object>>,
  conditions: object = {},
): Promise<void> {
  await call("POST", "/schemas", { collectionName: name, schema: { name, fields: { id, ...fields } } });
  const grant = { collection: name, action: "read", fields: ["*"], conditions };
  await call("POST", "/permissions", { ...grant, role_Id: await userRole(call) });
}

/** A word of the articles by its number: seven letters. */
const vocabulary = 5000;
const wordSql = (number: string) =>
  `translate(substr(md5((${number})::text), 1, 7), '0123456789', 'ghijklmnop')`;

/** The words that `fillArticles` uses. */
export function articleWords(): readonly string[] {
  const letters = "ghijklmnop";
  return Array.from({ length: vocabulary }, (_, n) =>
    new Bun.CryptoHasher("md5")
      .update(String(n))
      .digest("hex")
      .slice(0, 7)
      .replace(/\d/g, (digit) => letters[Number(digit)] ?? ""),
  );
}

/** Fills the articles: 20 words each, half of them active, with the index of the floor beside ours. */
export async function fillArticles(cwd: string, rows: number): Promise<void> {
  const sql = connectTo(cwd);
  const words = (from: number, to: number) =>
    `(SELECT string_agg(${wordSql(`(n * 7919 + k * 104729 + n * k) % ${vocabulary}`)}, ' ') FROM generate_series(${from}, ${to}) k)`;
  const steps = [
    `INSERT INTO articles (title, body, status, "createdAt")
      SELECT ${words(1, 4)}, ${words(5, 20)}, (ARRAY['active', 'draft'])[1 + n % 2], now() - n * interval '1 second'
      FROM generate_series(1, ${rows}) n`,
    `CREATE INDEX IF NOT EXISTS bench_articles_created ON articles ("createdAt")`,
    `CREATE INDEX IF NOT EXISTS bench_articles_words ON articles USING gin (to_tsvector('english', title || ' ' || body))`,
    `VACUUM ANALYZE articles`,
  ];
  for (const step of steps) await sql.unsafe(step);
  await sql.close();
}

/** Fills the tables straight in the database, and makes the indexes that both sides use. */
export async function fillShop(cwd: string, rows: number): Promise<void> {
  const sql = connectTo(cwd);
  const steps = [
    `INSERT INTO categories (name) SELECT 'Category ' || n FROM generate_series(1, 50) n`,
    `INSERT INTO products (name, price, stock, status, rating, "createdAt", "category_Id")
      SELECT 'Product ' || n, (n::bigint * 7919 % 100000) / 100.0, n % 200,
        (ARRAY['active', 'active', 'draft', 'archived'])[1 + n % 4], (n % 50) / 10.0, now() - n * interval '1 second', c.id
      FROM generate_series(1, ${rows}) n
      JOIN (SELECT id, row_number() OVER () AS place FROM categories) c ON c.place = 1 + n % 50`,
    `INSERT INTO reviews (rating, body, "product_Id")
      SELECT 1 + n % 5, 'Review ' || n, p.id FROM products p CROSS JOIN generate_series(1, 3) n`,
    `INSERT INTO orders (number, note, amount) SELECT n, 'Order ' || n, n / 100.0 FROM generate_series(1, ${rows}) n`,
    `CREATE INDEX IF NOT EXISTS bench_products_created ON products ("createdAt")`,
    `CREATE INDEX IF NOT EXISTS bench_products_price ON products (price)`,
    `CREATE INDEX IF NOT EXISTS bench_reviews_product ON reviews ("product_Id")`,
    `VACUUM ANALYZE categories`,
    `VACUUM ANALYZE products`,
    `VACUUM ANALYZE reviews`,
    `VACUUM ANALYZE orders`,
  ];
  for (const step of steps) await sql.unsafe(step);
  await sql.close();
}

/** Some ids, in no order. */
export async function sampleIds(
  cwd: string,
  table: "products" | "orders",
  count: number,
): Promise<readonly string[]> {
  const sql = connectTo(cwd);
  const where = table === "products" ? `WHERE status = 'active'` : "";
  const rows = (await sql
    .unsafe(`SELECT id::text FROM ${table} ${where} ORDER BY md5(id::text) LIMIT ${count}`)
    .values()) as string[][];
  await sql.close();
  return rows.map(([found]) => found ?? "");
}
