/** The outbox on a real database, with a real mail server on the loopback address. */
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { createApp } from "../../app";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { type TestApp, testApp } from "../../testing/app";
import { addressesOf, type MailServer, openMailServer } from "../../testing/mail-server";
import { outsider } from "../../testing/postgres";
import { waitAfter } from "./worker";

setDefaultTimeout(30_000);

type Entry = {
  readonly id: string;
  readonly email: string;
  readonly subject: string | null;
  readonly templateName: string;
  readonly status: string;
  readonly attempts: number;
  readonly errorMessage: string | null;
  readonly messageId: string | null;
  readonly payload: string | null;
};

const root = system("the test looks at the outbox");
const [minute, hour] = [60_000, 3_600_000];
const resetUrl = "https://shop.example.com/auth/reset-password/0123456789abcdef";
const reset = { type: "passwordReset", to: "ann@example.com", values: { name: "Ann", resetUrl } } as const;

let server: MailServer;
let app: TestApp;
/** Added to the present: the clock of the app. */
let ahead = 0;

const envOf = (port: number): Record<string, string> => ({
  SMTP_HOST: "127.0.0.1",
  SMTP_PORT: String(port),
  SMTP_SECURE: "none",
  MAIL_FROM: "Žofie's Shop <no-reply@shop.example.com>",
  PROJECT_NAME: "Shop",
});

beforeAll(async () => {
  server = await openMailServer();
  app = await testApp({ env: envOf(server.port), now: () => Date.now() + ahead });
});
afterAll(async () => {
  await app.close();
  await server.close();
});
beforeEach(() => {
  ahead = 0;
});
afterEach(async () => {
  server.answers.rcpt = null;
  server.answers.data = null;
  await app.mail.run();
  await app.data.removeWhere(root, "baasix_EmailLog", { email: { ne: "" } });
  await app.data.removeWhere(root, "baasix_Template", { type: { ne: "" } });
});

async function entry(id: string): Promise<Entry> {
  const fields = ["*", "payload"];
  const [found] = await app.data.find<Entry>(root, "baasix_EmailLog", { filter: { id: { eq: id } }, fields });
  if (!found) throw new Error("there is no such entry");
  return found;
}

test("a mail goes after the commit, by itself", async () => {
  let written = "";
  await app.data.transaction(async (rows) => {
    written = await app.mail.queue(rows, { ...reset, to: { address: "ann@example.com", name: "Änne" } });
    await app.mail.run();
    expect(server.delivered).toEqual([]);
  });
  const { mail, to } = await server.next();
  expect(to).toEqual(["ann@example.com"]);
  expect(addressesOf(mail.to)).toEqual(["Änne <ann@example.com>"]);
  expect(addressesOf(mail.from)).toEqual(["Žofie's Shop <no-reply@shop.example.com>"]);
  expect(mail.subject).toBe("Your password at Shop");
  expect(mail.text).toContain(resetUrl);
  expect(mail.html).toContain(resetUrl);
  expect(mail.messageId).toBe(`<${written}@shop.example.com>`);
  await app.mail.run();
  expect(await entry(written)).toMatchObject({
    email: "ann@example.com",
    templateName: "passwordReset",
    subject: "Your password at Shop",
    sender: "no-reply@shop.example.com",
    status: "sent",
    attempts: 1,
    errorMessage: null,
    messageId: `<${written}@shop.example.com>`,
    payload: null,
  });
});

test("what is undone sends nothing", async () => {
  const before = server.delivered.length;
  const failing = app.data.transaction(async (rows) => {
    await app.mail.queue(rows, reset);
    throw new Error("the change fails");
  });
  await expect(failing).rejects.toThrow("the change fails");
  await app.mail.run();
  expect(server.delivered.length).toBe(before);
});

describe("secrets", () => {
  test("are not in the database while a mail waits, and nothing of it is there after", async () => {
    server.answers.rcpt = () => ({ code: 450, text: "busy" });
    const id = await app.mail.queue(app.data, reset);
    await app.mail.run();
    const dump = async (): Promise<string> =>
      JSON.stringify(await outsider(app.address, `select to_jsonb(e) from "baasix_EmailLog" e`));
    expect((await entry(id)).status).toBe("pending");
    expect(await dump()).toContain("ann@example.com");
    expect(await dump()).not.toContain("0123456789abcdef");
    server.answers.rcpt = null;
    ahead = hour;
    await app.mail.run();
    expect((await server.next()).mail.text).toContain(resetUrl);
    expect((await entry(id)).payload).toBeNull();
  });

  test("are not told to anybody: administrators read the log without what mails say, others nothing", async () => {
    server.answers.rcpt = () => ({ code: 450, text: "busy" });
    const id = await app.mail.queue(app.data, reset);
    await app.mail.run();
    const log = await app.call("GET", "/items/baasix_EmailLog", { token: app.admin });
    const [told] = (log.body as { data: Record<string, unknown>[] }).data;
    expect(told).toMatchObject({ id, status: "pending", errorMessage: expect.stringContaining("busy") });
    expect(Object.keys(told ?? {})).not.toContain("payload");
    const paths = [
      "/items/baasix_EmailLog?fields=payload",
      '/items/baasix_EmailLog?filter={"payload":{"isNotNull":true}}',
    ];
    for (const path of paths) {
      // oxlint-disable-next-line no-await-in-loop
      expect((await app.call("GET", path, { token: app.admin })).status).toBeGreaterThanOrEqual(400);
    }
    const { token } = await app.signUp("curious@example.com");
    for (const who of [token, undefined]) {
      const call = { ...(who !== undefined && { token: who }) };
      // oxlint-disable-next-line no-await-in-loop
      expect((await app.call("GET", "/items/baasix_EmailLog", call)).status).toBe(403);
    }
    const change = await app.call("PATCH", `/items/baasix_EmailLog/${id}`, {
      token: app.admin,
      body: { email: "eve@example.com" },
    });
    expect(change.status).toBe(403);
    const grant = await app.call("POST", "/permissions", {
      token: app.admin,
      body: { role_Id: await roleOf("user"), collection: "baasix_EmailLog", action: "read", fields: ["*"] },
    });
    expect(grant.status).toBe(400);
  });
});

async function roleOf(name: string): Promise<string> {
  const [role] = await app.data.find<{ id: string }>(root, "baasix_Role", { filter: { name: { eq: name } } });
  return role?.id ?? "";
}

describe("mails that do not go", () => {
  test("are tried again, later and later, until the server takes them", async () => {
    server.answers.data = () => ({ code: 451, text: "try again" });
    const before = server.delivered.length;
    const id = await app.mail.queue(app.data, reset);
    await app.mail.run();
    for (const [attempts, wait] of [
      [1, 30_000],
      [2, minute],
      [3, 2 * minute],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await entry(id)).toMatchObject({ status: "pending", attempts });
      // Not before three quarters of the wait.
      ahead += wait * 0.75 - 5_000;
      // oxlint-disable-next-line no-await-in-loop
      await app.mail.run();
      // oxlint-disable-next-line no-await-in-loop
      expect(await entry(id)).toMatchObject({ attempts });
      ahead += wait * 0.25 + 5_000;
      if (attempts === 3) server.answers.data = null;
      // oxlint-disable-next-line no-await-in-loop
      await app.mail.run();
    }
    expect(await entry(id)).toMatchObject({ status: "sent", attempts: 4, errorMessage: null });
    expect(server.delivered.length).toBe(before + 1);
    await server.next();
  });

  test.each([
    [
      "final for a recipient",
      () => void (server.answers.rcpt = () => ({ code: 550, text: "no such user" })),
      "no such user",
    ],
    [
      "final for what it says",
      () => void (server.answers.data = () => ({ code: 554, text: "spam" })),
      "spam",
    ],
  ])("are given up at once when the answer is %s", async (_what, prepare, words) => {
    prepare();
    const id = await app.mail.queue(app.data, reset);
    await app.mail.run();
    expect(await entry(id)).toMatchObject({
      status: "failed",
      attempts: 1,
      payload: null,
      errorMessage: expect.stringContaining(words),
    });
  });

  test("are given up after a day", async () => {
    server.answers.rcpt = () => ({ code: 450, text: "busy" });
    const id = await app.mail.queue(app.data, reset);
    await app.mail.run();
    for (let hours = 1; hours < 24; hours++) {
      ahead = hours * hour;
      // oxlint-disable-next-line no-await-in-loop
      await app.mail.run();
    }
    expect((await entry(id)).status).toBe("pending");
    ahead = 24 * hour;
    await app.mail.run();
    expect(await entry(id)).toMatchObject({ status: "failed", payload: null });
  });

  test("are not sent when it is too late for them", async () => {
    const before = server.delivered.length;
    server.answers.rcpt = () => ({ code: 450, text: "busy" });
    const until = Date.now() + 10 * minute;
    const id = await app.mail.queue(app.data, { ...reset, until });
    await app.mail.run();
    server.answers.rcpt = null;
    ahead = 11 * minute;
    await app.mail.run();
    expect(await entry(id)).toMatchObject({
      status: "failed",
      errorMessage: "the mail was not sent in time",
    });
    expect(server.delivered.length).toBe(before);
  });

  test("leave the others alone: one refused among many", async () => {
    server.answers.rcpt = (to) => (to === "no@example.com" ? { code: 550, text: "no such user" } : null);
    const addresses = ["a@example.com", "no@example.com", "b@example.com", "c@example.com"];
    await app.data.transaction(async (rows) => {
      for (const to of addresses) {
        // oxlint-disable-next-line no-await-in-loop
        await app.mail.queue(rows, { ...reset, to });
      }
    });
    await app.mail.run();
    const arrived = [await server.next(), await server.next(), await server.next()].map(({ to }) => to[0]);
    expect(arrived.toSorted()).toEqual(["a@example.com", "b@example.com", "c@example.com"]);
  });

  test("go once the mail server is back, each once; it is not asked for each of them meanwhile", async () => {
    const away = await openMailServer();
    const other = await testApp({ env: envOf(away.port), now: () => Date.now() + ahead });
    await away.close();
    const addresses = Array.from({ length: 40 }, (_, i) => `u${i}@example.com`);
    await other.data.transaction(async (rows) => {
      for (const to of addresses) {
        // oxlint-disable-next-line no-await-in-loop
        await other.mail.queue(rows, { ...reset, to });
      }
    });
    await other.mail.run();
    const tried = await other.data.find<Entry>(root, "baasix_EmailLog", { filter: { attempts: { gt: 0 } } });
    // As many as were under way when that was found out, each time that it was asked.
    expect(tried.length).toBeLessThan(addresses.length);
    expect(tried[0]?.errorMessage).toStartWith("ESOCKET: ");
    const back = await openMailServer({ port: away.port });
    ahead = hour;
    await other.mail.run();
    expect(back.delivered.map(({ to }) => to[0] ?? "").toSorted()).toEqual(addresses.toSorted());
    await other.close();
    await back.close();
  });

  test("wait twice as long each time, an hour at most, less up to a quarter", () => {
    const waits = [1, 2, 3, 7, 8, 100].map((attempts) => waitAfter(attempts, () => 0));
    expect(waits).toEqual([30_000, minute, 2 * minute, 32 * minute, hour, hour]);
    expect(waitAfter(1, () => 1)).toBe(22_500);
  });
});

describe("several instances on one database", () => {
  test("send each mail once", async () => {
    const second = await createApp(app.config, app.address);
    const before = server.delivered.length;
    // Written past both, so that neither is woken before the other.
    await app.data.transaction(async (rows) => {
      for (let i = 0; i < 40; i++) {
        // oxlint-disable-next-line no-await-in-loop
        await app.mail.queue(rows, { ...reset, to: `u${i}@example.com` });
      }
    });
    await Promise.all([app.mail.run(), second.mail.run(), app.mail.run(), second.mail.run()]);
    const arrived = server.delivered.slice(before).map(({ to }) => to[0] ?? "");
    expect(arrived.toSorted()).toEqual(Array.from({ length: 40 }, (_, i) => `u${i}@example.com`).toSorted());
    for (const _ of arrived) {
      // oxlint-disable-next-line no-await-in-loop
      await server.next();
    }
    await second.close();
  });

  test("take over what one left, once its lease has ended, with the same Message-ID", async () => {
    const left = server.hold();
    const first = await createApp(app.config, app.address);
    // For the other, which looks every few seconds, it is not due yet.
    ahead = -minute;
    const id = await first.mail.queue(first.data, reset);
    await left.reached;
    // As if it died there: the mail is neither noted as sent nor given back.
    ahead = 0;
    await app.mail.run();
    expect(await entry(id)).toMatchObject({ status: "pending", attempts: 1 });
    ahead = 4 * minute;
    await app.mail.run();
    expect(await entry(id)).toMatchObject({ status: "pending", attempts: 1 });
    ahead = 6 * minute;
    const taken = server.hold();
    const sent = app.mail.run();
    await taken.reached;
    left.release();
    taken.release();
    await sent;
    const ids = [await server.next(), await server.next()].map(({ mail }) => mail.messageId);
    expect(ids).toEqual([`<${id}@shop.example.com>`, `<${id}@shop.example.com>`]);
    await first.close();
    expect(await entry(id)).toMatchObject({ status: "sent", attempts: 2 });
  });
});

test("a mail that waits goes under a new SECRET_KEY, by a server that has the earlier one, too", async () => {
  server.answers.rcpt = () => ({ code: 450, text: "busy" });
  const id = await app.mail.queue(app.data, reset);
  await app.mail.run();
  server.answers.rcpt = null;
  const config = { ...app.config, SECRET_KEY: "another secret of the tests, of 32 characters" };
  const without = await createApp(config, app.address, { now: () => Date.now() + hour });
  await without.mail.run();
  expect(await entry(id)).toMatchObject({
    status: "pending",
    errorMessage: expect.stringContaining("(SECRET_KEY)"),
  });
  await without.close();
  const earlier = { SECRET_KEY_PREVIOUS: [app.config.SECRET_KEY ?? ""] };
  const knowing = await createApp({ ...config, ...earlier }, app.address, {
    now: () => Date.now() + 3 * hour,
  });
  await knowing.mail.run();
  expect((await server.next()).mail.messageId).toBe(`<${id}@shop.example.com>`);
  await knowing.close();
});

describe("a server that stops", () => {
  test("finishes what it sends", async () => {
    const { reached, release } = server.hold();
    const other = await createApp(app.config, app.address);
    const id = await other.mail.queue(other.data, reset);
    await reached;
    const closing = other.close();
    release();
    await closing;
    expect(await entry(id)).toMatchObject({ status: "sent", attempts: 1 });
    await server.next();
  });

  test("leaves what takes too long for the next one", async () => {
    const { reached, release } = server.hold();
    const other = await createApp(app.config, app.address);
    const id = await other.mail.queue(other.data, reset);
    await reached;
    await other.mail.close(1);
    await other.close();
    expect(await entry(id)).toMatchObject({
      status: "pending",
      attempts: 1,
      errorMessage: expect.stringContaining("the server stops"),
    });
    release();
    await server.next();
    ahead = hour;
    await app.mail.run();
    expect((await server.next()).mail.messageId).toBe(`<${id}@shop.example.com>`);
  });
});

describe("stored templates", () => {
  const save = (body: object, method = "POST", path = "") =>
    app.call(method, `/items/baasix_Template${path}`, { token: app.admin, body });

  test("stand over the server's own words, while they are active", async () => {
    const template = {
      type: "passwordReset",
      subject: "{{ name }}: new password",
      body: "<p>Go: {{ resetUrl }}</p>",
      text: "Go: {{ resetUrl }}",
    };
    const made = await save(template);
    expect(made.status).toBe(201);
    await app.mail.queue(app.data, reset);
    const { mail } = await server.next();
    expect(mail.subject).toBe("Ann: new password");
    expect(mail.text?.trim()).toBe(`Go: ${resetUrl}`);
    expect(mail.html).toContain(`<p>Go: ${resetUrl}</p>`);
    const { id } = (made.body as { data: { id: string } }).data;
    expect((await save({ isActive: false }, "PATCH", `/${id}`)).status).toBe(200);
    await app.mail.queue(app.data, reset);
    expect((await server.next()).mail.subject).toBe("Your password at Shop");
  });

  test.each<[string, object, string]>([
    ["of no kind", { type: "passwordResett", subject: "x", body: "x" }, "did you mean 'passwordReset'?"],
    ["that cannot be read", { type: "welcome", subject: "x", body: "{{ name" }, "body: output"],
    [
      "that shows what there is not",
      { type: "welcome", subject: "{{ code }}", body: "x" },
      "'code' is no value",
    ],
    [
      "that includes a file",
      { type: "welcome", subject: "x", body: "{% include '/etc/passwd' %}" },
      "not found",
    ],
    [
      "that lets values through",
      { type: "welcome", subject: "x", body: "{{ name | raw }}" },
      "undefined filter",
    ],
    ["whose subject has two lines", { type: "welcome", subject: "a\nBcc: b", body: "x" }, "must be one line"],
  ])("%s are refused", async (_what, body, words) => {
    const answer = await save(body);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(words);
  });

  test("are there once for each kind, and change only to what can be read", async () => {
    const welcome = { type: "welcome", subject: "x", body: "x" };
    const { id } = ((await save(welcome)).body as { data: { id: string } }).data;
    expect((await save(welcome)).status).toBe(409);
    expect((await save({ body: "{% if %}" }, "PATCH", `/${id}`)).status).toBe(400);
  });

  test("that fail after all lock nobody out", async () => {
    await app.data.create(root, "baasix_Template", [
      // Passes the check: it is known only when it is rendered how long it takes.
      { type: "passwordReset", subject: "x", body: "{% for i in (1..9999999) %}{{ resetUrl }}{% endfor %}" },
    ]);
    await app.mail.queue(app.data, reset);
    expect((await server.next()).mail.subject).toBe("Your password at Shop");
  });

  test("are written by those who may", async () => {
    const { token } = await app.signUp("author@example.com");
    const body = { type: "welcome", subject: "x", body: "x" };
    expect((await app.call("POST", "/items/baasix_Template", { token, body })).status).toBe(403);
    expect((await app.call("GET", "/items/baasix_Template", { token })).status).toBe(403);
    // Whatever a permission says: a template could send the links of an administrator's mails elsewhere.
    const roles = await app.data.find<{ id: string }>(root, "baasix_Role", {
      filter: { name: { eq: "user" } },
      fields: ["id"],
    });
    for (const action of ["create", "update"]) {
      const grant = { role_Id: roles[0]?.id, collection: "baasix_Template", action, fields: ["*"] };
      // oxlint-disable-next-line no-await-in-loop
      expect((await app.call("POST", "/permissions", { token: app.admin, body: grant })).status).toBe(201);
    }
    const [id] = await app.data.create(root, "baasix_Template", [body]);
    expect((await app.call("POST", "/items/baasix_Template", { token, body })).status).toBe(403);
    const change = { token, body: { body: "<p>Another one</p>" } };
    expect((await app.call("PATCH", `/items/baasix_Template/${id}`, change)).status).toBe(403);
  });
});

describe("what is refused before it is written", () => {
  test.each([
    ["several addresses", "ann@example.com,eve@example.com"],
    ["a line break", "ann@example.com\r\nBcc: eve@example.com"],
    ["no address", "ann"],
    ["an address that is too long", `${"a".repeat(64)}@${"b".repeat(190)}.com`],
  ])("%s", async (_what, to) => {
    await expect(app.mail.queue(app.data, { ...reset, to })).rejects.toThrow("mail.passwordReset.to");
    expect(await app.data.find(root, "baasix_EmailLog", {})).toEqual([]);
  });

  test("a mail without what it needs, or of no kind, which does not compile either", async () => {
    const values = { name: "Ann" };
    // @ts-expect-error -- resetUrl is missing
    const missing = app.mail.queue(app.data, { ...reset, values });
    await expect(missing).rejects.toThrow("mail.passwordReset.resetUrl: must be a text");
    // @ts-expect-error -- there is no such kind
    const unknown = app.mail.queue(app.data, { ...reset, type: "toString" });
    await expect(unknown).rejects.toThrow("there is no mail of the kind 'toString'");
  });

  test("a name with line breaks is one line where it is shown", async () => {
    await app.mail.queue(app.data, {
      ...reset,
      to: { address: "ann@example.com", name: "Ann\r\nBcc: eve@example.com" },
    });
    const { mail, to } = await server.next();
    expect(to).toEqual(["ann@example.com"]);
    expect(mail.headers.has("bcc")).toBe(false);
    expect(addressesOf(mail.to)).toEqual(["Ann Bcc: eve example com <ann@example.com>"]);
  });
});

test("old entries end, but for mails that wait", async () => {
  const sent = await app.mail.queue(app.data, reset);
  await server.next();
  await app.mail.run();
  server.answers.rcpt = () => ({ code: 450, text: "busy" });
  const waiting = await app.mail.queue(app.data, reset);
  await app.mail.run();
  ahead = 29 * 24 * hour;
  expect(await app.mail.removeOld(30)).toBe(0);
  ahead = 31 * 24 * hour;
  expect(await app.mail.removeOld("forever")).toBe(0);
  expect(await app.mail.removeOld(30)).toBe(1);
  expect(await app.data.find<Entry>(root, "baasix_EmailLog", {})).toMatchObject([{ id: waiting }]);
  expect(waiting).not.toBe(sent);
});

describe("without a mail server", () => {
  test("a production server refuses mails, and a change that needs one is undone", async () => {
    const { SMTP_HOST: _, ...config } = app.config;
    const other = await createApp({ ...config, NODE_ENV: "production" }, app.address);
    const failing = other.data.transaction(async (rows) => {
      await rows.create(root, "baasix_Role", [{ name: "left over" }]);
      await other.mail.queue(rows, reset);
    });
    const error: unknown = await failing.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe("MAIL_NOT_CONFIGURED");
    expect(await other.data.find(root, "baasix_Role", { filter: { name: "left over" } })).toEqual([]);
    await other.close();
  });

  test("an application sends them its own way", async () => {
    const taken: unknown[] = [];
    const other = await testApp({
      env: { NODE_ENV: "production" },
      sendMail: async (message) => void taken.push(message),
    });
    const id = await other.mail.queue(other.data, reset);
    await other.mail.run();
    expect(taken).toMatchObject([
      {
        id,
        type: "passwordReset",
        from: null,
        to: { address: "ann@example.com" },
        subject: "Your password at Baasix",
      },
    ]);
    await other.close();
  });
});
