/** SQL that defines: how a field's default and column are written, and the statements of each schema change. */
import { quoteLiteral, quoteName } from "../query/statement";
import { castType, parseValue } from "./fields";
import type { Collection, Field } from "./model";
import { nameOf } from "./names";

/** 122 random bits as 22 characters that need no escaping in a URL. */
const suid = `translate(rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_')`;

/**
 * The SQL expression that gives a field its default value inside an INSERT, or null when it has none.
 * For the column itself use `columnDefault`: PostgreSQL allows no sub-select there.
 */
export function defaultSql(field: Field, collection: Pick<Collection, "name">): string | null {
  const made = field.default;
  switch (made?.kind) {
    case undefined:
      return null;
    case "uuid":
      return field.type === "UUID" ? "gen_random_uuid()" : "gen_random_uuid()::text";
    case "suid":
      return suid;
    case "now":
      return field.type === "DateTime" ? "now()" : `(now() at time zone 'UTC')::${castType(field)}`;
    case "autoincrement":
      return `nextval(${quoteLiteral(quoteName(nameOf.sequence(collection.name, field.name)))}::regclass)`;
    case "sql":
      return `(${made.expression})`;
    case "static":
      return `${quoteLiteral(parseValue(made.value, field) ?? "")}::${castType(field)}`;
  }
}

/** True for a default that only an INSERT can evaluate, because it reads a table. */
export function isInsertDefault(field: Field): boolean {
  return field.default?.kind === "sql" && /\bselect\b/.test(field.default.expression);
}
