import { expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import { parseLogin, parseRefresh, parseRegister } from "./model";

const account = { email: "a@example.com", password: "a good password", firstName: "Ada" };

const refused: readonly (readonly [string, unknown, string])[] = [
  ["nothing", null, "Email, password, and firstName are required"],
  ["a list", [], "Email, password, and firstName are required"],
  [
    "no password",
    { email: "a@example.com", firstName: "Ada" },
    "Email, password, and firstName are required",
  ],
  [
    "a password that is no text",
    { ...account, password: 12345678 },
    "Email, password, and firstName are required",
  ],
  ["a role", { ...account, role: "administrator" }, "'role' cannot be set here"],
  ["a role name", { ...account, roleName: "administrator" }, "'roleName' cannot be set here"],
  ["a status", { ...account, status: "active" }, "'status' cannot be set here"],
  ["a verified address", { ...account, emailVerified: true }, "'emailVerified' cannot be set here"],
  ["an id", { ...account, id: "x" }, "'id' cannot be set here"],
  ["a tenant", { ...account, tenant_Id: "x" }, "'tenant_Id' cannot be set here"],
  ["an endless name", { ...account, firstName: "x".repeat(256) }, "firstName"],
];

test.each(refused)("registration refuses %s", (_, body, reason) => {
  expect(() => parseRegister(body)).toThrow(reason);
});

test("registration takes the listed fields", () => {
  expect(parseRegister({ ...account, lastName: "L", phone: "+1", authMode: "cookie" })).toEqual({
    ...account,
    lastName: "L",
    phone: "+1",
    authMode: "cookie",
  } as never);
  expect(parseRegister({ ...account, lastName: null })).toMatchObject({ ...account, authMode: "jwt" });
});

test("login wants both, and a session type it knows", () => {
  expect(() => parseLogin({ email: "a@example.com" })).toThrow("Email and password are required");
  expect(() => parseLogin({ ...account, authType: "tv" })).toThrow(
    "Invalid session type. Must be 'mobile' or 'web'",
  );
  expect(parseLogin({ ...account, tenant_Id: null })).toMatchObject({ authMode: "jwt", authType: "default" });
});

test("does not repeat what was sent", () => {
  const error = (() => {
    try {
      return parseRegister({ ...account, phone: "hunter2".repeat(20) });
    } catch (reason) {
      return reason;
    }
  })();
  expect(error).toBeInstanceOf(AppError);
  expect(JSON.stringify(error) + String(error)).not.toContain("hunter2");
});

test("refresh takes an empty body", () => {
  expect(parseRefresh(null)).toEqual({ refreshToken: null, authMode: "jwt" });
  expect(parseRefresh({ refreshToken: "", authMode: "cookie" })).toEqual({
    refreshToken: null,
    authMode: "cookie",
  });
  expect(() => parseRefresh({ refreshToken: 1 })).toThrow("refreshToken");
});
