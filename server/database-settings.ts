/** The settings by which the carried PostgreSQL starts, apart from the others, since it starts before those are read. */

/** What holds where nothing is said. */
export const databaseDefaults = {
  BAASIX_DIR: "./baasix_data",
  DATABASE_POOL_MAX: 10,
  DATABASE_SLOW_POOL_MAX: 4,
} as const;

/** `dir`: the data directory as it was given; `connections`: of all pools. */
export type DatabaseSettings = { readonly dir: string; readonly connections: number };

/** Null: with another database, and where a setting is none; `readConfig` tells what is wrong with it. */
export function readDatabaseSettings(
  env: Readonly<Record<string, string | undefined>>,
): DatabaseSettings | null {
  if (env.DATABASE_URL) return null;
  const [short, slow] = (["DATABASE_POOL_MAX", "DATABASE_SLOW_POOL_MAX"] as const).map((key) =>
    Number(env[key] || databaseDefaults[key]),
  );
  const connections = (short ?? NaN) + (slow ?? NaN);
  if (!Number.isInteger(connections) || connections < 1 || connections > 250) return null;
  return { dir: env.BAASIX_DIR || databaseDefaults.BAASIX_DIR, connections };
}
