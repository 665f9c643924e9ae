/** The import routes of a collection, as OpenAPI describes them: their bodies are files. */
import type { JsonSchema } from "../../core/schema/fields";
import { keyParameter } from "../idempotency";

const flag: JsonSchema = { type: "boolean", default: false };
const parameter = (name: string, description: string, schema: JsonSchema): JsonSchema => ({
  name,
  in: "query",
  description,
  schema,
});

const parameters: readonly JsonSchema[] = [
  parameter("mode", "all: every row or none; partial: good rows stay, the others are told", {
    type: "string",
    enum: ["all", "partial"],
    default: "all",
  }),
  parameter("dryRun", "Does everything, tells what would happen, and writes nothing", flag),
  parameter("on", "Fields that are unique together, by commas: items that are there are changed", {
    type: "string",
  }),
  parameter("empty", 'What an empty text means; by default null, but for a cell "" of a CSV file', {
    type: "string",
    enum: ["null", "text"],
  }),
  parameter("tenant", "Where there are tenants: whose the rows are that do not say it", {
    type: "string",
    format: "uuid",
  }),
  keyParameter,
];
const delimiter = parameter("delimiter", "Between the cells", {
  type: "string",
  enum: [",", ";", "|", "tab"],
  default: ",",
});

const count: JsonSchema = { type: "integer" };
const answer: JsonSchema = {
  type: "object",
  required: ["success", "message", "results"],
  properties: {
    success: { type: "boolean" },
    message: { type: "string" },
    dryRun: { type: "boolean" },
    results: {
      type: "object",
      required: ["imported", "failed", "errors"],
      properties: {
        imported: count,
        created: { ...count, description: "With on" },
        updated: { ...count, description: "With on" },
        failed: count,
        errors: {
          type: "array",
          maxItems: 100,
          items: {
            type: "object",
            required: ["data", "error", "code"],
            properties: {
              row: { ...count, description: "Of a CSV file, from 1" },
              item: { ...count, description: "Of a JSON file, from 1" },
              data: {},
              error: { type: "string" },
              code: { type: "string" },
            },
          },
        },
      },
    },
  },
};

/** The operations of `/items/{name}/import-csv` and `…/import-json`. `item`: what one item of a JSON file may hold. */
export function describeImports(
  name: string,
  item: JsonSchema,
): Readonly<Record<"csv" | "json", JsonSchema>> {
  const text: JsonSchema = { type: "string" };
  return {
    csv: operation(name, "CSV", [...parameters, delimiter], { "text/csv": text }),
    json: operation(name, "JSON", parameters, {
      "application/json": { type: "array", items: item },
      "application/x-ndjson": text,
    }),
  };
}

function operation(
  collection: string,
  kind: "CSV" | "JSON",
  parameters: readonly JsonSchema[],
  types: Readonly<Record<string, JsonSchema>>,
): JsonSchema {
  const part = `${kind.toLowerCase()}File`;
  const form: JsonSchema = {
    type: "object",
    required: [part],
    properties: { [part]: { type: "string", format: "binary" } },
  };
  const content = Object.entries({ "multipart/form-data": form, ...types }).map(
    ([type, schema]) => [type, { schema }] as const,
  );
  return {
    tags: [collection],
    summary: `Import ${kind} into ${collection}`,
    operationId: `Import${kind}_${collection}`,
    parameters: [...parameters],
    requestBody: { required: true, content: Object.fromEntries(content) },
    responses: {
      200: { description: "Done", content: { "application/json": { schema: answer } } },
      default: { $ref: "#/components/responses/Error" },
    },
  };
}
