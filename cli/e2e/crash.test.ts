/** What an acknowledged write is worth: the server, and all of PostgreSQL with it, is killed while clients write. */
import { afterAll, describe, expect, test } from "bun:test";
import { type Api, api, emptyFolder, postgresIn, serve, signIn } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
const env = { ADMIN_EMAIL: "a@example.com", ADMIN_PASSWORD: "correct-horse", RATE_LIMIT: "1000000" };
afterAll(folder.remove);

describe("kill -9 during writes", () => {
  test.each([
    ["the server and PostgreSQL", true],
    ["the server alone", false],
  ])("%s: every acknowledged item is there after the next start", async (_, all) => {
    const first = await serve({ cwd, env });
    const admin = api(first.url, await signIn(first.url, env.ADMIN_EMAIL, env.ADMIN_PASSWORD));
    await makeCollection(admin);
    const acknowledged: number[] = [];
    const enough = Promise.withResolvers<void>();
    const base = Date.now();
    // So many share statements.
    const count = 16;
    const writers = Array.from({ length: count }, async (_unused, writer) => {
      for (let n = 0; ; n++) {
        const number = (base + n) * count + writer;
        const answer = await admin("POST", "/items/marks", { number: String(number) }).catch(() => null);
        if (answer === null) return; // the server is gone
        if (answer.status === 503) continue; // PostgreSQL went a moment before the server
        expect(answer.status).toBe(201);
        acknowledged.push(number);
        if (acknowledged.length === 800) enough.resolve();
      }
    });
    await enough.promise;
    const database = postgresIn(cwd);
    expect(database).toHaveLength(1);
    if (all) for (const pid of database) process.kill(pid, "SIGKILL");
    await first.end("SIGKILL");
    await Promise.all(writers);

    const second = await serve({ cwd, env });
    const again = api(second.url, await signIn(second.url, env.ADMIN_EMAIL, env.ADMIN_PASSWORD));
    const present = await everyNumber(again);
    expect(acknowledged.filter((number) => !present.has(String(number)))).toEqual([]);
    expect((await second.end("SIGTERM")).code).toBe(0);
    expect(postgresIn(cwd)).toEqual([]);
  });

  test("a second SIGTERM does not wait, and the next start works", async () => {
    const server = await serve({ cwd, env });
    process.kill(server.pid, "SIGTERM");
    await server.end("SIGTERM");
    const next = await serve({ cwd, env });
    expect((await next.end("SIGINT")).code).toBe(0);
  });
});

async function makeCollection(admin: Api): Promise<void> {
  const fields = {
    id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
    number: { type: "BigInt", unique: true },
  };
  const { status } = await admin("POST", "/schemas", {
    collectionName: "marks",
    schema: { name: "Marks", fields },
  });
  expect([201, 409]).toContain(status);
}

async function everyNumber(admin: Api): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let page = 1; ; page++) {
    const { body } = await admin("GET", `/items/marks?fields=number&sort=number&limit=1000&page=${page}`);
    const { data } = body as { readonly data: readonly { readonly number: string }[] };
    for (const { number } of data) found.add(number);
    if (data.length < 1000) return found;
  }
}
