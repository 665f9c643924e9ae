/** Live queries on a real server: what they answer, when they change, who may, and what a bad request gets. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ServerFrame } from "@baasix/types";
import { openInstance, testApp, type TestApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { openSocket, type TestSocket } from "../../testing/socket";

type Row = Record<string, unknown>;
type Answer = { data: Row[]; totalCount?: number; truncated?: true; nextCursor?: string | null };

let app: TestApp;
let url: string;
let role: string;
let ann: { token: string; id: string };
let bob: { token: string; id: string };
/** How far the clock of the server is ahead, ms. */
let offset = 0;

const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const schemas: Record<string, Row> = {
  authors: { name: "Author", timestamps: false, fields: { id: key, name: { type: "String" } } },
  tags: { name: "Tag", timestamps: false, fields: { id: key, name: { type: "String" } } },
  quiet: { name: "Quiet", timestamps: false, realtime: false, fields: { id: key } },
  posts: {
    name: "Post",
    timestamps: false,
    paranoid: true,
    fields: {
      id: key,
      title: { type: "String" },
      text: { type: "Text" },
      price: { type: "Decimal", values: { precision: 20, scale: 4 } },
      owner: { type: "UUID" },
      at: { type: "DateTime" },
      secret: { type: "String" },
      loud: { type: "VIRTUAL", calculated: "upper(coalesce(title, text))" },
    },
  },
};

beforeAll(async () => {
  app = await testApp({ now: () => Date.now() + offset });
  for (const [collectionName, schema] of Object.entries(schemas)) {
    await send("POST", "/schemas", { collectionName, schema });
  }
  for (const [target, name] of [
    ["authors", "author"],
    ["quiet", "hush"],
  ]) {
    await send("POST", "/schemas/posts/relationships", { type: "M2O", name, target, alias: "posts" });
  }
  await send("POST", "/schemas/posts/relationships", {
    type: "M2M",
    name: "tags",
    target: "tags",
    alias: "posts",
    through: "posts_tags",
  });
  url = app.listen();
  [ann, bob] = await Promise.all([app.signUp("ann@example.com"), app.signUp("bob@example.com")]);
  role = await app.roleId("user");
  await psql(
    `insert into authors (id, name) values (1, 'Ann'), (2, 'Bob')`,
    `insert into posts (id, title, text, price, "author_Id") select n, 'post ' || n % 7, 'word' || n, n * 1.5, 1 + n % 2 from generate_series(1, 30) n`,
    `insert into tags (id, name) values (1, 'red'), (2, 'blue')`,
    `insert into posts_tags (posts_id, tags_id) values (1, 1), (2, 2), (3, 1)`,
    `select setval('posts_id_seq', 1000), setval('authors_id_seq', 1000)`,
  );
}, 60_000);
afterAll(() => app.close());

async function send(method: string, path: string, body?: unknown, token = app.admin): Promise<Row> {
  const answer = await app.call(method, path, { token, body });
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return (answer.body ?? {}) as Row;
}

const psql = (...statements: string[]) => outsider(app.address, ...statements);

/** Gives the role `user` a permission to read while `work` runs. */
const allowed = (permission: Row, work: (id: string) => Promise<void>): Promise<void> =>
  app.whileAllowed(
    [{ role_Id: role, action: "read", fields: ["*"], collection: "posts", ...permission }],
    (id = "") => work(id),
  );

/** What a fresh read answers. */
async function fresh(query: Row, token = app.admin): Promise<Answer> {
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const parameters = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, text(value)]));
  const answer = await app.call("GET", `/items/posts?${parameters}`, { token });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body as Answer;
}

async function connect(work: (...sockets: TestSocket[]) => Promise<void>, ...tokens: (string | null)[]) {
  const sockets = await Promise.all(tokens.map((token) => openSocket(url, token)));
  try {
    await work(...sockets);
  } finally {
    for (const socket of sockets) socket.close();
    await Promise.all(sockets.map(({ closed }) => closed));
  }
}

type Told = Extract<ServerFrame, { type: "query.result" | "query.difference" }>;

/** A client by the page of the protocol: what it has after each frame. */
function applied(rows: readonly Row[], frame: Told): Answer {
  const { type, id: _, subscription: _s, version: _v, data, ...meta } = frame;
  const { from: _f, ...rest } = meta as typeof meta & { from?: string };
  if (type === "query.result") return { ...rest, data: [...data] as Row[] };
  const put = data.flatMap((piece) =>
    Array.isArray(piece) ? rows.slice(piece[0], piece[0] + piece[1]) : [piece as Row],
  );
  return { ...rest, data: put };
}

async function nextAnswer(socket: TestSocket, rows: readonly Row[]): Promise<Answer> {
  const frame = await socket.next();
  if (frame.type !== "query.result" && frame.type !== "query.difference") {
    throw new Error(`expected an answer, got ${JSON.stringify(frame)}`);
  }
  return applied(rows, frame);
}

/** Nothing has come: what was published before is sent before the answer. */
async function nothing(socket: TestSocket): Promise<void> {
  socket.send({ type: "ping" });
  await socket.expect("pong");
}

describe("an answer is that of a fresh read, before and after", () => {
  const total = { total: { function: "count", field: "*" }, sum: { function: "sum", field: "price" } };
  // The query; and what changes its answer, by SQL.
  const cases: readonly (readonly [name: string, query: Row, statement: string])[] = [
    ["all", {}, `update posts set title = 'x' where id = 3`],
    ["a page", { sort: "-id", limit: 5, page: 2 }, `delete from posts where id = 30`],
    ["a page behind the end", { limit: 5, offset: 500 }, `insert into posts (title) values ('new')`],
    [
      "a filter",
      { filter: { title: "post 3" }, sort: "id" },
      `update posts set title = 'post 3' where id = 1`,
    ],
    [
      "a filter by related items",
      { filter: { "author.name": "Ann" } },
      `update authors set name = 'Anne' where id = 1`,
    ],
    [
      "an order by related items",
      { sort: ["author.name", "id"], limit: 3 },
      `update authors set name = 'Aaa' where id = 2`,
    ],
    [
      "fields of related items",
      { fields: ["id", "author.name"] },
      `update authors set name = 'Ann' where id = 1`,
    ],
    [
      "lists of related items",
      { fields: ["id", "tags.tags.name"], limit: 6, sort: "id" },
      `insert into posts_tags (posts_id, tags_id) values (5, 2)`,
    ],
    [
      "a filter by lists of related items",
      { filter: { "tags.tags.name": "red" } },
      `update tags set name = 'green' where id = 1`,
    ],
    [
      "a calculated field",
      { fields: ["loud"], sort: "-loud", limit: 3 },
      `update posts set title = 'zzz' where id = 8`,
    ],
    ["a search", { search: "word12", fields: "id" }, `update posts set text = 'word12 too' where id = 5`],
    ["the number alone", { limit: 0 }, `insert into posts (title) values ('one more')`],
    ["without the number", { count: "none", limit: 3 }, `update posts set title = 'y' where id = 1`],
    ["a walk by cursor", { cursor: "", limit: 3, fields: "id" }, `delete from posts where id = 2`],
    [
      "deleted ones too",
      { paranoid: false, fields: "id,deletedAt" },
      `update posts set "deletedAt" = now() where id = 4`,
    ],
    ["figures", { aggregate: total }, `update posts set price = 12345678901234.5678 where id = 6`],
    [
      "groups",
      { aggregate: total, groupBy: ["title"], sort: "-total" },
      `update posts set title = 'own' where id = 7`,
    ],
    [
      "groups of related items",
      { aggregate: total, groupBy: ["author.name"] },
      `update authors set name = 'Eve' where id = 2`,
    ],
    [
      "groups that have something",
      { aggregate: total, groupBy: ["title"], having: { total: { gt: 4 } } },
      `update posts set title = 'post 1'`,
    ],
  ];
  test.each(cases)("%s", async (_name, query, statement) => {
    await connect(async (socket) => {
      const id = socket.send({ type: "query", collection: "posts", query });
      const result = await socket.expect("query.result");
      expect(result.id).toBe(id);
      const first = applied([], result);
      expect(first).toEqual(await fresh(query));
      await psql(statement);
      const second = await nextAnswer(socket, first.data);
      expect(second).toEqual(await fresh(query));
      expect(second).not.toEqual(first);
    }, app.admin);
  });

  test("a guess of the number is counted", async () => {
    await connect(async (socket) => {
      socket.send({ type: "query", collection: "posts", query: { count: "estimated", limit: 1 } });
      const { totalCount } = await fresh({ limit: 1 });
      expect(await socket.expect("query.result")).toMatchObject({ totalCount });
    }, app.admin);
  });

  test("one row that changed is sent alone", async () => {
    await connect(async (socket) => {
      socket.send({ type: "query", collection: "posts", query: { fields: ["title"], sort: "id", limit: 4 } });
      const { subscription, version } = await socket.expect("query.result");
      await psql(
        `update posts set title = 'changed' where id = (select id from posts order by id offset 1 limit 1)`,
      );
      const difference = await socket.expect("query.difference");
      const { totalCount } = await fresh({ limit: 1 });
      expect(difference).toEqual({
        type: "query.difference",
        subscription,
        from: version,
        version: expect.any(String),
        data: [[0, 1], { title: "changed" }, [2, 2]],
        totalCount,
      });
    }, app.admin);
  });

  test("what changes nothing of the answer is told to nobody", async () => {
    await connect(
      async (socket, other) => {
        socket.send({
          type: "query",
          collection: "posts",
          query: { fields: ["title"], filter: { id: { lt: 5 } } },
        });
        other.send({ type: "query", collection: "posts", query: { limit: 0 } });
        await Promise.all([socket.expect("query.result"), other.expect("query.result")]);
        await psql(`update posts set secret = 'x'`, `insert into posts (title) values ('z')`);
        // The other one has heard: the feed has passed.
        await other.expect("query.difference");
        await nothing(socket);
      },
      app.admin,
      app.admin,
    );
  });

  test("time that passes is heard within some seconds", async () => {
    await connect(async (socket) => {
      await psql(`insert into posts (title, at) values ('soon', now() + interval '1.2 seconds')`);
      const query = { filter: { at: { lt: "$NOW" } }, fields: ["title"] };
      socket.send({ type: "query", collection: "posts", query });
      expect((await socket.expect("query.result")).data).toEqual([]);
      expect((await socket.expect("query.difference")).data).toEqual([{ title: "soon" }]);
    }, app.admin);
  });
});

test("equal queries are run once for all, whoever asks, and end with the last who asks", async () => {
  const status = async () =>
    ((await send("GET", "/realtime/status")) as { data: { queries: unknown } }).data.queries;
  await allowed({}, () =>
    connect(
      async (one, two, three) => {
        const query = { fields: ["id", "title"], filter: { title: { ne: "gone" } }, limit: 2 };
        for (const socket of [one, two]) socket.send({ type: "query", collection: "posts", query });
        three.send({ type: "query", collection: "posts", query: { ...query, limit: "2" } });
        const names = [];
        for (const socket of [one, two, three])
          names.push((await socket.expect("query.result")).subscription);
        expect(new Set(names).size).toBe(1);
        // Twice on one socket: under two names.
        one.send({ type: "query", collection: "posts", query });
        const again = (await one.expect("query.result")).subscription;
        expect(again).not.toBe(names[0]);
        expect(await status()).toEqual({ watched: 4, run: 1 });
        await psql(`update posts set title = 'gone' where id = (select min(id) from posts)`);
        const heard = [await one.expect("query.difference"), await one.expect("query.difference")];
        expect(heard.map(({ subscription }) => subscription).sort()).toEqual(
          [String(names[0]), again].sort(),
        );
        for (const socket of [two, three]) await socket.expect("query.difference");
        one.send({ type: "unsubscribe", subscription: again });
        await one.expect("unsubscribed");
        expect(await status()).toEqual({ watched: 3, run: 1 });
      },
      ann.token,
      bob.token,
      bob.token,
    ),
  );
});

test("who comes back with a version hears what became of it", async () => {
  const query = { fields: ["id", "text"], sort: "id", limit: 3 };
  let version = "";
  await connect(async (socket) => {
    socket.send({ type: "query", collection: "posts", query });
    ({ version } = await socket.expect("query.result"));
  }, app.admin);
  await connect(async (socket) => {
    const id = socket.send({ type: "query", collection: "posts", query, version });
    expect(await socket.expect("query.unchanged")).toMatchObject({ id, version });
  }, app.admin);
  await psql(
    `update posts set text = 'later' where id = (select min(id) from posts where "deletedAt" is null)`,
  );
  await connect(async (socket) => {
    const id = socket.send({ type: "query", collection: "posts", query, version });
    const difference = await socket.expect("query.difference");
    expect(difference).toMatchObject({ id, from: version, data: [{ text: "later" }, [1, 2]] });
    socket.send({ type: "query", collection: "posts", query, version: "of another server" });
    await socket.expect("query.result");
  }, app.admin);
});

test("another server on the database goes on from the same version, and hears what this one writes and allows", async () => {
  const other = await openInstance(app.config, app.address);
  /** Its stream of changes may connect at any time, which everybody hears. */
  const next = async (socket: TestSocket): Promise<ServerFrame> => {
    const frame = await socket.next();
    return frame.type === "resync" ? next(socket) : frame;
  };
  const otherUrl = other.listen();
  try {
    const query = { fields: ["id", "text"], sort: "id", limit: 2 };
    const ask = (token: string, version?: string) =>
      openSocket(otherUrl, token).then((socket) => {
        socket.send({ type: "query", collection: "posts", query, ...(version !== undefined && { version }) });
        return socket;
      });
    let version = "";
    await connect(async (socket) => {
      socket.send({ type: "query", collection: "posts", query });
      ({ version } = await socket.expect("query.result"));
    }, app.admin);
    const there = await ask(app.admin, version);
    expect(await next(there)).toMatchObject({ type: "query.unchanged", version });
    const [{ id } = { id: 0 }] = (await fresh(query)).data;
    await send("PATCH", `/items/posts/${String(id)}`, { text: "written here" });
    expect(await next(there)).toMatchObject({
      type: "query.difference",
      data: [{ id, text: "written here" }, [1, 1]],
    });
    await allowed({}, async (permission) => {
      const user = await ask(ann.token);
      // The other server may hear of the permission a moment later.
      for (let frame = await next(user); frame.type !== "query.result"; frame = await next(user)) {
        await Bun.sleep(100);
        user.send({ type: "query", collection: "posts", query });
      }
      await send("PATCH", `/permissions/${permission}`, { fields: ["id"], conditions: { id: { lt: 0 } } });
      // A field that was asked for by name.
      expect(await next(user)).toMatchObject({ type: "error", code: "FORBIDDEN" });
      user.close();
    });
    there.close();
  } finally {
    await other.close();
  }
});

describe("rights", () => {
  const mine = { conditions: { owner: { eq: "$CURRENT_USER" } }, fields: ["id", "title", "owner"] };

  test("each hears of its own rows alone, and of no field that it may not read", async () => {
    await allowed(mine, () =>
      connect(
        async (one, two) => {
          for (const socket of [one, two]) socket.send({ type: "query", collection: "posts" });
          for (const socket of [one, two]) expect((await socket.expect("query.result")).data).toEqual([]);
          await psql(
            `insert into posts (title, owner, secret) values ('of ann', '${ann.id}', 'hush'), ('of bob', '${bob.id}', 'hush')`,
          );
          for (const [socket, { id }, title] of [
            [one, ann, "of ann"],
            [two, bob, "of bob"],
          ] as const) {
            const { data, totalCount } = await socket.expect("query.difference");
            expect(data).toEqual([{ id: expect.any(Number), title, owner: id }]);
            expect(totalCount).toBe(1);
          }
          await psql(`update posts set owner = null where owner is not null`);
          for (const socket of [one, two]) expect((await socket.expect("query.difference")).data).toEqual([]);
          expect([...one.heard, ...two.heard].join("")).not.toContain("hush");
        },
        ann.token,
        bob.token,
      ),
    );
  });

  test("another permission is another answer under another name; without one there is none until it is back", async () => {
    await allowed({ conditions: { id: { lt: 3 } } }, (permission) =>
      connect(async (socket) => {
        socket.send({ type: "query", collection: "posts", query: { fields: ["id"], sort: "id", limit: 2 } });
        const { subscription, data } = await socket.expect("query.result");
        await send("PATCH", `/permissions/${permission}`, { conditions: { id: { gt: 10 } } });
        const renamed = await socket.expect("renamed");
        expect(renamed.subscription).toBe(subscription);
        const after = await nextAnswer(socket, data as Row[]);
        expect(after).toEqual(await fresh({ fields: ["id"], sort: "id", limit: 2 }, ann.token));
        await send("PATCH", `/permissions/${permission}`, { collection: "authors" });
        expect(await socket.expect("error")).toMatchObject({
          id: null,
          subscription: renamed.to,
          code: "FORBIDDEN",
        });
        await psql(`update posts set title = 'unheard'`);
        await nothing(socket);
        // It comes back with the right.
        await send("PATCH", `/permissions/${permission}`, {
          collection: "posts",
          conditions: { id: { gt: 20 } },
        });
        const back = await socket.expect("renamed");
        expect(back.subscription).toBe(renamed.to);
        const whole = await socket.expect("query.result");
        expect(whole.subscription).toBe(back.to);
        expect(whole.data).toEqual((await fresh({ fields: ["id"], sort: "id", limit: 2 }, ann.token)).data);
        await send("PATCH", `/permissions/${permission}`, { collection: "authors" });
        expect(await socket.expect("error")).toMatchObject({ subscription: back.to });
        socket.send({ type: "unsubscribe", subscription: back.to });
        await socket.expect("unsubscribed");
        await send("PATCH", `/permissions/${permission}`, { collection: "posts" });
        await nothing(socket);
      }, ann.token),
    );
  });

  test("a condition through the row of the account follows it", async () => {
    await allowed({ conditions: { title: { eq: "$CURRENT_USER.firstName" } }, fields: ["id"] }, () =>
      connect(async (socket) => {
        socket.send({ type: "query", collection: "posts" });
        expect((await socket.expect("query.result")).data).toEqual([]);
        await psql(`insert into posts (id, title) values (5000, 'Annabel')`);
        await psql(`update "baasix_User" set "firstName" = 'Annabel' where id = '${ann.id}'`);
        expect((await socket.expect("query.difference")).data).toEqual([{ id: 5000 }]);
      }, ann.token),
    );
  });
});

describe("bad input", () => {
  const frames: readonly (readonly [name: string, frame: Row, code: string])[] = [
    ["an unknown collection", { collection: "post" }, "UNKNOWN_COLLECTION"],
    ["a prototype's name", { collection: "constructor" }, "UNKNOWN_COLLECTION"],
    ["a collection without a right", { collection: "authors" }, "FORBIDDEN"],
    ["a hidden field in a filter", { collection: "posts", query: { filter: { secret: "x" } } }, "FORBIDDEN"],
    ["a hidden field in an order", { collection: "posts", query: { sort: "secret" } }, "FORBIDDEN"],
    ["a hidden field in a group", { collection: "posts", query: { groupBy: "secret" } }, "FORBIDDEN"],
    ["an unknown parameter", { collection: "posts", query: { where: {} } }, "INVALID_QUERY"],
    ["an unknown field", { collection: "posts", query: { fields: ["titel"] } }, "UNKNOWN_FIELD"],
    ["more than 1,000 rows", { collection: "posts", query: { limit: 1001 } }, "INVALID_QUERY"],
    ["a cursor that is none", { collection: "posts", query: { cursor: "x'y" } }, "INVALID_QUERY"],
    ["SQL in an order", { collection: "posts", query: { sort: 'id"; drop table posts' } }, "UNKNOWN_FIELD"],
    [
      "what cannot be read as the type",
      { collection: "posts", query: { filter: { id: "x" } } },
      "INVALID_VALUE",
    ],
    ["an export", { collection: "posts", query: { export: "csv" } }, "INVALID_QUERY"],
    ["no collection", {}, "BAD_REQUEST"],
    ["a query that is a list", { collection: "posts", query: [] }, "BAD_REQUEST"],
    ["a version that is no text", { collection: "posts", version: 1 }, "BAD_REQUEST"],
    ["a version of 65 characters", { collection: "posts", version: "x".repeat(65) }, "BAD_REQUEST"],
    ["something beside it", { collection: "posts", live: true }, "BAD_REQUEST"],
  ];
  test("is an error with the request's id, and the socket goes on", async () => {
    await allowed({ fields: ["id", "title"] }, () =>
      connect(async (socket) => {
        for (const [name, frame, code] of frames) {
          socket.sendRaw(JSON.stringify({ type: "query", id: name, ...frame }));
          expect(await socket.expect("error")).toMatchObject({ id: name, code });
          // Below 20 messages a second there is no need to wait.
          offset += 50;
        }
        socket.sendRaw('{"type":"query","id":"1","collection":"posts","query":{"__proto__":{"limit":1}}}');
        expect(await socket.expect("error")).toMatchObject({ id: "1", code: "BAD_REQUEST" });
        expect((await send("GET", "/realtime/status")).data).toMatchObject({
          queries: { watched: 0, run: 0 },
        });
      }, ann.token),
    );
  });

  test("a query that reads what is not live is refused", async () => {
    await connect(async (socket) => {
      for (const query of [
        { fields: ["id", "hush.id"] },
        { filter: { "hush.id": 1 } },
        { sort: "hush.id" },
      ]) {
        socket.send({ type: "query", collection: "posts", query });
        expect(await socket.expect("error")).toMatchObject({
          code: "BAD_REQUEST",
          message: "'quiet' is not live: its schema says realtime: false",
        });
      }
    }, app.admin);
  });

  test("a socket holds 50 queries; one that ends makes room", async () => {
    await connect(async (socket) => {
      const ask = async (limit: number) => {
        offset += 50;
        socket.send({ type: "query", collection: "posts", query: { limit, fields: ["id"], count: "none" } });
        return socket.next();
      };
      let name = "";
      for (let n = 1; n <= 50; n++) {
        const frame = await ask(n);
        if (frame.type !== "query.result") throw new Error(JSON.stringify(frame));
        name = frame.subscription;
      }
      expect(await ask(51)).toMatchObject({ type: "error", code: "QUERY_TOO_COMPLEX" });
      socket.send({ type: "unsubscribe", subscription: name });
      await socket.expect("unsubscribed");
      expect(await ask(51)).toMatchObject({ type: "query.result" });
    }, app.admin);
  });
});
