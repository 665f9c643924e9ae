/** The workloads of the table: what is asked of us, and the same work asked of the floor. */
import { articleWords, user } from "./shop";
import type { PreparedRequest } from "./wrk";

/** One row of the table: the same work asked of both. `same`: what must be equal in both answers. */
export type Workload = {
  readonly name: string;
  readonly what: string;
  readonly goal: string;
  readonly ours: readonly PreparedRequest[];
  readonly floor: readonly PreparedRequest[];
  readonly connections?: number;
  readonly same?: (answer: unknown) => unknown;
  /** Each request may be sent once only: rounds take different ones. */
  readonly once?: boolean;
};

/** What the shop holds that requests name. */
export type Shop = {
  readonly products: readonly string[];
  readonly orders: readonly string[];
  readonly file: string;
};

/** The table's rows. */
export function defineWorkloads({ products, orders, file }: Shop): readonly Workload[] {
  const fields = ["id", "name", "price", "stock", "status", "rating", "createdAt"];
  const list = (query: Readonly<Record<string, unknown>>) => {
    const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
    return `?${new URLSearchParams(Object.entries(query).map(([key, value]) => [key, text(value)])).toString()}`;
  };
  const get = (path: string): PreparedRequest => ({ method: "GET", path });
  const send = (method: string, path: string, body: unknown): PreparedRequest => ({
    method,
    path,
    body: JSON.stringify(body),
  });
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  const order = (n: number) => ({ number: n, note: `note ${n}`, amount: "12.50" });
  const bulk = range(100).map(order);
  const words = articleWords().slice(0, 500);
  const beginnings = [
    ...new Set(articleWords().flatMap((word) => [7, 6, 5, 4].map((length) => word.slice(0, length)))),
  ];
  // A width and a height that no other request has: each is made once.
  let size = 100;
  const sizes = range(3000).map(() => ({
    width: 100 + (size++ % 300),
    height: 100 + Math.floor(size / 300),
  }));
  return [
    {
      name: "R1",
      what: "get by id",
      goal: "0.45",
      ours: products.map((id) => get(`/items/products/${id}${list({ fields })}`)),
      floor: products.map((id) => get(`/one/${id}`)),
      same: (answer) => answer,
    },
    {
      name: "R2",
      what: "list 20, filter + sort + total",
      goal: "0.85",
      ours: range(200).map((n) =>
        get(
          `/items/products${list({ fields, filter: { price: { gte: n * 4, lt: n * 4 + 50 } }, sort: "-createdAt", limit: 20 })}`,
        ),
      ),
      floor: range(200).map((n) => get(`/filtered/${n * 4}/${n * 4 + 50}`)),
      same: (answer) => answer,
    },
    {
      // As R3t: no filter comes twice, so that no total can be remembered.
      name: "R2t",
      what: "list 20, filter + sort + total, on first sight",
      goal: "0.90",
      ours: range(48_000).map((n) => {
        const [gte, lt] = [(n / 64).toFixed(2), (n / 64 + 50).toFixed(2)];
        return get(
          `/items/products${list({ fields, filter: { price: { gte, lt } }, sort: "-createdAt", limit: 20 })}`,
        );
      }),
      floor: range(48_000).map((n) => get(`/filtered/${(n / 64).toFixed(2)}/${(n / 64 + 50).toFixed(2)}`)),
      same: (answer) => answer,
      once: true,
    },
    {
      name: "R3",
      what: "list 100 + total, seen before",
      goal: "5.00",
      ours: range(5).map((n) =>
        get(`/items/products${list({ fields, sort: "-createdAt", limit: 100, offset: n * 100 })}`),
      ),
      floor: range(5).map((n) => get(`/hundred/${n * 100}`)),
      same: (answer) => answer,
    },
    {
      // Every request asks for another filter, so that no total can be remembered; all rows match each of them.
      name: "R3t",
      what: "list 100 + total, on first sight",
      goal: "0.95",
      ours: range(12_000).map((n) =>
        get(
          `/items/products${list({ fields, filter: { stock: { gte: -n } }, sort: "-createdAt", limit: 100 })}`,
        ),
      ),
      floor: range(12_000).map((n) => get(`/hundred-from/${-n}`)),
      same: (answer) => answer,
      once: true,
    },
    {
      name: "R4",
      what: "list 20 + M2O + O2M + total",
      goal: "0.80",
      ours: range(50).map((n) =>
        get(
          `/items/products${list({
            fields: ["id", "name", "category.name", "reviews.rating", "reviews.body"],
            sort: "-createdAt",
            limit: 20,
            offset: n * 20,
          })}`,
        ),
      ),
      floor: range(50).map((n) => get(`/related/${n * 20}`)),
      same: withSortedReviews,
    },
    {
      name: "R5",
      what: "aggregate by category",
      goal: "0.95",
      ours: [
        get(
          `/items/products${list({
            aggregate: {
              n: { function: "count", field: "*" },
              stock: { function: "sum", field: "stock" },
              price: { function: "avg", field: "price" },
            },
            groupBy: "category.name",
          })}`,
        ),
      ],
      floor: [get("/by-category")],
      same: withRoundedPrices,
    },
    {
      name: "R6",
      what: "full-text search, 20 + total",
      goal: "0.70",
      ours: words.map((search) =>
        get(`/items/articles${list({ search, fields: ["id", "title"], sort: "-createdAt", limit: 20 })}`),
      ),
      floor: words.map((word) => get(`/search/${word}`)),
      same: (answer) => answer,
    },
    {
      // As R2t: no search comes twice. Whole words and beginnings of words, which few articles have.
      name: "R6t",
      what: "full-text search, 20 + total, on first sight",
      goal: "0.70",
      ours: beginnings.map((search) =>
        get(`/items/articles${list({ search, fields: ["id", "title"], sort: "-createdAt", limit: 20 })}`),
      ),
      floor: beginnings.map((word) => get(`/search/${word}`)),
      same: (answer) => answer,
      once: true,
    },
    {
      name: "W1",
      what: "create one",
      goal: "0.55",
      ours: range(500).map((n) => send("POST", "/items/orders", order(n))),
      floor: range(500).map((n) => send("POST", "/orders", order(n))),
    },
    {
      name: "W2",
      what: "update one",
      goal: "0.55",
      ours: orders.map((id, n) => send("PATCH", `/items/orders/${id}`, { note: `changed ${n}` })),
      floor: orders.map((id, n) => send("PATCH", `/orders/${id}`, { note: `changed ${n}` })),
    },
    {
      name: "W3",
      what: "bulk create 100",
      goal: "0.60",
      ours: [send("POST", "/items/orders/bulk", bulk)],
      floor: [send("POST", "/orders/bulk", bulk)],
    },
    {
      name: "A1",
      what: "login, argon2id",
      goal: "0.95",
      ours: [send("POST", "/auth/login", { email: user.email, password: user.password })],
      floor: [send("POST", "/login", { email: user.email, password: user.password })],
      connections: 4,
    },
    {
      name: "F1",
      what: "image, not stored yet",
      goal: "0.90",
      ours: sizes.map(({ width, height }) =>
        get(`/assets/${file}${list({ width, height, fit: "cover", format: "webp" })}`),
      ),
      floor: sizes.map(({ width, height }) => get(`/image/${width}/${height}`)),
      once: true,
      connections: 4,
    },
    {
      name: "F2",
      what: "image, stored",
      goal: "0.35",
      ours: [get(`/assets/${file}`)],
      floor: [get("/stored")],
    },
  ];
}

/** Means have more digits than a number keeps. */
function withRoundedPrices(answer: unknown): unknown {
  const { data, totalCount } = answer as { data: { price: number }[]; totalCount: number };
  return { totalCount, data: data.map((entry) => ({ ...entry, price: entry.price.toFixed(9) })) };
}

/** Related rows come in no promised order. */
function withSortedReviews(answer: unknown): unknown {
  const { data, totalCount } = answer as { data: { reviews: object[] }[]; totalCount: number };
  const text = (review: object) => JSON.stringify(review);
  return {
    totalCount,
    data: data.map((entry) => ({
      ...entry,
      reviews: entry.reviews.toSorted((a, b) => (text(a) < text(b) ? -1 : 1)),
    })),
  };
}
