/**
 * Whatever many people write at once: the answers, rows and entries are those of the same writes one after the other, whoever may
 * write what. On the embedded server and on an older one, whose statement for changes is another.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ItemId } from "@baasix/types";
import { system, type UserActor, unproven } from "../core/access/actor";
import { AppError } from "../core/errors";
import { testApp, type TestApp } from "../testing/app";
import { type Chance, chance, seedOfRun } from "../testing/chance";
import { externalServer, type ExternalServer, outsider } from "../testing/postgres";
import type { Data } from "./door";

type Row = Readonly<Record<string, unknown>>;

const seed = seedOfRun();

const server = system("lays the rows that people change, and makes their rights");
const key = { primaryKey: true };
/** `batch` and `line` are set with each row, and say which one it is. */
const fields = {
  batch: { type: "Integer" },
  line: { type: "Integer" },
  owner: { type: "UUID" },
  mail: { type: "String" },
  text: { type: "Text" },
  a: { type: "Integer" },
  b: { type: "Decimal", values: { precision: 8, scale: 2 } },
  c: { type: "Boolean" },
  d: { type: "DateTime" },
};
const schemas: Readonly<Record<Name, object>> = {
  things: {
    name: "Thing",
    usertrack: true,
    paranoid: true,
    timestamps: true,
    fields: { id: { type: "UUID", ...key, defaultValue: { type: "UUIDV4" } }, ...fields },
  },
  // Nothing is told of it, and the server numbers it.
  slips: {
    name: "Slip",
    audit: false,
    fields: { id: { type: "Integer", ...key, defaultValue: { type: "AUTOINCREMENT" } }, ...fields },
  },
};
type Name = "things" | "slips";

/** What a role may change and make, and what its new rows have where nothing else is said. */
type Grant = { readonly update: Row; readonly create?: Row; readonly defaults?: Row };
/** What somebody with these roles does. `ofOthers`: their own rows are those that they may not change. */
type Case = {
  readonly name: string;
  readonly collection?: Name;
  readonly grants: readonly Grant[];
  readonly ofOthers?: true;
};
const own = { owner: "$CURRENT_USER" };
const ownMail = { mail: { eq: "$CURRENT_USER.email" } };
const cases: readonly Case[] = [
  { name: "by a variable", grants: [{ update: own, create: own, defaults: { ...own, text: "default" } }] },
  { name: "by a path from the actor", grants: [{ update: ownMail, create: ownMail }] },
  { name: "by a list", grants: [{ update: { mail: { in: ["$CURRENT_USER.email", "x"] } }, defaults: own }] },
  {
    name: "by what differs, and the time",
    ofOthers: true,
    grants: [{ update: { AND: [{ owner: { ne: "$CURRENT_USER" } }, { d: { lt: "$NOW+DAYS_1" } }] } }],
  },
  { name: "by a relation", grants: [{ update: { "parent.owner": "$CURRENT_USER" }, defaults: own }] },
  {
    name: "by a relation to many",
    grants: [{ update: { OR: [own, { "children.owner": "$CURRENT_USER" }] } }],
  },
  {
    name: "by the tenant",
    grants: [
      {
        update: { tenant_Id: "$CURRENT_TENANT", mail: { startsWith: "$CURRENT_USER.email" } },
        defaults: own,
      },
    ],
  },
  {
    name: "by what is not in a list",
    ofOthers: true,
    grants: [{ update: { mail: { notIn: ["$CURRENT_USER.email"] } } }],
  },
  {
    name: "by two roles with their own defaults",
    grants: [
      { update: own, create: own, defaults: { text: "of the first" } },
      { update: ownMail, create: { line: { gt: 20 } }, defaults: { text: "of the second" } },
    ],
  },
  {
    name: "without a log",
    collection: "slips",
    grants: [{ update: own, create: own, defaults: own }],
  },
];

/** What all wishes of a round set: values alone, or also whose a row is and its parent, which may be refused. */
const kinds = ["values", "belongings"] as const;
type Kind = (typeof kinds)[number];

/** People, by number. More than one shared statement takes (32), and those that go ahead alone. */
const crowd = Array.from({ length: 40 }, (_, i) => i);
const mailOf = (person: number): string => `p${person}@example.com`;
const texts = [`"`, `\\`, "", "null", "NULL", "{}", "a,b", "ü\n", null];
const extras: Readonly<Record<string, unknown>> = { a: 5, b: "1.25", c: true, d: "2021-01-01T00:00:00Z" };

/** A row before it is written: whose it is, and whose those are that it has to do with. */
type Line = {
  readonly owner: number;
  readonly mail: number;
  readonly tenant: number;
  readonly parent: number;
  readonly child: number;
  readonly isGone: boolean;
};
/** What somebody wants written; `parent`: of that line; `first`: columns of new rows alone. */
type Wish = {
  readonly actor: UserActor;
  readonly values: Row;
  readonly parent: number | null;
  readonly first: Row;
};
/** A line and a wish for each person. */
type Round = {
  readonly collection: Name;
  readonly lines: readonly Line[];
  readonly wishes: readonly Wish[];
};
type Action = "create" | "update";

/** The rows of a round: they are laid each time that it is played. `names`: what they are called whatever their ids are. */
type Copy = {
  readonly batch: number;
  readonly rows: readonly string[];
  readonly parents: readonly string[];
  readonly names: Map<string, string>;
};

/** A row as it is, the transaction that wrote it, and its entries. */
type Found = {
  readonly row: Row & { readonly line: number };
  readonly writer: string;
  readonly entries: readonly {
    readonly changes: unknown;
    readonly transaction: string;
    readonly by: readonly unknown[];
  }[];
};

/** `outcome` is the same for the same wishes; so many `statements` wrote the rows that were `written`. */
type Played = {
  readonly outcome: { readonly answers: readonly string[]; readonly rows: unknown };
  readonly written: number;
  readonly statements: number;
};

type Way = <T, R>(list: readonly T[], work: (one: T, i: number) => Promise<R>) => Promise<readonly R[]>;
const atOnce: Way = (list, work) => Promise.all(list.map(work));
const inTurn: Way = async (list, work) => {
  const done = [];
  for (const [i, one] of list.entries()) done.push(await work(one, i));
  return done;
};

async function answerOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "INTERNAL_ERROR") throw error;
    return `${error.code}: ${error.message}`;
  }
}

/** The only key that an answer gives. */
const keyOf = (answer: unknown): ItemId | null =>
  Array.isArray(answer) && answer.length === 1 ? (answer[0] as ItemId) : null;
/** Who made a wish, as the log has it. */
const tellerOf = (wish: Wish | undefined): readonly unknown[] =>
  wish ? [wish.actor.id, wish.actor.origin?.address, wish.actor.origin?.requestId, wish.actor.tenant] : [];
const isRefused = (answer: unknown): answer is string => typeof answer === "string";
const times = new Set(["createdAt", "updatedAt"]);

/** A JSON value with the names of rows for their ids, and without what differs each time. */
function named(value: unknown, names: Copy["names"]): unknown {
  return JSON.parse(JSON.stringify(value), (name, one: unknown) => {
    if (times.has(name) || name === "batch") return undefined;
    if (name === "deletedAt") return one === null ? "not deleted" : "deleted";
    return typeof one === "string" || name === "id" ? (names.get(String(one)) ?? one) : one;
  }) as unknown;
}

/** Names rows by their lines; a key that is a number may stand as text elsewhere. */
function nameRows(names: Copy["names"], ids: readonly (ItemId | null)[]): void {
  for (const [i, id] of ids.entries()) if (id !== null) names.set(String(id), `row ${i}`);
}

function shuffled<T>(list: readonly T[], next: Chance["next"]): readonly T[] {
  return list
    .map((one) => ({ one, place: next() }))
    .toSorted((x, y) => x.place - y.place)
    .map(({ one }) => one);
}

describe.each(["embedded", "older"])(`seed ${seed}, on the %s server`, (which) => {
  let external: ExternalServer | null = null;
  let app: TestApp;
  let data: Data;
  let tenants: readonly string[];
  let people: readonly string[];
  const roles = new Map<Case, readonly string[]>();
  let batches = 0;

  beforeAll(async () => {
    external = which === "older" ? await externalServer() : null;
    app = await testApp({
      env: { DATABASE_POOL_MAX: "10", MULTI_TENANT: "true" },
      ...(external && { address: external.address }),
    });
    data = app.data;
    for (const [collectionName, schema] of Object.entries(schemas))
      await app.ok("POST", "/schemas", { collectionName, schema });
    const parent = { type: "M2O", name: "parent", target: "things", alias: "children" };
    await app.ok("POST", "/schemas/things/relationships", parent);
    tenants = await make("baasix_Tenant", [{ name: "Acme" }, { name: "Bolt" }]);
    people = await make(
      "baasix_User",
      crowd.map((i) => ({ email: mailOf(i), firstName: "P" })),
    );
    for (const one of cases) roles.set(one, await rolesOf(one));
  }, 60_000);
  afterAll(async () => {
    await app.close();
    await external?.stop();
  });

  const make = async (collection: string, rows: readonly Row[]): Promise<string[]> =>
    [...(await data.create(server, collection, [...rows]))].map(String);

  async function rolesOf({ name, collection = "things", grants }: Case): Promise<readonly string[]> {
    const made = await make(
      "baasix_Role",
      grants.map((_, i) => ({ name: `${name} ${i}` })),
    );
    const rights = grants.flatMap(({ update, create = null, defaults = null }, i) => {
      const right = { role_Id: made[i], collection, fields: ["*"] };
      return [
        { ...right, action: "update", conditions: update },
        { ...right, action: "create", conditions: create, defaultValues: defaults },
      ];
    });
    await make("baasix_Permission", rights);
    return made;
  }

  /** Everybody comes from an address and with a request of their own, and acts in one of two tenants. */
  const actorOf = (person: number, held: readonly string[], admin = false): UserActor => ({
    ...unproven,
    kind: "user",
    id: people[person] ?? "",
    role: held[0] ?? "",
    roles: held,
    admin,
    tenant: admin ? null : (tenants[person % 2] ?? null),
    origin: { address: `192.0.2.${person}`, requestId: `request "${person}" \\ {` },
  });

  /** Lays the parents of a round's lines, and for updates the rows, each with a child. */
  async function lay(action: Action, { collection, lines }: Round): Promise<Copy> {
    const batch = ++batches;
    const tenantOf = ({ tenant }: Line): Row => ({ tenant_Id: tenants[tenant] });
    const isTree = collection === "things";
    const makeEach = (each: (line: Line, i: number) => Row): Promise<string[]> =>
      make(
        collection,
        lines.map((line, i) => ({ ...each(line, i), ...tenantOf(line) })),
      );
    const parents = isTree ? await makeEach((line) => ({ owner: people[line.parent] })) : [];
    const names = new Map<string, string>(parents.map((id, i) => [id, `parent ${i}`]));
    if (action === "create") return { batch, rows: [], parents, names };
    const rows = await makeEach((line, i) => ({
      batch,
      line: i,
      owner: people[line.owner],
      mail: mailOf(line.mail),
      text: "old",
      d: "2020-01-01T00:00:00Z",
      ...(isTree && { parent_Id: parents[i] }),
    }));
    if (isTree) await makeEach((line, i) => ({ owner: people[line.child], parent_Id: rows[i] }));
    nameRows(names, rows);
    const gone = rows.filter((_, i) => lines[i]?.isGone);
    await data.remove(server, collection, gone);
    return { batch, rows, parents, names };
  }

  /** Does what a round says, on rows of its own. */
  async function play(action: Action, round: Round, way: Way): Promise<Played> {
    const { collection, wishes } = round;
    const { batch, rows, parents, names } = await lay(action, round);
    const answers = await way(wishes, ({ actor, values, first, parent }, line) => {
      const body = { ...values, ...(parent !== null && { parent_Id: parents[parent] }) };
      return answerOf(
        action === "create"
          ? data.create(actor, collection, [{ batch, line, ...first, ...body }])
          : data.update(actor, collection, [{ id: rows[line] ?? "", data: body }]),
      );
    });
    if (action === "create") nameRows(names, answers.map(keyOf));
    const found = await find(action, collection, batch);
    const told = found.flatMap(({ row, entries }) => entries.map((entry) => ({ ...entry, line: row.line })));
    expect(told.map(({ line, by }) => ({ line, by }))).toEqual(
      told.map(({ line }) => ({ line, by: tellerOf(wishes[line]) })),
    );
    expect(new Set(told.map(({ transaction }) => transaction)).size).toBe(told.length);
    const written = found.filter(({ row }) => !isRefused(answers[row.line]));
    return {
      outcome: {
        answers: answers.map((answer) =>
          isRefused(answer) ? answer : (names.get(String(keyOf(answer))) ?? "no row"),
        ),
        rows: named(
          found.map(({ row, entries }) => ({ ...row, entries: entries.map(({ changes }) => changes) })),
          names,
        ),
      },
      written: written.length,
      statements: new Set(written.map(({ writer }) => writer)).size,
    };
  }

  /** All rows of a batch, and what was told of them. */
  async function find(action: Action, collection: Name, batch: number): Promise<readonly Found[]> {
    const entry =
      `json_build_object('changes', e.changes, 'transaction', e."transactionId", ` +
      `'by', json_build_array(e."userId", e.ipaddress, e."requestId", e."tenant_Id"))`;
    const entries =
      `select json_agg(${entry}) from "baasix_AuditLog" e ` +
      `where e."entityId" = t.id::text and e.entity = '${collection}' and e.action = '${action}'`;
    const rows =
      `select to_jsonb(t) as row, t.xmin::text as writer, coalesce((${entries}), '[]') as entries ` +
      `from "${collection}" t where batch = ${batch} order by line`;
    return (await outsider(app.address, rows)) as Found[];
  }

  /** How many transactions wrote some of the things as they are. */
  async function writersOf(ids: readonly string[]): Promise<number> {
    const text = `select count(distinct xmin::text)::int as n from things where id in (${ids.map((id) => `'${id}'`).join()})`;
    const [row] = (await outsider(app.address, text)) as { n: number }[];
    return row?.n ?? 0;
  }

  /** A round by chance: mostly what is allowed, and now and then what is not. */
  function roundOf(one: Case, kind: Kind, { below, sometimes, one: pick }: Chance): Round {
    const { collection = "things", grants, ofOthers = false } = one;
    const another = (person: number): number => (person + 1 + below(crowd.length - 1)) % crowd.length;
    const mostly = (person: number, share: number): number =>
      sometimes(share) === ofOthers ? person : another(person);
    const columns = Object.keys(extras).filter(() => sometimes(0.5));
    const isMoved = kind === "belongings";
    const setsText = columns.length === 0 || sometimes(0.7);
    const held = roles.get(one) ?? [];
    return {
      collection,
      lines: crowd.map((person) => ({
        owner: mostly(person, 0.15),
        mail: mostly(person, 0.15),
        tenant: sometimes(0.05) ? 1 - (person % 2) : person % 2,
        parent: mostly(person, 0.15),
        child: mostly(person, 0.6),
        isGone: sometimes(0.05),
      })),
      wishes: crowd.map((person) => ({
        actor: actorOf(person, held),
        values: {
          ...(setsText && { text: pick(texts) }),
          ...Object.fromEntries(columns.map((name) => [name, sometimes(0.8) ? extras[name] : null])),
          ...(isMoved && { owner: people[mostly(person, 0.05)] }),
        },
        parent: isMoved && collection === "things" ? (sometimes(0.05) ? another(person) : person) : null,
        first: {
          mail: mailOf(person),
          // What the first role refuses is for the second to decide.
          ...(grants.length > 1 && { owner: people[mostly(person, 0.3)] }),
        },
      })),
    };
  }

  test("what is written at once is as if it was written in turn", async () => {
    const random = chance(seed);
    const refused = { create: new Set<string>(), update: new Set<string>() };
    /** Of the rounds in which no statement failed. */
    const rows = { create: 0, update: 0 };
    const statements = { create: 0, update: 0 };
    for (const one of cases) {
      for (const kind of kinds) {
        for (const action of ["create", "update"] as const) {
          const round = roundOf(one, kind, random);
          const alone = await play(action, round, inTurn);
          const together = await play(action, round, atOnce);
          const of = { case: one.name, kind, action };
          expect({ ...of, ...together.outcome }).toEqual({ ...of, ...alone.outcome });
          const codes = alone.outcome.answers.flatMap((answer) => /^[A-Z_]+(?=:)/.exec(answer) ?? []);
          for (const code of codes) refused[action].add(code);
          if (codes.includes("FORBIDDEN")) continue;
          rows[action] += together.written;
          statements[action] += together.statements;
        }
      }
    }
    // Enough of it took place.
    expect([...refused.create]).toEqual(["FORBIDDEN"]);
    expect([...refused.update].toSorted()).toEqual(["FORBIDDEN", "NOT_FOUND"]);
    for (const action of ["create", "update"] as const) {
      expect(rows[action]).toBeGreaterThan(5 * crowd.length);
      // About a quarter; where the machine is busy, more of them wait too long for each other.
      expect(statements[action]).toBeLessThan(rows[action] * 0.9);
    }
  }, 60_000);

  test("a row that moves to another tenant is judged as if it moved alone", async () => {
    const { next } = chance(seed);
    const [from, to] = tenants;
    const lay = (n: number, more: (i: number) => Row = () => ({})): Promise<string[]> =>
      make(
        "things",
        Array.from({ length: n }, (_, i) => ({ tenant_Id: from, ...more(i) })),
      );
    const parents = await lay(4);
    const families = [...parents, ...(await lay(4, (i) => ({ parent_Id: parents[i] })))];
    // The first of a crowd go alone: of the families all are among those who share, where there is no other refusal.
    const movers = [...(await lay(12)), ...shuffled([...(await lay(8)), ...families], next)];
    const administrator = await app.roleId("administrator");
    const admin = actorOf(0, [administrator], true);
    const change = (body: Row, way: Way): Promise<readonly unknown[]> =>
      way(movers, (id) => answerOf(data.update(admin, "things", [{ id, data: body }])));
    const least = Math.min(
      ...(await inTurn(Object.keys(extras), async (name) => {
        await change({ [name]: extras[name] }, atOnce);
        return writersOf(families);
      })),
    );
    expect(least).toBeLessThan(families.length / 2);

    const answers = await change({ tenant_Id: to }, atOnce);
    expect(answers.map((answer) => (isRefused(answer) ? answer.replace(/:.*/, "") : answer))).toEqual(
      movers.map((id) => (families.includes(id) ? "FORBIDDEN" : [id])),
    );
    expect(await change({ tenant_Id: to }, inTurn)).toEqual(answers);
  });
});
