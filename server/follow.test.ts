/** Two instances on one database: what one changes, the other takes up, by the log or however else it hears. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeCodes, type NewApiToken } from "@baasix/types";
import { type Answer, openInstance, type TestApp, testApp, type TestInstance } from "./testing/app";
import { externalServer, type ExternalServer, outsider } from "./testing/postgres";
import { openSocket, type TestSocket } from "./testing/socket";
import { within } from "./testing/within";

let first: TestApp;
let second: TestInstance;
let url: string;
let external: ExternalServer | null = null;
let people = 0;

/** How the second instance hears: the first one and its address are made here. */
const worlds = {
  log: async () => {
    first = await testApp();
    return first.address;
  },
  triggers: async () => {
    external = await externalServer({ walLevel: "replica" });
    first = await testApp({ address: external.address });
    return first.address;
  },
  // A role that may read and write, and nothing else.
  off: async () => {
    external = await externalServer({ walLevel: "replica" });
    first = await testApp({ address: external.address });
    await heardBy(first.feed, "triggers");
    await outsider(
      external.address,
      "create role stranger login",
      "grant all on all tables in schema public to stranger",
      "alter default privileges in schema public grant all on tables to stranger",
      "grant all on all sequences in schema public to stranger",
      `revoke all on "baasix_Change" from stranger`,
    );
    return { kind: "url", url: external.url.replace("operator", "stranger") } as const;
  },
};
type World = keyof typeof worlds;

/** Waits until a feed has found its source. */
async function heardBy(feed: TestApp["feed"], source: World): Promise<void> {
  const isFound = (): boolean => {
    const status = feed.status();
    return status.source === source && (source === "off" || status.connected);
  };
  while (!isFound()) await Bun.sleep(5);
}

async function open(world: World): Promise<void> {
  const address = await worlds[world]();
  second = await openInstance(first.config, address);
  await heardBy(second.feed, world);
  url = second.listen();
}

async function close(): Promise<void> {
  await second.close();
  await first.close();
  await external?.stop();
  external = null;
}

async function ask(path: string, token: string): Promise<number> {
  return (await second.call("GET", path, { token })).status;
}

/** Asks the second instance until the answer is the expected one. */
async function untilAnswered(path: string, token: string, status: number): Promise<void> {
  while ((await ask(path, token)) !== status) await Bun.sleep(5);
}

/** Asks until it may enter a room of those who may read things. */
async function untilJoined(socket: TestSocket): Promise<void> {
  while ((await socket.ask({ type: "room.join", room: "private:things" })).type !== "room.joined")
    await Bun.sleep(20);
}

/** Who a test is about, at the second instance: a session of an account, or an API token. */
type Caller = { readonly token: string; readonly id: string; readonly user: string; readonly role: string };

async function session(): Promise<Caller> {
  const { token, id: user } = await first.signUp(`person${++people}@example.com`);
  const sessions = await first.call("GET", "/auth/sessions", { token });
  const [own] = (sessions.body as { data: { id: string }[] }).data;
  return { token, id: own?.id ?? "", user, role: await first.roleId("user") };
}

async function apiToken(): Promise<Caller> {
  const body = { name: "robot", role_Id: await first.roleId("user") };
  const made = await first.call("POST", "/auth/tokens", { token: first.admin, body });
  const { token, id, user_Id, role_Id } = (made.body as { data: NewApiToken }).data;
  return { token, id, user: user_Id, role: role_Id };
}

/** Milliseconds within which a right that has ended must have ended everywhere. */
const bounds = { "this instance": 1_000, "another instance": 5_000 } as const;

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
describe.each<World>(["log", "triggers", "off"])("two instances, the second hears by %s:", (world) => {
  beforeAll(() => open(world), 30_000);
  afterAll(close, 30_000);

  test("schemas, permissions, roles and sessions of another instance count here", async () => {
    const user = await first.signUp("user@example.com");
    await untilAnswered("/items/things", first.admin, 404);
    await first.call("POST", "/schemas", {
      token: first.admin,
      body: { collectionName: "things", schema: { name: "Thing", fields: { name: { type: "String" } } } },
    });
    await untilAnswered("/items/things", first.admin, 200);

    expect(await ask("/items/things", user.token)).toBe(403);
    const role = await first.roleId("user");
    await first.call("POST", "/permissions", {
      token: first.admin,
      body: { role_Id: role, collection: "things", action: "read", fields: ["*"] },
    });
    await untilAnswered("/items/things", user.token, 200);

    await first.call("GET", "/auth/logout", { token: user.token });
    await untilAnswered("/items/things", user.token, 401);
  });

  // Where nobody tells, the database is asked every two seconds: some of the ways are enough.
  const elsewhere = world === "off" ? ends.filter((_, index) => index % 4 === 0) : ends;
  test.each([
    ...elsewhere.map((end) => ["another instance", ...end] as const),
    ...ends.map((end) => ["this instance", ...end] as const),
  ])(
    "%s ends %s: its requests and its sockets",
    async (where, _what, who, how) => {
      const caller = await who();
      await untilAnswered("/auth/check", caller.token, 200);
      const socket = await openSocket(url, caller.token);
      const [method, path, body] = how(caller);
      const own = path.startsWith("/auth/sessions");
      const token = own ? caller.token : first.admin;
      const done = await (where === "another instance" ? first : second).call(method, path, { token, body });
      expect([done.status, done.text]).toEqual([200, expect.any(String)]);
      const bound = bounds[where];
      expect((await within(bound, socket.closed)).code).toBe(closeCodes.unauthorized);
      await within(bound, untilAnswered("/auth/check", caller.token, 401));
    },
    20_000,
  );

  /** What the role `user` may read of things; null: nothing. A permission that is there is changed. */
  const permit = async (app: Pick<TestApp, "call">, right: object | null): Promise<void> => {
    const call = (method: string, path: string, body?: object): Promise<Answer> =>
      app.call(method, path, { token: first.admin, body });
    const found = await call("GET", "/permissions?filter[collection]=things");
    const [known] = (found.body as { data: { id: string }[] }).data;
    const named = { role_Id: await first.roleId("user"), collection: "things", action: "read" };
    const { status } = await (right === null
      ? call("DELETE", `/permissions/${known?.id}`)
      : known
        ? call("PATCH", `/permissions/${known.id}`, right)
        : call("POST", "/permissions", { ...named, ...right }));
    if (status >= 300) throw new Error(`permissions: ${status}`);
  };
  const everything = { fields: ["*"], conditions: {} };

  test.each(["another instance", "this instance"] as const)(
    "%s takes a right away, narrows and widens one: rooms, subscriptions and live queries follow",
    async (where) => {
      const writer = where === "another instance" ? first : second;
      const bound = bounds[where];
      const { token } = await first.signUp(`reader${++people}@example.com`);
      await permit(first, everything);
      await untilAnswered("/items/things", token, 200);
      const socket = await openSocket(url, token);
      // Rooms are there without changes, too.
      expect((await socket.ask({ type: "room.join", room: "private:things" })).type).toBe("room.joined");
      const isTold = world !== "off";
      const ask = async (): Promise<void> => {
        if (!isTold) return;
        expect(await socket.ask({ type: "subscribe", collection: "things" })).toMatchObject({
          type: "subscribed",
        });
        const query = { fields: ["*"], sort: ["name"] };
        expect(await socket.ask({ type: "query", collection: "things", query })).toMatchObject({
          type: "query.result",
        });
      };
      await ask();
      const renamed = async (): Promise<void> => {
        await permit(writer, { fields: ["id", "name"], conditions: { name: { eq: "mine" } } });
        const isRenamed = ({ type }: { type: string }): boolean => type === "renamed";
        await within(bound, Promise.all([socket.take(isRenamed), socket.take(isRenamed)]));
      };
      if (isTold) await renamed();
      await permit(writer, null);
      const ends = [socket.take((frame) => frame.type === "room.kicked" && frame.room === "private:things")];
      const ended = (frame: { type: string }): boolean => frame.type === "error" && "subscription" in frame;
      if (isTold) ends.push(socket.take(ended), socket.take(ended));
      await within(bound, Promise.all(ends));
      await permit(writer, everything);
      await within(bound, untilJoined(socket));
      socket.close();
    },
    30_000,
  );

  test("a socket ends with its API token, to the second", async () => {
    const expiresAt = new Date(Date.now() + 1500).toISOString();
    const body = { name: "brief", role_Id: await first.roleId("user"), expiresAt };
    const made = await first.call("POST", "/auth/tokens", { token: first.admin, body });
    const socket = await openSocket(url, (made.body as { data: NewApiToken }).data.token);
    expect(await socket.closed).toEqual({ code: closeCodes.unauthorized, reason: "the token has expired" });
  });
});
