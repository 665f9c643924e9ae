/** Open sessions: seen, ended and limited by their owner, an administrator and the operator; and proofs that grow old. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { SessionInfo } from "@baasix/types";
import { decodeProtectedHeader } from "jose";
import { readConfig } from "../../config";
import {
  type Answer,
  openInstance,
  type TestApp,
  testAdmin,
  testApp,
  type TestInstance,
} from "../../testing/app";

const password = "a good password";
const minute = 60_000;
let time = Date.now();
let app: TestApp;
let people = 0;

beforeAll(async () => {
  app = await testApp({ now: () => time, env: { MOBILE_SESSION_LIMIT: "3", WEB_SESSION_LIMIT: "0" } });
});
afterAll(() => app.close());

type Tokens = { token: string; refreshToken: string };
const signUp = async () => {
  const email = `person${++people}@example.com`;
  return { email, ...(await app.signUp(email, password)) };
};
const tryLogin = (email: string, more: object = {}, headers: Record<string, string> = {}) =>
  app.call("POST", "/auth/login", { body: { email, password, ...more }, headers });
const login = async (email: string, more: object = {}, headers: Record<string, string> = {}) => {
  const answer = await tryLogin(email, more, headers);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body as Tokens;
};
const admin = () => app.login(testAdmin.email, testAdmin.password);
const sessionsOf = async (token: string, path = "/auth/sessions"): Promise<readonly SessionInfo[]> => {
  const answer = await app.call("GET", path, { token });
  if (answer.status !== 200) throw new Error(answer.text);
  return (answer.body as { data: SessionInfo[] }).data;
};
const currentOf = async (token: string): Promise<string> =>
  (await sessionsOf(token)).find(({ current }) => current)?.id ?? "";
const isAlive = async (token: string) => (await app.call("GET", "/auth/check", { token })).status === 200;
const refresh = (refreshToken: string) => app.call("POST", "/auth/refresh", { body: { refreshToken } });
const codeOf = (answer: Answer) => (answer.body as { error?: { code?: string } } | null)?.error?.code;
const messageOf = (answer: Answer) =>
  (answer.body as { error?: { message?: string } } | null)?.error?.message;

describe("one's own sessions", () => {
  test("are listed with where they come from, the one used last first, without their tokens", async () => {
    const { email, token } = await signUp();
    time += minute;
    const phone = await login(email, { authType: "mobile" }, { "user-agent": "Phone/1.0" });
    const answer = await app.call("GET", "/auth/sessions", { token });
    const [second, first] = (answer.body as { data: SessionInfo[] }).data;
    expect(second).toEqual({
      id: expect.any(String),
      type: "mobile",
      tenant_Id: null,
      createdAt: expect.any(String),
      lastUsedAt: expect.any(String),
      expiresAt: expect.any(String),
      ipAddress: expect.any(String),
      userAgent: "Phone/1.0",
      current: false,
    });
    expect(first).toMatchObject({ type: "default", current: true });
    time += minute;
    await refresh(phone.refreshToken);
    const [used] = await sessionsOf(token);
    expect(Date.parse(used?.lastUsedAt ?? "")).toBe(time);
    expect(answer.text).not.toMatch(/[0-9a-f]{64}|"token"/);
  });

  test("end one by one, and all but the own", async () => {
    const { email, token } = await signUp();
    const others = [await login(email), await login(email), await login(email)];
    const [one, two, three] = others.map((other) => other.token);
    const ended = await app.call("DELETE", `/auth/sessions/${await currentOf(one ?? "")}`, { token });
    expect(ended.status).toBe(200);
    expect([await isAlive(one ?? ""), await isAlive(two ?? "")]).toEqual([false, true]);
    expect((await refresh(others[0]?.refreshToken ?? "")).status).toBe(401);
    const rest = await app.call("DELETE", "/auth/sessions", { token });
    expect(rest.body).toEqual({ data: { count: 2 } });
    expect([await isAlive(two ?? ""), await isAlive(three ?? ""), await isAlive(token)]).toEqual([
      false,
      false,
      true,
    ]);
    await app.call("DELETE", `/auth/sessions/${await currentOf(token)}`, { token });
    expect(await isAlive(token)).toBe(false);
  });

  test("do not end by a parameter, which would name some of them and end all", async () => {
    const { email, id, token } = await signUp();
    const other = (await login(email)).token;
    const asked = [
      [token, `/auth/sessions?id=${await currentOf(other)}`],
      [token, `/auth/sessions/${await currentOf(other)}?dryRun=true`],
      [await admin(), `/auth/admin/users/${id}/sessions?type=mobile`],
      [await admin(), `/auth/admin/users/${id}/sessions/${await currentOf(other)}?dryRun=true`],
    ] as const;
    for (const [by, path] of asked) {
      const answer = await app.call("DELETE", path, { token: by });
      expect([path, answer.status, codeOf(answer)]).toEqual([path, 400, "INVALID_QUERY"]);
    }
    expect([await isAlive(token), await isAlive(other)]).toEqual([true, true]);
    // Where the token may stand is no parameter of the route.
    const ended = await app.call("DELETE", `/auth/sessions?access_token=${token}`);
    expect([ended.status, ended.body]).toEqual([200, { data: { count: 1 } }]);
  });

  test("are nobody else's: another's, a made-up and a nonsensical one are answered alike", async () => {
    const [ann, bob] = [await signUp(), await signUp()];
    const answers: [number, string | undefined][] = [];
    for (const id of [await currentOf(bob.token), crypto.randomUUID(), "x' or 1=1"]) {
      const answer = await app.call("DELETE", `/auth/sessions/${encodeURIComponent(id)}`, {
        token: ann.token,
      });
      answers.push([answer.status, messageOf(answer)]);
    }
    expect(answers).toEqual(Array.from({ length: 3 }, () => [404, "Session not found"]));
    expect(await isAlive(bob.token)).toBe(true);
  });

  test("leave the list when they have expired", async () => {
    const { email } = await signUp();
    time += 2_592_001_000;
    const { token } = await login(email);
    expect(await sessionsOf(token)).toHaveLength(1);
  });
});

describe("sessions of others", () => {
  const calls: readonly (readonly [string, (user: string, session: string) => string])[] = [
    ["GET", (user) => `/auth/admin/users/${user}/sessions`],
    ["DELETE", (user) => `/auth/admin/users/${user}/sessions`],
    ["DELETE", (user, session) => `/auth/admin/users/${user}/sessions/${session}`],
  ];
  test.each(calls)("are for administrators alone: %s %p", async (method, path) => {
    const [ann, bob] = [await signUp(), await signUp()];
    const target = path(bob.id, await currentOf(bob.token));
    expect((await app.call(method, target, { token: ann.token })).status).toBe(403);
    expect((await app.call(method, target)).status).toBe(401);
    expect(await isAlive(bob.token)).toBe(true);
  });

  test("are seen and ended by them", async () => {
    const token = await admin();
    const { email, id, token: own } = await signUp();
    const { token: other } = await login(email);
    const path = `/auth/admin/users/${id}/sessions`;
    expect(await sessionsOf(token, path)).toHaveLength(2);
    expect((await app.call("DELETE", `${path}/${await currentOf(other)}`, { token })).status).toBe(200);
    expect([await isAlive(own), await isAlive(other)]).toEqual([true, false]);
    expect((await app.call("DELETE", path, { token })).body).toEqual({ data: { count: 1 } });
    expect(await isAlive(own)).toBe(false);
    const nobody = await app.call("GET", `/auth/admin/users/${crypto.randomUUID()}/sessions`, { token });
    expect(nobody.status).toBe(404);
  });
});

const refreshed = (token: string) => app.call("POST", "/auth/refresh", { token });
const prove = (token: string, secret: unknown) =>
  app.call("POST", "/auth/reauthenticate", { token, body: { password: secret } });

describe("a fresh proof", () => {
  const endNobodys = async (token: string) => {
    const answer = await app.call("DELETE", `/auth/admin/users/${crypto.randomUUID()}/sessions`, { token });
    const one = `/auth/admin/users/${crypto.randomUUID()}/sessions/${crypto.randomUUID()}`;
    expect((await app.call("DELETE", one, { token })).status).toBe(answer.status);
    return answer;
  };

  test("lasts 15 minutes; refreshing does not renew it, the password does, for this session", async () => {
    const tokens = [await admin(), await admin()];
    time += 15 * minute - 2000;
    const [one = "", other = ""] = await Promise.all(
      tokens.map(async (token) => ((await refreshed(token)).body as Tokens).token),
    );
    expect((await endNobodys(one)).status).toBe(404);
    time += 2000;
    const refused = await endNobodys(one);
    expect([refused.status, codeOf(refused)]).toEqual([403, "REAUTHENTICATION_REQUIRED"]);
    const proven = await prove(one, testAdmin.password);
    expect(proven.body).toEqual({
      message: "Authentication confirmed",
      authenticatedAt: new Date(time).toISOString(),
    });
    expect([(await endNobodys(one)).status, (await endNobodys(other)).status]).toEqual([404, 403]);
  });

  test("is not had for a wrong password, which counts as one at sign-in", async () => {
    const { email, token } = await signUp();
    for (let i = 0; i < 5; i++) {
      const wrong = await prove(token, "not the password");
      expect([wrong.status, codeOf(wrong)]).toEqual([400, "INVALID_CREDENTIALS"]);
    }
    expect((await prove(token, password)).status).toBe(429);
    expect((await tryLogin(email)).status).toBe(429);
    time += 15 * minute;
    expect((await tryLogin(email)).status).toBe(200);
  });

  test.each([[undefined], [""], [1], [{ $ne: "" }]])("wants a password, not %j", async (secret) => {
    const { token } = await signUp();
    expect((await prove(token, secret)).status).toBe(400);
  });

  test("is for who is signed in", async () => {
    expect((await app.call("POST", "/auth/reauthenticate", { body: { password } })).status).toBe(401);
  });
});

describe("kinds of sessions", () => {
  test("as many as the operator allows, however many come at once", async () => {
    const { email, token } = await signUp();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tryLogin(email, { authType: "mobile" })),
    );
    const refused = answers.filter(({ status }) => status === 403);
    expect([answers.filter(({ status }) => status === 200).length, refused.length]).toEqual([3, 47]);
    expect(new Set(refused.map(messageOf))).toEqual(
      new Set(["Maximum mobile session limit (3) reached. Please logout from another device."]),
    );
    expect((await sessionsOf(token)).filter(({ type }) => type === "mobile")).toHaveLength(3);
  });

  test("a session stays of its kind and counts on, whenever it is refreshed; one that ended makes room", async () => {
    const { email, token } = await signUp();
    const phones = [];
    for (let i = 0; i < 3; i++) phones.push(await login(email, { authType: "mobile" }));
    for (const { refreshToken } of phones) expect((await refresh(refreshToken)).status).toBe(200);
    const kinds = (await sessionsOf(token)).map(({ type }) => type).toSorted();
    expect(kinds).toEqual(["default", "mobile", "mobile", "mobile"]);
    expect((await tryLogin(email, { authType: "mobile" })).status).toBe(403);
    await app.call("GET", "/auth/logout", { token: phones[0]?.token ?? "" });
    expect((await tryLogin(email, { authType: "mobile" })).status).toBe(200);
    expect((await tryLogin(email, { authType: "mobile" })).status).toBe(403);
    time += 2_592_001_000;
    expect((await tryLogin(email, { authType: "mobile" })).status).toBe(200);
  });

  test("a limit of 0 forbids the kind; others are not meant, nor administrators", async () => {
    const { email } = await signUp();
    const web = await tryLogin(email, { authType: "web" });
    expect([web.status, messageOf(web)]).toEqual([403, "Web sessions are not allowed"]);
    for (let i = 0; i < 4; i++) expect((await tryLogin(email)).status).toBe(200);
    for (let i = 0; i < 4; i++) {
      const { status } = await app.call("POST", "/auth/login", {
        body: { ...testAdmin, authType: "mobile" },
      });
      expect(status).toBe(200);
    }
  });

  test("are told after the password alone", async () => {
    const answer = await tryLogin("person1@example.com", { authType: "web", password: "not the password" });
    expect([answer.status, messageOf(answer)]).toEqual([400, "Incorrect password."]);
  });

  test("earlier keys are checked as the present one is", () => {
    expect(() => readConfig({ SECRET_KEY_PREVIOUS: `${"a".repeat(32)},short` })).toThrow(
      "SECRET_KEY_PREVIOUS",
    );
  });

  test.each(["-2", "many", "1.5", ""])("a limit of %p is refused or unset", (text) => {
    const read = () => readConfig({ MOBILE_SESSION_LIMIT: text }).MOBILE_SESSION_LIMIT;
    if (text === "") expect(read()).toBeNull();
    else expect(read).toThrow("MOBILE_SESSION_LIMIT");
  });
});

test("a new secret takes over while sessions go on; without the earlier one they end", async () => {
  const { token, email } = await signUp();
  const { refreshToken } = await login(email);
  const fresh = "another secret of the tests, at least 32 characters";
  const open = (env: object) =>
    openInstance({ ...app.config, SECRET_KEY: fresh, ...env }, app.address, { now: () => time });
  const ask = async (to: TestInstance, bearer: string) =>
    (await to.call("GET", "/auth/check", { token: bearer })).status;
  const renew = async (to: TestInstance, presented: string) => {
    const { status, body } = await to.call("POST", "/auth/refresh", { body: { refreshToken: presented } });
    return { status, ...(body as Tokens) };
  };
  const rotated = await open({ SECRET_KEY_PREVIOUS: [app.config.SECRET_KEY ?? ""] });
  const forgotten = await open({ SECRET_KEY_PREVIOUS: [] });
  expect([await ask(rotated, token), await ask(forgotten, token)]).toEqual([200, 401]);
  const next = await renew(rotated, refreshToken);
  expect(decodeProtectedHeader(next.token).kid).not.toBe(decodeProtectedHeader(token).kid);
  // A tab that asks within the grace, at the server with the earlier secret alone, cannot be given it, and ends nothing.
  expect([(await refresh(refreshToken)).status, await ask(rotated, next.token)]).toEqual([401, 200]);
  expect((await renew(rotated, refreshToken)).refreshToken).toBe(next.refreshToken);
  expect((await renew(forgotten, next.refreshToken)).status).toBe(200);
  await rotated.close();
  await forgotten.close();
});
