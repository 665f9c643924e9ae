import { expect, test } from "bun:test";
import { createOrigins } from "./origins";

const production = createOrigins({
  AUTH_CORS_ALLOWED_ORIGINS: ["https://app.example.com"],
  NODE_ENV: "production",
});
const development = createOrigins({
  AUTH_CORS_ALLOWED_ORIGINS: ["https://app.example.com"],
  NODE_ENV: "development",
});

const cases: readonly (readonly [
  string,
  "credentials" | "plain" | "none",
  "credentials" | "plain" | "none",
])[] = [
  ["https://app.example.com", "credentials", "credentials"],
  ["http://app.example.com", "none", "none"],
  ["https://app.example.com.evil.test", "none", "none"],
  ["https://evil.test/https://app.example.com", "none", "none"],
  ["https://app.example.com:8443", "none", "none"],
  ["null", "none", "none"],
  ["http://localhost:5173", "none", "plain"],
  ["http://127.0.0.1:3000", "none", "plain"],
  ["http://localhost.evil.test", "none", "none"],
  ["http://localhost:5173.evil.test", "none", "none"],
];

test.each(cases)("origin %s: %s in production, %s in development", (origin, inProduction, inDevelopment) => {
  expect(production.cors(origin)).toBe(inProduction);
  expect(development.cors(origin)).toBe(inDevelopment);
});

const cookieCases: readonly (readonly [Record<string, string>, boolean])[] = [
  [{ origin: "https://app.example.com", host: "api.example.com" }, true],
  [{ origin: "https://api.example.com", host: "api.example.com" }, true],
  [{ "sec-fetch-site": "same-origin", host: "inner:8056" }, true],
  [{ origin: "https://evil.test", host: "api.example.com" }, false],
  [{ origin: "http://localhost:5173", host: "localhost:8056" }, false],
  [{ origin: "null", host: "api.example.com" }, false],
  [{ "sec-fetch-site": "cross-site", host: "api.example.com" }, false],
  [{ host: "api.example.com" }, false],
];

test.each(cookieCases)("cookies of a write with %j: %p", (headers, expected) => {
  const request = new Request("http://localhost/", { method: "POST", headers });
  expect(development.mayUseCookies(request)).toBe(expected);
});
