/**
 * SQL defaults that administrators write: read into tokens, matched against closed lists, and written anew.
 * Nothing of the given text reaches the database that was not understood here.
 */
import { suggestion } from "../errors";
import { quoteLiteral, quoteName } from "../query/statement";
import type { Collection } from "./model";
import { invalid } from "./names";

/** Finds the collection that a sub-select reads. */
export type FindCollection = (name: string) => Pick<Collection, "name" | "fields" | "guarded"> | undefined;

/** A checked expression, safe to stand in a statement. `subselect`: it must be evaluated by the INSERT. */
export type Expression = { readonly sql: string; readonly subselect: boolean };

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));
const functions = words(
  "now transaction_timestamp statement_timestamp clock_timestamp date_trunc date_part age make_date make_interval " +
    "make_time make_timestamptz to_char to_date to_timestamp to_number gen_random_uuid uuidv4 uuidv7 random floor ceil " +
    "ceiling round trunc abs mod power sqrt sign greatest least coalesce nullif upper lower initcap concat concat_ws " +
    "left right lpad rpad substr replace btrim ltrim rtrim length char_length md5 chr to_jsonb jsonb_build_object " +
    "jsonb_build_array json_build_object json_build_array",
);
const aggregates = words("max min count sum avg bool_and bool_or");
const constants = words(
  "true false null current_date current_time current_timestamp localtime localtimestamp",
);
const types = words(
  "text varchar integer int bigint smallint numeric decimal real boolean date time timestamp timestamptz interval uuid json jsonb",
);
const typedLiterals = words("interval date time timestamp timestamptz");
const infixes = words("+ - * / % ^ || = <> != < <= > >= -> ->> and or like ilike");
const deepest = 32;
const longest = 2000;

/** `start` and `end`: where it stands in the text. */
type Token = {
  readonly kind: "name" | "quoted" | "text" | "number" | "sign" | "end";
  readonly text: string;
  readonly start: number;
  readonly end: number;
};

const tokenPattern =
  /\s*(?:([A-Za-z_][A-Za-z0-9_]*)|"((?:[^"]|"")+)"|'((?:[^']|'')*)'|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(::|->>|->|\|\||<>|!=|<=|>=|[-+*/%^=<>()[\],.]))/y;

/**
 * Checks one SQL expression: literals, allow-listed functions, operators, casts, CASE, and sub-selects of exactly one
 * aggregate value over a collection, `(SELECT MAX(sort) + 1 FROM items)`.
 * @throws AppError INVALID_SCHEMA with the place and what is allowed.
 */
export function readExpression(text: unknown, place: string, find: FindCollection): Expression {
  if (typeof text !== "string" || text.trim() === "") {
    throw invalid(place, "expected an SQL expression as text, such as \"now() + interval '7 days'\"");
  }
  if (text.length > longest) throw invalid(place, `an expression may have ${longest} characters`);
  const reader = createReader(tokenize(text, place), place, find);
  const sql = reader.whole();
  return { sql, subselect: reader.subselects() > 0 };
}

/**
 * Checks the expression of a calculated field: as `readExpression`, with the other fields of the collection and without
 * sub-selects. PostgreSQL itself refuses what is not the same every time, such as now().
 * @throws AppError INVALID_SCHEMA
 */
export function readRowExpression(
  text: string,
  place: string,
  table: NonNullable<ReturnType<FindCollection>>,
): string {
  if (text.length > longest) throw invalid(place, `an expression may have ${longest} characters`);
  const row: Scope = { table, columns: true, aggregates: false, row: true };
  return createReader(tokenize(text, place), place, () => undefined).whole(row);
}

function tokenize(text: string, place: string): readonly Token[] {
  if (/--|\/\*|;|\$/.test(text.replace(/'(?:[^']|'')*'/g, "''"))) {
    throw invalid(place, "one expression only: no ';', no comment, no '$'");
  }
  const tokens: Token[] = [];
  tokenPattern.lastIndex = 0;
  const end = text.trimEnd().length;
  while (tokenPattern.lastIndex < end) {
    const at = tokenPattern.lastIndex;
    const match = tokenPattern.exec(text);
    if (!match) throw invalid(place, `cannot be read at '${text.slice(at, at + 20).trim()}'`);
    const [whole, name, quoted, literal, number, sign] = match;
    const last = at + whole.length;
    const span = { start: last - whole.trimStart().length, end: last };
    if (name !== undefined) tokens.push({ kind: "name", text: name, ...span });
    else if (quoted !== undefined)
      tokens.push({ kind: "quoted", text: quoted.replaceAll('""', '"'), ...span });
    else if (literal !== undefined)
      tokens.push({ kind: "text", text: literal.replaceAll("''", "'"), ...span });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, ...span });
    else tokens.push({ kind: "sign", text: sign ?? "", ...span });
  }
  return [...tokens, { kind: "end", text: "the end", start: end, end }];
}

/** Where a column may stand: nowhere, in a sub-select over this collection, or (`row`) as a field of the very row. */
type Scope = {
  readonly table: NonNullable<ReturnType<FindCollection>> | null;
  readonly columns: boolean;
  readonly aggregates: boolean;
  readonly row?: boolean;
};
const outside: Scope = { table: null, columns: false, aggregates: false };

/** A name in an expression: of a collection (`field` null), or of one of its fields. */
type NameUse = {
  readonly collection: string;
  readonly field: string | null;
  readonly start: number;
  readonly end: number;
};

/**
 * The expression with other names in the places where it names collections and fields; everything else stays as it was
 * written. `table`: the collection whose row it is calculated from; null for a default.
 * @throws AppError INVALID_SCHEMA for an expression that cannot be read
 */
export function renameInExpression(
  text: string,
  place: string,
  find: FindCollection,
  table: NonNullable<ReturnType<FindCollection>> | null,
  nameOf: (collection: string, field: string | null) => string,
): string {
  const uses: NameUse[] = [];
  const reader = createReader(tokenize(text, place), place, find, (use) => uses.push(use));
  reader.whole(table === null ? outside : { table, columns: true, aggregates: false, row: true });
  let renamed = text;
  for (const { collection, field, start, end } of uses.toSorted((a, b) => b.start - a.start)) {
    const name = nameOf(collection, field);
    // Quoted: as a bare word it might mean something else.
    if (name !== (field ?? collection))
      renamed = renamed.slice(0, start) + quoteName(name) + renamed.slice(end);
  }
  return renamed;
}

function createReader(
  tokens: readonly Token[],
  place: string,
  find: FindCollection,
  onName: (use: NameUse) => void = () => undefined,
) {
  let at = 0;
  let depth = 0;
  let subselects = 0;

  const peek = (ahead = 0): Token => tokens[Math.min(at + ahead, tokens.length - 1)] as Token;
  const next = (): Token => {
    const token = peek();
    at++;
    return token;
  };
  const is = (text: string, ahead = 0): boolean => {
    const token = peek(ahead);
    return (token.kind === "name" || token.kind === "sign") && token.text.toLowerCase() === text;
  };
  const take = (text: string): boolean => is(text) && at++ >= 0;
  const fail = (what: string) => invalid(place, what);
  const expect = (text: string): void => {
    if (!take(text)) throw fail(`expected '${text}' before '${peek().text}'`);
  };

  function expression(scope: Scope): string {
    if (++depth > deepest) throw fail(`parentheses may be nested ${deepest} deep`);
    let sql = operand(scope);
    for (;;) {
      if (infixes.has(peek().text.toLowerCase()) && (peek().kind === "sign" || peek().kind === "name")) {
        sql += ` ${next().text.toLowerCase()} ${operand(scope)}`;
      } else if (is("not") && (is("like", 1) || is("ilike", 1) || is("in", 1) || is("between", 1))) {
        at++;
        sql += ` not${suffix(scope)}`;
      } else {
        const more = suffix(scope);
        if (more === "") break;
        sql += more;
      }
    }
    depth--;
    return sql;
  }

  function suffix(scope: Scope): string {
    if (take("like")) return ` like ${operand(scope)}`;
    if (take("ilike")) return ` ilike ${operand(scope)}`;
    if (take("between")) {
      const low = operand(scope);
      expect("and");
      return ` between ${low} and ${operand(scope)}`;
    }
    if (take("in")) return ` in (${list(scope, "(", ")")})`;
    if (take("is")) {
      const not = take("not") ? "not " : "";
      for (const value of ["null", "true", "false"]) if (take(value)) return ` is ${not}${value}`;
      throw fail("expected null, true or false after 'is'");
    }
    return "";
  }

  function operand(scope: Scope): string {
    if (take("not")) return `not ${operand(scope)}`;
    if (take("-")) return `- ${operand(scope)}`;
    if (take("+")) return `+ ${operand(scope)}`;
    let sql = primary(scope);
    for (;;) {
      if (take("::")) sql += `::${type()}`;
      else if (is("at") && is("time", 1) && is("zone", 2)) {
        at += 3;
        sql += ` at time zone ${primary(scope)}`;
      } else return sql;
    }
  }

  function primary(scope: Scope): string {
    const token = next();
    if (token.kind === "text") return quoteLiteral(token.text);
    if (token.kind === "number") return token.text;
    if (token.kind === "quoted") return column(token.text, scope);
    if (token.kind === "sign" && token.text === "(") return parenthesis(scope);
    if (token.kind !== "name") throw fail(`unexpected '${token.text}'`);
    const word = token.text.toLowerCase();
    if (is("(")) return call(word, token.text, scope);
    if (word === "case") return choice(scope);
    if (word === "array" && is("[")) return `array[${list(scope, "[", "]")}]`;
    if (constants.has(word)) return word;
    if (typedLiterals.has(word) && peek().kind === "text") return `${word} ${quoteLiteral(next().text)}`;
    return column(token.text, scope);
  }

  function parenthesis(scope: Scope): string {
    if (is("select") && scope.row) throw fail("a calculated field knows its own row alone, no sub-select");
    if (is("select")) {
      const sql = subselect(scope);
      expect(")");
      return `(${sql})`;
    }
    const sql = expression(scope);
    expect(")");
    return `(${sql})`;
  }

  function list(scope: Scope, open: string, close: string): string {
    expect(open);
    const items: string[] = [];
    if (!is(close)) {
      do items.push(expression(scope));
      while (take(","));
    }
    expect(close);
    return items.join(", ");
  }

  function call(name: string, written: string, scope: Scope): string {
    if (name === "cast") {
      expect("(");
      const sql = expression(scope);
      expect("as");
      const target = type();
      expect(")");
      return `cast(${sql} as ${target})`;
    }
    if (name === "extract") {
      expect("(");
      const part = next();
      if (part.kind === "sign" || part.kind === "end") throw fail("extract: expected a part such as 'year'");
      expect("from");
      const sql = expression(scope);
      expect(")");
      return `extract(${quoteLiteral(part.text.toLowerCase())} from ${sql})`;
    }
    if (aggregates.has(name)) return aggregate(name, scope);
    if (!functions.has(name)) {
      throw fail(
        `function '${written}' is not allowed${suggestion(name, [...functions, ...aggregates])}; allowed are ${[...functions].join(", ")}`,
      );
    }
    return `${name}(${list(scope, "(", ")")})`;
  }

  function aggregate(name: string, scope: Scope): string {
    if (scope.row) throw fail(`'${name}' looks at many rows; a calculated field knows its own row alone`);
    if (!scope.aggregates)
      throw fail(`'${name}' belongs into a sub-select: (SELECT ${name}(field) FROM collection)`);
    if (name === "count" && is("*", 1)) {
      at += 2;
      expect(")");
      return "count(*)";
    }
    return `${name}(${list({ ...scope, columns: true, aggregates: false }, "(", ")")})`;
  }

  function choice(scope: Scope): string {
    let sql = "case";
    if (!is("when")) sql += ` ${expression(scope)}`;
    while (take("when")) {
      sql += ` when ${expression(scope)}`;
      expect("then");
      sql += ` then ${expression(scope)}`;
    }
    if (take("else")) sql += ` else ${expression(scope)}`;
    expect("end");
    return `${sql} end`;
  }

  function type(): string {
    const token = next();
    const name = token.text.toLowerCase();
    let sql: string;
    if (token.kind === "name" && name === "double" && take("precision")) sql = "double precision";
    else if (token.kind === "name" && types.has(name)) sql = name;
    else throw fail(`cannot cast to '${token.text}'${suggestion(name, types)}`);
    if (take("(")) {
      const sizes = [next().text];
      if (take(",")) sizes.push(next().text);
      expect(")");
      if (!sizes.every((size) => /^\d{1,4}$/.test(size))) throw fail(`${sql}: expected its size in digits`);
      sql += `(${sizes.join(",")})`;
    }
    if (is("[") && is("]", 1)) {
      at += 2;
      sql += "[]";
    }
    return sql;
  }

  // The FROM clause comes after the names that it explains: it is read first, then the select list.
  function subselect(scope: Scope): string {
    if (scope.table !== null) throw fail("a sub-select may not hold another one");
    expect("select");
    const start = at;
    const from = fromOf();
    const table = tableAt(from + 1);
    at = start;
    const selected = expression({ table, columns: false, aggregates: true });
    if (at !== from) {
      throw fail(`a sub-select gives exactly one value: unexpected '${peek().text}' before FROM`);
    }
    const aggregated = tokens.slice(start, from).some((token, index) => {
      const opens = tokens[start + index + 1];
      return token.kind === "name" && aggregates.has(token.text.toLowerCase()) && opens?.text === "(";
    });
    if (!aggregated) {
      throw fail(
        "a sub-select needs an aggregate, such as (SELECT MAX(sort) + 1 FROM items): it must give one row",
      );
    }
    at = from + 2;
    const where = take("where") ? ` where ${expression({ table, columns: true, aggregates: false })}` : "";
    subselects++;
    return `select ${selected} from ${quoteName(table.name)}${where}`;
  }

  function fromOf(): number {
    let open = 0;
    for (let index = at; index < tokens.length; index++) {
      const token = tokens[index] as Token;
      if (token.kind === "sign" && token.text === "(") open++;
      if (token.kind === "sign" && token.text === ")" && open-- === 0) break;
      if (open === 0 && token.kind === "name" && token.text.toLowerCase() === "from") return index;
    }
    throw fail("a sub-select needs FROM and the name of a collection");
  }

  function tableAt(index: number): NonNullable<ReturnType<FindCollection>> {
    const token = tokens[index] as Token;
    const table = token.kind === "name" || token.kind === "quoted" ? find(token.text) : undefined;
    if (!table || table.guarded) throw fail(`FROM '${token.text}': there is no such collection`);
    onName({ collection: table.name, field: null, start: token.start, end: token.end });
    return table;
  }

  function column(name: string, scope: Scope): string {
    if (scope.table === null) {
      throw fail(`'${name}' is not allowed here; a default knows no columns (quote text with '…')`);
    }
    let wanted = name;
    const said = peek(-1);
    if (name === scope.table.name && take(".")) {
      onName({ collection: scope.table.name, field: null, start: said.start, end: said.end });
      wanted = next().text;
    }
    const { start, end } = peek(-1);
    onName({ collection: scope.table.name, field: wanted, start, end });
    const field = scope.table.fields.get(wanted);
    if (!field || field.hidden) {
      const valid = [...scope.table.fields.values()].filter((one) => !one.hidden).map((one) => one.name);
      throw fail(`'${scope.table.name}' has no field '${wanted}'${suggestion(wanted, valid)}`);
    }
    if (scope.row && field.generated !== null) {
      throw fail(
        `'${wanted}' is calculated itself; PostgreSQL allows no field that follows from another such one`,
      );
    }
    if (!scope.columns) throw fail(`'${wanted}' must stand inside an aggregate, such as MAX(${wanted})`);
    return quoteName(field.name);
  }

  return {
    whole: (scope = outside): string => {
      const sql = expression(scope);
      if (peek().kind !== "end") throw fail(`unexpected '${peek().text}' after '${sql}'`);
      return sql;
    },
    subselects: (): number => subselects,
  };
}
