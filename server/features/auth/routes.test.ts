import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { decodeProtectedHeader, SignJWT } from "jose";
import { type Answer, type TestApp, testAdmin, testApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { deriveKey } from "./secret";

type Signed = {
  token: string;
  refreshToken: string;
  expiresIn: number;
  user: { id: string };
  role: { name: string };
};

const password = "a good password";
const minute = 60_000;
let time = Date.now();
let app: TestApp;
let people = 0;

beforeAll(async () => {
  app = await testApp({
    now: () => time,
    env: { AUTH_CORS_ALLOWED_ORIGINS: "https://app.example.com", TRUST_PROXY: "127.0.0.1" },
  });
});
afterAll(() => app.close());

const mail = () => `person${++people}@example.com`;
const signed = (answer: Answer): Signed => {
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer.body as Signed;
};
const signUp = async (more: object = {}) => {
  const email = mail();
  const answer = await app.call("POST", "/auth/register", {
    body: { email, password, firstName: "Ada", ...more },
  });
  return { email, answer, ...signed(answer) };
};
const refresh = (refreshToken: string) => app.call("POST", "/auth/refresh", { body: { refreshToken } });
const me = (token: string) => app.call("GET", "/auth/me", { token });
const messageOf = (answer: Answer) => (answer.body as { message?: string } | null)?.message;
const codeOf = (answer: Answer) => (answer.body as { error?: { code?: string } } | null)?.error?.code;

const userRole = {
  id: expect.any(String),
  name: "user",
  description: expect.any(String),
  icon: null,
  appAccess: true,
  isTenantSpecific: true,
  canInviteRoleIds: null,
};

describe("register", () => {
  test("makes an account of the configured role and signs it in", async () => {
    const { answer, email, token } = await signUp({ lastName: "Lovelace", phone: "+44 1" });
    expect(answer.body).toEqual({
      message: "User registered successfully",
      token: expect.any(String),
      expiresIn: 900,
      refreshToken: expect.any(String),
      authMode: "jwt",
      user: { id: expect.any(String), email, firstName: "Ada", lastName: "Lovelace" },
      role: userRole,
      roles: [userRole],
      permissions: [],
      tenant: null,
      aal: 1,
    } as never);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect((await me(token)).status).toBe(200);
  });

  const refused: readonly (readonly [string, object, string])[] = [
    ["a short password", { password: "short12" }, "Password must be at least 8 characters"],
    ["a long password", { password: "x".repeat(129) }, "Password must be at most 128 characters"],
    ["a NUL in the password", { password: "12345678\0" }, "Password contains characters that cannot be used"],
    ["no mail address", { email: "nobody" }, "email: not a valid mail address"],
    ["a role", { role: "administrator" }, "role: 'role' cannot be set here"],
    ["a role by name", { roleName: "administrator" }, "roleName: 'roleName' cannot be set here"],
    ["a verified state", { emailVerified: true }, "emailVerified: 'emailVerified' cannot be set here"],
    ["a missing name", { firstName: undefined }, "Email, password, and firstName are required"],
  ];
  test.each(refused)("refuses %s", async (_, more, message) => {
    const answer = await app.call("POST", "/auth/register", {
      body: { email: mail(), password, firstName: "Ada", ...more },
    });
    expect([answer.status, messageOf(answer), codeOf(answer)]).toEqual([400, message, "VALIDATION_ERROR"]);
  });

  test("refuses a mail address that is taken, in any letter case, and leaves nothing behind", async () => {
    const { email } = await signUp();
    const answer = await app.call("POST", "/auth/register", {
      body: { email: email.toUpperCase(), password, firstName: "Eve" },
    });
    expect([answer.status, messageOf(answer)]).toEqual([400, "User already exists"]);
    const [orphans] = (await outsider(
      app.address,
      `SELECT count(*)::int AS n FROM "baasix_Account" a LEFT JOIN "baasix_UserRole" r USING ("user_Id") WHERE r.id IS NULL`,
    )) as { n: number }[];
    expect(orphans?.n).toBe(0);
  });

  test("is closed when the operator says so, whoever asks", async () => {
    const closed = await testApp({ env: { PUBLIC_REGISTRATION: "false" } });
    for (const email of [mail(), testAdmin.email]) {
      const answer = await closed.call("POST", "/auth/register", {
        body: { email, password, firstName: "Ada" },
      });
      expect([answer.status, codeOf(answer)]).toEqual([403, "FORBIDDEN"]);
    }
    await closed.close();
  });
});

describe("login", () => {
  test("opens a session of its own each time", async () => {
    const { email } = await signUp();
    const login = async () =>
      signed(await app.call("POST", "/auth/login", { body: { email: ` ${email.toUpperCase()}`, password } }));
    const [one, two] = [await login(), await login()];
    expect(one.refreshToken).not.toBe(two.refreshToken);
    await app.call("GET", "/auth/logout", { token: one.token });
    expect([(await me(one.token)).status, (await me(two.token)).status]).toEqual([401, 200]);
  });

  test("tells an administrator and the permissions of a role", async () => {
    const admin = signed(await app.call("POST", "/auth/login", { body: testAdmin }));
    expect(admin.role.name).toBe("administrator");
    const { token, role } = await signUp().then(async ({ token }) => ({
      token,
      role: (await me(token)).body,
    }));
    const { id } = (role as { role: { id: string } }).role;
    const made = await app.call("POST", "/permissions", {
      token: app.admin,
      body: { role_Id: id, collection: "baasix_Role", action: "read", fields: ["id", "name"] },
    });
    expect(made.status).toBe(201);
    expect((await me(token)).body).toMatchObject({
      permissions: [{ collection: "baasix_Role", action: "read", fields: ["id", "name"] }],
    });
  });

  test("answers an unknown address and a wrong password with the same bytes", async () => {
    const { email } = await signUp();
    const bodies = [
      { email, password: "not the password" },
      { email: mail(), password: "not the password" },
      { email, password: "short" },
      { email: "nobody at all", password },
    ];
    const answers = await Promise.all(bodies.map((body) => app.call("POST", "/auth/login", { body })));
    const told = answers.map(({ status, text }) => `${status} ${text.replace(/"requestId":"[^"]*"/, "")}`);
    expect(new Set(told).size).toBe(1);
    expect([answers[0]?.status, messageOf(answers[0] as Answer)]).toEqual([400, "Incorrect password."]);
  });

  test("costs a hash for an unknown address, too: those who ask for nobody wait in the same short queue", async () => {
    const busy = await testApp();
    const bodies = Array.from({ length: 150 }, () => ({ email: mail(), password: "not the password" }));
    const answers = await Promise.all(bodies.map((body) => busy.call("POST", "/auth/login", { body })));
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([400, 503]));
    await busy.close();
  });

  test("wants both fields", async () => {
    const answer = await app.call("POST", "/auth/login", { body: { email: "a@example.com" } });
    expect([answer.status, messageOf(answer)]).toEqual([400, "Email and password are required"]);
  });

  test("tells the state of an account to its owner alone", async () => {
    const { email, user } = await signUp();
    await app.call("PATCH", `/items/baasix_User/${user.id}`, {
      token: app.admin,
      body: { status: "suspended" },
    });
    const wrong = await app.call("POST", "/auth/login", { body: { email, password: "not the password" } });
    const right = await app.call("POST", "/auth/login", { body: { email, password } });
    expect([wrong.status, messageOf(wrong)]).toEqual([400, "Incorrect password."]);
    expect([right.status, messageOf(right)]).toEqual([403, "Account is suspended"]);
  });

  test("shows no hash and no token of the store to anyone", async () => {
    for (const path of ["/items/baasix_Account", "/items/baasix_Sessions", "/items/baasix_User"]) {
      const { text, status } = await app.call("GET", path, { token: app.admin });
      expect(status).toBe(200);
      expect(text).not.toMatch(/argon2|"token"|"previousToken"|"password"/);
    }
    for (const field of ["token", "previousToken"]) {
      const answer = await app.call("GET", `/items/baasix_Sessions?fields=${field}`, { token: app.admin });
      expect(answer.status).toBe(403);
    }
  });
});

describe("limits", () => {
  test("an account takes five wrong passwords, from wherever they come, and then says when to come back", async () => {
    const { email } = await signUp();
    const tryFrom = (client: number, tried: string) =>
      app.call("POST", "/auth/login", {
        body: { email, password: tried },
        headers: { "x-forwarded-for": `198.51.100.${client}` },
      });
    const wrong = await Promise.all(Array.from({ length: 8 }, (_, i) => tryFrom(i, "not the password")));
    expect(wrong.map(({ status }) => status).sort()).toEqual([400, 400, 400, 400, 400, 429, 429, 429]);
    const locked = await tryFrom(9, password);
    expect([locked.status, codeOf(locked), locked.headers.get("retry-after")]).toEqual([
      429,
      "RATE_LIMITED",
      "900",
    ]);
    time += 15 * minute;
    expect((await tryFrom(9, password)).status).toBe(200);
  });

  test("an address that nobody has is limited alike", async () => {
    const email = mail();
    const attempt = () => app.call("POST", "/auth/login", { body: { email, password: "not the password" } });
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await attempt()).status);
    expect(statuses).toEqual([400, 400, 400, 400, 400, 429]);
  });

  test("a client takes ten tries a minute, whatever the account", async () => {
    const limited = await testApp({
      env: { LOGIN_RATE_LIMIT: "10", TRUST_PROXY: "127.0.0.1" },
      now: () => time,
    });
    const attempt = async (client: string) =>
      (
        await limited.call("POST", "/auth/login", {
          body: { email: mail(), password: "short" },
          headers: { "x-forwarded-for": client },
        })
      ).status;
    const statuses: number[] = [];
    for (let i = 0; i < 11; i++) statuses.push(await attempt("2001:db8::1"));
    expect(statuses.slice(9)).toEqual([400, 429]);
    expect([await attempt("2001:db8::2"), await attempt("2001:db8:0:1::1")]).toEqual([429, 400]);
    time += minute;
    expect(await attempt("2001:db8::1")).toBe(400);
    await limited.close();
  });

  test("a session is refreshed thirty times a minute at most", async () => {
    time += minute;
    let { refreshToken } = await signUp();
    for (let i = 0; i < 30; i++) ({ refreshToken } = signed(await refresh(refreshToken)));
    const refused = await refresh(refreshToken);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "60"]);
    time += minute;
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  test("bodies are small here", async () => {
    const answer = await app.call("POST", "/auth/login", {
      body: { email: "x".repeat(65 * 1024), password },
    });
    expect([answer.status, codeOf(answer)]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  });
});

describe("refresh", () => {
  test("gives new tokens and makes the old one useless", async () => {
    const first = await signUp();
    time += minute;
    const answer = await refresh(first.refreshToken);
    const second = signed(answer);
    expect(Object.keys(second).sort()).toEqual(["authMode", "expiresIn", "refreshToken", "token"]);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect(second.token).not.toBe(first.token);
    expect((await me(second.token)).status).toBe(200);
  });

  test("gives all who come at once the same successor", async () => {
    const { refreshToken } = await signUp();
    const answers = await Promise.all(Array.from({ length: 12 }, () => refresh(refreshToken)));
    const successors = new Set(answers.map((answer) => signed(answer).refreshToken));
    expect(successors.size).toBe(1);
    time += 9_000;
    const [successor = ""] = successors;
    expect(signed(await refresh(refreshToken)).refreshToken).toBe(successor);
    expect((await refresh(successor)).status).toBe(200);
  });

  test("ends the session when a replaced token comes back later", async () => {
    const first = await signUp();
    const second = signed(await refresh(first.refreshToken));
    time += 10_001;
    const stolen = await refresh(first.refreshToken);
    expect([stolen.status, messageOf(stolen), codeOf(stolen)]).toEqual([
      401,
      "Invalid or expired token",
      "UNAUTHORIZED",
    ]);
    expect((await refresh(second.refreshToken)).status).toBe(401);
    expect((await me(second.token)).status).toBe(401);
  });

  test("ends the session when an older token comes back, even at once", async () => {
    const first = await signUp();
    const second = signed(await refresh(first.refreshToken));
    const third = signed(await refresh(second.refreshToken));
    expect((await refresh(first.refreshToken)).status).toBe(401);
    expect((await refresh(third.refreshToken)).status).toBe(401);
  });

  test("takes the same token again after a save that failed", async () => {
    const { refreshToken } = await signUp();
    await outsider(
      app.address,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$`,
      `CREATE TRIGGER refuse BEFORE UPDATE ON "baasix_Sessions" FOR EACH ROW EXECUTE FUNCTION refuse()`,
    );
    const failed = await refresh(refreshToken);
    await outsider(app.address, `DROP TRIGGER refuse ON "baasix_Sessions"`);
    expect(failed.status).toBeGreaterThanOrEqual(500);
    expect(failed.text).not.toContain("disk full");
    time += minute;
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  test("works with an access token that still holds, which gives no refresh token and no longer session", async () => {
    const { token } = await signUp();
    const again = signed(await app.call("POST", "/auth/refresh", { token }));
    expect([again.refreshToken, again.expiresIn]).toEqual([undefined as never, 900]);
    expect((await me(again.token)).status).toBe(200);
    time += 15 * minute;
    expect((await app.call("POST", "/auth/refresh", { token })).status).toBe(401);
  });

  test("says what is missing", async () => {
    const answer = await app.call("POST", "/auth/refresh", { body: {} });
    expect([answer.status, messageOf(answer)]).toEqual([401, "No token provided"]);
  });

  test("ends with the session, and with the account", async () => {
    const old = await signUp();
    time += 2_592_001_000;
    expect((await refresh(old.refreshToken)).status).toBe(401);
    const { refreshToken, user } = await signUp();
    const admin = await app.login(testAdmin.email, testAdmin.password);
    await app.call("PATCH", `/items/baasix_User/${user.id}`, { token: admin, body: { status: "suspended" } });
    expect((await refresh(refreshToken)).status).toBe(401);
  });
});

describe("a session ends at once", () => {
  const ends: readonly (readonly [string, (person: Signed, admin: string) => Promise<unknown>])[] = [
    ["GET logout", ({ token }) => app.call("GET", "/auth/logout", { token })],
    ["POST logout", ({ token }) => app.call("POST", "/auth/logout", { token })],
    [
      "logout by refresh token",
      ({ refreshToken }) => app.call("POST", "/auth/logout", { body: { refreshToken } }),
    ],
    [
      "suspension",
      ({ user }, token) =>
        app.call("PATCH", `/items/baasix_User/${user.id}`, { token, body: { status: "suspended" } }),
    ],
    [
      "deletion of the account",
      ({ user }, token) => app.call("DELETE", `/items/baasix_User/${user.id}`, { token }),
    ],
  ];
  test.each(ends)("by %s", async (_, end) => {
    const admin = await app.login(testAdmin.email, testAdmin.password);
    const person = await signUp();
    expect((await me(person.token)).status).toBe(200);
    await end(person, admin);
    for (const path of ["/auth/me", "/items/baasix_Role", "/auth/check"]) {
      expect((await app.call("GET", path, { token: person.token })).status).toBe(401);
    }
    expect((await refresh(person.refreshToken)).status).toBe(401);
  });

  test("logout says so whoever asks, and works with an access token past its time", async () => {
    const { token, refreshToken } = await signUp();
    expect([
      messageOf(await app.call("GET", "/auth/logout")),
      messageOf(await app.call("GET", "/auth/logout", { token: "abc" })),
    ]).toEqual(["Logged out successfully", "Logged out successfully"]);
    time += 20 * minute;
    expect((await app.call("GET", "/auth/logout", { token })).status).toBe(200);
    expect((await refresh(refreshToken)).status).toBe(401);
  });

  test("a change of role counts from the next request on", async () => {
    const admin = await app.login(testAdmin.email, testAdmin.password);
    const { token, user } = await signUp();
    const nameOf = (answer: Answer) => (answer.body as { role: { name: string } }).role.name;
    expect(nameOf(await me(token))).toBe("user");
    const roles = (
      await app.call("GET", '/items/baasix_Role?filter={"name":"administrator"}', { token: admin })
    ).body as {
      data: { id: string }[];
    };
    const memberships = (
      await app.call("GET", `/items/baasix_UserRole?filter={"user_Id":"${user.id}"}`, { token: admin })
    ).body as {
      data: { id: string }[];
    };
    expect((await app.call("GET", "/permissions", { token })).status).toBe(403);
    await app.call("PATCH", `/items/baasix_UserRole/${memberships.data[0]?.id}`, {
      token: admin,
      body: { role_Id: roles.data[0]?.id },
    });
    expect(nameOf(await me(token))).toBe("administrator");
    expect((await app.call("GET", "/permissions", { token })).status).toBe(200);
    await app.call("DELETE", `/items/baasix_UserRole/${memberships.data[0]?.id}`, { token: admin });
    expect((await me(token)).status).toBe(401);
  });
});

describe("credentials", () => {
  const secret = { bytes: new TextEncoder().encode("a secret of the tests, at least 32 characters") };
  const key = deriveKey(secret, "access 1");
  const forged: readonly (readonly [string, (token: string) => string | Promise<string>])[] = [
    ["made-up text", () => "abc"],
    ["a cut token", (token) => token.slice(0, -4)],
    ["another session", (token) => resign(token, { sid: crypto.randomUUID() })],
    ["another user of the same session", (token) => resign(token, { sub: crypto.randomUUID() })],
    ["another purpose", (token) => resign(token, { purpose: "reset" })],
    ["another audience", (token) => resign(token, { aud: "elsewhere" })],
    ["another key", (token) => resign(token, {}, new TextEncoder().encode("x".repeat(40)))],
  ];

  function resign(token: string, changed: object, signer = key): Promise<string> {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    return new SignJWT({ ...claims, ...changed })
      .setProtectedHeader({ ...decodeProtectedHeader(token), alg: "HS256" })
      .sign(signer);
  }

  test.each(forged)("%s is refused everywhere, and is not anonymous", async (_, make) => {
    const { token } = await signUp();
    const bad = await make(token);
    for (const path of ["/auth/me", "/items/baasix_Role", "/items/nowhere"]) {
      const answer = await app.call("GET", path, { token: bad });
      expect([answer.status, codeOf(answer)]).toEqual([401, "UNAUTHORIZED"]);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
    expect((await me(token)).status).toBe(200);
  });

  test("a token signed anew with its own claims is the same token", async () => {
    const { token } = await signUp();
    expect((await me(await resign(token, {}))).status).toBe(200);
  });

  test("a token ends at its time, remembered or not", async () => {
    const { token } = await signUp();
    expect((await me(token)).status).toBe(200);
    time += 15 * minute;
    expect((await me(token)).status).toBe(401);
  });

  test("the refresh token opens no route", async () => {
    expect((await me((await signUp()).refreshToken)).status).toBe(401);
  });

  test("come as bearer, cookie or query", async () => {
    const { token, user } = await signUp();
    const ways = [
      { token },
      { headers: { cookie: `token=${token}` } },
      { headers: { cookie: `accessToken=${token}` } },
    ];
    for (const way of ways)
      expect((await app.call("GET", "/auth/me", way)).body).toMatchObject({ user: { id: user.id } });
    expect((await app.call("GET", `/auth/me?access_token=${token}`)).body).toMatchObject({
      user: { id: user.id },
    });
  });

  test("check tells whether one is good", async () => {
    const { token, user } = await signUp();
    expect((await app.call("GET", "/auth/check", { token })).body).toEqual({
      valid: true,
      user: { id: user.id },
    });
    const none = await app.call("GET", "/auth/check");
    expect([none.status, none.body]).toMatchObject([401, { valid: false, message: "No token provided" }]);
    const bad = await app.call("GET", "/auth/check", { token: "abc" });
    expect([bad.status, bad.body]).toMatchObject([
      401,
      { valid: false, message: "Invalid or expired token" },
    ]);
  });

  test("me shows the whole account without secrets, to its owner alone", async () => {
    const { token, email } = await signUp();
    const answer = await me(token);
    expect(answer.body).toMatchObject({
      user: { email, status: "active", emailVerified: false },
      role: { name: "user" },
      tenant: null,
    });
    expect(answer.text).not.toMatch(/password|argon2/);
    const anonymous = await app.call("GET", "/auth/me");
    expect([anonymous.status, messageOf(anonymous)]).toEqual([401, "Unauthorized"]);
  });

  test("an account that other hands change is asked for again", async () => {
    const { token, user } = await signUp();
    expect((await app.call("GET", "/auth/check", { token })).status).toBe(200);
    const seen = new Promise<void>((resolve) => {
      app.feed.onChanges(({ changes }) => {
        if (
          changes.some(
            ({ table, before, after }) => table === "baasix_User" && (before ?? after)?.id === user.id,
          )
        )
          resolve();
      });
    });
    await outsider(app.address, `UPDATE "baasix_User" SET status = 'suspended' WHERE id = '${user.id}'`);
    await seen;
    expect((await app.call("GET", "/auth/check", { token })).status).toBe(401);
  });
});

describe("cookie mode", () => {
  const own = { origin: "http://localhost", host: "localhost" };
  const cookiesOf = (answer: Answer) => answer.headers.getSetCookie();
  const jar = (answer: Answer) =>
    cookiesOf(answer)
      .map((cookie) => cookie.split(";")[0])
      .join("; ");
  const loginByCookie = async (headers: Record<string, string> = own) => {
    const { email } = await signUp();
    return app.call("POST", "/auth/login", { body: { email, password, authMode: "cookie" }, headers });
  };

  test("sets cookies that scripts cannot read, and keeps the refresh token out of the answer", async () => {
    const answer = await loginByCookie();
    expect(answer.body).toMatchObject({ authMode: "cookie", message: "Authentication successful" });
    expect(answer.body).not.toHaveProperty("refreshToken");
    const [access, refreshing] = cookiesOf(answer);
    expect(access).toMatch(/^token=.+; Path=\/; .*HttpOnly/);
    expect(refreshing).toMatch(/^refreshToken=.+; Path=\/auth; .*HttpOnly/);
    for (const cookie of [access, refreshing]) {
      expect(cookie).toContain("SameSite=Lax");
      expect(cookie).not.toContain("Secure");
    }
  });

  test("uses Secure cookies in production", async () => {
    const production = await testApp({ env: { NODE_ENV: "production" } });
    const answer = await production.call("POST", "/auth/login", {
      body: { ...testAdmin, authMode: "cookie" },
    });
    expect(cookiesOf(answer).every((cookie) => cookie.includes("Secure"))).toBe(true);
    await production.close();
  });

  test("reads with the cookie alone; writes want a page that may", async () => {
    const cookie = jar(await loginByCookie());
    expect((await app.call("GET", "/auth/me", { headers: { cookie } })).status).toBe(200);
    const write = async (headers: Record<string, string>) => {
      const answer = await app.call("POST", "/items/nowhere", {
        body: {},
        headers: { cookie, host: "localhost", ...headers },
      });
      return [answer.status, codeOf(answer)];
    };
    expect(await write({ origin: "https://evil.test" })).toEqual([403, "FORBIDDEN"]);
    expect(await write({})).toEqual([403, "FORBIDDEN"]);
    expect(await write({ origin: "http://localhost:5173" })).toEqual([403, "FORBIDDEN"]);
    expect(await write({ origin: "http://localhost" })).toEqual([404, "UNKNOWN_COLLECTION"]);
    expect(await write({ origin: "https://app.example.com" })).toEqual([404, "UNKNOWN_COLLECTION"]);
  });

  test("refreshes by cookie, and answers by cookie even when asked otherwise", async () => {
    const first = await loginByCookie();
    const again = await app.call("POST", "/auth/refresh", {
      body: { authMode: "jwt" },
      headers: { cookie: jar(first), ...own },
    });
    expect(again.body).toMatchObject({ authMode: "cookie" });
    expect(again.body).not.toHaveProperty("refreshToken");
    expect(cookiesOf(again)).toHaveLength(2);
    const foreign = await app.call("POST", "/auth/refresh", {
      body: {},
      headers: { cookie: jar(again), origin: "https://evil.test", host: "localhost" },
    });
    expect(foreign.status).toBe(403);
  });

  test("does not sign a foreign page's visitor in", async () => {
    expect((await loginByCookie({ origin: "https://evil.test", host: "localhost" })).status).toBe(403);
  });

  const foreign: readonly (readonly ["GET" | "POST", Record<string, string>])[] = [
    ["POST", { origin: "https://evil.test" }],
    ["POST", {}],
    ["GET", { origin: "https://evil.test" }],
    ["GET", { "sec-fetch-site": "cross-site" }],
    ["GET", { "sec-fetch-site": "same-site" }],
  ];
  test.each(foreign)("does not log out for a foreign page: %s %j", async (method, headers) => {
    const cookie = jar(await loginByCookie());
    const out = await app.call(method, "/auth/logout", {
      headers: { cookie, host: "localhost", ...headers },
    });
    expect([out.status, cookiesOf(out)]).toEqual([403, []]);
    expect((await app.call("GET", "/auth/me", { headers: { cookie } })).status).toBe(200);
  });

  test("logs out and clears both cookies", async () => {
    const answer = await loginByCookie();
    const out = await app.call("GET", "/auth/logout", { headers: { cookie: jar(answer) } });
    expect(cookiesOf(out).map((cookie) => cookie.split(";")[0])).toEqual(["token=", "refreshToken="]);
    expect((await app.call("GET", "/auth/me", { headers: { cookie: jar(answer) } })).status).toBe(401);
  });
});
