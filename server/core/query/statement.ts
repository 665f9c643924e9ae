/** A compiled statement: the only thing the platform runs for the data pipeline. */

/**
 * SQL text and its parameters, bound in order as `$1…`. Parameters are text (or null) and the text casts them:
 * `$1::numeric`. A number bound as float8 would miss the index of a numeric column.
 */
export type Statement = { readonly text: string; readonly params: readonly (string | null)[] };

/** Quotes a name that was looked up in the schema. The only way a name enters SQL text. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a literal for DDL, where PostgreSQL allows no parameters. */
export function quoteLiteral(value: string): string {
  const escaped = value.replaceAll("'", "''");
  return escaped.includes("\\") ? `E'${escaped.replaceAll("\\", "\\\\")}'` : `'${escaped}'`;
}
