import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { outsider, sharedPrograms, temporaryDirectory } from "../../../testing/postgres";
import { StartError } from "../start-error";
import { serviceIdentity } from "./identity";
import { startEmbedded, type Embedded, type EmbeddedOptions } from "./start";

const isRoot = process.getuid?.() === 0;
const running: Embedded[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((embedded) => embedded.stop()));
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

function directory(): string {
  const path = temporaryDirectory();
  directories.push(path);
  return path;
}

async function start(dir: string, options: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const embedded = await startEmbedded({ dir, programs: sharedPrograms(), ...options });
  running.push(embedded);
  return embedded;
}

const refusal = (dir: string) => start(dir).catch((error) => error);

const isAlive = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
};

async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await Bun.sleep(2);
}

/** The words of one setting after another, as the pools would see them. */
async function settings(embedded: Embedded, ...names: string[]): Promise<unknown[]> {
  const list = names.map((name) => `current_setting('${name}') AS ${name}`).join(", ");
  const [row] = (await outsider(embedded.address, `SELECT ${list}`)) as Record<string, unknown>[];
  return names.map((name) => row?.[name]);
}

describe("the embedded server", () => {
  test("starts in a folder that does not exist, keeps its data, and ends with its shutdown", async () => {
    const dir = join(directory(), "a", "data");
    const first = await start(dir, { programs: join(directory(), "bin") });
    await outsider(first.address, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (7)");
    expect(first.version).toMatch(/^18\./);
    const pid = first.pid;
    await first.stop();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(join(dir, "pg/postmaster.pid"))).toBe(false);

    const second = await start(dir);
    expect(await outsider(second.address, "SELECT id FROM t")).toEqual([{ id: 7 }]);
    expect(readFileSync(join(dir, "postgres.log"), "utf8")).not.toMatch(/not properly shut down/);
  });

  test("is durable, speaks no TCP, decodes its log, and its role is no superuser", async () => {
    const embedded = await start(directory());
    expect(
      await settings(
        embedded,
        "fsync",
        "full_page_writes",
        "synchronous_commit",
        "wal_level",
        "listen_addresses",
        "deadlock_timeout",
      ),
    ).toEqual(["on", "on", "on", "logical", "", "200ms"]);
    expect(
      await outsider(
        embedded.address,
        "SELECT rolsuper, rolreplication, rolname = pg_get_userbyid(datdba) AS owner FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()",
      ),
    ).toEqual([{ rolsuper: false, rolreplication: true, owner: true }]);
    const mode = (path: string) =>
      Bun.file(path)
        .stat()
        .then((stat) => stat.mode & 0o777);
    const socket = embedded.address.kind === "socket" ? embedded.address.directory : "";
    expect(await mode(socket)).toBe(0o700);
    expect(await mode(join(socket, ".s.PGSQL.5432"))).toBe(0o700);
  });

  test("its processes do not push aside whoever woke them (SCHED_BATCH)", async () => {
    const { pid } = await start(directory());
    const policyOf = (one: number | string) =>
      // The 41st field, of which the 2nd may hold anything: proc(5).
      readFileSync(`/proc/${one}/stat`, "latin1")
        .replace(/^.*\) /s, "")
        .split(" ")[38];
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ");
    expect(children.length).toBeGreaterThan(2);
    expect(new Set([pid, ...children].map(policyOf))).toEqual(new Set(["3"]));
  });

  test.if(isRoot)("runs without root's rights", async () => {
    const { pid } = await start(directory());
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t([1-9]\d*)\t\1\t\1\t\1$/m);
    expect(status).toMatch(/^Groups:\s*$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
  });

  test("refuses a folder that is in use, naming who holds it", async () => {
    const dir = directory();
    await start(dir);
    const error = await refusal(dir);
    expect(error).toBeInstanceOf(StartError);
    expect(error.message).toMatch(
      new RegExp(`^the data directory ${dir} is in use by process ${process.pid};`),
    );
  });

  test.each([
    ["19", /is a newer data directory: it was made by PostgreSQL 19, this server carries 18;/],
    ["17", /is an unsuitable data directory: it was made by PostgreSQL 17, this server carries 18;/],
    ["", /made by PostgreSQL \(unknown\)/],
  ])("refuses a cluster of version '%s' in one line and leaves it alone", async (version, message) => {
    const dir = directory();
    mkdirSync(join(dir, "pg"));
    writeFileSync(join(dir, "pg/PG_VERSION"), `${version}\n`);
    const error = await refusal(dir);
    expect(error).toBeInstanceOf(StartError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("\n");
    expect(readdirSync(join(dir, "pg"))).toEqual(["PG_VERSION"]);
  });

  test("refuses a folder that holds something else, and a file in its place", async () => {
    const dir = directory();
    mkdirSync(join(dir, "pg"));
    writeFileSync(join(dir, "pg/photo.jpg"), "");
    expect(await refusal(dir)).toMatchObject({
      name: "StartError",
      message: expect.stringMatching(/is not a PostgreSQL data/),
    });
    expect(await refusal(join(dir, "pg/photo.jpg"))).toMatchObject({
      name: "StartError",
      message: expect.stringMatching(/^cannot use the data directory .*photo\.jpg: /),
    });
  });

  test("gives PostgreSQL's own reason when it does not start", async () => {
    const dir = directory();
    await (await start(dir)).stop();
    writeFileSync(join(dir, "pg/postgresql.auto.conf"), "shared_buffers = 'nonsense'\n");
    const error = await refusal(dir);
    expect(error).toBeInstanceOf(StartError);
    expect(error.message).toMatch(/^PostgreSQL did not start: .+ \(see .*postgres\.log\)$/);
    writeFileSync(join(dir, "pg/postgresql.auto.conf"), "");
    await start(dir); // and the folder is free again
  });

  test("works in a folder whose path is too long for a socket", async () => {
    const dir = join(directory(), "x".repeat(120));
    const embedded = await start(dir);
    const { address } = embedded;
    expect(address.kind === "socket" && address.directory.length).toBeLessThan(60);
    expect(await outsider(address, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    if (address.kind === "socket") directories.push(address.directory);
  });

  test.if(isRoot)("works below a folder that only root may enter", async () => {
    const closed = directory();
    chmodSync(closed, 0o700);
    const embedded = await start(join(closed, "data"));
    await outsider(embedded.address, "CREATE TABLE t (id int)");
    process.kill(embedded.pid, "SIGKILL");
    await embedded.stop();
    const again = await start(join(closed, "data"));
    expect(await outsider(again.address, "SELECT * FROM t")).toEqual([]);
  });

  test.if(isRoot)("runs as the owner of the folder", async () => {
    const dir = mkdtempSync(join(directory(), "owned-"));
    chownSync(dir, 4242, 4343);
    const { pid } = await start(dir);
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\t4242\t.*\nGid:\t4343\t/m);
  });
});

describe("after a crash", () => {
  test("a dead postmaster is started again with everything that was committed", async () => {
    const lines: string[] = [];
    const embedded = await start(directory(), { onLog: (line) => lines.push(line) });
    await outsider(embedded.address, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)");
    const pid = embedded.pid;
    process.kill(pid, "SIGKILL");
    while (embedded.pid === pid) await Bun.sleep(2);
    expect(await outsider(embedded.address, "SELECT * FROM t")).toEqual([{ id: 1 }]);
    expect(lines[0]).toBe("PostgreSQL ended (SIGKILL); starting it again");
  });

  test.each([
    [
      "a stranger's pid",
      (pid: number) => `${pid}\n/tmp\n1700000000\n5432\n.\n\n  1234567    123456\nready   \n`,
    ],
    ["nothing", () => ""],
    ["half a line", () => "12"],
  ])("a pid file that holds %s does not stop the start", async (_, content) => {
    const dir = directory();
    await (await start(dir)).stop();
    const stranger = Bun.spawn(["sleep", "60"]);
    writeFileSync(join(dir, "pg/postmaster.pid"), content(stranger.pid));
    const identity = serviceIdentity([join(dir, "pg")]);
    if (identity) chownSync(join(dir, "pg/postmaster.pid"), identity.uid, identity.gid);
    await start(dir);
    expect(isAlive(stranger.pid)).toBe(true);
    stranger.kill();
  });

  test("a PostgreSQL left running is stopped first", async () => {
    const dir = directory();
    await (await start(dir)).stop();
    const program = join(sharedPrograms(), readdirSync(sharedPrograms())[0] ?? "", "bin/postgres");
    const orphan = Bun.spawn([program, "-D", join(dir, "pg"), "-k", ".", "-c", "listen_addresses="], {
      ...serviceIdentity([join(dir, "pg")]),
      cwd: join(dir, "pg"),
      stdout: "ignore",
      stderr: "ignore",
    });
    const pidFile = join(dir, "pg/postmaster.pid");
    while (!existsSync(pidFile) || !readFileSync(pidFile, "utf8").includes("ready")) await Bun.sleep(2);
    const lines: string[] = [];
    await start(dir, { onLog: (line) => lines.push(line) });
    expect(await orphan.exited).toBe(0);
    expect(lines.join()).toMatch(new RegExp(`stopping a PostgreSQL left running .*${orphan.pid}`));
  });

  /** Starts the writing program, lets it acknowledge some rows, kills, and gives what was acknowledged. */
  async function crash(dir: string, kill: (server: number, postmaster: number) => void) {
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, "writer.fixture.ts"), dir, sharedPrograms()],
      {
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    let text = "";
    const decoder = new TextDecoder();
    let isKilled = false;
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      const [first, ...acknowledged] = text.split("\n");
      if (isKilled || acknowledged.length < 200) continue;
      isKilled = true;
      kill(child.pid, Number(first?.split(" ")[1]));
    }
    const [first, ...acknowledged] = text.split("\n");
    return { postmaster: Number(first?.split(" ")[1]), acknowledged: acknowledged.slice(0, -1) };
  }

  test("of the server alone, PostgreSQL shuts down by itself", async () => {
    const dir = directory();
    const { postmaster, acknowledged } = await crash(dir, (server) => process.kill(server, "SIGKILL"));
    await untilGone(postmaster);
    expect(existsSync(join(dir, "pg/postmaster.pid"))).toBe(false);
    await expectRows(dir, acknowledged);
  });

  test("of everything, no acknowledged row is missing", async () => {
    const dir = directory();
    const { acknowledged } = await crash(dir, (server, postmaster) => {
      for (const pid of [postmaster, ...backends(postmaster), server]) kill9(pid);
    });
    await expectRows(dir, acknowledged);
  });

  async function expectRows(dir: string, acknowledged: string[]): Promise<void> {
    const embedded = await start(dir);
    const rows = (await outsider(embedded.address, "SELECT id FROM acknowledged")) as { id: string }[];
    const found = new Set(rows.map(({ id }) => id));
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
  }
});

/** Kills a process that may have gone with its parent. */
function kill9(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    expect(isAlive(pid)).toBe(false);
  }
}

function backends(postmaster: number): number[] {
  return readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, "utf8")
    .trim()
    .split(" ")
    .map(Number);
}
