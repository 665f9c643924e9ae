/** Settings → the way that mails go. */
import { describe, expect, test } from "bun:test";
import { type Config, type ConfigError, readConfig } from "./config";
import { mailerOf, sendTestMail, senderOf, smtpSettings } from "./mail";
import { addressesOf, openMailServer } from "./testing/mail-server";

const from = { MAIL_FROM: "Shop <no-reply@example.com>" };
const key = "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----";

describe("the mail server of the settings", () => {
  test.each<[Record<string, string>, object | null]>([
    [{}, null],
    [{ SMTP_HOST: "mail.example.com" }, { host: "mail.example.com", port: 587, secure: "starttls" }],
    [
      { SMTP_HOST: "m", SMTP_PORT: "465" },
      { port: 465, secure: "tls" },
    ],
    [
      { SMTP_HOST: "m", SMTP_SECURE: "tls" },
      { port: 465, secure: "tls" },
    ],
    [
      { SMTP_HOST: "m", SMTP_PORT: "2525", SMTP_SECURE: "none" },
      { port: 2525, secure: "none" },
    ],
    [
      { SMTP_HOST: "m", SMTP_USER: "u", SMTP_PASSWORD: "p w" },
      { user: "u", password: "p w" },
    ],
    [{ SMTP_URL: "smtp://mail.example.com" }, { host: "mail.example.com", port: 587, secure: "starttls" }],
    [{ SMTP_URL: "smtps://mail.example.com" }, { port: 465, secure: "tls" }],
    [{ SMTP_URL: "smtp://u%40x:p%2Fw@m:2525" }, { port: 2525, user: "u@x", password: "p/w" }],
    [
      { SMTP_URL: "smtp://[::1]:25", SMTP_SECURE: "none" },
      { host: "::1", port: 25, secure: "none" },
    ],
    [
      { SMTP_HOST: "m", DKIM_DOMAIN: "example.com", DKIM_SELECTOR: "s", DKIM_PRIVATE_KEY: key },
      { dkim: { domain: "example.com", selector: "s", privateKey: key.replaceAll("\\n", "\n") } },
    ],
  ])("%o", (env, expected) => {
    const settings = smtpSettings(readConfig({ ...from, ...env }));
    if (expected === null) expect(settings).toBeNull();
    else expect(settings).toMatchObject(expected);
  });
});

describe("settings that stop the start", () => {
  test.each<[Record<string, string>, string]>([
    [{ SMTP_HOST: "m" }, "MAIL_FROM: is needed beside SMTP_HOST"],
    [{ SMTP_URL: "smtp://m" }, "MAIL_FROM: is needed beside SMTP_URL"],
    [{ SMTP_PORT: "25" }, "SMTP_HOST: is needed beside SMTP_PORT"],
    [{ ...from, SMTP_HOST: "m", SMTP_USER: "u" }, "SMTP_PASSWORD: is needed beside SMTP_USER"],
    [{ ...from, SMTP_HOST: "m", SMTP_URL: "smtp://m" }, "SMTP_URL: says what SMTP_HOST says"],
    [{ ...from, SMTP_URL: "http://m" }, "SMTP_URL: "],
    [{ ...from, SMTP_URL: "smtp://m?pool=true" }, "SMTP_URL: must be smtp(s)://"],
    [{ ...from, SMTP_URL: "nonsense" }, "SMTP_URL: "],
    [{ ...from, SMTP_HOST: "m", SMTP_SECURE: "yes" }, "SMTP_SECURE: "],
    [{ ...from, SMTP_HOST: "m", SMTP_CA: "hello" }, "SMTP_CA: must be PEM text"],
    [{ MAIL_FROM: "Shop" }, "MAIL_FROM: must be a mail address"],
    [{ MAIL_FROM: "a@example.com\nBcc: b@example.com" }, "MAIL_FROM: must be a mail address"],
    [{ MAIL_FROM: "a@example.com, b@example.com" }, "MAIL_FROM: 'a@example.com, b@example.com' is not one"],
    [{ DKIM_DOMAIN: "example.com" }, "DKIM_PRIVATE_KEY: is needed beside DKIM_DOMAIN"],
    [{ DKIM_PRIVATE_KEY: key }, "DKIM_DOMAIN: is needed beside DKIM_PRIVATE_KEY"],
    [
      { ...from, SMTP_HOST: "m", DKIM_DOMAIN: "d", DKIM_SELECTOR: "s", DKIM_PRIVATE_KEY: key },
      "DKIM_PRIVATE_KEY: is no private key",
    ],
    [{ PROJECT_COLOR: "red;x:expression(1)" }, "PROJECT_COLOR: "],
    [{ PROJECT_URL: "javascript:alert(1)" }, "PROJECT_URL: "],
    [{ EMAIL_LOG_RETENTION_DAYS: "0" }, "EMAIL_LOG_RETENTION_DAYS: "],
  ])("%o", (env, message) => {
    let error: unknown;
    try {
      const config = readConfig(env);
      senderOf(config);
      mailerOf(config, { log: () => {} });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(Error);
    expect((error as ConfigError).message).toStartWith(message);
  });
});

test.each<[string, Record<string, string>, string | undefined]>([
  ["development", {}, "this log"],
  ["production", {}, undefined],
  ["production", { ...from, SMTP_HOST: "mail.example.com" }, "SMTP at mail.example.com:587"],
  [
    "development",
    { ...from, SMTP_URL: "smtp://user:secret@mail.example.com" },
    "SMTP at mail.example.com:587",
  ],
])("in %s with %o mails go to %p", async (NODE_ENV, env, expected) => {
  const mailer = mailerOf(readConfig({ NODE_ENV, ...env }), { log: () => {} });
  expect(mailer?.description).toBe(expected as string);
  await mailer?.close();
});

test("an application's own way stands over a mail server", () => {
  const config = readConfig({ ...from, SMTP_HOST: "m" });
  expect(mailerOf(config, { sendMail: async () => {}, log: () => {} })?.description).toContain("sendMail");
});

test("a mail to try the settings", async () => {
  const server = await openMailServer();
  const config: Config = readConfig({
    ...from,
    SMTP_URL: `smtp://127.0.0.1:${server.port}`,
    SMTP_SECURE: "none",
    PROJECT_NAME: "Shop",
  });
  expect(await sendTestMail(config, "ann@example.com")).toBe(`SMTP at 127.0.0.1:${server.port}: 250 taken`);
  const { mail } = await server.next();
  expect(mail.subject).toBe("A mail from Shop");
  expect(addressesOf(mail.from)).toEqual(["Shop <no-reply@example.com>"]);
  await expect(sendTestMail(readConfig({}), "ann@example.com")).rejects.toThrow("there is no mail server");
  await server.close();
});
