/** The shop that the guides speak of: its collections, its items and its rights. */
import type { Baasix } from "@baasix/sdk";
import type { TestApp } from "../../server/testing/app";

/** The account that guides sign in as where they do not say otherwise. */
export const customer = { email: "ann@example.com", password: "password123", firstName: "Ann" };

const key = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } } as const;

const products = [
  { name: "Boot", price: "29.90", stock: 3, status: "active", tags: ["leather", "new"], category: "Shoes" },
  { name: "Sandal", price: "19.00", stock: 0, status: "active", tags: ["new"], category: "Shoes" },
  { name: "Hat", price: "12.50", stock: 7, status: "active", tags: ["felt"], category: "Hats" },
  { name: "Cap", price: "8.00", stock: 5, status: "draft", tags: [], category: "Hats" },
  { name: "Sock", price: "4.50", stock: 12, status: "active", tags: ["wool"], category: null },
];
const sizes: Readonly<Record<string, unknown>> = {
  Boot: { color: "brown", sizes: [41, 42, 43] },
  Hat: { color: "black" },
};
const reviews = [
  { product: "Boot", stars: 5, text: "Warm and dry" },
  { product: "Boot", stars: 4, text: "Good boots for walking" },
  { product: "Hat", stars: 3, text: "It shrinks in the rain" },
];

/** Fills an app. `admin` is signed in as its administrator. Gives the ids of products by name. */
export async function openShop(app: TestApp, admin: Baasix): Promise<ReadonlyMap<string, string>> {
  await admin.schemas.create("categories", {
    name: "Category",
    fields: { id: key, name: { type: "String", allowNull: false } },
  });
  await admin.schemas.create("products", {
    name: "Product",
    paranoid: true,
    fields: {
      id: key,
      name: { type: "String", allowNull: false },
      price: { type: "Decimal", values: { precision: 10, scale: 2 } },
      stock: { type: "Integer", allowNull: false, defaultValue: 0 },
      status: {
        type: "Enum",
        values: ["draft", "active", "archived"],
        allowNull: false,
        defaultValue: "active",
      },
      tags: { type: "Array", values: { type: "String" } },
      details: { type: "JSONB" },
    },
  });
  await admin.schemas.create("reviews", {
    name: "Review",
    fields: {
      id: key,
      text: { type: "Text", allowNull: false },
      stars: { type: "Integer", validate: { min: 1, max: 5 } },
    },
  });
  await admin.schemas.createRelationship("products", {
    type: "M2O",
    name: "category",
    target: "categories",
    alias: "products",
  });
  await admin.schemas.createRelationship("reviews", {
    type: "M2O",
    name: "product",
    target: "products",
    alias: "reviews",
    onDelete: "CASCADE",
  });
  await grant(admin);
  if (app.config.MULTI_TENANT) await admin.roles.create({ name: "owner", isTenantSpecific: true });
  const founding = app.config.MULTI_TENANT ? { tenant: { name: "Ann's" } } : {};
  await app.call("POST", "/auth/register", { body: { ...customer, ...founding } });
  const [shoes, hats] = await admin.items("categories").createMany([{ name: "Shoes" }, { name: "Hats" }]);
  const categories = new Map([
    ["Shoes", shoes],
    ["Hats", hats],
  ]);
  const ids = new Map<string, string>();
  for (const { category, ...product } of products) {
    const item = {
      ...product,
      details: sizes[product.name],
      category_Id: categories.get(category ?? "") ?? null,
    };
    // One by one, so that each is newer than the one before.
    // oxlint-disable-next-line no-await-in-loop
    ids.set(product.name, String(await admin.items("products").create(item)));
  }
  for (const { product, ...review } of reviews) {
    // oxlint-disable-next-line no-await-in-loop
    await admin.items("reviews").create({ ...review, product_Id: ids.get(product) });
  }
  return ids;
}

/** Everybody may look at what is for sale; those with an account may change it, and write reviews. */
async function grant(admin: Baasix): Promise<void> {
  for (const name of ["public", "user"]) {
    // oxlint-disable-next-line no-await-in-loop
    const role = (await admin.roles.findByName(name))?.id ?? "";
    for (const collection of ["products", "categories", "reviews"]) {
      const write = name === "user" && collection === "products" ? {} : (false as const);
      // oxlint-disable-next-line no-await-in-loop
      await admin.permissions.createCrudPermissions(role, collection, {
        read: { fields: ["*"] },
        create: name === "user" && collection === "reviews" ? {} : write,
        update: write,
        delete: write,
      });
    }
  }
}
