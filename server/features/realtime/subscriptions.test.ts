/** What a subscription may ask for beside a filter: one item, some kinds of change, several at once; and `_old`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { openSocket, type TestSocket } from "../../testing/socket";

type Row = Record<string, unknown>;

let app: TestApp;
let url: string;
let role: string;
let ann: { token: string; id: string };

const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };

beforeAll(async () => {
  app = await testApp();
  await post("/schemas", {
    collectionName: "authors",
    schema: { name: "Author", timestamps: false, fields: { id: key, name: { type: "String" } } },
  });
  await post("/schemas", {
    collectionName: "notes",
    schema: {
      name: "Note",
      timestamps: false,
      fields: {
        id: key,
        text: { type: "Text" },
        open: { type: "Boolean", defaultValue: true },
        owner: { type: "UUID" },
        price: { type: "Decimal", values: { precision: 20, scale: 4 } },
        secret: { type: "String" },
      },
    },
  });
  await post("/schemas/notes/relationships", {
    type: "M2O",
    name: "author",
    target: "authors",
    alias: "notes",
  });
  url = app.listen();
  ann = await app.signUp("ann@example.com");
  role = await app.roleId("user");
}, 60_000);
afterAll(() => app.close());

const post = async (path: string, body: unknown): Promise<Row> =>
  (await app.ok("POST", path, body)).body as Row;

const psql = (...statements: string[]) => outsider(app.address, ...statements);

async function connect(token: string, work: (socket: TestSocket) => Promise<void>): Promise<void> {
  const socket = await openSocket(url, token);
  try {
    await work(socket);
  } finally {
    socket.close();
    await socket.closed;
  }
}

const allowed = (permission: Row, work: () => Promise<void>): Promise<void> =>
  app.whileAllowed(
    [{ role_Id: role, action: "read", fields: ["*"], collection: "notes", ...permission }],
    work,
  );

/** What has come so far, as sentences: `v1.c create 1`. */
async function told(socket: TestSocket): Promise<string[]> {
  socket.send({ type: "ping" });
  const sentences: string[] = [];
  for (let frame = await socket.next(); frame.type !== "pong"; frame = await socket.next()) {
    if (frame.type !== "change") throw new Error(JSON.stringify(frame));
    sentences.push(`${frame.action} ${String(frame.data["id"])}`);
  }
  return sentences;
}

/** One socket hears the end of what a test writes: the feed has passed then. */
async function passed(socket: TestSocket): Promise<void> {
  await psql(`insert into notes (id, text) values (9999, 'end')`, `delete from notes where id = 9999`);
  while ((await socket.expect("change")).action !== "delete");
}

const story = [
  `insert into notes (id, text, owner) values (1, 'a', '$ann'), (2, 'b', null)`,
  `update notes set text = 'c' where id = 1`,
  `update notes set open = false where id = 2`,
  `update notes set open = true where id = 2`,
  `delete from notes where id in (1, 2)`,
];

test.each([
  ["one item", { key: 1 }, ["create 1", "update 1", "delete 1"]],
  ["one item by the text of its key", { key: "2" }, ["create 2", "update 2", "update 2", "delete 2"]],
  [
    "one item, while it meets a filter",
    { key: 2, filter: { open: true } },
    ["create 2", "delete 2", "create 2", "delete 2"],
  ],
  ["creations", { events: ["create"] }, ["create 1", "create 2"]],
  ["updates and deletions of one item", { key: 1, events: ["delete", "update"] }, ["update 1", "delete 1"]],
  [
    "what leaves a filter",
    { filter: { open: true }, events: ["delete"] },
    ["delete 2", "delete 1", "delete 2"],
  ],
  [
    "all kinds",
    { events: ["create", "update", "delete"] },
    ["create 1", "create 2", "update 1", "update 2", "update 2", "delete 1", "delete 2"],
  ],
] as const)("%s", async (_name, wish, expected) => {
  await connect(app.admin, (watcher) =>
    connect(app.admin, async (socket) => {
      socket.send({ type: "subscribe", collection: "notes", ...wish });
      await socket.expect("subscribed");
      await watcher.subscribe("notes", { filter: { id: 9999 } });
      await psql(...story.map((statement) => statement.replace("$ann", ann.id)));
      await passed(watcher);
      expect((await told(socket)).filter((sentence) => !sentence.endsWith("9999"))).toEqual([...expected]);
    }),
  );
});

test("subscribers to several kinds of one view are judged once, each told of its own", async () => {
  await connect(app.admin, async (socket) => {
    const id = socket.send({
      type: "subscribe.many",
      subscriptions: [
        { collection: "notes" },
        { collection: "notes", events: ["create"] },
        { collection: "notes", events: ["create"] },
        { collection: "nothing" },
        { collection: "authors", fields: ["nam"] },
        { collection: "authors", key: 3 },
      ],
    });
    const answer = await socket.expect("subscribed.many");
    expect(answer.id).toBe(id);
    expect(answer.subscriptions.map((one) => ("code" in one ? one.code : one.primaryKey))).toEqual([
      "id",
      "id",
      "id",
      "UNKNOWN_COLLECTION",
      "UNKNOWN_FIELD",
      "id",
    ]);
    const names = answer.subscriptions.flatMap((one) => ("subscription" in one ? [one.subscription] : []));
    expect(new Set(names).size).toBe(4);
    const { data } = (await app.call("GET", "/realtime/status", { token: app.admin })).body as {
      data: { views: number };
    };
    expect(data.views).toBe(2);
    await psql(`insert into notes (id) values (10)`);
    const heard = [];
    for (let i = 0; i < 3; i++) heard.push((await socket.expect("change")).subscription);
    expect(heard.sort()).toEqual(names.slice(0, 3).sort());
    for (const subscription of names) {
      socket.send({ type: "unsubscribe", subscription });
      await socket.expect("unsubscribed");
    }
    await psql(`delete from notes`);
  });
});

test("many count one by one: those beyond 100 are refused", async () => {
  await connect(app.admin, async (socket) => {
    const subscriptions = Array.from({ length: 60 }, (_, id) => ({ collection: "notes", key: id }));
    socket.send({ type: "subscribe.many", subscriptions });
    await socket.expect("subscribed.many");
    socket.send({ type: "subscribe.many", subscriptions });
    const answer = await socket.expect("subscribed.many");
    const refused = answer.subscriptions.map((one) => ("code" in one ? one.code : "ok"));
    expect(refused).toEqual([...Array(40).fill("ok"), ...Array(20).fill("QUERY_TOO_COMPLEX")]);
  });
});

test("_old: what an updated item was, as far as it was shown; nothing of what left or came", async () => {
  await allowed(
    { fields: ["id", "text", "price", "author"], conditions: { owner: { eq: "$CURRENT_USER" } } },
    () =>
      connect(ann.token, async (socket) => {
        await socket.subscribe("notes");
        await psql(
          `insert into authors (id, name) values (1, 'A')`,
          `insert into notes (id, text, price, secret, owner) values (20, 'a', 1.5, 'hush', '${ann.id}')`,
          `update notes set text = 'b', price = 12345678901234.5678, secret = 'hush!' where id = 20`,
          `update notes set "author_Id" = 1 where id = 20`,
          `update notes set owner = null where id = 20`,
          `update notes set owner = '${ann.id}' where id = 20`,
          `delete from notes where id = 20`,
        );
        const heard = [];
        for (let i = 0; i < 6; i++) {
          const { action, data, _old } = await socket.expect("change");
          heard.push([action, data["text"], _old]);
        }
        const before = { id: 20, text: "b", price: "12345678901234.5678" };
        expect(heard).toEqual([
          ["create", "a", undefined],
          ["update", "b", { id: 20, text: "a", price: "1.5000" }],
          ["update", "b", before],
          ["delete", undefined, undefined],
          ["create", "b", undefined],
          ["delete", undefined, undefined],
        ]);
        expect(socket.heard.join("")).not.toContain("hush");
      }),
  );
});

test("_old of related items is not known", async () => {
  await connect(app.admin, async (socket) => {
    await socket.subscribe("notes", { fields: ["text", "author.name"] });
    await psql(`insert into notes (id, text) values (30, 'a')`, `update notes set text = 'b' where id = 30`);
    await socket.expect("change");
    const { _old } = await socket.expect("change");
    expect(_old).toEqual({ id: 30, text: "a" });
    await psql(`delete from notes`);
  });
});

test("bad requests are answered with an error, and the socket goes on", async () => {
  const many = (...subscriptions: unknown[]) => ({ type: "subscribe.many", subscriptions });
  const bad: readonly (readonly [frame: Row, code: string])[] = [
    [{ type: "subscribe", collection: "notes", key: null }, "BAD_REQUEST"],
    [{ type: "subscribe", collection: "notes", key: { id: 1 } }, "BAD_REQUEST"],
    [{ type: "subscribe", collection: "notes", key: "one" }, "INVALID_VALUE"],
    [{ type: "subscribe", collection: "notes", key: "1; drop table notes" }, "INVALID_VALUE"],
    [{ type: "subscribe", collection: "nothing", key: 1 }, "UNKNOWN_COLLECTION"],
    [{ type: "subscribe", collection: "notes", events: [] }, "BAD_REQUEST"],
    [{ type: "subscribe", collection: "notes", events: ["insert"] }, "BAD_REQUEST"],
    [{ type: "subscribe", collection: "notes", events: "create" }, "BAD_REQUEST"],
    [many(), "BAD_REQUEST"],
    [many("notes"), "BAD_REQUEST"],
    [many({ collection: "notes", id: "1" }), "BAD_REQUEST"],
    [many(...Array.from({ length: 101 }, () => ({ collection: "notes" }))), "BAD_REQUEST"],
  ];
  await connect(app.admin, async (socket) => {
    for (const [frame, code] of bad) {
      socket.sendRaw(JSON.stringify({ id: "1", ...frame }));
      expect(await socket.expect("error")).toMatchObject({ id: "1", code });
    }
    socket.send({ type: "ping" });
    await socket.expect("pong");
  });
});

test("one item of which the key may not be filtered by is refused like a filter", async () => {
  await allowed({ fields: ["text"] }, () =>
    connect(ann.token, async (socket) => {
      socket.send({ type: "subscribe", collection: "notes", key: 1 });
      expect(await socket.expect("error")).toMatchObject({ code: "FORBIDDEN" });
    }),
  );
});
