/** Definitions from one server to another: whole, in one transaction, and never deleting unasked. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { SchemaExport, SchemaImportPreview, SchemaImportResult } from "@baasix/types";
import { type Answer, testApp, type TestApp } from "../../testing/app";

setDefaultTimeout(60_000);

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

async function send(method: string, path: string, body?: unknown, on = app): Promise<Answer> {
  return on.call(method, path, { token: on.admin, ...(body !== undefined && { body }) });
}
const ok = async <T>(method: string, path: string, body?: unknown, on = app): Promise<T> =>
  (await on.ok(method, path, body)).body as T;
const exported = (on = app) => ok<SchemaExport>("GET", "/schemas-export", undefined, on);
/** What is said, without when. */
const said = ({ schemas }: SchemaExport) =>
  schemas.map(({ collectionName, schema }) => ({ collectionName, schema }));
const form = (document: unknown): FormData => {
  const data = new FormData();
  const text = typeof document === "string" ? document : JSON.stringify(document);
  data.append("schema", new Blob([text], { type: "application/json" }), "schema.json");
  return data;
};
const key = { id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } } as const;
const plain = (name: string, fields: object = {}, more: object = {}) => ({
  collectionName: name,
  schema: { name, timestamps: false, fields: { ...key, ...fields }, ...more },
});

test("an export makes another server the same, and once more changes nothing", async () => {
  await ok("POST", "/schemas", {
    collectionName: "articles",
    schema: {
      name: "Article",
      fields: {
        title: { type: "String", values: { length: 90 }, allowNull: false },
        state: { type: "Enum", values: ["draft", "out"], defaultValue: "draft" },
        price: { type: "Decimal", values: { precision: 9, scale: 2 } },
        worth: { type: "Decimal", calculated: "price * 2" },
        season: { type: "Range_Date" },
        tags: { type: "Array_String" },
        code: { type: "CiText", unique: true },
        next: {
          type: "Integer",
          defaultValue: { type: "SQL", value: "(SELECT MAX(next) + 1 FROM articles)" },
        },
      },
      paranoid: true,
      usertrack: true,
      sortEnabled: true,
      searchable: ["title"],
      indexes: [
        { fields: ["tags"], type: "gin" },
        { fields: ["title", "state"], unique: true, nullsNotDistinct: true },
      ],
    },
  });
  await ok("POST", "/schemas", plain("labels"));
  await ok("POST", "/schemas/articles/relationships", {
    type: "M2O",
    name: "owner",
    target: "baasix_User",
    alias: "articles",
  });
  await ok("POST", "/schemas/articles/relationships", {
    type: "M2M",
    name: "labels",
    target: "labels",
    alias: "articles",
  });
  await ok("POST", "/schemas/labels/relationships", { type: "M2A", name: "about", tables: ["labels"] });
  const document = await exported();
  expect([document.version, typeof document.timestamp]).toEqual(["1.0", "string"]);
  expect(Object.keys(document.schemas[0] ?? {})).toEqual([
    "collectionName",
    "schema",
    "createdAt",
    "updatedAt",
  ]);
  expect(JSON.stringify(document)).not.toContain('"password"');
  const other = await testApp();
  try {
    const preview = await ok<SchemaImportPreview>("POST", "/schemas-preview-import", form(document), other);
    const names = ["articles", "articles_labels_labels_junction", "labels", "labels_about_junction"];
    expect(preview.changes.new.map(({ collectionName }) => collectionName)).toEqual(names);
    expect(preview.changes.modified).toEqual([
      {
        collectionName: "baasix_User",
        differences: { articles: expect.objectContaining({ type: "added" }) },
      },
    ]);
    expect([preview.importVersion, preview.importTimestamp]).toEqual(["1.0", document.timestamp ?? null]);
    expect(preview.plan.map(({ kind }) => kind)).toContain("createCollection");
    const done = await ok<SchemaImportResult>("POST", "/schemas-import", form(document), other);
    expect(done).toMatchObject({
      message: "Schema import completed",
      changes: { created: names, updated: ["baasix_User"], deleted: [], errors: [] },
    });
    expect(said(await exported(other))).toEqual(said(document));
    const again = await ok<SchemaImportResult>("POST", "/schemas-import?prune=true", document, other);
    expect(again.changes).toMatchObject({ created: [], updated: [], deleted: [] });
    expect(again.changes.unchanged).toHaveLength(document.schemas.length);
    // What `GET /schemas` shows says the same with more words.
    const shown = await ok<{ data: unknown[] }>("GET", "/schemas?limit=-1");
    const third = await ok<SchemaImportResult>(
      "POST",
      "/schemas-import?prune=true",
      { schemas: shown.data },
      other,
    );
    expect(third.changes).toMatchObject({ created: [], updated: [], deleted: [] });
    expect(said(await exported(other))).toEqual(said(document));
  } finally {
    await other.close();
  }
});

describe("an import", () => {
  test("adds and changes, keeps what it does not mention, and prunes when told", async () => {
    await ok(
      "POST",
      "/schemas",
      plain(
        "rooms",
        { name: { type: "String" }, size: { type: "Integer" } },
        {
          indexes: [{ fields: ["size"] }],
        },
      ),
    );
    await ok("POST", "/schemas", plain("halls"));
    await ok("POST", "/items/rooms", { name: "a", size: 7 });
    const document = { schemas: [plain("rooms", { name: { type: "Text" }, colour: { type: "String" } })] };
    const preview = await ok<SchemaImportPreview>("POST", "/schemas-preview-import", document);
    expect(preview.changes.modified).toEqual([
      {
        collectionName: "rooms",
        differences: {
          size: { type: "removed", details: { type: "Integer" } },
          name: { type: "modified", from: { type: "String" }, to: { type: "Text" } },
          colour: { type: "added", details: { type: "String" } },
          indexes: { type: "modified", from: [{ fields: ["size"] }], to: [] },
        },
      },
    ]);
    expect(preview.changes.deleted).toContain("halls");
    expect(preview.plan.map(({ kind, field }) => `${kind} ${field}`)).toEqual([
      "changeType name",
      "addField colour",
    ]);
    const kept = await ok<SchemaImportResult>("POST", "/schemas-import", document);
    expect(kept.changes).toMatchObject({ created: [], updated: ["rooms"], deleted: [] });
    expect(await ok("GET", "/items/rooms")).toMatchObject({ data: [{ name: "a", size: 7, colour: null }] });
    const whole = {
      schemas: [
        ...document.schemas,
        ...said(await exported()).filter(
          ({ collectionName }) => collectionName !== "rooms" && collectionName !== "halls",
        ),
      ],
    };
    const refused = await send("POST", "/schemas-import?prune=true", whole);
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining("the values of 'size'")]);
    expect(await ok("GET", "/schemas/halls")).toBeDefined();
    const pruned = await ok<SchemaImportResult>("POST", "/schemas-import?prune=true&force=true", whole);
    expect(pruned.changes).toMatchObject({ updated: ["rooms"], deleted: ["halls"] });
    expect((await send("GET", "/schemas/halls")).status).toBe(404);
    expect(Object.keys((await ok<{ data: object[] }>("GET", "/items/rooms")).data[0] ?? {})).toEqual([
      "id",
      "name",
      "colour",
    ]);
  });

  test("lets relations lead elsewhere when what they led to is pruned", async () => {
    const gate = (target: string) => ({ gate: { relType: "BelongsTo", target } });
    await ok("POST", "/schemas", plain("gates"));
    await ok("POST", "/schemas", plain("locks", gate("gates")));
    const kept = said(await exported()).filter(
      ({ collectionName }) => collectionName !== "gates" && collectionName !== "locks",
    );
    const whole = (target: string) => ({ schemas: [...kept, plain("doors"), plain("locks", gate(target))] });
    const lost = await send("POST", "/schemas-import?prune=true", whole("gates"));
    expect([lost.status, lost.text]).toEqual([400, expect.stringContaining("unknown collection 'gates'")]);
    const done = await ok<SchemaImportResult>("POST", "/schemas-import?prune=true", whole("doors"));
    expect(done.changes).toMatchObject({ created: ["doors"], updated: ["locks"], deleted: ["gates"] });
    await ok("POST", "/items/doors", { id: 7 });
    await ok("POST", "/items/locks", { id: 1, gate: 7 });
    expect((await send("POST", "/items/locks", { id: 2, gate_Id: 8 })).status).toBe(409);
  });

  test("skips what another server has built in", async () => {
    const done = await ok<SchemaImportResult>("POST", "/schemas-import", {
      schemas: [
        plain("baasix_Workflow"),
        { collectionName: "baasix_User", schema: { name: "U", fields: { extra: { type: "String" } } } },
      ],
    });
    expect(done.skipped).toEqual([{ collectionName: "baasix_Workflow", reason: "it is not built in here" }]);
    expect(done.changes).toMatchObject({ created: [], updated: [], unchanged: ["baasix_User"] });
  });

  const broken = plain("broken", { a: { type: "Nonsense" } });
  const rows: readonly (readonly [what: string, document: unknown, status: number, message: string])[] = [
    [
      "a bad definition",
      { schemas: [plain("fine"), broken] },
      400,
      "schemas[1].schema.fields.a.type: unknown type",
    ],
    [
      "a relation to nowhere",
      { schemas: [plain("fine", { x: { relType: "BelongsTo", target: "nowhere" } })] },
      400,
      "schemas[0].schema.fields.x.target: unknown collection 'nowhere'",
    ],
    [
      "the same twice",
      { schemas: [plain("fine"), plain("fine")] },
      400,
      "schemas[1].collectionName: 'fine' is there twice",
    ],
    [
      "a bad name",
      { schemas: [plain("fine"), plain("a b")] },
      400,
      "schemas[1].collectionName: expected a name",
    ],
    ["no document", { version: "1.0" }, 400, "schemas: "],
    ["another version", { version: "9.0", schemas: [] }, 400, "version: "],
    ["no definition", { schemas: [{ collectionName: "fine" }] }, 400, "schemas[0].schema: "],
    [
      "fields that are none",
      { schemas: [{ collectionName: "fine", schema: { name: "x", fields: 5 } }] },
      400,
      "schemas[0].schema.fields: ",
    ],
    [
      "rows in the way",
      { schemas: [plain("fine"), plain("solid", { a: { type: "Integer", allowNull: false } })] },
      409,
      "solid.a: the items that exist",
    ],
  ];
  for (const [what, document, status, message] of rows) {
    test(`refuses ${what}, and changes nothing`, async () => {
      if ((await send("GET", "/schemas/solid")).status === 404) {
        await ok("POST", "/schemas", plain("solid"));
        await ok("POST", "/items/solid", {});
      }
      const before = said(await exported());
      for (const body of [document, form(document)]) {
        const answer = await send("POST", "/schemas-import", body);
        expect([answer.status, (answer.body as { error: { message: string } }).error.message]).toEqual([
          status,
          expect.stringContaining(message),
        ]);
      }
      expect(said(await exported())).toEqual(before);
    });
  }

  test.each(["dryRun", "force", "prune"])("refuses %s where nobody would heed it", async (name) => {
    const schemas = [plain("misplaced")];
    const parts = form({ schemas });
    parts.append(name, "true");
    for (const body of [parts, { schemas, [name]: true }, { schema: { schemas }, [name]: true }]) {
      const answer = await send("POST", "/schemas-import", body);
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(name)]);
    }
    expect((await send("GET", "/schemas/misplaced")).status).toBe(404);
  });

  test("refuses what is no JSON, and to prune everything", async () => {
    expect((await send("POST", "/schemas-import", form("{"))).status).toBe(400);
    expect((await send("POST", "/schemas-import", new FormData())).status).toBe(400);
    expect((await send("POST", "/schemas-import?prune=true", { schemas: [] })).status).toBe(400);
    expect((await send("POST", "/schemas-import?dryRun=true", { schemas: [plain("dry")] })).text).toContain(
      '"dry"',
    );
    expect((await send("GET", "/schemas/dry")).status).toBe(404);
  });
});
