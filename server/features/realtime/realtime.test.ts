import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { realtimeVersion, type ServerFrame } from "@baasix/types";
import { testApp, type TestApp } from "../../testing/app";
import { outsider, testServer } from "../../testing/postgres";
import { openSocket, type TestSocket } from "../../testing/socket";

type Row = Record<string, unknown>;

let app: TestApp;
let url: string;
let role: string;
let ann: { token: string; id: string };
let bob: { token: string; id: string };
/** Connected at the start, silent until the server has had enough. */
let silent: TestSocket;
let offset = 0;

const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const schemas: Record<string, Row> = {
  authors: {
    name: "Author",
    timestamps: false,
    fields: { id: key, name: { type: "String" }, mail: { type: "String" } },
  },
  notes: {
    name: "Note",
    timestamps: false,
    fields: {
      id: key,
      text: { type: "Text" },
      owner: { type: "UUID" },
      open: { type: "Boolean", defaultValue: true },
      price: { type: "Decimal", values: { precision: 20, scale: 4 } },
      views: { type: "BigInt" },
      at: { type: "DateTime" },
      tags: { type: "Array", values: { type: "String" } },
      meta: { type: "JSONB" },
      secret: { type: "String" },
    },
  },
  drafts: { name: "Draft", timestamps: false, paranoid: true, fields: { id: key, text: { type: "Text" } } },
  quiet: { name: "Quiet", timestamps: false, realtime: false, fields: { id: key } },
};

beforeAll(async () => {
  app = await testApp({
    env: { REALTIME_SOCKETS_PER_USER: "10", REALTIME_SOCKETS_PER_ADDRESS: "10" },
    now: () => Date.now() + offset,
  });
  for (const [collectionName, schema] of Object.entries(schemas)) {
    await post("/schemas", { collectionName, schema });
  }
  await post("/schemas/notes/relationships", {
    type: "M2O",
    name: "author",
    target: "authors",
    alias: "notes",
  });
  url = app.listen();
  silent = await openSocket(url);
  [ann, bob] = await Promise.all([app.signUp("ann@example.com"), app.signUp("bob@example.com")]);
  role = await app.roleId("user");
}, 60_000);
afterAll(() => app.close());

async function post(path: string, body: unknown, token = app.admin): Promise<Row> {
  const answer = await app.call("POST", path, { token, body });
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return answer.body as Row;
}

const create = async (collection: string, body: unknown): Promise<number> =>
  ((await post(`/items/${collection}`, body))["data"] as { id: number }).id;

const psql = (...statements: string[]) => outsider(app.address, ...statements);

/** Gives the role `user` a permission to read while `work` runs. */
const allowed = (permission: Row, work: (id: string) => Promise<void>): Promise<void> =>
  app.whileAllowed([{ role_Id: role, action: "read", fields: ["*"], ...permission }], (id = "") => work(id));

/** A change as a sentence: `update {"id":1}`. */
async function change(socket: TestSocket): Promise<string> {
  const { action, data } = await socket.expect("change");
  return `${action} ${JSON.stringify(data)}`;
}

async function using(sockets: readonly TestSocket[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    for (const socket of sockets) socket.close();
    await Promise.all(sockets.map((socket) => socket.closed));
  }
}

describe("changes", () => {
  test("of items come as they were committed, shown as a read shows them", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      const id = socket.send({ type: "subscribe", collection: "notes" });
      const { subscription, ...rest } = await socket.expect("subscribed");
      expect(rest).toEqual({ type: "subscribed", id, primaryKey: "id" });
      const values = {
        text: 'a "quoted"\nline \u00e9\ud83d\ude00',
        price: "12345678901234.5678",
        views: "9007199254740993",
        at: "2026-11-20T09:13:51.123456+02:00",
        tags: ["a", 'b"', "c,d"],
        meta: { deep: [1, null, "x"] },
      };
      const note = await create("notes", values);
      const read = async () => {
        const answer = await app.call("GET", `/items/notes/${note}`, { token: app.admin });
        return (answer.body as { data: Row }).data;
      };
      const created = await socket.expect("change");
      expect(created).toEqual({
        type: "change",
        subscription,
        action: "create",
        collection: "notes",
        data: await read(),
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      });
      await app.ok("PATCH", `/items/notes/${note}`, { text: "x".repeat(20_000) });
      await socket.expect("change");
      // The large text does not change: the log leaves it out of the new row.
      await app.ok("PATCH", `/items/notes/${note}`, { open: false });
      expect((await socket.expect("change")).data).toEqual(await read());
      await app.ok("DELETE", `/items/notes/${note}`);
      expect(await change(socket)).toBe(`delete {"id":${note}}`);
    });
  });

  test("made outside the server arrive too, in the order of commits, as what each transaction did", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      await socket.subscribe("notes", { fields: ["text"] });
      await psql(
        `begin; insert into notes (id, text) values (1001, 'a'), (1002, 'b'); update notes set text = 'c' where id = 1001;
         delete from notes where id = 1002; update notes set id = 1003 where id = 1001; commit`,
        `begin; insert into notes (id) values (1004); rollback`,
        `delete from notes where id = 1003`,
      );
      const told: string[] = [];
      for (let i = 0; i < 2; i++) told.push(await change(socket));
      expect(told).toEqual(['create {"id":1003,"text":"c"}', 'delete {"id":1003}']);
    });
  });

  test("of rows that are softly deleted and restored are a leave and an enter", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      await socket.subscribe("drafts", { fields: ["text"] });
      const draft = await create("drafts", { text: "t" });
      await app.ok("DELETE", `/items/drafts/${draft}`);
      await psql(`update drafts set "deletedAt" = null`);
      expect([await change(socket), await change(socket), await change(socket)]).toEqual([
        `create {"id":${draft},"text":"t"}`,
        `delete {"id":${draft}}`,
        `create {"id":${draft},"text":"t"}`,
      ]);
    });
  });

  // Each step is an assignment by SQL to one row of Ann's; what each permission and filter tells of it.
  const steps = [
    "text = 'one'",
    "open = false",
    "text = 'two'",
    "secret = 'hush'",
    "open = true",
    "owner = null",
    "owner = '$ann', text = 'three'",
  ];
  type Case = readonly [name: string, permission: Row, options: object, told: readonly string[]];
  const cases: readonly Case[] = [
    [
      "every row",
      {},
      { fields: ["text"] },
      [
        "create t",
        "update one",
        "update one",
        "update two",
        "update two",
        "update two",
        "update two",
        "update three",
        "delete",
      ],
    ],
    [
      "open rows",
      { conditions: { open: { eq: true } } },
      { fields: ["text"] },
      ["create t", "update one", "delete", "create two", "update two", "update three", "delete"],
    ],
    [
      "open rows that the filter lets through",
      { conditions: { open: { eq: true } } },
      { fields: ["text"], filter: { text: { startsWith: "t" } } },
      ["create t", "delete", "create two", "update two", "update three", "delete"],
    ],
    [
      "one's own rows",
      { conditions: { owner: { eq: "$CURRENT_USER" } } },
      { fields: ["text"] },
      [
        "create t",
        "update one",
        "update one",
        "update two",
        "update two",
        "update two",
        "delete",
        "create three",
        "delete",
      ],
    ],
    ["rows of an author", { conditions: { "author.name": { eq: "Nobody" } } }, {}, []],
  ];
  test.each(cases)("of %s", async (_name, permission, options, expected) => {
    await allowed({ collection: "notes", ...permission }, async () => {
      const [socket, admin] = await Promise.all([openSocket(url, ann.token), openSocket(url, app.admin)]);
      await using([socket, admin], async () => {
        await socket.subscribe("notes", options);
        await admin.subscribe("notes", { filter: { text: "the end" } });
        await psql(
          `insert into notes (id, text, owner) values (2000, 't', '${ann.id}')`,
          ...steps.map((step) => `update notes set ${step.replace("$ann", ann.id)} where id = 2000`),
          `delete from notes where id = 2000`,
          `insert into notes (id, text) values (2001, 'the end')`,
          `delete from notes where id = 2001`,
        );
        await admin.expect("change");
        await admin.expect("change");
        // What was published before is sent before the answer.
        socket.send({ type: "ping" });
        const told: string[] = [];
        for (let frame = await socket.next(); frame.type !== "pong"; frame = await socket.next()) {
          if (frame.type !== "change") throw new Error(JSON.stringify(frame));
          const { action, data } = frame;
          if (data["id"] === 2000)
            told.push(action === "delete" ? action : `${action} ${String(data["text"])}`);
        }
        expect(told).toEqual([...expected]);
      });
    });
  });

  test("reach each user for its own rows alone, and no field that the role may not read", async () => {
    const permission = {
      collection: "notes",
      fields: ["id", "text", "owner"],
      conditions: { owner: { eq: "$CURRENT_USER" } },
    };
    await allowed(permission, async () => {
      const users = [ann, bob, await app.signUp("cid@example.com")];
      const sockets = await Promise.all(users.map(({ token }) => openSocket(url, token)));
      await using(sockets, async () => {
        const names = await Promise.all(sockets.map((socket) => socket.subscribe("notes")));
        expect(new Set(names).size).toBe(3);
        for (const round of [1, 2, 3]) {
          for (const { id } of users) {
            await psql(
              `insert into notes (text, owner, secret) values ('${round} ${id}', '${id}', 'hush-hush')`,
            );
          }
        }
        for (const [index, socket] of sockets.entries()) {
          const { id } = users[index] as { id: string };
          for (const round of [1, 2, 3]) {
            const { data } = await socket.expect("change");
            expect(data).toEqual({ id: expect.any(Number), text: `${round} ${id}`, owner: id });
          }
        }
        await psql(`update notes set owner = '${bob.id}' where owner = '${ann.id}' and text like '1 %'`);
        expect(await change(sockets[0] as TestSocket)).toMatch(/^delete \{"id":\d+\}$/);
        expect(await change(sockets[1] as TestSocket)).toMatch(/^create \{"id":\d+,"text":"1 /);
        const everything = sockets.flatMap(({ heard }) => heard).join("");
        expect(everything).not.toContain("hush");
        expect(everything).not.toContain("secret");
        expect(sockets.every(({ unread }) => unread.length === 0)).toBe(true);
      });
    });
  });

  test("carry related rows, with their own rights", async () => {
    await allowed({ collection: "notes" }, () =>
      allowed({ collection: "authors", fields: ["id"] }, async () => {
        const socket = await openSocket(url, ann.token);
        await using([socket], async () => {
          await socket.subscribe("notes", { fields: ["text", "author.*"] });
          const author = await create("authors", { name: "Cara" });
          const note = await create("notes", { text: "t", author });
          expect(await change(socket)).toBe(`create {"id":${note},"text":"t","author":{"id":${author}}}`);
        });
      }),
    );
  });

  test("are judged when everything that their transaction wrote can be seen", async () => {
    const permission = { collection: "notes", conditions: { "author.name": { eq: "Dora" } } };
    await allowed(permission, async () => {
      const socket = await openSocket(url, ann.token);
      await using([socket], async () => {
        await socket.subscribe("notes", { fields: ["text"] });
        for (let id = 7000; id < 7100; id++) {
          await psql(
            `begin; insert into authors (id, name) values (${id}, 'Dora');
             insert into notes (id, text, "author_Id") values (${id}, 'by Dora', ${id}); commit`,
          );
          expect(await change(socket)).toBe(`create {"id":${id},"text":"by Dora"}`);
        }
      });
    });
  });

  test("reach two subscriptions of one socket to the same view, each under its name", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      const first = await socket.subscribe("drafts");
      const second = await socket.subscribe("drafts", { fields: ["*"] });
      expect(second).not.toBe(first);
      await create("drafts", { text: "t" });
      const names = [await socket.expect("change"), await socket.expect("change")].map((f) => f.subscription);
      expect(names.sort()).toEqual([first, second].sort());
      socket.send({ type: "unsubscribe", subscription: first });
      await socket.expect("unsubscribed");
      await create("drafts", { text: "u" });
      expect((await socket.expect("change")).subscription).toBe(second);
      socket.send({ type: "ping" });
      await socket.expect("pong");
    });
  });
});

describe("rights", () => {
  type Refusal = readonly [
    name: string,
    who: () => string | null,
    frame: object,
    code: string,
    message: RegExp,
  ];
  const refusals: readonly Refusal[] = [
    ["an unknown collection", () => app.admin, { collection: "note" }, "UNKNOWN_COLLECTION", /'note'/],
    [
      "a collection that is not live",
      () => app.admin,
      { collection: "quiet" },
      "BAD_REQUEST",
      /realtime: false/,
    ],
    ["a collection without a right", () => ann.token, { collection: "drafts" }, "FORBIDDEN", /drafts/],
    ["sessions", () => ann.token, { collection: "baasix_Sessions" }, "FORBIDDEN", /baasix_Sessions/],
    [
      "a hidden field",
      () => app.admin,
      { collection: "baasix_Sessions", fields: ["token"] },
      "FORBIDDEN",
      /token/,
    ],
    [
      "a filter on a hidden field",
      () => app.admin,
      { collection: "baasix_Sessions", filter: { token: "x" } },
      "FORBIDDEN",
      /token/,
    ],
    ["anyone where the public has no right", () => null, { collection: "notes" }, "FORBIDDEN", /notes/],
    [
      "an unknown operator",
      () => app.admin,
      { collection: "notes", filter: { text: { eqq: 1 } } },
      "UNKNOWN_OPERATOR",
      /eqq/,
    ],
    [
      "an unknown field",
      () => app.admin,
      { collection: "notes", fields: ["txet"] },
      "UNKNOWN_FIELD",
      /'text'/,
    ],
    [
      "a wrong value",
      () => app.admin,
      { collection: "notes", filter: { id: "x" } },
      "INVALID_VALUE",
      /filter\.id/,
    ],
  ];
  test.each(refusals)("refuse %s", async (_name, who, frame, code, message) => {
    const socket = await openSocket(url, who());
    await using([socket], async () => {
      const id = socket.send({ type: "subscribe", ...frame } as { type: "subscribe"; collection: string });
      const error = await socket.expect("error");
      expect(error).toEqual({
        type: "error",
        id,
        code: code as never,
        message: expect.stringMatching(message),
      });
    });
  });

  test("that are taken away end the subscription; those that are narrowed rename it", async () => {
    const socket = await openSocket(url, ann.token);
    await using([socket], async () => {
      await allowed({ collection: "notes" }, async (permission) => {
        const name = await socket.subscribe("notes", { fields: ["*"] });
        await app.ok("PATCH", `/permissions/${permission}`, {
          fields: ["id", "text"],
          conditions: { open: true },
        });
        const { subscription, to } = await socket.expect("renamed");
        expect(subscription).toBe(name);
        expect(await socket.expect("resync")).toMatchObject({ subscription: to });
        await psql(`insert into notes (id, text, secret) values (3000, 'open', 'hush')`);
        await psql(`insert into notes (id, text, secret, open) values (3001, 'closed', 'hush', false)`);
        await psql(`delete from notes where id = 3000`);
        expect(await change(socket)).toBe('create {"id":3000,"text":"open"}');
        expect(await change(socket)).toBe('delete {"id":3000}');
        // What does not concern the view does not disturb it.
        await allowed({ collection: "drafts" }, async () => {
          await post("/schemas", { collectionName: "other", schema: { name: "Other", fields: { id: key } } });
          await app.ok("DELETE", "/schemas/other");
        });
        await psql(`insert into notes (id, text) values (3002, 'open')`);
        expect(await socket.expect("change")).toMatchObject({ subscription: to, data: { id: 3002 } });
      });
      const { id, code, subscription = "" } = await socket.expect("error");
      expect([id, code, subscription]).toEqual([null, "FORBIDDEN", expect.stringMatching(/^v/)]);
      await psql(`insert into notes (id, text) values (3003, 'unseen')`);
      socket.send({ type: "unsubscribe", subscription });
      expect(await socket.expect("error")).toMatchObject({ code: "NOT_FOUND" });
    });
  });

  test("that are changed by psql count too", async () => {
    const socket = await openSocket(url, ann.token);
    await using([socket], async () => {
      await allowed({ collection: "notes" }, async (permission) => {
        await socket.subscribe("notes");
        await psql(`delete from "baasix_Permission" where id = '${permission}'`);
        expect(await socket.expect("error")).toMatchObject({ code: "FORBIDDEN" });
      });
    });
  });

  test("a collection that gets a field renames its views; one that goes ends them", async () => {
    const schema = { name: "Passing", timestamps: false, fields: { id: key, a: { type: "Text" } } };
    await post("/schemas", { collectionName: "passing", schema });
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      await socket.subscribe("passing");
      await app.ok("PATCH", "/schemas/passing", {
        schema: { ...schema, fields: { ...schema.fields, b: { type: "Text" } } },
      });
      const { to } = await socket.expect("renamed");
      await socket.expect("resync");
      await psql(`insert into passing (id, b) values (1, 'x')`);
      expect(await socket.expect("change")).toMatchObject({
        subscription: to,
        data: { id: 1, a: null, b: "x" },
      });
      await app.call("DELETE", "/schemas/passing?force=true", { token: app.admin });
      expect(await socket.expect("error")).toMatchObject({ code: "UNKNOWN_COLLECTION", subscription: to });
    });
  });
});

describe("who a socket is", () => {
  const upgradeWith = (headers: Record<string, string>, query = "") =>
    openSocket(`${url}`, undefined, headers).catch((error: Error) => error.message + query);

  test("comes from the upgrade: bearer, query, or a cookie of a page that may", async () => {
    const origin = new URL(url).origin;
    for (const headers of [
      { authorization: `Bearer ${ann.token}` },
      { cookie: `token=${ann.token}`, origin },
    ] as Record<string, string>[]) {
      const socket = (await upgradeWith(headers)) as TestSocket;
      await using([socket], async () => {
        expect(await socket.expect("connected")).toEqual({
          type: "connected",
          id: null,
          userId: ann.id,
          socketId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          version: realtimeVersion,
        });
      });
    }
    const query = new WebSocket(`${url.replace("http", "ws")}/realtime?access_token=${ann.token}`);
    const first = await new Promise<string>((resolve) => {
      query.addEventListener("message", ({ data }) => resolve(String(data)));
    });
    expect(JSON.parse(first)).toMatchObject({ type: "connected", userId: ann.id });
    query.close();
  });

  test("is nobody's with the cookie of a foreign page, until it says who it is", async () => {
    const socket = (await upgradeWith({
      cookie: `token=${ann.token}`,
      origin: "https://evil.example",
    })) as TestSocket;
    await using([socket], async () => {
      socket.send({ type: "subscribe", collection: "notes" });
      expect(await socket.expect("error")).toMatchObject({ code: "UNAUTHORIZED" });
      socket.send({ type: "authenticate", token: bob.token, version: realtimeVersion });
      expect(await socket.expect("connected")).toMatchObject({ userId: bob.id });
    });
  });

  test("frames sent before the answer are judged as who it then is", async () => {
    await allowed({ collection: "notes" }, async () => {
      const socket = await openSocket(url);
      await using([socket], async () => {
        socket.send({ type: "authenticate", token: ann.token, version: realtimeVersion });
        socket.send({ type: "subscribe", collection: "notes" });
        socket.send({ type: "authenticate", token: null, version: realtimeVersion });
        socket.send({ type: "ping" });
        const types: string[] = [];
        for (let i = 0; i < 5; i++) types.push((await socket.next()).type);
        // As nobody in particular it may not see notes: the subscription ends.
        expect(types).toEqual(["connected", "subscribed", "connected", "error", "pong"]);
      });
    });
  });

  const dead: readonly (readonly [string, string])[] = [
    ["made up", "not.a.token"],
    ["empty", ""],
  ];
  test.each(dead)("a token that is %s closes with 4401", async (_name, token) => {
    const socket = await openSocket(url);
    socket.send({ type: "authenticate", token, version: realtimeVersion });
    expect(await socket.expect("error")).toMatchObject({ code: "UNAUTHORIZED" });
    expect((await socket.closed).code).toBe(4401);
  });

  test("a dead credential of the upgrade closes with 4401", async () => {
    const socket = (await upgradeWith({ authorization: "Bearer not.a.token" })) as TestSocket;
    expect(await socket.expect("error")).toMatchObject({ id: null, code: "UNAUTHORIZED" });
    expect((await socket.closed).code).toBe(4401);
  });

  test("logout, suspension and deletion close its sockets with 4401", async () => {
    for (const end of [
      (token: string) => app.call("GET", "/auth/logout", { token }),
      (_token: string, id: string) => app.ok("PATCH", `/items/baasix_User/${id}`, { status: "suspended" }),
      (_token: string, id: string) => psql(`delete from "baasix_User" where id = '${id}'`),
    ] as ((token: string, id: string) => Promise<unknown>)[]) {
      const user = await app.signUp(`${crypto.randomUUID()}@example.com`);
      const socket = await openSocket(url, user.token);
      await end(user.token, user.id);
      expect((await socket.closed).code).toBe(4401);
    }
  });

  test("another role authorizes its subscriptions again", async () => {
    const user = await app.signUp("role@example.com");
    const socket = await openSocket(url, user.token);
    await using([socket], async () => {
      await allowed({ collection: "notes", fields: ["id", "text"] }, async () => {
        await socket.subscribe("notes");
        await psql(
          `update "baasix_UserRole" set "role_Id" = (select id from "baasix_Role" where name = 'administrator') where "user_Id" = '${user.id}'`,
        );
        const { to } = await socket.expect("renamed");
        await socket.expect("resync");
        await psql(`insert into notes (id, secret) values (4000, 'hush')`);
        expect(await socket.expect("change")).toMatchObject({ subscription: to, data: { secret: "hush" } });
      });
    });
  });

  test("an expired token closes with 4401, a renewed one keeps the socket", async () => {
    offset = -899_000;
    const { token } = (await post(
      "/auth/login",
      { email: "bob@example.com", password: "a good password" },
      "",
    )) as {
      token: string;
    };
    offset = 0;
    const [kept, lost] = await Promise.all([openSocket(url, token), openSocket(url, token)]);
    kept.send({ type: "authenticate", token: bob.token, version: realtimeVersion });
    await kept.expect("connected");
    expect(await lost.expect("error")).toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringMatching(/expired/),
    });
    expect((await lost.closed).code).toBe(4401);
    kept.send({ type: "ping" });
    await kept.expect("pong");
    kept.close();
  });

  test("sockets of one account are bounded", async () => {
    const user = await app.signUp("many@example.com");
    const sockets: TestSocket[] = [];
    for (let i = 0; i < 10; i++) sockets.push(await openSocket(url, user.token));
    await using(sockets, async () => {
      const last = await openSocket(url);
      last.send({ type: "authenticate", token: user.token, version: realtimeVersion });
      expect(await last.expect("error")).toMatchObject({ code: "RATE_LIMITED" });
      expect((await last.closed).code).toBe(4429);
    });
    const again = await openSocket(url, user.token);
    again.close();
  });
});

describe("bad input", () => {
  const frames: readonly (readonly [
    name: string,
    message: string | Uint8Array<ArrayBuffer>,
    code: string,
  ])[] = [
    ["binary rubbish", crypto.getRandomValues(new Uint8Array(200)), "INVALID_JSON"],
    ["text that is no JSON", "{{{", "INVALID_JSON"],
    ["an unknown type", '{"type":"drop","id":"1"}', "BAD_REQUEST"],
    ["a type of the server", '{"type":"change","id":"1"}', "BAD_REQUEST"],
    ["no id", '{"type":"ping"}', "BAD_REQUEST"],
    [
      "a prototype key",
      '{"type":"subscribe","id":"1","collection":"notes","filter":{"__proto__":{"x":1}}}',
      "BAD_REQUEST",
    ],
    [
      "a prototype's name as a collection",
      '{"type":"subscribe","id":"1","collection":"__proto__"}',
      "UNKNOWN_COLLECTION",
    ],
    [
      "a prototype's name as a field",
      '{"type":"subscribe","id":"1","collection":"notes","fields":["constructor"]}',
      "UNKNOWN_FIELD",
    ],
    [
      "a prototype's name as a subscription",
      '{"type":"unsubscribe","id":"1","subscription":"__proto__"}',
      "NOT_FOUND",
    ],
    [
      "a filter of 201 conditions",
      `{"type":"subscribe","id":"1","collection":"notes","filter":{"AND":[${Array(201).fill('{"id":1}').join(",")}]}}`,
      "QUERY_TOO_COMPLEX",
    ],
    [
      "SQL in a name",
      '{"type":"subscribe","id":"1","collection":"notes\\"; drop table notes; --"}',
      "UNKNOWN_COLLECTION",
    ],
  ];
  test.each(frames)("%s is answered with an error, and the socket goes on", async (_name, message, code) => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      socket.sendRaw(message);
      expect(await socket.expect("error")).toMatchObject({ code });
      socket.send({ type: "ping" });
      await socket.expect("pong");
    });
  });

  test("another version closes with 4400", async () => {
    const socket = await openSocket(url);
    socket.send({ type: "authenticate", token: null, version: 99 });
    expect(await socket.expect("error")).toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringMatching(/version 1/),
    });
    expect((await socket.closed).code).toBe(4400);
  });

  test("a frame of 1 MB closes with 1009, nothing but rubbish with 4400, a flood with 4429", async () => {
    const [large, rubbish, flood] = await Promise.all([1, 2, 3].map(() => openSocket(url, app.admin)));
    large?.sendRaw(`{"type":"ping","id":"${"x".repeat(1_000_000)}"}`);
    expect((await large?.closed)?.code).toBe(1009);
    for (let i = 0; i < 21; i++) rubbish?.sendRaw("rubbish");
    expect((await rubbish?.closed)?.code).toBe(4400);
    for (let i = 0; i < 200; i++) flood?.send({ type: "ping" });
    expect((await flood?.closed)?.code).toBe(4429);
    const answers = flood?.unread.map((frame: ServerFrame) =>
      frame.type === "error" ? frame.code : frame.type,
    );
    expect(answers?.filter((answer) => answer === "pong").length).toBeGreaterThanOrEqual(39);
    expect(answers?.filter((answer) => answer === "RATE_LIMITED").length).toBe(100);
  });

  test("a socket holds 100 subscriptions", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      // The clock of the server moves on, so that the rate is not what refuses.
      for (let i = 0; i < 100; i++) {
        offset += 100;
        await socket.subscribe("notes", { filter: { id: i } });
      }
      offset += 1000;
      socket.send({ type: "subscribe", collection: "notes" });
      expect(await socket.expect("error")).toMatchObject({ code: "QUERY_TOO_COMPLEX" });
    });
    offset = 0;
  });

  test("the subscriptions of a socket ask for 256 KiB together; one that ends makes room", async () => {
    const socket = await openSocket(url, app.admin);
    const filter = (text: string) => ({ filter: { text: text.repeat(200_000) } });
    await using([socket], async () => {
      const first = await socket.subscribe("notes", filter("a"));
      socket.send({ type: "subscribe", collection: "notes", ...filter("b") });
      expect(await socket.expect("error")).toMatchObject({ code: "QUERY_TOO_COMPLEX" });
      socket.send({ type: "unsubscribe", subscription: first });
      await socket.expect("unsubscribed");
      await socket.subscribe("notes", filter("b"));
    });
  });

  test("a request that is no upgrade is told so", async () => {
    const answer = await fetch(`${url}/realtime`);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: Row }).error).toMatchObject({ code: "BAD_REQUEST" });
  });
});

describe("nothing is lost in silence", () => {
  test("when the stream from the database is killed, everyone is told to read again", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      await socket.subscribe("notes");
      const { maintenance } = await testServer();
      const database = app.address.kind === "socket" ? app.address.database : "";
      await outsider(
        maintenance,
        `select pg_terminate_backend(active_pid) from pg_replication_slots where database = '${database}'`,
      );
      expect(await socket.expect("resync")).toMatchObject({ subscription: null });
      await psql(`insert into notes (id, text) values (5000, 'after')`);
      expect(await socket.expect("change")).toMatchObject({ data: { id: 5000 } });
    });
  });

  test("a truncated table, and rows that the log does not tell whole, are a resync", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      const name = await socket.subscribe("drafts");
      await psql("truncate drafts");
      expect(await socket.expect("resync")).toMatchObject({ subscription: null });
      await psql("insert into drafts (id) values (1)", "alter table drafts replica identity default");
      await socket.expect("change");
      await psql("delete from drafts where id = 1");
      expect(await socket.expect("resync")).toMatchObject({ subscription: name });
      await psql("alter table drafts replica identity full");
    });
  });

  test("one who does not read is closed; the others miss nothing", async () => {
    const { port } = new URL(url);
    const stalled = connect(Number(port), "127.0.0.1");
    let heard = "";
    const hears = (text: string) =>
      new Promise<void>((resolve) => {
        const listen = (data: Buffer) => {
          heard += data.toString("latin1");
          if (!heard.includes(text)) return;
          stalled.off("data", listen);
          resolve();
        };
        stalled.on("data", listen);
      });
    const frame = Buffer.from(JSON.stringify({ type: "subscribe", id: "1", collection: "notes" }));
    const subscribed = hears('"subscribed"');
    stalled.write(
      `GET /realtime HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${app.admin}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    stalled.write(Buffer.concat([Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]), frame]));
    await subscribed;
    stalled.pause();
    const reader = await openSocket(url, app.admin);
    await using([reader], async () => {
      await reader.subscribe("notes", { fields: ["text"] });
      const closed = new Promise((resolve) => stalled.once("close", resolve));
      const insert = `insert into notes (text) select repeat('x', 20000) from generate_series(1, 10)`;
      for (let i = 0; i < 80; i++) {
        await psql(insert);
        for (let n = 0; n < 10; n++) await reader.expect("change");
      }
      stalled.resume();
      await closed;
    });
  });

  test("a bulk load is a resync, and later changes are told again", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      const name = await socket.subscribe("notes", { fields: ["text"] });
      await psql(`insert into notes (text) select repeat('x', 2000) from generate_series(1, 500)`);
      expect(await socket.expect("resync")).toMatchObject({ subscription: name });
      await psql(`insert into notes (id, text) values (6000, 'after')`);
      expect(await change(socket)).toBe('create {"id":6000,"text":"after"}');
    });
  });
});

test("the state is told to administrators", async () => {
  const answer = await app.call("GET", "/realtime/status", { token: app.admin });
  expect(answer.body).toMatchObject({
    data: { initialized: true, connected: true, walAvailable: true, source: "log", reason: null },
  });
  const { enabledCollections } = (answer.body as { data: { enabledCollections: { collection: string }[] } })
    .data;
  const names = enabledCollections.map(({ collection }) => collection);
  expect(names).toContain("notes");
  expect(names).not.toContain("quiet");
  expect((await app.call("GET", "/realtime/status", { token: ann.token })).status).toBe(403);
  expect((await app.call("GET", "/realtime/status")).status).toBe(403);
});

test("who says nothing for five seconds is closed with 4401", async () => {
  expect((await silent.closed).code).toBe(4401);
});

test("a server that stops closes with 1001", async () => {
  const socket = await openSocket(url, app.admin);
  await app.realtime.close();
  expect((await socket.closed).code).toBe(1001);
});
