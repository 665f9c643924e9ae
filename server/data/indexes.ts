/** The indexes that definitions ask for, and the database lacks: dropped by hand, or left half-made by another program. */
import type { IndexMigration } from "@baasix/types";
import { compileChanges } from "../core/schema/ddl";
import { indexesOf } from "../core/schema/define";
import type { Change } from "../core/schema/diff";
import type { Schema } from "../core/schema/model";
import { dropIndex, presentIndexes } from "../core/schema/store";
import { AppError } from "../core/errors";
import type { TransactionRunner } from "../platform/postgres";
import { lockInTries } from "./locks";
import { runSteps } from "./migrate";

/** What became of each index. */
export type IndexReport = IndexMigration["details"];

/** Makes what is missing. One that cannot be made is told, and the others are. `tableTimeout` in ms. */
export async function makeMissing(
  runner: TransactionRunner,
  schema: Schema,
  tableTimeout: number,
): Promise<IndexReport> {
  const present = new Map(
    (await runner.run(presentIndexes)).map(([, name, isWhole]) => [String(name), isWhole === true] as const),
  );
  const wanted = [...schema.collections.values()].flatMap((collection) =>
    indexesOf(collection).map((index): Change & { kind: "addIndex" } => ({
      kind: "addIndex",
      collection,
      index,
    })),
  );
  const told = ({ collection, index }: (typeof wanted)[number]) => ({
    collection: collection.name,
    indexName: index.name,
  });
  const missing = wanted.filter(({ index }) => present.get(index.name) !== true);
  const created: IndexReport["created"][number][] = [];
  const errors: IndexReport["errors"][number][] = [];
  for (const change of missing) {
    const { collection, index } = change;
    const isBroken = present.has(index.name);
    try {
      await lockInTries(
        runner,
        new Map([[collection.name, isBroken ? "access exclusive" : "share"] as const]),
        tableTimeout,
      );
      await runner.savepoint(async () => {
        if (isBroken) await runner.run(dropIndex(index.name));
        await runSteps(runner, compileChanges([change], { published: false }));
      });
      created.push({ ...told(change), field: index.fields.join(",") });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      errors.push({ ...told(change), error: error.message });
    }
  }
  const skipped = wanted
    .filter((change) => !missing.includes(change))
    .map((change) => ({ ...told(change), reason: "it exists" }));
  return { created, skipped, errors };
}
