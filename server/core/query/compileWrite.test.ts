/** The text of writing statements, for one row and for several; that PostgreSQL does what they say is shown in `data/`. */
import { expect, test } from "bun:test";
import { type Actor, unproven } from "../access/actor";
import { accessOf } from "../access/policy";
import { parseRules } from "../access/rules";
import { buildSchema } from "../schema/define";
import { authorizeWrite } from "./authorize";
import { parseFilter } from "./filter";
import { planCondition } from "./plan";
import { compileRemove, compileRestore } from "./compileRemove";
import { compileCreate, compileUpdate, type EncodedRows, encodeWrite } from "./compileWrite";
import { completeWrite, planWrite, type WriteEntry } from "./write";

const schema = buildSchema(7, [
  {
    collectionName: "things",
    schema: {
      name: "Thing",
      timestamps: false,
      paranoid: true,
      audit: false,
      fields: {
        id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
        title: { type: "String" },
        price: { type: "Decimal" },
        serial: { type: "String", immutable: true },
      },
    },
  },
  {
    collectionName: "told",
    schema: {
      name: "Told",
      timestamps: false,
      fields: { id: { type: "BigInt", primaryKey: true }, title: { type: "String" } },
    },
  },
]);
const user: Actor = { ...unproven, kind: "user", id: "u", role: "r", roles: ["r"], admin: false };
const rules = parseRules(
  [{ id: "r", name: "user" }],
  ["things", "told"].flatMap((collection) =>
    (["read", "create", "update", "delete"] as const).map((action) => ({
      id: `${collection} ${action}`,
      role_Id: "r",
      collection,
      action,
      fields: ["*"],
      conditions: collection === "things" && action !== "read" ? { price: { gt: 0 } } : null,
      relConditions: null,
      defaultValues: null,
    })),
  ),
  schema,
);

type Action = "create" | "update" | "delete";

function target(name: string, action: Action, filter: unknown = null) {
  const collection = schema.collections.get(name);
  if (!collection) throw new Error(name);
  const condition = filter === null ? null : planCondition(schema, collection, parseFilter(filter));
  return authorizeWrite(schema, collection, action, [], condition, accessOf(rules, schema, user))[0];
}

function write(name: string, action: "create" | "update", entries: readonly WriteEntry[], filter?: unknown) {
  const to = target(name, action, filter);
  const plan = completeWrite(planWrite(to.collection, action, entries), to, { actor: user, now: 0 });
  const compiled = (action === "create" ? compileCreate : compileUpdate)(to, plan, schema.version);
  return { text: compiled.text.replace("/* s7 */ ", ""), input: inputOf(encodeWrite(plan)) };
}

const inputOf = ({ rows, columns }: EncodedRows) =>
  columns.length === 0 ? rows : [rows ?? [], columns].flat();

const refuse = (verb: string) =>
  `case when (w."price" > $2::numeric) then true else baasix_refuse('You don''t have permission to ${verb} this item in ''things''') end`;
const things = (columns: string) => `r(k integer, ${columns})`;

test("one new row", () => {
  expect(write("things", "create", [{ data: { title: "a", price: 1 } }])).toEqual({
    text:
      `with "#w" as (insert into "things" ("title", "price") select r.c0, r.c1 from (select $1::text as c0, $2::numeric as c1) r ` +
      `returning *) select w."id" from "#w" w where ${refuse("create").replace("$2", "$3")}`,
    input: ["a", "1"],
  });
});

test("several rows that set the same fields: an array for each column", () => {
  const rows = [{ data: { title: 'a "b', price: 1 } }, { data: { title: null, price: 2.5 } }];
  expect(write("things", "create", rows)).toEqual({
    text:
      `with "#w" as (insert into "things" ("title", "price") select r.c0, r.c1 ` +
      `from unnest($1::text[], $2::numeric[]) as r(c0, c1) returning *) ` +
      `select json_agg(w."id")::text from "#w" w where ${refuse("create").replace("$2", "$3")}`,
    input: ['{"a \\"b",NULL}', '{"1","2.5"}'],
  });
});

test("several rows, of which not all set a field: each says whether it does", () => {
  expect(write("things", "create", [{ data: { title: "a" } }, { data: { price: 2 } }])).toEqual({
    text:
      `with "#w" as (insert into "things" ("title", "price") select case when r.p0 then r.c0 else null end, ` +
      `case when r.p1 then r.c1 else null end from json_to_recordset($1::text::json) as ` +
      `${things("c0 text, p0 boolean, c1 numeric, p1 boolean")} returning *) ` +
      `select json_agg(w."id")::text from "#w" w where ${refuse("create")}`,
    input: '[{"c0":"a","p0":true},{"c1":"2","p1":true}]',
  });
});

test("one row changed, with nothing to remember of it", () => {
  expect(write("things", "update", [{ key: 5, data: { title: "a" } }])).toEqual({
    text:
      `with "#w" as (update "things" t set "title" = r.c0 from (select $1::integer as k, $2::text as c0) r ` +
      `where t."id" = r.k and t."deletedAt" is null and (t."price" > $3::numeric) ` +
      `returning t.*) select w."id" from "#w" w where ${refuse("update").replace("$2", "$3")}`,
    input: ["5", "a"],
  });
});

test("a field that is set once, under a version: the row as it was is noted and locked", () => {
  expect(write("things", "update", [{ key: 5, data: { serial: "a" }, version: "77" }])).toEqual({
    text:
      `with "#old" as materialized (select r.*, t."id" as "#k", t."serial" as "#b serial", ` +
      `(r.v is null or t.xmin::text = any(string_to_array(r.v, ','))) as "#v" from "things" t, json_to_record($1::text::json) as ` +
      `${things("c0 text, v text")} where t."id" = r.k and t."deletedAt" is null and ` +
      `(t."price" > $2::numeric) for no key update of t), "#w" as (update "things" t set "serial" = r.c0 from "#old" r ` +
      `where t."id" = r."#k" returning t.*, r."#b serial", r."#v") select w."id" from "#w" w where ` +
      `case when w."#v" then true else baasix_refuse('The item in ''things'' was changed meanwhile; read it again', 'BX412', '{}') end and ` +
      `case when w."#b serial" is null or w."#b serial" is not distinct from w."serial" then true else ` +
      `baasix_refuse('is set once and cannot change', 'BX400', '{"field":"serial","rule":"immutable"}') end and ${refuse("update")}`,
    input: '{"k":"5","v":"77","c0":"a"}',
  });
});

test("one row on a server that tells what it replaced: changed and noted in one go, except under a version", () => {
  const to = target("things", "update", null);
  const planned = (version?: string) => {
    const entry = { key: 5, data: { serial: "a" }, ...(version !== undefined && { version }) };
    return completeWrite(planWrite(to.collection, "update", [entry]), to, { actor: user, now: 0 });
  };
  expect(compileUpdate(to, planned(), schema.version, { returnsOld: true }).text).toContain(
    `with "#w" as (update "things" t set "serial" = r.c0 from (select $1::integer as k, $2::text as c0) r ` +
      `where t."id" = r.k and t."deletedAt" is null and (t."price" > $3::numeric) ` +
      `returning t.*, old."serial" as "#b serial") select w."id" from "#w" w where case when w."#b serial" is null`,
  );
  const versioned = planned("77");
  expect(compileUpdate(to, versioned, schema.version, { returnsOld: true })).toEqual(
    compileUpdate(to, versioned, schema.version),
  );
});

test("by filter: what the filter finds is locked in the order of the keys", () => {
  const { text } = write("things", "update", [{ data: { title: "a" } }], { title: "b" });
  expect(text).toContain(`(t."title" = $3::text)`);
  expect(text).toContain(`order by t."id" for no key update of t`);
  expect(text).toContain(`select json_agg(w."id")::text from "#w" w`);
});

test("an entry of the audit log is made of the written row; keys beyond numbers travel as text", () => {
  const { text } = write("told", "create", [
    { data: { id: 1, title: "a" } },
    { data: { id: 2, title: "b" } },
  ]);
  expect(text).toContain(
    `, "#a" as (insert into "baasix_AuditLog" ("type", "entity", "entityId", "action", "changes", "userId", "ipaddress", ` +
      `"requestId", "transactionId") select 'data', 'told', w."id"::text, 'create', to_jsonb("#c"), $3::uuid, $4::text, ` +
      `$5::text, pg_current_xact_id()::text from "#w" w, lateral (select w."id"::text as "id", w."title" as "title") ` +
      `"#after", lateral (select null::jsonb as before, "#after" as after) "#c")`,
  );
  expect(text).toEndWith(`select json_agg(w."id"::text)::text from "#w" w`);
});

test("deletes: softly, for good, several in order; and what brings back", () => {
  const form = { single: true, versioned: false, leadsOn: false, keeping: "each" } as const;
  const texts = [
    compileRemove(target("things", "delete"), { ...form, permanent: false }, 7),
    compileRemove(target("things", "delete"), { ...form, permanent: true }, 7),
    compileRemove(target("things", "delete"), { ...form, single: false, permanent: true }, 7),
    compileRestore(target("things", "update"), form, 7),
  ].map(({ text }) => text.replace("/* s7 */ with ", ""));
  const named = `t."id" = any($2::integer[])`;
  const may = `(t."price" > $1::numeric)`;
  expect(texts).toEqual([
    `"#w" as (update "things" t set "deletedAt" = now() where ${named} and t."deletedAt" is null and ${may} returning t.*) select w."id" from "#w" w`,
    `"#w" as (delete from "things" t where ${named} and ${may} returning t.*) select w."id" from "#w" w`,
    `"#old" as materialized (select t."id" as "#k" from "things" t where ${named} and ${may} order by t."id" for update of t), ` +
      `"#w" as (delete from "things" t using "#old" o where t."id" = o."#k" returning t.*) select json_agg(w."id")::text from "#w" w`,
    `"#old" as materialized (select t."id" as "#k", t."deletedAt" as "#b deletedAt" from "things" t where t."id" = any($1::integer[]) and (t."price" > $2::numeric) ` +
      `order by t."id" for no key update of t), "#w" as (update "things" t set "deletedAt" = null from "#old" r ` +
      `where t."id" = r."#k" and r."#b deletedAt" is not null returning t.*, r."#b deletedAt") ` +
      `select o."#k" from "#old" o left join "#w" w on w."id" = o."#k" where case when w."id" is null then true else ${refuse("update")} end`,
  ]);
});

test("a statement of several requests takes what differs between them from its rows", () => {
  const plan = (action: "create" | "update") => {
    const to = target("things", action);
    const entry = { ...(action === "update" && { key: 1 }), data: { price: "2.00" } };
    return [to, planWrite(to.collection, action, [entry]), 7] as const;
  };
  const texts = [
    compileCreate(...plan("create"), { isShared: true }),
    compileUpdate(...plan("update"), { returnsOld: true, isShared: true }),
  ].map(({ text }) => text);
  const limits = `where (select set_config('lock_timeout', '50', true)) is not null and r.n between 1 and 32`;
  const known = `case when r.n is not null then true else baasix_refuse('An item of ''things'' was written under another key') end`;
  expect(texts).toEqual([
    `/* s7 */ with "#r" as materialized (select nextval('"things_id_seq"'::regclass) as k, r.p0::numeric as c0, r.* ` +
      `from unnest((select $1::text[])) with ordinality as r(p0, n) ${limits}), ` +
      `"#w" as (insert into "things" ("price", "id") select r.c0, r.k from "#r" r returning *) ` +
      `select json_agg(json_build_array(r.n, w."id"))::text from "#w" w left join "#r" r on r.k = w."id" where ${known} and ${refuse("create")}`,
    `/* s7 */ with "#r" as materialized (select r.p1::integer as k, r.p0::numeric as c0, r.* ` +
      `from unnest((select $1::text[]), (select $2::text[])) with ordinality as r(p0, p1, n) ${limits}), ` +
      `"#w" as (update "things" t set "price" = r.c0 from "#r" r where t."id" = r.k and t."deletedAt" is null and ` +
      `(t."price" > $3::numeric) returning t.*, r.n as "#n") select json_agg(json_build_array(r.n, w."id"))::text ` +
      `from "#w" w, lateral (select w."#n" as n) r where ${refuse("update").replace("$2", "$3")}`,
  ]);
});
