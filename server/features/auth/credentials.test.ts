import { expect, test } from "bun:test";
import { clearedCookies, findCredential, needsOrigin, readCookie, sessionCookies } from "./credentials";

const cases: readonly (readonly [string, string, Record<string, string>, object | null])[] = [
  ["nothing", "/", {}, null],
  ["a bearer token", "/", { authorization: "Bearer abc" }, { token: "abc", from: "bearer" }],
  ["the scheme in lower case", "/", { authorization: "bearer abc" }, { token: "abc", from: "bearer" }],
  ["a blank token", "/", { authorization: "Bearer  " }, null],
  ["another scheme", "/", { authorization: "Basic YTpi" }, null],
  ["the cookie", "/", { cookie: "a=1; token=abc; b=2" }, { token: "abc", from: "cookie" }],
  ["the cookie's other name", "/", { cookie: "accessToken=abc" }, { token: "abc", from: "cookie" }],
  ["cookies with similar names", "/", { cookie: "xtoken=abc; refreshToken=def" }, null],
  ["an empty cookie", "/", { cookie: "token=" }, null],
  ["the query", "/assets/1?width=2&access_token=abc", {}, { token: "abc", from: "query" }],
  ["a similar parameter", "/?my_access_token=abc", {}, null],
  [
    "bearer before cookie",
    "/?access_token=q",
    { authorization: "Bearer b", cookie: "token=c" },
    { token: "b", from: "bearer" },
  ],
  ["cookie before query", "/?access_token=q", { cookie: "token=c" }, { token: "c", from: "cookie" }],
];

test.each(cases)("finds the credential in %s", (_, path, headers, expected) => {
  expect(findCredential(new Request(`http://localhost${path}`, { headers }))).toEqual(expected as never);
});

test("asks for an origin where something changes or a socket opens", () => {
  const of = (method: string, headers = {}) =>
    needsOrigin(new Request("http://localhost/", { method, headers }));
  expect(["GET", "HEAD", "POST", "PATCH", "DELETE"].map((method) => of(method))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
  expect(of("GET", { upgrade: "websocket" })).toBe(true);
});

test("sets cookies that scripts and other sites do not get", () => {
  const [access, refresh] = sessionCookies(
    { token: "a.b.c", refreshToken: "r" },
    { secure: true, maxAge: 60 },
  );
  for (const part of ["token=a.b.c", "Path=/", "HttpOnly", "SameSite=Lax", "Secure", "Max-Age=60"])
    expect(access).toContain(part);
  for (const part of ["refreshToken=r", "Path=/auth", "HttpOnly", "SameSite=Lax", "Secure"])
    expect(refresh).toContain(part);
  expect(access).not.toContain("Domain");
  expect(sessionCookies({ token: "a", refreshToken: null }, { secure: false, maxAge: 60 })).toHaveLength(1);
});

test("clears what it set, on the same paths", () => {
  const [access, refresh] = clearedCookies(false);
  for (const part of ["token=;", "Path=/", "Max-Age=0"]) expect(access).toContain(part);
  for (const part of ["refreshToken=;", "Path=/auth", "Max-Age=0"]) expect(refresh).toContain(part);
  expect(readCookie("token=abc", "token")).toBe("abc");
});
