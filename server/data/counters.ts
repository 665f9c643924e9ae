/** Brings what numbers items behind the numbers that a file gave; see `core/schema/counters.ts`. */
import { countOn, isCounted } from "../core/schema/counters";
import type { Database } from "../platform/postgres";
import type { Snapshot } from "./snapshot";

/** Lets these fields of a collection count on behind the highest number that is there; others are left alone. */
export type CountOn = (collection: string, fields: readonly string[]) => Promise<void>;

export function createCounters({
  database,
  snapshot,
}: {
  readonly database: Pick<Database, "run">;
  readonly snapshot: () => Snapshot;
}): CountOn {
  return async (name, fields) => {
    const collection = snapshot().schema.collections.get(name);
    for (const field of collection?.fields.values() ?? [])
      if (collection && fields.includes(field.name) && isCounted(field))
        await database.run(countOn(collection, field), { pool: "slow" });
  };
}
