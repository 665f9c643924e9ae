/** Schema + access → OpenAPI 3.1 paths of the collections, trimmed to what the caller may use. Pure. */
import type { Action } from "@baasix/types";
import { grantsColumn } from "../../core/access/grants";
import type { Access, Policy } from "../../core/access/policy";
import { aggregateFunctions } from "../../core/query/aggregateFunctions";
import { dateParts } from "../../core/query/dateParts";
import { filterSchemaName, filterSchemas } from "../../core/query/operators/describe";
import { readLimits } from "../../core/query/parse";
import { searchLimits } from "../../core/query/search";
import { jsonSchema, type JsonSchema } from "../../core/schema/fields";
import type { Collection, Field, Schema } from "../../core/schema/model";

export type Paths = Record<string, Record<string, JsonSchema>>;
export type Described = { readonly paths: Paths; readonly schemas: Record<string, JsonSchema> };

/** Describes `/items/…` for every collection on which the caller has any right. */
export function describeCollections(schema: Schema, access: Access): Described {
  const paths: Paths = {};
  const schemas: Record<string, JsonSchema> = { ...filterSchemas() };
  for (const collection of schema.collections.values()) {
    const policies = policiesOf(collection, access);
    if (Object.values(policies).some((policy) => policy !== null))
      describe(collection, policies, paths, schemas);
  }
  return { paths, schemas };
}

type Policies = Readonly<Record<Action, Policy | null>>;

function policiesOf(collection: Collection, access: Access): Policies {
  const of = (action: Action): Policy | null =>
    action !== "read" && collection.guarded ? null : access(collection, action);
  return { create: of("create"), read: of("read"), update: of("update"), delete: of("delete") };
}

function describe(
  collection: Collection,
  policies: Policies,
  paths: Paths,
  schemas: Record<string, JsonSchema>,
): void {
  const { name } = collection;
  const list: Record<string, JsonSchema> = {};
  const bulk: Record<string, JsonSchema> = {};
  const one: Record<string, JsonSchema> = {};
  if (policies.read) {
    schemas[name] = objectOf(columns(collection, policies.read, false));
    list.get = operation(name, "List", { parameters: listParameters, ok: listOf(ref(name)) });
    one.get = operation(name, "Read", { parameters: [idParameter, fieldsParameter], ok: dataOf(ref(name)) });
  }
  if (policies.create) {
    schemas[`${name}Create`] = objectOf(columns(collection, policies.create, true), true);
    const body = ref(`${name}Create`);
    list.post = operation(name, "Create", { body, status: "201", ok: dataOf({ type: "object" }) });
    bulk.post = operation(name, "Create many", {
      body: { type: "array", items: body },
      status: "201",
      ok: dataOf({ type: "array" }),
    });
  }
  if (policies.update) {
    schemas[`${name}Update`] = objectOf(columns(collection, policies.update, true));
    const data = ref(`${name}Update`);
    one.patch = operation(name, "Change", {
      parameters: [idParameter],
      body: data,
      ok: dataOf({ type: "object" }),
    });
    const entry: JsonSchema = { type: "object", required: ["id"], properties: { id: {}, data } };
    bulk.patch = operation(name, "Change many", {
      body: { type: "array", items: entry },
      ok: dataOf({ type: "array" }),
    });
  }
  if (policies.delete) {
    one.delete = operation(name, "Delete", { parameters: [idParameter], ok: dataOf({ type: "object" }) });
    bulk.delete = operation(name, "Delete many", {
      body: { type: "array", items: {} },
      status: "204",
      ok: null,
    });
  }
  for (const [path, operations] of [
    [`/items/${name}`, list],
    [`/items/${name}/bulk`, bulk],
    [`/items/${name}/{id}`, one],
  ] as const) {
    if (Object.keys(operations).length > 0) paths[path] = operations;
  }
}

/** Columns that the policy opens; for writes without those that the server fills. */
function columns(collection: Collection, policy: Policy, writing: boolean): readonly Field[] {
  return [...collection.fields.values()].filter(
    (field) =>
      (!field.hidden || policy.secrets) &&
      !(writing && field.managed !== null) &&
      (policy.unlimited || policy.grants.some((grant) => grantsColumn(grant.fields, field.name))),
  );
}

function objectOf(fields: readonly Field[], creating = false): JsonSchema {
  const required = fields.filter((field) => creating && !field.allowNull && field.default === null);
  return {
    type: "object",
    properties: Object.fromEntries(fields.map((field) => [field.name, jsonSchema(field)])),
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
    required: ["data", "totalCount"],
    properties: { data: { type: "array", items }, totalCount: { type: "integer" } },
  };
}

type Operation = {
  readonly parameters?: readonly JsonSchema[];
  readonly body?: JsonSchema;
  readonly status?: string;
  readonly ok: JsonSchema | null;
};

function operation(
  collection: string,
  verb: string,
  { parameters, body, status = "200", ok }: Operation,
): JsonSchema {
  const success: JsonSchema = {
    description: "Done",
    ...(ok !== null && { content: { "application/json": { schema: ok } } }),
  };
  return {
    tags: [collection],
    summary: `${verb} ${collection}`,
    operationId: `${verb.replaceAll(" ", "")}_${collection}`,
    ...(parameters && { parameters: [...parameters] }),
    ...(body && { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: { [status]: success, default: { $ref: "#/components/responses/Error" } },
  };
}

const idParameter: JsonSchema = {
  name: "id",
  in: "path",
  required: true,
  description: "Primary key",
  schema: { type: "string" },
};

const fieldsParameter: JsonSchema = {
  name: "fields",
  in: "query",
  description:
    'Columns and relation paths: name, *, author.name, author.*; -name leaves one out. As JSON also objects: ["name", {"comments": {"fields": ["text"], "filter": {}, "sort": "-createdAt", "limit": 5}}]',
  schema: { type: "string" },
};

const listParameters: readonly JsonSchema[] = [
  fieldsParameter,
  {
    name: "filter",
    in: "query",
    description:
      'JSON: {"price": {"gt": 10}, "author.name": "Ann", "OR": [...]}, or brackets: filter[price][gt]=10',
    content: { "application/json": { schema: ref(filterSchemaName) } },
  },
  {
    name: "relConditions",
    in: "query",
    description: 'JSON: conditions on the rows inside expanded relations, {"comments": {"approved": true}}',
    schema: { type: "string" },
  },
  {
    name: "sort",
    in: "query",
    description: 'name, -name, name:desc, comma lists, or JSON: {"name": "desc"}',
    schema: { type: "string" },
  },
  {
    name: "limit",
    in: "query",
    description: "-1 means the maximum",
    schema: { type: "integer", minimum: -1, maximum: readLimits.maximum, default: readLimits.page },
  },
  { name: "page", in: "query", schema: { type: "integer", minimum: 1 } },
  { name: "offset", in: "query", schema: { type: "integer", minimum: 0 } },
  {
    name: "search",
    in: "query",
    description: "Words that the item must have, also by their beginnings and in other grammatical forms",
    schema: { type: "string", maxLength: searchLimits.length },
  },
  {
    name: "searchFields",
    in: "query",
    description: "Where to search: a comma list or JSON",
    schema: { type: "string" },
  },
  {
    name: "searchMode",
    in: "query",
    description: "fuzzy forgives mistakes of writing and answers the nearest first",
    schema: { type: "string", enum: ["words", "fuzzy"], default: "words" },
  },
  {
    name: "sortByRelevance",
    in: "query",
    description: "The best matches first, where no sort is given",
    schema: { type: "boolean", default: false },
  },
  {
    name: "aggregate",
    in: "query",
    description:
      'Answers values instead of items. JSON: {"total": {"function": "sum", "field": "price"}}. Functions: ' +
      `${[...new Set([...aggregateFunctions.values()].map((one) => one.name))].join(", ")}`,
    schema: { type: "string" },
  },
  {
    name: "groupBy",
    in: "query",
    description: `A value of each group: fields, relation.field, date:<part>:field with one of ${[...dateParts.keys()].join(", ")}`,
    schema: { type: "string" },
  },
  {
    name: "having",
    in: "query",
    description: "A filter on the values and groups of an aggregate, as JSON",
    schema: { type: "string" },
  },
  {
    name: "exact",
    in: "query",
    description: "Sums and averages of Decimal and BigInt fields as text with every digit",
    schema: { type: "boolean", default: false },
  },
];
