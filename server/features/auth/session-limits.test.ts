import { expect, test } from "bun:test";
import type { HeldRole } from "./roles";
import { sessionLimit, type SessionType } from "./session-limits";

const role = (name: string): HeldRole => ({
  id: `id of ${name}`,
  name,
  description: null,
  icon: null,
  appAccess: true,
  isTenantSpecific: false,
  canInviteRoleIds: null,
  ipWhitelist: null,
  enforceTotp: false,
});
const limits = { MOBILE_SESSION_LIMIT: 3, WEB_SESSION_LIMIT: 0 };

const cases: readonly (readonly [
  type: SessionType,
  roles: string[],
  limited: string[],
  limit: number | null,
])[] = [
  ["mobile", ["user"], [], 3],
  ["web", ["user"], [], 0],
  ["default", ["user"], [], null],
  ["mobile", ["administrator"], [], null],
  ["web", ["user", "administrator"], [], null],
  ["mobile", ["administrator"], ["administrator"], null],
  ["mobile", ["user"], ["user"], 3],
  ["mobile", ["user"], ["id of user"], 3],
  ["mobile", ["editor"], ["user"], null],
  ["mobile", ["editor", "user"], ["user"], 3],
];
test.each(cases)("%s sessions of %j, where %j are limited: %p", (type, names, limited, limit) => {
  expect(sessionLimit({ ...limits, SESSION_LIMIT_ROLES: limited }, type, names.map(role))).toBe(limit);
});

test("no setting is no limit", () => {
  const none = { MOBILE_SESSION_LIMIT: null, WEB_SESSION_LIMIT: null, SESSION_LIMIT_ROLES: [] };
  expect(sessionLimit(none, "mobile", [role("user")])).toBeNull();
});
