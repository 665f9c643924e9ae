/** The executable on a PostgreSQL that is not ours. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { type ExternalServer, externalServer } from "../../server/testing/postgres";
import { api, baasix, emptyFolder, postgresIn, serve, signIn } from "./executable";

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
