/** `baasix import` and `baasix export` against a running server, as a user types them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Api, api, baasix, emptyFolder, type Served, serve, signIn } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
const env = { ADMIN_EMAIL: "a@example.com", ADMIN_PASSWORD: "correct-horse", IMPORT_LIMIT: "3" };
let server: Served;
let admin: Api;
let login: Record<string, string>;

beforeAll(async () => {
  server = await serve({ cwd, env });
  const token = await signIn(server.url, env.ADMIN_EMAIL, env.ADMIN_PASSWORD);
  admin = api(server.url, token);
  login = { BAASIX_URL: server.url, BAASIX_TOKEN: token };
  const fields = {
    sku: { type: "String", primaryKey: true },
    name: { type: "String" },
    stock: { type: "Integer" },
  };
  const made = await admin("POST", "/schemas", {
    collectionName: "products",
    schema: { name: "Products", timestamps: false, fields },
  });
  expect(made.status).toBe(201);
  await Bun.write(join(cwd, "good.csv"), "sku,name,stock\na,=1,1\nb,,2\nc,Hat,\n");
  await Bun.write(join(cwd, "bad.csv"), "sku,stock\nd,4\na,1\ne,x\n");
  await Bun.write(join(cwd, "large.csv"), `sku\n${"x".repeat(99).concat("\n").repeat(60_000)}`);
});
afterAll(async () => {
  await server.end("SIGTERM");
  folder.remove();
});

const run = (line: string, stdin?: string) =>
  baasix(line.split(" "), { cwd, env: login, ...(stdin !== undefined && { stdin }) });

async function stock(): Promise<Record<string, number | null>> {
  const { body } = await admin("GET", "/items/products?sort=sku");
  const { data } = body as { data: readonly { sku: string; stock: number | null }[] };
  return Object.fromEntries(data.map((item) => [item.sku, item.stock]));
}

describe("import", () => {
  const refused = [
    "row 2: products.sku: another row has this value already.",
    "row 3: stock: expected a whole number",
  ];
  test("the steps of a careful user", async () => {
    const steps: readonly (readonly [string, number, string, readonly string[], string?])[] = [
      ["good.csv --dry-run", 0, "Dry run: 3 items would be imported. Nothing was written.", []],
      ["good.csv", 0, "Successfully imported 3 items", []],
      ["bad.csv", 1, "Import failed. 2 rows had errors. Transaction rolled back.", refused],
      ["bad.csv --partial", 1, "Successfully imported 1 items. 2 rows had errors.", refused],
      ["- --format csv --upsert sku", 0, "Successfully imported 2 items", [], "sku,stock\na,10\nf,6\n"],
      ["- --format ndjson", 0, "Successfully imported 1 items", [], '{"sku":"g","stock":7}\n'],
      ["- --format csv --delimiter tab", 0, "Successfully imported 1 items", [], "sku\tstock\nh\t8\n"],
    ];
    for (const [line, code, said, told, stdin] of steps) {
      // oxlint-disable-next-line no-await-in-loop
      const ended = await run(`import products ${line}`, stdin);
      expect({ line, code: ended.code, out: ended.out }).toEqual({ line, code, out: `${said}\n` });
      const lines = ended.err.split("\n").filter((text) => text !== "");
      expect(lines).toHaveLength(told.length);
      told.forEach((text, i) => expect(lines[i]).toStartWith(text));
    }
    expect(await stock()).toEqual({ a: 10, b: 2, c: null, d: 4, f: 6, g: 7, h: 8 });
  });

  test("--json is one document, of a failure too", async () => {
    const { code, out } = await run("import products bad.csv --json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      success: false,
      message: "Import failed. 3 rows had errors. Transaction rolled back.",
      results: { imported: 0, failed: 3, errors: [{ row: 1 }, { row: 2 }, { row: 3 }] },
    });
  });

  test.each([
    ["import products nowhere.csv", "cannot read nowhere.csv (ENOENT"],
    ["import products . --format csv", "cannot read . (it is a folder)"],
    ["import nothing good.csv", "refused: Collection 'nothing' does not exist"],
    ["import products large.csv", "refused: A file to import may have at most 3 MiB"],
    ["import products - --format csv", "refused: CSV file is empty or has no valid data"],
    [
      "import products good.csv --url http://127.0.0.1:9",
      "no answer from http://127.0.0.1:9 (connection refused)",
    ],
  ])("`baasix %s` fails in one line", async (line, message) => {
    const { code, out, err } = await run(line, "");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toStartWith("baasix: ");
    expect(err).toContain(message);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("export", () => {
  test("to a file by its name, to stdout, and back", async () => {
    const { code, out } = await run("export products -o out.csv --fields sku,name --sort sku");
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^Wrote out\.csv \(\d+ bytes\)\n$/),
    });
    expect(await Bun.file(join(cwd, "out.csv")).text()).toStartWith("sku,name\na,'=1\nb,\nc,Hat\n");
    const lines = await run('export products --filter {"sku":{"in":["a","b"]}} --sort -sku');
    expect(lines.out).toBe('{"sku":"b","name":null,"stock":2}\n{"sku":"a","name":"=1","stock":10}\n');
    const back = await run("import products - --format ndjson --upsert sku", lines.out);
    expect(back.out).toBe("Successfully imported 2 items\n");
  });

  test("what is refused leaves the file that was there", async () => {
    await Bun.write(join(cwd, "kept.json"), "mine");
    const { code, err } = await run("export products -o kept.json --fields nmae");
    expect({ code, err }).toEqual({
      code: 1,
      err: "baasix: fields[0]: 'products' has no field 'nmae'; did you mean 'name'?\n",
    });
    expect(await Bun.file(join(cwd, "kept.json")).text()).toBe("mine");
    expect(existsSync(join(cwd, "kept.json.part"))).toBe(false);
  });
});

test("nothing of the files stays with the server", () => {
  expect(readdirSync(join(cwd, "baasix_data/imports"))).toEqual([]);
});
