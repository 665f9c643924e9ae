import { expect, test } from "bun:test";
import { getPriority } from "node:os";
import { AppError } from "../../core/errors";
import { poolNiceness, poolThreads } from "./hashing-threads";
import { passwordFault } from "./password-policy";
import { createPasswords } from "./passwords";

const faults: readonly (readonly [string, string, boolean])[] = [
  ["7 characters", "1234567", true],
  ["8 characters", "12345678", false],
  ["128 characters", "x".repeat(128), false],
  ["129 characters", "x".repeat(129), true],
  ["a megabyte", "x".repeat(1_000_000), true],
  ["8 characters outside the basic plane", "😀".repeat(8), false],
  ["7 of them", "😀".repeat(7), true],
  ["NUL", "1234567\u00008", true],
  ["an unpaired surrogate", "1234567\ud800", true],
  ["the documents' example", "password123", false],
];

test.each(faults)("%s", (_, password, refused) => {
  expect(passwordFault(password) !== null).toBe(refused);
});

test("hashes with argon2id at the required cost, and verifies", async () => {
  const passwords = createPasswords();
  const hash = await passwords.hash("correct horse", {});
  expect(hash).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
  expect(await passwords.verify("correct horse", hash)).toBe(true);
  expect(await passwords.verify("wrong horse", hash)).toBe(false);
  expect(await passwords.verify("correct horse", null)).toBe(false);
  expect(await passwords.verify("short", hash)).toBe(false);
});

test.if(process.platform === "linux")("hashes behind the thread that answers requests", async () => {
  const passwords = createPasswords();
  for (let round = 0; round < 2; round++)
    await Promise.all(Array.from({ length: 4 }, () => passwords.verify("correct horse", null)));
  const threads = poolThreads();
  expect(threads.length).toBeGreaterThan(0);
  expect(threads.map((thread) => getPriority(thread))).toEqual(threads.map(() => poolNiceness));
  expect(getPriority(process.pid)).toBeLessThan(poolNiceness);
});

test("refuses to hash what it would not accept", async () => {
  const error = await createPasswords()
    .hash("short", {})
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AppError);
  expect(String(error)).toContain("Password must be at least 8 characters");
});

test("lets a few wait and sends the others away", async () => {
  const passwords = createPasswords({ concurrency: 1, queue: 1 });
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => passwords.verify("wrong horse", null)));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
  const refused = outcomes[2];
  expect(refused?.status === "rejected" && refused.reason instanceof AppError && refused.reason.code).toBe(
    "UNAVAILABLE",
  );
  expect(await passwords.verify("wrong horse", null)).toBe(false);
});
