/** Brings the functions that statements and indexes call in step; see `core/schema/functions.ts`. */
import { loadFunctions, putFunction, staleFunctions, statementFunctions } from "../core/schema/functions";
import { placeFunctions } from "../core/schema/places";
import { putSearchFunctions } from "../core/schema/searchFunctions";
import { serverVersion } from "../core/schema/store";
import type { Runner } from "../platform/postgres";

/** Run before tables are made: their indexes may call what searches are made of. Where that changed, the indexes are made anew. */
export async function ensureFunctions(runner: Runner, extensions: ReadonlySet<string>): Promise<void> {
  const present = await runner.run(loadFunctions);
  const [version] = await runner.run(serverVersion);
  const wanted = [...statementFunctions(Number(version?.[0])), ...placeFunctions];
  for (const one of staleFunctions(wanted, present)) await runner.run(putFunction(one));
  for (const statement of putSearchFunctions(present, extensions)) await runner.run(statement);
}
