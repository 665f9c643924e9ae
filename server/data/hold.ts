/** Locks rows before several statements of one transaction write them, so that those who write the same ones follow one another. */
import type { Actor } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { authorizeWrite } from "../core/query/authorize";
import { compileHold, encodeKeys } from "../core/query/compileRemove";
import { bind } from "../core/query/variables";
import type { Collection } from "../core/schema/model";
import { optionsFor } from "./read";
import type { WriteParts } from "./write";

/** Locks those of the rows that the actor may change, in the order of their keys. */
export async function holdRows(
  { snapshot, runner, now }: Pick<WriteParts, "snapshot" | "runner" | "now">,
  actor: Actor,
  collection: Collection,
  keys: readonly string[],
): Promise<void> {
  const { schema, rules } = snapshot();
  const access = accessOf(rules, schema, actor);
  if (access(collection, "update") === null) return;
  const [target] = authorizeWrite(schema, collection, "update", [], null, access);
  const statement = compileHold(target, true, schema.version);
  await runner.run(bind(statement, { actor, now: now(), inputs: [encodeKeys(keys)] }), optionsFor(actor));
}
