/** Schema definitions as they are written, stored and answered by `/schemas`. */
import type { Json } from "./values";

/** Field types. Letter case is ignored on input (`ENUM` = `Enum`). `Array_Integer` is an Array of Integer, `Range_Date` a Range. */
export type FieldType =
  | "UUID"
  | "SUID"
  | "String"
  | "Text"
  | "HTML"
  | "CiText"
  | "TOKEN"
  | "Integer"
  | "BigInt"
  | "Boolean"
  | "DateTime"
  | "DateTime_NO_TZ"
  | "Date"
  | "Time"
  | "Time_NO_TZ"
  | "Decimal"
  | "Double"
  | "Float"
  | "Real"
  | "JSON"
  | "JSONB"
  | "Enum"
  | "VIRTUAL"
  | "Point"
  | "LineString"
  | "Polygon"
  | "MultiPoint"
  | "MultiLineString"
  | "MultiPolygon"
  | "GeometryCollection"
  | "Geometry"
  | "Geography"
  | "Array"
  | "Range";

/** A generated default, or `SQL` with one expression that administrators alone may write. */
export type GeneratedDefault =
  | { readonly type: "UUIDV4" | "SUID" | "NOW" | "AUTOINCREMENT" }
  | { readonly type: "SQL"; readonly value: string };

/** A default: generated, or any static value (bare, or as `{value}`). */
export type DefaultValue = GeneratedDefault | { readonly value: Json } | Json;

/** Rules that every written value of the field must meet. */
export type ValidationRules = {
  readonly min?: number;
  readonly max?: number;
  readonly isInt?: boolean;
  readonly notEmpty?: boolean;
  readonly isEmail?: boolean;
  readonly isUrl?: boolean;
  readonly len?: readonly [number, number];
  /** A regular expression, without delimiters. */
  readonly is?: string;
  readonly matches?: string;
};

/** What happens to the holder of a key when its target goes. */
export type ReferentialAction = "CASCADE" | "SET NULL" | "RESTRICT" | "NO ACTION";

/** A field, or (with `relType`) a relation. */
export type FieldDefinition = {
  readonly type?: FieldType | (string & {});
  readonly primaryKey?: boolean;
  /** Default true; a primary key is never null. */
  readonly allowNull?: boolean;
  readonly unique?: boolean;
  /** Set once: a value that is there never changes again. */
  readonly immutable?: boolean;
  readonly defaultValue?: DefaultValue;
  /** Same as `defaultValue`. */
  readonly default?: DefaultValue;
  /**
   * `{length}` of String, `{precision, scale}` of Decimal, `{type}` of Array and Range, `{srid}` of PostGIS types, the list
   * (or `{values}`) of Enum.
   */
  readonly values?: Json;
  /** An SQL expression over the other fields: the database works the value out and keeps it. VIRTUAL is such a text. */
  readonly calculated?: string;
  readonly validate?: ValidationRules;
  readonly description?: string;
  readonly comment?: string;
  /** Never readable by anyone over the API. System collections only. */
  readonly hidden?: boolean;
  readonly SystemGenerated?: boolean | "true";
  /** `BelongsTo`: the key is a column here. `HasMany`, `HasOne`: it is one of the target. */
  readonly relType?: "BelongsTo" | "HasMany" | "HasOne";
  readonly target?: string;
  readonly foreignKey?: string;
  readonly targetKey?: string;
  readonly as?: string;
  /** `false`: no foreign key in the database. */
  readonly constraints?: boolean;
  /** A column of the key's holder and its value: only such rows are related. */
  readonly scope?: { readonly [column: string]: string };
  /** The list of an M2A relation, and the collections that it may lead to. Told only; the junction decides. */
  readonly polymorphic?: boolean;
  readonly tables?: readonly string[];
  readonly onDelete?: ReferentialAction;
  readonly onUpdate?: ReferentialAction;
};

/** An index; `name` defaults to `<collection>_<fields joined by _>_idx`. */
export type IndexDefinition = {
  readonly name?: string;
  readonly fields: readonly string[];
  readonly unique?: boolean;
  /** Of a unique index: two items without a value count as equal (PostgreSQL 15 and later). */
  readonly nullsNotDistinct?: boolean;
  /** Default `btree`. `gin` suits JSON and Array, `gist` ranges and PostGIS types. */
  readonly type?: "btree" | "hash" | "gin" | "gist" | "spgist" | "brin";
};

/** One collection's definition. */
export type SchemaDefinition = {
  readonly name: string;
  readonly fields: { readonly [field: string]: FieldDefinition };
  /** `createdAt` and `updatedAt`; default true. */
  readonly timestamps?: boolean;
  /** Soft delete by `deletedAt`; default false. */
  readonly paranoid?: boolean;
  /** `userCreated_Id`, `userUpdated_Id` and their relations; default false. */
  readonly usertrack?: boolean;
  /** A field `sort` that numbers new items; default false. */
  readonly sortEnabled?: boolean;
  /**
   * `false` keeps the collection out of the change feed; default true. `actions`: what subscribers are told of, all three
   * unless given (live queries follow everything). `replicaIdentityFull: false` makes less of a log, and every update
   * and delete a `resync`.
   */
  readonly realtime?:
    | boolean
    | {
        readonly enabled?: boolean;
        readonly actions?: readonly ("insert" | "update" | "delete")[];
        readonly replicaIdentityFull?: boolean;
      };
  /** `false` keeps its changes out of the audit log; default true. */
  readonly audit?: boolean;
  readonly indexes?: readonly IndexDefinition[];
  /**
   * Makes an index for searches: `true` over every text field, or over the named fields. `fuzzy` makes another one for
   * `searchMode=fuzzy`, where the database has `pg_trgm`. Both cost time with every write.
   */
  readonly searchable?:
    boolean | readonly string[] | { readonly fields?: readonly string[]; readonly fuzzy?: boolean };
  /** Holds the pairs of an M2M or M2A relation. Only such a collection may be called `…_junction`. */
  readonly isJunction?: boolean;
  readonly description?: string;
};

/** A collection with its definition, as `/schemas` answers it. */
export type SchemaRecord = { readonly collectionName: string; readonly schema: SchemaDefinition };

/** Body of `POST /schemas/:collection/relationships`. */
export type RelationshipDefinition = {
  readonly type: "M2O" | "O2M" | "O2O" | "M2M" | "M2A";
  readonly name: string;
  /** All but M2A. */
  readonly target?: string;
  /** M2A: the collections that it may lead to. */
  readonly tables?: readonly string[];
  /** Name of the way back, on the target. */
  readonly alias?: string;
  /** Column of the key; default `<name>_Id`, for O2M `<alias>_Id`. */
  readonly foreignKey?: string;
  /** M2M, M2A: name of the junction; default `<source>_<target>_<name>_junction`, for M2A `<source>_<name>_junction`. */
  readonly through?: string;
  readonly allowNull?: boolean;
  readonly unique?: boolean;
  readonly description?: string;
  readonly onDelete?: ReferentialAction;
  readonly onUpdate?: ReferentialAction;
};

/** One step of a schema change. `loses` tells what data would be gone, `blocked` why it cannot be made even by force. */
export type SchemaChange = {
  readonly kind: string;
  readonly collection: string;
  readonly field?: string;
  readonly from?: Json;
  readonly to?: Json;
  readonly loses?: string;
  readonly blocked?: string;
};

/** Body of `PATCH /schemas/:collection/relationships/:name`: what is to be otherwise. */
export type RelationshipChange = {
  /** Name of the way back on the target; null takes it away. */
  readonly alias?: string | null;
  readonly description?: string | null;
  readonly onDelete?: ReferentialAction;
  readonly onUpdate?: ReferentialAction;
  readonly allowNull?: boolean;
  readonly unique?: boolean;
  /** M2A: all collections that it leads to from now on. */
  readonly tables?: readonly string[];
};

/** A definition as it is exported: with the times at which it was stored. */
export type ExportedSchema = SchemaRecord & { readonly createdAt?: string; readonly updatedAt?: string };

/** Answer of `GET /schemas-export`, and what an import takes. */
export type SchemaExport = {
  readonly version?: string;
  readonly timestamp?: string | null;
  readonly schemas: readonly ExportedSchema[];
};

/** How one part of a definition differs: a field, or `indexes`, `timestamps`, `name` and the like. */
export type SchemaDifference =
  | { readonly type: "added" | "removed"; readonly details: Json }
  | { readonly type: "modified"; readonly from: Json; readonly to: Json };

/**
 * Answer of `POST /schemas-preview-import`: how the server differs from the document, and in `plan` what an import would
 * do. What is `deleted` or removed goes only when the import is told to prune.
 */
export type SchemaImportPreview = {
  readonly importVersion: string;
  readonly importTimestamp: string | null;
  readonly changes: {
    readonly new: readonly { readonly collectionName: string; readonly details: SchemaDefinition }[];
    readonly modified: readonly {
      readonly collectionName: string;
      readonly differences: { readonly [part: string]: SchemaDifference };
    }[];
    readonly deleted: readonly string[];
    readonly unchanged: readonly string[];
  };
  readonly plan: readonly SchemaChange[];
  readonly skipped: readonly SkippedSchema[];
};

/** A definition of an import that says nothing to this server. */
export type SkippedSchema = { readonly collectionName: string; readonly reason: string };

/** Answer of `POST /schemas-import`: all of it was done. Names of collections. */
export type SchemaImportResult = {
  readonly message: string;
  readonly changes: {
    readonly created: readonly string[];
    readonly updated: readonly string[];
    readonly unchanged: readonly string[];
    readonly deleted: readonly string[];
    readonly errors: readonly string[];
  };
  readonly skipped: readonly SkippedSchema[];
};

/** Answer of `POST /schemas/indexes/migrate`. `field`: the fields of the index, joined by a comma. */
export type IndexMigration = {
  readonly message: string;
  readonly summary: { readonly created: number; readonly skipped: number; readonly errors: number };
  readonly details: {
    readonly created: readonly {
      readonly collection: string;
      readonly indexName: string;
      readonly field: string;
    }[];
    readonly skipped: readonly {
      readonly collection: string;
      readonly indexName: string;
      readonly reason: string;
    }[];
    readonly errors: readonly {
      readonly collection: string;
      readonly indexName: string;
      readonly error: string;
    }[];
  };
};
