/** What goes wrong at the terminal: each ends in one line that tells what would work, exit 1, and nothing lost. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Served, baasix, emptyFolder, postgresIn, serve } from "./executable";

const folder = emptyFolder();
const running: Served[] = [];
const start = async (...args: Parameters<typeof serve>) => {
  const server = await serve(...args);
  running.push(server);
  return server;
};
afterEach(async () => {
  for (const server of running.splice(0)) await server.end("SIGTERM");
});
afterAll(folder.remove);

/** The one line, when that is all that was said. */
function oneLine({ code, out, err }: Awaited<ReturnType<typeof baasix>>): string {
  expect({ code, out, lines: err.trimEnd().split("\n").length }).toEqual({ code: 1, out: "", lines: 1 });
  expect(err).toStartWith("baasix: ");
  return err;
}

describe("serve refuses", () => {
  test.each([
    [{ PORT: "no" }, /PORT/],
    [{ PORT: "70000" }, /PORT/],
    [{ SECRET_KEY: "short" }, /SECRET_KEY/],
    [{ LOG_LEVEL: "loud" }, /LOG_LEVEL/],
    [{ DATABASE_URL: "mysql://x/y" }, /DATABASE_URL/],
    [{ ADMIN_EMAIL: "nobody" }, /ADMIN_EMAIL/],
  ])("the setting %j, naming it and not its value", async (env: Record<string, string>, key) => {
    const line = oneLine(await baasix(["serve"], { cwd: folder.path, env }));
    expect(line).toMatch(key);
    for (const value of Object.values(env)) expect(line).not.toContain(value);
  });

  test("a bad setting where there is a database, which it leaves stopped", async () => {
    const server = await serve({ cwd: folder.path });
    await server.end("SIGTERM");
    const line = oneLine(await baasix(["serve"], { cwd: folder.path, env: { PORT: "no" } }));
    expect(line).toContain("PORT");
    expect(postgresIn(folder.path)).toEqual([]);
  });

  test("a bad setting in .env", async () => {
    await Bun.write(join(folder.path, ".env"), "PORT=no\n");
    expect(oneLine(await baasix(["serve"], { cwd: folder.path }))).toContain("PORT");
    rmSync(join(folder.path, ".env"));
  });

  test("a taken port", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const line = oneLine(
      await baasix(["serve", "--port", String(taken.port)], { cwd: folder.path, env: { LOG_LEVEL: "warn" } }),
    );
    taken.stop();
    expect(line).toContain(String(taken.port));
    expect(line).toMatch(/--port|--http|PORT/);
    expect(postgresIn(folder.path)).toEqual([]);
  });

  test("a data directory in use, naming who holds it", async () => {
    const first = await start({ cwd: folder.path });
    const line = oneLine(
      await baasix(["serve", "--port", "0"], { cwd: folder.path, env: { LOG_LEVEL: "warn" } }),
    );
    expect(line).toContain(`${folder.path}/baasix_data is in use by process ${first.pid}`);
    expect(line).toContain("another directory");
    expect((await fetch(`${first.url}/health`)).status).toBe(200);
  });

  test("a data directory of a newer PostgreSQL, which it leaves as it is", async () => {
    const cwd = join(folder.path, "newer");
    mkdirSync(cwd);
    const server = await start({ cwd });
    running.pop();
    await server.end("SIGTERM");
    const [cluster] = [...new Bun.Glob("baasix_data/**/PG_VERSION").scanSync({ cwd })].toSorted(
      (a, b) => a.length - b.length,
    );
    await Bun.write(join(cwd, cluster ?? ""), "99\n");
    const before = readdirSync(cwd, { recursive: true }).length;
    const line = oneLine(await baasix(["serve", "--port", "0"], { cwd, env: { LOG_LEVEL: "warn" } }));
    expect(line).toContain("99");
    expect(readdirSync(cwd, { recursive: true }).length).toBe(before);
  });

  test("a database that cannot be reached, without its password", async () => {
    const env = { DATABASE_URL: "postgres://user:hidden-word@127.0.0.1:9/x", LOG_LEVEL: "warn" };
    const line = oneLine(await baasix(["serve", "--port", "0"], { cwd: folder.path, env }));
    expect(line).toContain("DATABASE_URL");
    expect(line).not.toContain("hidden-word");
  });

  test("a key file that holds no key, and does not linger", async () => {
    const cwd = join(folder.path, "key");
    mkdirSync(join(cwd, "baasix_data"), { recursive: true });
    await Bun.write(join(cwd, "baasix_data/secret.key"), "short");
    const line = oneLine(await baasix(["serve", "--port", "0"], { cwd, env: { LOG_LEVEL: "warn" } }));
    expect(line).toContain("secret.key");
    expect(postgresIn(cwd)).toEqual([]);
  });

  test("a data directory that cannot be made", async () => {
    await Bun.write(join(folder.path, "file"), "");
    const line = oneLine(
      await baasix(["serve", "--port", "0", "--dir", "file/inside"], {
        cwd: folder.path,
        env: { LOG_LEVEL: "warn" },
      }),
    );
    expect(line).toContain("file/inside");
  });
});
