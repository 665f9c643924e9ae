/** The start from the command line: PostgreSQL is on its way before most of the server is loaded. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { readDatabaseSettings } from "./database-settings";
import { type Embedded, startEmbedded } from "./platform/postgres/embedded";
import type { RunningServer } from "./start";

/**
 * Reads the environment and starts everything.
 * @throws ConfigError, StartError with one clear line
 */
export async function serve(env: Readonly<Record<string, string | undefined>>): Promise<RunningServer> {
  const begun = await begin(env);
  try {
    const [{ readConfig }, { startServer }] = await Promise.all([import("./config"), import("./start")]);
    return await startServer(readConfig(env), {}, begun?.embedded);
  } catch (error) {
    await begun?.embedded.then(
      ({ stop }) => stop(),
      () => undefined,
    );
    throw error;
  }
}

/**
 * Resolves once PostgreSQL's process is on its way, where there is a cluster already: a first start looks at the other
 * settings before it makes a folder.
 */
async function begin(
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly embedded: Promise<Embedded> } | null> {
  const settings = readDatabaseSettings(env);
  if (settings === null) return null;
  const dir = resolve(settings.dir);
  if (!existsSync(join(dir, "pg", "PG_VERSION"))) return null;
  const onItsWay = Promise.withResolvers<void>();
  const { connections } = settings;
  const embedded = startEmbedded({ dir, connections, onSpawn: onItsWay.resolve });
  // Whoever awaits it hears of a failure.
  embedded.catch(() => onItsWay.resolve());
  await onItsWay.promise;
  return { embedded };
}
