/** Condition → Planned: names become fields, relations and operators, operands become parameters. Nothing here asks who may. */
import { AppError, suggestion } from "../errors";
import { operandShape, parseValue, supports } from "../schema/fields";
import type { Collection, Field, Relation, Schema } from "../schema/model";
import { arrayText } from "../schema/values";
import type { Condition } from "./ast";
import { findCollection, findColumn, unknownField } from "./find";
import { type Operator, operators } from "./operators";
import type { Planned } from "./planned";
import { type Param, readVariable } from "./variables";

/** Resolves a condition on a collection: a filter of a request, or the row rule of a permission. */
export function planCondition(schema: Schema, collection: Collection, condition: Condition): Planned {
  switch (condition.kind) {
    case "all":
    case "any":
      return {
        kind: condition.kind,
        items: condition.items.map((item) => planCondition(schema, collection, item)),
      };
    case "not":
      return { kind: "not", item: planCondition(schema, collection, condition.item) };
    case "within":
      return planWithin(schema, collection, condition);
    case "compare":
      return planCompare(collection, condition);
  }
}

function planWithin(
  schema: Schema,
  collection: Collection,
  condition: Condition & { kind: "within" },
): Planned {
  const relation = collection.relations.get(condition.relation);
  if (!relation) {
    const field = collection.fields.get(condition.relation);
    const inner = firstName(condition.item);
    if (field && inner !== null) throw unknownOperator(inner, condition.at);
    throw unknownField(collection, condition.relation, condition.at);
  }
  const target = findCollection(schema, relation.target);
  const item = planCondition(schema, target, condition.item);
  return relation.kind === "one"
    ? lookUp(relation, target, item, condition.at)
    : related(relation, target, item, condition.at);
}

function related(relation: Relation, target: Collection, item: Planned, at: string): Planned {
  return { kind: "related", relation, target, item, rows: null, at };
}

/**
 * A to-one relation reads like columns of the row itself: where there is no related row its columns are null.
 * So `isNull` also holds without a related row, and AND, OR and NOT stay outside.
 */
function lookUp(relation: Relation, target: Collection, item: Planned, at: string): Planned {
  if (item.kind === "all" && !item.items.some(testsNull)) return related(relation, target, item, at);
  if (item.kind === "all" || item.kind === "any") {
    return { kind: item.kind, items: item.items.map((part) => lookUp(relation, target, part, at)) };
  }
  if (item.kind === "compare" && item.operator.name === "isNull") {
    const present: Planned = { ...item, operator: operators.get("isNotNull") ?? item.operator };
    return { kind: "not", item: related(relation, target, present, at) };
  }
  return related(relation, target, item, at);
}

function testsNull(item: Planned): boolean {
  if (item.kind === "compare") return item.operator.name === "isNull";
  if (item.kind === "related") return false;
  return item.kind === "not" ? testsNull(item.item) : item.items.some(testsNull);
}

function planCompare(collection: Collection, condition: Condition & { kind: "compare" }): Planned {
  const { at } = condition;
  const field = findColumn(collection, condition.column, at);
  const found = operators.get(condition.operator);
  if (!found) throw unknownOperator(condition.operator, at);
  const [operator, operand] = withoutNull(found, condition.operand);
  if (!supports(field, operator.on)) {
    throw new AppError(
      "INVALID_QUERY",
      `${at}: the operator '${operator.name}' does not work on a field of type ${field.type}`,
    );
  }
  const item: Planned = { kind: "compare", field, operator, operands: [], guard: null, at };
  switch (operator.operand) {
    case "flag":
      return readFlag(operand, at) ? item : { kind: "not", item };
    case "value":
      return { ...item, operands: [readOperand(field, operand, at)] };
    case "pattern":
      return { ...item, operands: [readPattern(operator, operand, at)] };
    case "pair":
      if (!Array.isArray(operand) || operand.length !== 2) throw invalidOperand(at, "a list of two values");
      return { ...item, operands: operand.map((value, i) => readOperand(field, value, `${at}[${i}]`)) };
    case "list":
      if (!Array.isArray(operand)) throw invalidOperand(at, "a list of values");
      return planList(item, operand);
  }
}

/** `eq: null` and `ne: null` are tests for null. */
function withoutNull(operator: Operator, operand: unknown): readonly [Operator, unknown] {
  if (operand !== null || operator.operand !== "value") return [operator, operand];
  const test = operator.name === "eq" ? "isNull" : operator.name === "ne" ? "isNotNull" : null;
  return test === null ? [operator, operand] : [operators.get(test) ?? operator, true];
}

function planList(item: Planned & { kind: "compare" }, values: readonly unknown[]): Planned {
  const params = values.map((value, i) => readOperand(item.field, value, `${item.at}[${i}]`));
  if (params.some((param) => param.kind !== "value")) {
    // A variable has no place in an array that is bound as one text: one comparison each instead.
    const single = operators.get(item.operator.name === "in" ? "eq" : "ne") ?? item.operator;
    const items = params.map((param): Planned => ({ ...item, operator: single, operands: [param] }));
    return { kind: item.operator.name === "in" ? "any" : "all", items };
  }
  const texts = params.map((param) => (param.kind === "value" ? param.text : null));
  return { ...item, operands: [{ kind: "value", text: arrayText(texts) }] };
}

function readOperand(field: Field, value: unknown, at: string): Param {
  const variable = readVariable(value, at);
  if (variable) return variable;
  if (value === null || value === undefined) throw invalidOperand(at, "a value; to test for null use isNull");
  return { kind: "value", text: parseValue(value, operandShape(field), at) };
}

function readPattern(operator: Operator, value: unknown, at: string): Param {
  const variable = readVariable(value, at);
  if (variable) return variable;
  if (typeof value !== "string" && typeof value !== "number") throw invalidOperand(at, "a text");
  const text = String(value);
  if (text.includes("\0") || !text.isWellFormed())
    throw invalidOperand(at, "a text without NUL or unpaired surrogates");
  return { kind: "value", text: operator.pattern ? operator.pattern(text) : text };
}

function readFlag(value: unknown, at: string): boolean {
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw invalidOperand(at, "true or false");
}

function invalidOperand(at: string, expected: string): AppError {
  return new AppError("INVALID_VALUE", `${at}: expected ${expected}`);
}

function unknownOperator(name: string, at: string): AppError {
  return new AppError(
    "UNKNOWN_OPERATOR",
    `${at}: unknown operator '${name}'${suggestion(name, operators.keys())}`,
  );
}

function firstName(condition: Condition): string | null {
  if (condition.kind === "compare") return condition.column;
  if (condition.kind === "within") return condition.relation;
  if (condition.kind === "not") return firstName(condition.item);
  return condition.items[0] ? firstName(condition.items[0]) : null;
}
