/**
 * Operators on JSON columns. Keys and paths are parameters. A number is compared with JSON numbers alone, and nothing
 * here can fail because of what a row holds.
 */
import { arrayText } from "../../schema/values";
import { parseValue } from "../../schema/fields";
import { numberShape } from "../casts";
import type { Operand } from "../planned";
import { isReference, readReference } from "../variables";
import { readDocument } from "./documents";
import { bound, invalidOperand, plainText, readArray, readChoice, readParts, readWords } from "./operands";
import type { OperandContext, OperandType, Operator, Reading } from "./operator";

const number = (json: string): string =>
  `(case when jsonb_typeof(${json}) = 'number' then (${json})::numeric end)`;
const string = (json: string, text: string): string =>
  `((case when jsonb_typeof(${json}) = 'string' then ${text} end) collate "C")`;

/** How a value is compared: its operand, and its kind as a choice. */
type Compared = { readonly operand: Operand | null; readonly kind: "null" | "text" | "number" | "boolean" };

function readCompared(value: unknown, context: OperandContext, at: string): Compared {
  if (value === null) return { operand: null, kind: "null" };
  if (typeof value === "boolean") return { operand: bound(String(value), "boolean"), kind: "boolean" };
  if (typeof value === "number") return { operand: numberOf(value, at), kind: "number" };
  if (value === undefined || typeof value === "object")
    throw invalidOperand(at, "null, a text, a number, true or false", value);
  return { operand: readWords(value, context, at), kind: "text" };
}

function numberOf(value: unknown, at: string): Operand {
  return bound(parseValue(value, numberShape, at), "numeric");
}

/** For orders: a text that is a number counts as one, as query strings know texts alone. */
function readOrdered(value: unknown, context: OperandContext, at: string): Compared {
  if (typeof value === "string" && /^\s*[+-]?(\d|\.\d)/.test(value) && Number.isFinite(Number(value)))
    return { operand: numberOf(value.trim(), at), kind: "number" };
  const compared = readCompared(value, context, at);
  if (compared.kind === "null" || compared.kind === "boolean")
    throw invalidOperand(at, "a number or a text", value);
  return compared;
}

const signs = { eq: "=", ne: "<>", gt: ">", gte: ">=", lt: "<", lte: "<=" } as const;
type Sign = keyof typeof signs;
const signNames = Object.keys(signs) as Sign[];

/** Equality of one place in a document: `json` and `text` are that place, as document and as text. */
function equal(json: string, text: string, operand: string, kind: string): string {
  if (kind === "null") return `${text} is null`;
  return kind === "text" ? `${text} = ${operand}` : `${json} = to_jsonb(${operand})`;
}

function different(json: string, text: string, operand: string, kind: string): string {
  if (kind === "null") return `${text} is not null`;
  return kind === "text"
    ? `${text} is distinct from ${operand}`
    : `${json} is distinct from to_jsonb(${operand})`;
}

function ordered(json: string, text: string, sign: Sign, operand: string, kind: string): string {
  return `${kind === "number" ? number(json) : string(json, text)} ${signs[sign]} ${operand}`;
}

const keyValue: OperandType = {
  kind: "jsonKeyValue",
  schema: { type: "object", required: ["key", "value"], properties: { key: { type: "string" }, value: {} } },
  read: (operand, context) => {
    const { at } = context;
    const parts = readParts(operand, ["key", "value"], '{"key": "a", "value": 1}', at);
    const { operand: value, kind } = readCompared(parts.value, context, `${at}.value`);
    const key = readWords(parts.key, context, `${at}.key`);
    return {
      operands: value === null ? [key] : [key, value],
      choice: kind,
      ...(value === null && { onNull: true }),
    };
  },
};

const keyOrder: OperandType = {
  kind: "jsonKeyOrder",
  schema: {
    type: "object",
    required: ["key", "value"],
    properties: { key: { type: "string" }, value: { type: ["number", "string"] } },
  },
  read: (operand, context) => {
    const { at } = context;
    const parts = readParts(operand, ["key", "value"], '{"key": "a", "value": 1}', at);
    const { operand: value, kind } = readOrdered(parts.value, context, `${at}.value`);
    const key = readWords(parts.key, context, `${at}.key`);
    return { operands: value === null ? [key] : [key, value], choice: kind };
  },
};

/** Texts are compared as text, numbers and booleans as JSON; null with null and missing keys. */
const keyValues: OperandType = {
  kind: "jsonKeyValues",
  schema: {
    type: "object",
    required: ["key", "values"],
    properties: { key: { type: "string" }, values: { type: "array" } },
  },
  read: (operand, context) => {
    const { at } = context;
    const { key, values } = readParts(operand, ["key", "values"], '{"key": "a", "values": ["x", "y"]}', at);
    if (!Array.isArray(values)) throw invalidOperand(`${at}.values`, "a list", values);
    const compared = values.map((one: unknown, i) => ({
      one,
      ...readCompared(one, context, `${at}.values[${i}]`),
    }));
    const texts = compared.flatMap(({ kind, operand: text }) => (kind === "text" && text ? [text] : []));
    const documents = compared.flatMap(({ kind, one }) =>
      kind === "number" || kind === "boolean" ? [String(one)] : [],
    );
    return {
      operands: [
        readWords(key, context, `${at}.key`),
        readArray(texts, "text", at, (text) => text as Operand),
        bound(arrayText(documents), "text[]::jsonb[]"),
      ],
      choice: compared.some(({ kind }) => kind === "null") ? "null" : "",
      ...((values.length === 0 || values.includes(null)) && { onNull: true }),
    };
  },
};

const keyPattern: OperandType = {
  kind: "jsonKeyPattern",
  schema: {
    type: "object",
    required: ["key", "pattern"],
    properties: { key: { type: "string" }, pattern: { type: "string" } },
  },
  read: (operand, context) => {
    const { at } = context;
    const { key, pattern } = readParts(operand, ["key", "pattern"], '{"key": "a", "pattern": "x%"}', at);
    return { operands: [readWords(key, context, `${at}.key`), readWords(pattern, context, `${at}.pattern`)] };
  },
};

const key: OperandType = {
  kind: "jsonKey",
  schema: { type: "string" },
  read: (operand, context) => ({ operands: [readWords(operand, context, context.at)] }),
};

const keys: OperandType = {
  kind: "jsonKeys",
  schema: { type: ["array", "string"], items: { type: "string" } },
  read: (operand, context) => ({
    operands: [
      readArray(Array.isArray(operand) ? operand : [operand], "text", context.at, (one, at) =>
        readWords(one, context, at),
      ),
    ],
  }),
};

const document: OperandType = {
  kind: "json",
  schema: {},
  read: (operand, context) => ({ operands: [readDocument(operand, context, context.at)] }),
};

/** A JSON path, also with values for its own variables: `{"path": "$.a ? (@ > $x)", "vars": {"x": 1}}`. */
const path: OperandType = {
  kind: "jsonPath",
  schema: {
    type: ["string", "object"],
    properties: { path: { type: "string" }, vars: { type: "object" } },
  },
  read: (operand, context) => {
    const { at } = context;
    if (typeof operand === "string") return { operands: [bound(plainText(operand, at), "jsonpath")] };
    const parts = readParts(operand, ["path", "vars"], '{"path": "$.a ? (@ > $x)", "vars": {"x": 1}}', at);
    if (typeof parts.path !== "string") throw invalidOperand(`${at}.path`, "a JSON path", parts.path);
    const vars = parts.vars ?? {};
    if (typeof vars !== "object" || Array.isArray(vars))
      throw invalidOperand(`${at}.vars`, "an object", vars);
    return {
      operands: [
        bound(plainText(parts.path, `${at}.path`), "jsonpath"),
        readDocument(vars, context, `${at}.vars`),
      ],
      choice: "vars",
    };
  },
};

const length: OperandType = {
  kind: "jsonLength",
  schema: {
    type: "object",
    required: ["op", "value"],
    properties: { path: { type: "string" }, op: { enum: signNames }, value: { type: "integer", minimum: 0 } },
  },
  read: (operand, context) => {
    const { at } = context;
    const parts = readParts(operand, ["path", "op", "value"], '{"op": "gt", "value": 2}', at);
    const sign = readChoice(parts.op ?? "eq", signNames, `${at}.op`);
    const value = bound(wholeNumber(parts.value, `${at}.value`), "bigint");
    return atPath(parts.path, value, sign, context);
  },
};

function wholeNumber(value: unknown, at: string): string {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text === "string" && /^-?\d{1,15}$/.test(text)) return text;
  throw invalidOperand(at, "a whole number", value);
}

/** `path` is one key at the top of the document; without it the document itself is meant. */
function atPath(path: unknown, value: Operand, choice: string, context: OperandContext): Reading {
  if (path === undefined || path === null || path === "") return { operands: [value], choice };
  return { operands: [value, readWords(path, context, `${context.at}.path`)], choice };
}

const documentTypes = ["object", "array", "string", "number", "boolean", "null"] as const;

const type: OperandType = {
  kind: "jsonType",
  schema: {
    type: "object",
    required: ["type"],
    properties: { path: { type: "string" }, type: { enum: documentTypes } },
  },
  read: (operand, context) => {
    const parts =
      typeof operand === "string"
        ? { path: undefined, type: operand }
        : readParts(operand, ["path", "type"], '{"type": "array"}', context.at);
    const name = readChoice(parts.type, documentTypes, `${context.at}.type`);
    return atPath(parts.path, bound(name, "text"), "", context);
  },
};

const deepSigns = [...signNames, "like", "ilike", "iLike"] as const;

const deep: OperandType = {
  kind: "jsonDeep",
  schema: {
    type: "object",
    required: ["path", "value"],
    properties: {
      path: { type: "array", items: { type: ["string", "integer"] } },
      value: {},
      op: { enum: deepSigns },
    },
  },
  read: (operand, context) => {
    const { at } = context;
    const parts = readParts(operand, ["path", "value", "op"], '{"path": ["a", "b"], "value": 1}', at);
    if (!Array.isArray(parts.path) || parts.path.length === 0)
      throw invalidOperand(`${at}.path`, "a list of keys", parts.path);
    const path = readArray(parts.path, "text", `${at}.path`, (one, place) => readWords(one, context, place));
    const sign = readChoice(parts.op ?? "eq", deepSigns, `${at}.op`);
    const { operand: value, kind } = readDeep(sign, parts.value, context);
    const onNull = kind === "null" || sign === "ne";
    return {
      operands: value === null ? [path] : [path, value],
      choice: `${sign} ${kind}`,
      ...(onNull && { onNull }),
    };
  },
};

function readDeep(sign: (typeof deepSigns)[number], value: unknown, context: OperandContext): Compared {
  const at = `${context.at}.value`;
  if (sign === "eq" || sign === "ne") return readCompared(value, context, at);
  if (sign !== "like" && sign !== "ilike" && sign !== "iLike") return readOrdered(value, context, at);
  if (isReference(value) && readReference(value, at))
    throw invalidOperand(at, "a text without a variable", value);
  const pattern = plainText(value, at);
  return { operand: bound(pattern.includes("%") ? pattern : `%${pattern}%`, "text"), kind: "text" };
}

function deepSql(column: string, path: string, operand: string, choice: string): string {
  const [sign = "eq", kind = "text"] = choice.split(" ");
  const [json, text] = [`(${column} #> ${path})`, `(${column} #>> ${path})`];
  if (sign === "eq") return equal(json, text, operand, kind);
  if (sign === "ne") return different(json, text, operand, kind);
  if (sign === "like") return `${text} like ${operand} escape ''`;
  if (sign === "ilike" || sign === "iLike") return `${text} ilike ${operand} escape ''`;
  return ordered(json, text, sign as Sign, operand, kind);
}

type Form = (column: string, operands: readonly string[], choice: string) => string;
const lenient = { lenient: true } as const;
const onNull = { lenient: true, onNull: true } as const;

const entry = (
  name: string,
  operand: OperandType,
  description: string,
  sql: Form,
  more: Partial<Operator> = {},
): Operator => ({ name, aliases: [], on: ["json"], operand, description, sql, ...more });

const json = (column: string, name = ""): string => `(${column} -> ${name})`;
const asText = (column: string, name = ""): string => `(${column} ->> ${name})`;
const keyOrdered = (name: string, sign: Sign, words: string): Operator =>
  entry(
    name,
    keyOrder,
    `the value of the key is ${words}; numbers as numbers, texts as text`,
    (column, [of, value = ""], kind) => ordered(json(column, of), asText(column, of), sign, value, kind),
  );

export const documents: readonly Operator[] = [
  entry(
    "jsonbContains",
    document,
    "contains the document (PostgreSQL's @>)",
    (column, [value]) => `${column} @> ${value}`,
  ),
  entry(
    "jsonbContainedBy",
    document,
    "is contained in the document",
    (column, [value]) => `${column} <@ ${value}`,
  ),
  entry(
    "jsonbNotContains",
    document,
    "negation of jsonbContains",
    (column, [value]) => `not (${column} @> ${value})`,
  ),
  entry("jsonbHasKey", key, "has the key at its top", (column, [of]) => `${column} ? ${of}`),
  entry(
    "jsonbHasAnyKeys",
    keys,
    "has one of the keys; no key: matches nothing",
    (column, [of]) => `${column} ?| ${of}`,
    lenient,
  ),
  entry(
    "jsonbHasAllKeys",
    keys,
    "has all of the keys; no key: matches everything",
    (column, [of]) => `${column} ?& ${of}`,
    lenient,
  ),
  entry(
    "jsonbKeyEquals",
    keyValue,
    "the key has the value; null: it has none",
    (column, [of, value = ""], kind) => equal(json(column, of), asText(column, of), value, kind),
    lenient,
  ),
  entry(
    "jsonbKeyNotEquals",
    keyValue,
    "the key has another value, or none; null: it has one",
    (column, [of, value = ""], kind) => different(json(column, of), asText(column, of), value, kind),
    onNull,
  ),
  keyOrdered("jsonbKeyGt", "gt", "greater"),
  keyOrdered("jsonbKeyGte", "gte", "greater or equal"),
  keyOrdered("jsonbKeyLt", "lt", "less"),
  keyOrdered("jsonbKeyLte", "lte", "less or equal"),
  entry(
    "jsonbKeyIn",
    keyValues,
    "the key has one of the values; no value: matches nothing",
    (column, [of, texts, values], kind) =>
      `(${asText(column, of)} = any(${texts}) or ${json(column, of)} = any(${values})${kind === "null" ? ` or ${asText(column, of)} is null` : ""})`,
    lenient,
  ),
  entry(
    "jsonbKeyNotIn",
    keyValues,
    "the key has none of the values; no value: matches everything",
    (column, [of, texts, values], kind) =>
      `(${asText(column, of)} <> all(${texts}) and ${json(column, of)} <> all(${values})${kind === "null" ? ` and ${asText(column, of)} is not null` : ""})`,
    lenient,
  ),
  entry(
    "jsonbKeyLike",
    keyPattern,
    "the text of the key matches the pattern as given, in any letter case",
    (column, [of, pattern]) => `${asText(column, of)} ilike ${pattern} escape ''`,
  ),
  entry(
    "jsonbKeyIsNull",
    key,
    "the key is missing or null",
    (column, [of]) => `${asText(column, of)} is null`,
    onNull,
  ),
  entry(
    "jsonbKeyIsNotNull",
    key,
    "the key has a value",
    (column, [of]) => `${asText(column, of)} is not null`,
    onNull,
  ),
  entry("jsonbPathExists", path, "the JSON path finds something", (column, [of, vars], kind) =>
    kind === "vars" ? `jsonb_path_exists(${column}, ${of}, ${vars}, true)` : `${column} @? ${of}`,
  ),
  entry("jsonbPathMatch", path, "the predicate of the JSON path is true", (column, [of, vars], kind) =>
    kind === "vars" ? `jsonb_path_match(${column}, ${of}, ${vars}, true)` : `${column} @@ ${of}`,
  ),
  entry(
    "jsonbArrayLength",
    length,
    "the array has so many items; `path`: of the array under that key",
    (column, [value, of], sign) => {
      const place = of === undefined ? column : json(column, of);
      return `(case when jsonb_typeof(${place}) = 'array' then jsonb_array_length(${place}) end) ${signs[sign as Sign]} ${value}`;
    },
  ),
  entry(
    "jsonbTypeOf",
    type,
    "is of the JSON type; `path`: what stands under that key",
    (column, [value, of]) => `jsonb_typeof(${of === undefined ? column : json(column, of)}) = ${value}`,
  ),
  entry(
    "jsonbDeepValue",
    deep,
    "what stands at the path compares so (`op`, by default eq)",
    (column, [path = "", value = ""], choice) => deepSql(column, path, value, choice),
    lenient,
  ),
];
