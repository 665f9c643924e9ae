/** Who asks. The first argument of everything that reaches rows. */

/**
 * A signed-in account, with its roles as they are now. `role`: the one that it has had longest, "" where it has none (with
 * tenants an account may come in without); `roles`: all of them, that one too. `admin`: one of them is `administrator`.
 */
export type UserActor = {
  readonly kind: "user";
  readonly id: string;
  readonly role: string;
  readonly roles: readonly string[];
  /** The names of `roles`; none where the actor was not found by a sign-in. */
  readonly roleNames?: readonly string[];
  readonly admin: boolean;
  /** The id of the session, or of the API token. */
  readonly session: string;
  /** How it came in: an API token stands for no person, who could be asked again for a secret. */
  readonly via: "session" | "token";
  /** The tenant that it acts in, of which a membership was proven; its `roles` are those that it has there or everywhere. */
  readonly tenant: string | null;
  /** How much was proven at sign-in: 1 for one factor, 2 for two. */
  readonly aal: 1 | 2;
  /** When a secret was last proven, in ms since 1970; 0 for never. */
  readonly authenticatedAt: number;
  /** The mail address is confirmed. */
  readonly verified: boolean;
  readonly origin?: Origin;
};

/** What is known of an account of which no session tells: that nothing was proven. */
export const unproven = {
  session: "",
  via: "session",
  tenant: null,
  aal: 1,
  authenticatedAt: 0,
  verified: false,
} as const satisfies Partial<UserActor>;

/** Nobody in particular: the role `public`. */
export type AnonymousActor = { readonly kind: "anonymous"; readonly origin?: Origin };

/** Where a request came from, for the audit log. No rule asks for it. */
export type Origin = { readonly address: string; readonly requestId: string };

/** The server itself, outside all rules. `reason` says why it may. */
export type SystemActor = { readonly kind: "system"; readonly reason: string };

export type Actor = UserActor | AnonymousActor | SystemActor;

/** Actors with equal keys have the same rules; what differs between them is bound when a statement runs. */
export function roleKey(actor: Actor): string {
  if (actor.kind !== "user") return actor.kind;
  return actor.roles.length > 1 ? actor.roles.toSorted().join(" ") : actor.role;
}

/** The account without its roles: it has what is built in for every account, and nothing else, be it an administrator. */
export function personally(actor: UserActor): UserActor {
  return { ...actor, role: "", roles: [], roleNames: [], admin: false };
}

export const anonymous: AnonymousActor = { kind: "anonymous" };

/** Power is a different actor: every use names its reason, and `boundaries.test.ts` lists the folders that may. */
export function system(reason: string): SystemActor {
  return { kind: "system", reason };
}
