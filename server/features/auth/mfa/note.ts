/** Entries of the audit log about second factors: guarded collections leave none by themselves, and these changes matter. */
import type { MfaFactorSummary } from "@baasix/types";
import { system, type UserActor } from "../../../core/access/actor";
import type { Rows } from "../../../data";
import { factorCollection } from "./rows";

const noting = system("changes of second factors are told in the audit log");

/** Notes who made a factor count or took it away. Secrets and codes are never in it. `owner`: where it is not the actor. */
export async function noteFactor(
  rows: Rows,
  actor: UserActor,
  action: "create" | "delete",
  { id, type, friendlyName }: MfaFactorSummary,
  owner: string = actor.id,
): Promise<void> {
  const told = { user_Id: owner, type, friendlyName };
  const { address: ipaddress, requestId } = actor.origin ?? { address: null, requestId: null };
  await rows.create(noting, "baasix_AuditLog", [
    {
      type: "auth",
      entity: factorCollection,
      entityId: id,
      action,
      changes: { before: action === "delete" ? told : null, after: action === "create" ? told : null },
      userId: actor.id,
      ipaddress,
      requestId,
    },
  ]);
}
