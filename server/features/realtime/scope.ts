/** Whose names are meant: rooms, channels and topics of one tenant are out of sight of every other one. */
import type { UserActor } from "../../core/access/actor";

/** The tenant that names belong to; null is the scope of those who act in none. */
export type Scope = string | null;

/** The scope of an actor. */
export function scopeOf(actor: Pick<UserActor, "tenant">): Scope {
  return actor.tenant;
}

/** Scope and name as one text; equal only where both are. Tenants are UUIDs, which hold no blank. */
export function keyOf(scope: Scope, name: string): string {
  return `${scope ?? ""} ${name}`;
}

/** The name in a key. */
export function nameOf(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}
