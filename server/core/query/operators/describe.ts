/** The table of operators as JSON Schema, for descriptions of the API. */
import type { JsonSchema } from "../../schema/fields";
import { castNames } from "../casts";
import { operatorTable, typesOf } from "./index";

/** Names of the schemas below. No collection can be called so. */
export const filterSchemaName = "query.Filter";
const conditionSchemaName = "query.Condition";

/** What a filter is, and a condition on one field: its operators with what each takes. */
export function filterSchemas(): Readonly<Record<string, JsonSchema>> {
  const filter = { $ref: `#/components/schemas/${filterSchemaName}` };
  const list: JsonSchema = { type: "array", items: filter };
  return {
    [filterSchemaName]: {
      type: "object",
      description:
        "Conditions by field or path (author.name), all of which hold. A bare value means eq; an object of a relation is a filter on its items",
      properties: { AND: list, OR: list, NOT: filter },
      additionalProperties: {
        anyOf: [
          { $ref: `#/components/schemas/${conditionSchemaName}` },
          { type: ["string", "number", "boolean", "array", "null"] },
          filter,
        ],
      },
    },
    [conditionSchemaName]: {
      type: "object",
      description: "Operators, all of which hold",
      properties: {
        ...Object.fromEntries(operatorTable.flatMap(describe)),
        cast: { type: "string", enum: castNames, description: "The type that the field is read as" },
      },
      additionalProperties: false,
    },
  };
}

function describe(entry: (typeof operatorTable)[number]): readonly (readonly [string, JsonSchema])[] {
  const { name, aliases, on, operand } = entry;
  const types = on === "any" ? "" : `. On ${typesOf(entry).join(", ")}`;
  const schema = { ...operand.schema, description: `${entry.description}${types}` };
  return [
    [name, schema],
    ...aliases.map((alias) => [alias, { ...operand.schema, description: name }] as const),
  ];
}
