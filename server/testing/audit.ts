/** The log of changes in tests: its entries, and whether they tell of everything that happened. */
import { expect } from "bun:test";
import type { TestApp } from "./app";

type Row = Readonly<Record<string, unknown>>;

/** An entry as `baasix_AuditLog` tells it. */
export type AuditEntry = {
  readonly id: string;
  readonly entity: string;
  readonly entityId: string;
  readonly action: string;
  readonly changes: { readonly before: Row | null; readonly after: Row | null };
  readonly userId: string | null;
  readonly ipaddress: string | null;
  readonly requestId: string | null;
  readonly transactionId: string;
  readonly type: string;
  readonly createdAt: string;
};

/** The entries of collections, in their order. */
export function entriesOf(app: TestApp, ...collections: readonly string[]): Promise<readonly AuditEntry[]> {
  const filter = encodeURIComponent(JSON.stringify({ entity: { in: collections } }));
  return listed<AuditEntry>(app, `/items/baasix_AuditLog?filter=${filter}&sort=id`);
}

/** Plays the entries of collections back, compares with what they hold, and tells how many items that is. */
export async function playBack(app: TestApp, ...collections: readonly string[]): Promise<number> {
  const rows = new Map<string, Row>();
  for (const { entity, entityId, action, changes } of await entriesOf(app, ...collections)) {
    const place = `${entity} ${entityId}`;
    const known = rows.get(place);
    const { before: was, after: is } = changes;
    if (was === null) expect([place, action, known]).toEqual([place, "create", undefined]);
    else expect({ place, ...known }).toMatchObject(was);
    if (is === null) rows.delete(place);
    else rows.set(place, { ...known, ...is });
  }
  const stored = new Map<string, Row>();
  for (const collection of collections) {
    for (const row of await listed<Row>(app, `/items/${collection}?paranoid=false`))
      stored.set(`${collection} ${String(row["id"])}`, row);
  }
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(stored));
  return stored.size;
}

/** All items of a list, however many. */
async function listed<T>(app: TestApp, path: string): Promise<readonly T[]> {
  const { text } = await app.ok("GET", `${path}&export=ndjson`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}
