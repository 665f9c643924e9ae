import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { system } from "../../core/access/actor";
import { type TestApp, testApp } from "../../testing/app";
import { createOneTimes, lifetimes, mostTries, type OneTimeKind, removeExpiredOneTimes } from "./one-time";

setDefaultTimeout(30_000);

const root = system("the test looks at what is kept");
const subject = "ann@example.com";
let time = Date.now();
let app: TestApp;

beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const oneTimes = createOneTimes({ codeKey: new Uint8Array(32).fill(7), clock: () => time });
const many = Array.from({ length: 50 }, (_, i) => i);
const none = (results: readonly unknown[]) => results.filter((result) => result !== null).length;

test("of fifty uses of a token at once exactly one wins", async () => {
  const { text } = await oneTimes.create(app.data, { kind: "magic-link", subject, data: { a: 1 } });
  expect(text).toMatch(/^[0-9a-f]{64}$/);
  const results = await Promise.all(many.map(() => oneTimes.consume(app.data, "magic-link", text)));
  expect(results.filter((result) => result !== null)).toEqual([
    { id: expect.any(String), subject, data: { a: 1 } },
  ] as never);
  expect(await oneTimes.find(app.data, "magic-link", text)).toBeNull();
});

test("of fifty uses of a code at once exactly one wins", async () => {
  const { text } = await oneTimes.createCode(app.data, { kind: "otp", subject }, "digits");
  expect(text).toMatch(/^\d{6}$/);
  const results = await Promise.all(many.map(() => oneTimes.consumeCode(app.data, "otp", subject, text)));
  expect(none(results)).toBe(1);
});

test("of fifty guesses at once five count, and the right code is dead after them", async () => {
  const { text } = await oneTimes.createCode(app.data, { kind: "otp", subject }, "digits");
  const wrong = text === "000000" ? "111111" : "000000";
  const results = await Promise.all(many.map(() => oneTimes.consumeCode(app.data, "otp", subject, wrong)));
  expect(none(results)).toBe(0);
  const [row] = await app.data.find<{ tries: number }>(root, "baasix_Verification", {
    filter: { identifier: { eq: `otp:${subject}` } },
    fields: ["tries"],
  });
  expect(row?.tries).toBe(mostTries);
  expect(await oneTimes.consumeCode(app.data, "otp", subject, text)).toBeNull();
});

test("what was used up stands until it is ended or replaced", async () => {
  for (const after of [
    () => oneTimes.end(app.data, subject, ["otp"]),
    () => oneTimes.createCode(app.data, { kind: "otp", subject }, "digits"),
  ]) {
    const { text } = await oneTimes.createCode(app.data, { kind: "otp", subject }, "digits");
    const proven = await oneTimes.consumeCode(app.data, "otp", subject, text);
    if (proven === null) throw new Error("the code should open");
    expect(await oneTimes.stands(app.data, proven)).toBe(true);
    await after();
    expect(await oneTimes.stands(app.data, proven)).toBe(false);
  }
});

test("a transaction that fails leaves the token as it was", async () => {
  const { text } = await oneTimes.create(app.data, { kind: "password-reset", subject });
  const failing = app.data.transaction(async (rows) => {
    expect(await oneTimes.consume(rows, "password-reset", text)).not.toBeNull();
    throw new Error("the change fails");
  });
  await expect(failing).rejects.toThrow("the change fails");
  expect(await oneTimes.consume(app.data, "password-reset", text)).not.toBeNull();
});

const shapes: readonly (readonly [string, (kind: OneTimeKind) => Promise<() => Promise<unknown>>])[] = [
  [
    "token",
    async (kind) => {
      const { text } = await oneTimes.create(app.data, { kind, subject });
      return () => oneTimes.consume(app.data, kind, text);
    },
  ],
  [
    "code",
    async (kind) => {
      const { text } = await oneTimes.createCode(app.data, { kind, subject }, "letters");
      return () => oneTimes.consumeCode(app.data, kind, subject, text);
    },
  ],
];
for (const [shape, make] of shapes) {
  test.each(Object.entries(lifetimes) as [OneTimeKind, number][])(
    `a ${shape} of the kind %s holds its time, once, and a newer one ends it`,
    async (kind, lifetime) => {
      const early = await make(kind);
      time += lifetime - 1;
      expect(await early()).not.toBeNull();
      expect(await early()).toBeNull();
      const late = await make(kind);
      time += lifetime;
      expect(await late()).toBeNull();
      const [older, newer] = [await make(kind), await make(kind)];
      expect([await older(), await newer()].map((result) => result !== null)).toEqual([false, true]);
      const ended = await make(kind);
      await oneTimes.end(app.data, subject, [kind]);
      expect(await ended()).toBeNull();
    },
  );
}

test("neither opens anything as another kind, for another subject, or in other letters", async () => {
  const { text: token } = await oneTimes.create(app.data, { kind: "password-reset", subject });
  const { text: code } = await oneTimes.createCode(app.data, { kind: "otp", subject }, "letters");
  for (const result of [
    await oneTimes.consume(app.data, "magic-link", token),
    await oneTimes.consume(app.data, "password-reset", token.toUpperCase().replace(/\d/g, "A")),
    await oneTimes.consume(app.data, "password-reset", `${token} `),
    await oneTimes.consume(app.data, "password-reset", ""),
    await oneTimes.consume(app.data, "otp", code),
    await oneTimes.consumeCode(app.data, "magic-link", subject, code),
    await oneTimes.consumeCode(app.data, "otp", "bob@example.com", code),
    await oneTimes.consumeCode(app.data, "password-reset", subject, token),
  ]) {
    expect(result).toBeNull();
  }
  expect(await oneTimes.consume(app.data, "password-reset", token)).not.toBeNull();
});

test("nothing of them can be read from the database, and what ended is removed", async () => {
  const { text: token } = await oneTimes.create(app.data, { kind: "password-reset", subject });
  const { text: code } = await oneTimes.createCode(app.data, { kind: "otp", subject }, "digits");
  const kept = JSON.stringify(
    await app.data.find(root, "baasix_Verification", { fields: ["*", "value", "data"], limit: -1 }),
  );
  expect(kept).not.toContain(token);
  expect(kept).not.toContain(`"${code}"`);
  const answer = await app.call("GET", "/items/baasix_Verification", { token: app.admin });
  expect(answer.text).not.toContain('"value"');
  expect(await removeExpiredOneTimes(app.data, time + lifetimes["password-reset"])).toBeGreaterThan(0);
  expect(await oneTimes.find(app.data, "password-reset", token)).not.toBeNull();
  await removeExpiredOneTimes(app.data, time + lifetimes["email-verification"] + 1);
  expect(await app.data.find(root, "baasix_Verification", { fields: ["id"] })).toEqual([]);
});
