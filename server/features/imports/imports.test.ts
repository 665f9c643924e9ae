/** Files of items through the app: what comes in, what is refused and told, and that a refusal leaves nothing. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { ImportResult } from "@baasix/types";
import { testApp, type TestApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { runImport } from "./run";

let app: TestApp;
let tokens: Readonly<Record<"admin" | "clerk" | "mender" | "reader", string>>;

const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };

beforeAll(async () => {
  app = await testApp({ env: { IMPORT_LIMIT: "2" } });
  const make = async (collectionName: string, fields: object) => {
    const body = { collectionName, schema: { name: collectionName, fields } };
    expect((await app.call("POST", "/schemas", { token: app.admin, body })).status).toBe(201);
  };
  await make("suppliers", { id: key, name: { type: "String", allowNull: false, unique: true } });
  await make("products", {
    id: key,
    sku: { type: "String", unique: true, allowNull: false, values: { length: 20 } },
    name: { type: "String", defaultValue: "unnamed" },
    price: { type: "Decimal", values: { precision: 8, scale: 2 }, validate: { min: 0 } },
    stock: { type: "Integer" },
    active: { type: "Boolean" },
    added: { type: "Date" },
    rank: { type: "Integer", allowNull: false, defaultValue: 7 },
    kind: { type: "String", allowNull: false, defaultValue: "plain" },
    tags: { type: "Array_String" },
    meta: { type: "JSON" },
    secret: { type: "String" },
  });
  const relation = { type: "M2O", name: "supplier", target: "suppliers", alias: "products" };
  await app.call("POST", "/schemas/products/relationships", { token: app.admin, body: relation });
  const roles = await app.call("POST", "/items/baasix_Role/bulk", {
    token: app.admin,
    body: [{ name: "clerk" }, { name: "reader" }, { name: "mender" }],
  });
  const [clerk, reader, mender] = (roles.body as { data: string[] }).data;
  const grant = async (role_Id: unknown, action: string, fields: string[], conditions: object) => {
    const body = { role_Id, collection: "products", action, fields, conditions };
    expect((await app.call("POST", "/permissions", { token: app.admin, body })).status).toBeLessThan(300);
  };
  await grant(clerk, "create", ["sku", "name", "stock"], { stock: { lt: 100 } });
  await grant(clerk, "update", ["stock"], { stock: { lt: 50 } });
  await grant(reader, "read", ["*"], {});
  await grant(mender, "read", ["*"], {});
  await grant(mender, "update", ["stock"], { stock: { lt: 50 } });
  const as = async (email: string, role_Id: unknown): Promise<string> => {
    const { id } = await app.signUp(email);
    await app.call("DELETE", "/items/baasix_UserRole", {
      token: app.admin,
      body: { filter: { user_Id: id } },
    });
    await app.call("POST", "/items/baasix_UserRole", { token: app.admin, body: { user_Id: id, role_Id } });
    return app.login(email, "a good password");
  };
  tokens = {
    admin: app.admin,
    clerk: await as("clerk@example.com", clerk),
    mender: await as("mender@example.com", mender),
    reader: await as("reader@example.com", reader),
  };
});
afterAll(() => app.close());

const present = { sku: "there", name: "was here", stock: 1 };

beforeEach(async () => {
  await outsider(app.address, "truncate products, suppliers restart identity cascade");
  await app.call("POST", "/items/products", { token: app.admin, body: present });
});

type Who = keyof typeof tokens | "nobody";
type Sent = {
  readonly who?: Who;
  readonly query?: string;
  readonly type?: string;
  readonly headers?: Record<string, string>;
};

async function send(route: "csv" | "json", body: string | FormData, sent: Sent = {}) {
  const { who = "admin", query = "", headers = {} } = sent;
  const type = sent.type ?? (route === "csv" ? "text/csv" : "application/json");
  return app.call("POST", `/items/products/import-${route}${query}`, {
    ...(who !== "nobody" && { token: tokens[who] }),
    body,
    headers: { ...(typeof body === "string" && { "content-type": type }), ...headers },
  });
}

/** The products but the one that was there, with the named fields. */
async function products(fields: string): Promise<readonly Record<string, unknown>[]> {
  const query = `fields=${fields}&sort=id&limit=-1&filter={"sku":{"ne":"there"}}`;
  const { body } = await app.call("GET", `/items/products?${query}`, { token: app.admin });
  return (body as { data: Record<string, unknown>[] }).data;
}

const resultsOf = (body: unknown): ImportResult =>
  (body as { results?: ImportResult }).results ??
  (body as { error: { details: { results: ImportResult } } }).error.details.results;

function form(
  name: string,
  content: string,
  fileName: string,
  type: string,
  fields: Record<string, string> = {},
) {
  const made = new FormData();
  for (const [field, value] of Object.entries(fields)) made.set(field, value);
  made.set(name, new File([content], fileName, { type }));
  return made;
}

describe("values of cells", () => {
  test.each<readonly [string, string, unknown, string?]>([
    ["name", "plain", "plain"],
    ["name", " kept as it is ", " kept as it is "],
    ["name", "", null],
    ["name", '""', ""],
    ["name", '""', null, "?empty=null"],
    ["name", "'=1+1", "=1+1"],
    ["name", "''=1+1", "'=1+1"],
    ["name", "'tis", "'tis"],
    ["name", "[1]", "[1]"],
    ["name", "{x}", "{x}"],
    ["name", '"a, ""b""\nc"', 'a, "b"\nc'],
    ["price", " 12.5 ", "12.50"],
    ["price", '""', null],
    ["rank", "", 7],
    ["kind", "", "plain"],
    ["kind", '""', ""],
    ["stock", "007", 7],
    ...["true", "TRUE", "t", "1", "yes"].map((text) => ["active", text, true] as const),
    ...["false", "F", "0", "No"].map((text) => ["active", text, false] as const),
    ["added", "2024-02-29", "2024-02-29"],
    ["tags", '"[""a"", null]"', ["a", null]],
    ["tags", "[]", []],
    ["meta", '"{""a"": [1]}"', { a: [1] }],
    ["meta", "12", 12],
    ["meta", "word", "word"],
    ["meta", '"""12"""', "12"],
    ["supplier", "", null],
  ])("%s: %s → %j", async (field, cell, value, query = "") => {
    const answer = await send("csv", `sku,${field}\r\nx,${cell}\r\n`, { query });
    expect(answer.body).toEqual({
      success: true,
      message: "Successfully imported 1 items",
      results: { imported: 1, failed: 0, errors: [] },
    });
    const column = field === "supplier" ? "supplier_Id" : field;
    expect(await products(column)).toEqual([{ [column]: value }]);
  });

  test.each<readonly [string, string, string]>([
    ["price", "12,5", "expected 2 cells, got 3"],
    ["price", "abc", "price: expected a decimal number such as 12.50 or \"12.50\", got 'abc'"],
    ["price", "1.234", "price: expected at most 2 decimal places, got '1.234'"],
    ["price", "-1", "price: Value -1 is less than minimum 0"],
    ["stock", "1.5", "stock: expected a whole number from -2147483648 to 2147483647, got '1.5'"],
    ["active", "maybe", "active: expected true or false, got 'maybe'"],
    ["added", "2023-02-29", "added: expected a date YYYY-MM-DD that exists, got '2023-02-29'"],
    ["tags", "a;b", "tags: expected a list, got 'a;b'"],
    ["supplier", "7", "supplier: Related record not found: 7"],
    ["supplier", '"{""name"": null}"', "supplier.name: Field is required"],
  ])("%s: %s is refused", async (field, cell, error) => {
    const answer = await send("csv", `sku,${field}\nx,${cell}\n`);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      error: {
        code: "IMPORT_FAILED",
        message: "Import failed. 1 rows had errors. Transaction rolled back.",
        details: { results: { imported: 0, failed: 1, errors: [{ row: 1, error }] } },
      },
    });
    expect(await products("sku")).toEqual([]);
  });

  test("a file as spreadsheets write it", async () => {
    const text = '\uFEFF sku ; name\r\n\r\na;"b;c"\r\n   \r\nd;\r\n';
    expect((await send("csv", text, { query: "?delimiter=;" })).status).toBe(200);
    expect(await products("sku,name")).toEqual([
      { sku: "a", name: "b;c" },
      { sku: "d", name: null },
    ]);
  });

  test("what the server fills is left to it, and a column that is not there to its default", async () => {
    const text = "sku,createdAt,updatedAt\na,2001-01-01,2001-01-01\n";
    expect((await send("csv", text)).status).toBe(200);
    const [item] = await products("name,createdAt");
    expect(item?.name).toBe("unnamed");
    expect(item?.createdAt).not.toStartWith("2001");
  });

  test("related items inside cells and items", async () => {
    expect((await send("csv", 'sku,supplier\na,"{""name"": ""Ann""}"\n')).status).toBe(200);
    expect((await send("csv", "sku,supplier\nb,1\n")).status).toBe(200);
    expect((await send("json", '[{"sku":"c","supplier":{"name":"Bob"}}]')).status).toBe(200);
    expect(await products("sku,supplier.name")).toEqual([
      { sku: "a", supplier: { id: 1, name: "Ann" } },
      { sku: "b", supplier: { id: 1, name: "Ann" } },
      { sku: "c", supplier: { id: 2, name: "Bob" } },
    ]);
  });
});

describe("values of JSON", () => {
  test.each<readonly [string, string, string, unknown]>([
    ["a number", "", '[{"sku":"x","price":1.5}]', { price: "1.50" }],
    ["an empty text", "", '[{"sku":"x","name":""}]', { name: null }],
    ["an empty text that counts", "?empty=text", '[{"sku":"x","name":""}]', { name: "" }],
    ["a list", "", ' [ {"sku":"x","tags":["a"]} ] ', { tags: ["a"] }],
    ["a document", "", '\uFEFF[{"sku":"x","meta":{"a":{"b":[""]}}}]', { meta: { a: { b: [""] } } }],
  ])("%s", async (_, query, text, values) => {
    expect((await send("json", text, { query })).status).toBe(200);
    expect(await products(Object.keys(values as object).join(","))).toEqual([
      values as Record<string, unknown>,
    ]);
  });

  test("an object a line", async () => {
    const text = '{"sku":"a"}\r\n\n  {"sku":"b","stock":2}';
    expect((await send("json", text, { type: "application/x-ndjson" })).status).toBe(200);
    const asForm = form("jsonFile", '{"sku":"c"}\n', "more.jsonl", "application/octet-stream");
    expect((await send("json", asForm)).status).toBe(200);
    expect(await products("sku")).toEqual([{ sku: "a" }, { sku: "b" }, { sku: "c" }]);
  });

  test("wrong items are numbered, in either form", async () => {
    const good = '{"sku":"a"}';
    const list = await send(
      "json",
      `[${good},{"sku":"there"},{"sku":"b","nme":1},{"sku":"c","meta":{"__proto__":1}}]`,
    );
    expect(list.body).toMatchObject({
      error: { message: "Import failed. 3 items had errors. Transaction rolled back." },
    });
    expect(resultsOf(list.body).errors).toEqual([
      {
        item: 2,
        data: { sku: "there" },
        error: "products.sku: another row has this value already.",
        code: "UNIQUE_VIOLATION",
      },
      {
        item: 3,
        data: { sku: "b", nme: 1 },
        error: "nme: 'products' has no field 'nme'; did you mean 'name'?",
        code: "UNKNOWN_FIELD",
      },
      expect.objectContaining({ item: 4, error: "the key '__proto__' is not accepted, at any depth" }),
    ]);
    const lines = await send("json", `${good}\n{"sku":\n[]\n"x"`, { type: "application/x-ndjson" });
    expect(resultsOf(lines.body).errors.map(({ item, error }) => [item, error])).toEqual([
      [2, expect.stringContaining("not valid JSON")],
      [3, "expected an object"],
      [4, "expected an object"],
    ]);
    expect(await products("sku")).toEqual([]);
  });
});

describe("what is refused leaves nothing", () => {
  const csv = "sku,name,stock\na,A,1\n";
  const json = '[{"sku":"a"}]';
  const asForm = (name: string, fileName: string, type: string) => () => form(name, csv, fileName, type);
  type Row = readonly [string, "csv" | "json", string | (() => FormData), Sent, number, string, string];
  test.each<Row>([
    [
      "nobody",
      "csv",
      csv,
      { who: "nobody" },
      401,
      "UNAUTHORIZED",
      "Authentication required for import operations",
    ],
    ["no right", "csv", csv, { who: "reader" }, 403, "FORBIDDEN", "permission to create items in 'products'"],
    [
      "a field too much",
      "csv",
      "sku,secret\na,b\n",
      { who: "clerk" },
      403,
      "FORBIDDEN",
      "create field: secret",
    ],
    ["a wrong option", "csv", csv, { query: "?mod=all" }, 400, "INVALID_QUERY", "did you mean 'mode'?"],
    [
      "a wrong mode",
      "json",
      json,
      { query: "?mode=some" },
      400,
      "INVALID_QUERY",
      "mode: expected all or partial",
    ],
    ["another type", "csv", csv, { type: "text/plain" }, 415, "UNSUPPORTED_MEDIA_TYPE", "itself as text/csv"],
    [
      "JSON as CSV",
      "csv",
      json,
      { type: "application/json" },
      415,
      "UNSUPPORTED_MEDIA_TYPE",
      "itself as text/csv",
    ],
    ["no file", "csv", asForm("title", "", ""), {}, 400, "BAD_REQUEST", "in the part 'csvFile'"],
    [
      "a file that is no CSV",
      "csv",
      asForm("csvFile", "a.txt", "text/plain"),
      {},
      400,
      "BAD_REQUEST",
      "File must be a CSV file",
    ],
    [
      "a file that is no JSON",
      "json",
      asForm("jsonFile", "a.txt", ""),
      {},
      400,
      "BAD_REQUEST",
      "File must be a JSON file",
    ],
    ["an empty file", "csv", "", {}, 400, "BAD_REQUEST", "CSV file is empty or has no valid data"],
    ["a header alone", "csv", "sku\n\n", {}, 400, "BAD_REQUEST", "CSV file is empty or has no valid data"],
    [
      "an unknown column",
      "csv",
      "sku,nmae\na,b\n",
      {},
      400,
      "UNKNOWN_FIELD",
      "column 2: 'products' has no field 'nmae'; did you mean 'name'?",
    ],
    [
      "a path",
      "csv",
      "sku,supplier.name\na,b\n",
      {},
      400,
      "UNKNOWN_FIELD",
      "name the column 'supplier', with a key or JSON",
    ],
    ["a prototype", "csv", "sku,__proto__\na,b\n", {}, 400, "UNKNOWN_FIELD", "has no field '__proto__'"],
    ["a column twice", "csv", "sku,name,sku\na,b,c\n", {}, 400, "BAD_REQUEST", "'sku' names two columns"],
    ["a column without a name", "csv", "sku,,name\na,b,c\n", {}, 400, "BAD_REQUEST", "column 2 has no name"],
    [
      "an open quote",
      "csv",
      'sku\na\n"b\n',
      {},
      400,
      "BAD_REQUEST",
      "Invalid CSV format: a quote is not closed",
    ],
    [
      "a quote in the middle",
      "csv",
      'sku\na\nb"c"\n',
      {},
      400,
      "BAD_REQUEST",
      "Invalid CSV format: a quote inside a cell",
    ],
    [
      "a long row",
      "csv",
      `sku,name\na,b\nc,${"x".repeat(1.2 * 1024 * 1024)}\n`,
      {},
      400,
      "BAD_REQUEST",
      "longer than 1024 KiB",
    ],
    ["no list", "json", '{"sku":"a"}', {}, 400, "BAD_REQUEST", "JSON file must contain an array of objects"],
    ["a list of lists", "json", '[{"sku":"a"},[]]', {}, 400, "BAD_REQUEST", "item 2 is none"],
    ["an empty list", "json", "[]", {}, 400, "BAD_REQUEST", "JSON file is empty or has no valid data"],
    [
      "half a list",
      "json",
      '[{"sku":"a"},',
      {},
      400,
      "INVALID_JSON",
      "Invalid JSON format: it ends early, behind item 1",
    ],
    [
      "no JSON",
      "json",
      '[{"sku":"a"},{sku:"b"}]',
      {},
      400,
      "INVALID_JSON",
      "Invalid JSON format: not readable behind item 1",
    ],
    ["too deep", "json", `[${"[".repeat(70)}`, {}, 400, "INVALID_JSON", "nested deeper than 64 levels"],
    [
      "a long item",
      "json",
      `[{"sku":"a"},{"sku":"${"x".repeat(1.2 * 1024 * 1024)}`,
      {},
      400,
      "INVALID_JSON",
      "item 2 is larger than",
    ],
    [
      "a large body",
      "csv",
      `sku\n${"a\n".repeat(1.1 * 1024 * 1024)}`,
      {},
      413,
      "PAYLOAD_TOO_LARGE",
      "at most 2 MiB",
    ],
    [
      "a large form",
      "csv",
      () => form("csvFile", "x".repeat(2 * 1024 * 1024 + 1), "a.csv", "text/csv"),
      {},
      413,
      "PAYLOAD_TOO_LARGE",
      "at most 2 MiB",
    ],
    [
      "upsert by what is not there",
      "csv",
      csv,
      { query: "?on=sku,nmae&mode=partial" },
      400,
      "UNKNOWN_FIELD",
      "on[1]: 'products' has no field 'nmae'; did you mean 'name'?",
    ],
    ["upsert by what is not unique", "csv", csv, { query: "?on=name" }, 400, "INVALID_QUERY", "name"],
  ])("%s", async (_, route, body, sent, status, code, message) => {
    const answer = await send(route, typeof body === "string" ? body : body(), sent);
    expect(answer.body).toMatchObject({ error: { code, message: expect.stringContaining(message) } });
    expect(answer.status).toBe(status);
    expect(await products("sku")).toEqual([]);
  });

  test("bytes that are not UTF-8", async () => {
    for (const [route, bytes] of [
      ["csv", "sku\n\xff\n"],
      ["json", '[{"sku":"\xff"}]'],
    ] as const) {
      const response = await app.routes.handle(
        new Request(`http://localhost/items/products/import-${route}`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${app.admin}`,
            "content-type": route === "csv" ? "text/csv" : "application/json",
          },
          body: Buffer.from(bytes, "latin1"),
        }),
      );
      expect(response.status).toBe(400);
    }
    expect(await products("sku")).toEqual([]);
  });

  test("an unknown collection", async () => {
    const headers = { "content-type": "text/csv" };
    const answer = await app.call("POST", "/items/nope/import-csv", { token: app.admin, body: csv, headers });
    expect(answer.status).toBe(404);
  });
});

describe("rows that are wrong", () => {
  const file = ["sku,name,stock", "a,A,1", "there,B,1", "c,C,x", ",D,1", "e,E,1", "f,F"].join("\n");
  const errors = [
    { row: 2, data: { sku: "there", name: "B", stock: "1" }, code: "UNIQUE_VIOLATION" },
    { row: 3, data: { sku: "c", name: "C", stock: "x" }, code: "VALIDATION_ERROR" },
    { row: 4, data: { sku: null, name: "D", stock: "1" }, code: "VALIDATION_ERROR" },
    { row: 6, data: { sku: "f", name: "F", stock: null }, code: "INVALID_VALUE" },
  ].map((one) => expect.objectContaining(one));

  test("undo the others, and are all told", async () => {
    const answer = await send("csv", file);
    expect(answer.status).toBe(400);
    expect(resultsOf(answer.body)).toEqual({ imported: 0, failed: 4, errors });
    expect(await products("sku")).toEqual([]);
  });

  test("are left out with mode=partial", async () => {
    const answer = await send("csv", file, { query: "?mode=partial" });
    expect(answer.body).toEqual({
      success: true,
      message: "Successfully imported 2 items. 4 rows had errors.",
      results: { imported: 2, failed: 4, errors },
    });
    expect(await products("sku")).toEqual([{ sku: "a" }, { sku: "e" }]);
  });

  test.each([
    ["", false, 0, "Dry run: the import would fail. 4 rows have errors. Nothing was written."],
    [
      "&mode=partial",
      true,
      2,
      "Dry run: 2 items would be imported. 4 rows have errors. Nothing was written.",
    ],
  ])("are told by a dry run%s", async (query, success, imported, message) => {
    const answer = await send("csv", file, { query: `?dryRun=true${query}` });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ success, dryRun: true, message, results: { imported, failed: 4, errors } });
    expect(await products("sku")).toEqual([]);
  });

  test("by the right of the row: each is judged by itself", async () => {
    const text = "sku,stock\na,1\nb,100\nc,99\n";
    const all = await send("csv", text, { who: "clerk" });
    expect(resultsOf(all.body)).toMatchObject({
      imported: 0,
      failed: 1,
      errors: [{ row: 2, code: "FORBIDDEN" }],
    });
    expect(await products("sku")).toEqual([]);
    const partial = await send("csv", text, { who: "clerk", query: "?mode=partial" });
    expect(resultsOf(partial.body)).toMatchObject({ imported: 2, failed: 1 });
    expect(await products("sku,stock")).toEqual([
      { sku: "a", stock: 1 },
      { sku: "c", stock: 99 },
    ]);
    const items = '[{"sku":"x","stock":1},{"sku":"y","stock":1,"secret":"s"}]';
    const json = await send("json", items, { who: "clerk", query: "?mode=partial" });
    expect(resultsOf(json.body)).toMatchObject({
      imported: 1,
      failed: 1,
      errors: [{ item: 2, code: "FORBIDDEN" }],
    });
  });

  test("of whom only a hundred are shown", async () => {
    const rows = Array.from({ length: 2500 }, (_unused, i) => `s${i},${i % 2 === 0 ? "x" : i}`);
    const answer = await send("csv", `sku,stock\n${rows.join("\n")}\n`);
    const { failed, errors: shown } = resultsOf(answer.body);
    expect([failed, shown.length]).toEqual([1250, 100]);
    expect(shown.map(({ row }) => row)).toEqual(Array.from({ length: 100 }, (_unused, i) => 1 + 2 * i));
  });

  test("are found in few statements", async () => {
    const bad = new Set([3, 4, 1500, 2999]);
    const rows = Array.from({ length: 3000 }, (_unused, i) => ({
      number: i + 1,
      sent: () => null,
      body: { sku: bad.has(i) ? "there" : `s${i}` },
    }));
    let tries = 0;
    // The door, counting.
    const data: typeof app.data = {
      ...app.data,
      transaction: (work, options) =>
        app.data.transaction(
          (inner) => work({ ...inner, attempt: (one) => (tries++, inner.attempt(one)) }),
          options,
        ),
    };
    const { results } = await runImport(
      data,
      { kind: "system", reason: "tests of imports" },
      {
        collection: "products",
        word: "row",
        mode: "partial",
        dryRun: false,
        batches: async function* () {
          for (let i = 0; i < 3; i++) yield rows.slice(i * 1000, i * 1000 + 1000);
        },
      },
    );
    expect(results.errors.map(({ row }) => row)).toEqual([4, 5, 1501, 3000]);
    expect(results.imported).toBe(2996);
    expect(tries).toBeLessThan(80);
  });

  test("are told alike to who may ask which values are there, and to who may not", async () => {
    const skus = ["there", "x", "there", "x", "y", "z", "x"];
    const file = `sku,stock\n${skus.map((sku) => `${sku},1`).join("\n")}\n`;
    const told = await Promise.all(
      (["admin", "clerk"] as const).map(async (who) =>
        resultsOf((await send("csv", file, { who, query: "?mode=partial&dryRun=true" })).body),
      ),
    );
    expect(told[0]).toEqual(told[1] as ImportResult);
    expect(told[0]?.errors.map(({ row, code }) => [row, code])).toEqual(
      [1, 3, 4, 7].map((row) => [row, "UNIQUE_VIOLATION"]),
    );
  });

  test("may hold what would be a variable in a filter", async () => {
    const skus = ["there", "$NOW", "$CURRENT_USER", "$CURRENTLY", "$COL(sku)", "$COL("];
    const file = `sku\n${skus.join("\n")}\n`;
    const told = resultsOf((await send("csv", file, { query: "?mode=partial&dryRun=true" })).body);
    expect(told).toMatchObject({ imported: 5, errors: [{ row: 1, code: "UNIQUE_VIOLATION" }] });
  });

  test("may be taken by values of any type", async () => {
    const unique = {
      CiText: ["Ab", "AB"],
      Decimal: ["1.50", 1.5],
      DateTime: ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00"],
      Date: ["2026-01-02", "2026-01-02"],
      Boolean: [true, true],
      UUID: ["0b6f4c2e-6c1b-4c8e-9d3a-2f1e5a7b9c0d", "0B6F4C2E-6C1B-4C8E-9D3A-2F1E5A7B9C0D"],
      Time: ["03:04", "03:04:00"],
      BigInt: ["7", 7],
    } as const;
    const told: [string, unknown][] = [];
    for (const [type, [there, again]] of Object.entries(unique)) {
      const collectionName = `unique_${type}`;
      const schema = { name: type, fields: { value: { type, unique: true } } };
      // oxlint-disable-next-line no-await-in-loop -- schemas change one after the other
      await app.ok("POST", "/schemas", { collectionName, schema });
      // oxlint-disable-next-line no-await-in-loop
      await app.ok("POST", `/items/${collectionName}`, { value: there });
      const body = [{ value: null }, { value: again }];
      // oxlint-disable-next-line no-await-in-loop
      const answer = await app.call("POST", `/items/${collectionName}/import-json?mode=partial`, {
        token: app.admin,
        body,
      });
      told.push([type, resultsOf(answer.body).errors.map(({ code }) => code)]);
    }
    expect(told).toEqual(Object.keys(unique).map((type) => [type, ["UNIQUE_VIOLATION"]]));
  });

  test("are no hindrance where a large file comes again", async () => {
    const skus = Array.from({ length: 40_000 }, (_unused, i) => `s${i}`);
    expect((await send("csv", `sku\n${skus.slice(10).join("\n")}\n`)).status).toBe(200);
    const again = await send("csv", `sku\n${skus.join("\n")}\n`, { query: "?mode=partial" });
    expect(resultsOf(again.body)).toMatchObject({ imported: 10, failed: 39_990 });
  }, 30_000);

  test("and so many that there is no use in going on", async () => {
    const rows = Array.from({ length: 1500 }, (_unused, i) => `s${i},999`);
    const answer = await send("csv", `sku,supplier_Id\n${rows.join("\n")}\n`);
    expect(answer.body).toMatchObject({
      error: { message: "Import failed. At least 500 rows had errors. Transaction rolled back." },
    });
  });
});

describe("on=", () => {
  test("changes what is there and creates what is not", async () => {
    const text = "sku,stock\nthere,5\nnew,6\n";
    const answer = await send("csv", text, { query: "?on=sku" });
    expect(answer.body).toMatchObject({ results: { imported: 2, created: 1, updated: 1, failed: 0 } });
    const { body } = await app.call("GET", "/items/products?fields=sku,name,stock&sort=id", {
      token: app.admin,
    });
    expect(body).toMatchObject({
      data: [
        { sku: "there", name: "was here", stock: 5 },
        { sku: "new", name: "unnamed", stock: 6 },
      ],
    });
  });

  test("needs the right for what happens to each row", async () => {
    const text = "sku,name,stock\nthere,other,5\nnew,N,6\n";
    const answer = await send("csv", text, { who: "clerk", query: "?on=sku&mode=partial" });
    expect(resultsOf(answer.body)).toMatchObject({ created: 1, updated: 0, failed: 1, errors: [{ row: 1 }] });
  });
});

test("who may change but not create does so with on= alone", async () => {
  const text = "sku,stock\nthere,5\nnew,6\n";
  const refused = await send("csv", text, { who: "mender" });
  expect(refused.body).toMatchObject({ error: { code: "FORBIDDEN" } });
  const answer = await send("csv", text, { who: "mender", query: "?on=sku&mode=partial" });
  expect(resultsOf(answer.body)).toMatchObject({
    created: 0,
    updated: 1,
    failed: 1,
    errors: [{ row: 2, code: "FORBIDDEN" }],
  });
  const beyond = await send("csv", "sku,stock\nthere,50\n", { who: "mender", query: "?on=sku" });
  expect(resultsOf(beyond.body)).toMatchObject({ updated: 0, failed: 1 });
  const { body } = await app.call("GET", "/items/products?fields=sku,stock", { token: app.admin });
  expect(body).toMatchObject({ data: [{ sku: "there", stock: 5 }] });
});

test("a token may stand in the query", async () => {
  const query = `?access_token=${tokens.admin}`;
  expect((await send("csv", "sku\na\n", { who: "nobody", query })).status).toBe(200);
});

test("options may stand in the form, beside the file", async () => {
  const made = form("csvFile", "sku;name\na;A\n", "a.csv", "text/csv", { delimiter: ";", dryRun: "true" });
  expect((await send("csv", made)).body).toMatchObject({ dryRun: true, results: { imported: 1 } });
  expect(await products("sku")).toEqual([]);
});

test("what counts by itself goes on behind the numbers of a file, but not behind the last that there are", async () => {
  const create = async (sku: string): Promise<unknown> =>
    (await app.call("POST", "/items/products", { token: app.admin, body: { sku } })).body;
  await send("csv", "id,sku\n2,a\n4,b\n2147483647,last\n");
  expect(await create("c")).toEqual({ data: { id: 5 } });
  await send("csv", "id,sku\n500000,d\n", { query: "?dryRun=true" });
  await send("csv", "sku\ne\n");
  expect(await create("f")).toEqual({ data: { id: 7 } });
  await send("json", '[{"id": 500000, "sku": "g"}]');
  await send("json", '[{"id": 11, "sku": "h"}]');
  expect(await create("i")).toEqual({ data: { id: 500001 } });
});

test("under an idempotency key a file comes in once", async () => {
  const headers = { "idempotency-key": "the-same" };
  const first = await send("csv", "sku\na\n", { headers });
  const again = await send("csv", "sku\na\n", { headers });
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  expect(again.text).toBe(first.text);
  expect((await send("csv", "sku\nb\n", { headers })).status).toBe(422);
  expect(await products("sku")).toEqual([{ sku: "a" }]);
});

test("every row is audited, and none of a file that failed", async () => {
  const count = async (): Promise<number> => {
    const [row] = await outsider(
      app.address,
      `select count(*)::int as n from "baasix_AuditLog" where entity = 'products'`,
    );
    return (row as { n: number }).n;
  };
  const before = await count();
  await send("csv", "sku\na\nb\nthere\n");
  await send("csv", "sku\na\nb\n", { query: "?dryRun=true" });
  expect(await count()).toBe(before);
  await send("csv", "sku\na\nb\n");
  expect(await count()).toBe(before + 2);
});

test("slow senders keep nobody from the database, and are two an account", async () => {
  const url = app.listen();
  const upload = (who: "admin" | "clerk", body: ReadableStream | string, signal?: AbortSignal) =>
    fetch(`${url}/items/products/import-csv`, {
      method: "POST",
      headers: { authorization: `Bearer ${tokens[who]}`, "content-type": "text/csv" },
      body,
      ...(signal && { signal }),
    });
  const gone = new AbortController();
  const slow = Array.from({ length: 2 }, () => {
    const began = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        controller.enqueue(new TextEncoder().encode("sku\n"));
        began.resolve();
        return new Promise(() => {});
      },
    });
    return { began: began.promise, answer: upload("admin", body, gone.signal).catch(() => null) };
  });
  await Promise.all(slow.map(({ began }) => began));
  // The two are on their way; they count once their first bytes are there.
  const third = async (): Promise<Response> => {
    const answer = await upload("admin", "sku\nx\n");
    if (answer.status === 503) return answer;
    await outsider(app.address, "delete from products where sku = 'x'");
    return third();
  };
  const refused = await third();
  expect(refused.headers.get("retry-after")).toBe("5");
  expect((await upload("clerk", "sku,stock\na,1\n")).status).toBe(200);
  gone.abort();
  await Promise.all(slow.map(({ answer }) => answer));
  const free = async (): Promise<number> => {
    const { status } = await upload("admin", "sku\nb\n");
    return status === 503 ? free() : status;
  };
  expect(await free()).toBe(200);
  expect(await products("sku")).toEqual([{ sku: "a" }, { sku: "b" }]);
});
