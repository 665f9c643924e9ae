import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { system } from "../../core/access/actor";
import { testApp, type TestApp } from "../../testing/app";
import { dataOf, errorOf, openStock } from "../../testing/stock";

const root = system("looks behind the door for the test");

let app: TestApp;
let shop: Awaited<ReturnType<typeof openStock>>;

beforeAll(async () => {
  app = await testApp();
  shop = await openStock(app);
});
afterAll(() => app.close());
beforeEach(() => shop.refill());

describe("entity tags (RFC 9110)", () => {
  const tagOf = async (path = "products/901", token = app.admin) =>
    (await shop.send(`GET ${path}`, { token })).headers.get("etag") ?? "";

  test("a read tells one, and is not repeated to who has it", async () => {
    const first = await shop.send("GET products/901");
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"\d+-[0-9a-z]+"$/);
    expect(first.headers.get("cache-control")).toBe("private, no-cache");
    for (const header of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const again = await shop.send("GET products/901", { headers: { "if-none-match": header } });
      expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", etag]);
    }
    for (const header of ['"x"', etag.slice(1, -1), etag.replace("-", "-0")]) {
      expect((await shop.send("GET products/901", { headers: { "if-none-match": header } })).status).toBe(
        200,
      );
    }
    expect((await shop.send("GET products/999", { headers: { "if-none-match": "*" } })).status).toBe(404);
  });

  test("it follows the row, the fields, and what relations show", async () => {
    const path = "products/901?fields=name,reviews.text";
    const [whole, some] = [await tagOf(), await tagOf(path)];
    expect(whole).not.toBe(some);
    expect(whole.split("-")[0]).toBe(some.split("-")[0]);
    await app.data.create(root, "reviews", [{ text: "good", product_Id: 901 }]);
    expect(await tagOf()).toBe(whole);
    expect(await tagOf(path)).not.toBe(some);
    await shop.send("PATCH products/901", { body: { stock: 4 } });
    expect((await tagOf()).split("-")[0]).not.toBe(whole.split("-")[0]);
  });

  type Condition = [string, (tag: string) => string, number, string | null];
  const conditions: Condition[] = [
    ["the tag of the item", (tag) => tag, 200, null],
    ["one among others", (tag) => `"x", W/"y", ${tag}, "1-a"`, 200, null],
    ["its part before the dash", (tag) => `${tag.split("-")[0]}"`, 200, null],
    ["any state", () => "*", 200, null],
    ["an older tag", () => '"5-abc"', 412, "PRECONDITION_FAILED"],
    ["two older tags", () => '"5-abc", "6"', 412, "PRECONDITION_FAILED"],
    ["a weak tag", (tag) => `W/${tag}`, 412, "PRECONDITION_FAILED"],
    ["a tag of another server", () => '"abc"', 412, "PRECONDITION_FAILED"],
    ["a number that is no version", () => '"99999999999"', 412, "PRECONDITION_FAILED"],
    ["no quotes", (tag) => tag.slice(1, -1), 400, "BAD_REQUEST"],
    ["an empty list", () => ",", 400, "BAD_REQUEST"],
    ["too many", () => Array.from({ length: 11 }, (_, i) => `"${i + 1}"`).join(), 400, "BAD_REQUEST"],
  ];
  for (const [method, body] of [
    ["PATCH", { stock: 8 }],
    ["DELETE", undefined],
    ["PATCH", { deletedAt: "2026-01-01" }],
  ] as const) {
    test.each(conditions)(`${method} ${JSON.stringify(body)} under %s`, async (_, header, status, code) => {
      const headers = { "if-match": header(await tagOf()) };
      const before = await shop.everything();
      const answer = await shop.send(`${method} products/901`, { headers, body });
      expect([answer.status, errorOf(answer)?.code ?? null]).toEqual([status, code]);
      expect((await shop.everything()) === before).toBe(status !== 200);
    });
  }

  test("a missing or hidden item is not found, whatever the condition", async () => {
    for (const header of ["*", '"5"', '"abc"', 'W/"5"']) {
      for (const [path, token] of [
        ["products/999", app.admin],
        ["products/903", shop.ann],
      ] as const) {
        const answer = await shop.send(`PATCH ${path}`, {
          token,
          headers: { "if-match": header },
          body: { stock: 1 },
        });
        expect([path, header, answer.status]).toEqual([path, header, 404]);
      }
    }
  });

  test("the answer to a conditional write carries the new tag, where the actor may read", async () => {
    const answer = await shop.send("PATCH products/901", {
      headers: { "if-match": await tagOf() },
      body: { stock: 4 },
    });
    expect([dataOf(answer), answer.headers.get("etag")]).toEqual([{ id: 901 }, await tagOf()]);
    const own = await shop.send("PATCH products/901", {
      token: shop.ann,
      headers: { "if-match": "*" },
      body: { stock: 5 },
    });
    expect(own.headers.get("etag")).toBe(await tagOf("products/901", shop.ann));
    const shown = await shop.send("PATCH products/901?fields=stock", { body: { stock: 6 } });
    expect(shown.headers.get("etag")).toBe(await tagOf("products/901?fields=stock"));
    const unseen = await shop.send("PATCH products/901", {
      token: shop.blind,
      headers: { "if-match": "*" },
      body: { name: "x" },
    });
    expect([unseen.status, unseen.headers.get("etag")]).toEqual([200, null]);
  });

  test("related items in the same write are under the same condition", async () => {
    const old = await tagOf();
    const body = { stock: 4, reviews: [{ text: "good" }] };
    const write = (tag: string) => shop.send("PATCH products/901", { headers: { "if-match": tag }, body });
    expect((await write(old)).status).toBe(200);
    const refused = await write(old);
    expect([refused.status, errorOf(refused)?.code]).toEqual([412, "PRECONDITION_FAILED"]);
    expect(await app.data.find(root, "reviews", { fields: ["text"] })).toEqual([{ text: "good" }]);
    const only = { headers: { "if-match": old }, body: { reviews: [] } };
    expect((await shop.send("PATCH products/901", only)).status).toBe(412);
    expect(await app.data.find(root, "reviews", {})).toHaveLength(1);
  });

  test("of many that hold one version, one writes", async () => {
    const headers = { "if-match": await tagOf() };
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => shop.send("PATCH products/901", { headers, body: { stock: i } })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      200,
      ...Array.from({ length: 15 }, () => 412),
    ]);
  });

  test("counting under versions loses nothing", async () => {
    const add = async (): Promise<void> => {
      for (;;) {
        const { body, headers } = await shop.send("GET products/903");
        const { stock } = (body as { data: { stock: number } }).data;
        const wish = { headers: { "if-match": headers.get("etag") ?? "" }, body: { stock: stock + 1 } };
        if ((await shop.send("PATCH products/903", wish)).status === 200) return;
      }
    };
    await Promise.all(Array.from({ length: 8 }, add));
    expect((await shop.products())[2]).toBe("903 Cap 8");
  });

  test("a bulk names versions beside its entries", async () => {
    const version = await tagOf();
    const body = [
      { id: 901, data: { stock: 7 }, version },
      { id: 902, data: { stock: 7 } },
    ];
    expect((await shop.send("PATCH products/bulk", { body })).status).toBe(200);
    expect((await shop.send("PATCH products/bulk", { body })).status).toBe(412);
  });

  test.each([
    "POST products",
    "PUT products",
    "PATCH products",
    "DELETE products",
    "POST products/bulk",
    "PATCH products/bulk",
    "DELETE products/bulk",
    "POST products/restore",
    "POST products/901/restore",
  ])("%s takes no conditions", async (request) => {
    const answer = await shop.send(request, { headers: { "if-match": "*" }, body: {} });
    expect([answer.status, errorOf(answer)?.message]).toEqual([
      400,
      "If-Match: this request takes no such condition",
    ]);
  });
});
