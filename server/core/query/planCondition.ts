/** Condition → Planned: names become fields, relations and operators, operands become parameters. Nothing here asks who may. */
import { AppError, suggestion } from "../errors";
import type { FieldShape } from "../schema/fields";
import type { Collection, Relation, Schema } from "../schema/model";
import type { Condition } from "./ast";
import { planCast } from "./casts";
import { findCollection, findColumn, unknownField } from "./find";
import { readWritten } from "./holes";
import { operandReader, operator, operatorFor, operators, typesOf, worksOn } from "./operators";
import type { Operator } from "./operators/operator";
import type { Comparison, Hop, Operand, Planned, Related, Scope } from "./planned";

/** Where a condition stands. `negated`: below an odd number of NOTs, where unknown and false differ. */
type Place = { readonly schema: Schema; readonly scopes: readonly Scope[]; readonly negated: boolean };

/** Resolves a condition on a collection: a filter of a request, or the row rule of a permission. */
export function planCondition(schema: Schema, collection: Collection, condition: Condition): Planned {
  return plan(condition, { schema, scopes: [{ collection, relation: null }], negated: false });
}

function plan(condition: Condition, place: Place): Planned {
  switch (condition.kind) {
    case "all":
    case "any":
      return { kind: condition.kind, items: condition.items.map((item) => plan(item, place)) };
    case "not":
      return { kind: "not", item: plan(condition.item, { ...place, negated: !place.negated }) };
    case "within":
      return planWithin(condition, place);
    case "compare":
      return planCompare(condition, place);
  }
}

function here({ scopes }: Place): Collection {
  const scope = scopes.at(-1);
  if (!scope) throw new Error("a condition stands in no collection");
  return scope.collection;
}

function planWithin(condition: Condition & { kind: "within" }, place: Place): Planned {
  const collection = here(place);
  const { at } = condition;
  const relation = collection.relations.get(condition.relation);
  if (!relation) {
    const field = collection.fields.get(condition.relation);
    const inner = firstName(condition.item);
    if (field && inner !== null) throw unknownOperator(inner, at);
    throw unknownField(collection, condition.relation, at);
  }
  const target = findCollection(place.schema, relation.target);
  const scopes = [...place.scopes, { collection: target, relation }];
  if (relation.kind === "one") {
    const item = plan(condition.item, { ...place, scopes });
    return lookUp({ relation, target, depth: place.scopes.length, at }, item, place.negated);
  }
  // A list asks for some row of which the condition is true: within, what is unknown counts as false again.
  const item = plan(condition.item, { ...place, scopes, negated: false });
  return { ...someRow(relation, target, item, at), negated: place.negated };
}

function someRow(relation: Relation, target: Collection, item: Planned, at: string): Related {
  return { kind: "related", relation, target, item, negated: false, rows: null, at };
}

/** A to-one relation that is passed: `depth` is the place of its row among the scopes. */
type Passed = {
  readonly relation: Relation;
  readonly target: Collection;
  readonly depth: number;
  readonly at: string;
};

/**
 * A to-one relation reads like columns of the row itself: where there is no related row its columns are null. Where this
 * shows, below NOT and where null decides, each column is looked up by itself. Elsewhere one question for the
 * related row is asked, which PostgreSQL can turn into a join.
 */
function lookUp(passed: Passed, item: Planned, negated: boolean): Planned {
  const { relation, target, at } = passed;
  if (!negated && !mayHold(item, false)) return someRow(relation, target, item, at);
  switch (item.kind) {
    case "all":
    case "any":
      return { kind: item.kind, items: item.items.map((part) => lookUp(passed, part, negated)) };
    case "not":
      return { kind: "not", item: lookUp(passed, item.item, !negated) };
    case "above":
      throw new Error("what is written cannot look above");
    case "related":
      return { ...someRow(relation, target, item, at), negated };
    case "compare":
      return negated || item.onNull ? lift(item, passed) : someRow(relation, target, item, at);
  }
}

/** Whether the condition, or its negation, may hold where there is no row: columns are null then, and lists are empty. */
function mayHold(item: Planned, negated: boolean): boolean {
  switch (item.kind) {
    case "all":
    case "any": {
      const each = (part: Planned): boolean => mayHold(part, negated);
      return (item.kind === "all") === negated ? item.items.some(each) : item.items.every(each);
    }
    case "not":
      return mayHold(item.item, !negated);
    case "above":
      throw new Error("what is written cannot look above");
    case "related":
      return negated;
    case "compare":
      return item.onNull && item.operator.name !== (negated ? "isNull" : "isNotNull");
  }
}

/** The comparison, said of the row before the relation. */
function lift(item: Comparison, { relation, target, depth }: Passed): Comparison {
  const hop: Hop = { relation, target, rows: null };
  return {
    ...item,
    hops: [hop, ...item.hops],
    operands: item.operands.map((operand) => liftOperand(operand, hop, depth)),
  };
}

function liftOperand(operand: Operand, hop: Hop, depth: number): Operand {
  if (operand.kind === "array") {
    return { ...operand, items: operand.items.map((item) => liftOperand(item, hop, depth)) };
  }
  if (operand.kind !== "column" || operand.scope !== depth) return operand;
  return { ...operand, scope: depth - 1, hops: [hop, ...operand.hops] };
}

function planCompare(condition: Condition & { kind: "compare" }, { schema, scopes }: Place): Planned {
  const { at } = condition;
  const collection = scopes.at(-1)?.collection;
  const named = operators.get(condition.operator);
  if (!collection) throw new Error("a condition stands in no collection");
  const field = findColumn(collection, condition.column, at);
  if (!named) throw unknownOperator(condition.operator, at);
  const cast = condition.cast === null ? null : planCast(condition.cast.type, field, condition.cast.at);
  const shape = cast?.shape ?? field;
  const chosen = operatorFor(named, shape);
  if (!worksOn(chosen, shape)) throw misplaced(chosen, shape, schema, at);
  const {
    operands,
    choice = "",
    onNull = false,
    test,
  } = readWritten(condition.operand, operandReader(chosen.operand, { schema, shape, scopes, at }));
  return {
    kind: "compare",
    hops: [],
    field,
    cast,
    operator: test === undefined ? chosen : operator(test),
    operands,
    choice,
    onNull: onNull || chosen.onNull === true || test !== undefined,
    guard: null,
    at,
  };
}

function misplaced(chosen: Operator, shape: FieldShape, schema: Schema, at: string): AppError {
  const { name, on } = chosen;
  if (on.includes("geometry") && !schema.extensions.has("postgis")) {
    return new AppError(
      "INVALID_QUERY",
      `${at}: the operator '${name}' needs the PostgreSQL extension 'postgis', which this server's database does not have`,
    );
  }
  return new AppError(
    "INVALID_QUERY",
    `${at}: the operator '${name}' does not work on a field of type ${shape.type}; it works on ${typesOf(chosen).join(", ")}`,
  );
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
