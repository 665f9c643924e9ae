/** The fluent builder: each step is a new builder, and what it holds is the plain query one may write by hand. */
import type { FieldPath, Filter, ListResult, Query, Sort, SortDirection } from "@baasix/types";
import type { CallOptions } from "./http";

type Run<Item> = (query: Query<Item>, options?: CallOptions) => Promise<ListResult<Item>>;

/** Builds a query step by step. Steps may be shared: none changes the builder it is called on. */
export class QueryBuilder<Item extends object> {
  readonly #run: Run<Item>;
  readonly #query: Query<Item>;

  constructor(run: Run<Item>, query: Query<Item> = {}) {
    this.#run = run;
    this.#query = query;
  }

  #with(more: Query<Item>): QueryBuilder<Item> {
    return new QueryBuilder(this.#run, { ...this.#query, ...more });
  }

  /** The fields to answer, as arguments or one list. */
  select(...fields: readonly FieldPath<Item>[] | readonly [readonly FieldPath<Item>[]]): QueryBuilder<Item> {
    return this.#with({ fields: fields.flat() as FieldPath<Item>[] });
  }

  /** Same as `select`. */
  fields(...fields: readonly FieldPath<Item>[] | readonly [readonly FieldPath<Item>[]]): QueryBuilder<Item> {
    return this.select(...fields);
  }

  /** A condition, beside those given before: all must hold. */
  filter(filter: Filter<Item>): QueryBuilder<Item> {
    const before = this.#query.filter;
    // `AND` is a key of every Filter; TypeScript cannot see it through the type parameter.
    return this.#with({ filter: before ? ({ AND: [before, filter] } as unknown as Filter<Item>) : filter });
  }

  /** Same as `filter`. */
  where(filter: Filter<Item>): QueryBuilder<Item> {
    return this.filter(filter);
  }

  /** The order; replaces one given before. */
  sort(sort: Sort<Item>): QueryBuilder<Item> {
    return this.#with({ sort });
  }

  /** The order by one field, or as `sort` takes it; replaces one given before. */
  orderBy(order: (keyof Item & string) | Sort<Item>, direction?: SortDirection): QueryBuilder<Item> {
    return this.sort(direction === undefined ? order : `${String(order)}:${direction}`);
  }

  limit(limit: number): QueryBuilder<Item> {
    return this.#with({ limit });
  }

  /** The page, from 1. */
  page(page: number): QueryBuilder<Item> {
    return this.#with({ page });
  }

  /** How many items to skip. */
  offset(offset: number): QueryBuilder<Item> {
    return this.#with({ offset });
  }

  /** Soft-deleted items too. */
  withDeleted(): QueryBuilder<Item> {
    return this.#with({ paranoid: false });
  }

  /** The plain query built so far. */
  getQuery(): Query<Item> {
    return this.#query;
  }

  /** Reads the items and how many match in all. @throws BaasixError */
  get(options?: CallOptions): Promise<ListResult<Item>> {
    return this.#run(this.#query, options);
  }

  /** The first matching item, or null. @throws BaasixError */
  async first(options?: CallOptions): Promise<Item | null> {
    const { data } = await this.#run({ ...this.#query, limit: 1 }, options);
    return data[0] ?? null;
  }

  /** How many items match, whatever the page. @throws BaasixError */
  async count(options?: CallOptions): Promise<number> {
    const { filter, paranoid } = this.#query;
    const { totalCount } = await this.#run({ filter, paranoid, limit: 0 }, options);
    return totalCount;
  }
}
