/** Entries of the audit log for what is not written row by row through the door: changes of schemas, and what follows them. */
import type { Actor } from "../access/actor";
import { auditCollection, entryColumns } from "./audit";
import { quoteName, type Statement } from "./statement";

/** One entry. `type`: `schema` for a definition, else `data`. */
export type AuditEntry = {
  readonly type: "schema" | "data";
  readonly entity: string;
  readonly entityId: string;
  readonly action: "create" | "update" | "delete";
  readonly before: unknown;
  readonly after: unknown;
};

/** Writes entries in the transaction of the change. `by`: who asked for it; undefined: the server itself. */
export function writeEntries(entries: readonly AuditEntry[], by: Actor | undefined): Statement {
  const rows = entries.map(({ type, entity, entityId, action, before, after }) => ({
    t: type,
    e: entity,
    i: entityId,
    a: action,
    c: { before: before ?? null, after: after ?? null },
  }));
  const origin = by === undefined || by.kind === "system" ? undefined : by.origin;
  return {
    text:
      `insert into ${quoteName(auditCollection)} (${entryColumns}) select t, e, i, a, c, $2::uuid, $3, $4, pg_current_xact_id()::text ` +
      `from json_to_recordset($1::text::json) as r(t text, e text, i text, a text, c jsonb)`,
    params: [
      JSON.stringify(rows),
      by?.kind === "user" ? by.id : null,
      origin?.address ?? null,
      origin?.requestId ?? null,
    ],
  };
}
