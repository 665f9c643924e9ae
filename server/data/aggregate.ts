/** Groups through the door: parse → plan → authorize → compile → run, one statement an answer. */
import type { Actor } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { parseAggregate } from "../core/query/aggregate";
import { authorizeAggregate } from "../core/query/authorize";
import type { CountMode } from "../core/query/ast";
import { compileAggregate } from "../core/query/compileAggregate";
import { planAggregate } from "../core/query/planAggregate";
import { bind, type CompiledStatement } from "../core/query/variables";
import { collectionFor } from "./access";
import type { RawQuery, ReadAnswer } from "./door";
import { keepByShape } from "./kept";
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
  const { made, inputs } = kept.take(at, actor, collection, query, (read) =>
    prepare(at, actor, collection, read),
  );
  const { statement, count } = made;
  const rows = await runner.run(bind(statement, { actor, now: now(), inputs }), optionsFor(actor, signal));
  const [json, total, cut] = rows[0] ?? [];
  return {
    json: String(json),
    totalCount: count === "none" ? null : Number(total),
    estimated: false,
    truncated: cut === true,
  };
}

type Prepared = { readonly statement: CompiledStatement; readonly count: CountMode };

const kept = keepByShape<Prepared>();

function prepare(snapshot: Snapshot, actor: Actor, collection: string, query: RawQuery): Prepared {
  collectionFor(snapshot, actor, collection, "read");
  const { schema, rules } = snapshot;
  const plan = planAggregate(schema, parseAggregate(collection, query));
  const authorized = authorizeAggregate(plan, accessOf(rules, schema, actor));
  return { statement: compileAggregate(authorized, schema.version), count: plan.count };
}
