/** A server that keeps no passwords: `LOCAL` is not among `AUTH_SERVICES_ENABLED`. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readConfig } from "../../config";
import { openInstance } from "../../testing/app";
import { temporaryDirectory, testDatabase } from "../../testing/postgres";

setDefaultTimeout(30_000);

test("nobody registers or signs in with a password or by mail", async () => {
  const database = await testDatabase();
  const config = readConfig({
    BAASIX_DIR: temporaryDirectory(),
    LOG_LEVEL: "silent",
    NODE_ENV: "test",
    AUTH_SERVICES_ENABLED: "GITHUB",
    GITHUB_CLIENT_ID: "id",
    GITHUB_CLIENT_SECRET: "secret",
  });
  const app = await openInstance(config, database.address);
  try {
    const person = { email: "a@example.com", password: "a good password", firstName: "A" };
    const proof = { email: person.email, code: "000000" };
    for (const [path, body] of [
      ["/auth/register", person],
      ["/auth/login", person],
      ["/auth/password/reset", person],
      ["/auth/password/reset/x", person],
      ["/auth/magiclink", person],
      ["/auth/magiclink/verify", proof],
      ["/auth/otp", person],
      ["/auth/otp/verify", proof],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop
      const answer = await app.call("POST", path, { body });
      expect([answer.status, answer.body]).toMatchObject([
        403,
        { message: "Neither passwords nor mails sign in here; use one of GET /auth/providers" },
      ]);
    }
  } finally {
    await app.close();
    await database.drop();
  }
});
