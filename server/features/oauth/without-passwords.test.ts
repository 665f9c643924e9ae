/** A server that keeps no passwords: `LOCAL` is not among `AUTH_SERVICES_ENABLED`. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createApp } from "../../app";
import { readConfig } from "../../config";
import { temporaryDirectory, testDatabase } from "../../testing/postgres";

setDefaultTimeout(30_000);

test("nobody registers or signs in with a password", async () => {
  const database = await testDatabase();
  const config = readConfig({
    BAASIX_DIR: temporaryDirectory(),
    LOG_LEVEL: "silent",
    NODE_ENV: "test",
    AUTH_SERVICES_ENABLED: "GITHUB",
    GITHUB_CLIENT_ID: "id",
    GITHUB_CLIENT_SECRET: "secret",
  });
  const app = await createApp(config, database.address);
  try {
    const person = { email: "a@example.com", password: "a good password", firstName: "A" };
    for (const path of ["/auth/register", "/auth/login"]) {
      const request = new Request(`http://localhost${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(person),
      });
      // oxlint-disable-next-line no-await-in-loop
      const answer = await app.routes.handle(request);
      // oxlint-disable-next-line no-await-in-loop
      expect([answer.status, await answer.json()]).toMatchObject([
        403,
        { message: "Passwords are not in use here; sign in with one of GET /auth/providers" },
      ]);
    }
  } finally {
    await app.close();
    await database.drop();
  }
});
