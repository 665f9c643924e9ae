/** Conditions on items. The operators and what each takes come from the server's table (`operators.ts`). */
import type { OperatorClass, OperatorName, OperatorTable } from "./operators";
import type { FieldName, Present, RelatedItem, RelationName, RelationPath, ValueAt } from "./paths";
import type { GenericItem, Geometry, Json, NumberText, RangeValue, Variable } from "./values";

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

type Member<Value> = Value extends readonly (infer Item)[] ? Operand<Item> : unknown;
type Bound<Value> = Value extends RangeValue<infer Side> ? Operand<Present<Side>> : unknown;
type RangeOperand<Value> = Partial<RangeValue<Bound<Value>>>;
type Scalar = string | number | boolean | null;
type Comparison = "eq" | "ne" | "gt" | "gte" | "lt" | "lte";

/** What the operators take, by the words of the table. */
type Operands<Value> = {
  nullable: Operand<Value> | null;
  value: Operand<Value>;
  list: readonly Operand<Value>[] | Variable;
  pair: readonly [Operand<Value>, Operand<Value>];
  flag: boolean;
  truth: boolean | null;
  text: string;
  /** Text in a text, items of an array, a document in JSON, a value in a range. */
  contents: unknown extends Value
    ? Json
    : Value extends readonly unknown[]
      ? Member<Value> | readonly Member<Value>[]
      : Value extends RangeValue
        ? RangeOperand<Value> | Bound<Value>
        : string;
  items: Member<Value> | readonly Member<Value>[];
  json: Json;
  jsonKey: string;
  jsonKeys: string | readonly string[];
  jsonKeyValue: { readonly key: string; readonly value: Scalar };
  jsonKeyOrder: { readonly key: string; readonly value: string | number };
  jsonKeyValues: { readonly key: string; readonly values: readonly Scalar[] };
  jsonKeyPattern: { readonly key: string; readonly pattern: string };
  jsonPath: string;
  jsonLength: { readonly path?: string; readonly op?: Comparison; readonly value: number };
  jsonType: {
    readonly path?: string;
    readonly type: "object" | "array" | "string" | "number" | "boolean" | "null";
  };
  jsonDeep: {
    readonly path: readonly (string | number)[];
    readonly op?: Comparison | "like" | "ilike";
    readonly value: Scalar;
  };
  range: RangeOperand<Value>;
  rangeOrValue: RangeOperand<Value> | Bound<Value>;
  geometry: Geometry;
  distance: { readonly geometry: Geometry; readonly distance: number; readonly not?: boolean };
};

/** The classes of operators that values of a type have. */
type ClassOf<Value> = unknown extends Value
  ? OperatorClass
  : Value extends readonly unknown[]
    ? "list"
    : Value extends RangeValue
      ? "range"
      : Value extends Geometry
        ? "geometry"
        : Value extends boolean
          ? "equality"
          : Value extends number | Date
            ? "equality" | "order"
            : NumberText extends Value
              ? string extends Value
                ? "equality" | "order" | "text"
                : "equality" | "order"
              : Value extends string
                ? "equality" | "order" | "text"
                : "json";

/** The filter operators that values of a type have; the others are `undefined`. */
export type FilterOperators<Value> = {
  readonly [Name in keyof OperatorTable]?: Extract<
    OperatorTable[Name]["on"],
    ClassOf<Value> | "any"
  > extends never
    ? undefined
    : Operands<Value>[OperatorTable[Name]["takes"] & keyof Operands<Value>];
};

/** Operators on what the column becomes by a cast: all of them, as the new type is another. */
type CastOperators = { readonly cast: string } & { readonly [Name in OperatorName]?: unknown };

/** The condition on one field: a bare value means `eq`. A related item takes a nested filter. */
export type FieldFilter<Value> = unknown extends Value
  ? unknown
  : [RelatedItem<Value>] extends [never]
    ? FilterOperators<Present<Value>> | CastOperators | Operand<Present<Value>> | Extract<Value, null>
    : Filter<RelatedItem<Value>> | JsonOperators;

/** Whether there is a related item. A JSON column that is typed as an object looks like a relation, too. */
type JsonOperators = {
  readonly [
    Name in keyof OperatorTable as Extract<OperatorTable[Name]["on"], "json" | "any"> extends never
      ? never
      : Name
  ]?: FilterOperators<unknown>[Name];
};

/** Conditions on dotted paths (`"author.name"`) through relations. */
type PathFilters<Item> = {
  readonly [Path in RelationPath<Item>]?: FieldFilter<ValueAt<Item, Path>>;
};

/**
 * A filter: several keys are AND-ed, also beside `AND`, `OR` and `NOT`.
 * Dotted keys (`"author.name"`) reach through relations.
 */
export type Filter<Item = GenericItem> = {
  readonly [Key in FieldName<Item>]?: FieldFilter<Item[Key]>;
} & {
  readonly AND?: readonly Filter<Item>[];
  readonly OR?: readonly Filter<Item>[];
  readonly NOT?: Filter<Item>;
} & PathFilters<Item>;

/** Conditions on related items inside the answer, by relation: lists show the matching ones, other items stay. */
export type RelConditions<Item = GenericItem> = {
  readonly [Name in RelationName<Item>]?: Filter<RelatedItem<Item[Name]>>;
};
