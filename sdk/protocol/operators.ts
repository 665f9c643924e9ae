/** The filter operators. Made from the server's table by `bun tasks/operators.ts`: do not edit. */

/** Classes of field types that operators work on; `any` is every type. */
export type OperatorClass = "any" | "equality" | "order" | "text" | "list" | "json" | "range" | "geometry";

/** What each operator, by name and alias, takes and what it works on. */
export type OperatorTable = {
  /** equal to; null means: has no value */
  readonly eq: { readonly takes: "nullable"; readonly on: "equality" | "list" | "range" | "json" };
  /** has a value other than; null means: has a value */
  readonly ne: { readonly takes: "nullable"; readonly on: "equality" | "list" | "range" | "json" };
  /** has a value other than; null means: has a value (`ne`) */
  readonly neq: { readonly takes: "nullable"; readonly on: "equality" | "list" | "range" | "json" };
  /** has a value other than; null means: has a value (`ne`) */
  readonly not: { readonly takes: "nullable"; readonly on: "equality" | "list" | "range" | "json" };
  /** greater than */
  readonly gt: { readonly takes: "value"; readonly on: "order" };
  /** greater or equal */
  readonly gte: { readonly takes: "value"; readonly on: "order" };
  /** less than */
  readonly lt: { readonly takes: "value"; readonly on: "order" };
  /** less or equal */
  readonly lte: { readonly takes: "value"; readonly on: "order" };
  /** equal to one of; an empty list matches nothing */
  readonly in: { readonly takes: "list"; readonly on: "equality" };
  /** equal to none of; an empty list matches everything */
  readonly notIn: { readonly takes: "list"; readonly on: "equality" };
  /** equal to none of; an empty list matches everything (`notIn`) */
  readonly nin: { readonly takes: "list"; readonly on: "equality" };
  /** between two values, both included */
  readonly between: { readonly takes: "pair"; readonly on: "order" };
  /** outside two values */
  readonly notBetween: { readonly takes: "pair"; readonly on: "order" };
  /** true: has no value; false: has one */
  readonly isNull: { readonly takes: "flag"; readonly on: "any" };
  /** true: has a value; false: has none */
  readonly isNotNull: { readonly takes: "flag"; readonly on: "any" };
  /** true: has a value; false: has none (`isNotNull`) */
  readonly notNull: { readonly takes: "flag"; readonly on: "any" };
  /** null: has no value; true or false: a Boolean has that value */
  readonly is: { readonly takes: "truth"; readonly on: "any" };
  /** matches with % as wildcard; without any, contains (case-sensitive) */
  readonly like: { readonly takes: "text"; readonly on: "text" };
  /** negation of like */
  readonly notLike: { readonly takes: "text"; readonly on: "text" };
  /** like, in any letter case */
  readonly ilike: { readonly takes: "text"; readonly on: "text" };
  /** like, in any letter case (`ilike`) */
  readonly iLike: { readonly takes: "text"; readonly on: "text" };
  /** negation of ilike */
  readonly notILike: { readonly takes: "text"; readonly on: "text" };
  /** negation of ilike (`notILike`) */
  readonly notIlike: { readonly takes: "text"; readonly on: "text" };
  /** contains the text, in any letter case; Array, JSON and Range: arraycontains, jsonbContains, rangeContains */
  readonly contains: { readonly takes: "contents"; readonly on: "text" | "list" | "json" | "range" };
  /** begins with the text, in any letter case */
  readonly startsWith: { readonly takes: "text"; readonly on: "text" };
  /** ends with the text, in any letter case */
  readonly endsWith: { readonly takes: "text"; readonly on: "text" };
  /** begins with the text, case-sensitive */
  readonly startsWiths: { readonly takes: "text"; readonly on: "text" };
  /** ends with the text, case-sensitive */
  readonly endsWiths: { readonly takes: "text"; readonly on: "text" };
  /** negation of startsWith */
  readonly nstartsWith: { readonly takes: "text"; readonly on: "text" };
  /** negation of endsWith */
  readonly nendsWith: { readonly takes: "text"; readonly on: "text" };
  /** negation of startsWiths */
  readonly nstartsWiths: { readonly takes: "text"; readonly on: "text" };
  /** negation of endsWiths */
  readonly nendsWiths: { readonly takes: "text"; readonly on: "text" };
  /** the array has all of the items (a list, or one); an empty list matches every array */
  readonly arraycontains: { readonly takes: "items"; readonly on: "list" };
  /** the array has all of the items (a list, or one); an empty list matches every array (`arraycontains`) */
  readonly arrayContains: { readonly takes: "items"; readonly on: "list" };
  /** the array has no items but these */
  readonly arraycontained: { readonly takes: "items"; readonly on: "list" };
  /** the array has no items but these (`arraycontained`) */
  readonly arrayContained: { readonly takes: "items"; readonly on: "list" };
  /** the array has at least one of the items */
  readonly arrayoverlaps: { readonly takes: "items"; readonly on: "list" };
  /** the array has at least one of the items (`arrayoverlaps`) */
  readonly arrayOverlaps: { readonly takes: "items"; readonly on: "list" };
  /** the range contains the value, or the whole other range */
  readonly rangeContains: { readonly takes: "rangeOrValue"; readonly on: "range" };
  /** the range lies inside the other */
  readonly rangeContainedBy: { readonly takes: "range"; readonly on: "range" };
  /** the ranges have a value in common */
  readonly rangeOverlaps: { readonly takes: "range"; readonly on: "range" };
  /** the range ends before the other begins */
  readonly rangeBefore: { readonly takes: "range"; readonly on: "range" };
  /** the range begins after the other ends */
  readonly rangeAfter: { readonly takes: "range"; readonly on: "range" };
  /** the ranges touch and have no value in common */
  readonly rangeAdjacent: { readonly takes: "range"; readonly on: "range" };
  /** contains the document (PostgreSQL's @>) */
  readonly jsonbContains: { readonly takes: "json"; readonly on: "json" };
  /** is contained in the document */
  readonly jsonbContainedBy: { readonly takes: "json"; readonly on: "json" };
  /** negation of jsonbContains */
  readonly jsonbNotContains: { readonly takes: "json"; readonly on: "json" };
  /** has the key at its top */
  readonly jsonbHasKey: { readonly takes: "jsonKey"; readonly on: "json" };
  /** has one of the keys; no key: matches nothing */
  readonly jsonbHasAnyKeys: { readonly takes: "jsonKeys"; readonly on: "json" };
  /** has all of the keys; no key: matches everything */
  readonly jsonbHasAllKeys: { readonly takes: "jsonKeys"; readonly on: "json" };
  /** the key has the value; null: it has none */
  readonly jsonbKeyEquals: { readonly takes: "jsonKeyValue"; readonly on: "json" };
  /** the key has another value, or none; null: it has one */
  readonly jsonbKeyNotEquals: { readonly takes: "jsonKeyValue"; readonly on: "json" };
  /** the value of the key is greater; numbers as numbers, texts as text */
  readonly jsonbKeyGt: { readonly takes: "jsonKeyOrder"; readonly on: "json" };
  /** the value of the key is greater or equal; numbers as numbers, texts as text */
  readonly jsonbKeyGte: { readonly takes: "jsonKeyOrder"; readonly on: "json" };
  /** the value of the key is less; numbers as numbers, texts as text */
  readonly jsonbKeyLt: { readonly takes: "jsonKeyOrder"; readonly on: "json" };
  /** the value of the key is less or equal; numbers as numbers, texts as text */
  readonly jsonbKeyLte: { readonly takes: "jsonKeyOrder"; readonly on: "json" };
  /** the key has one of the values; no value: matches nothing */
  readonly jsonbKeyIn: { readonly takes: "jsonKeyValues"; readonly on: "json" };
  /** the key has none of the values; no value: matches everything */
  readonly jsonbKeyNotIn: { readonly takes: "jsonKeyValues"; readonly on: "json" };
  /** the text of the key matches the pattern as given, in any letter case */
  readonly jsonbKeyLike: { readonly takes: "jsonKeyPattern"; readonly on: "json" };
  /** the key is missing or null */
  readonly jsonbKeyIsNull: { readonly takes: "jsonKey"; readonly on: "json" };
  /** the key has a value */
  readonly jsonbKeyIsNotNull: { readonly takes: "jsonKey"; readonly on: "json" };
  /** the JSON path finds something */
  readonly jsonbPathExists: { readonly takes: "jsonPath"; readonly on: "json" };
  /** the predicate of the JSON path is true */
  readonly jsonbPathMatch: { readonly takes: "jsonPath"; readonly on: "json" };
  /** the array has so many items; `path`: of the array under that key */
  readonly jsonbArrayLength: { readonly takes: "jsonLength"; readonly on: "json" };
  /** is of the JSON type; `path`: what stands under that key */
  readonly jsonbTypeOf: { readonly takes: "jsonType"; readonly on: "json" };
  /** what stands at the path compares so (`op`, by default eq) */
  readonly jsonbDeepValue: { readonly takes: "jsonDeep"; readonly on: "json" };
  /** lies within the geometry (postgis) */
  readonly within: { readonly takes: "geometry"; readonly on: "geometry" };
  /** contains the geometry (postgis) */
  readonly containsGEO: { readonly takes: "geometry"; readonly on: "geometry" };
  /** has a point in common with the geometry (postgis) */
  readonly intersects: { readonly takes: "geometry"; readonly on: "geometry" };
  /** negation of intersects (postgis) */
  readonly nIntersects: { readonly takes: "geometry"; readonly on: "geometry" };
  /** is at most so many metres away; `not`: farther away (postgis) */
  readonly dwithin: { readonly takes: "distance"; readonly on: "geometry" };
};

/** Every name and alias. */
export type OperatorName = keyof OperatorTable;

/** Every name and alias, in the order of the documents. */
export const operatorNames = [
  "eq",
  "ne",
  "neq",
  "not",
  "gt",
  "gte",
  "lt",
  "lte",
  "in",
  "notIn",
  "nin",
  "between",
  "notBetween",
  "isNull",
  "isNotNull",
  "notNull",
  "is",
  "like",
  "notLike",
  "ilike",
  "iLike",
  "notILike",
  "notIlike",
  "contains",
  "startsWith",
  "endsWith",
  "startsWiths",
  "endsWiths",
  "nstartsWith",
  "nendsWith",
  "nstartsWiths",
  "nendsWiths",
  "arraycontains",
  "arrayContains",
  "arraycontained",
  "arrayContained",
  "arrayoverlaps",
  "arrayOverlaps",
  "rangeContains",
  "rangeContainedBy",
  "rangeOverlaps",
  "rangeBefore",
  "rangeAfter",
  "rangeAdjacent",
  "jsonbContains",
  "jsonbContainedBy",
  "jsonbNotContains",
  "jsonbHasKey",
  "jsonbHasAnyKeys",
  "jsonbHasAllKeys",
  "jsonbKeyEquals",
  "jsonbKeyNotEquals",
  "jsonbKeyGt",
  "jsonbKeyGte",
  "jsonbKeyLt",
  "jsonbKeyLte",
  "jsonbKeyIn",
  "jsonbKeyNotIn",
  "jsonbKeyLike",
  "jsonbKeyIsNull",
  "jsonbKeyIsNotNull",
  "jsonbPathExists",
  "jsonbPathMatch",
  "jsonbArrayLength",
  "jsonbTypeOf",
  "jsonbDeepValue",
  "within",
  "containsGEO",
  "intersects",
  "nIntersects",
  "dwithin",
] as const satisfies readonly OperatorName[];
