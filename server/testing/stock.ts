/** A small stock of products, and who may do what with it: the world of the tests of writing routes. */
import { system } from "../core/access/actor";
import type { Answer, TestApp } from "./app";

type Json = Record<string, unknown>;

const root = system("sets the scene of the test");
const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };

const schemas: Json = {
  products: {
    name: "Product",
    paranoid: true,
    timestamps: false,
    fields: {
      id: key,
      sku: { type: "String", unique: true },
      name: { type: "String", allowNull: false },
      stock: { type: "Integer", defaultValue: 0 },
      secret: { type: "String" },
    },
  },
  // Not paranoid: `deletedAt` is a column like any other.
  logs: {
    name: "Log",
    timestamps: false,
    fields: { id: key, deletedAt: { type: "DateTime" }, text: { type: "Text" } },
  },
  reviews: { name: "Review", timestamps: false, fields: { id: key, text: { type: "Text" } } },
};

/** What a request of a test brings. Without a token it is the administrator's. */
export type Sent = {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
};

/** A product as `products` tells it; deleted ones stand in brackets. */
export const [boot, hat, cap] = ["901 Boot 3", "902 Hat 5", "903 Cap 0"] as const;

/** Makes collections and rights. `refill` before each test. */
export async function openStock(app: TestApp) {
  const call = async (path: string, body: unknown): Promise<unknown> =>
    ((await app.ok("POST", path, body)).body as { data?: unknown }).data;
  for (const [collectionName, schema] of Object.entries(schemas)) {
    await call("/schemas", { collectionName, schema });
  }
  const relation = { type: "M2O", name: "product", target: "products", alias: "reviews" };
  await call("/schemas/reviews/relationships", relation);
  const { id: writer } = (await call("/items/baasix_Role", { name: "blind" })) as { id: string };
  const [user] = await app.data.find<{ id: string }>(root, "baasix_Role", { filter: { name: "user" } });
  const inStock = { stock: { gt: 0 } };
  const rights: [string | undefined, string, Json][] = [
    [user?.id, "read", { fields: ["id", "sku", "name", "stock"] }],
    [user?.id, "create", { fields: ["sku", "name", "stock"] }],
    [user?.id, "update", { fields: ["sku", "name", "stock", "deletedAt"], conditions: inStock }],
    [user?.id, "delete", { conditions: inStock }],
    [writer, "update", { fields: ["name"] }],
    [writer, "delete", {}],
  ];
  for (const [role_Id, action, rest] of rights) {
    await call("/permissions", { role_Id, collection: "products", action, ...rest });
  }
  const ann = (await app.signUp("ann@example.com")).token;
  const account = await app.signUp("blind@example.com");
  const [membership] = await app.data.find<{ id: string }>(root, "baasix_UserRole", {
    filter: { user_Id: account.id },
  });
  await app.data.update(root, "baasix_UserRole", [{ id: membership?.id ?? "", data: { role_Id: writer } }]);
  const blind = await app.login("blind@example.com", "a good password");

  const all = (collection: string) =>
    app.data.find<Json>(root, collection, {
      sort: "id",
      ...(collection === "products" && { paranoid: false }),
    });

  return {
    /** May read, create, update and delete what is in stock, but for the field `secret`. */
    ann,
    /** May change names and delete, and read nothing. */
    blind,
    refill: async (): Promise<void> => {
      for (const collection of ["reviews", "logs", "products"])
        await app.data.removeWhere(root, collection, { id: { gt: 0 } }, { permanent: true });
      await app.data.create(root, "products", [
        { id: 901, sku: "boot", name: "Boot", stock: 3, secret: "s" },
        { id: 902, sku: "hat", name: "Hat", stock: 5 },
        { id: 903, sku: "cap", name: "Cap", stock: 0 },
      ]);
    },
    /** `send("PATCH products/901", …)` */
    send: (request: string, { token = app.admin, ...rest }: Sent = {}): Promise<Answer> => {
      const [method = "", path = ""] = request.split(" ");
      return app.call(method, `/items/${path}`, { token, ...rest });
    },
    everything: async (): Promise<string> => JSON.stringify([await all("products"), await all("logs")]),
    /** Each as `id name stock`. */
    products: async (): Promise<readonly string[]> =>
      (await all("products")).map(({ id, name, stock, deletedAt }) =>
        deletedAt === null
          ? `${String(id)} ${String(name)} ${String(stock)}`
          : `(${String(id)} ${String(name)} ${String(stock)})`,
      ),
  };
}

/** `data` of an answer. */
export function dataOf({ body }: Answer): unknown {
  return (body as { data?: unknown } | null)?.data;
}

/** `error` of an answer. */
export function errorOf({ body }: Answer): { readonly code: string; readonly message: string } | undefined {
  return (body as { error?: { code: string; message: string } } | null)?.error;
}
