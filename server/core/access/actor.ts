/** Who asks. The first argument of everything that reaches rows. */

/** A signed-in account, with its role as it is now. `admin` is the role `administrator`. */
export type UserActor = {
  readonly kind: "user";
  readonly id: string;
  readonly role: string;
  readonly admin: boolean;
  readonly session: string;
};

/** Nobody in particular: the role `public`. */
export type AnonymousActor = { readonly kind: "anonymous" };

/** The server itself, outside all rules. `reason` says why it may. */
export type SystemActor = { readonly kind: "system"; readonly reason: string };

export type Actor = UserActor | AnonymousActor | SystemActor;

/** Actors with equal keys have the same rules; what differs between them is bound when a statement runs. */
export function roleKey(actor: Actor): string {
  return actor.kind === "user" ? actor.role : actor.kind;
}

export const anonymous: AnonymousActor = { kind: "anonymous" };

/** Power is a different actor: every use names its reason, and `boundaries.test.ts` lists the folders that may. */
export function system(reason: string): SystemActor {
  return { kind: "system", reason };
}
