/** Attacks on the ways in: who may call what, credentials that do not fit together, bodies that say too much, and fifty at once. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { MfaVerifyResult, NewMfaFactor } from "@baasix/types";
import { Secret, TOTP } from "otpauth";
import { system } from "../../core/access/actor";
import { type Answer, type TestApp, testAdmin } from "../../testing/app";
import { untilLocked } from "../../testing/locks";
import { openOAuthScene, type OAuthScene } from "../../testing/oauth";

setDefaultTimeout(30_000);

const root = system("the test prepares accounts and looks at them");
const password = "a good password";
const minute = 60_000;
const page = "https://app.example.com";
let time = Date.now();
let people = 0;
let scene: OAuthScene;
let app: TestApp;
const mails: { readonly to: string; readonly text: string }[] = [];

beforeAll(async () => {
  scene = await openOAuthScene({
    now: () => time,
    env: { AUTH_CORS_ALLOWED_ORIGINS: page, LOGIN_ACCOUNT_LIMIT: "100" },
    sendMail: ({ to, text }) => Promise.resolve(void mails.push({ to: to.address, text })),
  });
  app = scene.app;
});
afterAll(() => scene.close());

type Session = {
  readonly token: string;
  readonly refreshToken: string;
  readonly user: { readonly id: string };
};
const newMail = () => `attacked${++people}@example.com`;
const post = (path: string, body: unknown, token?: string) =>
  app.call("POST", path, { body, ...(token !== undefined && { token }) });
const bodyOf = <T>({ status, body, text }: Answer, wanted = 200): T => {
  if (status !== wanted) throw new Error(`${status} ${text}`);
  return body as T;
};
const signUp = async (more: object = {}) => {
  const email = newMail();
  const made = bodyOf<Session>(await post("/auth/register", { email, password, firstName: "Ann", ...more }));
  return { ...made, email, id: made.user.id };
};
const login = async (email: string, given = password) =>
  bodyOf<Session>(await post("/auth/login", { email, password: given }));
const mailed = async (to: string) => {
  await app.errands.idle();
  await app.mail.run();
  const text = mails.findLast((mail) => mail.to === to)?.text ?? "";
  return (/\/([0-9a-f]{64})\b/.exec(text) ?? /^\s*([0-9A-F]{12}|\d{6})\s*$/m.exec(text))?.[1] ?? "";
};
const rowOf = async (id: string) => {
  const [found] = await app.data.find<Record<string, unknown>>(root, "baasix_User", {
    filter: { id: { eq: id } },
    fields: ["*"],
  });
  return found ?? {};
};
const codeOf = ({ body }: Answer) => (body as { error?: { code: string } } | null)?.error?.code;

// Who may knock at a door: anyone; an account; one that is signed in as a person (session); the same with a fresh proof
// (fresh); administrators in a session, freshly proven or not.
type Door = "anyone" | "account" | "session" | "fresh" | "admin session" | "fresh admin";
const doors: Readonly<Record<string, Door>> = {
  "POST /auth/register": "anyone",
  "POST /auth/login": "anyone",
  "POST /auth/refresh": "anyone",
  "GET /auth/logout": "anyone",
  "POST /auth/logout": "anyone",
  "GET /auth/check": "anyone",
  "GET /auth/me": "account",
  "PATCH /auth/me": "session",
  "POST /auth/password/reset": "anyone",
  "POST /auth/forgot-password": "anyone",
  "GET /auth/password/reset/:token": "anyone",
  "POST /auth/password/reset/:token": "anyone",
  "POST /auth/reset-password": "anyone",
  "POST /auth/password/change": "session",
  "POST /auth/admin/password/change": "fresh admin",
  "POST /auth/admin/change-password": "fresh admin",
  "POST /auth/magiclink": "anyone",
  "POST /auth/magiclink/verify": "anyone",
  "GET /auth/magiclink/:token": "anyone",
  "POST /auth/otp": "anyone",
  "POST /auth/otp/verify": "anyone",
  "GET /auth/email/verify/:token": "anyone",
  "POST /auth/email/verify/:token": "anyone",
  "POST /auth/email/undo/:token": "anyone",
  "POST /auth/email/verify": "session",
  "POST /auth/mfa/verify": "anyone",
  "GET /auth/mfa/factors": "session",
  "POST /auth/mfa/factors": "fresh",
  "POST /auth/mfa/factors/:id/challenge": "session",
  "POST /auth/mfa/factors/:id/verify": "session",
  "DELETE /auth/mfa/factors/:id": "fresh",
  "POST /auth/mfa/recovery-codes": "fresh",
  "GET /auth/mfa/level": "session",
  "DELETE /auth/admin/users/:id/factors": "fresh admin",
  "POST /auth/reauthenticate": "session",
  "POST /auth/reauthenticate/code": "session",
  "GET /auth/sessions": "session",
  "DELETE /auth/sessions": "session",
  "DELETE /auth/sessions/:id": "session",
  "GET /auth/admin/users/:id/sessions": "admin session",
  "DELETE /auth/admin/users/:id/sessions": "fresh admin",
  "DELETE /auth/admin/users/:id/sessions/:session": "fresh admin",
  "GET /auth/tenants": "session",
  "POST /auth/switch-tenant": "session",
  "POST /auth/tenants": "session",
  "POST /auth/accept-invite": "session",
  "GET /auth/verify-invite/:token": "anyone",
  "POST /auth/invite": "account",
  "GET /auth/invites": "account",
  "POST /auth/invites/:id/resend": "account",
  "DELETE /auth/invites/:id": "account",
  "POST /auth/admin/links": "fresh admin",
  "GET /auth/tokens": "admin session",
  "POST /auth/tokens": "fresh admin",
  "POST /auth/tokens/:id/rotate": "fresh admin",
  "DELETE /auth/tokens/:id": "admin session",
  "POST /auth/social/reauthenticate": "session",
  "GET /auth/providers": "anyone",
  "GET /auth/signin/:provider": "anyone",
  "POST /auth/social/signin": "anyone",
  "GET /auth/callback/:provider": "anyone",
  "POST /auth/callback/:provider": "anyone",
  "POST /auth/social/exchange": "anyone",
  "GET /auth/social": "session",
  "POST /auth/social/link": "fresh",
  "DELETE /auth/social/:provider": "fresh",
};

describe("every door of /auth", () => {
  test("is in the table", () => {
    const mounted = app.routes.routes.filter(({ path }) => path.startsWith("/auth"));
    expect(new Set(mounted.map(({ method, path }) => `${method} ${path}`))).toEqual(
      new Set(Object.keys(doors)),
    );
  });

  type Callers = {
    readonly user: string;
    readonly robot: string;
    readonly stale: string;
    readonly staleAdmin: string;
  };
  let callers: Callers;
  beforeAll(async () => {
    time = Date.now();
    const [role] = await app.data.find<{ id: string }>(root, "baasix_Role", {
      filter: { name: { eq: "administrator" } },
      fields: ["id"],
    });
    const made = await post("/auth/tokens", { name: "robot", role_Id: role?.id }, app.admin);
    const person = await signUp();
    const admin = await login(testAdmin.email, testAdmin.password);
    time += 16 * minute;
    const renew = async ({ refreshToken }: Session) =>
      bodyOf<Session>(await post("/auth/refresh", { refreshToken })).token;
    callers = {
      user: (await signUp()).token,
      robot: bodyOf<{ data: { token: string } }>(made, 201).data.token,
      stale: await renew(person),
      staleAdmin: await renew(admin),
    };
  });

  const refusals: Readonly<Record<Door, Partial<Record<"nobody" | keyof Callers, string>>>> = {
    anyone: {},
    account: { nobody: "UNAUTHORIZED" },
    session: { nobody: "UNAUTHORIZED", robot: "FORBIDDEN" },
    fresh: { nobody: "UNAUTHORIZED", robot: "FORBIDDEN", stale: "REAUTHENTICATION_REQUIRED" },
    "admin session": { nobody: "UNAUTHORIZED", robot: "FORBIDDEN", user: "FORBIDDEN" },
    "fresh admin": {
      nobody: "UNAUTHORIZED",
      robot: "FORBIDDEN",
      user: "FORBIDDEN",
      staleAdmin: "REAUTHENTICATION_REQUIRED",
    },
  };
  test.each(Object.entries(doors))("%s: %s", async (door, kind) => {
    const [method = "", template = ""] = door.split(" ");
    const path = template.replace(/:(\w+)/g, (_, name) =>
      name === "id" || name === "session" ? crypto.randomUUID() : "acme",
    );
    for (const [who, code] of Object.entries(refusals[kind])) {
      const token = who === "nobody" ? undefined : callers[who as keyof Callers];
      const answer = await app.call(method, path, {
        ...(method !== "GET" && { body: {} }),
        ...(token !== undefined && { token }),
      });
      expect([who, codeOf(answer)]).toEqual([who, code]);
    }
  });

  // Passed over, one would have more deleted, or a token without an end.
  const strict = Object.keys(doors).filter((door) => /^DELETE |^POST \/auth\/tokens/.test(door));
  test.each(strict)("%s takes no parameters", async (door) => {
    const [method = "", template = ""] = door.split(" ");
    const path = template.replace(/:(?:id|session)\b/g, () => crypto.randomUUID()).replace(/:\w+/, "acme");
    const { token } = await login(testAdmin.email, testAdmin.password);
    const body = { name: "robot", role_Id: crypto.randomUUID() };
    const answer = await app.call(method, `${path}?expiresAt=2030-01-01`, {
      token,
      ...(method === "POST" && { body: path.endsWith("/rotate") ? {} : body }),
    });
    expect([answer.status, codeOf(answer)]).toEqual([400, "INVALID_QUERY"]);
  });
});

describe("an account that is moved to an address to wait for its owner there", () => {
  const mover = async () => {
    const stranger = await signUp();
    await app.data.update(root, "baasix_User", [{ id: stranger.id, data: { emailVerified: true } }]);
    const victim = newMail();
    await grantOwnAddress();
    const fresh = await login(stranger.email);
    bodyOf(
      await app.call("PATCH", `/items/baasix_User/${stranger.id}`, {
        token: fresh.token,
        body: { email: victim },
      }),
    );
    const undo = await mailed(stranger.email);
    expect(undo).toHaveLength(64);
    return { ...stranger, victim, undo, token: fresh.token };
  };
  const entries: readonly (readonly [string, (victim: string) => Promise<Answer>])[] = [
    [
      "a code",
      async (email) => {
        await post("/auth/otp", { email });
        return post("/auth/otp/verify", { email, code: await mailed(email) });
      },
    ],
    [
      "a link",
      async (email) => {
        await post("/auth/magiclink", { email });
        return app.call("GET", `/auth/magiclink/${await mailed(email)}`);
      },
    ],
    [
      "a new password",
      async (email) => {
        await post("/auth/password/reset", { email });
        return post(`/auth/password/reset/${await mailed(email)}`, { password: "the owner's" });
      },
    ],
    [
      "a link to confirm it",
      async (email) => {
        await post("/auth/email/verify", { email });
        return app.call("GET", `/auth/email/verify/${await mailed(email)}`);
      },
    ],
  ];
  test.each(entries)(
    "lets nobody in by %s while there is a way back, which is no longer one afterwards",
    async (_, come) => {
      const { victim, undo, id } = await mover();
      const refused = await come(victim);
      expect([refused.status, codeOf(refused)]).toEqual([409, "CONFLICT"]);
      expect(await rowOf(id)).toMatchObject({ email: victim, emailVerified: false });
      time += 72 * 60 * minute + 1000;
      bodyOf(await come(victim));
      expect(codeOf(await post(`/auth/email/undo/${undo}`, {}))).toBe("INVALID_CREDENTIALS");
      expect(await rowOf(id)).toMatchObject({ email: victim, emailVerified: true });
    },
  );

  test("who moved there and confirms it from the own session comes in by mail, and the way back stays", async () => {
    const { victim, undo, id, token, email } = await mover();
    bodyOf(await post("/auth/email/verify", {}, token));
    bodyOf(await app.call("GET", `/auth/email/verify/${await mailed(victim)}`, { token }));
    time += minute;
    await post("/auth/otp", { email: victim });
    bodyOf(await post("/auth/otp/verify", { email: victim, code: await mailed(victim) }));
    bodyOf(await post(`/auth/email/undo/${undo}`, {}));
    expect(await rowOf(id)).toMatchObject({ email, emailVerified: true });
  });

  let isGranted = false;
  async function grantOwnAddress(): Promise<void> {
    if (isGranted) return;
    isGranted = true;
    const [role] = await app.data.find<{ id: string }>(root, "baasix_Role", {
      filter: { name: { eq: "user" } },
      fields: ["id"],
    });
    const own = { action: "update", fields: ["email"], conditions: { id: { eq: "$CURRENT_USER" } } };
    await app.data.create(root, "baasix_Permission", [
      { role_Id: role?.id, collection: "baasix_User", ...own },
    ]);
  }
});

describe("credentials that do not fit together", () => {
  const cookiesOf = ({ token, refreshToken }: Session) => `token=${token}; refreshToken=${refreshToken}`;
  const meBy = async (headers: Record<string, string>) => {
    const { status, body } = await app.call("GET", "/auth/me", { headers });
    return status === 200 ? (body as { user: { id: string } }).user.id : status;
  };

  test("one counts, in one order, and a bad one is never passed over for a good one", async () => {
    const [ann, bob] = [await signUp(), await signUp()];
    const bearer = { authorization: `Bearer ${ann.token}` };
    expect(await meBy({ ...bearer, cookie: cookiesOf(bob) })).toBe(ann.id);
    expect(await meBy({ authorization: "Bearer nonsense", cookie: cookiesOf(bob) })).toBe(401);
    expect(await meBy({ cookie: `token=nonsense; accessToken=${bob.token}` })).toBe(401);
    expect(await meBy({ cookie: `token=${ann.refreshToken}` })).toBe(401);
    expect(await meBy({ authorization: `Bearer ${ann.refreshToken}` })).toBe(401);
    const query = await app.call("GET", `/auth/me?access_token=${bob.token}`, { token: ann.token });
    expect(query.body).toMatchObject({ user: { id: ann.id } });
    // Another scheme is none of ours; the cookie counts then, and needs a page that may.
    const basic = { authorization: "Basic YTpi", cookie: cookiesOf(bob) };
    expect(await meBy(basic)).toBe(bob.id);
    for (const origin of ["https://evil.example", "null"]) {
      const write = await app.call("DELETE", "/auth/sessions", { headers: { ...basic, origin } });
      expect([origin, write.status]).toEqual([origin, 403]);
    }
    expect(await meBy({ cookie: cookiesOf(ann) })).toBe(ann.id);
  });

  test("refreshing answers for the one token that was brought, and changes no other session", async () => {
    const [ann, bob] = [await signUp(), await signUp()];
    const headers = { cookie: cookiesOf(bob), authorization: `Bearer ${bob.token}`, origin: page };
    const answer = await app.call("POST", "/auth/refresh", {
      headers,
      body: { refreshToken: ann.refreshToken },
    });
    const { token } = bodyOf<Session>(answer);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect((await app.call("GET", "/auth/me", { token })).body).toMatchObject({ user: { id: ann.id } });
    // Bob's is as it was: it is not replaced, and not taken for one that came back.
    bodyOf(await post("/auth/refresh", { refreshToken: bob.refreshToken }));
  });

  const ways: readonly (readonly [string, (by: Session & { email: string }) => unknown])[] = [
    ["/auth/login", ({ email }) => ({ email, password })],
    ["/auth/register", () => ({ email: newMail(), password, firstName: "Eve" })],
    ["/auth/refresh", ({ refreshToken }) => ({ refreshToken })],
  ];
  test.each(ways)("%s puts no visitor of a foreign page into an account", async (path, make) => {
    const eve = await signUp();
    for (const origin of ["https://evil.example", "null", "http://localhost.evil.example"]) {
      const body = { ...(make(eve) as object), authMode: "cookie" };
      const answer = await app.call("POST", path, { body, headers: { origin } });
      expect([origin, answer.status, answer.headers.getSetCookie()]).toEqual([origin, 403, []]);
      // As a form that a page sends sees it, without asking first.
      const simple = await app.call("POST", path, {
        body: JSON.stringify(body),
        headers: { origin, "content-type": "text/plain" },
      });
      expect(simple.status).toBeGreaterThanOrEqual(400);
      expect(simple.headers.getSetCookie()).toEqual([]);
    }
    const own = await app.call("POST", path, {
      body: { ...(make(eve) as object), authMode: "cookie" },
      headers: { origin: page },
    });
    expect([own.status, own.headers.getSetCookie().length]).toEqual([200, 2]);
  });

  test("logging out with tokens of two sessions ends those and no third one", async () => {
    const ann = await signUp();
    const [second, third] = [await login(ann.email), await login(ann.email)];
    await app.call("POST", "/auth/logout", { token: ann.token, body: { refreshToken: second.refreshToken } });
    expect(
      await Promise.all([ann, second, third].map(({ token }) => meBy({ authorization: `Bearer ${token}` }))),
    ).toEqual([401, 401, ann.id]);
  });
});

describe("whether there is an account shows in nothing", () => {
  /** Statements that are run until the answer is there; of what is done after it nothing shows. */
  const statementsOf = async (work: () => Promise<Answer>): Promise<readonly [Answer, number]> => {
    const { database } = app;
    const { run } = database;
    const texts: string[] = [];
    Object.assign(database, {
      run: (...[statement, ...more]: Parameters<typeof run>) => {
        // What else goes on, such as the sending of mails, is nobody's sign.
        if (/baasix_(?:User|Account|Verification|Sessions|Factor)"/.test(statement.text))
          texts.push(statement.text);
        return run(statement, ...more);
      },
    });
    try {
      return [await work(), texts.length];
    } finally {
      Object.assign(database, { run });
    }
  };
  const wrong = "a wrong password";
  const asked: readonly (readonly [string, (who: { email: string; username: string }) => Promise<Answer>])[] =
    [
      ["signing in by address", ({ email }) => post("/auth/login", { email, password: wrong })],
      ["signing in by username", ({ username }) => post("/auth/login", { username, password: wrong })],
      ["a code that nobody asked for", ({ email }) => post("/auth/otp/verify", { email, code: "000000" })],
      [
        "a wrong code",
        async ({ email }) => {
          time += minute;
          await post("/auth/otp", { email });
          await app.errands.idle();
          return statementsCounted(() => post("/auth/otp/verify", { email, code: "000000" }));
        },
      ],
    ];
  let counted: number | null = null;
  const statementsCounted = async (work: () => Promise<Answer>): Promise<Answer> => {
    const [answer, count] = await statementsOf(work);
    counted = count;
    return answer;
  };
  test.each(asked)("%s: neither in text nor in the work that is done", async (_, ask) => {
    const named = async () => {
      const username = `shown${++people}`;
      return { ...(await signUp({ username })), username };
    };
    const [plain, suspended, passwordless] = [await named(), await named(), await named()];
    await app.data.update(root, "baasix_User", [{ id: suspended.id, data: { status: "suspended" } }]);
    await app.data.removeWhere(root, "baasix_Account", { user_Id: { eq: passwordless.id } });
    const nobody = { email: newMail(), username: `nobody${people}` };
    const seen: unknown[] = [];
    for (const who of [plain, suspended, passwordless, nobody]) {
      counted = null;
      const [{ status, text, headers }, count] = await statementsOf(() => ask(who));
      const shown = text.replace(/"requestId":"[^"]*"/, "");
      seen.push([status, shown, [...headers.keys()].toSorted(), counted ?? count]);
      await app.errands.idle();
    }
    for (const each of seen) expect(each).toEqual(seen[0]);
  });
});

describe("bodies that say more than they may", () => {
  const extras: readonly object[] = [
    { id: "00000000-0000-4000-8000-000000000000" },
    { emailVerified: true },
    { status: "active" },
    { role: "administrator" },
    { role_Id: "00000000-0000-4000-8000-000000000000" },
    { roles: ["administrator"] },
    { userRoles: [{ role: { name: "administrator" } }] },
    { isAdmin: true },
    { admin: true },
    { appMetadata: { plan: "gold" } },
    { tenant_Id: "00000000-0000-4000-8000-000000000000" },
    { aal: 2 },
    { authenticatedAt: "2099-01-01T00:00:00Z" },
    { createdAt: "2000-01-01T00:00:00Z" },
    { lastAccess: "2099-01-01T00:00:00Z" },
    { constructor: { prototype: { admin: true } } },
    { hash: "x" },
  ];
  const doorsOf: readonly (readonly [
    string,
    (extra: object, me: Session & { email: string }) => Promise<Answer>,
  ])[] = [
    [
      "registering",
      (extra) => post("/auth/register", { email: newMail(), password, firstName: "Eve", ...extra }),
    ],
    [
      "the own profile",
      (extra, { token }) => app.call("PATCH", "/auth/me", { token, body: { lastName: "L", ...extra } }),
    ],
    [
      "the own item",
      (extra, { token, user }) =>
        app.call("PATCH", `/items/baasix_User/${user.id}`, { token, body: { lastName: "L", ...extra } }),
    ],
    [
      "a new item",
      (extra, { token }) =>
        post("/items/baasix_User", { email: newMail(), firstName: "Eve", ...extra }, token),
    ],
    [
      "a membership",
      (extra, { token, user }) => post("/items/baasix_UserRole", { user_Id: user.id, ...extra }, token),
    ],
    [
      "a transaction",
      (extra, { token, user }) =>
        post(
          "/transaction",
          { operations: [{ action: "update", collection: "baasix_User", id: user.id, data: extra }] },
          token,
        ),
    ],
    ["signing in", (extra, { email }) => post("/auth/login", { email, password, ...extra })],
    ["refreshing", (extra, { refreshToken }) => post("/auth/refresh", { refreshToken, ...extra })],
    ["proving oneself", (extra, { token }) => post("/auth/reauthenticate", { password, ...extra }, token)],
  ];
  test.each(doorsOf)("%s gives nothing for them", async (_, door) => {
    const me = await signUp();
    const before = await rowOf(me.user.id);
    for (const extra of extras) {
      const answer = await door(extra, me);
      expect(answer.status).toBeLessThan(500);
      const token = (answer.body as { token?: string } | null)?.token ?? me.token;
      const { body } = await app.call("GET", "/auth/me", { token });
      expect([extra, body]).toMatchObject([
        extra,
        { role: { name: "user" }, roles: [{ name: "user" }], tenant: null },
      ]);
      const { user } = body as { user: Record<string, unknown> };
      expect(user).toMatchObject({ emailVerified: false, status: "active", appMetadata: null });
      const level = await app.call("GET", "/auth/mfa/level", { token });
      expect(level.body).toMatchObject({ data: { currentLevel: "aal1" } });
    }
    const { id, email, createdAt, phone, username } = await rowOf(me.user.id);
    expect({ id, email, createdAt, phone, username }).toEqual({
      id: before.id,
      email: before.email,
      createdAt: before.createdAt,
      phone: before.phone,
      username: before.username,
    });
  });
});

describe("fifty at once", () => {
  const fifty = (use: (i: number) => Promise<Answer>) =>
    Promise.all(Array.from({ length: 50 }, (_, i) => use(i)));
  const sessionsOf = async (user: string) =>
    (await app.data.find(root, "baasix_Sessions", { filter: { user_Id: { eq: user } }, fields: ["id"] }))
      .length;
  /** `opens`: how many sessions the account has more afterwards. */
  const races: readonly (readonly [
    string,
    { readonly opens: number },
    (by: Session & { email: string }) => Promise<(i: number) => Promise<Answer>>,
  ])[] = [
    [
      "a link to confirm an address",
      { opens: 0 },
      async ({ email, token }) => {
        await post("/auth/email/verify", {}, token);
        const link = `/auth/email/verify/${await mailed(email)}`;
        return () => app.call("GET", link, { token });
      },
    ],
    [
      "a link to sign in",
      { opens: 1 },
      async ({ email }) => {
        await post("/auth/magiclink", { email });
        const token = await mailed(email);
        return (i) =>
          i % 2 === 0
            ? app.call("GET", `/auth/magiclink/${token}`)
            : post("/auth/magiclink/verify", { token });
      },
    ],
    [
      "a code to sign in",
      { opens: 1 },
      async ({ email }) => {
        await post("/auth/otp", { email });
        const code = await mailed(email);
        return () => post("/auth/otp/verify", { email, code });
      },
    ],
    [
      "what a browser brought back",
      { opens: 1 },
      async ({ email, user }) => {
        const sub = crypto.randomUUID();
        await app.data.create(root, "baasix_Account", [
          { user_Id: user.id, providerId: "acme", accountId: sub },
        ]);
        scene.oidc.people.set(sub, { email, email_verified: true });
        const back = await scene.signIn(sub);
        const token = back.url.searchParams.get("token");
        return () => post("/auth/social/exchange", { token });
      },
    ],
    [
      "an ID token",
      { opens: 1 },
      async ({ user }) => {
        const sub = crypto.randomUUID();
        await app.data.create(root, "baasix_Account", [
          { user_Id: user.id, providerId: "acme", accountId: sub },
        ]);
        const seconds = Math.floor(time / 1000);
        const claims = { iss: scene.oidc.issuer, aud: "baasix", iat: seconds, exp: seconds + 300, sub };
        const token = await scene.oidc.sign({ ...claims, jti: crypto.randomUUID() });
        return () => post("/auth/social/signin", { provider: "acme", idToken: { token } });
      },
    ],
  ];
  test.each(races)("%s: one wins", async (_, { opens }, prepare) => {
    time = Date.now();
    const person = await signUp();
    await app.data.update(root, "baasix_User", [{ id: person.id, data: { emailVerified: opens > 0 } }]);
    const use = await prepare(person);
    const before = await sessionsOf(person.id);
    const answers = await fifty(use);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      200,
      ...Array.from({ length: 49 }, () => 400),
    ]);
    expect(await sessionsOf(person.id)).toBe(before + opens);
  });

  test("a second step by code and by recovery codes: one session, and no code is used twice", async () => {
    const person = await signUp();
    const { data: factor } = bodyOf<{ data: NewMfaFactor }>(
      await post("/auth/mfa/factors", { friendlyName: "phone" }, person.token),
      201,
    );
    const codeNow = () =>
      new TOTP({ secret: Secret.fromBase32(factor.secret) }).generate({ timestamp: time });
    const { recoveryCodes } = bodyOf<MfaVerifyResult>(
      await post(`/auth/mfa/factors/${factor.id}/verify`, { code: codeNow() }, person.token),
    );
    time += minute;
    const halves = await Promise.all(
      Array.from({ length: 5 }, () => post("/auth/login", { email: person.email, password })),
    );
    const tokens = halves.map((half) => bodyOf<{ mfaToken: string }>(half).mfaToken);
    const before = await sessionsOf(person.id);
    const code = codeNow();
    const answers = await fifty((i) => post("/auth/mfa/verify", { mfaToken: tokens[i % 5], code }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const left = bodyOf<{ mfaToken: string }>(
      await post("/auth/login", { email: person.email, password }),
    ).mfaToken;
    const recovery = await fifty(() =>
      post("/auth/mfa/verify", { mfaToken: left, recoveryCode: recoveryCodes?.[0] }),
    );
    expect(recovery.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await sessionsOf(person.id)).toBe(before + 2);
  });

  test("a refresh token: one successor, one session, and none of the fifty is taken for a thief", async () => {
    const { refreshToken, id } = await signUp();
    const answers = await fifty(() => post("/auth/refresh", { refreshToken }));
    const successors = answers.flatMap(({ status, body }) =>
      status === 200 ? [(body as Session).refreshToken] : [],
    );
    // Thirty a minute are let through, whoever asks.
    expect([successors.length, new Set(successors).size]).toEqual([30, 1]);
    expect(await sessionsOf(id)).toBe(1);
  });

  test("registering one address, and one username: one account", async () => {
    // Each is a password to hash.
    const twelve = (use: () => Promise<Answer>) => Promise.all(Array.from({ length: 12 }, use));
    const email = newMail();
    const answers = await twelve(() => post("/auth/register", { email, password, firstName: "Ann" }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const username = `many${people}`;
    const named = await twelve(() =>
      post("/auth/register", { email: newMail(), username, password, firstName: "Ann" }),
    );
    expect(named.filter(({ status }) => status === 200)).toHaveLength(1);
    const found = await app.data.find(root, "baasix_User", {
      filter: { OR: [{ email: { eq: email } }, { username: { eq: username } }] },
      fields: ["id"],
    });
    expect(found).toHaveLength(2);
  });
});

describe("under way while", () => {
  const idTokenOf = async (user: string) => {
    const sub = crypto.randomUUID();
    await app.data.create(root, "baasix_Account", [{ user_Id: user, providerId: "acme", accountId: sub }]);
    const seconds = Math.floor(time / 1000);
    const claims = { iss: scene.oidc.issuer, aud: "baasix", iat: seconds, exp: seconds + 300, sub };
    return scene.oidc.sign({ ...claims, jti: crypto.randomUUID() });
  };
  const ways: readonly (readonly [
    string,
    (by: Session & { email: string }) => Promise<() => Promise<Answer>>,
  ])[] = [
    [
      "by password",
      async ({ email }) =>
        () =>
          post("/auth/login", { email, password }),
    ],
    [
      "by code",
      async ({ email }) => {
        await post("/auth/otp", { email });
        const code = await mailed(email);
        return () => post("/auth/otp/verify", { email, code });
      },
    ],
    [
      "by provider",
      async ({ user }) => {
        const token = await idTokenOf(user.id);
        return () => post("/auth/social/signin", { provider: "acme", idToken: { token } });
      },
    ],
  ];
  test.each(ways)(
    "an account is suspended, a sign-in %s opens nothing that would come back to life with it",
    async (_, prepare) => {
      time = Date.now();
      const person = await signUp();
      await app.data.update(root, "baasix_User", [{ id: person.id, data: { emailVerified: true } }]);
      const signIn = await prepare(person);
      let answer: Promise<Answer> | null = null;
      await app.data.transaction(async (rows) => {
        await rows.update(root, "baasix_User", [{ id: person.id, data: { lastName: "L" } }]);
        answer = signIn();
        await untilLocked(app.database);
        await rows.update(root, "baasix_User", [{ id: person.id, data: { status: "suspended" } }]);
        await rows.removeWhere(root, "baasix_Sessions", { user_Id: { eq: person.id } });
      });
      expect(codeOf((await answer) as unknown as Answer)).toBe("FORBIDDEN");
      const filter = { user_Id: { eq: person.id } };
      expect(await app.data.find(root, "baasix_Sessions", { filter, fields: ["id"] })).toEqual([]);
    },
  );
});

test("of all ways in at once no more sessions of a kind are opened than there may be, and ending one makes room for one", async () => {
  time = Date.now();
  const limited = await openOAuthScene({
    now: () => time,
    env: { MOBILE_SESSION_LIMIT: "2" },
    sendMail: ({ to, text }) => Promise.resolve(void mails.push({ to: to.address, text })),
  });
  const call = (path: string, body: unknown) => limited.app.call("POST", path, { body });
  const email = newMail();
  const { id } = await limited.app.signUp(email, password);
  await limited.app.data.update(root, "baasix_User", [{ id, data: { emailVerified: true } }]);
  const sub = crypto.randomUUID();
  await limited.app.data.create(root, "baasix_Account", [
    { user_Id: id, providerId: "acme", accountId: sub },
  ]);
  const take = async () => {
    await limited.app.errands.idle();
    await limited.app.mail.run();
    const text = mails.findLast(({ to }) => to === email)?.text ?? "";
    return (/\/([0-9a-f]{64})\b/.exec(text) ?? /^\s*(\d{6})\s*$/m.exec(text))?.[1];
  };
  await call("/auth/magiclink", { email });
  const token = await take();
  time += minute;
  await call("/auth/otp", { email });
  const code = await take();
  const seconds = Math.floor(time / 1000);
  const idTokens = await Promise.all(
    Array.from({ length: 5 }, () =>
      limited.oidc.sign({
        iss: limited.oidc.issuer,
        aud: "baasix",
        iat: seconds,
        exp: seconds + 300,
        jti: crypto.randomUUID(),
        sub,
      }),
    ),
  );
  const kind = { authType: "mobile" };
  const answers = await Promise.all([
    ...Array.from({ length: 6 }, () => call("/auth/login", { email, password, ...kind })),
    call("/auth/magiclink/verify", { token, ...kind }),
    call("/auth/otp/verify", { email, code, ...kind }),
    ...idTokens.map((one) =>
      call("/auth/social/signin", { provider: "acme", idToken: { token: one }, ...kind }),
    ),
  ]);
  const opened = answers.filter(({ status }) => status === 200).map(({ body }) => body as Session);
  expect(opened).toHaveLength(2);
  for (const answer of answers) if (answer.status !== 200) expect(codeOf(answer)).toBe("FORBIDDEN");
  // Neither renewing nor a session of another kind makes room; an end does, once.
  const [first, second] = opened;
  bodyOf(await call("/auth/refresh", { refreshToken: second?.refreshToken }));
  expect((await call("/auth/login", { email, password, ...kind })).status).toBe(403);
  await limited.app.call("POST", "/auth/logout", { token: first?.token ?? "", body: {} });
  const next = await Promise.all(
    Array.from({ length: 6 }, () => call("/auth/login", { email, password, ...kind })),
  );
  expect(next.filter(({ status }) => status === 200)).toHaveLength(1);
  await limited.close();
});
