import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeCodes, type ItemId, type NewApiToken } from "@baasix/types";
import { createApp } from "./app";
import { system } from "./core/access/actor";
import { type TestApp, testApp } from "./testing/app";
import { externalServer } from "./testing/postgres";
import { openSocket } from "./testing/socket";

// Two instances on one database: what one changes, the other takes up from the log.
let first: TestApp;
let second: Awaited<ReturnType<typeof createApp>>;
let url: string;
let people = 0;

beforeAll(async () => {
  first = await testApp();
  second = await createApp(first.config, first.address);
  const { websocket } = second.realtime;
  second.routes.listen({ port: 0, hostname: "127.0.0.1", websocket });
  url = `http://127.0.0.1:${second.routes.server?.port}`;
});
afterAll(async () => {
  await second.routes.server?.stop(true);
  await second.close();
  await first.close();
});

async function ask(path: string, token: string): Promise<number> {
  const request = new Request(`http://localhost${path}`, { headers: { authorization: `Bearer ${token}` } });
  return (await second.routes.handle(request)).status;
}

/** Asks the second instance after each change that it hears of, until the answer is the expected one. */
async function untilAnswered(path: string, token: string, status: number): Promise<void> {
  const heard = Promise.withResolvers<void>();
  const check = () => {
    ask(path, token).then((got) => got === status && heard.resolve(), heard.reject);
  };
  const stops = [second.feed.onChanges(check), second.snapshot.onChange(check)];
  check();
  await heard.promise;
  for (const stop of stops) stop();
}

test("schemas, permissions, roles and sessions of another instance count here", async () => {
  const user = await first.signUp("user@example.com");
  await untilAnswered("/items/things", first.admin, 404);
  await first.call("POST", "/schemas", {
    token: first.admin,
    body: { collectionName: "things", schema: { name: "Thing", fields: { name: { type: "String" } } } },
  });
  await untilAnswered("/items/things", first.admin, 200);

  expect(await ask("/items/things", user.token)).toBe(403);
  const roles = await first.call("GET", "/items/baasix_Role?filter[name]=user", { token: first.admin });
  const [role] = (roles.body as { data: { id: string }[] }).data;
  await first.call("POST", "/permissions", {
    token: first.admin,
    body: { role_Id: role?.id, collection: "things", action: "read", fields: ["*"] },
  });
  await untilAnswered("/items/things", user.token, 200);

  await first.call("GET", "/auth/logout", { token: user.token });
  await untilAnswered("/items/things", user.token, 401);
});

/** Who a test is about, at the second instance: a session of an account, or an API token. */
type Caller = { readonly token: string; readonly id: string; readonly user: string; readonly role: string };

async function idOfRole(name: string): Promise<string> {
  const roles = await first.call("GET", `/items/baasix_Role?filter[name]=${name}`, { token: first.admin });
  return (roles.body as { data: { id: string }[] }).data[0]?.id ?? "";
}

async function session(): Promise<Caller> {
  const { token, id: user } = await first.signUp(`person${++people}@example.com`);
  const sessions = await first.call("GET", "/auth/sessions", { token });
  const [own] = (sessions.body as { data: { id: string }[] }).data;
  return { token, id: own?.id ?? "", user, role: await idOfRole("user") };
}

async function apiToken(): Promise<Caller> {
  const body = { name: "robot", role_Id: await idOfRole("user") };
  const made = await first.call("POST", "/auth/tokens", { token: first.admin, body });
  const { token, id, user_Id, role_Id } = (made.body as { data: NewApiToken }).data;
  return { token, id, user: user_Id, role: role_Id };
}

type Call = readonly [method: string, path: string, body?: object];
const suspend = ({ user }: Caller): Call => ["PATCH", `/items/baasix_User/${user}`, { status: "suspended" }];
const demote = ({ user }: Caller): Call => ["DELETE", `/items/baasix_UserRole?filter[user_Id]=${user}`];
const ends: readonly (readonly [what: string, who: () => Promise<Caller>, how: (who: Caller) => Call])[] = [
  ["a session that its owner ends elsewhere", session, ({ id }) => ["DELETE", `/auth/sessions/${id}`]],
  [
    "a session that an administrator ends",
    session,
    ({ id, user }) => ["DELETE", `/auth/admin/users/${user}/sessions/${id}`],
  ],
  [
    "all sessions of a user, ended at once",
    session,
    ({ user }) => ["DELETE", `/auth/admin/users/${user}/sessions`],
  ],
  ["the session of a suspended user", session, suspend],
  ["the session of a user that lost its roles", session, demote],
  ["the session of a deleted user", session, ({ user }) => ["DELETE", `/items/baasix_User/${user}`]],
  ["an API token that is deleted", apiToken, ({ id }) => ["DELETE", `/auth/tokens/${id}`]],
  ["an API token with a new text", apiToken, ({ id }) => ["POST", `/auth/tokens/${id}/rotate`]],
  ["an API token of a suspended account", apiToken, suspend],
  ["an API token whose account lost the role", apiToken, demote],
];
test.each(ends)("another instance lets go of %s: its requests and its sockets", async (_, who, how) => {
  const caller = await who();
  expect(await ask("/auth/check", caller.token)).toBe(200);
  const socket = await openSocket(url, caller.token);
  const [method, path, body] = how(caller);
  const own = path.startsWith("/auth/sessions");
  const done = await first.call(method, path, {
    token: own ? caller.token : first.admin,
    ...(body && { body }),
  });
  expect([done.status, done.text]).toEqual([200, expect.any(String)]);
  expect((await socket.closed).code).toBe(closeCodes.unauthorized);
  expect(await ask("/auth/check", caller.token)).toBe(401);
});

test("a socket ends with its API token, to the second", async () => {
  const expiresAt = new Date(Date.now() + 1500).toISOString();
  const body = { name: "brief", role_Id: await idOfRole("user"), expiresAt };
  const made = await first.call("POST", "/auth/tokens", { token: first.admin, body });
  const socket = await openSocket(url, (made.body as { data: NewApiToken }).data.token);
  expect(await socket.closed).toEqual({ code: closeCodes.unauthorized, reason: "the token has expired" });
});

test("without a log the database is asked: schema and rights of another instance count here", async () => {
  const server = await externalServer({ walLevel: "replica" });
  const one = await createApp(first.config, server.address);
  const other = await createApp(first.config, server.address);
  const swapped = async (change: () => Promise<unknown>): Promise<void> => {
    const heard = Promise.withResolvers<void>();
    const stop = other.snapshot.onChange(() => heard.resolve());
    await change();
    await heard.promise;
    stop();
  };
  const fields = { name: { type: "String" } } as const;
  await swapped(() =>
    one.snapshot.changeSchema(() => ({
      put: [{ collectionName: "things", schema: { name: "Thing", fields } }],
      remove: [],
    })),
  );
  const read = () => other.data.read({ kind: "anonymous" }, "things", {});
  await expect(read()).rejects.toThrow("permission");
  const setting = system("the test gives and takes rights");
  const [role] = await one.data.find<{ id: string }>(setting, "baasix_Role", { filter: { name: "public" } });
  let ids: readonly ItemId[] = [];
  await swapped(async () => {
    const permission = { role_Id: role?.id, collection: "things", action: "read", fields: ["*"] };
    ids = await one.data.create(setting, "baasix_Permission", [permission]);
  });
  expect(await read()).toMatchObject({ totalCount: 0 });
  await swapped(() => one.data.remove(setting, "baasix_Permission", ids));
  await expect(read()).rejects.toThrow("permission");
  await other.close();
  await one.close();
  await server.stop();
}, 60_000);
