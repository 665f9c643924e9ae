/** Whose the rows of a file are: whoever acts in no tenant says it, for the whole file or row by row. */
import type { UserActor } from "../../core/access/actor";
import type { Collection } from "../../core/schema/model";
import type { WriteBody } from "../../data";
import type { Batch } from "./rows";

/** `fill` gives the rows of a file with their tenant, where they say none; a row that needs one and has none is refused. */
export type TenantOfRows = { readonly fill: (batches: AsyncGenerator<Batch>) => AsyncGenerator<Batch> };

/** `said`: the tenant that the request names, else undefined. */
export function tenantOfRows(
  { tenant }: Collection,
  actor: UserActor,
  said: string | undefined,
): TenantOfRows {
  if (tenant === null) return { fill: (batches) => batches };
  const isOwn = !actor.admin && actor.tenant !== null;
  if (said === undefined && isOwn) return { fill: (batches) => batches };
  const names = [tenant.name, "tenant"];
  const says = (body: WriteBody): boolean => names.some((name) => body[name] !== undefined);
  const error =
    `${tenant.name}: Tenant is required for importing into tenant-enabled collections; ` +
    `name it for all rows (tenant=), or in each of them`;
  async function* fill(batches: AsyncGenerator<Batch>): AsyncGenerator<Batch> {
    for await (const batch of batches) {
      yield batch.map((row) => {
        if (row.body === null || says(row.body)) return row;
        return said === undefined
          ? { number: row.number, sent: row.sent, body: null, error }
          : { ...row, body: { ...row.body, [names[0] ?? ""]: said } };
      });
    }
  }
  return { fill };
}
