/** Sort terms → columns, each behind to-one relations. */
import { AppError } from "../errors";
import { supports } from "../schema/fields";
import type { Collection, Schema } from "../schema/model";
import type { SortTerm } from "./ast";
import { type PlannedPath, planPath } from "./paths";

/** One sort key: a path through to-one relations. */
export type PlannedSort = PlannedPath & { readonly descending: boolean };

/** Resolves an order; the primary key comes last. @throws AppError UNKNOWN_FIELD, INVALID_QUERY */
export function planSort(
  schema: Schema,
  collection: Collection,
  terms: readonly SortTerm[],
): readonly PlannedSort[] {
  const planned = terms.map((term) => planSortTerm(schema, collection, term));
  const key = collection.primaryKey;
  const unique = planned.some((term) => term.hops.length === 0 && term.field.name === key.name);
  // The key comes last, so that pages never overlap.
  return unique ? planned : [...planned, { hops: [], field: key, descending: false, guard: null, at: "" }];
}

function planSortTerm(schema: Schema, collection: Collection, term: SortTerm): PlannedSort {
  const path = planPath(schema, collection, term.path, term.at);
  const list = path.hops.find(({ relation }) => relation.kind === "many");
  if (list) {
    throw new AppError(
      "INVALID_QUERY",
      `${term.at}: '${list.relation.name}' is a list and cannot be sorted by`,
    );
  }
  const { field } = path;
  if (!supports(field, "order") && field.type !== "Boolean") {
    throw new AppError("INVALID_QUERY", `${term.at}: a field of type ${field.type} has no order`);
  }
  return { ...path, descending: term.descending };
}
