/** What a subscriber could never have read is never told: attacks by what happens in one transaction, and in its order. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { openSocket, type TestSocket } from "../../testing/socket";
import { within } from "../../testing/within";

type Row = Record<string, unknown>;

let app: TestApp;
let url: string;
let role: string;
let ann: { token: string; id: string };

const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };

beforeAll(async () => {
  app = await testApp();
  await define("folders", { open: { type: "Boolean", defaultValue: true }, name: { type: "String" } });
  await define("notes", {
    text: { type: "Text" },
    owner: { type: "UUID" },
    folder: { relType: "BelongsTo", target: "folders", foreignKey: "folder_Id", onDelete: "CASCADE" },
  });
  url = app.listen();
  ann = await app.signUp("ann@example.com");
  role = await app.roleId("user");
}, 60_000);
afterAll(() => app.close());

async function define(collectionName: string, fields: Row, more: Row = {}): Promise<void> {
  const schema = { name: collectionName, timestamps: false, fields: { id: key, ...fields }, ...more };
  await post("/schemas", { collectionName, schema });
}

const post = async (path: string, body: unknown): Promise<Row> =>
  (await app.ok("POST", path, body)).body as Row;

const psql = (...statements: string[]) => outsider(app.address, ...statements);

/** One socket of Ann's, subscribed as the options say, with a permission to read notes while it lasts. */
async function watching(
  permission: Row,
  options: object,
  work: (socket: TestSocket, permission: string) => Promise<void>,
  token = ann.token,
): Promise<void> {
  const right = { role_Id: role, action: "read", fields: ["*"], collection: "notes", ...permission };
  await app.whileAllowed([right], async (id = "") => {
    const socket = await openSocket(url, token);
    try {
      await socket.subscribe("notes", options);
      await work(socket, id);
    } finally {
      socket.close();
      await socket.closed;
      await psql("delete from notes", "delete from folders");
    }
  });
}

/** Everything that the socket heard until a note of an administrator's was told to it, as text. */
async function heardUntilEnd(socket: TestSocket): Promise<string> {
  const admin = await openSocket(url, app.admin);
  await admin.subscribe("notes", { filter: { id: 9999 } });
  await psql("insert into notes (id, text) values (9999, 'end')");
  await admin.expect("change");
  admin.close();
  await socket.ask({ type: "ping" });
  return socket.heard.join("\n");
}

test("rows as they were only within a transaction are told to nobody", async () => {
  await watching({}, { fields: ["text"] }, async (socket) => {
    await psql(
      `begin; insert into notes (id, text) values (1, 'secret'), (2, 'b'), (3, 'secret');
       update notes set text = 'public' where id = 1; delete from notes where id = 3;
       update notes set id = 4 where id = 2; commit`,
      `begin; update notes set text = 'secret' where id = 1; update notes set text = 'seen' where id = 1;
       delete from notes where id = 4; insert into notes (id, text) values (4, 'again'); commit`,
      // Two change places.
      `begin; update notes set id = -1 where id = 1; update notes set id = 1 where id = 4; update notes set id = 4 where id = -1; commit`,
      `begin; update notes set text = 'secret' where id = 1; delete from notes where id = 1; commit`,
    );
    const told = [];
    for (let count = 0; count < 9; count++) {
      const { action, data, _old } = await socket.expect("change");
      told.push([action, data["id"], data["text"], ...(_old ? [_old["text"]] : [])].join(" "));
    }
    expect(told).toEqual([
      "create 1 public",
      "create 4 b",
      "update 1 seen public",
      "update 4 again b",
      "delete 1 ",
      "delete 4 ",
      "create 4 seen",
      "create 1 again",
      "delete 1 ",
    ]);
    expect(await heardUntilEnd(socket)).not.toContain("secret");
  });
});

const open = { conditions: { "folder.open": { eq: true } } };

test("what a row held while a related row kept it hidden is not its _old", async () => {
  await watching(open, { fields: ["text"] }, async (socket) => {
    await psql(
      `insert into folders (id, open) values (1, false)`,
      `insert into notes (id, text, "folder_Id") values (10, 'secret', 1)`,
      `begin; update folders set open = true where id = 1; update notes set text = 'public' where id = 10; commit`,
    );
    const first = await socket.take((frame) => frame.type === "change");
    expect(first).toMatchObject({ action: "create", data: { id: 10, text: "public" } });
    await psql(`update notes set text = 'later' where id = 10`);
    await socket.take((frame) => JSON.stringify(frame).includes("later"));
    expect(await heardUntilEnd(socket)).not.toContain("secret");
  });
});

test("a row that was never seen is not told of when it goes", async () => {
  await watching(open, { fields: ["text"] }, async (socket) => {
    await psql(
      `insert into folders (id, open) values (1, false)`,
      `insert into notes (id, text, "folder_Id") values (77001, 'secret', 1), (77002, 'shown', 1)`,
      `begin; delete from notes where id = 77001; update folders set open = true where id = 1; commit`,
    );
    await socket.take((frame) => frame.type === "change" && frame.data["id"] === 77002);
    expect(await heardUntilEnd(socket)).not.toContain("77001");
  });
});

test("a role that is taken away is gone for what the same transaction writes, and what follows", async () => {
  for (const _ of Array(5)) {
    const user = await app.signUp(`${crypto.randomUUID()}@example.com`);
    const take = async (socket: TestSocket): Promise<void> => {
      await psql(
        `begin; insert into notes (text) values ('secret'); delete from "baasix_UserRole" where "user_Id" = '${user.id}'; commit`,
        `insert into notes (text) values ('secret')`,
      );
      await socket.closed;
      expect(socket.heard.join()).not.toContain("secret");
    };
    await watching({}, {}, take, user.token);
  }
});

test("a permission that is taken away, or narrowed, is so for what the same transaction writes", async () => {
  for (const change of [
    (id: string) => `delete from "baasix_Permission" where id = '${id}'`,
    (id: string) => `update "baasix_Permission" set fields = '["id"]' where id = '${id}'`,
    (id: string) => `update "baasix_Permission" set conditions = '{"id":{"eq":-1}}' where id = '${id}'`,
  ]) {
    await watching({}, {}, async (socket, id) => {
      await psql(`begin; insert into notes (text) values ('secret'); ${change(id)}; commit`);
      await socket.take(({ type }) => type === "renamed" || type === "error");
      expect(await heardUntilEnd(socket)).not.toContain("secret");
    });
  }
});

test("a user that becomes another is told nothing more of what the first one may see", async () => {
  const own = { conditions: { owner: { eq: "$CURRENT_USER" } } };
  await watching(own, {}, async (socket) => {
    const bob = await app.signUp(`${crypto.randomUUID()}@example.com`);
    socket.send({ type: "authenticate", token: bob.token, version: 1 });
    await psql(`insert into notes (id, text, owner) values (5, 'secret', '${ann.id}')`);
    await socket.take(({ type }) => type === "renamed");
    const before = socket.heard.length;
    await psql(
      `insert into notes (id, text, owner) values (6, 'secret', '${ann.id}'), (7, 'of bob', '${bob.id}')`,
    );
    await socket.take((frame) => JSON.stringify(frame).includes("of bob"));
    await heardUntilEnd(socket);
    expect(socket.heard.slice(before).join()).not.toContain("secret");
  });
});

test("a collection that tells of more kinds of change than before is read again", async () => {
  await define("lists", { name: { type: "String" } }, { realtime: { actions: ["insert"] } });
  const sockets = await Promise.all([openSocket(url, app.admin), openSocket(url, app.admin)]);
  for (const socket of sockets) {
    const subscription = await socket.subscribe("lists");
    await psql(`insert into lists (name) values ('a')`);
    await socket.expect("change");
    expect(subscription).toMatch(/^v/);
  }
  await sockets[0]?.expect("change");
  await psql(`update lists set name = 'untold'`);
  await app.ok("PATCH", "/realtime/collections/lists", { actions: ["insert", "update"] });
  for (const socket of sockets)
    expect(await socket.expect("resync")).toMatchObject({
      reason: "more kinds of change are told from now on",
    });
  await psql(`update lists set name = 'told'`);
  for (const socket of sockets) {
    for (const _ of [1, 2]) expect(await socket.expect("change")).toMatchObject({ data: { name: "told" } });
  }
  // Fewer are no reason to read.
  await app.ok("PATCH", "/realtime/collections/lists", { actions: ["insert"] });
  for (const socket of sockets) {
    await socket.ask({ type: "ping" });
    expect(socket.unread).toEqual([]);
    socket.close();
  }
});

test("who may read a row no more because another one has changed leaves its private names at once", async () => {
  const right = { role_Id: role, action: "read", fields: ["*"], collection: "notes", ...open };
  const { id } = await post("/permissions", right);
  await psql(
    `insert into folders (id, open) values (1, true), (2, true)`,
    `insert into notes (id, text, "folder_Id") values (51, 'a', 1), (52, 'b', 2)`,
  );
  const socket = await openSocket(url, ann.token);
  const enter = async (): Promise<void> => {
    for (const note of [51, 52]) {
      await socket.ask({ type: "room.join", room: `private:notes:${note}` });
      await socket.ask({ type: "presence.subscribe", channel: `private:notes:${note}` });
      await socket.ask({ type: "broadcast.subscribe", channel: `private:notes:${note}` });
    }
  };
  const lost = async (note: number): Promise<void> => {
    const isIts = (type: string) => (frame: object) =>
      JSON.stringify(frame).includes(`"type":"${type}"`) &&
      JSON.stringify(frame).includes(`private:notes:${note}`);
    const gone = Promise.all([
      socket.take(isIts("room.kicked")),
      socket.take((frame) => isIts("ended")(frame) && JSON.stringify(frame).includes("presence")),
      socket.take((frame) => isIts("ended")(frame) && JSON.stringify(frame).includes("broadcast")),
    ]);
    await within(1000, gone);
  };
  await enter();
  await psql(`update folders set name = 'of no concern'`);
  await psql(`update folders set open = false where id = 1`);
  await lost(51);
  // Right after: the next look waits a moment, and none is left out.
  await psql(`update folders set open = true where id = 1`, `delete from folders where id = 2`);
  await lost(52);
  await enter();
  await psql(`update notes set "folder_Id" = null where id = 51`);
  await lost(51);
  socket.close();
  await app.call("DELETE", `/permissions/${String(id)}`, { token: app.admin });
  await psql("delete from notes", "delete from folders");
});

test("a live query tells nothing that the transaction wrote which ended the right, nor what follows", async () => {
  const user = await app.signUp(`${crypto.randomUUID()}@example.com`);
  const take = async (socket: TestSocket): Promise<void> => {
    socket.send({ type: "query", collection: "notes", query: { sort: "id" } });
    await socket.take(({ type }) => type === "query.result");
    await psql(
      `begin; insert into notes (text) values ('secret'); delete from "baasix_UserRole" where "user_Id" = '${user.id}'; commit`,
      `insert into notes (text) values ('secret')`,
    );
    await socket.closed;
    expect(socket.heard.join()).not.toContain("secret");
  };
  await watching({}, {}, take, user.token);
  await watching({}, {}, async (socket, id) => {
    socket.send({ type: "query", collection: "notes", query: { sort: "id" } });
    const { subscription } = (await socket.take(({ type }) => type === "query.result")) as {
      subscription: string;
    };
    await psql(
      `begin; insert into notes (text) values ('secret'); delete from "baasix_Permission" where id = '${id}'; commit`,
    );
    await socket.take((frame) => frame.type === "error" && frame.subscription === subscription);
    expect(await heardUntilEnd(socket)).not.toContain("secret");
  });
});

test("what may not be read is not asked about either: by no path, variable, order, group or key", async () => {
  const right = { role_Id: role, action: "read", fields: ["id", "text", "folder.id"], collection: "notes" };
  const { id } = await post("/permissions", right);
  const socket = await openSocket(url, ann.token);
  const notes = (more: object) => ({ type: "subscribe", collection: "notes", ...more });
  const query = (asked: object) => ({ type: "query", collection: "notes", query: asked });
  const closed: readonly object[] = [
    notes({ filter: { owner: { eq: ann.id } } }),
    notes({ filter: { NOT: { owner: { isNull: true } } } }),
    notes({ filter: { "folder.name": { like: "s%" } } }),
    notes({ filter: { folder: { open: true } } }),
    notes({ filter: { text: { eq: "$COL(owner::text)" } } }),
    notes({ filter: { text: { eq: "$COL(folder.name)" } } }),
    notes({ filter: { text: { eq: "$CURRENT_USER.password" } } }),
    notes({ filter: { text: { in: ["$CURRENT_USER.userRoles.role.name"] } } }),
    notes({ fields: ["owner"] }),
    notes({ fields: ["folder.name"] }),
    { type: "subscribe", collection: "folders" },
    { type: "subscribe", collection: "folders", key: 1 },
    { type: "subscribe", collection: "baasix_Sessions", fields: ["id"] },
    { type: "subscribe", collection: "baasix_Change" },
    { type: "subscribe", collection: "pg_authid" },
    query({ sort: ["owner"] }),
    query({ sort: ["folder.name"] }),
    query({ aggregate: { n: { function: "max", field: "owner" } } }),
    query({ aggregate: { n: { function: "count", field: "*" } }, groupBy: ["folder.name"] }),
    query({ fields: ["text"], filter: { "folder.notes.owner": ann.id } }),
    query({ search: "x", searchFields: ["owner"] }),
    query({ relConditions: { folder: { name: { eq: "x" } } }, fields: ["folder.id"] }),
  ];
  const refusals: ReadonlySet<string> = new Set(["FORBIDDEN", "UNKNOWN_COLLECTION", "UNKNOWN_FIELD"]);
  const answers: unknown[] = [];
  for (const frame of closed) {
    const answer = await socket.ask(frame as Parameters<TestSocket["ask"]>[0]);
    answers.push(answer.type === "error" && refusals.has(answer.code) ? "refused" : [frame, answer]);
  }
  expect(answers).toEqual(closed.map(() => "refused"));
  socket.close();
  await app.call("DELETE", `/permissions/${String(id)}`, { token: app.admin });
});
