/** Every guard over every kind of actor. */
import { expect, test } from "bun:test";
import type { ErrorCode } from "@baasix/types";
import { AppError } from "../errors";
import { type Actor, anonymous, system, unproven, type UserActor } from "./actor";
import {
  hasRole,
  isAdmin,
  requireAnyRole,
  requireAssurance,
  requireRole,
  requireUser,
  requireVerifiedEmail,
} from "./guards";

const user = (more: Partial<UserActor> = {}): UserActor => ({
  ...unproven,
  kind: "user",
  id: "u",
  role: "r1",
  roles: ["r1"],
  roleNames: ["user"],
  admin: false,
  ...more,
});

const actors = {
  nobody: anonymous,
  "the server itself": system("a test"),
  "an account": user(),
  "an account without a role": user({ role: "", roles: [], roleNames: [] }),
  "an account of unknown names": user({ roleNames: undefined as never }),
  "an editor": user({ roles: ["r1", "r2"], roleNames: ["user", "editor"] }),
  "an administrator": user({ role: "r0", roles: ["r0"], roleNames: ["administrator"], admin: true }),
  "a confirmed account": user({ verified: true }),
  "an account with two factors": user({ aal: 2 }),
  "an API token": user({ via: "token", roleNames: ["editor"], roles: ["r2"], verified: true }),
  "an API token that claims two factors": user({ via: "token", aal: 2 }),
} satisfies Record<string, Actor>;
type Who = keyof typeof actors;

/** "ok", true, false, or the code of the refusal. */
type Outcome = "ok" | boolean | ErrorCode;
type Guard = (actor: Actor) => unknown;

const outcomeOf = (guard: Guard, actor: Actor): Outcome => {
  try {
    const result = guard(actor);
    if (typeof result === "boolean") return result;
    expect(result).toBe(actor);
    return "ok";
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.code;
  }
};

/** What each guard says where the row says nothing else. */
const table: readonly (readonly [string, Guard, Outcome, Partial<Record<Who, Outcome>>])[] = [
  ["requireUser", requireUser, "ok", {}],
  ["isAdmin", isAdmin, false, { "an administrator": true }],
  ["hasRole editor", (actor) => hasRole(actor, "editor"), false, { "an editor": true, "an API token": true }],
  ["hasRole by id", (actor) => hasRole(actor, "r2"), false, { "an editor": true, "an API token": true }],
  ["hasRole in other letters", (actor) => hasRole(actor, "Editor"), false, {}],
  ["hasRole of nothing", (actor) => hasRole(actor, ""), false, {}],
  ["hasRole public", (actor) => hasRole(actor, "public"), false, {}],
  ["hasRole of a prototype", (actor) => hasRole(actor, "constructor"), false, {}],
  [
    "requireRole editor",
    (actor) => requireRole(actor, "editor"),
    "FORBIDDEN",
    { "an editor": "ok", "an API token": "ok" },
  ],
  [
    "requireRole administrator",
    (actor) => requireRole(actor, "administrator"),
    "FORBIDDEN",
    { "an administrator": "ok" },
  ],
  [
    "requireAnyRole",
    (actor) => requireAnyRole(actor, ["editor", "administrator"]),
    "FORBIDDEN",
    { "an editor": "ok", "an administrator": "ok", "an API token": "ok" },
  ],
  ["requireAnyRole of none", (actor) => requireAnyRole(actor, []), "FORBIDDEN", {}],
  [
    "requireVerifiedEmail",
    requireVerifiedEmail,
    "FORBIDDEN",
    { "a confirmed account": "ok", "an API token": "ok" },
  ],
  ["requireAssurance aal1", (actor) => requireAssurance(actor, "aal1"), "ok", {}],
  [
    "requireAssurance aal2",
    (actor) => requireAssurance(actor, "aal2"),
    "MFA_REQUIRED",
    {
      "an account with two factors": "ok",
      "an API token": "FORBIDDEN",
      "an API token that claims two factors": "FORBIDDEN",
    },
  ],
  [
    "requireAssurance of a level that there is none of",
    (actor) => requireAssurance(actor, "aal3" as never),
    "MFA_REQUIRED",
    { "an API token": "FORBIDDEN", "an API token that claims two factors": "FORBIDDEN" },
  ],
];

test.each(table)("%s", (_, guard, otherwise, special) => {
  const asks = typeof otherwise === "string";
  for (const [who, actor] of Object.entries(actors)) {
    const nobody = actor.kind !== "user";
    const expected = nobody ? (asks ? "UNAUTHORIZED" : false) : (special[who as Who] ?? otherwise);
    expect([who, outcomeOf(guard, actor)]).toEqual([who, expected]);
  }
});

test("refusals say what would do", () => {
  const told = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      return [(error as AppError).message, (error as AppError).details];
    }
    return null;
  };
  expect(told(() => requireRole(actors["an account"], "editor"))).toEqual([
    "This takes the role 'editor'",
    { roles: ["editor"] },
  ]);
  expect(told(() => requireAnyRole(actors["an account"], ["a", "b"]))).toEqual([
    "This takes one of the roles 'a', 'b'",
    { roles: ["a", "b"] },
  ]);
  expect(told(() => requireVerifiedEmail(actors["an account"]))).toEqual([
    "Confirm your mail address first (POST /auth/email/verify)",
    { requiresEmailVerification: true },
  ]);
});
