/** API tokens: made once and shown once, good for one role of one account, by the header alone, until they end. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ApiToken, NewApiToken } from "@baasix/types";
import { type Answer, type TestApp, testAdmin, testApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { openSocket } from "../../testing/socket";

const minute = 60_000;
let time = Date.now();
let app: TestApp;
let admin: string;
let names = 0;
const roles = new Map<string, string>();

beforeAll(async () => {
  app = await testApp({ now: () => time });
  admin = app.admin;
  const found = await app.call("GET", "/items/baasix_Role", { token: admin });
  for (const { id, name } of (found.body as { data: { id: string; name: string }[] }).data)
    roles.set(name, id);
  const made = await app.call("POST", "/items/baasix_Role", { token: admin, body: { name: "reporter" } });
  roles.set("reporter", (made.body as { data: { id: string } }).data.id);
  await app.call("POST", "/permissions", {
    token: admin,
    body: { role_Id: role("reporter"), collection: "baasix_Role", action: "read", fields: ["name"] },
  });
});
afterAll(() => app.close());

function role(name: string): string {
  return roles.get(name) ?? "";
}
const signIn = async () => {
  admin = await app.login(testAdmin.email, testAdmin.password);
};
const create = (more: object = {}, token = admin) =>
  app.call("POST", "/auth/tokens", {
    token,
    body: { name: `token ${++names}`, role_Id: role("reporter"), ...more },
  });
const made = async (more: object = {}): Promise<NewApiToken> => {
  const answer = await create(more);
  if (answer.status !== 201) throw new Error(answer.text);
  return (answer.body as { data: NewApiToken }).data;
};
const list = async (): Promise<readonly ApiToken[]> =>
  ((await app.call("GET", "/auth/tokens", { token: admin })).body as { data: ApiToken[] }).data;
const read = (token: string) => app.call("GET", "/items/baasix_Role", { token });
const works = async (token: string) => (await read(token)).status;
const errorOf = ({ status, body }: Answer) => {
  const { code, message } = (body as { error: { code: string; message: string } }).error;
  return [status, code, message];
};

describe("an API token", () => {
  test("is shown once, and kept as a hash that nobody reads", async () => {
    const { token, ...told } = await made({ name: "reports" });
    expect(token).toMatch(/^bsx_[\w-]{43}$/);
    expect(told).toEqual({
      id: expect.any(String),
      name: "reports",
      prefix: token.slice(0, 10),
      user_Id: expect.any(String),
      role_Id: role("reporter"),
      tenant_Id: null,
      expiresAt: null,
      lastUsedAt: null,
      createdBy_Id: expect.any(String),
      createdAt: expect.any(String),
    });
    expect((await list()).find(({ id }) => id === told.id)).toEqual(told);
    const items = await app.call("GET", "/items/baasix_ApiToken", { token: admin });
    expect(items.status).toBe(200);
    expect(items.text).not.toContain("tokenHash");
    const [row] = await outsider(app.address, `SELECT * FROM "baasix_ApiToken" WHERE id = '${told.id}'`);
    expect(JSON.stringify(row)).not.toContain(token.slice(10));
  });

  test("acts as a service account with the one role, which nobody signs in as", async () => {
    const { token, user_Id } = await made({ name: "robot" });
    const me = await app.call("GET", "/auth/me", { token });
    const { email } = (me.body as { user: { email: string } }).user;
    expect(me.body).toMatchObject({
      user: { id: user_Id, firstName: "robot", email: expect.stringMatching(/@service\.invalid$/) },
      role: { name: "reporter" },
    });
    expect((await read(token)).body).toMatchObject({ data: expect.arrayContaining([{ name: "user" }]) });
    expect((await app.call("GET", "/permissions", { token })).status).toBe(403);
    // Even with a password, by whatever hands.
    await outsider(
      app.address,
      `INSERT INTO "baasix_Account" (id, "user_Id", "accountId", "providerId", password)
       SELECT gen_random_uuid(), '${user_Id}', '${user_Id}', 'credential', password FROM "baasix_Account"
       WHERE password IS NOT NULL LIMIT 1`,
    );
    const answer = await app.call("POST", "/auth/login", { body: { email, password: testAdmin.password } });
    expect(errorOf(answer)).toEqual([
      403,
      "FORBIDDEN",
      "Service accounts do not sign in; they use API tokens",
    ]);
  });

  test("acts as a given account with one of its roles, as long as it has that", async () => {
    const person = await app.signUp("ada@example.com");
    await app.data.create(
      { kind: "system", reason: "a test" },
      "baasix_UserRole",
      ["reporter", "administrator"].map((name) => ({ user_Id: person.id, role_Id: role(name) })),
    );
    const { token, user_Id } = await made({ user_Id: person.id });
    expect(user_Id).toBe(person.id);
    const me = await app.call("GET", "/auth/me", { token });
    expect(me.body).toMatchObject({ user: { id: person.id }, roles: [{ name: "reporter" }] });
    expect((await app.call("GET", "/auth/tokens", { token })).status).toBe(403);
    await app.data.removeWhere({ kind: "system", reason: "a test" }, "baasix_UserRole", {
      AND: [{ user_Id: person.id }, { role_Id: role("reporter") }],
    });
    expect(await works(token)).toBe(401);
    expect(await works(person.token)).toBe(200);
    const another = await create({ user_Id: person.id });
    expect(errorOf(another)).toEqual([
      400,
      "VALIDATION_ERROR",
      "role_Id: the account does not have this role",
    ]);
  });

  const refused: readonly (readonly [string, () => object, RegExp])[] = [
    ["without a name", () => ({ name: "" }), /name/],
    ["without a role", () => ({ role_Id: undefined }), /role_Id/],
    ["of a role that is none", () => ({ role_Id: "reporter" }), /role_Id/],
    ["of no role that is there", () => ({ role_Id: crypto.randomUUID() }), /role_Id: there is no such role/],
    ["of the role of everybody", () => ({ role_Id: role("public") }), /role_Id: there is no such role/],
    ["for no account that is there", () => ({ user_Id: crypto.randomUUID() }), /user_Id/],
    [
      "that has ended",
      () => ({ expiresAt: new Date(time).toISOString() }),
      /expiresAt: must be in the future/,
    ],
    ["that ends at no time", () => ({ expiresAt: "soon" }), /expiresAt/],
    ["with a text of one's own", () => ({ token: `bsx_${"a".repeat(43)}` }), /'token' cannot be set here/],
    ["with the maker of one's choice", () => ({ createdBy_Id: crypto.randomUUID() }), /cannot be set here/],
  ];
  test.each(refused)("is not made %s", async (_, more, message) => {
    const before = (await list()).length;
    const answer = await create(more());
    expect([answer.status, String(errorOf(answer)[2])]).toEqual([400, expect.stringMatching(message)]);
    expect(await list()).toHaveLength(before);
  });

  test("is noted when it is used, once a minute at most", async () => {
    const { id, token } = await made();
    const noted = async () => (await list()).find((each) => each.id === id)?.lastUsedAt ?? null;
    /** Uses the token and awaits the note, which no request waits for. */
    const useAndHear = async () => {
      const heard = Promise.withResolvers<void>();
      const stop = app.feed.onChanges(({ changes }) => {
        if (changes.some(({ table, after }) => table === "baasix_ApiToken" && after?.id === id))
          heard.resolve();
      });
      await works(token);
      await heard.promise;
      stop();
    };
    await useAndHear();
    const first = time;
    expect(Date.parse((await noted()) ?? "")).toBe(first);
    time += minute - 1;
    for (let i = 0; i < 3; i++) await works(token);
    time += 1;
    await useAndHear();
    expect(Date.parse((await noted()) ?? "")).toBe(first + minute);
  });
});

describe("an API token ends", () => {
  test("at its time, remembered or not", async () => {
    const { token } = await made({ expiresAt: new Date(time + minute).toISOString() });
    expect(await works(token)).toBe(200);
    time += minute;
    expect(await works(token)).toBe(401);
    await signIn();
  });

  const ends: readonly (readonly [string, (token: NewApiToken) => Promise<unknown>])[] = [
    ["when it is deleted", ({ id }) => app.call("DELETE", `/auth/tokens/${id}`, { token: admin })],
    [
      "when it gets another text",
      ({ id }) => app.call("POST", `/auth/tokens/${id}/rotate`, { token: admin }),
    ],
    [
      "when its account is suspended",
      ({ user_Id }) =>
        app.call("PATCH", `/items/baasix_User/${user_Id}`, { token: admin, body: { status: "suspended" } }),
    ],
    [
      "when its account is deleted",
      ({ user_Id }) => app.call("DELETE", `/items/baasix_User/${user_Id}`, { token: admin }),
    ],
    [
      "when its account loses the role",
      ({ user_Id }) =>
        app.data.removeWhere({ kind: "system", reason: "a test" }, "baasix_UserRole", { user_Id }),
    ],
  ];
  test.each(ends)("%s", async (_, end) => {
    const given = await made();
    expect(await works(given.token)).toBe(200);
    await end(given);
    expect(errorOf(await read(given.token))).toEqual([401, "UNAUTHORIZED", "Invalid or expired token"]);
  });

  test("and a new text goes on in its place, with another end if one is given", async () => {
    const first = await made();
    const rotated = await app.call("POST", `/auth/tokens/${first.id}/rotate`, { token: admin });
    const second = (rotated.body as { data: NewApiToken }).data;
    expect(second).toMatchObject({ id: first.id, user_Id: first.user_Id, expiresAt: null });
    expect(await works(second.token)).toBe(200);
    const expiresAt = new Date(time + minute).toISOString();
    const ended = await app.call("POST", `/auth/tokens/${first.id}/rotate`, {
      token: admin,
      body: { expiresAt },
    });
    expect(Date.parse((ended.body as { data: NewApiToken }).data.expiresAt ?? "")).toBe(time + minute);
    expect([await works(second.token), (await list()).filter(({ id }) => id === first.id).length]).toEqual([
      401, 1,
    ]);
  });

  test("and its service account with the last one: without roles, so that they can be deleted", async () => {
    const first = await made();
    const second = await made({ user_Id: first.user_Id });
    const account = async () => {
      const user = await app.call("GET", `/items/baasix_User/${first.user_Id}?fields=status,userRoles.id`, {
        token: admin,
      });
      return (user.body as { data: unknown }).data;
    };
    await app.call("DELETE", `/auth/tokens/${first.id}`, { token: admin });
    expect([await works(second.token), await account()]).toMatchObject([200, { status: "active" }]);
    await app.call("DELETE", `/auth/tokens/${second.id}`, { token: admin });
    expect(await account()).toEqual({ status: "deleted", userRoles: [] });
    const again = await app.call("DELETE", `/auth/tokens/${second.id}`, { token: admin });
    expect(errorOf(again)).toEqual([404, "NOT_FOUND", "API token not found"]);
  });
});

describe("API tokens are taken", () => {
  test("from the header alone", async () => {
    const { token } = await made();
    const elsewhere: readonly (readonly [string, Record<string, string>])[] = [
      [`?access_token=${token}`, {}],
      ["", { cookie: `token=${token}` }],
      ["", { cookie: `accessToken=${token}` }],
    ];
    for (const [query, headers] of elsewhere) {
      const answer = await app.call("GET", `/items/baasix_Role${query}`, { headers });
      expect(errorOf(answer)).toEqual([
        401,
        "UNAUTHORIZED",
        "Send an API token as 'Authorization: Bearer', and in no other way",
      ]);
    }
    expect(
      (await app.call("GET", "/items/baasix_Role", { headers: { authorization: `bearer ${token}` } })).status,
    ).toBe(200);
  });

  test("by sockets, too: in the header or in a frame, not in the query", async () => {
    const { token, user_Id } = await made();
    const url = app.listen();
    const byHeader = await openSocket(url, undefined, { authorization: `Bearer ${token}` });
    expect((await byHeader.expect("connected")).userId).toBe(user_Id);
    const byFrame = await openSocket(url, token);
    const headers = { upgrade: "websocket", connection: "upgrade" };
    const byQuery = await fetch(`${url}/realtime?access_token=${token}`, { headers });
    expect(byQuery.status).toBe(401);
    for (const socket of [byHeader, byFrame]) socket.close();
  });

  const forged: readonly (readonly [string, (token: string) => string])[] = [
    [
      "another text",
      () => `bsx_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`,
    ],
    ["a cut one", (token) => token.slice(0, -1)],
    ["a longer one", (token) => `${token}A`],
    ["another letter case", (token) => token.toUpperCase()],
    ["its prefix", (token) => token.slice(0, 10)],
    ["nothing but the beginning", () => "bsx_"],
    ["quotes", () => `bsx_${"'".repeat(43)}`],
    ["100,000 characters", () => `bsx_${"a".repeat(100_000)}`],
  ];
  test.each(forged)("never with %s", async (_, change) => {
    const { token } = await made();
    expect(await works(change(token))).toBe(401);
  });

  test("and answered at once when they are known", async () => {
    const { token } = await made();
    await works(token);
    const answers = await Promise.all(Array.from({ length: 20 }, () => works(token)));
    expect(new Set(answers)).toEqual(new Set([200]));
  });
});

describe("who may make one", () => {
  const calls: readonly (readonly [string, string, object | undefined])[] = [
    ["GET", "/auth/tokens", undefined],
    ["POST", "/auth/tokens", { name: "mine", role_Id: "00000000-0000-4000-8000-000000000000" }],
    ["POST", "/auth/tokens/00000000-0000-4000-8000-000000000000/rotate", undefined],
    ["DELETE", "/auth/tokens/00000000-0000-4000-8000-000000000000", undefined],
  ];
  test.each(calls)("administrators that signed in: %s %s", async (method, path, body) => {
    const { token: robot } = await made({ role_Id: role("administrator") });
    const { token: person } = await app.signUp(`person${++names}@example.com`);
    const ask = async (token?: string) =>
      (await app.call(method, path, { ...(token && { token }), ...(body && { body }) })).status;
    expect([await ask(), await ask(person), await ask(robot)]).toEqual([401, 403, 403]);
  });

  test("with a fresh proof; to look at them and to delete them takes none", async () => {
    const given = await made();
    time += 14 * minute;
    admin = ((await app.call("POST", "/auth/refresh", { token: admin })).body as { token: string }).token;
    time += minute;
    const rotate = await app.call("POST", `/auth/tokens/${given.id}/rotate`, { token: admin });
    for (const answer of [await create(), rotate])
      expect(errorOf(answer).slice(0, 2)).toEqual([403, "REAUTHENTICATION_REQUIRED"]);
    expect((await list()).length).toBeGreaterThan(0);
    expect((await app.call("DELETE", `/auth/tokens/${given.id}`, { token: admin })).status).toBe(200);
    await app.call("POST", "/auth/reauthenticate", {
      token: admin,
      body: { password: testAdmin.password },
    });
    expect((await create()).status).toBe(201);
  });

  test("a program has no sessions and no password to prove", async () => {
    const { token } = await made({ role_Id: role("administrator") });
    const calls: readonly (readonly [string, string, object | undefined])[] = [
      ["GET", "/auth/sessions", undefined],
      ["DELETE", "/auth/sessions", undefined],
      ["DELETE", `/auth/sessions/${crypto.randomUUID()}`, undefined],
      ["DELETE", `/auth/admin/users/${crypto.randomUUID()}/sessions`, undefined],
      ["POST", "/auth/reauthenticate", { password: "a good password" }],
      ["POST", "/auth/refresh", {}],
    ];
    for (const [method, path, body] of calls) {
      const answer = await app.call(method, path, { token, ...(body && { body }) });
      expect([path, ...errorOf(answer)]).toEqual([
        path,
        403,
        "FORBIDDEN",
        "An API token may not do this; sign in instead",
      ]);
    }
    expect((await app.call("GET", "/auth/logout", { token })).status).toBe(200);
    expect(await works(token)).toBe(200);
  });
});

test("a role that is bound to addresses binds its tokens", async () => {
  const bound = await app.call("POST", "/items/baasix_Role", {
    token: admin,
    body: { name: "bound", ipWhitelist: ["192.0.2.0/24"] },
  });
  const { token } = await made({ role_Id: (bound.body as { data: { id: string } }).data.id });
  expect((await read(token)).status).toBe(403);
});
