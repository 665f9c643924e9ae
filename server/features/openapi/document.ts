/** Schema + access → OpenAPI 3.1 paths of the collections, trimmed to what the caller may use. Pure. */
import type { Action } from "@baasix/types";
import { grantsColumn } from "../../core/access/grants";
import type { Access, Policy } from "../../core/access/policy";
import { filterSchemas } from "../../core/query/operators/describe";
import { jsonSchema, type JsonSchema } from "../../core/schema/fields";
import type { Collection, Field, Schema } from "../../core/schema/model";
import { bodyExtras } from "../../core/schema/system";
import { keyParameter } from "../idempotency";
import { describeImports } from "./imports";
import {
  fieldsParameter,
  filterParameter,
  filterReference,
  idParameter,
  ifMatchParameter,
  ifNoneMatchParameter,
  listParameters,
  permanentParameter,
} from "./parameters";
import { relatedProperties } from "./related";

export type Paths = Record<string, Record<string, JsonSchema>>;
export type Described = { readonly paths: Paths; readonly schemas: Record<string, JsonSchema> };

/** Describes `/items/…` for every collection on which the caller has any right. */
export function describeCollections(schema: Schema, access: Access): Described {
  const paths: Paths = {};
  const schemas: Record<string, JsonSchema> = { ...filterSchemas() };
  for (const collection of schema.collections.values()) {
    const policies = policiesOf(collection, access);
    if (Object.values(policies).some((policy) => policy !== null))
      describe(schema, access, collection, policies, paths, schemas);
  }
  return { paths, schemas };
}

type Related = ReturnType<typeof relatedProperties>;

type Policies = Readonly<Record<Action, Policy | null>>;

function policiesOf(collection: Collection, access: Access): Policies {
  const of = (action: Action): Policy | null =>
    action !== "read" && collection.guarded ? null : access(collection, action);
  return { create: of("create"), read: of("read"), update: of("update"), delete: of("delete") };
}

/** The operations of each path of a collection. */
type Routes = Readonly<
  Record<"list" | "one" | "bulk" | "restoreMany" | "restoreOne", Record<string, JsonSchema>>
>;

function describe(
  schema: Schema,
  access: Access,
  collection: Collection,
  policies: Policies,
  paths: Paths,
  schemas: Record<string, JsonSchema>,
): void {
  const { name } = collection;
  const routes: Routes = { list: {}, one: {}, bulk: {}, restoreMany: {}, restoreOne: {} };
  if (policies.read) {
    schemas[name] = objectOf(columns(collection, policies.read, false));
    describeReads(name, routes);
  }
  for (const action of ["create", "update"] as const) {
    const policy = policies[action];
    if (!policy) continue;
    const related = relatedProperties(schema, collection, policy, access);
    const body = objectOf(columns(collection, policy, true), related, action === "create");
    const extras = action === "create" && policy.unlimited ? bodyExtras(name) : {};
    schemas[`${name}${action === "create" ? "Create" : "Update"}`] = {
      ...body,
      properties: { ...body.properties, ...extras },
    };
  }
  if (policies.create) describeCreates(name, routes);
  if (policies.update) describeUpdates(name, routes);
  if (policies.create || policies.update) describeUpsert(name, policies, routes);
  if (policies.update && collection.paranoid) describeRestores(name, routes);
  if (policies.delete) describeDeletes(collection, routes);
  for (const [path, operations] of [
    [`/items/${name}`, routes.list],
    [`/items/${name}/bulk`, routes.bulk],
    [`/items/${name}/restore`, routes.restoreMany],
    [`/items/${name}/{id}`, routes.one],
    [`/items/${name}/{id}/restore`, routes.restoreOne],
  ] as const) {
    if (Object.keys(operations).length > 0) paths[path] = operations;
  }
  if (!policies.create) return;
  const imports = describeImports(name, ref(`${name}Create`));
  paths[`/items/${name}/import-csv`] = { post: imports.csv };
  paths[`/items/${name}/import-json`] = { post: imports.json };
}

function describeReads(name: string, { list, one }: Routes): void {
  list.get = operation(name, "List", { parameters: listParameters, answers: { 200: listOf(ref(name)) } });
  one.get = operation(name, "Read", {
    parameters: [idParameter, fieldsParameter, ifNoneMatchParameter],
    answers: { 200: dataOf(ref(name)), 304: null },
    tagged: true,
  });
}

function describeCreates(name: string, { list, bulk }: Routes): void {
  const body = ref(`${name}Create`);
  list.post = operation(name, "Create", {
    parameters: [fieldsParameter, keyParameter],
    body,
    answers: { 201: dataOf({ type: "object" }) },
  });
  bulk.post = operation(name, "Create many", {
    parameters: [keyParameter],
    body: { type: "array", items: body, maxItems: 1000 },
    answers: { 201: dataOf({ type: "array" }) },
  });
}

function describeUpdates(name: string, { list, one, bulk }: Routes): void {
  const data = ref(`${name}Update`);
  one.patch = operation(name, "Change", {
    parameters: [idParameter, fieldsParameter, ifMatchParameter, keyParameter],
    body: data,
    answers: { 200: dataOf({ type: "object" }) },
    tagged: true,
  });
  const version: JsonSchema = { type: "string", description: "An ETag that the item must have, else 412" };
  const entry: JsonSchema = { type: "object", required: ["id"], properties: { id: {}, data, version } };
  bulk.patch = operation(name, "Change many", {
    parameters: [keyParameter],
    body: { type: "array", items: entry, maxItems: 1000 },
    answers: { 200: dataOf({ type: "array" }) },
  });
  list.patch = operation(name, "Change matching", {
    parameters: [keyParameter],
    body: bodyOf({ filter: filterReference, data }),
    answers: { 200: dataOf(written) },
  });
}

function describeUpsert(name: string, policies: Policies, { list }: Routes): void {
  const item: JsonSchema = {
    anyOf: [
      ...(policies.create ? [ref(`${name}Create`)] : []),
      ...(policies.update ? [ref(`${name}Update`)] : []),
    ],
  };
  const on: JsonSchema = {
    anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
    description: "Fields that are unique together, or the primary key; each item gives their values",
  };
  const upserted: JsonSchema = bodyOf({ id: {}, created: { type: "boolean" } });
  const oneOrMany = (one: JsonSchema): JsonSchema => ({ anyOf: [one, { type: "array", items: one }] });
  list.put = operation(name, "Upsert", {
    parameters: [fieldsParameter, keyParameter],
    body: { anyOf: [bodyOf({ on, data: oneOrMany(item) }), bodyOf({ filter: filterReference, data: item })] },
    answers: { 200: dataOf(oneOrMany(upserted)), 201: dataOf(oneOrMany(upserted)) },
  });
}

function describeRestores(name: string, { restoreMany, restoreOne }: Routes): void {
  restoreOne.post = operation(name, "Restore", {
    parameters: [idParameter, fieldsParameter, keyParameter],
    answers: { 200: dataOf({ type: "object" }) },
  });
  restoreMany.post = operation(name, "Restore many", {
    parameters: [keyParameter],
    body: { type: "array", items: {}, maxItems: 1000 },
    answers: { 200: dataOf({ type: "array" }) },
  });
}

function describeDeletes({ name, paranoid }: Collection, { list, one, bulk }: Routes): void {
  const permanent = paranoid ? [permanentParameter] : [];
  one.delete = operation(name, "Delete", {
    parameters: [idParameter, ...permanent, ifMatchParameter, keyParameter],
    answers: { 200: dataOf({ type: "object" }) },
  });
  bulk.delete = operation(name, "Delete many", {
    parameters: [...permanent, keyParameter],
    body: { type: "array", items: {}, maxItems: 1000 },
    answers: { 204: null },
  });
  list.delete = operation(name, "Delete matching", {
    parameters: [filterParameter, ...permanent, keyParameter],
    body: bodyOf({ filter: filterReference }),
    optional: true,
    answers: { 200: dataOf(written) },
  });
}

/** What a write by filter tells. */
const written: JsonSchema = {
  type: "object",
  required: ["count"],
  properties: {
    count: { type: "integer" },
    ids: { type: "array", description: "Where they are at most 1,000" },
  },
};

/** Columns that the policy opens; for writes without those that the server fills. */
function columns(collection: Collection, policy: Policy, writing: boolean): readonly Field[] {
  return [...collection.fields.values()].filter(
    (field) =>
      (!field.hidden || policy.secrets) &&
      !(writing && field.managed !== null) &&
      (policy.unlimited || policy.grants.some((grant) => grantsColumn(grant.fields, field.name))),
  );
}

type ObjectSchema = JsonSchema & { readonly properties: Readonly<Record<string, JsonSchema>> };

function objectOf(fields: readonly Field[], related: Related = new Map(), creating = false): ObjectSchema {
  // A key may come from its relation, too.
  const keys = new Set([...related.values()].map(({ relation }) => relation.sourceColumn));
  const required = fields.filter(
    (field) =>
      creating && !field.allowNull && field.default === null && (field.primaryKey || !keys.has(field.name)),
  );
  return {
    type: "object",
    properties: Object.fromEntries([
      ...fields.map((field) => [field.name, jsonSchema(field)] as const),
      ...[...related].map(([name, { value }]) => [name, value] as const),
    ]),
    ...(required.length > 0 && { required: required.map((field) => field.name) }),
  };
}

function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

function dataOf(data: JsonSchema): JsonSchema {
  return { type: "object", required: ["data"], properties: { data } };
}

function listOf(items: JsonSchema): JsonSchema {
  return {
    type: "object",
    required: ["data"],
    properties: {
      data: { type: "array", items },
      totalCount: { type: "integer", description: "Left out with count=none" },
      estimated: { type: "boolean" },
      nextCursor: { type: ["string", "null"] },
      truncated: { type: "boolean" },
    },
  };
}

/** An object whose members are all needed. */
function bodyOf(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: "object", required: Object.keys(properties), properties };
}

/** `answers`: the body of each status, null for none. `optional`: the body may be left out. `tagged`: with an ETag. */
type Operation = {
  readonly parameters?: readonly JsonSchema[];
  readonly body?: JsonSchema;
  readonly optional?: true;
  readonly answers: Readonly<Record<number, JsonSchema | null>>;
  readonly tagged?: true;
};

function operation(
  collection: string,
  verb: string,
  { parameters, body, optional, answers, tagged }: Operation,
): JsonSchema {
  const headers = { ETag: { description: "The version of the item", schema: { type: "string" } } };
  const responses = Object.entries(answers).map(([status, schema]) => [
    status,
    {
      description: status === "304" ? "Not changed" : "Done",
      ...(tagged && { headers }),
      ...(schema !== null && { content: { "application/json": { schema } } }),
    },
  ]);
  return {
    tags: [collection],
    summary: `${verb} ${collection}`,
    operationId: `${verb.replaceAll(" ", "")}_${collection}`,
    ...(parameters && { parameters: [...parameters] }),
    ...(body && { requestBody: { required: !optional, content: { "application/json": { schema: body } } } }),
    responses: { ...Object.fromEntries(responses), default: { $ref: "#/components/responses/Error" } },
  };
}
