/** `GET /schemas`: which definitions a caller may see, searched, sorted and paged. */
import type { SchemaRecord } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { describeCollection } from "../../core/schema/describe";
import type { Collection, Schema } from "../../core/schema/model";
import type { Data } from "../../data";
import type { ListQuery } from "./model";

const collectionName = "baasix_SchemaDefinition";
const defaultLimit = 50;

/** Where a page stands; answered when `page` or `limit` was given. */
export type Pagination = {
  readonly currentPage: number;
  readonly totalPages: number;
  readonly limit: number;
  readonly hasNextPage: boolean;
  readonly hasPrevPage: boolean;
  readonly nextPage: number | null;
  readonly prevPage: number | null;
};

export type SchemaList = {
  readonly data: readonly SchemaRecord[];
  readonly totalCount: number;
  readonly pagination?: Pagination;
};

/** True for a collection whose definition the caller may see. */
export type Visible = (name: string) => boolean;

/**
 * Who may see definitions: every signed-in user who has a role when they are `open`, else those with read permission on
 * `baasix_SchemaDefinition`, for the rows that it opens.
 * @throws AppError UNAUTHORIZED for callers without an account, FORBIDDEN without the permission.
 */
export async function visibleTo(data: Data, actor: Actor, open: boolean): Promise<Visible> {
  if (actor.kind === "anonymous") throw new AppError("UNAUTHORIZED", "Authentication required");
  if (actor.kind === "system" || actor.admin) return () => true;
  // With tenants anybody may have an account that is a member of nothing.
  if (open && actor.roles.length > 0) return () => true;
  // Asking for the definitions too makes the permission's fields count; which rows come is its conditions' doing.
  const { json } = await data.read(actor, collectionName, {
    fields: ["collectionName", "schema"],
    limit: -1,
  });
  const rows: readonly { readonly collectionName: string }[] = JSON.parse(json);
  const names = new Set(rows.map((row) => row.collectionName));
  return (name) => names.has(name);
}

/** One definition. @throws AppError NOT_FOUND when there is none, or the caller may not see it. */
export function readSchema(schema: Schema, name: string, visible: Visible): SchemaRecord {
  const collection = schema.collections.get(name);
  if (!collection || !visible(name)) throw new AppError("NOT_FOUND", "Schema not found");
  return recordOf(collection);
}

/** All definitions that match, or one page of them. */
export function listSchemas(schema: Schema, visible: Visible, query: ListQuery): SchemaList {
  const wanted = query.search?.toLowerCase();
  const found = [...schema.collections.values()].filter(
    ({ name }) => visible(name) && (wanted === undefined || name.toLowerCase().includes(wanted)),
  );
  const [key, direction] = (query.sort ?? "collectionName:asc").split(":");
  const keyOf = (one: Collection): string => (key === "name" ? one.definition.name : one.name);
  const sign = direction?.toLowerCase() === "desc" ? -1 : 1;
  const sorted = found.toSorted((a, b) => sign * (compare(keyOf(a), keyOf(b)) || compare(a.name, b.name)));
  const totalCount = sorted.length;
  const { page = 1, limit = query.page === undefined ? "all" : defaultLimit } = query;
  if (limit === "all") return { data: sorted.map(recordOf), totalCount };
  const totalPages = Math.ceil(totalCount / limit);
  return {
    data: sorted.slice((page - 1) * limit, page * limit).map(recordOf),
    totalCount,
    pagination: {
      currentPage: page,
      totalPages,
      limit,
      hasNextPage: page < totalPages,
      hasPrevPage: page > 1,
      nextPage: page < totalPages ? page + 1 : null,
      prevPage: page > 1 ? page - 1 : null,
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function recordOf(collection: Collection): SchemaRecord {
  return { collectionName: collection.name, schema: describeCollection(collection) };
}
