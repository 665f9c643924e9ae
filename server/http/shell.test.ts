import { afterAll, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { z } from "zod";
import { AppError } from "../core/errors";
import { createClientAddress } from "./address";
import { createLogger } from "./logger";
import { createOrigins } from "./origins";
import { shell } from "./shell";

type Options = { rate?: number; interval?: number; proxies?: readonly string[]; clock?: () => number };

const opened: { stop: () => unknown }[] = [];
afterAll(() => Promise.all(opened.map((app) => app.stop())));

/** A small app inside the shell, and what it logged. */
function surrounded({ rate = 1_000_000, interval = 5000, proxies = [], clock = Date.now }: Options = {}) {
  const log: string[] = [];
  const app: Elysia = new Elysia();
  app
    .use(
      shell({
        config: { RATE_LIMIT: rate, RATE_LIMIT_INTERVAL: interval },
        logger: createLogger({ LOG_LEVEL: "info", LOG_FORMAT: "json", write: (text) => log.push(text) }),
        origins: createOrigins({
          AUTH_CORS_ALLOWED_ORIGINS: ["https://app.example.com"],
          NODE_ENV: "development",
        }),
        clientAddress: createClientAddress({ TRUST_PROXY: proxies }),
        server: () => app.server,
        clock,
      }),
    )
    .get(
      "/text",
      () => new Response('{"a":1}', { headers: { "content-type": "application/json", vary: "Accept" } }),
    )
    .get("/object", () => ({ a: 1 }))
    .get("/known", () => {
      throw new AppError("NOT_FOUND", "posts: no such item");
    })
    .get("/unknown", () => {
      throw new Error("secret internals at 10.0.0.5");
    })
    .get("/later", async () => {
      await Promise.resolve();
      throw new AppError("UNAVAILABLE", "busy", { retryAfter: 2.2 });
    })
    .post("/echo", ({ body }) => Response.json({ body }))
    .post("/auth/echo", ({ body }) => Response.json({ body }))
    .post("/typed", ({ body }) => body, { body: z.object({ name: z.string(), age: z.number() }) })
    .post("/upload", async ({ request, body }) => ({ body, bytes: (await request.arrayBuffer()).byteLength }))
    .get("/query", ({ query }) => query, { query: z.object({ n: z.coerce.number() }) });
  return { app, log };
}

const { app, log } = surrounded();
const at = (path: string, init?: RequestInit) => app.handle(new Request(`http://localhost${path}`, init));
const json = (body: string): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json" },
});

const errors: readonly (readonly [string, string, RequestInit | undefined, number, string])[] = [
  ["an error of ours", "/known", undefined, 404, "NOT_FOUND"],
  ["an error of unknown kind", "/unknown", undefined, 500, "INTERNAL_ERROR"],
  ["an error thrown later", "/later", undefined, 503, "UNAVAILABLE"],
  ["an unknown route", "/nowhere", undefined, 404, "ROUTE_NOT_FOUND"],
  ["an unknown method", "/text", { method: "DELETE" }, 404, "ROUTE_NOT_FOUND"],
  ["a body that is no JSON", "/echo", json('{"a":'), 400, "INVALID_JSON"],
  ["a prototype key", "/echo", json('{"a":{"__proto__":1}}'), 400, "BAD_REQUEST"],
  [
    "a long body under /auth",
    "/auth/echo",
    json(JSON.stringify("x".repeat(65 * 1024))),
    413,
    "PAYLOAD_TOO_LARGE",
  ],
  ["a body of the wrong shape", "/typed", json('{"name":"hunter2","age":"ten"}'), 400, "VALIDATION_ERROR"],
  ["a query of the wrong shape", "/query?n=x", undefined, 400, "VALIDATION_ERROR"],
  ["a long URL", `/text?x=${"a".repeat(17_000)}`, undefined, 414, "URL_TOO_LONG"],
];

test.each(errors)("%s", async (_, path, init, status, code) => {
  const response = await at(path, init);
  const body: { error: Record<string, unknown> } = JSON.parse(await response.text());
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toContain("application/json");
  expect(body.error).toMatchObject({
    code,
    statusCode: status,
    requestId: response.headers.get("x-request-id"),
  });
  expect(Object.keys(body.error).sort()).toEqual(["code", "details", "message", "requestId", "statusCode"]);
});

test("tells the client nothing of an unknown error, and the log its cause", async () => {
  const response = await at("/unknown");
  const text = await response.text();
  expect(text).not.toContain("10.0.0.5");
  const line = log.find((entry) => entry.includes(response.headers.get("x-request-id") ?? "?"));
  expect(line).toContain("10.0.0.5");
});

test("names the field that failed, and not its value", async () => {
  const text = await (await at("/typed", json('{"name":"hunter2","age":"ten"}'))).text();
  expect(JSON.parse(text).error.details).toMatchObject([{ field: "body.age", rule: "type" }]);
  expect(text).not.toContain("hunter2");
});

test("repeats the message at the top level under /auth", async () => {
  const body = JSON.parse(await (await at("/auth/echo", json("{"))).text());
  expect(body.message).toBe(body.error.message);
});

test("sends Retry-After with what may be tried again", async () => {
  expect((await at("/later")).headers.get("retry-after")).toBe("3");
});

test.each(["/text", "/object", "/known", "/nowhere"])(
  "%s carries the headers of every answer",
  async (path) => {
    const { headers } = await at(path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("ratelimit-limit")).toBe("1000000");
    expect(headers.get("vary")).toContain("Origin");
    expect(headers.get("x-request-id")).toMatch(/^[\w-]{8,}$/);
  },
);

test("keeps what a route says about variation", async () => {
  expect((await at("/text")).headers.get("vary")).toBe("Accept, Origin");
});

const cors: readonly (readonly [string, string | null, string | null])[] = [
  ["https://app.example.com", "https://app.example.com", "true"],
  ["http://localhost:5173", "http://localhost:5173", null],
  ["https://evil.test", null, null],
];

test.each(cors)("a page of %s gets origin %p and credentials %p", async (origin, allowed, credentials) => {
  const plain = await at("/text", { headers: { origin } });
  const asked = await at("/text", {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "PATCH",
      "access-control-request-headers": "authorization, x-any",
    },
  });
  expect(asked.status).toBe(204);
  expect(asked.headers.get("access-control-allow-headers")).toBe(
    allowed === null ? null : "authorization, x-any",
  );
  for (const { headers } of [plain, asked]) {
    expect(headers.get("access-control-allow-origin")).toBe(allowed);
    expect(headers.get("access-control-allow-credentials")).toBe(credentials);
    expect(headers.get("vary")).toContain("Origin");
  }
});

test("counts requests per client and says when to come back", async () => {
  let now = 0;
  const limited = surrounded({ rate: 2, clock: () => now }).app;
  const ask = () => limited.handle(new Request("http://localhost/text"));
  expect((await ask()).headers.get("ratelimit-remaining")).toBe("1");
  expect((await ask()).headers.get("ratelimit-remaining")).toBe("0");
  now = 1500;
  const refused = await ask();
  expect(refused.status).toBe(429);
  expect(refused.headers.get("retry-after")).toBe("4");
  expect(JSON.parse(await refused.text()).error.code).toBe("RATE_LIMITED");
  const preflight = new Request("http://localhost/text", { method: "OPTIONS" });
  expect((await limited.handle(preflight)).status).toBe(204);
  now = 5000;
  expect((await ask()).status).toBe(200);
});

test("counts the clients behind a configured proxy apart", async () => {
  const limited = surrounded({ rate: 1, proxies: ["127.0.0.1"] }).app;
  const ask = async (client: string) =>
    (await limited.handle(new Request("http://localhost/text", { headers: { "x-forwarded-for": client } })))
      .status;
  expect([await ask("198.51.100.1"), await ask("198.51.100.2"), await ask("198.51.100.1")]).toEqual([
    200, 200, 429,
  ]);
});

test("over a socket: peer, length, long URLs, large and chunked bodies, bodies of other types", async () => {
  const served = surrounded({ rate: 1_000_000 }).app.listen({ port: 0, hostname: "127.0.0.1" });
  opened.push(served);
  const url = `http://127.0.0.1:${served.server?.port}`;
  const plain = await fetch(`${url}/text`);
  expect(plain.headers.get("content-length")).toBe("7");
  expect(plain.headers.get("x-content-type-options")).toBe("nosniff");
  expect((await fetch(`${url}/text?x=${"a".repeat(17_000)}`)).status).toBe(414);
  expect((await fetch(`${url}/echo`, json(JSON.stringify("x".repeat(21 * 1024 * 1024))))).status).toBe(413);
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(16 * 1024).fill(32)),
  });
  const refused = await fetch(`${url}/auth/echo`, {
    method: "POST",
    body: endless,
    headers: { "content-type": "application/json" },
  });
  expect(refused.status).toBe(413);
  const upload = await fetch(`${url}/upload`, {
    method: "POST",
    body: new Uint8Array(1000),
    headers: { "content-type": "image/png" },
  });
  expect(await upload.json()).toEqual({ body: null, bytes: 1000 });
});
