/**
 * The model of what collections exist: plain, readonly values made from stored definitions.
 * One `Schema` is never edited; a change makes a new one.
 */
import type { FieldType, ReferentialAction, SchemaDefinition, ValidationRules } from "@baasix/types";

/**
 * How a column gets its value when the writer gives none. `sql` is an expression that an administrator wrote, checked
 * and with its names quoted; with a sub-select it is evaluated by the INSERT, as PostgreSQL allows none on a column.
 */
export type FieldDefault =
  | { readonly kind: "uuid" }
  | { readonly kind: "suid" }
  | { readonly kind: "now" }
  | { readonly kind: "autoincrement" }
  /** One more than the highest value so far (`sortEnabled`). */
  | { readonly kind: "next" }
  | { readonly kind: "sql"; readonly expression: string }
  | { readonly kind: "static"; readonly value: unknown };

/** A column. `type` is canonical; `length`, `precision`, `scale`, `values`, `items` as the type uses them. */
export type Field = {
  readonly name: string;
  readonly type: FieldType;
  readonly primaryKey: boolean;
  readonly allowNull: boolean;
  readonly unique: boolean;
  /** It is unique among the rows of one tenant (`tenant_Id`) alone. */
  readonly perTenant: boolean;
  /** Set once: what changes a value that is there is refused. */
  readonly immutable: boolean;
  readonly default: FieldDefault | null;
  readonly validate: ValidationRules;
  /** String. */
  readonly length: number | null;
  /** Decimal. */
  readonly precision: number | null;
  readonly scale: number | null;
  /** Enum: the allowed values in order. */
  readonly values: readonly string[];
  /** Array: the type of its items; Range: that of its bounds. */
  readonly items: FieldType | null;
  /** Types of PostGIS: the number of the coordinate system. */
  readonly srid: number | null;
  /** A calculated column: the SQL expression over its row, checked and with its names quoted. */
  readonly generated: string | null;
  /** Never readable, filterable or sortable by anyone but the system. */
  readonly hidden: boolean;
  /** Texts are trimmed and put into lower case, written as well as compared with: a mail address. */
  readonly lowerCase: boolean;
  /**
   * Filled by the server: timestamps, usertrack, soft delete; `server`: by a feature (a file's size); `generated`: by the
   * database. No client may write it.
   */
  readonly managed:
    "createdAt" | "updatedAt" | "deletedAt" | "userCreated" | "userUpdated" | "server" | "generated" | null;
  readonly description: string | null;
};

/**
 * A way from one collection to another. `kind`: how many rows of `target` there may be. `keyOn`: which side holds the
 * key: `source` (BelongsTo), or `target` (HasMany; HasOne, where the key is unique). Rows match where
 * source.sourceColumn = target.targetColumn and, with a `scope`, the named column of the key's holder has that value:
 * in the junction of an M2A relation one key leads to rows of several collections, and `collection` says to which.
 */
export type Relation = {
  readonly name: string;
  readonly kind: "one" | "many";
  readonly keyOn: "source" | "target";
  readonly source: string;
  readonly sourceColumn: string;
  readonly target: string;
  readonly targetColumn: string;
  readonly scope: RelationScope | null;
  /** The database holds a foreign key for it. */
  readonly constrained: boolean;
  readonly onDelete: ReferentialAction;
  readonly onUpdate: ReferentialAction;
};

/** A column and the value that it must have. */
export type RelationScope = { readonly column: string; readonly value: string };

/** How PostgreSQL builds an index. */
export const indexMethods = ["btree", "hash", "gin", "gist", "spgist", "brin"] as const;
export type IndexMethod = (typeof indexMethods)[number];

/**
 * An index over columns of one collection; `name` is unique in the database. `method`: btree unless told.
 * `nullsNotDistinct`: of a unique one, two rows without a value count as equal. `perTenant`: unique among the rows of one
 * tenant alone. `kind`: one that serves searches.
 */
export type Index = {
  readonly name: string;
  readonly fields: readonly string[];
  readonly unique: boolean;
  readonly method?: IndexMethod;
  readonly nullsNotDistinct?: true;
  readonly perTenant?: true;
  readonly kind?: "search" | "fuzzy";
};

/** Fields that are indexed for searches; `fuzzy`: also for those that forgive mistakes. */
export type SearchIndex = { readonly fields: readonly string[]; readonly fuzzy: boolean };

/** The actions of the log of changes. */
export const liveActions = ["insert", "update", "delete"] as const;
export type LiveAction = (typeof liveActions)[number];

/**
 * What subscribers of a live collection are told of. `wholeRows` false: the log tells neither rows that were updated nor
 * those that were deleted as they were before, and subscribers are told to read again.
 */
export type Liveness = { readonly actions: readonly LiveAction[]; readonly wholeRows: boolean };

/** A collection = one table of the schema `public`, named as the collection. */
export type Collection = {
  readonly name: string;
  readonly fields: ReadonlyMap<string, Field>;
  readonly relations: ReadonlyMap<string, Relation>;
  readonly indexes: readonly Index[];
  readonly searchable: SearchIndex | null;
  /** The primary key's field. Every collection has exactly one. */
  readonly primaryKey: Field;
  readonly timestamps: boolean;
  readonly paranoid: boolean;
  readonly usertrack: boolean;
  readonly realtime: boolean;
  /** Everything, where `realtime` is false. */
  readonly liveness: Liveness;
  /** Its changes are written to `baasix_AuditLog`; never those of a guarded collection. */
  readonly audit: boolean;
  /** Built in (`baasix_…`): its definition is code. */
  readonly system: boolean;
  /** Written by the server alone, whatever the role (definitions, sessions, credentials). */
  readonly guarded: boolean;
  /** The column that says whose a row is, where there are tenants; else null: its rows are everybody's. */
  readonly tenant: Field | null;
  /** The definition as it is stored; `describe.ts` makes from it what `/schemas` answers. */
  readonly definition: SchemaDefinition;
};

/**
 * All collections. `version` grows with every change and is part of each statement's text. `extensions`: those of the
 * database that statements may rely on (`unaccent`, `pg_trgm`, `postgis`). `tenants`: null where there are none.
 */
export type Schema = {
  readonly version: number;
  readonly extensions: ReadonlySet<string>;
  readonly tenants: Tenants | null;
  readonly collections: ReadonlyMap<string, Collection>;
};

/** That rows belong to tenants. `ignored`: collections of users whose rows are everybody's all the same. */
export type Tenants = { readonly ignored: ReadonlySet<string> };
