/** Roles as items, and accounts with several of them: what they may, how soon, and from where. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Answer, openInstance, testApp, type TestApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { openSocket } from "../../testing/socket";

setDefaultTimeout(60_000);

type Row = Record<string, unknown>;
type Permission = { collection: string; action: string } & Row;

let app: TestApp;
let ids: Readonly<Record<string, string>>;
let url: string;

beforeAll(async () => {
  app = await testApp({ env: { TRUST_PROXY: "127.0.0.1" } });
  url = app.listen();
  const fields = {
    title: { type: "String" },
    state: { type: "String" },
    price: { type: "Integer" },
    owner: { type: "UUID" },
    secret: { type: "String", defaultValue: "by default" },
  };
  await ok("POST", "/schemas", { collectionName: "posts", schema: { name: "Post", fields } });
  for (const name of ["author", "editor", "press"]) await ok("POST", "/items/baasix_Role", { name });
  const { data } = (await ok("GET", "/items/baasix_Role")).body as { data: { id: string; name: string }[] };
  ids = Object.fromEntries(data.map(({ id, name }) => [name, id]));
});
afterAll(() => app.close());

async function ok(method: string, path: string, body?: unknown, token = app.admin): Promise<Answer> {
  const answer = await app.call(method, path, { token, ...(body !== undefined && { body }) });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer;
}

const dataOf = <T>(answer: Answer): T => (answer.body as { data: T }).data;
const codeOf = (answer: Answer) => (answer.body as { error?: { code: string } } | null)?.error?.code;

async function join(user: string, role: string): Promise<string> {
  const made = await ok("POST", "/items/baasix_UserRole", { user_Id: user, role_Id: ids[role] });
  return dataOf<{ id: string }>(made).id;
}

let accounts = 0;

/** An account with these roles and no other, in this order. */
async function account(...roles: string[]): Promise<{ id: string; token: string }> {
  const made = await app.signUp(`account${++accounts}@example.com`);
  const [first] = dataOf<{ id: string }[]>(
    await ok("GET", `/items/baasix_UserRole?filter[user_Id]=${made.id}`),
  );
  for (const role of roles) await join(made.id, role);
  await ok("DELETE", `/items/baasix_UserRole/${first?.id}`);
  return made;
}

function allowed<T>(rights: Record<string, Permission[]>, work: () => Promise<T>): Promise<T> {
  const permissions = Object.entries(rights).flatMap(([role, own]) =>
    own.map((permission) => ({ role_Id: ids[role], fields: ["*"], ...permission })),
  );
  return app.whileAllowed(permissions, work);
}

test("what was worked out for several roles is not had by writing one into the name of a collection", async () => {
  const sorted = ["author", "editor", "press"].toSorted((a, b) => ((ids[a] ?? "") < (ids[b] ?? "") ? -1 : 1));
  const [first = "", second = ""] = sorted;
  const both = await account(first, second);
  const one = await account(first);
  await ok("POST", "/items/posts", { title: "theirs alone" });
  await allowed({ [second]: [{ collection: "posts", action: "read" }] }, async () => {
    for (const query of ["", "?aggregate[n][function]=count&aggregate[n][field]=*"]) {
      await ok("GET", `/items/posts${query}`, undefined, both.token);
      const answer = await app.call("GET", `/items/${ids[second]}%20posts${query}`, { token: one.token });
      expect([answer.status, codeOf(answer)]).toEqual([404, "UNKNOWN_COLLECTION"]);
    }
  });
});

describe("roles are items", () => {
  test("with every column that clients know", async () => {
    const body = {
      name: "Editor of pictures",
      description: "Content editors",
      icon: "brush",
      appAccess: false,
      ipWhitelist: ["10.0.0.0/8", "2001:db8::1"],
      isTenantSpecific: true,
      canInviteRoleIds: [ids.author],
    };
    const { id } = dataOf<{ id: string }>(await ok("POST", "/items/baasix_Role", body));
    const role = dataOf<Row>(await ok("GET", `/items/baasix_Role/${id}`));
    expect(role).toMatchObject({ id, ...body, adminAccess: false, enforceTotp: false });
    await ok("PATCH", `/items/baasix_Role/${id}`, { description: null, ipWhitelist: [] });
    expect(dataOf<Row>(await ok("GET", `/items/baasix_Role/${id}`))).toMatchObject({
      description: null,
      icon: "brush",
    });
    await ok("DELETE", `/items/baasix_Role/${id}`);
  });
  test("adminAccess tells who has it", async () => {
    const { data } = (await ok("GET", "/items/baasix_Role?filter[adminAccess]=true")).body as { data: Row[] };
    expect(data.map(({ name }) => name)).toEqual(["administrator"]);
  });

  const refused: [string, string | null, Row, RegExp][] = [
    [
      "adminAccess for a new role",
      null,
      { name: "x", adminAccess: true },
      /adminAccess: only the role 'administrator'/,
    ],
    ["adminAccess for another", "author", { adminAccess: true }, /adminAccess/],
    ["adminAccess as text", "author", { adminAccess: "true" }, /adminAccess/],
    ["no adminAccess for administrator", "administrator", { adminAccess: false }, /adminAccess/],
    ["a second factor for everybody", "public", { enforceTotp: true }, /enforceTotp: 'public' is for/],
    [
      "a list with no address in it",
      "author",
      { ipWhitelist: ["here"] },
      /ipWhitelist: 'here' is no address/,
    ],
    ["a range with too many bits", "author", { ipWhitelist: ["10.0.0.0/33"] }, /ipWhitelist/],
    ["a list that is none", "author", { ipWhitelist: "10.0.0.1" }, /ipWhitelist/],
    ["a list for everybody", "public", { ipWhitelist: ["10.0.0.1"] }, /'public' is for everyone/],
    ["the same name twice", null, { name: "author" }, /name/],
    ["no name", null, { name: "" }, /name/],
  ];
  test.each(refused)("%s is refused", async (_, role, body, message) => {
    const path = role === null ? "/items/baasix_Role" : `/items/baasix_Role/${ids[role]}`;
    const answer = await app.call(role === null ? "POST" : "PATCH", path, { token: app.admin, body });
    expect(answer.status === 400 || answer.status === 409).toBe(true);
    expect((answer.body as { error: { message: string } }).error.message).toMatch(message);
  });
  test("in bulk each is judged as what it is", async () => {
    const body = [
      { id: ids.administrator, data: { adminAccess: true } },
      { id: ids.author, data: { adminAccess: true } },
    ];
    expect((await app.call("PATCH", "/items/baasix_Role/bulk", { token: app.admin, body })).status).toBe(400);
  });
});

describe("an account with several roles", () => {
  const reads: Record<string, Permission[]> = {
    author: [{ collection: "posts", action: "read", fields: ["id", "title"], conditions: { state: "mine" } }],
    editor: [{ collection: "posts", action: "read", fields: ["id", "price"], conditions: { state: "sale" } }],
  };
  let mine: string;
  let sale: string;
  beforeAll(async () => {
    const make = async (state: string) => {
      const made = await ok("POST", "/items/posts", { title: "t", state, price: 1, secret: "s" });
      return dataOf<{ id: string }>(made).id;
    };
    [mine, sale] = [await make("mine"), await make("sale")];
  });
  const list = async (token: string, query = "") =>
    dataOf<Row[]>(await ok("GET", `/items/posts?${query}`, undefined, token)).toSorted((a, b) =>
      String(a.id) < String(b.id) ? -1 : 1,
    );
  const sorted = (rows: Row[]) => rows.toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1));

  test("sees of each row what one of them shows of it", async () => {
    const [both, one] = [await account("author", "editor"), await account("editor")];
    await allowed(reads, async () => {
      expect(await list(both.token)).toEqual(
        sorted([
          { id: mine, title: "t", price: null },
          { id: sale, title: null, price: 1 },
        ]),
      );
      expect(await list(one.token)).toEqual([{ id: sale, price: 1 }]);
      expect(await list(both.token, "filter[title]=t")).toEqual([{ id: mine, title: "t", price: null }]);
      expect(await list(both.token, 'filter={"OR":[{"price":1},{"title":{"ne":"t"}}]}')).toMatchObject([
        { id: sale },
      ]);
      for (const query of ["fields=secret", "filter[secret]=s", "sort=secret"]) {
        expect((await app.call("GET", `/items/posts?${query}`, { token: both.token })).status).toBe(403);
      }
      const exported = await app.call("GET", "/items/posts?export=ndjson", { token: both.token });
      expect(exported.text).not.toContain('"s"');
    });
  });

  test("is told of all of them at sign-in, the oldest first", async () => {
    const user = await account("editor", "author");
    await allowed(reads, async () => {
      const told = (await ok("GET", "/auth/me", undefined, user.token)).body as {
        role: Row;
        roles: Row[];
        permissions: Row[];
      };
      expect(told.role).toMatchObject({ name: "editor", appAccess: true });
      expect(told.roles.map(({ name }) => name)).toEqual(["editor", "author"]);
      expect(told.roles[0]).not.toHaveProperty("ipWhitelist");
      expect(told.permissions.map(({ role_Id }) => role_Id)).toEqual([ids.editor, ids.author]);
      const email = (told as unknown as { user: { email: string } }).user.email;
      const login = await app.call("POST", "/auth/login", { body: { email, password: "a good password" } });
      expect(login.body).toMatchObject({ role: told.role, roles: told.roles, permissions: told.permissions });
    });
  });

  test("is an administrator when one of them is", async () => {
    const user = await account("author");
    expect((await app.call("GET", "/permissions", { token: user.token })).status).toBe(403);
    const membership = await join(user.id, "administrator");
    expect((await app.call("GET", "/permissions", { token: user.token })).status).toBe(200);
    await ok("DELETE", `/items/baasix_UserRole/${membership}`);
    expect((await app.call("GET", "/permissions", { token: user.token })).status).toBe(403);
  });

  test("in a request $CURRENT_ROLE is the oldest, in a permission the role that has it", async () => {
    const user = await account("editor", "author");
    const roleOf = {
      collection: "baasix_Role",
      action: "read",
      fields: ["name"],
      conditions: { id: "$CURRENT_ROLE" },
    };
    const names = async (query = "") =>
      dataOf<Row[]>(await ok("GET", `/items/baasix_Role?${query}`, undefined, user.token)).map(
        ({ name }) => name,
      );
    await allowed({ author: [roleOf] }, async () => expect(await names()).toEqual(["author"]));
    await allowed({ author: [roleOf], editor: [roleOf] }, async () => {
      expect((await names()).toSorted()).toEqual(["author", "editor"]);
    });
    const named = { ...roleOf, conditions: { name: "$CURRENT_ROLE.name" }, fields: ["id", "name"] };
    await allowed({ author: [named] }, async () => {
      expect(await names()).toEqual(["author"]);
      expect(await names("filter[id]=$CURRENT_ROLE")).toEqual([]);
    });
  });

  test("a membership counts from the next request on, and for open sockets", async () => {
    const user = await account("author");
    await allowed(reads, async () => {
      const socket = await openSocket(url, user.token);
      await socket.subscribe("posts");
      expect(await list(user.token)).toEqual([{ id: mine, title: "t" }]);
      const membership = await join(user.id, "editor");
      expect(await list(user.token)).toHaveLength(2);
      expect(await socket.expect("renamed")).toBeDefined();
      await socket.expect("resync");
      await ok("PATCH", `/items/posts/${sale}`, { price: 2 });
      expect(await socket.expect("change")).toMatchObject({ data: { id: sale, title: null, price: 2 } });
      await ok("DELETE", `/items/baasix_UserRole/${membership}`);
      expect(await list(user.token)).toEqual([{ id: mine, title: "t" }]);
      await socket.expect("renamed");
      await socket.expect("resync");
      await ok("PATCH", `/items/posts/${sale}`, { price: 1 });
      await ok("PATCH", `/items/posts/${mine}`, { title: "t" });
      expect(await socket.expect("change")).toMatchObject({ data: { id: mine, title: "t" } });
      socket.close();
      await socket.closed;
    });
  });

  test("and so it does on another instance, and when psql writes it", async () => {
    const other = await openInstance(app.config, app.address);
    const user = await account("author");
    const seen = async (): Promise<number> => {
      const { data } = (await other.call("GET", "/items/posts", user)).body as { data?: unknown[] };
      return data?.length ?? -1;
    };
    const until = async (count: number): Promise<void> => {
      const heard = Promise.withResolvers<void>();
      const check = () => void seen().then((got) => got === count && heard.resolve(), heard.reject);
      const stops = [other.feed.onChanges(check), other.snapshot.onChange(check)];
      check();
      await heard.promise;
      for (const stop of stops) stop();
    };
    await allowed(reads, async () => {
      await until(1);
      const membership = await join(user.id, "editor");
      await until(2);
      await outsider(app.address, `delete from "baasix_UserRole" where id = '${membership}'`);
      await until(1);
    });
    await other.close();
  });
});

describe("a write is carried by one permission, from beginning to end", () => {
  type Case = readonly [
    name: string,
    rights: Record<string, Permission[]>,
    row: Row | null,
    body: Row,
    outcome: Row | number,
  ];
  let user: { id: string; token: string };
  beforeAll(async () => {
    user = await account("author", "editor");
  });
  const create = { collection: "posts", action: "create" };
  const update = { collection: "posts", action: "update" };
  const cases: readonly Case[] = [
    [
      "columns of two permissions do not add up",
      { author: [{ ...create, fields: ["title"] }], editor: [{ ...create, fields: ["price"] }] },
      null,
      { title: "a", price: 1 },
      403,
    ],
    [
      "a new row meets the condition of one",
      {
        author: [{ ...create, conditions: { state: "draft" } }],
        editor: [{ ...create, conditions: { price: { gt: 5 } } }],
      },
      null,
      { state: "other", price: 6 },
      { state: "other", price: 6 },
    ],
    [
      "or of none",
      {
        author: [{ ...create, conditions: { state: "draft" } }],
        editor: [{ ...create, conditions: { price: { gt: 5 } } }],
      },
      null,
      { state: "other", price: 5 },
      403,
    ],
    [
      "a row that one permission reaches does not become one that only the other reaches",
      {
        author: [{ ...update, conditions: { state: "draft" } }],
        editor: [{ ...update, conditions: { state: "public" } }],
      },
      { state: "draft" },
      { state: "public" },
      403,
    ],
    [
      "though a permission without a condition may carry it",
      { author: [{ ...update, conditions: { state: "draft" } }], editor: [update] },
      { state: "draft" },
      { state: "public" },
      { state: "public" },
    ],
    [
      "or one that both rows meet",
      {
        author: [{ ...update, conditions: { state: "draft" } }],
        editor: [{ ...update, conditions: { price: 1 } }],
      },
      { state: "draft", price: 1 },
      { state: "public" },
      { state: "public", price: 1 },
    ],
    [
      "a row that none reaches is not found",
      {
        author: [{ ...update, conditions: { state: "draft" } }],
        editor: [{ ...update, conditions: { price: 1 } }],
      },
      { state: "public", price: 2 },
      { title: "x" },
      404,
    ],
    [
      "default values come with their permission alone: the one with a condition is tried first",
      {
        author: [
          { ...create, fields: ["title"], conditions: { state: "draft" }, defaultValues: { state: "draft" } },
        ],
        editor: [{ ...create, fields: ["title", "price"], defaultValues: { secret: "edited" } }],
      },
      null,
      { title: "a" },
      { state: "draft", secret: "by default" },
    ],
    [
      "the other one carries what the first cannot",
      {
        author: [
          { ...create, fields: ["title"], conditions: { state: "draft" }, defaultValues: { state: "draft" } },
        ],
        editor: [{ ...create, fields: ["title", "price"], defaultValues: { secret: "edited" } }],
      },
      null,
      { title: "a", price: 3 },
      { state: null, price: 3, secret: "edited" },
    ],
    [
      "and what the first refuses for the row",
      {
        author: [{ ...create, conditions: { price: { lt: 5 } }, defaultValues: { state: "cheap" } }],
        editor: [{ ...create, conditions: { price: { gte: 5 } }, defaultValues: { state: "dear" } }],
      },
      null,
      { price: 7 },
      { price: 7, state: "dear" },
    ],
    [
      "the defaults of one never help the condition of the other",
      {
        author: [{ ...create, conditions: { price: { lt: 0 } }, defaultValues: { owner: "$CURRENT_USER" } }],
        editor: [{ ...create, conditions: { owner: "$CURRENT_USER" }, defaultValues: { state: "public" } }],
      },
      null,
      { price: 7 },
      403,
    ],
    [
      "changes take defaults the same way",
      {
        author: [{ ...update, conditions: { state: "a" }, defaultValues: { secret: "by author" } }],
        editor: [{ ...update, conditions: { state: "b" }, defaultValues: { secret: "by editor" } }],
      },
      { state: "b" },
      { title: "x" },
      { title: "x", secret: "by editor" },
    ],
  ];
  test.each(cases)("%s", async (_, rights, row, body, outcome) => {
    const made = row === null ? null : dataOf<{ id: string }>(await ok("POST", "/items/posts", row)).id;
    const before = (await ok("GET", "/items/posts?limit=0")).body as { totalCount: number };
    await allowed(rights, async () => {
      const path = made === null ? "/items/posts" : `/items/posts/${made}`;
      const answer = await app.call(made === null ? "POST" : "PATCH", path, { token: user.token, body });
      if (typeof outcome === "number") {
        expect([answer.status, codeOf(answer)]).toEqual([
          outcome,
          outcome === 404 ? "NOT_FOUND" : "FORBIDDEN",
        ]);
        expect((await ok("GET", "/items/posts?limit=0")).body).toEqual(before);
        if (made !== null && row)
          expect(dataOf<Row>(await ok("GET", `/items/posts/${made}`))).toMatchObject(row);
        return;
      }
      expect(answer.status).toBe(made === null ? 201 : 200);
      const { id } = dataOf<{ id: string }>(answer);
      expect(dataOf<Row>(await ok("GET", `/items/posts/${id}`))).toMatchObject(outcome);
    });
  });

  test("in bulk all rows are carried by permissions with the same defaults, or none is written", async () => {
    const rights = {
      author: [{ ...create, conditions: { state: "a" }, defaultValues: { price: 1 } }],
      editor: [{ ...create, conditions: { state: { in: ["a", "b"] } }, defaultValues: { price: 2 } }],
    };
    await allowed(rights, async () => {
      const bulk = (rows: Row[]) => app.call("POST", "/items/posts/bulk", { token: user.token, body: rows });
      const count = async () =>
        ((await ok("GET", "/items/posts?limit=0")).body as { totalCount: number }).totalCount;
      const before = await count();
      const first = await bulk([{ state: "a" }, { state: "a" }]);
      const second = await bulk([{ state: "a" }, { state: "b" }]);
      expect([first.status, second.status]).toEqual([201, 201]);
      const prices = async (answer: Answer) => {
        const filter = JSON.stringify({ id: { in: dataOf<string[]>(answer) } });
        const query = `filter=${filter}&fields=price`;
        return dataOf<Row[]>(await ok("GET", `/items/posts?${query}`)).map(({ price }) => price);
      };
      expect([await prices(first), await prices(second)]).toEqual([
        [1, 1],
        [2, 2],
      ]);
      expect((await bulk([{ state: "a" }, { state: "c" }])).status).toBe(403);
      expect(await count()).toBe(before + 4);
    });
  });

  test("several changes in one request, each row carried by its own permission", async () => {
    const make = async (row: Row) => dataOf<{ id: string }>(await ok("POST", "/items/posts", row)).id;
    const [one, two] = [await make({ state: "a", price: 1 }), await make({ state: "b", price: 2 })];
    const rights = {
      author: [{ ...update, conditions: { state: "a" } }],
      editor: [{ ...update, conditions: { state: "b" } }],
    };
    await allowed(rights, async () => {
      const patch = (entries: unknown) =>
        app.call("PATCH", "/items/posts/bulk", { token: user.token, body: entries });
      const both = (data: Row) => [
        { id: one, data },
        { id: two, data },
      ];
      expect((await patch(both({ title: "x" }))).status).toBe(200);
      expect((await patch(both({ title: "y", state: "a" }))).status).toBe(403);
      expect(dataOf<Row>(await ok("GET", `/items/posts/${one}`))).toMatchObject({ title: "x", state: "a" });
    });
  });
});

describe("a role that is bound to addresses", () => {
  const from = (address: string) => ({ "x-forwarded-for": address });
  let bound: { id: string; token: string };
  let partly: { id: string; token: string };
  beforeAll(async () => {
    await ok("PATCH", `/items/baasix_Role/${ids.press}`, { ipWhitelist: ["10.1.0.0/16", "2001:db8::/32"] });
    const role_Id = ids.press;
    await ok("POST", "/permissions", { role_Id, collection: "posts", action: "read", fields: ["secret"] });
    bound = await account("press");
    partly = await account("press", "author");
  });
  const read = (token: string, address: string) =>
    app.call("GET", "/items/posts", { token, headers: from(address) });

  test.each([
    ["10.1.2.3", 200],
    ["2001:db8::7", 200],
    ["10.2.2.3", 403],
    ["2001:db9::7", 403],
    ["127.0.0.1", 403],
  ])("from %s: %d", async (address, status) => {
    expect((await read(bound.token, address)).status).toBe(status);
    expect((await read(partly.token, address)).status).toBe(status);
    const me = await app.call("GET", "/auth/me", { token: partly.token, headers: from(address) });
    expect((me.body as { roles: Row[] }).roles.map(({ name }) => name)).toEqual(
      status === 200 ? ["press", "author"] : ["author"],
    );
  });
  test("does not sign in from elsewhere, and opens no socket", async () => {
    const { email } = dataOf<{ email: string }>(await ok("GET", `/items/baasix_User/${bound.id}`));
    const login = (address: string, password = "a good password") =>
      app.call("POST", "/auth/login", { body: { email, password }, headers: from(address) });
    expect((await login("10.1.0.9")).status).toBe(200);
    expect([(await login("10.9.0.9")).status, codeOf(await login("10.9.0.9"))]).toEqual([403, "FORBIDDEN"]);
    // Whoever does not know the password learns nothing of it.
    expect(codeOf(await login("10.9.0.9", "wrong password"))).toBe("INVALID_CREDENTIALS");
    const inside = await openSocket(url, bound.token, from("10.1.0.9"));
    inside.close();
    const outside = await openSocket(url, undefined, from("10.9.0.9"));
    outside.send({ type: "authenticate", token: bound.token, version: 1 });
    expect(await outside.expect("error")).toMatchObject({ code: "FORBIDDEN" });
    expect((await outside.closed).code).toBe(4401);
    await inside.closed;
  });
  test("a list that becomes shorter ends what stands on it", async () => {
    const user = await account("press");
    const socket = await openSocket(url, user.token, from("10.1.0.9"));
    await ok("PATCH", `/items/baasix_Role/${ids.press}`, { ipWhitelist: ["10.2.0.0/16"] });
    expect((await socket.closed).code).toBe(4401);
    expect((await read(user.token, "10.1.0.9")).status).toBe(403);
    expect((await read(user.token, "10.2.0.9")).status).toBe(200);
  });
});
