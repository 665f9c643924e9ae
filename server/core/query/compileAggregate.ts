/**
 * AuthorizedAggregate → SQL. Each row counts once in a group: a path through lists works on the rows that it leads to,
 * and never multiplies those of other paths.
 */
import { jsonExpression } from "../schema/fields";
import type { Collection } from "../schema/model";
import { gathered } from "./aggregateFunctions";
import { rowsOf } from "./auditRows";
import type { AuthorizedAggregate } from "./authorize";
import type { CompiledRead } from "./compile";
import { collectParameters, column, compileCondition, type Parameters } from "./compileCondition";
import { compileRows, joinHop, whereSql } from "./compileRows";
import { rowBudget } from "./compileSelect";
import { datePartSql } from "./dateParts";
import type { PlannedPath } from "./paths";
import { groupedLists, listHops, type PlannedGroup, type PlannedValue, startsWith } from "./planAggregate";
import type { Hop } from "./planned";
import { quoteName } from "./statement";

/**
 * Compiles an aggregate: one row of [JSON text of the list of groups, number of groups, cut]. `cut`: a list that
 * `array_agg` made was longer than one answer may hold.
 */
export function compileAggregate(plan: AuthorizedAggregate, version: number): CompiledRead {
  return compileGroups(plan, version, "");
}

/** The same with each group as the JSON text of its own: a list of texts, as JSON text. */
export function compileGroupTexts(plan: AuthorizedAggregate, version: number): CompiledRead {
  return compileGroups(plan, version, "::text");
}

function compileGroups(plan: AuthorizedAggregate, version: number, form: "" | "::text"): CompiledRead {
  const parameters = collectParameters();
  parameters.collections.add(plan.collection.name);
  // Names with a # cannot be those of collections.
  const text =
    `with "#g" as materialized (${groupsHaving(plan, parameters)}), ` +
    `"#p" as (${page(plan)}), "#n" as (${room(plan)}) ` +
    `select coalesce(json_agg(${groupJson(plan, parameters)}${form} order by p."#"), '[]'::json)::text, ` +
    `(select count(*) from "#g"), ${cut(plan)} from "#p" p`;
  return {
    text: `/* s${version} */ ${text}`,
    params: parameters.list,
    collections: [...parameters.collections],
  };
}

function page({ sort, limit, offset }: AuthorizedAggregate): string {
  const order = sort.map((term) => `${term.column}${term.descending ? " desc" : ""}`).join(", ");
  const number = order === "" ? "row_number() over ()" : `row_number() over (order by ${order})`;
  return `select *, ${number} as "#" from "#g" order by "#" limit ${limit} offset ${offset}`;
}

const isList = (value: PlannedValue): boolean => value.function.name === "array_agg";

/** How many elements each list may have, so that the answer keeps to its budget. */
function room({ values }: AuthorizedAggregate): string {
  const lists = Math.max(1, values.filter(isList).length);
  return `select greatest(1, ${rowBudget} / greatest(1, count(*) * ${lists}))::integer as n from "#p"`;
}

function cut({ values }: AuthorizedAggregate): string {
  const lists = values.filter(isList);
  if (lists.length === 0) return "false";
  const longer = lists.map((value) => `cardinality(p.${value.column}) > (select n from "#n")`);
  return `coalesce(bool_or(${longer.join(" or ")}), false)`;
}

function groupJson({ groups, values, exact }: AuthorizedAggregate, parameters: Parameters): string {
  const member = (key: string, json: string): string =>
    `${parameters.place({ kind: "value", text: key })}::text, ${json}`;
  const members = [
    ...groups.flatMap((group) => {
      const sql = `p.${group.column}`;
      const json = group.part ? sql : jsonExpression(sql, group.path.field);
      return group.keys.map((key) => member(key, json));
    }),
    ...values.map((value) => {
      const sql = `p.${value.column}`;
      const json = isList(value)
        ? `to_json(${sql}[1:(select n from "#n")])`
        : value.function.result(value.path?.field ?? null).json(sql, exact);
      return member(value.key, json);
    }),
  ];
  return `json_build_object(${members.join(", ")})`;
}

function groupsHaving(plan: AuthorizedAggregate, parameters: Parameters): string {
  const groups = groupsSql(plan, parameters);
  if (plan.having === null) return groups;
  const alias = parameters.alias();
  return `select * from (${groups}) ${alias} where ${compileCondition(plan.having, alias, parameters)}`;
}

/** The groups as rows of `k0…` and `a0…`. */
function groupsSql(plan: AuthorizedAggregate, parameters: Parameters): string {
  const grouped = groupedLists(plan.groups);
  const families = familiesOf(plan.values);
  const together = families.every(({ hops }) => hops.length === grouped.length && startsWith(grouped, hops));
  return together ? oneScan(plan, grouped, parameters) : byFamily(plan, grouped, families, parameters);
}

/** Values whose paths speak of the rows of the same list; `hops` lead to it, none to the collection itself. */
type Family = { readonly hops: readonly Hop[]; readonly values: readonly PlannedValue[] };

function familiesOf(values: readonly PlannedValue[]): readonly Family[] {
  const families: { hops: readonly Hop[]; values: PlannedValue[] }[] = [];
  for (const value of values) {
    const hops = value.path ? listHops(value.path) : [];
    const known = families.find((one) => one.hops.length === hops.length && startsWith(one.hops, hops));
    if (known) known.values.push(value);
    else families.push({ hops, values: [value] });
  }
  return families;
}

/** Follows paths from a row by joins; the same way is joined once. */
type Ways = {
  /** The alias of the row at the end of a way. */
  readonly follow: (hops: readonly Hop[]) => string;
  readonly value: (path: PlannedPath) => string;
  readonly joins: string[];
};

function ways(root: string, kind: "left join" | "join", parameters: Parameters): Ways {
  const known = new Map<string, string>();
  const joins: string[] = [];
  const follow = (hops: readonly Hop[], how = kind): string => {
    let holder = root;
    let way = "";
    for (const hop of hops) {
      way += `.${hop.relation.name}`;
      let next = known.get(way);
      if (next === undefined) {
        next = parameters.below(holder);
        joins.push(joinHop(how, hop, holder, next, parameters));
        known.set(way, next);
      }
      holder = next;
    }
    return holder;
  };
  return {
    joins,
    follow: (hops) => follow(hops),
    // Behind the last list a path reads columns, which are null where there is no row.
    value: ({ hops, field, guard }) => column(field, guard, follow(hops, "left join"), parameters),
  };
}

function groupColumn({ path, part }: PlannedGroup, on: Ways): string {
  const value = on.value(path);
  return part ? datePartSql(part, value, path.field) : value;
}

/** The primary keys of the row and of each list row on the way. */
function keysOf(root: string, collection: Collection, lists: readonly Hop[], on: Ways): readonly string[] {
  const rows = lists.flatMap(({ relation, target }, i) =>
    relation.kind === "many" ? [[on.follow(lists.slice(0, i + 1)), target] as const] : [],
  );
  return [[root, collection] as const, ...rows].map(
    ([alias, { primaryKey }]) => `${alias}.${quoteName(primaryKey.name)}`,
  );
}

/** The same as columns `r0…`. */
function keyColumns(root: string, collection: Collection, lists: readonly Hop[], on: Ways): string[] {
  return keysOf(root, collection, lists, on).map((key, i) => `${key} as r${i}`);
}

/** Every value is of the rows that are grouped: one scan makes them all. */
function oneScan(plan: AuthorizedAggregate, grouped: readonly Hop[], parameters: Parameters): string {
  const { collection, groups, values } = plan;
  const root = parameters.alias();
  const on = ways(root, "left join", parameters);
  const needsKeys = values.some(isList);
  const columns = [
    ...groups.map((group) => `${groupColumn(group, on)} as ${group.column}`),
    ...(needsKeys ? keyColumns(root, collection, grouped, on) : []),
    ...values.flatMap(({ path }, i) => (path ? [`${on.value(path)} as v${i}`] : [])),
  ];
  const from = `${rowsOf(plan, parameters)} ${root}${on.joins.join("")}`;
  const rows = `select ${columns.join(", ") || "1"} from ${from}${whereSql(compileRows(plan, root, parameters))}`;
  const keys = groups.map((group) => group.column);
  const last = grouped.filter(({ relation }) => relation.kind === "many").length;
  const source = needsKeys ? numbered(rows, keys, last) : rows;
  const made = values.map((value, i) => `${aggregateSql(value, `v${i}`)} as ${value.column}`);
  const by = keys.length > 0 ? ` group by ${keys.join(", ")}` : "";
  return `select ${[...keys, ...made].join(", ")} from (${source}) b${by}`;
}

function aggregateSql({ function: entry, path }: PlannedValue, value: string): string {
  return path ? entry.sql(value, path.field) : entry.sql("*", null);
}

/** The rows with their place in the group, so that no list grows beyond what is answered. Rows whose list is empty come last. */
function numbered(rows: string, by: readonly string[], last: number): string {
  const order = Array.from({ length: last + 1 }, (_, i) => `r${i}`).join(", ");
  const partition = by.length > 0 ? `partition by ${by.join(", ")} ` : "";
  // A row whose list is empty stands in a group, but gives no element.
  const place = `row_number() over (${partition}order by r${last} is null, ${order})`;
  const n = last > 0 ? `case when r${last} is not null then ${place} else ${gathered} + 1 end` : place;
  return `select *, ${n} as n from (${rows}) r`;
}

/** Values of different rows: each family is worked out on its own, over the rows that make the groups. */
function byFamily(
  plan: AuthorizedAggregate,
  grouped: readonly Hop[],
  families: readonly Family[],
  parameters: Parameters,
): string {
  const { collection, groups, values } = plan;
  const root = parameters.alias();
  const on = ways(root, "left join", parameters);
  const keys = groups.map((group) => group.column);
  const columns = [
    ...groups.map((group) => `${groupColumn(group, on)} as ${group.column}`),
    ...keyColumns(root, collection, grouped, on),
  ];
  const from = `${rowsOf(plan, parameters)} ${root}${on.joins.join("")}`;
  const rows = `select ${columns.join(", ")} from ${from}${whereSql(compileRows(plan, root, parameters))}`;
  const number = keys.length > 0 ? `dense_rank() over (order by ${keys.join(", ")})` : "1";
  const made = families.map((family, i) => `"#f${i}" as (${familySql(family, plan, grouped, parameters)})`);
  const results = values.map((value) => {
    const place = families.findIndex((family) => family.values.includes(value));
    const found = `f${place}.${value.column}`;
    const { empty } = value.function;
    return `${empty === "null" ? found : `coalesce(${found}, ${empty})`} as ${value.column}`;
  });
  const base =
    keys.length > 0
      ? `(select distinct on (g) g, ${keys.join(", ")} from "#b" order by g) b`
      : "(select 1 as g) b";
  const joins = families.map((_, i) => ` left join "#f${i}" f${i} on f${i}.g = b.g`).join("");
  return (
    `with "#b" as materialized (select ${number} as g, r.* from (${rows}) r), ${made.join(", ")} ` +
    `select ${[...keys.map((key) => `b.${key}`), ...results].join(", ")} from ${base}${joins}`
  );
}

/**
 * The values of one family by group: the rows that make the groups, each once a group, then on along the family's own
 * lists. Those that it shares with the groups stay at the rows that the groups were made of.
 */
function familySql(
  { hops, values }: Family,
  plan: AuthorizedAggregate,
  grouped: readonly Hop[],
  parameters: Parameters,
): string {
  const { collection } = plan;
  const row = parameters.alias();
  const on = ways(row, "join", parameters);
  const shared = keysOf(row, collection, sharedLists(hops, grouped), on);
  const end = on.follow(hops);
  const last = hops.at(-1)?.target ?? collection;
  const columns = [
    "s.g",
    "s.r0",
    `${end}.${quoteName(last.primaryKey.name)} as r1`,
    ...values.flatMap(({ path }, i) => (path ? [`${on.value(path)} as v${i}`] : [])),
  ];
  const seeds = shared.map((_, i) => `r${i}`).join(", ");
  const same = shared.map((key, i) => `${key} = s.r${i}`).join(" and ");
  const rows =
    `select ${columns.join(", ")} from (select distinct g, ${seeds} from "#b") s ` +
    `cross join ${rowsOf(plan, parameters)} ${row}${on.joins.join("")} where ${same}`;
  const source = values.some(isList) ? numbered(rows, ["g"], 1) : rows;
  const made = values.map((value, i) => `${aggregateSql(value, `v${i}`)} as ${value.column}`);
  return `select g, ${made.join(", ")} from (${source}) b group by g`;
}

/** The hops that two ways have in common, up to a list. */
function sharedLists(hops: readonly Hop[], grouped: readonly Hop[]): readonly Hop[] {
  let shared = 0;
  for (let i = 0; i < hops.length && hops[i]?.relation === grouped[i]?.relation; i++) {
    if (hops[i]?.relation.kind === "many") shared = i + 1;
  }
  return hops.slice(0, shared);
}
