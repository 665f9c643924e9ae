/** Gives the fields that number items the sequence behind it; see `core/schema/places.ts`. */
import { createSequence, lackingPlaces } from "../core/schema/places";
import type { Schema } from "../core/schema/model";
import type { Runner } from "../platform/postgres";

/** Run inside the transaction that changes tables, after all else of it. */
export async function ensurePlaces(runner: Runner, schema: Schema): Promise<void> {
  const lacking = lackingPlaces(schema);
  const fields = lacking ? await runner.run(lacking) : [];
  for (const [table, column] of fields) {
    // Tables and columns may be called anew: names made of theirs could meet.
    const name = `baasix_places_${crypto.randomUUID().replaceAll("-", "")}`;
    await runner.run(createSequence(name, String(table), String(column)));
  }
}
