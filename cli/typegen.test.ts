import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { SchemaRecord } from "@baasix/types";
import { schemas } from "./typegen-case/schemas";
import { generateTypes, interfaceName } from "./typegen";

const expected = join(import.meta.dir, "typegen-case/generated.ts");

describe("generateTypes", () => {
  test("writes what typegen-case/generated.ts holds, which the type check compiles with typegen-case/use.ts", async () => {
    expect(generateTypes(schemas)).toBe(await Bun.file(expected).text());
  });

  test("gives the same text whatever the order of the collections", () => {
    expect(generateTypes(schemas.toReversed())).toBe(generateTypes(schemas));
  });

  test("writes an empty map for no collections", () => {
    expect(generateTypes([])).toContain("export interface BaasixCollections {\n");
  });

  test("leaves out system collections that nothing leads to, and hidden fields", () => {
    const text = generateTypes(schemas);
    expect(text).not.toContain("BaasixFile");
    expect(text).toContain("BaasixUserRole");
    expect(text).not.toMatch(/password|secret/);
  });

  test.each([
    ["blog_posts", "BlogPost"],
    ["categories", "Category"],
    ["address", "Address"],
    ["news", "News"],
    ["products", "Product"],
    ["baasix_User", "BaasixUser"],
    ["2024 sales", "_2024Sale"],
    ["__x", "X"],
    ["übung", "Übung"],
    ["posts", "Post"],
  ])("names the interface of %p %p", (name, wanted) => {
    expect(interfaceName(name)).toBe(wanted);
  });

  test("an enum value keeps its quotes and backslashes", () => {
    const values = ['a "b"', "c\\d", "`${e}`"];
    const fields = {
      id: { type: "UUID", primaryKey: true },
      kind: { type: "Enum", values, allowNull: false },
    };
    const text = generateTypes([{ collectionName: "x", schema: { name: "x", timestamps: false, fields } }]);
    expect(text).toContain(`kind: ${values.map((value) => JSON.stringify(value)).join(" | ")};`);
  });

  test("a collection whose item would be called as a type of the protocol gets another name", () => {
    const fields = { id: { type: "UUID", primaryKey: true }, at: { type: "Geometry" } };
    const text = generateTypes([
      { collectionName: "geometries", schema: { name: "x", timestamps: false, fields } },
    ]);
    expect(text).toContain("export interface Geometry2 {");
    expect(text).toContain("at: Geometry | null;");
  });

  test("a description cannot leave its comment", () => {
    const record: SchemaRecord = {
      collectionName: "x",
      schema: {
        name: "x",
        description: "*/ export const evil = 1; /*",
        timestamps: false,
        fields: { id: { type: "UUID", primaryKey: true, description: "*/ y: 1; /*" } },
      },
    };
    const code = new Bun.Transpiler({ loader: "ts" }).transformSync(generateTypes([record]));
    expect(code.trim()).toBe("");
  });
});
