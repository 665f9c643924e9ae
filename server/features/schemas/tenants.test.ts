/** Schemas over HTTP where there are tenants: what says whose a row is stays, whatever is sent. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";

setDefaultTimeout(60_000);

type Json = Record<string, unknown>;

let app: TestApp;
beforeAll(async () => {
  app = await testApp({ env: { MULTI_TENANT: "true", TENANT_IGNORED_TABLES: "shared" } });
  const fields = { name: { type: "String", unique: true } };
  for (const collectionName of ["items", "shared"])
    await send("POST /schemas", { collectionName, schema: { name: collectionName, fields } });
});
afterAll(() => app.close());

const send = async (request: string, body?: unknown) => {
  const [method = "", path = ""] = request.split(" ");
  return app.call(method, path, { token: app.admin, ...(body !== undefined && { body }) });
};
const fieldsOf = async (name: string): Promise<Json> =>
  ((await send(`GET /schemas/${name}`)).body as { data: { schema: { fields: Json } } }).data.schema.fields;

test("a definition tells of the tenant, and takes what it told", async () => {
  const told = await fieldsOf("items");
  expect(told).toMatchObject({
    tenant_Id: { type: "UUID", SystemGenerated: true },
    tenant: { relType: "BelongsTo", target: "baasix_Tenant", SystemGenerated: true },
  });
  expect(Object.keys(await fieldsOf("shared"))).not.toContain("tenant_Id");
  const back = await send("PATCH /schemas/items", { schema: { name: "items", fields: told } });
  expect([back.status, back.text]).toEqual([200, back.text]);
  expect(await fieldsOf("items")).toEqual(told);
  const { tenant_Id: _column, tenant: _relation, ...rest } = told;
  const without = await send("PATCH /schemas/items", { schema: { name: "items", fields: rest } });
  expect([without.status, without.text]).toEqual([200, without.text]);
  expect(await fieldsOf("items")).toEqual(told);
});

test("nothing takes it away, changes it or has its name", async () => {
  for (const [request, body] of [
    ["DELETE /schemas/items/relationships/tenant", undefined],
    ["PATCH /schemas/items/relationships/tenant", { onDelete: "CASCADE" }],
    ["POST /schemas/items/relationships", { type: "M2O", name: "tenant", target: "shared" }],
    [
      "POST /schemas/items/relationships",
      { type: "M2O", name: "of", target: "shared", foreignKey: "tenant_Id" },
    ],
    ["POST /schemas/items/rename-field", { from: "tenant_Id", to: "x" }],
  ] as const) {
    const answer = await send(request, body);
    expect([request, answer.status >= 400, answer.text]).toEqual([request, true, answer.text]);
  }
  expect(app.snapshot.current().schema.collections.get("items")?.relations.get("tenant")?.onDelete).toBe(
    "RESTRICT",
  );
});

test("an export goes back in without a change, and one of a server without tenants too", async () => {
  const exported = (await send("GET /schemas-export")).body as {
    schemas: { collectionName: string; schema: { fields: Json } }[];
  };
  const plain = {
    ...exported,
    schemas: exported.schemas.map(({ collectionName, schema }) => {
      const { tenant_Id: _column, tenant: _relation, ...fields } = schema.fields;
      return {
        collectionName,
        schema: collectionName.startsWith("baasix_") ? schema : { ...schema, fields },
      };
    }),
  };
  for (const document of [exported, plain]) {
    const before = app.snapshot.current().schema;
    const preview = await send("POST /schemas-import?dryRun=true", document);
    expect([preview.status, preview.text]).toEqual([200, preview.text]);
    const done = await send("POST /schemas-import", document);
    expect([done.status, done.text]).toEqual([200, done.text]);
    expect(app.snapshot.current().schema.collections.get("items")).toEqual(before.collections.get("items"));
  }
});
