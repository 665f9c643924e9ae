/** What an import may be told: query parameters, or text parts of the form beside the file. */
import { z } from "zod";
import { AppError, suggestion } from "../../core/errors";
import { ignored } from "../../core/query/parse";

const flag = z.enum(["true", "false"], "expected true or false").transform((text) => text === "true");

const options = z.object({
  /** `all`: every row or none. `partial`: the good rows stay, the others are told. */
  mode: z.enum(["all", "partial"], "expected all or partial").default("all"),
  dryRun: flag.default(false),
  /** Fields that are unique together: rows that are there are changed. */
  on: z
    .string()
    .transform((text) => text.split(",").map((name) => name.trim()))
    .refine((names) => names.every((name) => name !== ""), "expected names of fields, as in on=sku")
    .optional(),
  /** What an empty text means. By default nothing, but for a cell `""` of a CSV file. */
  empty: z.enum(["null", "text"], "expected null or text").optional(),
  /** Whose the rows are that do not say it. */
  tenant: z.uuid("expected the id of a tenant").optional(),
  delimiter: z
    .enum([",", ";", "|", "tab", "\t"], "expected one of , ; | tab")
    .transform((name) => (name === "tab" ? "\t" : name))
    .default(","),
});

/** How a file is imported. */
export type ImportOptions = z.output<typeof options>;

/** The names that `readOptions` knows. */
const optionNames: readonly string[] = Object.keys(options.shape);

/**
 * Reads the options of an import.
 * @throws AppError INVALID_QUERY for a value, or a name, that is not known.
 */
export function readOptions(given: Readonly<Record<string, unknown>>): ImportOptions {
  for (const name of Object.keys(given)) {
    if (!optionNames.includes(name) && !ignored.has(name)) {
      throw new AppError(
        "INVALID_QUERY",
        `'${name}' is no option of an import${suggestion(name, optionNames)}; known are ${optionNames.join(", ")}`,
      );
    }
  }
  const read = options.safeParse({ ...given });
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  throw new AppError("INVALID_QUERY", `${issue?.path.join(".")}: ${issue?.message}`);
}
