/** What an answer holds when `fields` names it: types alone. */
import type { FieldList } from "./fields";
import type { FieldName, RelatedItem } from "./paths";

/** Names that `*` stands for. A relation is told by being optional: a read without its name does not hold it. */
type ColumnName<Item> = {
  [Key in FieldName<Item>]-?: Key extends OptionalRelation<Item, Key> ? never : Key;
}[FieldName<Item>];

type OptionalRelation<Item, Key extends FieldName<Item>> = [RelatedItem<Item[Key]>] extends [never]
  ? never
  : Partial<Pick<Item, Key>> extends Pick<Item, Key>
    ? Key
    : never;

/** Names that the paths give at this level. */
type Named<Item, Path extends string> =
  | (Path extends `*${string}` ? ColumnName<Item> : never)
  | (Path extends `*.${string}` ? FieldName<Item> : never)
  | (Path extends `${infer Name}.${string}` ? Name : Path);

/** The paths below a name; a relation without any shows its columns. */
type Below<Item, Key extends string, Path extends string> = Path extends `${Key}.${infer Rest}`
  ? Rest
  : Path extends `*.${infer Rest}`
    ? Rest
    : Path extends Key
      ? Key extends OptionalRelation<Item, Key & FieldName<Item>>
        ? "*"
        : never
      : Path extends `-${Key}.${infer Rest}`
        ? `-${Rest}`
        : never;

type Shape<Item, Path extends string> = {
  [
    Key in Exclude<Named<Item, Path> & FieldName<Item>, Path extends `-${infer Name}` ? Name : never>
  ]-?: Value<Item[Key], Below<Item, Key, Path>>;
};

type Value<Given, Path extends string> = [RelatedItem<Given>] extends [never]
  ? Given
  : [Exclude<Path, `-${string}`>] extends [never]
    ? Exclude<Given, undefined>
    : Related<Given, Shape<RelatedItem<Given>, Path | Extract<keyof RelatedItem<Given>, "id">>>;

/** A list stays a list, and what may be null may be null. */
type Related<Given, Item> =
  NonNullable<Given> extends readonly unknown[] ? Item[] : Item | Extract<Given, null>;

/** The names of comma text. */
type Split<Text extends string> = Text extends `${infer First},${infer Rest}`
  ? Trim<First> | Split<Rest>
  : Trim<Text>;
type Trim<Text extends string> = Text extends ` ${infer Rest}` | `${infer Rest} ` ? Trim<Rest> : Text;

/** With nothing but omissions, everything else is there. */
type WithDefault<Path extends string> = [Exclude<Path, `-${string}`>] extends [never] ? Path | "*" : Path;

/** Wishes as paths: what an object says of a relation stands below its name. */
type PathsOf<Wish> = Wish extends string
  ? Wish
  : { [Name in keyof Wish & string]: Beneath<Name, WithDefault<InnerPaths<Wish[Name]>>> }[keyof Wish &
      string];

/** Where the names are not known at compile time: the columns. */
type InnerPaths<Inner> = Inner extends string
  ? string extends Inner
    ? "*"
    : Split<Inner>
  : Inner extends readonly unknown[]
    ? number extends Inner["length"]
      ? "*"
      : PathsOf<Inner[number]>
    : Inner extends { readonly fields: infer Wanted extends string | readonly unknown[] }
      ? InnerPaths<Wanted>
      : "*";

type Beneath<Name extends string, Path extends string> = Path extends `-${infer Omitted}`
  ? `-${Name}.${Omitted}`
  : `${Name}.${Path}`;

/**
 * An item as it is answered when `fields` says so: the named columns, `*` for all, and of relations what is named
 * below them, with their key `id`. Where the names are not known at compile time: the item as it is declared.
 */
export type Selected<Item, Fields extends FieldList<Item> | undefined> = string extends keyof Item
  ? Item
  : Fields extends readonly unknown[]
    ? number extends Fields["length"]
      ? Item
      : Shape<Item, WithDefault<PathsOf<Fields[number]>>>
    : Fields extends string
      ? string extends Fields
        ? Item
        : Fields extends `[${string}` | ""
          ? Item
          : Shape<Item, WithDefault<Split<Fields>>>
      : Item;
