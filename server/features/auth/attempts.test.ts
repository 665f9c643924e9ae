import { expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import { createAttempts } from "./attempts";

const minute = 60_000;

function limiter(clock: () => number, maxAccounts?: number) {
  return createAttempts({ limit: 3, interval: 15 * minute, clock, ...(maxAccounts && { maxAccounts }) });
}

async function refusal(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof AppError ? [error.code, error.details] : error;
}

test("allows a few failures, then says when the first of them is forgotten", async () => {
  let now = 0;
  const attempts = limiter(() => now);
  for (let i = 0; i < 3; i++) {
    (await attempts.begin("a")).settle({ failed: true });
    now += minute;
  }
  expect(await refusal(attempts.begin("a"))).toEqual(["RATE_LIMITED", { retryAfter: 12 * 60 }]);
  expect(await refusal(attempts.begin("b"))).toBeNull();
  now = 15 * minute;
  (await attempts.begin("a")).settle({ failed: true });
  expect(await refusal(attempts.begin("a"))).toEqual(["RATE_LIMITED", { retryAfter: 60 }]);
});

test("forgives after a success, and does not count what ended without an outcome", async () => {
  const attempts = limiter(() => 0);
  for (const failed of [true, true, false, true, true]) (await attempts.begin("a")).settle({ failed });
  for (let i = 0; i < 5; i++) (await attempts.begin("a")).settle(null);
  expect(await refusal(attempts.begin("a"))).toBeNull();
});

test("lets no more tries run at once than may fail", async () => {
  const attempts = limiter(() => 0);
  const running = await Promise.all([attempts.begin("a"), attempts.begin("a"), attempts.begin("a")]);
  const late = attempts.begin("a");
  for (const attempt of running) attempt.settle({ failed: true });
  expect(await refusal(late)).toEqual(["RATE_LIMITED", { retryAfter: 15 * 60 }]);
});

test("lets many who know the password in, one after the other", async () => {
  const attempts = limiter(() => 0);
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const attempt = await attempts.begin("a");
      await Promise.resolve();
      attempt.settle({ failed: false });
      return true;
    }),
  );
  expect(outcomes).toHaveLength(20);
});

test("settles once", async () => {
  const attempts = limiter(() => 0);
  const attempt = await attempts.begin("a");
  attempt.settle({ failed: false });
  attempt.settle({ failed: true });
  attempt.settle({ failed: true });
  attempt.settle({ failed: true });
  expect(await refusal(attempts.begin("a"))).toBeNull();
});

test("remembers a bounded number of accounts, those tried last", async () => {
  const attempts = limiter(() => 0, 10);
  const fail = async (account: string) => (await attempts.begin(account)).settle({ failed: true });
  for (let i = 0; i < 3; i++) await fail("old");
  for (let i = 0; i < 3; i++) await fail("new");
  for (let i = 0; i < 9; i++) await fail(`other ${i}`);
  expect(await refusal(attempts.begin("new"))).not.toBeNull();
  expect(await refusal(attempts.begin("old"))).toBeNull();
});
