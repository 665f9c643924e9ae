/** Who asks. The first argument of everything that reaches rows. */

/**
 * A signed-in account, with its roles as they are now. `role`: the one that it has had longest; `roles`: all of them, that
 * one too. `admin`: one of them is `administrator`.
 */
export type UserActor = {
  readonly kind: "user";
  readonly id: string;
  readonly role: string;
  readonly roles: readonly string[];
  readonly admin: boolean;
  readonly session: string;
  readonly origin?: Origin;
};

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

export const anonymous: AnonymousActor = { kind: "anonymous" };

/** Power is a different actor: every use names its reason, and `boundaries.test.ts` lists the folders that may. */
export function system(reason: string): SystemActor {
  return { kind: "system", reason };
}
