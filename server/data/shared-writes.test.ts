/**
 * Writes of one row that come at once and share statements: each is answered, kept and told as if it had come alone, whatever
 * becomes of the others. On the embedded server and on an older one, whose statement for changes is another.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ItemId } from "@baasix/types";
import { type Actor, system, unproven } from "../core/access/actor";
import { AppError } from "../core/errors";
import { testApp, type TestApp } from "../testing/app";
import { entriesOf, playBack } from "../testing/audit";
import { chance, seedOfRun } from "../testing/chance";
import { untilLocked } from "../testing/locks";
import { externalServer, type ExternalServer, outsider } from "../testing/postgres";
import { within } from "../testing/within";
import type { Data } from "./door";

type Row = Readonly<Record<string, unknown>>;

const idOf = (actor: Actor): string | null => (actor.kind === "user" ? actor.id : null);

const server = system("test of writes that share a statement");
const key = { primaryKey: true };
const schemas: Readonly<Record<string, object>> = {
  teams: { name: "Team", fields: { id: { type: "Integer", ...key } } },
  notes: {
    name: "Note",
    usertrack: true,
    fields: {
      id: { type: "UUID", ...key, defaultValue: { type: "UUIDV4" } },
      owner: { type: "UUID" },
      text: { type: "Text" },
      sku: { type: "String", unique: true },
      serial: { type: "String", immutable: true },
      turn: { type: "Integer" },
      a: { type: "Integer" },
      b: { type: "Decimal" },
      c: { type: "Boolean" },
      d: { type: "Date" },
    },
  },
  words: { name: "Word", fields: { id: { type: "String", ...key }, owner: { type: "UUID" } } },
  byUuid: { name: "ByUuid", fields: { id: { type: "UUID", ...key }, turn: { type: "Integer" } } },
  bySuid: {
    name: "BySuid",
    fields: { id: { type: "SUID", ...key, defaultValue: { type: "SUID" } }, turn: { type: "Integer" } },
  },
  byText: { name: "ByText", fields: { id: { type: "String", ...key }, turn: { type: "Integer" } } },
  byNumber: {
    name: "ByNumber",
    fields: {
      id: { type: "Integer", ...key, defaultValue: { type: "AUTOINCREMENT" } },
      turn: { type: "Integer" },
    },
  },
  byBigInt: { name: "ByBigInt", fields: { id: { type: "BigInt", ...key }, turn: { type: "Integer" } } },
};

describe.each(["embedded", "older"])("on the %s server", (which) => {
  let external: ExternalServer | null = null;
  let app: TestApp;
  let data: Data;
  let roleId: string;
  let admin: Actor;
  /** Accounts that nobody acts for yet. */
  let people: string[];

  /** Somebody of the role `writer`, who comes from an address and with a request of their own. */
  const somebody = (): Actor & { readonly kind: "user" } => ({
    ...unproven,
    kind: "user",
    id: people.pop() ?? "",
    role: roleId,
    roles: [roleId],
    admin: false,
    origin: { address: `192.0.2.${Math.floor(Math.random() * 250)}`, requestId: crypto.randomUUID() },
  });

  beforeAll(async () => {
    external = which === "older" ? await externalServer() : null;
    app = await testApp({
      env: { DATABASE_POOL_MAX: "10" },
      ...(external && { address: external.address }),
    });
    data = app.data;
    for (const [collectionName, schema] of Object.entries(schemas))
      await app.ok("POST", "/schemas", { collectionName, schema });
    await app.ok("POST", "/schemas/notes/relationships", { type: "M2O", name: "team", target: "teams" });
    const accounts = Array.from({ length: 400 }, (_, i) => ({ email: `p${i}@example.com`, firstName: "P" }));
    people = [...(await data.create(server, "baasix_User", accounts))].map(String);
    [roleId = ""] = (await data.create(server, "baasix_Role", [{ name: "writer" }])) as string[];
    const own = { owner: "$CURRENT_USER" };
    await data.create(
      server,
      "baasix_Permission",
      ["notes", "words"].flatMap((collection) =>
        ["create", "read", "update"].map((action) => ({
          role_Id: roleId,
          collection,
          action,
          fields: ["*"],
          conditions: own,
          ...(action === "create" && { defaultValues: own }),
        })),
      ),
    );
    const administrator = await app.roleId("administrator");
    admin = { ...somebody(), role: administrator, roles: [administrator], admin: true };
    await data.create(server, "teams", [{ id: 1 }]);
  }, 60_000);
  afterAll(async () => {
    await app.close();
    await external?.stop();
  });

  /** How many statements wrote rows of a collection as they are. */
  const statementsOf = async (collection: string, where = "true"): Promise<number> => {
    const text = `select count(distinct xmin::text)::int as n from "${collection}" where ${where}`;
    const [row] = (await outsider(app.address, text)) as { n: number }[];
    return row?.n ?? 0;
  };

  /**
   * Does as often as it takes what writes many rows, until they shared statements: on a machine that has much else to do
   * statements may be so slow that nobody waits for them.
   */
  const untilShared = async (
    collection: string,
    where: string,
    write: (round: number) => Promise<number>,
  ): Promise<void> => {
    for (let round = 0; ; round++) {
      const rows = await write(round);
      const statements = await statementsOf(collection, where);
      if (statements < rows / 2) return;
      if (round === 20) expect(statements).toBeLessThan(rows / 2);
    }
  };

  const outcome = async (call: Promise<unknown>): Promise<unknown> => {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return `${error.code}: ${error.message}`;
    }
  };

  test("each of a hundred creates has its own author, values and entry", async () => {
    const authors = Array.from({ length: 100 }, somebody);
    const texts = authors.map(
      (_, i) => [`"${i}", {x}\\`, "", "null", "NULL", "it's", "ä 👩‍🚀\n\t", ","][i % 7],
    );
    let ids: readonly string[] = [];
    await untilShared("notes", "true", async () => {
      await data.removeWhere(server, "notes", { id: { isNotNull: true } });
      ids = await Promise.all(
        authors.map(async (author, i) => {
          const [id] = await data.create(author, "notes", [{ text: texts[i], turn: i, a: null }]);
          return String(id);
        }),
      );
      return ids.length;
    });
    expect(new Set(ids).size).toBe(100);
    const rows = await data.find<Row>(server, "notes", { sort: "turn", limit: -1 });
    expect(
      rows.map(({ id, owner, text, turn, a, userCreated_Id }) => [id, owner, text, turn, a, userCreated_Id]),
    ).toEqual(ids.map((id, i) => [id, authors[i]?.id, texts[i], i, null, authors[i]?.id]));
    const made = (await entriesOf(app, "notes")).filter(({ action }) => action === "create");
    const entries = new Map(made.map((entry) => [entry.entityId, entry]));
    for (const [i, id] of ids.entries()) {
      const author = authors[i];
      expect(entries.get(id)).toMatchObject({
        action: "create",
        userId: author?.id,
        ipaddress: author?.origin?.address,
        requestId: author?.origin?.requestId,
        changes: { before: null, after: { id, text: texts[i], turn: i } },
      });
    }
    expect(new Set(ids.map((id) => entries.get(id)?.transactionId)).size).toBe(100);
  });

  test("each of a hundred changes sees its own row alone", async () => {
    const authors = Array.from({ length: 100 }, somebody);
    const ids = await Promise.all(
      authors.map(async (author) => String((await data.create(author, "notes", [{ text: "old" }]))[0])),
    );
    // Whose row it is not hears what hears who names no row.
    const fails = (i: number) => i % 10 === 9 || i % 10 === 5;
    const change = (id: string, i: number) => {
      const author = authors[i % 10 === 9 ? i - 1 : i] as Actor;
      const named = i % 10 === 5 ? crypto.randomUUID() : i % 2 === 0 ? id.toUpperCase() : id;
      return outcome(data.update(author, "notes", [{ id: named, data: { text: `new ${i}` } }]));
    };
    await untilShared("notes", `text like 'new %'`, async () => {
      const outcomes = await Promise.all(ids.map(change));
      expect(outcomes).toEqual(ids.map((id, i) => (fails(i) ? "NOT_FOUND: Item not found" : [id])));
      return 80;
    });
    const rows = await data.find<{ id: string; text: string }>(server, "notes", {
      filter: { id: { in: ids } },
      limit: -1,
    });
    const found = new Map(rows.map(({ id, text }) => [id, text]));
    expect(ids.map((id) => found.get(id))).toEqual(ids.map((_, i) => (fails(i) ? "old" : `new ${i}`)));
    const entries = (await entriesOf(app, "notes")).filter(({ action }) => action === "update");
    const tellers = new Map(
      entries.map(({ entityId, userId, requestId }) => [entityId, [userId, requestId]]),
    );
    expect(ids.map((id) => tellers.get(id))).toEqual(
      authors.map(({ id, origin }, i) => (fails(i) ? undefined : [id, origin?.requestId ?? null])),
    );
    await playBack(app, "notes");
  });

  test("what fails, fails alone, and says what it says alone", async () => {
    const seed = seedOfRun();
    const { below, one } = chance(seed);
    const made = somebody();
    await data.create(made, "notes", [{ sku: `taken ${seed}` }]);
    const [mine = ""] = (await data.create(made, "notes", [{ serial: "set", text: "mine" }])) as string[];
    // Other columns are another kind of write: after a failure those of one kind go alone for a while.
    const columns = ["a", "b", "c", "d"];
    const values: Row = { a: 1, b: "1.5", c: true, d: "2026-01-02" };
    for (let round = 0; round < 16; round++) {
      const extra = Object.fromEntries(
        columns.filter((_, bit) => (round >> bit) & 1).map((name) => [name, values[name]]),
      );
      const bad = [
        { sku: `taken ${seed}` },
        { team_Id: 2 },
        { owner: crypto.randomUUID() },
        { turn: 1, text: "a\0b" },
      ];
      const kinds: readonly (() => Row)[] = [
        () => ({ sku: crypto.randomUUID() }),
        () => ({ team_Id: 1 }),
        () => ({ owner: made.id }),
        () => ({ turn: below(100), text: "fine" }),
      ];
      const bodies = Array.from({ length: 24 }, (): Row => {
        const kind = below(4);
        const isBad = below(12) === 0;
        return { ...(isBad ? bad[kind] : kinds[kind]?.()), ...extra };
      });
      const create = async (body: Row) => {
        const [id] = await data.create(made, "notes", [body]);
        return data.find(server, "notes", { filter: { id }, fields: ["owner", "text", "turn", ...columns] });
      };
      const together = await Promise.all(bodies.map((body) => outcome(create(body))));
      const alone: unknown[] = [];
      for (const body of bodies) {
        const again = typeof body["sku"] === "string" && body["sku"] !== `taken ${seed}`;
        alone.push(await outcome(create(again ? { ...body, sku: crypto.randomUUID() } : body)));
      }
      expect(together).toEqual(alone);
      const changes = Array.from({ length: 12 }, () =>
        one<Row>([{ serial: "other" }, { serial: "set" }, { owner: crypto.randomUUID() }]),
      );
      const change = (body: Row) => data.update(made, "notes", [{ id: mine, data: { ...body, ...extra } }]);
      expect(await Promise.all(changes.map((body) => outcome(change(body))))).toEqual(
        changes.map((body) =>
          "owner" in body
            ? "FORBIDDEN: You don't have permission to update this item in 'notes'"
            : body["serial"] === "set"
              ? [mine]
              : "VALIDATION_ERROR: Validation failed: serial: is set once and cannot change",
        ),
      );
    }
    await playBack(app, "notes");
  }, 60_000);

  test("many changes of one row are made one after the other", async () => {
    const author = somebody();
    const [first = "", second = ""] = (await Promise.all(
      [1, 2].map(async () => (await data.create(author, "notes", [{ turn: -1 }]))[0]),
    )) as string[];
    await Promise.all(
      Array.from({ length: 60 }, (_, turn) =>
        data.update(author, "notes", [
          { id: turn % 3 === 0 ? first : turn % 2 === 0 ? second : second.toUpperCase(), data: { turn } },
        ]),
      ),
    );
    const entries = (await entriesOf(app, "notes")).filter(({ action }) => action === "update");
    for (const [id, count] of [
      [first, 20],
      [second, 40],
    ] as const) {
      const turns = entries.flatMap(({ entityId, changes }) =>
        entityId === id ? [changes.after?.["turn"]] : [],
      );
      expect(new Set(turns).size).toBe(count);
    }
    await playBack(app, "notes");
  });

  test("who waits for a lock keeps nobody else waiting", async () => {
    const author = somebody();
    const ids = (await Promise.all(
      Array.from({ length: 20 }, async () => (await data.create(author, "notes", [{ turn: 0 }]))[0]),
    )) as string[];
    const held = ids[10] ?? "";
    const release = Promise.withResolvers<void>();
    const isHeld = Promise.withResolvers<void>();
    const holder = data.transaction(async (rows) => {
      await rows.update(server, "notes", [{ id: held, data: { turn: 1 } }]);
      isHeld.resolve();
      await release.promise;
    });
    await isHeld.promise;
    const change = (id: string) => data.update(author, "notes", [{ id, data: { a: 7 } }]);
    const calls = ids.map((id) => ({ id, done: change(id) }));
    const waiting = calls.find(({ id }) => id === held);
    const others = calls.filter(({ id }) => id !== held).map(({ done }) => done);
    // Before the statement's own time is up.
    expect(await within(10_000, Promise.all(others))).toHaveLength(19);
    await untilLocked({ run: async ({ text }) => (await outsider(app.address, text)).map(() => []) });
    release.resolve();
    await holder;
    expect(await waiting?.done).toEqual([held]);
    const [row] = await data.find<Row>(server, "notes", { filter: { id: held } });
    expect(row).toMatchObject({ turn: 1, a: 7 });
  });

  test("a connection that is lost is no reason to write again", async () => {
    await outsider(
      app.address,
      `create function lose_connection() returns trigger language plpgsql as ` +
        `$$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$`,
      `create trigger lose before insert on notes for each row when (new.text = 'lose') execute function lose_connection()`,
    );
    try {
      const lost = "UNAVAILABLE: The database cannot be reached; try again in a moment.";
      for (let round = 0, count = 0; count < 2; round++) {
        const author = somebody();
        const texts = Array.from({ length: 20 }, (_, i) => (i === 12 ? "lose" : `kept ${i}`));
        const outcomes = await Promise.all(
          texts.map((text) => outcome(data.create(author, "notes", [{ text, sku: `${text} ${author.id}` }]))),
        );
        const rows = await data.find<{ id: string; text: string }>(server, "notes", {
          filter: { owner: author.id },
          limit: -1,
        });
        // Those that were in the statement do not know what became of it; here: nothing.
        const told = outcomes.flatMap((ids) => (Array.isArray(ids) ? (ids as string[]) : []));
        expect(rows.map(({ id }) => id).toSorted()).toEqual(told.toSorted());
        expect(outcomes[12]).toBe(lost);
        expect(rows.some(({ text }) => text === "lose")).toBe(false);
        count = outcomes.filter((one) => one === lost).length;
        if (round === 20) expect(count).toBeGreaterThan(1);
      }
    } finally {
      await outsider(app.address, "drop trigger lose on notes", "drop function lose_connection()");
    }
  });

  test("rows that change while their statement waits are judged and told as they are then", async () => {
    const [author, other] = [somebody(), somebody()];
    const ids = (await Promise.all(
      Array.from(
        { length: 20 },
        async () => (await data.create(author, "notes", [{ turn: 0, text: "" }]))[0],
      ),
    )) as string[];
    const [held = "", moved = ""] = ids.slice(12);
    const isHeld = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holder = data.transaction(async (rows) => {
      await rows.update(server, "notes", [{ id: held, data: { turn: 1 } }]);
      await rows.update(server, "notes", [{ id: moved, data: { owner: other.id } }]);
      isHeld.resolve();
      await release.promise;
    });
    await isHeld.promise;
    const changes = ids.map((id) => outcome(data.update(author, "notes", [{ id, data: { text: "new" } }])));
    await Promise.all(changes.slice(0, 2));
    release.resolve();
    await holder;
    expect(await Promise.all(changes)).toEqual(
      ids.map((id) => (id === moved ? "NOT_FOUND: Item not found" : [id])),
    );
    const filter = { id: { in: ids } };
    const rows = await data.find<Row>(server, "notes", { filter, fields: ["id", "text", "turn"], limit: -1 });
    expect(new Map(rows.map(({ id, ...row }) => [id, row]))).toEqual(
      new Map(ids.map((id) => [id, { text: id === moved ? "" : "new", turn: id === held ? 1 : 0 }])),
    );
    await playBack(app, "notes");
  });

  test("a row that is slow is slow for itself alone", async () => {
    await outsider(
      app.address,
      "create table gate (is_open boolean)",
      `create function be_slow() returns trigger language plpgsql as $$ begin if new.text = 'slow' then ` +
        `while not exists (select from gate) loop perform pg_sleep(0.01); end loop; end if; return new; end $$`,
      `create trigger slow before insert on notes for each row execute function be_slow()`,
    );
    try {
      const author = somebody();
      const calls = Array.from({ length: 20 }, (_, i) =>
        data.create(author, "notes", [{ text: i === 12 ? "slow" : "quick", turn: i, d: "2026-01-02" }]),
      );
      const slow = calls[12];
      await within(10_000, Promise.all(calls.filter((call) => call !== slow)));
      await outsider(app.address, "insert into gate values (true)");
      expect(await slow).toHaveLength(1);
      expect(await data.find(server, "notes", { filter: { owner: author.id }, limit: -1 })).toHaveLength(20);
    } finally {
      await outsider(app.address, "drop trigger slow on notes", "drop function be_slow()", "drop table gate");
    }
  }, 20_000);

  test("a crowd shares again after a failure, however many went alone", async () => {
    const author = somebody();
    await data.create(author, "notes", [{ sku: "one", serial: "0" }]);
    let next = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 256 }, async () => {
        const told: unknown[] = [];
        for (let i = 0; i < 24; i++) {
          const serial = ++next;
          const sku = serial === 2000 ? "one" : `sku ${serial}`;
          told.push(await outcome(data.create(author, "notes", [{ sku, serial: String(serial) }])));
        }
        return told;
      }),
    );
    expect(outcomes.flat().filter((one) => typeof one === "string")).toHaveLength(1);
    // Long after it.
    const last = `sku like 'sku %' and serial::int > 4000`;
    expect(await statementsOf("notes", last)).toBeLessThan(0.9 * 2144);
  }, 60_000);

  test("a row that a trigger gives another key is judged and told all the same", async () => {
    await outsider(
      app.address,
      `create function lower_key() returns trigger language plpgsql as $$ begin new.id := lower(new.id); return new; end $$`,
      `create trigger lower before insert on words for each row execute function lower_key()`,
    );
    const [author, victim] = [somebody(), somebody()];
    const owners = Array.from({ length: 20 }, (_, i) => (i % 5 === 4 ? victim : author).id);
    const create = (owner: string, i: number) => data.create(author, "words", [{ id: `KEY ${i}`, owner }]);
    expect(await Promise.all(owners.map((owner, i) => outcome(create(owner, i))))).toEqual(
      owners.map((owner, i) =>
        owner === author.id
          ? [`key ${i}`]
          : "FORBIDDEN: You don't have permission to create this item in 'words'",
      ),
    );
    // The administrator's are judged by nothing, and are to be told as hers all the same.
    const ids = await Promise.all(
      owners.map((owner, i) => data.create(admin, "words", [{ id: `ADMIN ${i}`, owner }])),
    );
    expect(ids).toEqual(owners.map((_, i) => [`admin ${i}`]));
    expect(await playBack(app, "words")).toBe(36);
    const tellers = (await entriesOf(app, "words")).map(({ userId }) => userId);
    expect(new Set(tellers)).toEqual(new Set([author.id, idOf(admin)]));
  });

  const keys: Readonly<Record<string, ((i: number) => ItemId) | null>> = {
    byUuid: (i) => `0000000A-0000-4000-8000-${String(i).padStart(12, "0")}`,
    bySuid: null,
    byText: (i) => `key ${i} "quoted"`,
    byNumber: null,
    byBigInt: (i) => `9007199254740${i + 1000}`,
  };
  test.each(Object.keys(keys))("keys of %s are told as they are of one alone", async (collection) => {
    const make = async (i: number): Promise<ItemId | undefined> => {
      const body = { turn: i, ...(keys[collection] && { id: keys[collection]?.(i) }) };
      return (await data.create(admin, collection, [body]))[0];
    };
    const alone = await make(0);
    let ids: readonly ItemId[] = [];
    await untilShared(collection, "turn > 0", async (round) => {
      await data.removeWhere(server, collection, { turn: { gt: 0 } });
      ids = (await Promise.all(Array.from({ length: 30 }, (_, i) => make(30 * round + i + 1)))) as ItemId[];
      return 30;
    });
    const rows = await data.find<{ id: ItemId }>(server, collection, { sort: "turn", limit: -1 });
    expect(rows.map(({ id }) => String(id))).toEqual([alone, ...ids].map(String));
    expect(ids.map((id) => typeof id)).toEqual(ids.map(() => typeof alone));
    const change = (id: ItemId, turn: number) => data.update(admin, collection, [{ id, data: { turn } }]);
    await untilShared(collection, "turn = -1", async () => {
      expect(await Promise.all(ids.map((id) => change(id, -1)))).toEqual(ids.map((id) => [id]));
      return 30;
    });
    expect(await change(ids[0] as ItemId, -1)).toEqual([ids[0] as ItemId]);
    expect(await data.find(server, collection, { filter: { turn: -1 }, limit: -1 })).toHaveLength(30);
  });
});
