/** Mails from the executable: the libraries and templates that it carries, and an outbox that outlives it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { SQL } from "bun";
import { deriveKey, loadSecret } from "../../server/features/auth";
import { createSeal } from "../../server/features/mail/seal";
import { type MailServer, openMailServer } from "../../server/testing/mail-server";
import { baasix, emptyFolder, serve } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
const SECRET_KEY = "a secret of the tests, at least 32 characters";
let mails: MailServer;
const env: Record<string, string> = {
  SECRET_KEY,
  MAIL_FROM: "Shop <no-reply@example.com>",
  SMTP_SECURE: "none",
};
beforeAll(async () => {
  mails = await openMailServer();
  env.SMTP_URL = `smtp://127.0.0.1:${mails.port}`;
});
afterAll(async () => {
  await mails.close();
  folder.remove();
});

function connect(): SQL {
  const [file] = [...new Bun.Glob("baasix_data/**/postmaster.pid").scanSync({ cwd, absolute: true })];
  if (file === undefined) throw new Error("no PostgreSQL runs");
  const socket = readFileSync(file, "utf8").split("\n")[4]?.trim() ?? "";
  const path = resolve(dirname(file), socket);
  return new SQL({ adapter: "postgres", path, username: "baasix", database: "baasix", max: 1 });
}

test("`baasix mail test` sends one", async () => {
  const { code, out, err } = await baasix(["mail", "test", "ann@example.com"], { cwd, env });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toBe(`Sent to ann@example.com (SMTP at 127.0.0.1:${mails.port}: 250 taken)\n`);
  const { mail } = await mails.next();
  expect(mail.subject).toBe("A mail from Baasix");
  expect(mail.text).toContain("this mail shows that Baasix can send mails.");
  expect(mail.html).toContain("<!doctype html>");
});

test("a mail that one start leaves is sent by the next, and nothing of it stays", async () => {
  const seal = createSeal([deriveKey(loadSecret({ SECRET_KEY, BAASIX_DIR: cwd }), "mail outbox")]);
  const values = { name: "Änne", resetUrl: "https://shop.example.com/reset/abc" };
  // Without a mail server, so that it waits.
  const first = await serve({ cwd, env: { SECRET_KEY, NODE_ENV: "production" } });
  const sql = connect();
  await sql`INSERT INTO "baasix_EmailLog" ("email", "templateName", "nextAttemptAt", "giveUpAt", "payload")
    VALUES ('ann@example.com', 'passwordReset', now(), now() + '1 hour', ${await seal.close({ name: null, values })})`;
  await sql.close();
  expect((await first.end("SIGKILL")).code).not.toBe(0);
  expect(mails.delivered).toHaveLength(1);

  const second = await serve({ cwd, env });
  const { mail, to } = await mails.next();
  expect(to).toEqual(["ann@example.com"]);
  expect(mail.text).toContain("Hello Änne,");
  expect(mail.text).toContain(values.resetUrl);
  expect((await second.end("SIGTERM")).code).toBe(0);

  const third = await serve({ cwd, env });
  const again = connect();
  const rows = await again`SELECT "status", "attempts", "payload", "subject" FROM "baasix_EmailLog"`;
  expect([...rows]).toEqual([
    { status: "sent", attempts: 1, payload: null, subject: "Your password at Baasix" },
  ]);
  await again.close();
  expect((await third.end("SIGTERM")).code).toBe(0);
});
