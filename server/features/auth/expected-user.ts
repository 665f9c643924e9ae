/** Whom a page believes to be signed in. Pages share cookies; who signed in last on any of them is who all of them are. */
import type { UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";

/** The header in which a page says it: `<user id>`, or `<user id>@<tenant id>`, or `-` for nobody. */
const header = "baasix-expect-user";

/** Whether the page believes that nobody is signed in: its cookie is then no credential. */
export function expectsNobody(request: Request): boolean {
  return request.headers.get(header) === "-";
}

/**
 * Refuses a request that a cookie would have answered to somebody other than its page believes; without the header it is taken as
 * it is. `actor` null: there is no cookie.
 * @throws AppError SESSION_CHANGED; UNAUTHORIZED when nobody is signed in any more
 */
export function expectUser(request: Request, actor: UserActor | null): void {
  const expected = request.headers.get(header);
  if (expected === null || expected === "-") return;
  if (actor === null) throw new AppError("UNAUTHORIZED", "The session has ended: sign in again");
  const { id, tenant } = actor;
  if (expected !== (tenant === null ? id : `${id}@${tenant}`)) {
    throw new AppError("SESSION_CHANGED", "Somebody else is signed in now, or acts in another organisation");
  }
}
