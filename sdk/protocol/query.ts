/** The query language as it travels: plain objects that may be written by hand or made by the SDK's builder. */
import type { OperatorClass, OperatorName, OperatorTable } from "./operators";

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

type Item<Value> = Value extends readonly (infer Member)[] ? Member : Value;

/** What each kind of operand is, beside a column of the value. */
type Operands<Value> = {
  readonly nullable: Operand<Value> | null;
  readonly value: Operand<Value>;
  readonly list: readonly Operand<Value>[] | Variable;
  readonly pair: readonly [Operand<Value>, Operand<Value>];
  readonly flag: boolean;
  readonly truth: boolean | null;
  readonly text: string;
  readonly contents: Value extends string ? string : unknown;
  readonly items: Item<Value> | readonly Item<Value>[] | Variable;
  readonly json: unknown;
  readonly jsonKey: string;
  readonly jsonKeys: string | readonly string[];
  readonly jsonKeyValue: { readonly key: string; readonly value: string | number | boolean | null };
  readonly jsonKeyOrder: { readonly key: string; readonly value: string | number };
  readonly jsonKeyValues: {
    readonly key: string;
    readonly values: readonly (string | number | boolean | null)[];
  };
  readonly jsonKeyPattern: { readonly key: string; readonly pattern: string };
  readonly jsonPath: string | { readonly path: string; readonly vars?: { readonly [name: string]: unknown } };
  readonly jsonLength: { readonly path?: string; readonly op?: Sign; readonly value: number };
  readonly jsonType: JsonTypeName | { readonly path?: string; readonly type: JsonTypeName };
  readonly jsonDeep: {
    readonly path: readonly (string | number)[];
    readonly op?: Sign | "like" | "ilike" | "iLike";
    readonly value: string | number | boolean | null;
  };
  readonly range: Value;
  readonly rangeOrValue: Value | string | number;
  readonly geometry: GeoJson;
  readonly distance: { readonly geometry: GeoJson; readonly distance: number; readonly not?: boolean };
};

type Sign = "eq" | "ne" | "gt" | "gte" | "lt" | "lte";
type JsonTypeName = "object" | "array" | "string" | "number" | "boolean" | "null";

/** A geometry of GeoJSON (RFC 7946). */
export type GeoJson = {
  readonly type: string;
  readonly coordinates?: readonly unknown[];
  readonly geometries?: readonly GeoJson[];
};

/** The classes of field types whose values look so. */
type ClassOf<Value> = unknown extends Value
  ? OperatorClass
  : | "any"
    | (Value extends string
        ? "equality" | "order" | "text"
        : Value extends number | Date
          ? "equality" | "order"
          : Value extends boolean
            ? "equality"
            : Value extends readonly unknown[]
              ? "list" | "json"
              : "equality" | "order" | "json" | "range" | "geometry");

/** A column of JSON, a range or a geometry looks like a related item. */
type ObjectOperators<Value> = Value extends readonly unknown[]
  ? never
  : FilterOperators<Value> | CastOperators;

type NullOperators = { readonly isNull?: boolean; readonly isNotNull?: boolean };

/** The types that `cast` reads a column as. */
export type CastName =
  | "text"
  | "varchar"
  | "char"
  | "character"
  | "integer"
  | "int"
  | "bigint"
  | "smallint"
  | "decimal"
  | "numeric"
  | "real"
  | "double precision"
  | "float"
  | "boolean"
  | "bool"
  | "date"
  | "timestamp"
  | "timestamptz"
  | "time"
  | "timetz"
  | "uuid"
  | "json"
  | "jsonb"
  | "text[]"
  | "varchar[]"
  | "integer[]"
  | "bigint[]"
  | "uuid[]";

/** Filter operators on a value; `operators.ts` tells what each means. */
export type FilterOperators<Value> = {
  readonly [
    Name in OperatorName as OperatorTable[Name]["on"] & ClassOf<Value> extends never ? never : Name
  ]?: Operands<Value>[OperatorTable[Name]["takes"]];
};

/** Filter operators on a column that is read as another type: operators and operands are those of that type. */
export type CastOperators = FilterOperators<unknown> & { readonly cast: CastName };

/** The condition on one field: a bare value means `eq`. A related item takes a nested filter. */
export type FieldFilter<Value> = unknown extends Value
  ? unknown
  : [RelatedItem<Value>] extends [never]
    ? FilterOperators<Present<Value>> | CastOperators | Operand<Present<Value>> | Extract<Value, null>
    : Filter<RelatedItem<Value>> | NullOperators | ObjectOperators<Present<Value>>;

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
