/** Which extensions of PostgreSQL there are to rely on. Those that searches want are created where the role may. */
import { createExtension, loadExtensions, wantedExtensions } from "../core/schema/searchFunctions";
import { type Runner, sqlState } from "../platform/postgres";

/**
 * Creates what is missing and tells what is there. A database without an extension works without it: what needs one
 * says so when it is asked for.
 */
export async function ensureExtensions(database: Runner): Promise<ReadonlySet<string>> {
  const present = await installed(database);
  const missing = wantedExtensions.filter(({ name }) => !present.has(name));
  if (missing.length === 0) return present;
  for (const { name } of missing) {
    try {
      await database.run(createExtension(name));
    } catch (error) {
      // Not allowed, not on that server, or another instance was first: the list below tells.
      if (!["42501", "58P01", "0A000", "42710", "23505"].includes(sqlState(error) ?? "")) throw error;
    }
  }
  return installed(database);
}

/** What is missing, one line for the log each. */
export function tellMissing(extensions: ReadonlySet<string>): readonly string[] {
  return wantedExtensions
    .filter(({ name }) => !extensions.has(name))
    .map(
      ({ name, without }) =>
        `the database has no extension ${name} in the schema public, and our role could not create it: ${without}. ` +
        "Let a superuser create it there, then start again",
    );
}

async function installed(database: Runner): Promise<ReadonlySet<string>> {
  return new Set((await database.run(loadExtensions)).map(([name]) => String(name)));
}
