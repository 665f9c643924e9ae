/** Read → ReadPlan: names become fields and relations of one Schema. Nothing here asks who may. */
import { AppError } from "../errors";
import type { Collection, Schema } from "../schema/model";
import type { CountMode, Read } from "./ast";
import { decodeCursor, type Keyset } from "./cursor";
import { findCollection } from "./find";
import { planCondition } from "./planCondition";
import type { Planned } from "./planned";
import { planSelect, type SelectNode } from "./planSelect";
import { type PlannedSort, planSort } from "./planSort";
import { type PlannedSearch, planSearch } from "./search";

export { findCollection, findColumn } from "./find";
export { planCondition } from "./planCondition";
export type { Planned } from "./planned";
export type { SelectedColumn, SelectedRelation, SelectNode } from "./planSelect";
export type { PlannedSort } from "./planSort";

export type ReadPlan = {
  readonly collection: Collection;
  readonly select: SelectNode;
  readonly where: Planned | null;
  readonly search: PlannedSearch | null;
  readonly sort: readonly PlannedSort[];
  readonly limit: number;
  readonly offset: number;
  readonly withDeleted: boolean;
  readonly count: CountMode;
  /** Null: pages by offset. `after` null: the first page of a walk by cursor. */
  readonly cursor: { readonly after: Keyset | null } | null;
};

/** Resolves a read against one schema. @throws AppError naming the unknown collection, field or operator and the nearest valid one. */
export function planRead(schema: Schema, read: Read): ReadPlan {
  const collection = findCollection(schema, read.collection);
  const sort = planSort(schema, collection, read.sort);
  if (read.cursor !== null && sort.some((term) => term.from)) {
    throw new AppError("INVALID_QUERY", "cursor: an order by distance has none; page with offset");
  }
  return {
    collection,
    select: planSelect(schema, collection, read.fields, read.relConditions),
    where: read.filter === null ? null : planCondition(schema, collection, read.filter),
    search: read.search === null ? null : planSearch(schema, collection, read.search),
    sort,
    limit: read.limit,
    offset: read.offset,
    withDeleted: read.withDeleted,
    count: read.count,
    cursor:
      read.cursor === null ? null : { after: read.cursor === "" ? null : decodeCursor(sort, read.cursor) },
  };
}
