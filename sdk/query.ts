/** The fluent builder: each step is a new builder, and what it holds is the plain query one may write by hand. */
import {
  type AggregateQuery,
  type AggregateRow,
  type Aggregates,
  type Choice,
  type CountMode,
  type FieldWish,
  type Filter,
  type FilterOperators,
  type GenericItem,
  type GroupTerm,
  type ListResult,
  type OperatorName,
  operatorNames,
  type Query,
  type RelConditions,
  type Selected,
  type Sort,
  type SortDirection,
  type ValueAt,
  type ValuePath,
} from "@baasix/types";
import { BaasixError, invalidArgument } from "./error";
import type { CallOptions } from "./http";

/** A query of whatever fields and count. */
export type AnyQuery<Item = GenericItem> = Query<Item, Query<Item>["fields"], CountMode>;

/** Formats of an export. */
export type ExportFormat = "ndjson" | "json" | "csv";

/** How a search is done. */
export type SearchOptions = Pick<AnyQuery, "searchMode" | "sortByRelevance">;

/** What a builder runs on: the calls of one collection. */
export type Reader = {
  find(query: AnyQuery, options?: CallOptions): Promise<ListResult<GenericItem, CountMode>>;
  aggregate(query: AggregateQuery, options?: CallOptions): Promise<GenericItem[]>;
  export(
    query?: AnyQuery & { readonly format?: ExportFormat },
    options?: CallOptions,
  ): Promise<ReadableStream<Uint8Array>>;
};

/** What an operator compares the value at a path with; `never` where the operator is not for such values. */
export type OperandAt<Item, Path extends string, Operator extends string> = string extends keyof Item
  ? unknown
  : unknown extends ValueAt<Item, Path>
    ? unknown
    : Operator extends keyof FilterOperators<NonNullable<ValueAt<Item, Path>>>
      ? Exclude<FilterOperators<NonNullable<ValueAt<Item, Path>>>[Operator], undefined>
      : never;

/**
 * One step for each operator, all of which must hold: `.gte("price", 5).like("author.name", "A%")`. Those of null
 * (`isNull`) need no operand.
 */
export type OperatorSteps<Item extends object, Result, Count extends CountMode> = {
  readonly [Operator in OperatorName]: <Path extends ValuePath<Item>>(
    field: Path,
    ...operand: Operator extends "isNull" | "isNotNull" | "notNull"
      ? [value?: boolean]
      : [value: OperandAt<Item, Path, Operator>]
  ) => QueryBuilder<Item, Result, Count>;
};

/** Builds a query step by step. Steps may be shared: none changes the builder it is called on. */
export type QueryBuilder<
  Item extends object = GenericItem,
  Result = Item,
  Count extends CountMode = "exact",
> = OperatorSteps<Item, Result, Count> & {
  /** The fields to answer, and what of related items, as arguments or one list. */
  select<const Fields extends readonly FieldWish<Item>[]>(
    fields: Fields,
  ): QueryBuilder<Item, Selected<Item, Fields>, Count>;
  select<const Fields extends readonly FieldWish<Item>[]>(
    ...fields: Fields
  ): QueryBuilder<Item, Selected<Item, Fields>, Count>;
  /** Same as `select`. */
  fields<const Fields extends readonly FieldWish<Item>[]>(
    fields: Fields,
  ): QueryBuilder<Item, Selected<Item, Fields>, Count>;
  fields<const Fields extends readonly FieldWish<Item>[]>(
    ...fields: Fields
  ): QueryBuilder<Item, Selected<Item, Fields>, Count>;
  /** A condition, beside those given before: all must hold. */
  filter(filter: Filter<Item>): QueryBuilder<Item, Result, Count>;
  /** Same as `filter`. */
  where(filter: Filter<Item>): QueryBuilder<Item, Result, Count>;
  /** Which related items the lists inside show; the items themselves stay. Beside those given before. */
  relFilter(conditions: RelConditions<Item>): QueryBuilder<Item, Result, Count>;
  /** Words to look for; where (default all text); how, and whether the best matches come first where nothing is sorted by. */
  search(
    text: string,
    fields?: readonly (keyof Item & string)[],
    options?: SearchOptions,
  ): QueryBuilder<Item, Result, Count>;
  /** The order; replaces one given before. */
  sort(sort: Sort<Item>): QueryBuilder<Item, Result, Count>;
  /** The order by one field, or as `sort` takes it; replaces one given before. */
  orderBy(order: ValuePath<Item> | Sort<Item>, direction?: SortDirection): QueryBuilder<Item, Result, Count>;
  /** How many items a page has. */
  limit(limit: number): QueryBuilder<Item, Result, Count>;
  /** The page, from 1. */
  page(page: number): QueryBuilder<Item, Result, Count>;
  /** How many items to skip. */
  offset(offset: number): QueryBuilder<Item, Result, Count>;
  /** Soft-deleted items too. */
  withDeleted(): QueryBuilder<Item, Result, Count>;
  /** How `totalCount` comes about. */
  withCount<Mode extends CountMode>(mode: Mode): QueryBuilder<Item, Result, Mode>;
  /** The plain query built so far. */
  getQuery(): AnyQuery<Item>;
  /** Reads the items of the page, and how many match in all. @throws BaasixError */
  get(options?: CallOptions): Promise<ListResult<Result, Count>>;
  /** The first matching item, or null. @throws BaasixError */
  first(options?: CallOptions): Promise<Result | null>;
  /** The one matching item. @throws BaasixError NOT_FOUND when none matches, NOT_SINGLE when several do */
  single(options?: CallOptions): Promise<Result>;
  /** How many items match, whatever the page. @throws BaasixError */
  count(options?: CallOptions): Promise<number>;
  /** Whether any item matches. @throws BaasixError */
  exists(options?: CallOptions): Promise<boolean>;
  /** Every matching item, page after page (`limit` is the size of a page): `for await (const item of query.all())`. @throws BaasixError */
  all(options?: CallOptions): AsyncGenerator<Result, void, undefined>;
  /** The pages of `all`; they count only `withCount`. @throws BaasixError */
  pages(options?: CallOptions): AsyncGenerator<ListResult<Result, CountMode>, void, undefined>;
  /** Works out values of the items that match. @throws BaasixError */
  aggregate<
    const Values extends Aggregates<Item>,
    const Groups extends readonly GroupTerm<Item>[] = [],
    Exact extends boolean = false,
  >(
    query: AggregateQuery<Item, Values, Groups, Exact>,
    options?: CallOptions,
  ): Promise<AggregateRow<Item, Values, Groups, Exact>[]>;
  /** Every matching item as a file, a stream of bytes; `limit` bounds the whole. @throws BaasixError */
  export(format?: ExportFormat, options?: CallOptions): Promise<ReadableStream<Uint8Array>>;
};

/** An empty query on the calls of a collection. */
export function createQuery<Item extends object>(reader: Reader, query: AnyQuery = {}): QueryBuilder<Item> {
  return new Builder(reader, query) as unknown as QueryBuilder<Item>;
}

/** Every page of a walk by cursor. */
export async function* walk(
  { find }: Pick<Reader, "find">,
  query: AnyQuery,
  options?: CallOptions,
): AsyncGenerator<ListResult<GenericItem, CountMode>, void, undefined> {
  let cursor: string | null = query.cursor ?? "";
  while (cursor !== null) {
    // oxlint-disable-next-line no-await-in-loop -- each page says where the next begins
    const page: ListResult<GenericItem, CountMode> = await find({ count: "none", ...query, cursor }, options);
    yield page;
    cursor = page.nextCursor ?? null;
  }
}

/** The steps at run time. `QueryBuilder` says what they mean; this class is what they share. */
class Builder {
  readonly #reader: Reader;
  readonly #query: AnyQuery;

  static {
    for (const name of operatorNames) {
      Object.defineProperty(Builder.prototype, name, {
        value(this: Builder, field: string, ...operand: readonly unknown[]) {
          return this.filter({ [field]: { [name]: operandOf(name, operand) } });
        },
      });
    }
  }

  constructor(reader: Reader, query: AnyQuery) {
    this.#reader = reader;
    this.#query = query;
  }

  #with(more: AnyQuery): Builder {
    return new Builder(this.#reader, { ...this.#query, ...more });
  }

  /** What chooses items, whatever the page. */
  #choice(): Choice {
    const { filter, search, searchFields, searchMode, paranoid } = this.#query;
    return { filter, search, searchFields, searchMode, paranoid };
  }

  select(...fields: readonly (FieldWish | readonly FieldWish[])[]): Builder {
    return this.#with({ fields: fields.flat() });
  }

  fields(...fields: readonly (FieldWish | readonly FieldWish[])[]): Builder {
    return this.select(...fields);
  }

  filter(filter: Filter): Builder {
    return this.#with({ filter: both(this.#query.filter, filter) });
  }

  where(filter: Filter): Builder {
    return this.filter(filter);
  }

  relFilter(conditions: RelConditions): Builder {
    const all: Record<string, Filter | undefined> = { ...this.#query.relConditions };
    for (const [relation, filter] of Object.entries(conditions)) {
      if (filter) all[relation] = both(all[relation], filter);
    }
    return this.#with({ relConditions: all });
  }

  search(
    search: string,
    searchFields?: readonly string[],
    more: Pick<AnyQuery, "searchMode" | "sortByRelevance"> = {},
  ) {
    return this.#with({ search, searchFields, ...more });
  }

  sort(sort: Sort): Builder {
    return this.#with({ sort });
  }

  orderBy(order: Sort, direction?: SortDirection): Builder {
    return this.sort(direction === undefined ? order : `${String(order)}:${direction}`);
  }

  limit(limit: number): Builder {
    return this.#with({ limit });
  }

  page(page: number): Builder {
    return this.#with({ page });
  }

  offset(offset: number): Builder {
    return this.#with({ offset });
  }

  withDeleted(): Builder {
    return this.#with({ paranoid: false });
  }

  withCount(count: CountMode): Builder {
    return this.#with({ count });
  }

  getQuery(): AnyQuery {
    return this.#query;
  }

  get(options?: CallOptions) {
    return this.#reader.find(this.#query, options);
  }

  /** Up to `limit` items from the beginning. */
  async #some(limit: number, options?: CallOptions): Promise<GenericItem[]> {
    const { page: _, cursor: __, ...query } = this.#query;
    return (await this.#reader.find({ ...query, limit, count: "none" }, options)).data;
  }

  async first(options?: CallOptions): Promise<GenericItem | null> {
    return (await this.#some(1, options))[0] ?? null;
  }

  async single(options?: CallOptions): Promise<GenericItem> {
    const [item, another] = await this.#some(2, options);
    if (!item) throw new BaasixError("No item matches", { status: 404, code: "NOT_FOUND" });
    if (another) throw new BaasixError("More than one item matches", { status: 0, code: "NOT_SINGLE" });
    return item;
  }

  async count(options?: CallOptions): Promise<number> {
    const count = this.#query.count === "estimated" ? "estimated" : "exact";
    return (await this.#reader.find({ ...this.#choice(), limit: 0, count }, options)).totalCount ?? 0;
  }

  async exists(options?: CallOptions): Promise<boolean> {
    return (await this.#some(1, options)).length > 0;
  }

  async *all(options?: CallOptions): AsyncGenerator<GenericItem, void, undefined> {
    for await (const { data } of walk(this.#reader, { ...this.#query, count: "none" }, options)) yield* data;
  }

  pages(options?: CallOptions) {
    return walk(this.#reader, this.#query, options);
  }

  aggregate(query: AggregateQuery, options?: CallOptions): Promise<GenericItem[]> {
    const { filter, ...choice } = this.#choice();
    const all = query.filter ? both(filter, query.filter) : filter;
    return this.#reader.aggregate({ ...choice, ...query, filter: all }, options);
  }

  export(format?: ExportFormat, options?: CallOptions): Promise<ReadableStream<Uint8Array>> {
    return this.#reader.export({ ...this.#query, format }, options);
  }
}

/** Both conditions. Chains grow one list, and not a list in a list in a list. */
function both(before: Filter | undefined, filter: Filter): Filter {
  if (!before) return filter;
  const list = Object.keys(before).join() === "AND" && Array.isArray(before.AND) ? before.AND : [before];
  return { AND: [...list, filter] };
}

function operandOf(name: string, operand: readonly unknown[]): unknown {
  if (operand.length === 0 && /^(isNull|isNotNull|notNull)$/.test(name)) return true;
  // JSON would leave the condition out, and all items would match.
  if (operand[0] === undefined) throw invalidArgument(`${name}: a value is missing`);
  return operand[0];
}
