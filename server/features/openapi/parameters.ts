/** Parameters of the item routes, as the API's description has them. */
import { aggregateFunctions } from "../../core/query/aggregateFunctions";
import { dateParts } from "../../core/query/dateParts";
import { filterSchemaName } from "../../core/query/operators/describe";
import { readLimits } from "../../core/query/parse";
import { searchLimits } from "../../core/query/search";
import type { JsonSchema } from "../../core/schema/fields";

/** A filter, described once for all collections. */
export const filterReference: JsonSchema = { $ref: `#/components/schemas/${filterSchemaName}` };

export const idParameter: JsonSchema = {
  name: "id",
  in: "path",
  required: true,
  description: "Primary key",
  schema: { type: "string" },
};

export const fieldsParameter: JsonSchema = {
  name: "fields",
  in: "query",
  description:
    'Columns and relation paths: name, *, author.name, author.*; -name leaves one out. As JSON also objects: ["name", {"comments": {"fields": ["text"], "filter": {}, "sort": "-createdAt", "limit": 5}}]',
  schema: { type: "string" },
};

export const listParameters: readonly JsonSchema[] = [
  fieldsParameter,
  {
    name: "filter",
    in: "query",
    description:
      'JSON: {"price": {"gt": 10}, "author.name": "Ann", "OR": [...]}, or brackets: filter[price][gt]=10',
    content: { "application/json": { schema: filterReference } },
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
    name: "cursor",
    in: "query",
    description: "Walks page after page: empty at first, then nextCursor of the answer before",
    schema: { type: "string" },
  },
  {
    name: "count",
    in: "query",
    description: "How totalCount is found; none leaves it out",
    schema: { type: "string", enum: ["exact", "estimated", "none"], default: "exact" },
  },
  {
    name: "paranoid",
    in: "query",
    description: "false: items that were deleted softly, too",
    schema: { type: "boolean", default: true },
  },
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
  {
    name: "export",
    in: "query",
    description: "Answers all items that match, as a file",
    schema: { type: "string", enum: ["csv", "json", "ndjson"] },
  },
];

/** Of a delete by filter, which may have it in the body instead. */
export const filterParameter: JsonSchema = {
  name: "filter",
  in: "query",
  description: "Which items, where there is no body; an empty filter is refused",
  content: { "application/json": { schema: filterReference } },
};

export const permanentParameter: JsonSchema = {
  name: "permanent",
  in: "query",
  description: "Deletes for good, also items that were deleted before",
  schema: { type: "boolean", default: false },
};

export const ifMatchParameter: JsonSchema = {
  name: "If-Match",
  in: "header",
  description: "ETags that the item must have one of, else 412; * for any",
  schema: { type: "string" },
};

export const ifNoneMatchParameter: JsonSchema = {
  name: "If-None-Match",
  in: "header",
  description: "ETags that the caller has already; the answer is then 304 without a body",
  schema: { type: "string" },
};
