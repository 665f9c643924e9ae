/** `PATCH /auth/me`: what everyone may change of the own account, whatever the role may write. */
import type { ProfileInput } from "@baasix/types";
import { system, type UserActor } from "../../../core/access/actor";
import type { Data } from "../../../data";
import { invalidToken } from "../tokens";

const own = system("everyone may write these fields of the own account");

/**
 * Writes the fields that are given; what an account says of itself (`userMetadata`) is replaced whole.
 * @throws AppError VALIDATION_ERROR; UNAUTHORIZED when the account is gone
 */
export async function changeProfile(data: Data, actor: UserActor, change: ProfileInput): Promise<void> {
  if (Object.keys(change).length === 0) return;
  const written = await data.updateWhere(own, "baasix_User", { id: { eq: actor.id } }, change);
  if (written.length === 0) throw invalidToken();
}
