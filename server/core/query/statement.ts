/** A compiled statement: the only thing the platform runs for the data pipeline. */

/**
 * SQL text and its parameters, bound in order as `$1…`. Parameters are text (or null) and the text casts them:
 * `$1::numeric`. A number bound as float8 would miss the index of a numeric column.
 */
export type Statement = { readonly text: string; readonly params: readonly (string | null)[] };

/** Quotes a name that was looked up in the schema. The only way a name enters SQL text. */
export function quoteName(name: string): string {
  let known = quoted.get(name);
  if (known === undefined) {
    known = `"${name.replaceAll('"', '""')}"`;
    if (quoted.size >= quotedCount) quoted.clear();
    quoted.set(name, known);
  }
  return known;
}

// Names are those of the schema: few, and asked for in every statement.
const quoted = new Map<string, string>();
const quotedCount = 10_000;

/** Quotes a literal for DDL, where PostgreSQL allows no parameters. */
export function quoteLiteral(value: string): string {
  const escaped = value.replaceAll("'", "''");
  return escaped.includes("\\") ? `E'${escaped.replaceAll("\\", "\\\\")}'` : `'${escaped}'`;
}
