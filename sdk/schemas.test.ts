/** The calls on schemas that the SDK document and its reference name, against the real server. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import { type Baasix, createBaasix } from ".";

let app: TestApp;
let schemas: Baasix["schemas"];
let baasix: Baasix;
beforeAll(async () => {
  app = await testApp();
  baasix = createBaasix({ url: app.listen() });
  await baasix.auth.login(testAdmin);
  ({ schemas } = baasix);
});
afterAll(async () => {
  baasix.close();
  await app.close();
});

const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } as const;
const fieldsOf = async (name: string) => (await schemas.findOne(name)).schema.fields;

test("create in both spellings, find in every spelling of sort", async () => {
  await schemas.create("zebras", { name: "Ant", fields: { id, name: { type: "String" } } });
  await schemas.create({
    collectionName: "ants",
    schema: { name: "Zebra", fields: { id, size: { type: "Integer" } } },
  });
  for (const [sort, first] of [
    ["collectionName", "ants"],
    ["-collectionName", "zebras"],
    ["collectionName:desc", "zebras"],
    [{ name: "asc" }, "zebras"],
    [["-name"], "ants"],
  ] as const) {
    const { data } = await schemas.find({ sort, limit: 50, search: "" });
    expect(data.map(({ collectionName }) => collectionName).filter((one) => !one.startsWith("b"))[0]).toBe(
      first,
    );
  }
});

test("relations: create, update, delete", async () => {
  await schemas.createRelationship("ants", { type: "M2O", name: "rider", target: "zebras", alias: "ants" });
  await schemas.updateRelationship("ants", "rider", {
    onDelete: "CASCADE",
    alias: "carried",
    description: "Up",
  });
  expect((await fieldsOf("ants")).rider).toMatchObject({ onDelete: "CASCADE", description: "Up" });
  expect(await fieldsOf("zebras")).toHaveProperty("carried");
  await baasix.items("ants").create({ rider: { name: "Zoe" } });
  await expect(schemas.deleteRelationship("ants", "rider")).rejects.toMatchObject({ code: "DATA_LOSS" });
  await schemas.deleteRelationship("ants", "rider", { force: true });
  expect(await fieldsOf("ants")).not.toHaveProperty("rider_Id");
});

test("indexes: create, delete, migrate", async () => {
  await schemas.createIndex("ants", { fields: ["size"], name: "by_size" });
  expect((await schemas.findOne("ants")).schema.indexes).toEqual([{ fields: ["size"], name: "by_size" }]);
  await schemas.deleteIndex("ants", "by_size");
  await expect(schemas.deleteIndex("ants", "by_size")).rejects.toMatchObject({ status: 404 });
  expect((await schemas.migrateIndexes()).summary).toMatchObject({ created: 0, errors: 0 });
});

test("fields: add, rename, remove; and a collection of another name", async () => {
  await schemas.createIndex("zebras", { fields: ["name"] });
  await schemas.addField("zebras", "stripes", { type: "Integer", defaultValue: 5 });
  await schemas.renameField("zebras", "stripes", "lines");
  await schemas.renameCollection("zebras", "horses");
  expect(await baasix.items("horses").find({ fields: ["lines"] })).toMatchObject({ data: [{ lines: 5 }] });
  const { name, ...fields } = await fieldsOf("horses");
  await schemas.update(
    "horses",
    { name: "Horse", fields: { ...fields, title: { ...name } } },
    { renames: { name: "title" } },
  );
  expect((await schemas.findOne("horses")).schema.indexes).toEqual([{ fields: ["title"] }]);
  await expect(schemas.removeField("horses", "title")).rejects.toMatchObject({ code: "DATA_LOSS" });
  await schemas.removeField("horses", "title", { force: true });
  expect(await fieldsOf("horses")).not.toHaveProperty("title");
});

test("fields that are added and removed at once are all there, and all gone", async () => {
  await schemas.create("crowd", { name: "Crowd", fields: { id, old: { type: "Text" } } });
  const names = Array.from({ length: 6 }, (_, n) => `field${n}`);
  await Promise.all([
    ...names.map((name) => schemas.addField("crowd", name, { type: "Integer" })),
    schemas.removeField("crowd", "old"),
  ]);
  expect(Object.keys(await fieldsOf("crowd"))).toEqual(expect.arrayContaining(names));
  await Promise.all(names.slice(1).map((name) => schemas.removeField("crowd", name)));
  const left = Object.keys(await fieldsOf("crowd"));
  expect(left).toContain("field0");
  for (const name of ["old", ...names.slice(1)]) expect(left).not.toContain(name);
  await schemas.delete("crowd");
});

test("export, preview and import, as an object, a list and a file", async () => {
  const document = await schemas.export();
  expect(document.schemas.map(({ collectionName }) => collectionName)).toContain("horses");
  await schemas.delete("horses");
  const list = document.schemas.map(({ collectionName, schema }) => ({ collectionName, schema }));
  const file = new Blob([JSON.stringify(document)], { type: "application/json" });
  for (const source of [document, list, file]) {
    const preview = await schemas.previewImport(source, { prune: true });
    expect(preview.changes.new.map(({ collectionName }) => collectionName)).toEqual(["horses"]);
    expect((await schemas.import(source, { prune: true })).changes).toMatchObject({
      created: ["horses"],
      deleted: [],
    });
    await schemas.delete("horses");
  }
});
