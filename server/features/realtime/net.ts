/** What a transaction did to each row, of all that it did: how rows were in its midst nobody could ever read. */
import type { RowChange } from "../../platform/postgres";
import type { Batch, Origin } from "./feed";

/** One change for each row and transaction, where the first one stood; none for rows that came and went in it. `key`: the column of the key. */
export function netOf(batch: Batch, key: string): Batch {
  if (batch.changes.length < 2) return batch;
  const net: (RowChange | null)[] = [];
  const origins: Origin[] = [];
  /** Where the changes of the rows of the transaction stand, by the keys that they have by now. */
  let places = new Map<unknown, number>();
  batch.changes.forEach((change, index) => {
    const origin = batch.origins[index] as Origin;
    if (origin.transaction !== origins.at(-1)?.transaction) places = new Map();
    const after = change.after?.[key];
    // Without a row as it was, the key is what it is.
    const before = change.before?.[key] ?? after;
    const place = before === undefined || before === null ? undefined : places.get(before);
    const known = place === undefined ? null : (net[place] ?? null);
    const joined = known && join(known, change);
    if (place === undefined || joined === null) {
      net.push(change);
      origins.push(origin);
      places.set(after ?? before, net.length - 1);
      return;
    }
    net[place] = joined === "nothing" ? null : joined;
    places.delete(before);
    if (joined !== "nothing") places.set(after ?? joined.before?.[key] ?? before, place);
  });
  const kept = [...net.keys()].filter((place) => net[place] !== null);
  return {
    changes: kept.map((place) => net[place] as RowChange),
    origins: kept.map((place) => origins[place] as Origin),
  };
}

/** Two changes of one row as one; null: they are not of one row. */
function join(first: RowChange, then: RowChange): RowChange | "nothing" | null {
  const { table } = first;
  if ((first.action === "delete") !== (then.action === "create")) return null;
  if (first.action === "delete") return { ...then, table, action: "update", before: first.before };
  if (then.action === "delete") {
    if (first.action === "create") return "nothing";
    return { table, action: "delete", before: first.before ?? then.before, after: null };
  }
  // Large values that did not change are not told again.
  return { ...first, after: { ...first.after, ...then.after } };
}
