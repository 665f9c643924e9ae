/** The wire shapes of `/schemas`. Definitions themselves are read by `core/schema`, which names place and mend. */
import { z } from "zod";
import { suggestion } from "../../core/errors";
import { ignored } from "../../core/query/parse";
import { indexMethods } from "../../core/schema/model";

const definition = z.record(z.string(), z.unknown()).meta({
  description:
    "name, fields, timestamps, paranoid, usertrack, sortEnabled, realtime, audit, indexes, searchable, isJunction, description",
});

/** Body of `POST /schemas`. */
export const createBody = z.strictObject({
  collectionName: z.string().meta({ description: "Letters, digits and _; becomes the table's name" }),
  schema: definition,
});

/** Body of `PATCH /schemas/:collection`: the whole definition, or `fields` that are to be otherwise. */
export const updateBody = z.strictObject({
  schema: definition.optional(),
  fields: z.record(z.string(), z.unknown()).optional().meta({
    description:
      "In place of schema: these fields alone are added, or take the place of those that are there; null takes one away",
  }),
  renames: z.record(z.string(), z.string()).optional().meta({
    description: "Fields that are called otherwise: name before → name after. schema has the names after",
  }),
});

/** Body of a rename. */
export const renameBody = z.strictObject({ to: z.string() });

/** Body of `POST /schemas/:collection/indexes`. */
export const indexBody = z.strictObject({
  name: z.string().optional().meta({ description: "Default <collection>_<fields joined by _>_idx" }),
  fields: z.array(z.string()).min(1).max(32),
  unique: z.boolean().optional(),
  nullsNotDistinct: z.boolean().optional().meta({
    description: "Of a unique index: items without a value count as equal (PostgreSQL 15 and later)",
  }),
  type: z.enum(indexMethods).optional(),
});

const action = z.enum(["CASCADE", "SET NULL", "RESTRICT", "NO ACTION"]);

/** Body of `POST /schemas/:collection/relationships`. */
export const relationshipBody = z.strictObject({
  type: z.string().meta({ description: "M2O, O2M, O2O, M2M or M2A" }),
  name: z.string(),
  target: z.string().optional(),
  alias: z.string().nullish().meta({ description: "Name of the way back on the target" }),
  foreignKey: z.string().nullish().meta({ description: "Column of the key; default <name>_Id" }),
  allowNull: z.boolean().optional(),
  unique: z.boolean().optional(),
  description: z.string().nullish(),
  onDelete: action.optional(),
  onUpdate: action.optional(),
  through: z.string().nullish().meta({ description: "Name of the junction of M2M and M2A" }),
  // Read by the edit: a list would be checked element by element before the caller is known.
  tables: z.unknown().optional().meta({ description: "Collections that an M2A relation leads to" }),
});

/** Body of `PATCH /schemas/:collection/relationships/:relation`: what is to be otherwise. */
export const relationshipChange = z.strictObject({
  alias: z.string().nullish().meta({ description: "Name of the way back on the target; null takes it away" }),
  description: z.string().nullish(),
  onDelete: action.optional(),
  onUpdate: action.optional(),
  allowNull: z.boolean().optional(),
  unique: z.boolean().optional(),
  tables: z.unknown().optional().meta({ description: "M2A: all collections that it leads to from now on" }),
  showAs: z.unknown().optional(),
  displayFormat: z.unknown().optional(),
  displayOptions: z.unknown().optional(),
  relType: z
    .string()
    .optional()
    .meta({ description: "May be repeated, not changed; so may target, foreignKey" }),
  target: z.string().optional(),
  foreignKey: z.string().optional(),
});

/** A query of these parameters alone: a mistyped `dryRun` that counts for nothing would make the change. */
function queryOf<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.looseObject(shape).superRefine((query, context) => {
    for (const name of Object.keys(query)) {
      if (ignored.has(name) || known.includes(name)) continue;
      const message = `unknown parameter${suggestion(name, known)}`;
      context.addIssue({ code: "custom", path: [name], message });
    }
  });
}

const flag = z
  .enum(["true", "false"])
  .default("false")
  .transform((text) => text === "true");

const change = {
  force: flag.meta({ description: "Accept that data is lost" }),
  dryRun: flag.meta({ description: "Change nothing; answer what would change" }),
};
const prune = flag.meta({ description: "What the document does not mention goes" });

/** Query of every change. */
export const changeQuery = queryOf(change);

/** Query of what takes no parameters. */
export const noQuery = queryOf({});

/** Query of a preview of an import. */
export const previewQuery = queryOf({ prune });

/** Query of an import. */
export const importQuery = queryOf({ ...change, prune });

const wholeNumber = (most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, "expected a whole number")
    .transform(Number)
    .pipe(z.number().min(1).max(most));

/** Query of `GET /schemas`. */
export const listQuery = queryOf({
  search: z.string().max(200).optional().meta({ description: "Part of the collection's name" }),
  page: wholeNumber(1_000_000).optional(),
  limit: z
    .union([wholeNumber(1000), z.literal("-1").transform(() => "all" as const)])
    .optional()
    .meta({ description: "Definitions a page; -1 gives all" }),
  sort: z
    .string()
    .regex(
      /^(collectionName|name):(asc|desc)$/i,
      "expected collectionName:asc, collectionName:desc, name:asc or name:desc",
    )
    .optional(),
});

export type RelationshipChange = z.output<typeof relationshipChange>;
export type RelationshipBody = z.output<typeof relationshipBody>;
export type ListQuery = z.output<typeof listQuery>;
export type ImportQuery = z.output<typeof importQuery>;
export type ChangeQuery = z.output<typeof changeQuery>;
