import { expect, test } from "bun:test";
import { createLogger, mask } from "./logger";

const secrets: readonly (readonly [string, string])[] = [
  ["Authorization: Bearer abcdefghijklmnop", "abcdefghijklmnop"],
  ["token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl was sent", "c2lnbmF0dXJl"],
  ["cannot reach postgres://user:s3cret@db:5432/x", "s3cret"],
  ['{"password":"hunter2","x":1}', "hunter2"],
  ['"error":"body {\\"password\\":\\"hunter2\\"}"', "hunter2"],
  ["$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "aGFzaA"],
];

test.each(secrets)("masks %s", (text, secret) => {
  expect(mask(text)).not.toContain(secret);
});

function lines(options: { level?: "info" | "warn" | "debug"; format: "json" | "pretty" }) {
  let text = "";
  const logger = createLogger({
    LOG_LEVEL: options.level ?? "info",
    LOG_FORMAT: options.format,
    write: (more) => {
      text += more;
    },
  });
  return {
    logger,
    text: () => {
      logger.flush();
      return text;
    },
  };
}

test("writes one JSON object a line, with an error's causes", () => {
  const { logger, text } = lines({ format: "json" });
  logger.warn("slow", { error: new Error("outer", { cause: new Error("inner") }), count: 2n });
  logger.request({ id: "x-1", method: "GET", path: '/a"b', status: 200, ms: 1.234, client: "::1" });
  const [first, second] = text()
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  expect(first).toMatchObject({ level: "warn", message: "slow", count: "2" });
  expect(JSON.stringify(first)).toContain("inner");
  expect(second).toMatchObject({ level: "info", requestId: "x-1", path: '/a"b', status: 200, ms: 1.23 });
});

test("keeps to its level", () => {
  const { logger, text } = lines({ format: "json", level: "warn" });
  logger.info("no");
  logger.debug("no");
  logger.request({ id: "x", method: "GET", path: "/", status: 200, ms: 1, client: "::1" });
  expect(text()).toBe("");
  expect([logger.enabled("warn"), logger.enabled("info")]).toEqual([true, false]);
});

test("lets nothing write to the terminal, and hides what may be a token in a path", () => {
  const { logger, text } = lines({ format: "pretty" });
  const token = "a".repeat(64);
  logger.request({
    id: "x",
    method: "GET",
    path: `/auth/magiclink/${token}`,
    status: 200,
    ms: 1,
    client: "::1",
  });
  logger.warn("odd \u001b[31m name");
  expect(text()).not.toContain(token);
  expect(text()).not.toContain("\u001b");
});

test("all loggers of a process listen to its standard error together", () => {
  const make = () => createLogger({ LOG_LEVEL: "info", LOG_FORMAT: "json" });
  make();
  const before = process.stderr.listenerCount("drain");
  for (let i = 0; i < 20; i++) make();
  expect(process.stderr.listenerCount("drain")).toBe(before);
});
