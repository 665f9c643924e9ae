/** What stands in the cells of an export, and groups as a file. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { testApp, type TestApp } from "../../testing/app";
import { plainText, writeCell } from "./cell";

describe("a text in a cell", () => {
  test.each([
    ["plain", "plain"],
    ["=1", "'=1"],
    ["'=1", "''=1"],
    ["'tis", "'tis"],
    ["+1", "'+1"],
    ["-1", "-1"],
    ["-1.5", "-1.5"],
    ["-1e5", "'-1e5"],
    ["@a", "'@a"],
    ["\ta", "'\ta"],
    ["\na", "'\na"],
    ["＝1", "'＝1"],
    ["", ""],
  ])("%j stands as %j", (text, cell) => expect(writeCell(text, undefined)).toBe(cell));

  test("is no formula, and comes back as it was", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom("'", "=", "+", "-", "@", "\t", "\r", "\n", "1", ".", "＝") }),
    );
    fc.assert(
      fc.property(text, (value) => {
        const cell = writeCell(value, undefined) ?? "";
        expect(plainText(cell)).toBe(value);
        if (!/^-?\d+(\.\d+)?$/.test(cell)) expect(cell).not.toMatch(/^[=+\-@\t\r\n＝＋－＠]/);
      }),
    );
  });
});

describe("files", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await testApp();
    const fields = {
      id: { type: "Integer", primaryKey: true },
      text: { type: "String" },
      meta: { type: "JSON" },
      price: { type: "Decimal" },
    };
    const body = { collectionName: "things", schema: { name: "Thing", timestamps: false, fields } };
    await app.call("POST", "/schemas", { token: app.admin, body });
    const items = [
      { id: 1, text: "", meta: "12", price: "-1.50" },
      { id: 2, text: null, meta: 12, price: null },
      { id: 3, text: 'a "b"\n=c', meta: ["=1"], price: "3" },
      { id: 4, text: "=HYPERLINK()", meta: "=1", price: "3" },
    ];
    await app.call("POST", "/items/things/bulk", { token: app.admin, body: items });
  });
  afterAll(() => app.close());

  const read = (query: string) => app.call("GET", `/items/things?${query}`, { token: app.admin });

  test("null and an empty text differ, JSON says what is a text", async () => {
    const { text } = await read("export=csv&sort=id");
    expect(text).toBe(
      [
        "id,text,meta,price",
        '1,"","""12""",-1.50',
        "2,,12,",
        '3,"a ""b""\n=c","[""=1""]",3',
        `4,'=HYPERLINK(),"""=1""",3`,
        "",
      ].join("\n"),
    );
  });

  const groups = 'aggregate={"n":{"function":"count","field":"*"}}&groupBy=price&sort=price';
  test.each([
    ["csv", "price,n\n-1.50,1\n3,2\n,1\n"],
    ["ndjson", '{"price":"-1.50","n":1}\n{"price":"3","n":2}\n{"price":null,"n":1}\n'],
    ["json", '[{"price":"-1.50","n":1},\n{"price":"3","n":2},\n{"price":null,"n":1}]\n'],
  ])("groups as %s", async (format, file) => {
    const answer = await read(`export=${format}&${groups}`);
    expect(answer.text).toBe(file);
    expect(answer.headers.get("content-disposition")).toBe(`attachment; filename="things.${format}"`);
  });

  test.each([
    ["export=csv&fields=nmae", "has no field 'nmae'"],
    ["export=xml", "export: expected ndjson, json, csv"],
    [`export=csv&${groups}&groupBy=nmae`, "nmae"],
  ])("%s is refused with a status", async (query, message) => {
    const { status, text } = await read(query);
    expect(status).toBe(400);
    expect(text).toContain(message);
  });

  test("of a list without items has its columns", async () => {
    const none = `filter=${encodeURIComponent('{"id":0}')}`;
    expect((await read(`export=csv&${none}`)).text).toBe("id,text,meta,price\n");
    expect((await read(`export=csv&fields=price,id&${none}`)).text).toBe("price,id\n");
    expect((await read(`export=ndjson&${none}`)).text).toBe("");
    expect((await read(`export=json&${none}`)).text).toBe("[]\n");
  });
});
