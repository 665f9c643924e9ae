/** What is put into the database where its log may not be read: one table, one function, and triggers on watched tables. */
import { quoteLiteral, quoteName } from "../../../core/query/statement";

/** Where changes lie until every instance has read them. */
const store = `public.${quoteName("baasix_Change")}`;
/** The channel on which each transaction is told of, by its id. */
export const channel = "baasix_change";
const prefix = "baasix_tell_";
const functionName = `public.${quoteName("baasix_tell")}`;

/** Rows of one statement, and rows and bytes of one transaction; beyond, watchers read again. */
export const mostRows = 10_000;
const mostBytes = 64 * 1024 * 1024;

/** How long changes are kept for those who read them, s; and by the writers themselves, where nobody reads. */
const kept = 60;
const keptUnread = 600;

/** A row that is told whole. No column has this name. */
const row = '"a whole row"';

/**
 * Whatever goes wrong in here must not undo what somebody wrote: then it is told that something was missed. Text must not
 * depend on the settings of whoever writes.
 */
const body = `declare columns text[]; were text[]; became text[]; n bigint; last bigint;
begin
  begin
    if tg_op = 'INSERT' then select count(*) into n from came;
    elsif tg_op <> 'TRUNCATE' then select count(*) into n from went;
    end if;
    if n = 0 then return null; end if;
    if n <= ${mostRows} then
      select array_agg(case when a.attgenerated = '' then a.attname::text end order by a.attnum) into columns
        from pg_attribute a where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped;
      if tg_op <> 'INSERT' then select array_agg(${row}::text) into were from went ${row}; end if;
      if tg_op <> 'DELETE' then select array_agg(${row}::text) into became from came ${row}; end if;
    end if;
    insert into ${store} (xid, tab, columns, were, became, n, bytes)
      values (pg_current_xact_id(), tg_table_name, columns, were, became, coalesce(n, 0),
        coalesce(pg_column_size(were), 0) + coalesce(pg_column_size(became), 0))
      returning id into last;
    perform pg_notify(${quoteLiteral(channel)}, pg_current_xact_id()::text);
    if last % 1000 = 0 then
      delete from ${store} where id in (select c.id from ${store} c
        where c.at < clock_timestamp() - interval '${keptUnread} s' order by c.id limit 10000 for update skip locked);
    end if;
  exception when others then
    perform pg_notify(${quoteLiteral(channel)}, 'gap');
  end;
  return null;
end`;

const settings = [
  "search_path = pg_catalog, pg_temp",
  "datestyle = 'ISO, MDY'",
  "timezone = 'UTC'",
  "intervalstyle = 'postgres'",
  "extra_float_digits = 1",
  "bytea_output = 'hex'",
];

/** Whether all is there as it should be, for this role. */
export const isPrepared = `select 1 from pg_proc where oid = to_regproc(${quoteLiteral(functionName)}) and prosrc = ${quoteLiteral(body)} and has_table_privilege(to_regclass(${quoteLiteral(store)}), 'SELECT')`;

/** Makes table and function. */
export const prepare = once(`
  create unlogged table if not exists ${store} (id bigint generated always as identity primary key, xid xid8 not null,
    at timestamptz not null default clock_timestamp(), tab text not null, columns text[], were text[], became text[],
    n bigint not null, bytes bigint not null);
  create index if not exists "baasix_Change_xid" on ${store} (xid);
  revoke all on ${store} from public;
  create or replace function ${functionName}() returns trigger language plpgsql security definer
    ${settings.map((setting) => `set ${setting}`).join(" ")} as ${quoteLiteral(body)};`);

/** One at a time over all instances, all or nothing. */
function once(statements: string): string {
  return `do ${quoteLiteral(`begin perform pg_advisory_xact_lock(hashtext('baasix_tell')); ${statements} end`)}`;
}

const kinds = {
  insert: "referencing new table as came",
  update: "referencing old table as went new table as came",
  delete: "referencing old table as went",
  truncate: "",
} as const;
const kindCount = Object.keys(kinds).length;

/** Rows of [table, whether all triggers are there, whether any is, the columns of its key as a JSON list]. */
export const listTables =
  `select c.relname, t.whole = ${kindCount}, t.n > 0, coalesce((select json_agg(a.attname) from pg_index i join pg_attribute a ` +
  `on a.attrelid = i.indrelid and a.attnum = any(i.indkey) where i.indrelid = c.oid and i.indisprimary), '[]')::text ` +
  `from pg_class c, lateral (select count(*) as n, count(*) filter (where g.tgenabled in ('O', 'A')) as whole ` +
  `from pg_trigger g where g.tgrelid = c.oid and starts_with(g.tgname, ${quoteLiteral(prefix)})) t ` +
  `where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')`;

/** Puts the triggers on a table; waits for those who write to it. */
export function install(table: string): string {
  const name = `public.${quoteName(table)}`;
  const triggers = Object.entries(kinds).map(([kind, tables]) => {
    const trigger = `${prefix}${kind}`;
    return (
      `if not exists (select from pg_trigger where tgrelid = ${quoteLiteral(name)}::regclass and tgname = '${trigger}' and tgenabled in ('O', 'A')) then ` +
      `drop trigger if exists ${trigger} on ${name}; ` +
      `create trigger ${trigger} after ${kind} on ${name} ${tables} for each statement execute function ${functionName}(); end if;`
    );
  });
  return `do ${quoteLiteral(`begin lock table ${name} in share row exclusive mode; ${triggers.join(" ")} end`)}`;
}

/** Takes them off. */
export function uninstall(table: string): string {
  const name = `public.${quoteName(table)}`;
  const drops = Object.keys(kinds).map((kind) => `drop trigger if exists ${prefix}${kind} on ${name};`);
  return `do ${quoteLiteral(`begin ${drops.join(" ")} end`)}`;
}

// Whoever wants a table told holds a share of its lock, which is gone with the connection.
const lockOf = (table: string): string => `hashtext('baasix_tell'), hashtext(${quoteLiteral(table)})`;
/** Each gives whether it was to be had. */
export const share = (table: string): string => `select pg_try_advisory_lock_shared(${lockOf(table)})`;
export const unshare = (table: string): string => `select pg_advisory_unlock_shared(${lockOf(table)})`;
export const takeAlone = (table: string): string => `select pg_try_advisory_lock(${lockOf(table)})`;
export const leaveAlone = (table: string): string => `select pg_advisory_unlock(${lockOf(table)})`;

/**
 * What transactions did: rows of [transaction, table, JSON lists of columns, rows as they were and as they became, ms since
 * 1970 of its last one]. The lists are null where there was too much, or a table was emptied. `$1`: ids of transactions.
 */
export const readChanges =
  `select xid::text, tab, ${told("columns")}, ${told("were")}, ${told("became")}, ` +
  `(extract(epoch from max(at) over (partition by xid)) * 1000)::int8::text, (columns is null or rows > ${mostRows} or size > ${mostBytes}) ` +
  `from (select *, sum(n) over (partition by xid) as rows, sum(bytes) over (partition by xid) as size ` +
  `from ${store} where xid = any($1::text::xid8[])) c order by id`;

function told(list: string): string {
  return `case when rows <= ${mostRows} and size <= ${mostBytes} then to_json(${list})::text end`;
}

export const forget = `delete from ${store} where at < clock_timestamp() - interval '${kept} s'`;

/** Whether something of all this is on any table. */
export const isInstalled = `select 1 from pg_trigger where starts_with(tgname, ${quoteLiteral(prefix)}) limit 1`;
