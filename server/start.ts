/** Config → a running server: database, app, listener; and the way back. */
import { resolve } from "node:path";
import type { App, AppOptions, createApp as CreateApp } from "./app";
import type { Config } from "./config";
import type { Actor } from "./core/access/actor";
import type { DatabaseAddress } from "./platform/postgres";
import { type Embedded, startEmbedded, StartError } from "./platform/postgres/embedded";

/** A server that listens. */
export type RunningServer = {
  /** `http://127.0.0.1:8056`, with the real port when the config says 0. */
  readonly url: string;
  /** One phrase for the terminal: which database, never its password. */
  readonly database: string;
  /** False: nobody can administrate yet. */
  readonly hasAdministrator: boolean;
  /**
   * Who sends a request to a listener of the application's own, for guards (`requireUser` and its like): by bearer token, cookie or
   * `access_token`, as it is now. `address`: of the client, since roles may be bound to addresses.
   * @throws AppError UNAUTHORIZED for a credential that is not good; FORBIDDEN; MFA_REQUIRED. Without one it is anonymous.
   */
  readonly actorOf: (request: Request, address: string) => Promise<Actor>;
  /** The answer that the server itself gives to an error: code, words and status; what it does not know is 500 without a word. */
  readonly errorAnswer: (error: unknown) => Response;
  /**
   * Stops accepting, lets requests in flight finish (30 s at most), closes sockets with 1001, stops PostgreSQL.
   * May be called again.
   */
  readonly stop: () => Promise<void>;
};

/** A database to work on; `stop` stops it when it was started for this. */
export type OpenDatabase = {
  readonly address: DatabaseAddress;
  /** `version` as the server reports it. */
  readonly phrase: (version: string) => string;
  readonly stop: () => Promise<void>;
};

/** How long requests in flight may take once the server is asked to stop, in ms. */
const drainLimit = 30_000;

/**
 * Starts everything. `options`: what an embedding application brings, such as its own way to send mails. `begun`: the
 * database of the config, where it is on its way already.
 * @throws StartError with one clear line: taken port, data directory in use, unreachable database.
 */
export async function startServer(
  config: Config,
  options: AppOptions = {},
  begun?: Promise<Embedded>,
): Promise<RunningServer> {
  // The rest of the server is loaded while PostgreSQL starts.
  const loading = Promise.withResolvers<{ readonly createApp: typeof CreateApp }>();
  const load = (): void => void import("./app").then(loading.resolve, loading.reject);
  const database = await openServerDatabase(config, load, begun);
  try {
    const { createApp } = await loading.promise;
    const app = await createApp(config, database.address, options);
    try {
      const { server } = listen(config, app);
      let stopped: Promise<void> | null = null;
      const stop = async (): Promise<void> => {
        app.refuse();
        // First, because the listener does not count as stopped while a socket is open.
        await app.realtime.close();
        await drain(server);
        await app.close();
        await database.stop();
      };
      return {
        url: `http://${server.hostname?.includes(":") ? `[${server.hostname}]` : server.hostname}:${server.port}`,
        database: database.phrase(app.database.version),
        hasAdministrator: app.hasAdministrator,
        actorOf: app.actorOf,
        errorAnswer: app.errorAnswer,
        stop: () => (stopped ??= stop()),
      };
    } catch (error) {
      await app.close();
      throw error;
    }
  } catch (error) {
    await database.stop();
    throw error;
  }
}

function listen(config: Config, app: App) {
  try {
    app.routes.listen({
      port: config.PORT,
      hostname: config.HOST,
      websocket: app.realtime.websocket,
      // Whoever reads a body bounds it and says so (JSON, uploads); here Bun would answer 413 without a word.
      maxRequestBodySize: 2 ** 40,
      idleTimeout: 60,
    });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === "EADDRINUSE") {
      throw new StartError(`port ${config.PORT} on ${config.HOST} is taken; choose another with --port`);
    }
    throw new StartError(`cannot listen on ${config.HOST}:${config.PORT}: ${message}`);
  }
  const { server } = app.routes;
  if (!server) throw new StartError(`cannot listen on ${config.HOST}:${config.PORT}`);
  return { server };
}

async function drain(server: { stop: (force?: boolean) => Promise<void> | void }): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, drainLimit);
  await Promise.race([server.stop(false), late.promise]);
  clearTimeout(timer);
  await server.stop(true);
}

/** The database of the config: that of DATABASE_URL, or the embedded one, started. `meanwhile` is called once it is on its way. */
export async function openServerDatabase(
  config: Config,
  meanwhile: () => void = () => {},
  begun?: Promise<Embedded>,
): Promise<OpenDatabase> {
  if (config.DATABASE_URL) {
    meanwhile();
    return {
      address: { kind: "url", url: config.DATABASE_URL },
      phrase: (version) => `PostgreSQL ${version} at DATABASE_URL`,
      stop: async () => {},
    };
  }
  if (begun) meanwhile();
  const embedded = await (begun ??
    startEmbedded({
      dir: resolve(config.BAASIX_DIR),
      connections: config.DATABASE_POOL_MAX + config.DATABASE_SLOW_POOL_MAX,
      onSpawn: meanwhile,
    }));
  return {
    address: embedded.address,
    phrase: (version) => `embedded PostgreSQL ${version} in ${config.BAASIX_DIR}`,
    stop: embedded.stop,
  };
}
