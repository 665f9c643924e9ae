/** authorize → compile → run, for one write that was planned. */
import type { ErrorCode, ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { AppError } from "../core/errors";
import { keepingOf } from "../core/query/auditBulk";
import { type AuthorizedTarget, authorizeWrite } from "../core/query/authorize";
import { compileHold, encodeKeys } from "../core/query/compileRemove";
import { encodeWrite, goesByValue, type WriteForm } from "../core/query/compileWrite";
import type { Planned } from "../core/query/plan";
import { canShareCreates } from "../core/query/sharedWrite";
import { bind, type Binding, type CompiledStatement } from "../core/query/variables";
import { completeWrite, giveKeys, type WritePlan } from "../core/query/write";
import type { Collection, Field } from "../core/schema/model";
import type { Row } from "../platform/postgres";
import type { WriteBody } from "./door";
import { keepWrite, type KeptWrite } from "./keptWrites";
import { optionsFor } from "./read";
import { tellRestriction } from "./restricted";
import { SharedWrites } from "./sharedWrites";
import type { Snapshot } from "./snapshot";
import type { WriteParts } from "./write";

/** What is to be written, before it is known who may. `condition` null: rows are named by key, or are new. */
export type Job = {
  readonly actor: Actor;
  readonly collection: Collection;
  readonly action: "create" | "update" | "delete";
  readonly columns: readonly Field[];
  readonly condition: Planned | null;
  /** Rows that are named; Infinity where a filter finds them. */
  readonly rows: number;
  /** What the statement depends on besides columns and target, where it may be kept; else null. */
  readonly form: string | null;
  /** Rows that are locked before they are judged: by their keys, or those of the condition. */
  readonly held?: readonly string[] | "matching" | null;
  readonly prepare: (target: AuthorizedTarget, version: number) => Prepared;
};

/** A statement, its input 0, those from 4 on and (removes) the version that is asked for. */
type Prepared = {
  readonly compile: () => CompiledStatement;
  readonly input: string | null;
  readonly columns?: readonly (string | null)[];
  readonly wanted?: string | null;
  /** The statement of several requests; null where their writes cannot share one. */
  readonly compileShared?: () => CompiledStatement | null;
};

/** Makes the statement of planned rows. */
export type CompileWrite = (
  target: AuthorizedTarget,
  plan: WritePlan,
  version: number,
  form: Pick<WriteForm, "isShared">,
) => CompiledStatement;

/** A statement that writes more rows than these waits for others of its kind; the server's own find few rows. */
export const fewRows = 20;

/**
 * The job of planned rows. `stamp`: columns that the server knows; `skip`: what makes `compile` leave out rows. Neither
 * kind of statement is kept.
 */
export function jobOf(
  parts: WriteParts,
  actor: Actor,
  plan: WritePlan,
  condition: Planned | null,
  compile: CompileWrite,
  special: { readonly stamp?: WriteBody | undefined; readonly skip?: unknown } = {},
): Job {
  const { collection, action, columns, rows } = plan;
  const isPlain = !condition && !parts.related && !special.stamp && !special.skip;
  return {
    actor,
    collection,
    action,
    columns,
    condition,
    rows: condition === null ? rows.length : Infinity,
    form: isPlain ? formOf(plan) : null,
    prepare: (target, version) => {
      const complete = giveKeys(completeWrite(plan, target, bindingOf(parts, actor), special.stamp), makeKey);
      const { rows: input, columns: lists } = encodeWrite(complete);
      return {
        compile: () => compile(target, complete, version, {}),
        input,
        columns: lists,
        compileShared: () =>
          canShare(target, complete) ? compile(target, complete, version, { isShared: true }) : null,
      };
    },
  };
}

const makeKey = (): string => crypto.randomUUID();

/** True for one row that can be written in the statement of others. */
function canShare({ holders }: AuthorizedTarget, plan: WritePlan): boolean {
  const { action, collection, columns, rows } = plan;
  // Rows that move to another tenant are judged with all that their statement moves.
  const isBulk = rows.length !== 1 || holders !== null;
  if (isBulk || collection.system || !goesByValue(plan)) return false;
  return action === "update" || canShareCreates(collection, columns);
}

/** What the statement for rows depends on besides their columns; null where it is one of too many. */
function formOf({ action, rows, columns }: WritePlan): string | null {
  if (rows.length === 1) return rows[0]?.version === null ? action : `${action} versioned`;
  const isVersioned = rows.some(({ version }) => version !== null);
  const isEven = rows.every(({ values }) => columns.every((_, column) => values[column] !== undefined));
  return isEven ? `${action} many ${isVersioned} ${keepingOf(rows.length)}` : null;
}

/** authorize → compile → run; gives the keys of the rows. Tries the targets in turn. Throws its first refusals at once. */
export function perform(parts: WriteParts, job: Job): Promise<readonly ItemId[]> {
  const { actor, collection, action, columns, condition, form } = job;
  const snapshot = parts.snapshot();
  const authorize = (): KeptWrite["targets"] => {
    const access = accessOf(snapshot.rules, snapshot.schema, actor);
    return authorizeWrite(
      snapshot.schema,
      collection,
      action,
      columns,
      condition,
      access,
      parts.related?.named,
    );
  };
  const kept = form === null ? null : keepWrite(snapshot, actor, collection, columns, form, authorize);
  const targets = kept?.targets ?? authorize();
  if (targets.length === 1) return performOn(parts, job, snapshot, kept, targets[0]);
  return performInTurn(parts, job, snapshot, kept, targets);
}

async function performInTurn(
  parts: WriteParts,
  job: Job,
  snapshot: Snapshot,
  kept: KeptWrite | null,
  targets: KeptWrite["targets"],
): Promise<readonly ItemId[]> {
  const refusals: AppError[] = [];
  for (const target of targets) {
    try {
      return await parts.attempt(() => performOn(parts, job, snapshot, kept, target));
    } catch (error) {
      if (!(error instanceof AppError && tryNext.has(error.code))) throw error;
      refusals.push(error);
    }
  }
  throw refusals[0] ?? notFound();
}

async function performOn(
  parts: WriteParts,
  { actor, action, condition, rows, form, held = null, prepare }: Job,
  { schema, rules }: Snapshot,
  kept: KeptWrite | null,
  target: AuthorizedTarget,
): Promise<readonly ItemId[]> {
  if (held !== null) {
    const byKey = held !== "matching";
    const hold = compileHold(target, byKey, schema.version);
    const keys = byKey ? [encodeKeys(held)] : [];
    await parts.runner.run(bind(hold, bindingOf(parts, actor, keys)), optionsFor(actor));
  }
  const {
    compile,
    input,
    wanted = null,
    columns: lists = [],
    compileShared,
  } = prepare(target, schema.version);
  let statement = kept?.statements.get(target);
  if (!statement) {
    statement = compile();
    kept?.statements.set(target, statement);
  }
  const origin = actor.kind === "system" ? undefined : actor.origin;
  const inputs = [input, origin?.address ?? null, origin?.requestId ?? null, wanted, ...lists];
  const binding = { actor, now: parts.now(), inputs };
  let ids: readonly ItemId[];
  try {
    // Of kinds of write that may meet others the form is the action alone.
    const mayMeet = form === action && held === null && !parts.isInside && actor.kind === "user";
    if (kept && mayMeet && compileShared)
      ids = await sharedOf(parts, kept, target, statement).write(
        binding,
        action === "update" ? input : null,
        compileShared,
      );
    else {
      const options =
        rows > fewRows && actor.kind !== "system" ? { ...optionsFor(actor), long: true } : optionsFor(actor);
      ids = keysOf(await parts.runner.run(bind(statement, binding), options), rows === 1);
    }
  } catch (error) {
    throw tellRestriction(error, schema, accessOf(rules, schema, actor));
  }
  if (action !== "create" && condition === null && ids.length < rows) throw notFound();
  return ids;
}

function sharedOf(
  { runner }: WriteParts,
  { shared }: KeptWrite,
  target: AuthorizedTarget,
  alone: CompiledStatement,
): SharedWrites {
  let writes = shared.get(target);
  if (!writes) shared.set(target, (writes = new SharedWrites(runner, alone)));
  return writes;
}

/** Refusals that another grant, with other default values, may not share. */
const tryNext: ReadonlySet<ErrorCode> = new Set([
  "FORBIDDEN",
  "NOT_FOUND",
  "VALIDATION_ERROR",
  "REQUIRED_FIELD",
]);

function bindingOf(parts: WriteParts, actor: Actor, inputs?: readonly (string | null)[]): Binding {
  const now = parts.now();
  return inputs ? { actor, now, inputs } : { actor, now };
}

/** What `finishWrite` makes a statement give. */
function keysOf(rows: readonly Row[], single: boolean): readonly ItemId[] {
  if (single) return rows[0] ? [rows[0][0] as ItemId] : [];
  const keys = rows[0]?.[0];
  return typeof keys === "string" ? (JSON.parse(keys) as ItemId[]) : [];
}

function notFound(): AppError {
  return new AppError("NOT_FOUND", "Item not found");
}
