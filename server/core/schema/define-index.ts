/** `indexes` of a definition → Index. */
import { type Index, type IndexMethod, indexMethods } from "./model";
import { checkIdentifier, invalid, nameOf } from "./names";
import { type Entries, readFlag, readList, readObject, readWords } from "./readers";
import { showValue } from "./values";

const mostIndexes = 64;

/**
 * Reads the indexes over these columns of a table.
 * @throws AppError INVALID_SCHEMA with the place and the mend.
 */
export function readIndexes(
  entries: Entries,
  table: string,
  columns: readonly string[],
  place: string,
): readonly Index[] {
  const legacy = entries.has("options")
    ? readObject(entries.get("options"), `${place}.options`, null).get("indexes")
    : undefined;
  const at = `${place}.indexes`;
  const list = readList(entries.get("indexes") ?? legacy, at, mostIndexes) ?? [];
  const indexes = list.map((value, position) => readIndex(value, table, columns, `${at}[${position}]`));
  const twice = indexes.find(
    ({ name }, position) => indexes.findIndex((one) => one.name === name) !== position,
  );
  if (twice) throw invalid(at, `two indexes are named '${twice.name}'; name one of them otherwise`);
  return indexes;
}

function readIndex(value: unknown, table: string, columns: readonly string[], at: string): Index {
  const entries = readObject(value, at, ["name", "fields", "unique", "nullsNotDistinct", "type"]);
  const given = readList(entries.get("fields"), `${at}.fields`, 32) ?? [];
  if (given.length === 0) throw invalid(`${at}.fields`, "an index names at least one field");
  const fields = given.map((name, position) => {
    if (typeof name === "string" && columns.includes(name)) return name;
    throw invalid(`${at}.fields[${position}]`, `'${String(name)}' is not a field of '${table}'`);
  });
  const name = readWords(entries, "name", at);
  const unique = readFlag(entries, "unique", at, false);
  const nullsNotDistinct = readFlag(entries, "nullsNotDistinct", at, false);
  if (nullsNotDistinct && !unique)
    throw invalid(`${at}.nullsNotDistinct`, 'belongs to a unique index; add "unique": true');
  const method = readMethod(entries.get("type"), unique, fields, `${at}.type`);
  return {
    name: name === null ? nameOf.index(table, fields) : checkIdentifier(name, `${at}.name`),
    fields,
    unique,
    ...(method !== null && { method }),
    ...(nullsNotDistinct && { nullsNotDistinct }),
  };
}

/** Null: as PostgreSQL does by itself, btree. */
function readMethod(
  value: unknown,
  unique: boolean,
  fields: readonly string[],
  at: string,
): IndexMethod | null {
  if (value === undefined || value === null) return null;
  const method = indexMethods.find((known) => known === String(value).toLowerCase());
  if (!method) throw invalid(at, `expected ${indexMethods.join(", ")}, got ${showValue(value)}`);
  if (unique && method !== "btree") throw invalid(at, `a unique index is a btree, not ${method}`);
  if (fields.length > 1 && (method === "hash" || method === "spgist"))
    throw invalid(at, `an index of type ${method} has one field`);
  return method === "btree" ? null : method;
}
