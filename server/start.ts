/** Config → a running server: database, app, listener; and the way back. */
import { resolve } from "node:path";
import { createApp } from "./app";
import type { Config } from "./config";
import { createAdmin, listAdmins, upsertAdmin } from "./features/auth";
import { createData, openSnapshot } from "./data";
import { type DatabaseAddress, openDatabase, StartError } from "./platform/postgres";
import { attachEmbedded, startEmbedded } from "./platform/postgres/embedded";

/** A server that listens. */
export type RunningServer = {
  /** `http://127.0.0.1:8056`, with the real port when the config says 0. */
  readonly url: string;
  /** One phrase for the terminal: which database, never its password. */
  readonly database: string;
  /** False: nobody can administrate yet. */
  readonly hasAdministrator: boolean;
  /**
   * Stops accepting, lets requests in flight finish (30 s at most), closes sockets with 1001, stops PostgreSQL.
   * May be called again.
   */
  readonly stop: () => Promise<void>;
};

type OpenDatabase = {
  readonly address: DatabaseAddress;
  /** `version` as the server reports it. */
  readonly phrase: (version: string) => string;
  readonly stop: () => Promise<void>;
};

/** How long requests in flight may take once the server is asked to stop, in ms. */
const drainLimit = 30_000;

/**
 * Starts everything.
 * @throws StartError with one clear line: taken port, data directory in use, unreachable database.
 */
export async function startServer(config: Config): Promise<RunningServer> {
  const database = await openServerDatabase(config);
  try {
    const app = await createApp(config, database.address);
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

function listen(config: Config, app: Awaited<ReturnType<typeof createApp>>) {
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

async function openServerDatabase(config: Config): Promise<OpenDatabase> {
  if (config.DATABASE_URL) {
    return {
      address: { kind: "url", url: config.DATABASE_URL },
      phrase: (version) => `PostgreSQL ${version} at DATABASE_URL`,
      stop: async () => {},
    };
  }
  const embedded = await startEmbedded({
    dir: resolve(config.BAASIX_DIR),
    connections: config.DATABASE_POOL_MAX + config.DATABASE_SLOW_POOL_MAX,
  });
  return {
    address: embedded.address,
    phrase: (version) => `embedded PostgreSQL ${version} in ${config.BAASIX_DIR}`,
    stop: embedded.stop,
  };
}

/** What commands of the terminal need, without HTTP. */
export type Parts = {
  readonly admin: {
    /** @throws AppError CONFLICT when the mail has an account. */
    readonly create: (email: string, password: string) => Promise<{ readonly id: string }>;
    readonly upsert: (
      email: string,
      password: string,
    ) => Promise<{ readonly id: string; readonly created: boolean }>;
    readonly list: () => Promise<readonly { readonly id: string; readonly email: string }[]>;
  };
  readonly close: () => Promise<void>;
};

/**
 * Opens the database for a command: DATABASE_URL, the embedded server that already runs on the data directory, or
 * one that is started for as long as the command takes.
 * @throws StartError
 */
export async function openParts(config: Config): Promise<Parts> {
  const running = config.DATABASE_URL ? null : attachEmbedded(resolve(config.BAASIX_DIR));
  const opened = running ? { address: running, stop: async () => {} } : await openServerDatabase(config);
  try {
    const database = await openDatabase(opened.address, { shortPool: 1, slowPool: 1 });
    const snapshot = await openSnapshot(database);
    const data = createData({ database, snapshot: snapshot.current, now: Date.now });
    return {
      admin: {
        create: (email, password) => createAdmin(data, { email, password }),
        upsert: (email, password) => upsertAdmin(data, { email, password }),
        list: () => listAdmins(data),
      },
      close: async () => {
        await database.close();
        await opened.stop();
      },
    };
  } catch (error) {
    await opened.stop();
    throw error;
  }
}
