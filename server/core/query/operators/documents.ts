/** JSON documents as operands: values anywhere in them may be variables. */
import { AppError } from "../../errors";
import { readJson } from "../../schema/values";
import { planActor } from "../references";
import type { ActorOperand, Operand } from "../planned";
import { isReference, type Param, readReference } from "../variables";
import { bound, invalidOperand } from "./operands";
import type { OperandContext } from "./operator";

type Writing = {
  readonly context: OperandContext;
  readonly parts: (string | Param)[];
  readonly inserts: { path: readonly string[]; value: ActorOperand }[];
};

/**
 * Reads any JSON value. Variables without a path become parts of the text that is bound; those with one are put in by
 * PostgreSQL.
 */
export function readDocument(value: unknown, context: OperandContext, at: string): Operand {
  if (value === undefined) throw invalidOperand(at, "a JSON value", value);
  const text = checked(value, at);
  const writing: Writing = { context, parts: [], inserts: [] };
  if (!hasReference(value)) return bound(text, "jsonb");
  write(value, [], at, writing);
  const { parts, inserts } = writing;
  const param: Param = parts.every((part) => typeof part === "string")
    ? { kind: "value", text: parts.join("") }
    : { kind: "json", parts };
  return { kind: "json", param, inserts };
}

function checked(value: unknown, at: string): string {
  try {
    return readJson(value);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${at}: ${error.message}`);
  }
}

function hasReference(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return isReference(value);
  if (Array.isArray(value)) return value.some(hasReference);
  return Object.entries(value).some(([key, member]) => isReference(key) || hasReference(member));
}

function write(value: unknown, path: readonly string[], at: string, writing: Writing): void {
  if (isReference(value)) writeReference(value, path, at, writing);
  else if (Array.isArray(value)) {
    writing.parts.push("[");
    value.forEach((member: unknown, i) => {
      if (i > 0) writing.parts.push(",");
      write(member, [...path, String(i)], `${at}[${i}]`, writing);
    });
    writing.parts.push("]");
  } else if (typeof value === "object" && value !== null) writeObject(value, path, at, writing);
  else writing.parts.push(JSON.stringify(value));
}

function writeObject(value: object, path: readonly string[], at: string, writing: Writing): void {
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  writing.parts.push("{");
  members.forEach(([key, member], i) => {
    if (i > 0) writing.parts.push(",");
    const before = writing.inserts.length;
    writing.parts.push(isReference(key) ? keyOf(key, at) : JSON.stringify(key), ":");
    write(member, [...path, key], `${at}.${key}`, writing);
    if (isReference(key) && writing.inserts.length > before)
      throw new AppError(
        "INVALID_VALUE",
        `${at}: below a key that is a variable, only variables without a path may stand`,
      );
  });
  writing.parts.push("}");
}

function keyOf(key: string, at: string): Param {
  const reference = readReference(key, at);
  if (reference?.kind === "param") return reference.param;
  throw new AppError("INVALID_VALUE", `${at}: only a variable without a path may be a key`);
}

function writeReference(value: string, path: readonly string[], at: string, writing: Writing): void {
  const reference = readReference(value, at);
  if (reference?.kind === "param") writing.parts.push(reference.param);
  else if (reference?.kind === "actor") {
    const operand = planActor(reference, writing.context.schema, undefined, at);
    if (operand.list)
      throw new AppError("INVALID_VALUE", `${at}: '${value}' is a list and cannot stand here`);
    writing.inserts.push({ path, value: operand });
    writing.parts.push("null");
  } else throw new AppError("INVALID_QUERY", `${at}: $COL cannot stand in a JSON value`);
}
