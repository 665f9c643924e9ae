/** What a schema change tells the audit log: definitions as they were and are, and permissions that followed. Pure. */
import type { SchemaRecord } from "@baasix/types";
import type { PermissionRow } from "../core/access/rules";
import type { AuditEntry } from "../core/query/auditEntries";
import { recordsOf } from "../core/schema/define";
import { sameJson } from "../core/schema/same";
import { withoutHidden } from "../core/schema/store";
import type { followRights, PlannedChange } from "./change";

/** An entry for each definition that comes, changes or goes, under the name that it has then. */
export function definitionEntries({ base, renames, next }: PlannedChange): readonly AuditEntry[] {
  const called = (name: string): string =>
    renames.reduce((known, { names }) => names.collection(known), name);
  const shown = (record: SchemaRecord): SchemaRecord => ({ ...record, schema: withoutHidden(record.schema) });
  const before = new Map(
    recordsOf(base).map((record) => [called(record.collectionName), shown(record)] as const),
  );
  const after = new Map(recordsOf(next).map((record) => [record.collectionName, shown(record)] as const));
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name): readonly AuditEntry[] => {
    const [was, is] = [before.get(name), after.get(name)];
    if (sameJson(was, is)) return [];
    return [
      {
        type: "schema",
        entity: "baasix_SchemaDefinition",
        entityId: name,
        action: was === undefined ? "create" : is === undefined ? "delete" : "update",
        before: was,
        after: is,
      },
    ];
  });
}

/** An entry for each permission that lost what is gone, follows a rename, or goes. */
export function permissionEntries(
  permissions: readonly PermissionRow[],
  { changed, removed }: ReturnType<typeof followRights>,
): readonly AuditEntry[] {
  const known = new Map(permissions.map((row) => [row.id, row] as const));
  const entry = (id: string, after: PermissionRow | null): AuditEntry => ({
    type: "data",
    entity: "baasix_Permission",
    entityId: id,
    action: after === null ? "delete" : "update",
    before: known.get(id),
    after,
  });
  return [...changed.map((row) => entry(row.id, row)), ...removed.map(({ id }) => entry(id, null))];
}
