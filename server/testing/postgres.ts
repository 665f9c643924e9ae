/**
 * Real databases for tests: one embedded server per test process with a fresh database per call, and PostgreSQL 15
 * from the system's packages as the external server of an operator.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { quoteName } from "../core/query/statement";
import { connectionOptions } from "../platform/postgres/address";
import type { DatabaseAddress } from "../platform/postgres/database";
import { ensureBundle } from "../platform/postgres/embedded/bundle";
import { serviceIdentity } from "../platform/postgres/embedded/identity";
import { launcherCommand } from "../platform/postgres/embedded/launcher";
import type { Embedded } from "../platform/postgres/embedded/start";
import { afterAllTests } from "./cleanup";

/** A database of its own. `drop` ends its connections and deletes it. */
export type TestDatabase = {
  readonly address: DatabaseAddress;
  readonly url?: string;
  readonly drop: () => Promise<void>;
};

type TestServer = { readonly embedded: Embedded; readonly maintenance: Bun.SQL };

let started: Promise<TestServer> | undefined;
let count = 0;
const prepared = new Map<(address: DatabaseAddress) => Promise<void>, Promise<string>>();

/**
 * Makes an empty database on the embedded server of this test process, about 20 ms; the first call starts the server.
 * With `prepare` the database is a copy of one that `prepare` filled, once per process; `prepare` closes what it opens.
 */
export async function testDatabase(
  prepare?: (address: DatabaseAddress) => Promise<void>,
): Promise<TestDatabase> {
  const server = await (started ??= startServer());
  if (!prepare) return createDatabase(server, "template1");
  let template = prepared.get(prepare);
  if (!template) {
    template = prepareTemplate(server, prepare);
    prepared.set(prepare, template);
  }
  return createDatabase(server, await template);
}

/** The embedded server that `testDatabase` uses, for tests that need its superuser or its process. */
export async function testServer(): Promise<Embedded> {
  return (await (started ??= startServer())).embedded;
}

async function prepareTemplate(
  server: TestServer,
  prepare: (address: DatabaseAddress) => Promise<void>,
): Promise<string> {
  const { address } = await createDatabase(server, "template1");
  await prepare(address);
  return address.database;
}

async function createDatabase({ embedded, maintenance }: TestServer, template: string) {
  const name = `test_${++count}`;
  const quoted = quoteName(name);
  await maintenance.unsafe(`CREATE DATABASE ${quoted} TEMPLATE ${quoteName(template)} OWNER baasix`);
  return {
    address: { ...socketOf(embedded.address), database: name },
    drop: async () => {
      // FORCE does not end a change feed, whose server process outlives its connection by moments: ended and awaited here.
      await maintenance.unsafe(
        "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE active AND database = $1",
        [name],
      );
      await maintenance.unsafe(`DROP DATABASE IF EXISTS ${quoted} WITH (FORCE)`);
    },
  };
}

function socketOf(address: DatabaseAddress): DatabaseAddress & { readonly kind: "socket" } {
  if (address.kind !== "socket") throw new Error("the embedded server is reached through a socket");
  return address;
}

async function startServer(): Promise<TestServer> {
  await ensureBundle();
  const { startEmbedded } = await import("../platform/postgres/embedded/start");
  const dir = temporaryDirectory();
  const embedded = await startEmbedded({ dir, connections: 90, programs: sharedPrograms() });
  const { directory, user } = socketOf(embedded.maintenance);
  const maintenance = new Bun.SQL({
    adapter: "postgres",
    path: directory,
    username: user,
    database: "baasix",
    max: 1,
  });
  afterAllTests(() => {
    started = undefined;
    prepared.clear();
    endNow(embedded.pid, dir);
  });
  return { embedded, maintenance };
}

/** Where one copy of the embedded programs lies for all test processes of this user. */
export function sharedPrograms(): string {
  const path = join(tmpdir(), `baasix-test-programs-${userInfo().uid}`);
  mkdirSync(path, { recursive: true, mode: 0o755 });
  return path;
}

/** A temporary folder that an unprivileged user may walk through. The caller deletes it. */
export function temporaryDirectory(): string {
  sweep();
  const path = mkdtempSync(join(tmpdir(), `baasix-test-${process.pid}-`));
  chmodSync(path, 0o711);
  return path;
}

/** Deletes what test processes left that were killed. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^baasix-test-(\d+)-/.exec(name)?.[1];
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** Ends a server without its shutdown checkpoint and deletes its folder: nobody will read its data again. */
function endNow(pid: number, directory: string): void {
  try {
    if (pid > 0) process.kill(pid, "SIGQUIT");
    for (let tries = 0; tries < 1000 && isRunning(pid); tries++) Bun.sleepSync(2);
  } catch {
    // It had ended already.
  }
  rmSync(directory, { recursive: true, force: true });
}

function isRunning(pid: number): boolean {
  // A zombie has a folder in /proc, but no command line.
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) && readFileSync(file).length > 0;
}

/** How the external server is set up. `password` asks for SCRAM instead of trust; `tls`: nobody comes in without it. */
export type ExternalOptions = {
  readonly tls?: boolean;
  readonly walLevel?: "logical" | "replica";
  readonly password?: string;
};

/** A PostgreSQL 15 of its own on 127.0.0.1. `stop` waits for the end and deletes its data. */
export type ExternalServer = {
  readonly address: DatabaseAddress & { readonly kind: "url" };
  readonly url: string;
  readonly port: number;
  /** Where the certificate lies that signed its own, with `tls`. */
  readonly certificate: string;
  readonly pid: () => number;
  /** Ends the server as a crash would, or starts it again on the same port and data. */
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

const debian = "/usr/lib/postgresql/15/bin";

/**
 * Starts an external server with the superuser `operator` and the database `app`.
 * @throws Error naming the Debian package when the programs are not installed.
 */
export async function externalServer(options: ExternalOptions = {}): Promise<ExternalServer> {
  if (!existsSync(join(debian, "initdb"))) {
    throw new Error(`${debian}/initdb is missing: install the Debian package postgresql-15`);
  }
  const directory = temporaryDirectory();
  const data = join(directory, "data");
  const secret = join(directory, "secret");
  const identity = serviceIdentity([]);
  writeFileSync(secret, `${options.password ?? "unused"}\n`, { mode: 0o644 });
  mkdirSync(data, { mode: 0o700 });
  if (identity) await Bun.$`chown ${identity.uid}:${identity.gid} ${data}`;
  const auth = options.password === undefined ? "trust" : "scram-sha-256";
  const made = Bun.spawnSync(
    [
      join(debian, "initdb"),
      "-D",
      data,
      "-U",
      "operator",
      "-A",
      auth,
      `--pwfile=${secret}`,
      "-E",
      "UTF8",
    ].concat(["--locale=C", "--no-sync"]),
    { ...identity, cwd: "/", env: { LC_ALL: "C", TZ: "UTC" } },
  );
  if (made.exitCode !== 0) throw new Error(`initdb failed: ${made.stderr.toString()}`);

  const certificate = join(directory, "certificate");
  if (options.tls) await makeCertificate(certificate, data, identity);

  const port = freePort();
  const command = [join(debian, "postgres"), "-D", data, "-k", "", "-p", String(port), "-c"].concat(
    `listen_addresses=127.0.0.1 | -c | wal_level=${options.walLevel ?? "replica"} | -c | timezone=UTC`.split(
      " | ",
    ),
    options.tls ? ["-c", "ssl=on", "-c", `ssl_cert_file=${certificate}`] : [],
  );
  let child: Bun.Subprocess | undefined;
  const login =
    options.password === undefined ? "operator" : `operator:${encodeURIComponent(options.password)}`;
  const query = options.tls ? `?sslmode=verify-full&sslrootcert=${certificate}` : "";
  const urlOf = (database: string) => `postgres://${login}@127.0.0.1:${port}/${database}${query}`;
  const start = async () => {
    const log = Bun.file(join(directory, "log"));
    child = Bun.spawn([...launcherCommand(data, identity, command)], {
      cwd: "/",
      stdin: "ignore",
      stdout: log,
      stderr: log,
      env: { LC_ALL: "C", TZ: "UTC" },
    });
    while (!(await accepts(urlOf("template1")))) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL 15 did not start: ${await log.text()}`);
    }
  };
  const end = async (signal: NodeJS.Signals) => {
    child?.kill(signal);
    await child?.exited;
  };
  await start();
  const sql = new Bun.SQL({ ...connectionOptions({ kind: "url", url: urlOf("template1") }), max: 1 });
  await sql.unsafe(`CREATE DATABASE app`);
  await sql.close();
  afterAllTests(() => endNow(child?.pid ?? 0, directory));
  return {
    address: { kind: "url", url: urlOf("app") },
    url: urlOf("app"),
    port,
    certificate,
    pid: () => child?.pid ?? 0,
    kill: () => end("SIGQUIT"),
    start,
    stop: async () => {
      await end("SIGINT");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A certificate for 127.0.0.1 that signs itself, and its key in the data folder, where the server looks for it. */
async function makeCertificate(
  certificate: string,
  data: string,
  identity: ReturnType<typeof serviceIdentity>,
): Promise<void> {
  const key = join(data, "server.key");
  await Bun.$`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${certificate}`.quiet();
  chmodSync(certificate, 0o644);
  chmodSync(key, 0o600);
  if (identity) await Bun.$`chown ${identity.uid}:${identity.gid} ${key}`;
  const rules = join(data, "pg_hba.conf");
  writeFileSync(rules, readFileSync(rules, "utf8").replace(/^host(?=\s)/gm, "hostssl"));
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function accepts(url: string): Promise<boolean> {
  const sql = new Bun.SQL({ ...connectionOptions({ kind: "url", url }), max: 1, connectionTimeout: 2 });
  try {
    await sql`SELECT 1`;
    return true;
  } catch {
    await Bun.sleep(10);
    return false;
  } finally {
    await sql.close();
  }
}

/** Runs SQL the way an operator's `psql` would: another connection, no part of the server under test. */
export async function outsider(address: DatabaseAddress, ...statements: string[]): Promise<unknown[]> {
  const sql =
    address.kind === "url"
      ? new Bun.SQL({ ...connectionOptions(address), max: 1 })
      : new Bun.SQL({
          adapter: "postgres",
          path: address.directory,
          username: address.user,
          database: address.database,
          max: 1,
        });
  try {
    let rows: unknown[] = [];
    for (const statement of statements) rows = [...(await sql.unsafe(statement))];
    return rows;
  } finally {
    await sql.close();
  }
}
