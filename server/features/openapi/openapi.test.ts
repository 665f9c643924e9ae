import { afterAll, beforeAll, expect, test } from "bun:test";
import { system } from "../../core/access/actor";
import { operators } from "../../core/query/operators";
import { testApp, type TestApp } from "../../testing/app";

type Document = {
  openapi: string;
  paths: Record<string, Record<string, unknown>>;
  components: {
    schemas: Record<string, { properties: Record<string, { type: unknown }>; required?: string[] }>;
  };
};

let app: TestApp;
let user: { token: string };

beforeAll(async () => {
  app = await testApp();
  user = await app.signUp("user@example.com");
  await app.call("POST", "/schemas", {
    token: app.admin,
    body: {
      collectionName: "books",
      schema: {
        name: "Book",
        fields: {
          isbn: { type: "String", primaryKey: true },
          title: { type: "String", allowNull: false },
          price: { type: "Decimal", values: { precision: 10, scale: 2 } },
          secret: { type: "String" },
        },
      },
    },
  });
});
afterAll(() => app.close());

async function makeDrafts(): Promise<void> {
  const schema = { name: "Draft", paranoid: true, fields: { text: { type: "Text" } } };
  await app.call("POST", "/schemas", { token: app.admin, body: { collectionName: "drafts", schema } });
}

async function document(token?: string): Promise<Document> {
  const answer = await app.call("GET", "/swagger/json", token ? { token } : {});
  expect(answer.status).toBe(200);
  return answer.body as Document;
}

test("an administrator sees every collection, one made a second ago too", async () => {
  const { openapi, paths, components } = await document(app.admin);
  expect(openapi).toStartWith("3.1");
  expect(Object.keys(paths["/items/books"] ?? {})).toEqual(["get", "post", "patch", "put", "delete"]);
  expect(Object.keys(paths["/items/books/{id}"] ?? {})).toEqual(["get", "patch", "delete"]);
  expect(components.schemas.books?.properties.price?.type).toEqual(["string", "null"]);
  expect(components.schemas.booksCreate?.required).toEqual(["isbn", "title"]);
  expect(components.schemas.booksCreate?.properties).not.toHaveProperty("createdAt");
  expect(paths).toHaveProperty(["/schemas", "post"]);
  expect(components.schemas.baasix_Account?.properties).not.toHaveProperty("password");
  expect(paths["/items/baasix_Account"]).not.toHaveProperty("post");
});

test("files to import are described where items may be created", async () => {
  const { paths } = await document(app.admin);
  for (const [kind, part, type] of [
    ["csv", "csvFile", "text/csv"],
    ["json", "jsonFile", "application/json"],
  ] as const) {
    const post = paths[`/items/books/import-${kind}`]?.post as {
      readonly parameters: readonly { readonly name: string }[];
      readonly requestBody: { readonly content: Record<string, unknown> };
    };
    expect(post.parameters.map(({ name }) => name)).toContain("dryRun");
    expect(post.requestBody.content).toHaveProperty([type]);
    expect(post.requestBody.content).toMatchObject({
      "multipart/form-data": { schema: { required: [part] } },
    });
  }
  expect(Object.keys((await document(user.token)).paths)).not.toContain("/items/books/import-csv");
});

test("others see what their role opens, and nothing of the rest", async () => {
  expect(Object.keys((await document(user.token)).paths).filter((path) => path.includes("books"))).toEqual(
    [],
  );
  const role = await app.roleId("user");
  await app.call("POST", "/permissions", {
    token: app.admin,
    body: { role_Id: role, collection: "books", action: "read", fields: ["isbn", "title"] },
  });
  const { paths, components } = await document(user.token);
  expect(Object.keys(paths["/items/books"] ?? {})).toEqual(["get"]);
  expect(Object.keys(components.schemas.books?.properties ?? {})).toEqual(["isbn", "title"]);
  expect(paths).toHaveProperty(["/schemas", "get"]);
  expect(paths["/schemas"]).not.toHaveProperty("post");
  const anonymous = await document();
  expect(
    Object.keys(anonymous.paths).filter((path) => /books|schemas|permissions|status/.test(path)),
  ).toEqual([]);
  expect(anonymous.paths).toHaveProperty(["/auth/login", "post"]);
});

test("writes are described with their headers, and what only some collections have with those alone", async () => {
  await makeDrafts();
  const { paths } = await document(app.admin);
  type Described = { parameters: { name: string }[]; requestBody: { required: boolean }; responses: object };
  const described = (path: string, method: string) => paths[path]?.[method] as Described;
  const names = (path: string, method: string) => described(path, method).parameters.map(({ name }) => name);
  expect(names("/items/books/{id}", "patch")).toEqual(["id", "fields", "If-Match", "Idempotency-Key"]);
  expect(names("/items/books/{id}", "get")).toEqual(["id", "fields", "If-None-Match"]);
  expect(Object.keys(described("/items/books/{id}", "get").responses)).toEqual(["200", "304", "default"]);
  expect(described("/items/books", "delete").requestBody.required).toBe(false);
  expect(names("/items/books", "put")).toEqual(["fields", "Idempotency-Key"]);
  expect(paths).not.toHaveProperty(["/items/books/{id}/restore"]);
  expect(names("/items/books", "delete")).not.toContain("permanent");
  expect(names("/items/drafts", "delete")).toContain("permanent");
  expect(Object.keys(paths["/items/drafts/{id}/restore"] ?? {})).toEqual(["post"]);
  expect(names("/transaction", "post")).toEqual(["Idempotency-Key"]);
  const text = JSON.stringify(paths["/transaction"]);
  for (const action of ["create", "update", "delete", "upsert", "restore", "read"])
    expect(text).toContain(`"const":"${action}"`);
});

test("what new accounts take beyond columns is described for administrators", async () => {
  const { components } = await document(app.admin);
  expect(components.schemas.baasix_UserCreate?.properties).toMatchObject({
    password: { writeOnly: true },
    role_Id: { format: "uuid" },
  });
  expect(components.schemas.baasix_User?.properties).not.toHaveProperty("password");
  expect(components.schemas.baasix_UserUpdate?.properties).not.toHaveProperty("password");
});

test("bodies of routes are described by what validates them", async () => {
  const { paths } = await document(app.admin);
  expect(JSON.stringify(paths["/permissions"]?.post)).toContain('"defaultValues"');
});

test("the page and its assets come from this server", async () => {
  const page = await app.call("GET", "/swagger");
  expect(page.status).toBe(200);
  expect([...page.text.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1])).toEqual([
    "/swagger/ui.css",
    "/swagger/ui.js",
  ]);
  expect(page.text).not.toMatch(/https?:\/\//);
  for (const path of ["/swagger/ui.css", "/swagger/ui.js"]) {
    const asset = await app.call("GET", path);
    expect([path, asset.status, asset.text.length > 100_000]).toEqual([path, 200, true]);
  }
});

test("every operator is described, with what it takes and what it works on", async () => {
  const { paths, components } = await document(app.admin);
  const condition = components.schemas["query.Condition"]?.properties as Record<
    string,
    { type?: unknown; description: string }
  >;
  expect(Object.keys(condition).toSorted()).toEqual([...operators.keys(), "cast"].toSorted());
  expect(condition.jsonbHasKey).toEqual({
    type: "string",
    description: "has the key at its top. On JSON, JSONB",
  });
  const list = paths["/items/books"]?.get as { parameters: { name: string; content?: unknown }[] };
  expect(list.parameters.find(({ name }) => name === "filter")?.content).toEqual({
    "application/json": { schema: { $ref: "#/components/schemas/query.Filter" } },
  });
});

test("bodies take related items, where the caller may name the relation", async () => {
  await app.call("POST", "/schemas", {
    token: app.admin,
    body: { collectionName: "writers", schema: { name: "Writer", fields: { name: { type: "String" } } } },
  });
  const relation = { type: "M2O", name: "writer", target: "writers", alias: "drafts", allowNull: false };
  const made = await app.call("POST", "/schemas/drafts/relationships", { token: app.admin, body: relation });
  expect(made.status).toBe(201);
  const role = await app.data.find<{ id: string }>(system("test"), "baasix_Role", {
    filter: { name: "user" },
  });
  await app.data.create(system("test"), "baasix_Permission", [
    { role_Id: role[0]?.id, collection: "drafts", action: "create", fields: ["text", "writer_Id"] },
  ]);
  const all = (await document(app.admin)).components.schemas;
  expect(all.draftsCreate?.properties.writer).toMatchObject({
    anyOf: [{ type: "string" }, { $ref: "#/components/schemas/writersUpdate" }, { type: "null" }],
  });
  // The key may come from the relation.
  expect(all.draftsCreate?.required).toBeUndefined();
  expect(JSON.stringify(all.writersUpdate?.properties.drafts)).toContain('"connect"');
  const own = (await document(user.token)).components.schemas;
  expect(own.draftsCreate?.properties).not.toHaveProperty("writer");
  expect(own.draftsCreate?.required).toEqual(["writer_Id"]);
});
