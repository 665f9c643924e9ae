/** Entries of the audit log about what guarded collections leave none of by themselves. */
import { system, type UserActor } from "../../core/access/actor";
import type { Rows } from "../../data";

const noting = system("what administrators and inviters do is told in the audit log");

/** What was done. `before` and `after` hold no secrets. */
export type Noted = {
  readonly entity: string;
  readonly entityId: string;
  readonly action: "create" | "update" | "delete";
  readonly before: object | null;
  readonly after: object | null;
};

/** Who did it: somebody signed in, or an account that is just made. */
export type Doer = Pick<UserActor, "id"> & Partial<Pick<UserActor, "tenant" | "origin">>;

/** Notes it, in the transaction of what it tells. `actor` null: whoever runs the server. */
export async function noteChange(
  rows: Rows,
  actor: Doer | null,
  { entity, entityId, action, before, after }: Noted,
): Promise<void> {
  const { address: ipaddress, requestId } = actor?.origin ?? { address: null, requestId: null };
  await rows.create(noting, "baasix_AuditLog", [
    {
      type: "auth",
      entity,
      entityId,
      action,
      changes: { before, after },
      userId: actor?.id ?? null,
      tenant_Id: actor?.tenant ?? null,
      ipaddress,
      requestId,
    },
  ]);
}
