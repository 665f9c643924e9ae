/** Names of fields and paths through relations, as types. */
import type { GenericItem, Geometry, RangeValue } from "./values";

/** A value that is there. */
export type Present<Value> = Exclude<Value, null | undefined>;

/** Names of the columns and relations of an item. */
export type FieldName<Item> = keyof Item & string;

/** The item type behind a relation field; `never` for a plain column. */
export type RelatedItem<Value> =
  Present<Value> extends readonly (infer Member)[]
    ? Member extends object
      ? Member
      : never
    : Present<Value> extends Date | RangeValue | Geometry
      ? never
      : Present<Value> extends object
        ? Present<Value>
        : never;

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

/** A column of the items or, through relations, of others. */
export type ValuePath<Item = GenericItem> = FieldName<Item> | RelationPath<Item>;

/** The value at a path. */
export type ValueAt<Item, Path extends string> = Path extends keyof Item
  ? Item[Path]
  : Path extends `${infer Relation}.${infer Rest}`
    ? Relation extends keyof Item
      ? ValueAt<RelatedItem<Item[Relation]>, Rest>
      : unknown
    : unknown;

/** A name in `fields`: a column, `*`, `relation.column`, `relation.*`, to any depth; `-secret` leaves one out. */
export type FieldPath<Item = GenericItem> =
  | "*"
  | FieldName<Item>
  | `${RelationName<Item>}.*${string}`
  | RelationPath<Item>
  | `-${FieldName<Item> | RelationPath<Item>}`;
