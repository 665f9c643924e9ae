/** Operators on text. */
import { type Pattern, words } from "./operands";
import type { Operator } from "./operator";

const escaped = (text: string): string => text.replace(/[\\%_]/g, "\\$&");
/** The same of a value that only PostgreSQL knows. */
const escapedSql = (text: string): string => `regexp_replace(${text}, '([\\\\%_])', '\\\\\\1', 'g')`;

/** The user's own `%` count; without any, the text may stand anywhere. */
const anywhere: Pattern = {
  text: (text) => (text.includes("%") ? text : `%${text}%`),
  sql: (text) =>
    `(select case when strpos(v, '%') > 0 then v else '%' || v || '%' end from (select ${text}) as p(v))`,
};
const inside: Pattern = {
  text: (text) => `%${escaped(text)}%`,
  sql: (text) => `('%' || ${escapedSql(text)} || '%')`,
};
const first: Pattern = { text: (text) => `${escaped(text)}%`, sql: (text) => `(${escapedSql(text)} || '%')` };
const last: Pattern = { text: (text) => `%${escaped(text)}`, sql: (text) => `('%' || ${escapedSql(text)})` };

type Options = { readonly aliases?: readonly string[]; readonly instead?: Operator["instead"] };

/** `tail` `escape ''`: in like and ilike a backslash is a backslash, so no pattern is malformed. */
const matching = (
  name: string,
  sign: string,
  pattern: Pattern,
  description: string,
  { aliases = [], instead }: Options = {},
): Operator => {
  const tail = pattern === anywhere ? " escape ''" : "";
  return {
    name,
    aliases,
    on: ["text"],
    operand: instead === undefined ? words(pattern) : { ...words(pattern), kind: "contents" },
    description,
    sql: (column, [operand]) => `${column} ${sign} ${operand}${tail}`,
    ...(instead && { instead }),
  };
};

export const text: readonly Operator[] = [
  matching("like", "like", anywhere, "matches with % as wildcard; without any, contains (case-sensitive)"),
  matching("notLike", "not like", anywhere, "negation of like"),
  matching("ilike", "ilike", anywhere, "like, in any letter case", { aliases: ["iLike"] }),
  matching("notILike", "not ilike", anywhere, "negation of ilike", { aliases: ["notIlike"] }),
  matching(
    "contains",
    "ilike",
    inside,
    "contains the text, in any letter case; Array, JSON and Range: arraycontains, jsonbContains, rangeContains",
    { instead: { list: "arraycontains", json: "jsonbContains", range: "rangeContains" } },
  ),
  matching("startsWith", "ilike", first, "begins with the text, in any letter case"),
  matching("endsWith", "ilike", last, "ends with the text, in any letter case"),
  matching("startsWiths", "like", first, "begins with the text, case-sensitive"),
  matching("endsWiths", "like", last, "ends with the text, case-sensitive"),
  matching("nstartsWith", "not ilike", first, "negation of startsWith"),
  matching("nendsWith", "not ilike", last, "negation of endsWith"),
  matching("nstartsWiths", "not like", first, "negation of startsWiths"),
  matching("nendsWiths", "not like", last, "negation of endsWiths"),
];
