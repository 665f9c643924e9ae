/** Groups through the door: parse → plan → authorize → compile → run, one statement an answer. */
import type { Actor } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { parseAggregate } from "../core/query/aggregate";
import { type AuthorizedAggregate, authorizeAggregate } from "../core/query/authorize";
import { compileAggregate } from "../core/query/compileAggregate";
import { planAggregate } from "../core/query/planAggregate";
import { bind, type CompiledStatement } from "../core/query/variables";
import { collectionFor } from "./access";
import type { RawQuery, ReadAnswer } from "./door";
import { keepByShape, type Kept } from "./kept";
import { optionsFor, type ReadParts } from "./read";
import type { Snapshot } from "./snapshot";

/** The groups that a query asks for; `totalCount` is how many there are. An aborted `signal` cancels the statement. */
export async function readGroups(
  { runner, snapshot, now }: ReadParts,
  actor: Actor,
  collection: string,
  query: RawQuery,
  signal?: AbortSignal,
): Promise<ReadAnswer> {
  const at = snapshot();
  const { made, inputs } = prepareGroups(at, actor, collection, query);
  const { statement, plan } = made;
  const rows = await runner.run(bind(statement, { actor, now: now(), inputs }), optionsFor(actor, signal));
  const [json, total, cut] = rows[0] ?? [];
  return {
    json: String(json),
    totalCount: plan.count === "none" ? null : Number(total),
    estimated: false,
    truncated: cut === true,
  };
}

/** An aggregate that was planned and authorized. */
export type PreparedGroups = {
  readonly statement: CompiledStatement;
  readonly plan: AuthorizedAggregate;
  readonly version: number;
};

const kept = keepByShape<PreparedGroups>();

/** The plan of an aggregate, as `preparePage` gives that of a list. */
export function prepareGroups(
  snapshot: Snapshot,
  actor: Actor,
  collection: string,
  query: RawQuery,
): Kept<PreparedGroups> {
  return kept.take(snapshot, actor, collection, query, (read) => prepare(snapshot, actor, collection, read));
}

function prepare(snapshot: Snapshot, actor: Actor, collection: string, query: RawQuery): PreparedGroups {
  collectionFor(snapshot, actor, collection, "read");
  const { schema, rules } = snapshot;
  const plan = planAggregate(schema, parseAggregate(collection, query));
  const authorized = authorizeAggregate(plan, accessOf(rules, schema, actor));
  return {
    statement: compileAggregate(authorized, schema.version),
    plan: authorized,
    version: schema.version,
  };
}
