/**
 * Changing items by key. `deletedAt` alone in a body deletes softly or restores, where the collection keeps deleted items:
 * so clients of the reference do it.
 */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Rows, UpdateEntry, WriteBody } from "../../data";

/** Whether a collection keeps the items that are deleted. */
export type KeepsDeleted = (collection: string) => boolean;

/** Whose items. */
export type ChangeTarget = {
  readonly rows: Rows;
  readonly actor: Actor;
  readonly collection: string;
  readonly keepsDeleted: KeepsDeleted;
};

/** Changes items, all or none; gives their keys. */
export async function changeItems(
  { rows, actor, collection, keepsDeleted }: ChangeTarget,
  entries: readonly UpdateEntry[],
): Promise<readonly ItemId[]> {
  const [first] = entries;
  if (!first || !isDeletion(first.data) || !keepsDeleted(collection))
    return rows.update(actor, collection, entries);
  const restores = first.data.deletedAt === null;
  const alike = entries.every(({ data }) => isDeletion(data) && (data.deletedAt === null) === restores);
  if (!alike) return rows.update(actor, collection, entries);
  const ids = entries.map(({ id }) => id);
  const versions = entries.filter(({ version }) => version !== undefined);
  if (restores) {
    if (versions.length > 0) throw new AppError("INVALID_QUERY", "version: restoring takes none");
    return rows.restore(actor, collection, ids);
  }
  for (const { data } of entries) checkTime(data.deletedAt);
  if (versions.length === 0) return rows.remove(actor, collection, ids);
  if (entries.length > 1)
    throw new AppError("INVALID_QUERY", "version: items with versions are deleted one by one");
  return rows.remove(actor, collection, ids, first.version === undefined ? {} : { version: first.version });
}

/** True for a body that says that an item was deleted, and nothing else. */
export function isDeletion(data: WriteBody): boolean {
  const [name, ...others] = Object.keys(data);
  return name === "deletedAt" && others.length === 0 && data.deletedAt !== undefined;
}

/** The time itself is the server's, but what is no time was not meant so. */
function checkTime(value: unknown): void {
  if (typeof value === "string" && !Number.isNaN(Date.parse(value))) return;
  throw new AppError("INVALID_VALUE", "deletedAt: expected a time in ISO 8601, or null to restore the item");
}
