/** The query language as it travels: plain objects that may be written by hand or made by the SDK's builder. */

/** A JSON value. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** An item of which nothing is known at compile time. */
// oxlint-disable-next-line typescript/no-explicit-any -- the one place where an untyped item may be anything
export type GenericItem = Record<string, any>;

/** A BigInt or Decimal as it is answered: text, so that no digit is lost. Accepted as text or number. */
export type NumberText = `${number}`;

/** A value that the server works out: `$CURRENT_USER`, `$NOW-DAYS_30`, `$COL(other)`. */
export type Variable = `$${string}`;

type Present<Value> = Exclude<Value, null | undefined>;

/** The item type behind a relation field; `never` for a plain column. */
export type RelatedItem<Value> =
  Present<Value> extends readonly (infer Member)[]
    ? Member extends object
      ? Member
      : never
    : Present<Value> extends Date
      ? never
      : Present<Value> extends object
        ? Present<Value>
        : never;

type FieldName<Item> = keyof Item & string;

/** Names of the relations of an item (JSON columns typed as objects count as such). */
export type RelationName<Item> = {
  [Key in FieldName<Item>]-?: [RelatedItem<Item[Key]>] extends [never] ? never : Key;
}[FieldName<Item>];

/** Dotted paths through relations: checked for the first two names, open beyond. */
export type RelationPath<Item> = {
  [Key in RelationName<Item>]:
    | `${Key}.${FieldName<RelatedItem<Item[Key]>>}`
    | `${Key}.${RelationName<RelatedItem<Item[Key]>>}.${string}`;
}[RelationName<Item>];

/** The value at a path. */
export type ValueAt<Item, Path extends string> = Path extends keyof Item
  ? Item[Path]
  : Path extends `${infer Relation}.${infer Rest}`
    ? Relation extends keyof Item
      ? ValueAt<RelatedItem<Item[Relation]>, Rest>
      : unknown
    : unknown;

/** What `fields` may name: a column, `*`, `relation.column`, `relation.*`, to any depth; `-secret` leaves one out. */
export type FieldPath<Item = GenericItem> =
  | "*"
  | FieldName<Item>
  | `${RelationName<Item>}.*${string}`
  | RelationPath<Item>
  | `-${FieldName<Item> | RelationPath<Item>}`;

/** What `fields` takes: a list of paths, or comma text. */
export type FieldList<Item = GenericItem> = readonly FieldPath<Item>[] | string;

/** What a value of the field may be compared with. */
type Operand<Value> =
  | Variable
  | (NumberText extends Value
      ? string extends Value
        ? Value
        : Value | number
      : Value extends Date
        ? Value | string
        : Value);

type TextOperators = {
  readonly like?: string;
  readonly notLike?: string;
  readonly ilike?: string;
  readonly iLike?: string;
  readonly notILike?: string;
  readonly startsWith?: string;
  readonly endsWith?: string;
  readonly startsWiths?: string;
  readonly endsWiths?: string;
  readonly contains?: string;
};

type NullOperators = { readonly isNull?: boolean; readonly isNotNull?: boolean };

type ComparisonOperators<Value> = {
  readonly eq?: Value | null;
  readonly ne?: Value | null;
  readonly neq?: Value | null;
  readonly gt?: Value;
  readonly gte?: Value;
  readonly lt?: Value;
  readonly lte?: Value;
  readonly in?: readonly Value[];
  readonly notIn?: readonly Value[];
  readonly nin?: readonly Value[];
  readonly between?: readonly [Value, Value];
  readonly notBetween?: readonly [Value, Value];
};

/**
 * Filter operators on a value: `neq` is `ne`, `iLike` is `ilike`, `nin` is `notIn`; `startsWiths` and
 * `endsWiths` mind the letter case. Those of text are there for text alone.
 */
export type FilterOperators<Value> = ComparisonOperators<Operand<Value>> &
  NullOperators &
  (Value extends string ? TextOperators : unknown extends Value ? TextOperators : unknown);

/** The condition on one field: a bare value means `eq`. A related item takes a nested filter. */
export type FieldFilter<Value> = unknown extends Value
  ? unknown
  : [RelatedItem<Value>] extends [never]
    ? FilterOperators<Present<Value>> | Operand<Present<Value>> | Extract<Value, null>
    : Filter<RelatedItem<Value>> | NullOperators;

/** Conditions on dotted paths (`"author.name"`) through relations. */
type PathFilters<Item> = {
  readonly [Path in RelationPath<Item>]?: FieldFilter<ValueAt<Item, Path>>;
};

/**
 * A filter: several keys are AND-ed, also beside `AND`, `OR` and `NOT`.
 * Dotted keys (`"author.name"`) reach through relations.
 */
export type Filter<Item = GenericItem> = {
  readonly [Key in keyof Item]?: FieldFilter<Item[Key]>;
} & {
  readonly AND?: readonly Filter<Item>[];
  readonly OR?: readonly Filter<Item>[];
  readonly NOT?: Filter<Item>;
} & PathFilters<Item>;

/** `asc` or `desc`, in any letter case. */
export type SortDirection = "asc" | "desc" | "ASC" | "DESC";

type SortPath<Item> = FieldName<Item> | RelationPath<Item>;

/** One term of a sort list: `name`, `-name`, `name:desc`. */
export type SortTerm<Item = GenericItem> =
  SortPath<Item> | `-${SortPath<Item>}` | `${SortPath<Item>}:${SortDirection}`;

/**
 * Sort order. Documented spellings: `{createdAt: "desc"}`, `["-createdAt", "name"]`, `"-createdAt,name"`,
 * `"createdAt:desc"`. Null sorts as PostgreSQL does: last ascending, first descending.
 */
export type Sort<Item = GenericItem> =
  { readonly [Path in SortPath<Item>]?: SortDirection } | readonly SortTerm<Item>[] | string;

/** How `totalCount` comes about: counted, guessed by PostgreSQL's planner, or left out. */
export type CountMode = "exact" | "estimated" | "none";

/** Conditions on related items inside the answer, by relation: lists show the matching ones, other items stay. */
export type RelConditions<Item = GenericItem> = {
  readonly [Name in RelationName<Item>]?: Filter<RelatedItem<Item[Name]>>;
};

/** Parameters that choose items: those of lists, counts, exports and aggregates. */
export type Choice<Item = GenericItem> = {
  readonly filter?: Filter<Item>;
  /** All words, also as beginnings of words and in other grammatical forms. */
  readonly search?: string;
  /** Where to search; default all text of the collection. */
  readonly searchFields?: readonly FieldName<Item>[] | string;
  /** `false` includes soft-deleted items of a `paranoid` collection. */
  readonly paranoid?: boolean;
};

/**
 * Parameters of a list read. `limit` defaults to 100, at most 1,000; `-1` is the maximum. `page` starts at 1.
 * `Fields` and `Count` say what the answer holds.
 */
export type Query<
  Item = GenericItem,
  Fields extends FieldList<Item> | undefined = FieldList<Item> | undefined,
  Count extends CountMode = "exact" | "estimated",
> = Choice<Item> & {
  readonly fields?: Fields;
  readonly relConditions?: RelConditions<Item>;
  readonly sort?: Sort<Item>;
  /** Best matches of `search` first, where no `sort` is given. */
  readonly sortByRelevance?: boolean;
  readonly limit?: number;
  readonly page?: number;
  readonly offset?: number;
  /** Walks the list page by page: empty for the first page, then the `nextCursor` of the page before. */
  readonly cursor?: string;
  /** Default `exact`. */
  readonly count?: Count;
};

/**
 * Answer of a list read. `totalCount` counts the matching items before paging (a guess where `estimated`);
 * `nextCursor` is there on a walk by cursor, null behind the last page; `truncated` tells that lists of related
 * items inside were cut, as one answer holds about 10,000 rows.
 */
export type ListResult<Item, Count extends CountMode = "exact" | "estimated"> = {
  readonly data: Item[];
  readonly totalCount: Count extends "none" ? undefined : number;
  readonly estimated?: true;
  readonly nextCursor?: string | null;
  readonly truncated?: true;
};
