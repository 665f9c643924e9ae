/** There is always an administrator: none gives up being one, and what takes it from another is done one at a time. */
import { type Actor, system } from "../../core/access/actor";
import { administratorRole } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";

const keeping = system("there is an administrator as long as none gives up being one");

/** True for an account that acts as an administrator. */
export function isAdministrator(actor: Actor): actor is Extract<Actor, { kind: "user" }> {
  return actor.kind === "user" && actor.admin;
}

/**
 * To be asked in the transaction of a write that may take from others that they are administrators, before it: the one who
 * writes is one to its end, so that two who do it to each other leave one of them.
 * @throws AppError FORBIDDEN for one who is no administrator any more
 */
export async function holdAdministrators(rows: Data, actor: Actor): Promise<void> {
  if (!isAdministrator(actor)) return;
  await rows.hold("administrators");
  if (await isStill(rows, actor.id)) return;
  throw new AppError("FORBIDDEN", `You are no ${administratorRole} any more: another one has seen to that`);
}

/** @throws AppError FORBIDDEN for an administrator whose own write takes the role away */
export async function requireStill(rows: Data, actor: Actor): Promise<void> {
  if (!isAdministrator(actor) || (await isStill(rows, actor.id))) return;
  throw new AppError(
    "FORBIDDEN",
    `An ${administratorRole} cannot give up being one; another one can take the role away`,
  );
}

async function isStill(rows: Data, user: string): Promise<boolean> {
  const filter = {
    // Held in a tenant, a role that sees all of them gives nothing.
    AND: [
      { user_Id: { eq: user } },
      { "user.status": { eq: "active" } },
      { "role.name": { eq: administratorRole } },
      { tenant_Id: { isNull: true } },
    ],
  };
  const held = await rows.find(keeping, "baasix_UserRole", {
    filter,
    fields: ["id"],
    limit: 1,
    count: "none",
  });
  return held.length > 0;
}
