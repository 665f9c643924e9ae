/** The executable on a PostgreSQL that is not ours. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { type ExternalServer, externalServer } from "../../server/testing/postgres";
import { type Api, api, baasix, emptyFolder, postgresIn, serve, signIn } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
let database: ExternalServer;
beforeAll(async () => {
  database = await externalServer({ walLevel: "logical", password: "a $ecret" });
});
afterAll(async () => {
  await database.stop();
  folder.remove();
});

test("DATABASE_URL from .env is used, and the embedded PostgreSQL is not touched", async () => {
  await Bun.write(`${cwd}/.env`, `DATABASE_URL=${database.url}\n`);
  const made = await baasix(["admin", "create", "a@example.com", "correct-horse"], { cwd });
  expect({ code: made.code, err: made.err }).toEqual({ code: 0, err: "" });
  const server = await serve({ cwd });
  expect(server.started.database).toMatch(/^PostgreSQL 15\.\d+ at DATABASE_URL$/);
  expect(server.started.hasAdministrator).toBe(true);
  const admin = api(server.url, await signIn(server.url, "a@example.com", "correct-horse"));
  expect((await admin("GET", "/schemas")).status).toBe(200);
  expect(postgresIn(cwd)).toEqual([]);
  expect((await server.end("SIGTERM")).code).toBe(0);
  expect(readdirSync(cwd, { recursive: true }).filter((name) => String(name).includes("PG_VERSION"))).toEqual(
    [],
  );
});

test("two servers on one database change schemas in turn, and each hears of the other", async () => {
  const account = { ADMIN_EMAIL: "a@example.com", ADMIN_PASSWORD: "correct-horse" };
  const env = { ...account, DATABASE_URL: database.url, SECRET_KEY: "one secret for both, of 32 characters" };
  const folders = ["one", "two"].map((name) => `${cwd}/${name}`);
  for (const path of folders) mkdirSync(path);
  const [first = "", second = ""] = folders;
  const servers = await Promise.all([serve({ cwd: first, env }), serve({ cwd: second, env })]);
  const callers = await Promise.all(
    servers.map(async ({ url }) => api(url, await signIn(url, account.ADMIN_EMAIL, account.ADMIN_PASSWORD))),
  );
  const [one, two] = callers as [Api, Api];
  for (const name of ["nodes", "links"]) {
    const answer = await one("POST", "/schemas", { collectionName: name, schema: { name, fields: {} } });
    expect(answer.status).toBe(201);
  }
  const names = Array.from({ length: 8 }, (_, i) => `way${i}`);
  const made = await Promise.all(
    names.map((name, i) =>
      (i % 2 === 0 ? one : two)("POST", "/schemas/links/relationships", {
        type: "M2O",
        name,
        target: "nodes",
      }),
    ),
  );
  expect(made.map(({ status }) => status)).toEqual(names.map(() => 201));
  const renamed = await two("POST", "/schemas/links/rename", { to: "ways" });
  expect(renamed.status).toBe(200);
  for (const call of [one, two]) {
    const fields = names.map((name) => `${name}_Id`).join();
    await untilOk(() => call("GET", `/items/ways?fields=${fields}`));
    const { body } = await call("GET", "/schemas/ways");
    expect(Object.keys((body as { data: { schema: { fields: object } } }).data.schema.fields)).toEqual(
      expect.arrayContaining(names),
    );
    expect((await call("GET", "/items/links")).status).toBe(404);
  }
  for (const server of servers) expect((await server.end("SIGTERM")).code).toBe(0);
});

/** The other server tells of its change by the log of the database, a moment later. */
async function untilOk(ask: () => ReturnType<Api>): Promise<void> {
  const end = Date.now() + 10_000;
  for (;;) {
    const { status } = await ask();
    if (status === 200) return;
    if (Date.now() > end) throw new Error(`still ${status}`);
  }
}
