/** The SMTP driver against a real mail server on the loopback address. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { dkimVerify } from "mailauth/lib/dkim/verify";
import {
  type Answer,
  addressesOf,
  localCertificate,
  type MailServer,
  openMailServer,
} from "../../testing/mail-server";
import { parseAddress } from "./address";
import { createHookMailer } from "./hook";
import { createLogMailer } from "./log";
import { type Mailer, MailError, type MailMessage } from "./mailer";
import { createSmtpMailer, type SmtpSettings } from "./smtp";

const message: MailMessage = {
  id: "4d2f5f3e-9a53-4c7d-8a53-2f7f3d6a1c11",
  type: "welcome",
  from: { address: "no-reply@shop.example.com", name: "Žofie's Shop" },
  to: { address: "ann@example.com", name: "Änne, Ångström" },
  subject: "Grüße, 世界",
  html: "<p>Schön: <b>世界</b></p>",
  text: "Schön: 世界\n.\nEnd",
};

let server: MailServer;
let mailer: Mailer;
beforeAll(async () => {
  server = await openMailServer();
  mailer = createSmtpMailer({ host: "127.0.0.1", port: server.port, secure: "none" });
});
beforeEach(() => {
  server.answers.rcpt = null;
  server.answers.data = null;
});
afterAll(async () => {
  await mailer.close();
  await server.close();
});

/** How a sending failed. */
async function failureOf(sending: Promise<unknown>): Promise<MailError> {
  const error: unknown = await sending.then(
    () => new Error("it was sent"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof MailError)) throw error;
  return error;
}

test("a mail arrives with both parts, its names and the headers of the server alone", async () => {
  const sent = await mailer.send(message);
  const { mail, from, to } = await server.next();
  expect({ from, to }).toEqual({ from: "no-reply@shop.example.com", to: ["ann@example.com"] });
  expect(addressesOf(mail.from)).toEqual(["Žofie's Shop <no-reply@shop.example.com>"]);
  expect(addressesOf(mail.to)).toEqual(["Änne, Ångström <ann@example.com>"]);
  expect(mail.subject).toBe("Grüße, 世界");
  expect(mail.html).toBe("<p>Schön: <b>世界</b></p>");
  expect(mail.text?.trim()).toBe("Schön: 世界\n.\nEnd");
  expect(mail.messageId).toBe(`<${message.id}@shop.example.com>`);
  expect(sent).toEqual({ messageId: `<${message.id}@shop.example.com>`, answer: "250 taken" });
  expect(mail.headers.get("auto-submitted")).toBe("auto-generated");
  expect(mail.date).toBeInstanceOf(Date);
});

test("mails share connections", async () => {
  const before = server.connections();
  for (let i = 0; i < 3; i++) {
    // oxlint-disable-next-line no-await-in-loop
    await mailer.send(message);
    // oxlint-disable-next-line no-await-in-loop
    await server.next();
  }
  expect(server.connections()).toBe(before);
});

test("a DKIM signature is there and holds", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signing = createSmtpMailer({
    host: "127.0.0.1",
    port: server.port,
    secure: "none",
    dkim: {
      domain: "shop.example.com",
      selector: "mail",
      privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    },
  });
  await signing.send(message);
  await signing.close();
  const { raw } = await server.next();
  const key = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const resolver = async (name: string): Promise<string[][]> =>
    name === "mail._domainkey.shop.example.com" ? [[`v=DKIM1; k=rsa; p=${key}`]] : [];
  const verdict = async (bytes: Buffer): Promise<unknown> =>
    (await dkimVerify(bytes, { resolver })).results.map(({ status, signingDomain }) => [
      status.result,
      signingDomain,
    ]);
  expect(await verdict(raw)).toEqual([["pass", "shop.example.com"]]);
  const forged = Buffer.from(raw.toString("latin1").replace("Subject: ", "Subject: x"), "latin1");
  expect(await verdict(forged)).toEqual([["fail", "shop.example.com"]]);
});

describe("TLS", () => {
  test.each([
    ["tls", "tls", "trust its certificate", true],
    ["starttls", "starttls", "trust its certificate", true],
    ["starttls", "none", "trust its certificate", false],
    ["tls", "tls", "do not", null],
    ["starttls", "starttls", "do not", null],
    ["none", "starttls", "trust its certificate", null],
  ] as const)("the server offers %s, we ask for %s and %s: sent over TLS is %p", async (...row) => {
    const [offered, secure, trust, expected] = row;
    const other = await openMailServer({ secure: offered });
    const client = createSmtpMailer({
      host: "127.0.0.1",
      port: other.port,
      secure,
      ca: trust === "do not" ? undefined : localCertificate,
    });
    try {
      if (expected === null) {
        expect((await failureOf(client.send(message))).fault).toBe("unreachable");
        expect(other.delivered).toEqual([]);
      } else {
        await client.send(message);
        expect((await other.next()).secure).toBe(expected);
      }
    } finally {
      await client.close();
      await other.close();
    }
  });
});

test("a login is made, and a wrong one is the way's fault, without the password in words", async () => {
  const login = { user: "shop", password: "the password of the shop" };
  const other = await openMailServer({ secure: "starttls", login });
  const settings: SmtpSettings = {
    host: "127.0.0.1",
    port: other.port,
    secure: "starttls",
    ca: localCertificate,
    ...login,
  };
  const [right, wrong] = [
    createSmtpMailer(settings),
    createSmtpMailer({ ...settings, password: "not the password" }),
  ];
  await right.verify();
  await right.send(message);
  await other.next();
  const failure = await failureOf(wrong.send(message));
  expect(failure.fault).toBe("unreachable");
  expect(failure.message).toStartWith("EAUTH: ");
  expect(failure.message).not.toContain("not the password");
  expect((await failureOf(wrong.verify())).fault).toBe("unreachable");
  await Promise.all([right.close(), wrong.close(), other.close()]);
});

test.each([
  ["rcpt", { code: 550, text: "no such user" }, "refused"],
  ["rcpt", { code: 450, text: "mailbox busy" }, "later"],
  ["data", { code: 554, text: "looks like spam" }, "refused"],
  ["data", { code: 451, text: "try again" }, "later"],
] as const)("an answer to %s: %o is %s", async (stage, answer: Answer, fault) => {
  server.answers[stage] = () => answer;
  const failure = await failureOf(mailer.send(message));
  expect(failure.fault).toBe(fault);
  expect(failure.message).toContain(answer.text);
});

test("a server that is away is unreachable, and is found again", async () => {
  const first = await openMailServer();
  const client = createSmtpMailer({ host: "127.0.0.1", port: first.port, secure: "none" });
  await client.send(message);
  await first.close();
  expect((await failureOf(client.send(message))).fault).toBe("unreachable");
  expect((await failureOf(client.verify())).fault).toBe("unreachable");
  const second = await openMailServer({ port: first.port });
  await client.send(message);
  expect(second.delivered).toHaveLength(1);
  await client.close();
  await second.close();
});

test("a mail that is given up is not waited for", async () => {
  const { reached, release } = server.hold();
  const abort = new AbortController();
  const sending = failureOf(mailer.send(message, abort.signal));
  await reached;
  abort.abort();
  expect((await sending).fault).toBe("unreachable");
  release();
});

test.each([
  ["never speaks", []],
  ["falls silent after its greeting", ["220 mail.example.com ESMTP"]],
  [
    "falls silent amid the conversation",
    ["220 mail.example.com ESMTP", "250 mail.example.com", "250 sender taken"],
  ],
] as const)("a server that %s is not waited for beyond the bound", async (_what, words) => {
  const silent = Bun.listen<{ said: number }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { said: 1 };
        if (words[0] !== undefined) socket.write(`${words[0]}\r\n`);
      },
      data: (socket) => {
        const word = words[socket.data.said++];
        if (word !== undefined) socket.write(`${word}\r\n`);
      },
    },
  });
  const bounds = { connection: 300, greeting: 300, answer: 300 };
  const client = createSmtpMailer({ host: "127.0.0.1", port: silent.port, secure: "none" }, bounds);
  expect((await failureOf(client.send(message))).fault).toBe("unreachable");
  await client.close();
  silent.stop(true);
});

describe.each([
  ["SMTP", () => mailer],
  ["the log", () => createLogMailer(() => {})],
  ["a function", () => createHookMailer(async () => {})],
] as const)("what could be a header or a second recipient is refused by %s", (_name, open) => {
  const at = { address: "ann@example.com" };
  test.each<[string, Partial<MailMessage>]>([
    ["mail.subject", { subject: "Hello\r\nBcc: eve@example.com" }],
    ["mail.subject", { subject: "Hello\nX: y" }],
    ["mail.subject", { subject: "Hello\u2028" }],
    ["mail.to", { to: { address: "ann@example.com\r\nRCPT TO:<eve@example.com>" } }],
    ["mail.to", { to: { address: "ann@example.com,eve@example.com" } }],
    ["mail.to", { to: { address: "Ann <ann@example.com>" } }],
    ["mail.to", { to: { address: "ann" } }],
    ["mail.to", { to: { ...at, name: "Ann\r\nBcc: eve@example.com" } }],
    ["mail.from", { from: { ...at, name: "Ann\nBcc: eve@example.com" } }],
  ])("%s %o", async (place, change) => {
    const before = server.delivered.length;
    await expect(open().send({ ...message, ...change })).rejects.toThrow(place);
    expect(server.delivered.length).toBe(before);
  });
});

test("a subject of more than 998 characters is refused", async () => {
  await expect(mailer.send({ ...message, subject: "x".repeat(999) })).rejects.toThrow("mail.subject");
});

test.each([
  ["ann@example.com", { address: "ann@example.com" }],
  ["Ann <ann@example.com>", { address: "ann@example.com", name: "Ann" }],
  ['"Shop, Žofie\'s" <a@b.example>', { address: "a@b.example", name: "Shop, Žofie's" }],
  ["a@b.example, c@d.example", null],
  ["", null],
])("the sender %p", (text, expected) => {
  if (expected === null) expect(() => parseAddress(text)).toThrow("one mail address");
  else expect(parseAddress(text)).toEqual(expected);
});

test("the log tells a mail whole", async () => {
  const lines: string[] = [];
  await createLogMailer((line) => lines.push(line)).send(message);
  expect(lines).toEqual([
    "mail (welcome)\nTo: Änne, Ångström <ann@example.com>\nSubject: Grüße, 世界\n\nSchön: 世界\n.\nEnd",
  ]);
});

test("what a function throws is for later, unless it says otherwise", async () => {
  const throwing = (error: Error) =>
    createHookMailer(async () => {
      throw error;
    }).send(message);
  expect((await failureOf(throwing(new Error("no network")))).fault).toBe("later");
  expect((await failureOf(throwing(new MailError("refused", "no such user")))).fault).toBe("refused");
});
