/** Whatever a member of one tenant asks for or writes: nothing of another tenant is shown, changed, or told of. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { system, type UserActor, unproven } from "../core/access/actor";
import { AppError } from "../core/errors";
import { chance } from "../testing/chance";
import { openTwoTenants, type TwoTenants } from "../testing/two-tenants";
import { parseRules, type PermissionRow } from "../core/access/rules";
import { createData } from "./data";
import type { Data, RawQuery } from "./door";
import type { Snapshot } from "./snapshot";
import { createTotals } from "./totals";
import { planCounts } from "./read";

type Json = Record<string, unknown>;
type Member = "ann" | "bob";

const root = system("looks whether the others' rows are as they were");
const collections = ["folders", "notes", "tags", "notes_tags_junction"] as const;
/** What all share leads to rows of all tenants. */
const asked = [...collections, "countries"] as const;
type Name = (typeof asked)[number];

let scene: TwoTenants;
let data: Data;
const rows = new Map<Name, Json[]>();

beforeAll(async () => {
  scene = await openTwoTenants();
  ({ data } = scene);
  await fill();
}, 60_000);
afterAll(() => scene.close());

/** The same in each run. */
const { below: upTo, next: random, one: pick, some } = chance(20_261_120);

/** All texts say whose they are, so that any of them is known wherever it turns up. */
const mark = (tenant: string | null): string =>
  tenant === scene.A ? "«A»" : tenant === scene.B ? "«B»" : "«none»";
const words = ["red", "green", "blue"] as const;

async function fill(): Promise<void> {
  const countries = await scene.make(
    "countries",
    ...[1, 2].map((n) => ({ name: `country ${n} ${crypto.randomUUID()}` })),
  );
  for (const tenant_Id of [scene.A, scene.B, null]) {
    const said = () => `${mark(tenant_Id)} ${pick(words)}`;
    const folders = await scene.make(
      "folders",
      ...[1, 2, 3].map((n) => ({ name: `${said()} ${n}`, tenant_Id })),
    );
    const tags = await scene.make("tags", ...[1, 2, 3].map(() => ({ name: said(), tenant_Id })));
    const notes: string[] = [];
    for (let n = 0; n < 12; n++) {
      const [made = ""] = await scene.make("notes", {
        text: said(),
        // The same in each tenant.
        code: n % 3 === 0 ? `code ${n}` : null,
        kind: pick(["k", "l"]),
        number: n,
        folder_Id: random() < 0.7 ? pick(folders) : null,
        country_Id: pick(countries),
        owner_Id: random() < 0.5 ? scene.idOf(pick(["ann", "bob", "cleo", "stan"])) : null,
        parent_Id: notes.length > 0 && random() < 0.5 ? pick(notes) : null,
        tenant_Id,
      });
      notes.push(made);
      await scene.make("notes_tags_junction", { notes_id: made, tags_id: pick(tags), tenant_Id });
    }
  }
  for (const name of asked) rows.set(name, [...(await scene.everything(name))]);
}

const actorOf = (who: Member): UserActor => ({
  ...unproven,
  kind: "user",
  id: scene.idOf(who),
  role: scene.roles.member,
  roles: [scene.roles.member],
  admin: false,
  tenant: who === "ann" ? scene.A : scene.B,
});

const columns: Readonly<Record<Name, readonly string[]>> = {
  folders: ["name", "notes.text", "notes.parent.text", "tenant_Id", "tenant.name", "id"],
  notes: [
    "text",
    "code",
    "number",
    "kind",
    "folder.name",
    "parent.text",
    "tags.tags.name",
    "tenant_Id",
    "tenant.name",
    "id",
  ],
  tags: ["name", "notes.notes.text", "notes.notes.folder.name", "tenant_Id", "id"],
  notes_tags_junction: ["notes.text", "tags.name", "notes.folder.name", "tenant_Id", "notes_id"],
  countries: ["name", "notes.text", "notes.folder.name", "notes.owner.owned.text", "note.text", "id"],
};
const lists: Readonly<Record<Name, readonly string[]>> = {
  folders: ["*", "notes.*", "notes.tags.tags.name", "tenant.*", "notes.owner.email", "**"],
  notes: [
    "*",
    "folder.*",
    "folder.notes.text",
    "parent.*",
    "tags.*",
    "tags.tags.notes.notes.text",
    "userCreated.*",
    "owner.*",
    "owner.owned.text",
    "country.notes.text",
    "tenant.*",
  ],
  tags: ["*", "notes.notes.folder.name", "notes.notes.parent.text"],
  notes_tags_junction: ["*", "notes.*", "tags.notes.notes.text"],
  countries: ["*", "notes.*", "notes.parent.*", "notes.owner.*", "notes.tags.tags.name", "note.*"],
};

function operand(column: string): unknown {
  const leaf = column.split(".").at(-1) ?? "";
  const foreign = pick([...rows.values()].flat());
  if (leaf === "number") return { [pick(["eq", "ne", "lt", "gte"])]: upTo(12) };
  if (leaf.endsWith("d") && leaf !== "kind")
    return pick<unknown>([
      { eq: pick([scene.A, scene.B]) },
      { ne: scene.A },
      { in: [scene.A, scene.B, foreign.id ?? scene.A].filter((id) => String(id).includes("-")) },
      { isNull: true },
      { eq: "$CURRENT_TENANT" },
      { ne: "$CURRENT_TENANT" },
    ]);
  return pick<unknown>([
    { like: pick([...words, "A", "B", "none"]) },
    { notLike: pick(words) },
    { isNotNull: true },
    { isNull: true },
    { eq: pick([...rows.values()].flat()).text ?? "x" },
    { ne: "x" },
  ]);
}

function filter(name: Name, depth: number): Json {
  const turn = depth === 0 ? 3 : upTo(4);
  if (turn === 0) return { AND: some([0], 3).map(() => filter(name, depth - 1)) };
  if (turn === 1) return { OR: some([0], 3).map(() => filter(name, depth - 1)) };
  if (turn === 2) return { NOT: filter(name, depth - 1) };
  const column = pick(columns[name]);
  return { [column]: operand(column) };
}

const simple = (name: Name): readonly string[] => columns[name].filter((column) => !column.includes("."));

/** What came of it as text, be it a refusal. What is not one of ours is a fault. */
async function told(work: Promise<unknown>): Promise<string> {
  try {
    return JSON.stringify(await work);
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "INTERNAL_ERROR") throw error;
    return `${error.code} ${error.message} ${JSON.stringify(error.details)}`;
  }
}

/** Nothing of the others stands in it, apart from what the request itself said. */
function expectOwn(who: Member, text: string, wish: unknown): void {
  const own = who === "ann" ? "«A»" : "«B»";
  const others = ["«A»", "«B»", "«none»"].filter((one) => one !== own);
  const shown = others.filter((one) => text.includes(one) && !JSON.stringify(wish).includes(one));
  expect([who, shown, shown.length > 0 ? wish : null]).toEqual([who, [], null]);
}

const idsOf = (json: string): string[] =>
  (JSON.parse(json) as { id: string }[]).map(({ id }) => id).toSorted();

test("whatever is asked for", async () => {
  const before = planCounts(scene.snapshot.current());
  for (let turn = 0; turn < 150; turn++) {
    const name = pick(asked);
    const who = pick(["ann", "bob"] as const);
    const actor = actorOf(who);
    const where = filter(name, 2);
    const query: RawQuery = {
      filter: where,
      fields: ["id", ...some(lists[name], 3)],
      ...(random() < 0.5 && {
        sort: some(simple(name), 2).map((column) => (random() < 0.5 ? `-${column}` : column)),
      }),
      ...(random() < 0.2 && { search: pick(words) }),
      count: "exact",
      limit: 100,
    };
    const answer = await data.read(actor, name, query).catch((error: unknown) => error);
    if (answer instanceof Error) {
      expectOwn(who, await told(Promise.reject(answer)), query);
      continue;
    }
    const { json, totalCount } = answer as Awaited<ReturnType<Data["read"]>>;
    expectOwn(who, json, query);
    if (name === "countries") continue;
    // The same as what an administrator finds among the rows of the tenant.
    const bound = JSON.parse(JSON.stringify(where).replaceAll("$CURRENT_TENANT", actor.tenant ?? "")) as Json;
    const all = await data.read(root, name, {
      ...(query.search !== undefined && { search: query.search }),
      filter: { AND: [{ tenant_Id: { eq: actor.tenant } }, bound] },
      fields: ["id"],
      limit: -1,
    });
    expect([query.filter, idsOf(json), totalCount]).toEqual([
      query.filter,
      idsOf(all.json),
      idsOf(all.json).length,
    ]);

    const grouped = {
      aggregate: {
        all: { function: "count", field: "id" },
        most: {
          function: "max",
          field: pick(
            simple(name)
              .filter((column) => column !== "tenant_Id" && column !== "id" && column !== "notes_id")
              .concat("id"),
          ),
        },
      },
      groupBy: [pick(columns[name].filter((column) => !column.startsWith("notes.") || name !== "folders"))],
      filter: where,
    };
    expectOwn(who, await told(data.read(actor, name, grouped)), grouped);
  }
  // Both tenants share what was planned for their role.
  const after = planCounts(scene.snapshot.current());
  expect(after.hits).toBeGreaterThan(before.hits);
}, 60_000);

function body(name: Name, who: Member): Json {
  const mine = who === "ann" ? scene.A : scene.B;
  const any = (of: Name): unknown => pick(rows.get(of) ?? []).id;
  const texts: Json = { [name === "notes" ? "text" : "name"]: `${mark(mine)} ${pick(words)} ${upTo(1000)}` };
  const keys: Json = pick<Json>([
    {},
    { tenant_Id: pick([scene.A, scene.B, null]) },
    name === "notes" ? { folder_Id: any("folders") } : {},
    name === "notes" ? { parent_Id: any("notes"), code: `code ${upTo(12)}` } : {},
    name === "notes" ? { folder: { id: any("folders"), name: `${mark(mine)} ${upTo(100)}` } } : {},
    name === "notes" ? { tags: [{ tags: any("tags") }] } : {},
    name === "folders" ? { notes: { connect: [any("notes")], delete: [any("notes")] } } : {},
    name === "folders" ? { notes: [any("notes")] } : {},
  ]);
  if (name === "notes_tags_junction") return { notes_id: any("notes"), tags_id: any("tags") };
  return { ...texts, ...keys };
}

const writes: readonly ((actor: UserActor, name: Name, who: Member) => Promise<unknown>)[] = [
  (actor, name, who) => data.create(actor, name, [body(name, who)]),
  (actor, name, who) => data.create(actor, name, [body(name, who), body(name, who)]),
  (actor, name, who) =>
    data.update(actor, name, [{ id: String(pick(rows.get(name) ?? []).id), data: body(name, who) }]),
  (actor, name, who) => data.updateWhere(actor, name, filter(name, 2), body(name, who)),
  (actor, name) => data.remove(actor, name, [String(pick(rows.get(name) ?? []).id)]),
  (actor, name) => data.removeWhere(actor, name, { AND: [filter(name, 1), filter(name, 1)] }),
  (actor, name, who) =>
    data.upsert(actor, name, { on: ["id"] }, [{ ...body(name, who), id: pick(rows.get(name) ?? []).id }]),
  (actor, name, who) => data.upsert(actor, name, { filter: filter(name, 1) }, [body(name, who)]),
  (actor, _name, who) =>
    data.upsert(actor, "notes", { on: ["code"] }, [{ ...body("notes", who), code: `code ${upTo(12)}` }]),
  (actor) => data.restore(actor, "notes", [String(pick(rows.get("notes") ?? []).id)]),
  (actor) =>
    data.move(actor, "notes", {
      item: String(pick(rows.get("notes") ?? []).id),
      to: String(pick(rows.get("notes") ?? []).id),
      mode: pick(["before", "after"]),
    }),
  (actor) =>
    data.reorder(
      actor,
      "notes",
      some(rows.get("notes") ?? [], 4).map(({ id }) => String(id)),
    ),
];

test("whatever is written", async () => {
  const others = async (who: Member): Promise<string> => {
    const mine = who === "ann" ? scene.A : scene.B;
    const all = await Promise.all(collections.map((name) => scene.everything(name)));
    return JSON.stringify(
      all.map((list) => list.filter(({ tenant_Id }) => tenant_Id !== mine).toSorted(byId)),
    );
  };
  let done = 0;
  for (let turn = 0; turn < 100; turn++) {
    const who = pick(["ann", "bob"] as const);
    const name = pick(collections);
    const before = await others(who);
    const said = await told(pick(writes)(actorOf(who), name, who));
    if (!/^[A-Z_]+ /.test(said)) done++;
    expectOwn(who, said, "");
    expect(await others(who)).toBe(before);
    if (turn % 20 === 0) for (const one of collections) rows.set(one, [...(await scene.everything(one))]);
  }
  // Enough of it took place.
  expect(done).toBeGreaterThan(20);
}, 60_000);

/** A permission to read, of any kind that an administrator may make up. */
function permission(role_Id: string, collection: Name, number: number): PermissionRow {
  const paths = [...columns[collection], ...lists[collection]];
  const fields = pick<readonly string[]>([
    ["*"],
    some(paths, 4),
    ["*", ...some(paths, 3)],
    ["**"],
    some(simple(collection), 3),
  ]);
  const behind: Json = {
    folders: "notes",
    notes: "folder",
    tags: "notes",
    notes_tags_junction: "notes",
    countries: "notes",
  };
  return {
    id: `permission ${number}`,
    role_Id,
    collection,
    action: "read",
    fields,
    conditions: random() < 0.5 ? filter(collection, 1) : null,
    relConditions: random() < 0.2 ? { [String(behind[collection])]: { id: { isNotNull: true } } } : null,
    defaultValues: null,
  };
}

type WriteWish = (on: Data, actor: UserActor) => Promise<readonly unknown[]>;

/** A write that names no key of a new item: that it is taken is told to everybody. */
function wishToWrite(): WriteWish {
  const name = pick(collections);
  const one = body(name, "ann");
  const two = body(name, "ann");
  const id = String(pick(rows.get(name) ?? []).id);
  const where = filter(name, 1);
  const narrow = { AND: [where, filter(name, 1)] };
  const code = `code ${upTo(12)}`;
  const note = { ...body("notes", "ann"), code };
  return pick<WriteWish>([
    (on, actor) => on.create(actor, name, [one]),
    (on, actor) => on.create(actor, name, [one, two]),
    (on, actor) => on.update(actor, name, [{ id, data: one }]),
    (on, actor) => on.updateWhere(actor, name, where, one),
    (on, actor) => on.remove(actor, name, [id]),
    (on, actor) => on.removeWhere(actor, name, narrow),
    (on, actor) => on.upsert(actor, "notes", { on: ["code"] }, [note]),
    (on, actor) => on.upsert(actor, name, { filter: where }, [one]),
  ]);
}

test("whatever the rules: what is not of the tenant might as well not be there", async () => {
  for (const name of collections)
    await data.removeWhere(root, name, { id: { isNotNull: true } }, { permanent: true });
  await fill();
  const { schema } = scene.snapshot.current();
  const roles = ["role one", "role two"].map((id) => ({ id, name: id, isTenantSpecific: true }));
  let current: Snapshot = scene.snapshot.current();
  const own = createData({
    database: scene.database,
    snapshot: () => current,
    reloadSchema: () => Promise.resolve(),
    now: Date.now,
    totals: createTotals({ schema: () => schema, live: () => false }),
  });
  const actor = { ...actorOf("ann"), role: "role one", roles: roles.map(({ id }) => id) };
  const worlds = Array.from({ length: 40 }, (_, version) => {
    const permissions = roles.flatMap(({ id }) =>
      asked.flatMap((name, n) => (random() < 0.7 ? [permission(id, name, n)] : [])),
    );
    const rules = parseRules(roles, permissions, schema);
    const wishes = Array.from({ length: 4 }, (): readonly [Name, RawQuery] => {
      const name = pick(asked);
      const fields = random() < 0.5 ? ["id", ...some(columns[name], 3)] : ["id", ...some(lists[name], 2)];
      return [
        name,
        { fields, count: "exact", limit: 100, ...(random() < 0.6 && { filter: filter(name, 1) }) },
      ];
    });
    return { snapshot: { schema, rules, version: -1 - version }, permissions, wishes };
  });
  // Writes that are undone: what came of each, be it a refusal, and how many items it was about.
  const writer = actorOf("ann");
  const tries = Array.from({ length: 60 }, () => wishToWrite());
  const undone = new Error("undone");
  const outcome = async (wish: WriteWish): Promise<string> => {
    let said = "";
    await data
      .transaction(async (inner) => {
        said = await told(wish(inner, writer).then((ids) => ids.length));
        throw undone;
      })
      .catch((error: unknown) => {
        if (error !== undone) throw error;
      });
    return said;
  };
  const answers = async (): Promise<readonly string[]> => {
    const all: string[] = [];
    for (const { snapshot, wishes } of worlds) {
      current = snapshot;
      for (const [name, query] of wishes) all.push(await told(own.read(actor, name, query)));
    }
    for (const wish of tries) all.push(await outcome(wish));
    return all;
  };
  const among = await answers();
  for (const name of ["notes_tags_junction", "notes", "folders", "tags"] as const)
    await data.removeWhere(
      root,
      name,
      { OR: [{ tenant_Id: { ne: scene.A } }, { tenant_Id: { isNull: true } }] },
      { permanent: true },
    );
  const alone = await answers();
  among.forEach((text, n) => {
    const world = worlds[Math.floor(n / 4)];
    const wish = world ? world.wishes[n % 4] : String(tries[n - worlds.length * 4]);
    expect({ wish, permissions: text === alone[n] ? null : world?.permissions, text }).toEqual({
      wish,
      permissions: null,
      text: alone[n] ?? "",
    });
    expectOwn("ann", text, [wish, world?.permissions]);
  });
  // Enough of it was answered, with rows.
  expect(among.filter((text) => text.includes("«A»")).length).toBeGreaterThan(20);
}, 60_000);

const byId = (a: Json, b: Json): number => (String(a.id) < String(b.id) ? -1 : 1);
