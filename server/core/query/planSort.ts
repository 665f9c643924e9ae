/** Sort terms → columns, each behind to-one relations. */
import { AppError } from "../errors";
import { supports } from "../schema/fields";
import type { Collection, Schema } from "../schema/model";
import type { SortTerm } from "./ast";
import { isObject } from "./filter";
import { type PlannedPath, planPath } from "./paths";
import type { Param } from "./variables";

/** One sort key: a path through to-one relations. */
export type PlannedSort = PlannedPath & {
  readonly descending: boolean;
  /** Sort by the metres from this point of the earth; then the field is a geometry. */
  readonly from?: { readonly longitude: Param; readonly latitude: Param };
};

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
  if (term.from !== undefined) {
    if (!supports(field, "geometry"))
      throw new AppError("INVALID_QUERY", `${term.at}: '${field.name}' is no geometry and has no distance`);
    return { ...path, descending: term.descending, from: readPoint(term.from, term.at) };
  }
  if (!supports(field, "order") && field.type !== "Boolean") {
    throw new AppError("INVALID_QUERY", `${term.at}: a field of type ${field.type} has no order`);
  }
  return { ...path, descending: term.descending };
}

/** `[longitude, latitude]` in degrees, or a GeoJSON Point (RFC 7946). @throws AppError INVALID_VALUE */
function readPoint(target: unknown, at: string): NonNullable<PlannedSort["from"]> {
  const isPoint = isObject(target) && target.type === "Point";
  const pair = isPoint ? target.coordinates : target;
  const [longitude, latitude] = Array.isArray(pair) && pair.length === 2 ? pair.map(Number) : [];
  if (!(Math.abs(longitude ?? NaN) <= 180) || !(Math.abs(latitude ?? NaN) <= 90)) {
    throw new AppError("INVALID_VALUE", `${at}.target: expected [longitude, latitude] in degrees`);
  }
  return {
    longitude: { kind: "value", text: String(longitude) },
    latitude: { kind: "value", text: String(latitude) },
  };
}
