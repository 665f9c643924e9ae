import { expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import { createLogger } from "../../http";
import { createErrands } from "./errands";

const lines: string[] = [];
const logger = createLogger({
  LOG_LEVEL: "info",
  LOG_FORMAT: "json",
  write: (text) => void lines.push(text),
});

test("some at once, the others after them, and no more than may wait", async () => {
  const gate = Promise.withResolvers<void>();
  const started: number[] = [];
  const errands = createErrands({ logger, atOnce: 1, waiting: 2 });
  const take = (i: number) =>
    errands.take("x", () => {
      started.push(i);
      return gate.promise;
    });
  for (const i of [1, 2, 3]) take(i);
  expect(() => take(4)).toThrow("Too many requests for mails at once");
  expect(started.length).toBeLessThan(2);
  gate.resolve();
  await errands.idle();
  expect(started).toEqual([1, 2, 3]);
  take(5);
  await errands.idle();
  expect(started).toEqual([1, 2, 3, 5]);
});

test("what fails is told in the log and stops nothing", async () => {
  const errands = createErrands({ logger, atOnce: 1 });
  let done = false;
  errands.take("a mail could not be written", () =>
    Promise.reject(new AppError("UNAVAILABLE", "no database")),
  );
  errands.take("x", async () => {
    done = true;
  });
  await errands.idle();
  logger.flush();
  expect(done).toBe(true);
  expect(lines.join("")).toContain("a mail could not be written");
  expect(lines.join("")).toContain("UNAVAILABLE: no database");
});
