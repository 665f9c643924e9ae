/** `PATCH /auth/me`: what everyone may change of the own account, whatever the role may write. */
import type { ProfileInput } from "@baasix/types";
import { system, type UserActor } from "../../../core/access/actor";
import type { Data } from "../../../data";
import { noteChange } from "../note";
import { invalidToken } from "../tokens";

const own = system("everyone may write these fields of the own account");

/**
 * Writes the fields that are given; what an account says of itself (`userMetadata`) is replaced whole.
 * @throws AppError VALIDATION_ERROR; UNAUTHORIZED when the account is gone
 */
export async function changeProfile(data: Data, actor: UserActor, change: ProfileInput): Promise<void> {
  if (Object.keys(change).length === 0) return;
  const collection = "baasix_User";
  await data.transaction(async (rows) => {
    const written = await rows.updateWhere(own, collection, { id: { eq: actor.id } }, change);
    if (written.length === 0) throw invalidToken();
    // The entry of the write names the server, which made it; this one names whose wish it was.
    await noteChange(rows, actor, {
      entity: collection,
      entityId: actor.id,
      action: "update",
      before: null,
      after: change,
    });
  });
}
