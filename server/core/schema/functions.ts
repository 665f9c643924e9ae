/**
 * Functions of ours that the database holds for our statements: as they should be, as they are, and what brings them in
 * step. Comparing is a read of a millisecond; making them anew at every start took thirty.
 */
import { quoteLiteral, quoteName, type Statement } from "../query/statement";

const plain = (text: string): Statement => ({ text, params: [] });

/**
 * A function in SQL. `takes` and `head` stand as PostgreSQL tells them back: `head` is
 * `returns … language … [immutable | stable] [strict] [parallel safe] [cost …]`, in this order.
 */
export type SqlFunction = {
  readonly name: string;
  readonly takes: string;
  readonly head: string;
  readonly body: string;
};

/** Rows of [name, takes, head, body]: the functions of ours that the database has, but those of triggers. */
export const loadFunctions: Statement = plain(
  "select proname, pg_get_function_arguments(p.oid), 'returns ' || pg_get_function_result(p.oid) || ' language ' || " +
    "lanname || case provolatile when 'i' then ' immutable' when 's' then ' stable' else '' end || " +
    "case when proisstrict then ' strict' else '' end || case when prosecdef then ' security definer' else '' end || " +
    "case proparallel when 's' then ' parallel safe' when 'r' then ' parallel restricted' else '' end || " +
    "case when procost = 100 then '' else ' cost ' || procost end || coalesce(' set ' || proconfig::text, ''), prosrc " +
    "from pg_proc p join pg_language l on l.oid = prolang where pronamespace = 'public'::regnamespace " +
    "and starts_with(proname, 'baasix_') and prorettype <> 'trigger'::regtype",
);

/** Those that the database lacks, or has otherwise. `present`: rows of `loadFunctions`. */
export function staleFunctions(
  wanted: readonly SqlFunction[],
  present: readonly (readonly unknown[])[],
): readonly SqlFunction[] {
  const known = new Map(
    present.map(([name, takes, ...rest]) => [`${String(name)}(${String(takes)})`, rest.join("\n")] as const),
  );
  return wanted.filter(
    ({ name, takes, head, body }) => known.get(`${name}(${takes})`) !== `${head}\n${body}`,
  );
}

/** Makes a function, or makes it anew. */
export function putFunction({ name, takes, head, body }: SqlFunction): Statement {
  return plain(`create or replace function ${quoteName(name)}(${takes}) ${head} as ${quoteLiteral(body)}`);
}

/** What statements call. `version`: the server's, as `server_version_num` tells it. */
export function statementFunctions(version: number): readonly SqlFunction[] {
  return [
    {
      // Raises SQLSTATE BX403 with the text as message: how a statement refuses the rows that it wrote.
      name: "baasix_refuse",
      takes: "message text",
      head: "returns boolean language plpgsql",
      body: " begin raise exception using errcode = 'BX403', message = message; end ",
    },
    {
      // The same with another SQLSTATE, BX400 (invalid) or BX412 (another version), and what there is to tell as JSON.
      name: "baasix_refuse",
      takes: "message text, state text, detail text",
      head: "returns boolean language plpgsql",
      body: " begin raise exception using errcode = state, message = message, detail = detail; end ",
    },
    {
      // Works out a default that reads tables, as text, with a snapshot of its own: for each row of an INSERT after the
      // rows before it. A sub-select in the INSERT itself is worked out once.
      name: "baasix_evaluate",
      takes: "expression text",
      head: "returns text language plpgsql",
      body: " declare made text; begin execute 'select (' || expression || ')::text' into made; return made; end ",
    },
    {
      // True when a text can be read as the type: casts of columns in filters ask before they cast. Before version 16
      // PostgreSQL only knows by trying.
      name: "baasix_castable",
      takes: "value text, type text",
      ...(version >= 160_000
        ? {
            head: "returns boolean language sql stable parallel safe",
            body: " select pg_input_is_valid(value, type) ",
          }
        : {
            head: "returns boolean language plpgsql stable",
            body:
              " begin execute format('select %L::%s', value, type::regtype); " +
              "return value is not null; exception when others then return false; end ",
          }),
    },
  ];
}
