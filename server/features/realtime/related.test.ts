/** Rows that enter and leave views because of other rows: driven by hand, then by random writes against fresh reads. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Collection } from "../../core/schema/model";
import type { Sight, Survey, View } from "../../data";
import { type TestApp, testApp } from "../../testing/app";
import { blogSchema } from "../../testing/blog";
import { chance, seedOfRun } from "../../testing/chance";
import { outsider } from "../../testing/postgres";
import { openSocket } from "../../testing/socket";
import { createBarrier } from "./barrier";
import { createRelated } from "./related";
import type { Member } from "./seats";
import { createViews } from "./views";

describe("by hand", () => {
  const posts = blogSchema.collections.get("posts") as Collection;
  const statement = { version: 1, text: "", params: [] };
  const view: View = {
    key: "k",
    collection: posts,
    statement,
    params: [],
    dependencies: new Map([["authors", { columns: new Set(["name"]), created: false }]]),
    seen: { look: statement, survey: statement, params: [] },
  };
  const member: Member = { has: () => false, join: () => {}, leave: () => {} };
  const rowsOf = (texts: Readonly<Record<string, string>>): Survey["rows"] =>
    new Map(
      Object.entries(texts).map(([id, title]) => {
        const text = JSON.stringify({ id: Number(id), title });
        return [id, { json: `{"id":${id}}`, mark: hash(text), text }] as const;
      }),
    );
  const hash = (text: string): string =>
    new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 32);

  function stage() {
    const asked: ((survey: Survey | null | Error) => void)[] = [];
    const told: string[] = [];
    const rights = createBarrier();
    const state = { isTold: true };
    let hear = Promise.withResolvers<void>();
    const views = createViews({ open: () => view }, (_topic, text) => {
      const { type, action, data, _old, reason } = JSON.parse(text) as Record<string, unknown>;
      told.push(
        type === "change"
          ? [action, JSON.stringify(data), ...(_old ? ["old"] : [])].join(" ")
          : `${String(type)} ${String(reason)}`,
      );
      hear.resolve();
      hear = Promise.withResolvers();
    });
    const related = createRelated({
      judge: {
        survey: () =>
          new Promise((resolve, reject) => {
            asked.push((survey) => (survey instanceof Error ? reject(survey) : resolve(survey)));
          }),
      },
      views,
      settled: rights.settled,
      isTold: () => state.isTold,
    });
    const subscription = views.enter(member, { kind: "anonymous" }, { collection: "posts" });
    const { live } = subscription;
    related.follow(live);
    const publish = (sight: Pick<Sight, "key" | "gone" | "now">, at: number): void => {
      const one = related.settle(live, { view: 0, change: 0, ...sight }, at);
      if (one) views.publish(live, { ...one, collection: "posts", committedAt: at });
    };
    return {
      told,
      /** What was told, once it is so much. */
      toldSoMuch: async (count: number) => {
        // oxlint-disable-next-line no-await-in-loop
        while (told.length < count) await hear.promise;
        return told;
      },
      related,
      live,
      rights,
      state,
      leave: () => views.exit(member, subscription),
      asked: async () => {
        while (asked.length === 0) await Bun.sleep(1);
        return asked.shift() as (typeof asked)[number];
      },
      isAsked: () => asked.length > 0,
      sight: (id: number, now: string | null, gone: boolean, at: number) =>
        publish(
          {
            key: String(id),
            now: now === null ? null : JSON.stringify({ id, title: now }),
            gone: gone ? `{"id":${id}}` : null,
          },
          at,
        ),
    };
  }
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

  test("a difference is told when what a view reaches has changed, with the time of that", async () => {
    const { asked, told, related, live } = stage();
    (await asked())({ at: 100, rows: rowsOf({ 1: "a", 2: "b" }) });
    await settle();
    related.touched(live, 150);
    (await asked())({ at: 200, rows: rowsOf({ 2: "b!", 3: "c" }) });
    await settle();
    expect(told).toEqual(['update {"id":2,"title":"b!"}', 'create {"id":3,"title":"c"}', 'delete {"id":1}']);
  });

  test("before its rows were read, and of what was committed before, it is a resync", async () => {
    const { asked, told, toldSoMuch, related, live, sight } = stage();
    related.touched(live, 50);
    sight(1, null, true, 60);
    sight(2, "b", false, 60);
    (await asked())({ at: 100, rows: rowsOf({ 1: "a" }) });
    await settle();
    expect(told).toEqual(["resync a related item changed", 'create {"id":2,"title":"b"}']);
    // 1 had gone when it was read, as far as is known.
    sight(2, null, true, 101);
    expect(told.at(-1)).toBe('delete {"id":2}');
    related.touched(live, 100);
    expect((await toldSoMuch(4)).slice(3)).toEqual(["resync a related item changed"]);
  });

  test("own rows are told by what is known of them, never that one has gone which was not there", async () => {
    const { asked, told, sight } = stage();
    (await asked())({ at: 100, rows: rowsOf({ 1: "a" }) });
    await settle();
    sight(1, "a", true, 150);
    sight(2, "b", true, 150);
    sight(3, null, true, 150);
    sight(1, null, false, 150);
    expect(told).toEqual(['update {"id":1,"title":"a"}', 'create {"id":2,"title":"b"}', 'delete {"id":1}']);
  });

  test("what is told of own rows while a view is read is newer or older than that, and read again", async () => {
    const { asked, told, related, live, sight } = stage();
    (await asked())({ at: 100, rows: rowsOf({ 1: "a", 2: "b" }) });
    await settle();
    related.touched(live, 150);
    const answer = await asked();
    sight(3, "c", false, 160);
    sight(1, null, false, 160);
    answer({ at: 155, rows: rowsOf({ 1: "a", 2: "b" }) });
    await settle();
    expect(told.splice(0)).toEqual(['create {"id":3,"title":"c"}', 'delete {"id":1}']);
    (await asked())({ at: 170, rows: rowsOf({ 2: "b", 3: "c!" }) });
    await settle();
    expect(told).toEqual(['update {"id":3,"title":"c!"}']);
  });

  test("a difference waits for rights that are being read, and is none where they cannot be", async () => {
    const { asked, told, related, live, rights } = stage();
    (await asked())({ at: 100, rows: rowsOf({}) });
    await settle();
    const reading = Promise.withResolvers<boolean>();
    rights.await(reading.promise);
    related.touched(live, 150);
    (await asked())({ at: 200, rows: rowsOf({ 1: "a" }) });
    await settle();
    expect(told).toEqual([]);
    reading.resolve(false);
    await settle();
    expect(told).toEqual(["resync a related item changed"]);
  });

  test("too many rows, failures, long differences and nobody who tells of changes are a resync", async () => {
    for (const answer of [null, new Error("too slow")]) {
      const { asked, told, related, live } = stage();
      (await asked())(answer);
      await settle();
      related.touched(live, 150);
      await settle();
      expect(told).toEqual(["resync a related item changed"]);
    }
    const { asked, told, related, live, isAsked, state } = stage();
    (await asked())({ at: 100, rows: rowsOf({}) });
    await settle();
    related.touched(live, 150);
    (await asked())({ at: 200, rows: rowsOf({ 1: "x".repeat(300_000) }) });
    await settle();
    expect(told).toEqual(["resync many changes at once"]);
    state.isTold = false;
    related.follow(live);
    related.touched(live, 250);
    await settle();
    expect([told.at(-1), isAsked()]).toEqual(["resync a related item changed", false]);
  });

  test("what counts no more is not told: after a gap, and when everybody has left", async () => {
    const { asked, told, related, live, leave, isAsked } = stage();
    (await asked())({ at: 100, rows: rowsOf({ 1: "a" }) });
    await settle();
    related.touched(live, 150);
    const late = await asked();
    related.follow(live);
    late({ at: 200, rows: rowsOf({}) });
    (await asked())({ at: 300, rows: rowsOf({}) });
    await settle();
    expect(told).toEqual([]);
    related.touched(live, 350);
    const last = await asked();
    leave();
    last({ at: 400, rows: rowsOf({ 5: "e" }) });
    await settle();
    expect([told, isAsked()]).toEqual([[], false]);
  });
});

describe("on a server", () => {
  let app: TestApp;
  let url: string;
  let people: { token: string; id: string }[];

  const key = { type: "Integer", primaryKey: true };
  const define = async (collectionName: string, fields: object): Promise<void> => {
    const schema = { name: collectionName, timestamps: false, fields: { id: key, ...fields } };
    await app.ok("POST", "/schemas", { collectionName, schema });
  };
  const psql = (...statements: string[]) => outsider(app.address, ...statements);

  beforeAll(async () => {
    app = await testApp();
    await define("folders", { name: { type: "String" }, open: { type: "Boolean" } });
    await define("members", { user: { type: "UUID" } });
    await define("notes", { text: { type: "String" } });
    for (const name of ["members", "notes"]) {
      const body = { type: "M2O", name: "folder", target: "folders", alias: name, onDelete: "CASCADE" };
      await app.ok("POST", `/schemas/${name}/relationships`, body);
    }
    url = app.listen();
    people = await Promise.all(["ann", "bob"].map((name) => app.signUp(`${name}@example.com`)));
    const role = await app.roleId("user");
    for (const [collection, conditions] of [
      ["notes", { folder: { members: { user: { eq: "$CURRENT_USER" } } } }],
      ["folders", {}],
    ] as const) {
      const body = { role_Id: role, action: "read", fields: ["*"], collection, conditions };
      await app.ok("POST", "/permissions", body);
    }
  }, 60_000);
  afterAll(() => app.close());

  const fields = ["id", "text", "folder.name"];
  const read = async (token: string, filter: object): Promise<Map<unknown, string>> => {
    const query = new URLSearchParams({ filter: JSON.stringify(filter), fields: fields.join(), limit: "-1" });
    const { body } = await app.call("GET", `/items/notes?${query}`, { token });
    const { data } = body as { data: { id: unknown }[] };
    return new Map(data.map((item) => [item.id, JSON.stringify(item)]));
  };

  /** A client that does as it is told: it reads once, applies changes, and reads again when it is told to. */
  async function client(token: string, filter: object) {
    const socket = await openSocket(url, token);
    await socket.subscribe("notes", { filter, fields });
    let items = await read(token, filter);
    return {
      socket,
      /** Takes in what has come; the items as it knows them then. */
      items: async (): Promise<Map<unknown, string>> => {
        await socket.ask({ type: "ping" });
        while (socket.unread.length > 0) {
          const frame = await socket.next();
          if (frame.type === "resync") items = await read(token, filter);
          else if (frame.type !== "change") throw new Error(JSON.stringify(frame));
          else if (frame.action === "delete") items.delete(frame.data["id"]);
          else items.set(frame.data["id"], JSON.stringify(frame.data));
        }
        return items;
      },
    };
  }

  const sorted = (items: Map<unknown, string>): string[] => [...items.values()].sort();

  test("rows that enter and leave by other rows come as creations and deletions, and as updates where they look otherwise", async () => {
    const [ann] = people as [{ token: string; id: string }];
    await psql(
      `insert into folders (id, name) values (1, 'one'), (2, 'two')`,
      `insert into members (id, "user", "folder_Id") values (1, '${ann.id}', 1)`,
      `insert into notes (id, text, "folder_Id") values (1, 'a', 1), (2, 'b', 2), (3, 'c', 2)`,
    );
    const socket = await openSocket(url, ann.token);
    await socket.subscribe("notes", { fields });
    // Until the rows of the view are known, it is a resync.
    for (let n = 0; ; n++) {
      await psql(`update folders set name = 'one ${n}' where id = 1`);
      if ((await socket.next()).type === "change") break;
    }
    await socket.ask({ type: "ping" });
    while (socket.unread.length > 0) await socket.next();
    const story: readonly (readonly [sql: string, told: readonly string[]])[] = [
      [
        `insert into members (id, "user", "folder_Id") values (2, '${ann.id}', 2)`,
        ["create 2 b two", "create 3 c two"],
      ],
      [`update folders set name = 'TWO' where id = 2`, ["update 2 b TWO", "update 3 c TWO"]],
      [`update notes set text = 'b!' where id = 2`, ["update 2 b! TWO"]],
      [
        `begin; update notes set text = 'secret' where id = 3; delete from members where id = 2; commit`,
        ["delete 2", "delete 3"],
      ],
      [`update notes set text = 'c!' where id = 3; delete from notes where id = 2`, []],
      [`update notes set "folder_Id" = 1 where id = 3`, ["create 3 c! one"]],
      [`delete from folders where id = 1`, ["delete 1", "delete 3"]],
    ];
    for (const [sql, told] of story) {
      await psql(sql);
      const heard: string[] = [];
      while (heard.length < told.length) {
        const frame = await socket.expect("change");
        const { id, text, folder } = frame.data as { id: number; text?: string; folder?: { name: string } };
        const shown = text === undefined ? [] : [text, String(folder?.name).replace(/ \d+$/, "")];
        heard.push([frame.action, id, ...shown].join(" "));
      }
      expect(heard.sort()).toEqual([...told].sort());
    }
    expect(socket.heard.join()).not.toContain("secret");
    socket.close();
    await psql("delete from notes", "delete from folders");
  }, 15_000);

  test("after random writes everybody who does as told has what a fresh read gives", async () => {
    const [ann, bob] = people as [{ token: string; id: string }, { token: string; id: string }];
    const views: readonly (readonly [string, object])[] = [
      [ann.token, {}],
      [ann.token, { "folder.open": { eq: true } }],
      [bob.token, {}],
      [app.admin, { folder: { members: { user: { eq: ann.id } } } }],
      [app.admin, { NOT: { "folder.name": { eq: "x" } } }],
    ];
    const clients = await Promise.all(views.map(([token, filter]) => client(token, filter)));
    const seed = seedOfRun();
    const { below: pick } = chance(seed);
    const someone = (): string => (pick(2) === 0 ? ann : bob).id;
    const writes: readonly (() => string)[] = [
      () => `insert into folders (id, name, open) values (${pick(4)}, 'x', true) on conflict do nothing`,
      () =>
        `update folders set open = not coalesce(open, false), name = '${["x", "y"][pick(2)]}' where id = ${pick(4)}`,
      () => `delete from folders where id = ${pick(4)} and ${pick(3)} = 0`,
      () =>
        `insert into members (id, "user", "folder_Id") select ${pick(6)}, '${someone()}', id from folders where id = ${pick(4)} on conflict do nothing`,
      () => `delete from members where id = ${pick(6)}`,
      () => `update members set "user" = '${someone()}' where id = ${pick(6)}`,
      () =>
        `insert into notes (id, text, "folder_Id") select ${pick(12)}, 'n', id from folders where id = ${pick(4)} on conflict (id) do update set text = 'again'`,
      () => `update notes set text = '${pick(100)}' where id = ${pick(12)}`,
      () => `update notes set "folder_Id" = (select min(id) from folders) where id = ${pick(12)}`,
      () => `delete from notes where id = ${pick(12)}`,
    ];
    const write = (): string => (writes[pick(writes.length)] as () => string)();
    for (let round = 0; round < 4; round++) {
      for (let step = 0; step < 15; step++) {
        await psql(pick(3) === 0 ? `begin; ${write()}; ${write()}; ${write()}; commit` : write());
      }
      const deadline = performance.now() + 10_000;
      for (const [place, one] of clients.entries()) {
        const [token, filter] = views[place] as (typeof views)[number];
        const fresh = sorted(await read(token, filter));
        while (!Bun.deepEquals(sorted(await one.items()), fresh)) {
          if (performance.now() > deadline)
            expect([seed, place, sorted(await one.items())]).toEqual([seed, place, fresh]);
          await Bun.sleep(20);
        }
      }
    }
    for (const { socket } of clients) socket.close();
  }, 60_000);
});
