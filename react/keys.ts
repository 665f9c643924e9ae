/**
 * All query keys. They begin with the server, the organisation and the user: what one user read is never found by the next,
 * nor by the same one elsewhere.
 */
import type {
  AggregateQuery,
  AnyQuery,
  AuthState,
  CountQuery,
  FieldList,
  GenericItem,
  InnerRead,
  ItemId,
  Sort,
  Tenant,
  User,
} from "@baasix/sdk";

/** What keys need to know of a client. */
export type KeyScope = {
  readonly url: string;
  readonly auth: {
    readonly state: Pick<AuthState, "identity"> & {
      readonly user?: Pick<User, "id"> | null;
      readonly tenant?: Pick<Tenant, "id"> | null;
    };
  };
};

/** Whether a key belongs to who is signed in on this server now; null: it is none of this server's. */
export function isOwnKey(scope: KeyScope, key: readonly unknown[] | undefined): boolean | null {
  const own = baasixKeys.user(scope);
  if (key?.[0] !== own[0] || key[1] !== own[1]) return null;
  return own.every((part, place) => key[place] === part);
}

/** Keys from the widest to the narrowest; each is the beginning of those below it. */
export const baasixKeys = {
  server: ({ url }: KeyScope) => ["baasix", url] as const,
  /** Everything that the one who is signed in has read there. `identity` stands for a bare token, or nobody. */
  user: (scope: KeyScope) => {
    const { tenant, user, identity } = scope.auth.state;
    return [...baasixKeys.server(scope), tenant?.id ?? null, user?.id ?? identity] as const;
  },
  session: (scope: KeyScope) => [...baasixKeys.user(scope), "session"] as const,
  rights: (scope: KeyScope) => [...baasixKeys.user(scope), "rights"] as const,
  tenants: (scope: KeyScope) => [...baasixKeys.user(scope), "tenants"] as const,
  items: (scope: KeyScope, collection: string) => [...baasixKeys.user(scope), "items", collection] as const,
  lists: (scope: KeyScope, collection: string) => [...baasixKeys.items(scope, collection), "list"] as const,
  list: <Item extends object = GenericItem>(
    scope: KeyScope,
    collection: string,
    query: AnyQuery<Item> = {},
  ) => [...baasixKeys.lists(scope, collection), canonicalQuery(query)] as const,
  /** Lists that are read page after page. */
  walks: (scope: KeyScope, collection: string) => [...baasixKeys.items(scope, collection), "pages"] as const,
  walk: <Item extends object = GenericItem>(
    scope: KeyScope,
    collection: string,
    query: AnyQuery<Item> = {},
  ) => [...baasixKeys.walks(scope, collection), canonicalQuery(query)] as const,
  count: <Item extends object = GenericItem>(
    scope: KeyScope,
    collection: string,
    query: CountQuery<Item> = {},
  ) => [...baasixKeys.items(scope, collection), "count", canonicalQuery(query)] as const,
  aggregate: (scope: KeyScope, collection: string, query: AnyAggregate) =>
    [...baasixKeys.items(scope, collection), "aggregate", canonicalAggregate(query)] as const,
  details: (scope: KeyScope, collection: string) => [...baasixKeys.items(scope, collection), "item"] as const,
  detail: (scope: KeyScope, collection: string, id: ItemId, fields?: FieldList) =>
    [...baasixKeys.details(scope, collection), String(id), canonicalFields(fields)] as const,
};

/** An aggregate of items of whatever type. */
export type AnyAggregate = Pick<
  AggregateQuery,
  "aggregate" | "limit" | "page" | "offset" | "count" | "exact"
> & {
  readonly [
    Name in "filter" | "having" | "groupBy" | "search" | "searchFields" | "paranoid" | "sort"
  ]?: unknown;
};

/** A query in the one form that all its spellings share. */
export type CanonicalQuery = {
  readonly filter?: unknown;
  readonly fields?: readonly unknown[];
  readonly relConditions?: unknown;
  readonly search?: string;
  readonly searchFields?: readonly string[];
  readonly searchMode?: string;
  readonly sortByRelevance?: boolean;
  /** `field:asc`, `field:desc`, or an object that says more. */
  readonly sort?: readonly unknown[];
  readonly limit?: number;
  readonly page?: number;
  readonly offset?: number;
  readonly cursor?: string;
  readonly count?: string;
  readonly paranoid?: boolean;
};

/** Brings a query into that form. */
export function canonicalQuery<Item extends object>({
  fields,
  searchFields,
  sort,
  ...rest
}: AnyQuery<Item>): CanonicalQuery {
  return defined({
    ...rest,
    fields: canonicalFields(fields),
    searchFields: canonicalNames(searchFields),
    sort: canonicalSort(sort),
  });
}

function canonicalAggregate({ sort, ...rest }: AnyAggregate): Readonly<Record<string, unknown>> {
  return defined({ ...rest, sort: canonicalSort(sort as Sort | undefined) });
}

function defined<Parts extends object>(parts: Parts): Parts {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as Parts;
}

/** The order of sort terms matters, and the hash of a key puts the members of objects in order: so they are a list. */
function canonicalSort<Item>(sort: Sort<Item> | undefined): readonly unknown[] | undefined {
  const terms = sort === undefined ? [] : sortTerms(sort);
  return terms.length > 0 ? terms : undefined;
}

function canonicalFields<Item>(fields: FieldList<Item> | undefined): readonly unknown[] | undefined {
  const list = typeof fields === "string" ? splitList(fields) : fields;
  return list && list.length > 0 ? list.map(canonicalWish) : undefined;
}

/** A name, or what is wanted of relations. */
function canonicalWish(wish: unknown): unknown {
  if (typeof wish !== "object" || wish === null) return wish;
  return Object.fromEntries(Object.entries(wish).map(([name, inner]) => [name, canonicalInner(inner)]));
}

function canonicalInner(inner: InnerRead | FieldList): unknown {
  if (typeof inner === "string" || isList(inner)) return { fields: canonicalFields(inner) };
  const { fields, sort, ...rest } = inner;
  return defined({ ...rest, fields: canonicalFields(fields), sort: canonicalSort(sort) });
}

function canonicalNames(fields: readonly string[] | string | undefined): readonly string[] | undefined {
  const list = typeof fields === "string" ? splitList(fields) : fields;
  return list && list.length > 0 ? [...list] : undefined;
}

function sortTerms<Item>(sort: Sort<Item>): unknown[] {
  if (typeof sort === "string") return splitList(sort).map(sortTerm);
  if (isList(sort)) return sort.map(sortTerm);
  return Object.entries<unknown>(sort).map(([field, direction]) =>
    typeof direction === "string" ? `${field}:${direction.toLowerCase()}` : { [field]: direction },
  );
}

function sortTerm(term: string): string {
  if (term.startsWith("-")) return `${term.slice(1)}:desc`;
  const [field, direction = "asc"] = term.split(":");
  return `${field}:${direction.toLowerCase()}`;
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function isList<Member>(value: readonly Member[] | object): value is readonly Member[] {
  return Array.isArray(value);
}
