/** Which tables a change keeps others out of, and from what: taken at once at its start, so that it waits only there. */
import type { Change } from "./diff";
import type { Relation } from "./model";

/** How much is kept out, from little to all: `share` writes, `share row exclusive` also other such changes, the last reads too. */
export const lockModes = ["share", "share row exclusive", "access exclusive"] as const;
export type LockMode = (typeof lockModes)[number];

/** Tables and the strongest lock that one of the changes needs; those of the changes' own making are nobody's yet. */
export function locksOf(changes: readonly Change[]): ReadonlyMap<string, LockMode> {
  const locks = new Map<string, LockMode>();
  for (const [table, mode] of changes.flatMap(locksOfOne)) {
    const known = locks.get(table);
    if (!known || lockModes.indexOf(known) < lockModes.indexOf(mode)) locks.set(table, mode);
  }
  for (const { kind, collection } of changes) if (kind === "createCollection") locks.delete(collection.name);
  return locks;
}

type Lock = readonly [table: string, mode: LockMode];

function locksOfOne(change: Change): readonly Lock[] {
  const table = change.collection.name;
  switch (change.kind) {
    case "createCollection":
    case "renameCollection":
    case "renameField":
    case "changeField":
    case "changeDefinition":
      return [];
    case "addIndex":
      return [[table, "share"]];
    case "addRelation":
      return ends(change.relation, "share row exclusive");
    case "dropRelation":
      return ends(change.relation, "access exclusive");
    case "changeRelation":
      return [...ends(change.from, "access exclusive"), ...ends(change.to, "access exclusive")];
    case "dropCollection":
      return [
        [table, "access exclusive"],
        ...[...change.collection.relations.values()].flatMap((one) => ends(one, "access exclusive")),
      ];
    default:
      return [[table, "access exclusive"]];
  }
}

/** A foreign key is a trigger on both of its tables; what stands for one (`core/query/followTrigger.ts`) on one of them. */
function ends({ keyOn, constrained, source, target, onDelete }: Relation, mode: LockMode): readonly Lock[] {
  return constrained || (keyOn === "source" && onDelete !== "NO ACTION")
    ? [
        [source, mode],
        [target, mode],
      ]
    : [];
}
