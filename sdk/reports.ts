/** Short ways to values that are worked out of items. */
import type {
  AggregateQuery,
  AggregateRow,
  Aggregates,
  Filter,
  GenericItem,
  GroupTerm,
  ValueAt,
  ValuePath,
} from "@baasix/types";
import type { CollectionName, ItemOf } from "./collections";
import type { CallOptions } from "./http";
import type { Items } from "./items";

/** The report calls of a client. */
export type Reports<Collections extends object = Record<string, GenericItem>> = {
  /** Works out values of the matching items, in all or by group; as `items(collection).aggregate`. @throws BaasixError */
  aggregate<
    Name extends CollectionName<Collections>,
    const Values extends Aggregates<ItemOf<Collections, Name>>,
    const Groups extends readonly GroupTerm<ItemOf<Collections, Name>>[] = [],
    Exact extends boolean = false,
  >(
    collection: Name,
    query: AggregateQuery<ItemOf<Collections, Name>, Values, Groups, Exact>,
    options?: CallOptions,
  ): Promise<AggregateRow<ItemOf<Collections, Name>, Values, Groups, Exact>[]>;
  /** How many items match. @throws BaasixError */
  count<Name extends CollectionName<Collections>>(
    collection: Name,
    filter?: Filter<ItemOf<Collections, Name>>,
    options?: CallOptions,
  ): Promise<number>;
  /** The different values of a field among the matching items, in order; up to 1,000. @throws BaasixError */
  distinct<Name extends CollectionName<Collections>, Field extends ValuePath<ItemOf<Collections, Name>>>(
    collection: Name,
    field: Field,
    filter?: Filter<ItemOf<Collections, Name>>,
    options?: CallOptions,
  ): Promise<ValueAt<ItemOf<Collections, Name>, Field>[]>;
};

/** The report calls, made of those of items. */
export function createReports(items: (collection: string) => Items): Reports {
  const reports = {
    aggregate: (collection: string, query: AggregateQuery, options?: CallOptions) =>
      items(collection).aggregate(query, options),
    count: (collection: string, filter?: Filter, options?: CallOptions) =>
      items(collection).count({ filter }, options),
    async distinct(collection: string, field: string, filter?: Filter, options?: CallOptions) {
      const rows = await items(collection).aggregate({ groupBy: [field], filter }, options);
      return rows.map((row) => row[field]);
    },
  } satisfies { readonly [Name in keyof Reports]: unknown };
  // The types of rows are for the compiler: at run time all items are alike.
  return reports as unknown as Reports;
}
