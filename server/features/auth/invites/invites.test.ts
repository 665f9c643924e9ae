/** Invitations with a real mail server, with and without tenants, where registration is closed and addresses must be confirmed. */
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { system } from "../../../core/access/actor";
import { type Answer, type TestApp, testAdmin, testApp } from "../../../testing/app";
import { type MailServer, openMailServer } from "../../../testing/mail-server";
import { createPasswords } from "../passwords";
import { inviteLifetime, sweepInvites } from "./rows";

setDefaultTimeout(30_000);

const root = system("the test prepares accounts and looks at them");
const password = "a good password";
const link = "https://app.example.com";
const other = "https://other.example.com/base";
const minute = 60_000;
let server: MailServer;
let people = 0;

/** Of the password. */
let hash = "";

beforeAll(async () => {
  server = await openMailServer();
  hash = await createPasswords().hash(password, {});
});
afterAll(() => server.close());

const told = ({ status, body }: Answer) => [status, (body as { message?: string } | null)?.message];
const dataOf = <T>({ body }: Answer) => (body as { data: T }).data;
const newMail = () => `person${++people}@example.com`;
const many = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

type Listed = { id: string; email: string; status: string; role: { name: string }; tenant_Id: string | null };

describe.each([
  ["without tenants", false],
  ["with tenants", true],
] as const)("%s", (_mode, tenants) => {
  let app: TestApp;
  /** Added to the present: the clock of the app. */
  let ahead = 0;
  let roles: Readonly<Record<string, string>> = {};
  /** Where the role counts that most are invited with. */
  let home: string | null = null;
  let away: string | null = null;

  const now = () => Date.now() + ahead;
  const call = async (method: string, path: string, by: string | null, body?: unknown) => {
    const isLate = by === app.admin && ahead > 10 * minute;
    const token = isLate ? await app.login(testAdmin.email, testAdmin.password) : by;
    return app.call(method, path, { ...(token !== null && { token }), ...(body !== undefined && { body }) });
  };
  const ok = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await call(method, path, app.admin, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const made = async (collection: string, body: object) =>
    dataOf<{ id: string }>(await ok("POST", `/items/${collection}`, body)).id;

  beforeAll(async () => {
    app = await testApp({
      env: {
        MULTI_TENANT: String(tenants),
        PUBLIC_REGISTRATION: "false",
        REQUIRE_EMAIL_VERIFICATION: "true",
        SMTP_HOST: "127.0.0.1",
        SMTP_PORT: String(server.port),
        SMTP_SECURE: "none",
        MAIL_FROM: "no-reply@shop.example.com",
        AUTH_APP_URL: `${link},${other}/`,
        AUTH_CORS_ALLOWED_ORIGINS: link,
        MOBILE_SESSION_LIMIT: "1",
      },
      now,
    });
    const member = await made("baasix_Role", { name: "member" });
    const auditor = await made("baasix_Role", { name: "auditor", isTenantSpecific: false });
    const manager = await made("baasix_Role", { name: "manager", canInviteRoleIds: [member] });
    const clerk = await made("baasix_Role", {
      name: "clerk",
      isTenantSpecific: false,
      canInviteRoleIds: [member, auditor],
    });
    await made("baasix_Role", { name: "chief", canInviteRoleIds: [member, auditor] });
    const found = dataOf<{ id: string; name: string }[]>(await ok("GET", "/items/baasix_Role"));
    roles = {
      ...Object.fromEntries(found.map(({ id, name }) => [name, id])),
      member,
      manager,
      clerk,
      auditor,
    };
    if (!tenants) return;
    home = await made("baasix_Tenant", { name: "Home Ltd" });
    away = await made("baasix_Tenant", { name: "Away Ltd" });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    ahead = 0;
  });
  afterEach(async () => {
    await app.errands.idle();
    await app.mail.run();
  });

  /** An account that holds these roles, each in a tenant or (null) everywhere; signed in where the first one is. */
  const account = async (...held: (readonly [role: string, tenant: string | null])[]) => {
    const email = newMail();
    const person = { email, firstName: "Ada", lastName: "Lovelace", emailVerified: true };
    const [id = ""] = (await app.data.create(root, "baasix_User", [person])).map(String);
    const credential = { user_Id: id, accountId: id, providerId: "credential", password: hash };
    await app.data.create(root, "baasix_Account", [credential]);
    for (const [role, tenant] of held) {
      // oxlint-disable-next-line no-await-in-loop -- the first one is the oldest
      await app.data.create(root, "baasix_UserRole", [
        { user_Id: id, role_Id: roles[role], tenant_Id: tenant },
      ]);
    }
    return { id, email, token: await signIn(email) };
  };
  const signIn = async (email: string, more: object = {}): Promise<string> => {
    const answer = await call("POST", "/auth/login", null, { email, password, ...more });
    const { token } = (answer.body ?? {}) as { token?: string };
    if (token === undefined) throw new Error(`${answer.status} ${answer.text}`);
    return token;
  };
  const invite = (email: string, as: string | null = app.admin, more: object = {}) =>
    call("POST", "/auth/invite", as, {
      email,
      role_Id: roles.member,
      ...(as === app.admin && home !== null && { tenant_Id: home }),
      link,
      ...more,
    });
  /** What the next mail says. */
  const nextMail = async () => {
    const { mail, to } = await server.next();
    const url = /https?:\/\/[^\s>]+/.exec(mail.text ?? "")?.[0] ?? "";
    return { to: to[0], text: mail.text ?? "", url, token: /token=([0-9a-f]{64})/.exec(url)?.[1] ?? "" };
  };
  const tokenFor = async (email: string, as?: string, more?: object): Promise<string> => {
    const answer = await invite(email, as, more);
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return (await nextMail()).token;
  };
  const register = (email: string, inviteToken: string, more: object = {}) =>
    call("POST", "/auth/register", null, { email, password, firstName: "New", inviteToken, ...more });
  const accept = (token: string, inviteToken: string) =>
    call("POST", "/auth/accept-invite", token, { inviteToken });
  const verify = (token: string, query = "") => call("GET", `/auth/verify-invite/${token}${query}`, null);
  const listed = async (as = app.admin, query = "") =>
    dataOf<Listed[]>(await call("GET", `/auth/invites${query}`, as));
  const inviteOf = async (email: string) => (await listed()).find((one) => one.email === email);
  const membershipsOf = async (user: string) =>
    (
      await app.data.find<{ role: { name: string }; tenant_Id: string | null }>(root, "baasix_UserRole", {
        filter: { user_Id: { eq: user } },
        fields: ["role.name", "tenant_Id"],
        sort: ["createdAt", "id"],
      })
    ).map(({ role, tenant_Id }) => [role.name, tenant_Id] as const);
  const homeRow = () => (home === null ? null : { id: home, name: "Home Ltd" });
  const invalid = [400, "Invalid or expired invitation"];

  describe("who is invited", () => {
    test("registers with the mail's token, though registration is closed, and waits for nothing", async () => {
      const email = newMail();
      const userMetadata = { theme: "dark" };
      const answer = await invite(` ${email.toUpperCase()} `, app.admin, { userMetadata });
      expect(answer.body).toEqual({
        message: "Invitation sent successfully",
        invite: { id: expect.any(String), email, status: "pending", expiresAt: expect.any(String) },
      });
      const { expiresAt } = (answer.body as { invite: { expiresAt: string } }).invite;
      expect(Math.abs(Date.parse(expiresAt) - now() - 7 * 24 * 3_600_000)).toBeLessThan(minute);
      const mail = await nextMail();
      expect(mail.to).toBe(email);
      expect(mail.url).toBe(`${link}/accept-invite?token=${mail.token}`);
      expect(mail.text).toContain("Administrator invites you to");
      if (tenants) expect(mail.text).toContain("Home Ltd");

      expect((await verify(mail.token)).body).toEqual({
        valid: true,
        email,
        userExists: false,
        tenant: homeRow(),
        role: { id: roles.member ?? "", name: "member" },
      });
      expect((await verify(mail.token, `?link=${encodeURIComponent(`${other}/`)}`)).body).toMatchObject({
        acceptUrl: `${other}/register?inviteToken=${mail.token}&email=${encodeURIComponent(email)}`,
      });
      expect(told(await verify(mail.token, "?link=https://evil.example.com"))).toEqual([
        400,
        "Invalid application URL",
      ]);

      const done = await register(email, mail.token, tenants ? { tenant: { name: "Mine" } } : {});
      expect(done.body).toMatchObject({
        message: "User registered successfully",
        user: { email, firstName: "New" },
        role: { name: "member" },
        tenant: homeRow(),
      });
      const { token, user } = done.body as { token: string; user: { id: string } };
      expect((await call("GET", "/auth/me", token)).body).toMatchObject({
        user: { emailVerified: true, userMetadata },
        tenant: homeRow(),
      });
      expect(await membershipsOf(user.id)).toEqual([["member", home]]);
      expect(await inviteOf(email)).toMatchObject({ status: "accepted", acceptedBy_Id: user.id });
      expect(told(await verify(mail.token))).toEqual(invalid);
      expect(told(await register(email, mail.token))).toEqual(invalid);
      expect(told(await accept(token, mail.token))).toEqual(invalid);
      await signIn(email);
    });

    test("accepts with an account, which gets a new session where the role counts", async () => {
      const ann = await account(["user", away]);
      await app.data.update(root, "baasix_User", [{ id: ann.id, data: { emailVerified: true } }]);
      expect((await invite(ann.email)).status).toBe(200);
      const mail = await nextMail();
      expect(mail.url).toBe(`${link}/accept-invite?token=${mail.token}&existing=true`);
      expect((await verify(mail.token, `?link=${link}`)).body).toMatchObject({
        userExists: true,
        acceptUrl: `${link}/login?inviteToken=${mail.token}`,
      });
      expect(told(await register(ann.email, mail.token))).toEqual([400, "User already exists"]);

      const mobile = await signIn(ann.email, { authType: "mobile" });
      const done = await accept(mobile, mail.token);
      expect(done.body).toMatchObject({
        message: "Invitation accepted successfully",
        user: { id: ann.id },
        tenant: homeRow(),
        roles: tenants ? [{ name: "member" }] : [{ name: "user" }, { name: "member" }],
      });
      const { token } = done.body as { token: string };
      expect((await call("GET", "/auth/me", mobile)).status).toBe(401);
      expect((await call("GET", "/auth/me", token)).status).toBe(200);
      expect((await call("GET", "/auth/me", ann.token)).status).toBe(200);
      const sessions = dataOf<{ type: string; current: boolean }[]>(
        await call("GET", "/auth/sessions", token),
      );
      expect(sessions.find(({ current }) => current)?.type).toBe("mobile");
      expect(await membershipsOf(ann.id)).toEqual([
        ["user", away],
        ["member", home],
      ]);
    });

    if (tenants) {
      test("without any membership accepts the first one", async () => {
        const ann = await account();
        const done = await accept(ann.token, await tokenFor(ann.email));
        expect(done.body).toMatchObject({ tenant: homeRow(), roles: [{ name: "member" }] });
      });

      test("into no tenant keeps what it has in others", async () => {
        const ann = await account(["user", away]);
        const clerk = await account(["user", home], ["clerk", null]);
        const token = await tokenFor(ann.email, clerk.token, { role_Id: roles.auditor });
        expect((await listed(clerk.token)).map(({ email }) => email)).toContain(ann.email);
        const done = await accept(ann.token, token);
        expect(done.body).toMatchObject({ tenant: null, roles: [{ name: "auditor" }] });
        expect(await membershipsOf(ann.id)).toEqual([
          ["user", away],
          ["auditor", null],
        ]);
      });
    }

    test("with another role already has both, and once more changes nothing", async () => {
      const ann = await account(["manager", home]);
      const first = await accept(ann.token, await tokenFor(ann.email));
      ahead += minute;
      const { token } = first.body as { token: string };
      const again = await accept(token, await tokenFor(ann.email));
      expect(again.body).toMatchObject({ roles: [{ name: "manager" }, { name: "member" }] });
      expect(await membershipsOf(ann.id)).toEqual([
        ["manager", home],
        ["member", home],
      ]);
    });

    test("by cookie is answered by cookie", async () => {
      const ann = await account(["user", away]);
      const token = await tokenFor(ann.email);
      const answer = await app.call("POST", "/auth/accept-invite", {
        body: { inviteToken: token },
        headers: { cookie: `token=${ann.token}`, origin: link },
      });
      expect([answer.status, answer.headers.getSetCookie().length > 0]).toEqual([200, true]);
      expect(answer.body).not.toHaveProperty("refreshToken");
    });
  });

  describe("an invitation that holds no more", () => {
    /** What is done to some of one inviter. */
    type Deed = (
      invites: readonly { readonly id: string; readonly email: string }[],
      inviter: { readonly id: string },
    ) => Promise<unknown>;
    const each =
      (work: (invite: { readonly id: string; readonly email: string }) => Promise<unknown>): Deed =>
      async (invites) => {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        for (const one of invites) await work(one);
      };
    const managerRow = async (user: string) => {
      const query = `filter[user_Id]=${user}&filter[role_Id]=${roles.manager}`;
      return dataOf<{ id: string }[]>(await ok("GET", `/items/baasix_UserRole?${query}`))[0]?.id ?? "";
    };
    const deeds: readonly (readonly [string, Deed])[] = [
      ["it has expired", async () => void (ahead += inviteLifetime)],
      [
        "it has expired, and that was noted",
        async () => {
          ahead += inviteLifetime;
          await sweepInvites(app.data, now());
        },
      ],
      ["it was taken back", each(({ id }) => ok("DELETE", `/auth/invites/${id}`))],
      [
        "a newer one was mailed",
        each(async ({ email }) => {
          ahead += minute;
          await tokenFor(email);
        }),
      ],
      [
        "it was mailed again",
        each(async ({ id }) => {
          ahead += minute;
          await ok("POST", `/auth/invites/${id}/resend`);
          await nextMail();
        }),
      ],
      [
        "its inviter is suspended",
        (_, { id }) => ok("PATCH", `/items/baasix_User/${id}`, { status: "suspended" }),
      ],
      ["its inviter is gone", (_, { id }) => ok("DELETE", `/items/baasix_User/${id}`)],
      [
        "its inviter was demoted",
        async (_, { id }) => ok("DELETE", `/items/baasix_UserRole/${await managerRow(id)}`),
      ],
      [
        "its inviter has the role elsewhere by now",
        async (_, { id }) => {
          const path = `/items/baasix_UserRole/${await managerRow(id)}`;
          return ok("PATCH", path, tenants ? { tenant_Id: away } : { role_Id: roles.member });
        },
      ],
      [
        "managers may not invite with the role any more",
        () => ok("PATCH", `/items/baasix_Role/${roles.manager}`, { canInviteRoleIds: [] }),
      ],
    ];
    afterEach(() => ok("PATCH", `/items/baasix_Role/${roles.manager}`, { canInviteRoleIds: [roles.member] }));

    test.each(deeds)("since %s", async (_why, deed) => {
      const inviter = await account(["manager", home]);
      const invited = await account(["user", away]);
      const token = await tokenFor(invited.email, inviter.token);
      const stranger = newMail();
      const strangers = await tokenFor(stranger, inviter.token);
      const [one, two] = [await inviteOf(invited.email), await inviteOf(stranger)];
      if (!one || !two) throw new Error("both are invited");
      await deed([one, two], inviter);
      const session = ahead === 0 ? invited.token : await signIn(invited.email);
      expect(told(await verify(token))).toEqual(invalid);
      expect(told(await accept(session, token))).toEqual(invalid);
      expect(told(await register(stranger, strangers))).toEqual(invalid);
      expect(await membershipsOf(invited.id)).toEqual([["user", away]]);
      expect((await call("GET", "/auth/me", session)).status).toBe(200);
    });

    test("its inviter is no administrator any more", async () => {
      const inviter = await account(["administrator", null]);
      const email = newMail();
      const token = await tokenFor(email, inviter.token, { tenant_Id: home });
      expect((await verify(token)).status).toBe(200);
      const query = `filter[user_Id]=${inviter.id}&filter[role_Id]=${roles.administrator}`;
      const [row] = dataOf<{ id: string }[]>(await ok("GET", `/items/baasix_UserRole?${query}`));
      await ok("DELETE", `/items/baasix_UserRole/${row?.id}`);
      expect(told(await register(email, token))).toEqual(invalid);
    });

    if (tenants)
      test("its tenant is gone, and it with it", async () => {
        const brief = await made("baasix_Tenant", { name: `Brief ${++people}` });
        const email = newMail();
        const token = await tokenFor(email, app.admin, { tenant_Id: brief });
        await ok("DELETE", `/items/baasix_Tenant/${brief}`);
        expect(told(await register(email, token))).toEqual(invalid);
      });

    test("its role sees all tenants by now", async () => {
      const brief = await made("baasix_Role", { name: `brief${++people}` });
      const email = newMail();
      const token = await tokenFor(email, app.admin, { role_Id: brief });
      await ok("PATCH", `/items/baasix_Role/${brief}`, { isTenantSpecific: false });
      // Without tenants it says nothing.
      expect((await register(email, token)).status).toBe(tenants ? 400 : 200);
    });

    test("its role is gone, and it with it", async () => {
      const brief = await made("baasix_Role", { name: `brief${++people}` });
      const email = newMail();
      const token = await tokenFor(email, app.admin, { role_Id: brief });
      await ok("DELETE", `/items/baasix_Role/${brief}`);
      expect(told(await register(email, token))).toEqual(invalid);
      expect(await inviteOf(email)).toBeUndefined();
    });
  });

  describe("nobody else", () => {
    test("accepts it, whoever has the token", async () => {
      const [ann, bob] = [await account(["user", away]), await account(["user", away])];
      const token = await tokenFor(ann.email);
      const different = [403, "This invitation is for a different email address"];
      expect(told(await accept(bob.token, token))).toEqual(different);
      expect(told(await accept(app.admin, token))).toEqual(different);
      expect((await accept("", token)).status).toBe(401);
      expect((await call("POST", "/auth/accept-invite", null, { inviteToken: token })).status).toBe(401);
      expect(told(await register(bob.email, token))).toEqual([
        400,
        "The email address doesn't match the invitation",
      ]);
      expect(told(await register(newMail(), token))).toEqual([
        400,
        "The email address doesn't match the invitation",
      ]);
      const made = await call("POST", "/auth/tokens", app.admin, {
        name: "program",
        role_Id: roles.user,
        user_Id: ann.id,
        ...(tenants && { tenant_Id: away }),
      });
      const program = dataOf<{ token: string }>(made).token;
      expect(told(await accept(program, token))).toEqual([
        403,
        "An API token may not do this; sign in instead",
      ]);
      expect(told(await accept(ann.token, `${token.slice(0, -1)}x`))).toEqual(invalid);
      expect(told(await accept(ann.token, ""))).toEqual([400, "Invitation token is required"]);
      // Not even ann, once her address is another one.
      await ok("PATCH", `/items/baasix_User/${ann.id}`, { email: newMail() });
      expect((await nextMail()).to).toBe(ann.email);
      expect(told(await accept(ann.token, token))).toEqual(different);
      expect(await membershipsOf(bob.id)).toEqual([["user", away]]);
    });

    test("finds the token in the database or an answer", async () => {
      const email = newMail();
      const token = await tokenFor(email);
      const rows = await app.data.find(root, "baasix_Invite", {
        fields: ["*", "tokenHash", "pendingKey"],
        limit: -1,
      });
      const texts = [
        JSON.stringify(rows),
        JSON.stringify(await app.data.find(root, "baasix_EmailLog", { fields: ["*", "payload"], limit: -1 })),
        JSON.stringify(await app.data.find(root, "baasix_AuditLog", { fields: ["*"], limit: -1 })),
        JSON.stringify(await listed()),
        (await ok("GET", "/items/baasix_Invite")).text,
      ];
      for (const text of texts) expect(text).not.toContain(token);
      expect(texts[4]).not.toContain("tokenHash");
    });

    test("writes invitations as items, whatever the role may", async () => {
      const body = { email: newMail(), role_Id: roles.administrator };
      for (const [method, path] of [
        ["POST", "/items/baasix_Invite"],
        ["PATCH", `/items/baasix_Invite/${(await listed())[0]?.id}`],
        ["DELETE", `/items/baasix_Invite/${(await listed())[0]?.id}`],
      ] as const) {
        expect((await call(method, path, app.admin, body)).status).toBe(403);
      }
    });
  });

  describe("who invites", () => {
    const noRight = [403, "You don't have permission to invite users with this role"];
    const sent = [200, "Invitation sent successfully"];
    const nobody = "00000000-0000-4000-8000-000000000000";

    /** The caller, the body beyond an address, and what is answered; `null`: with tenants alone. */
    type Row = readonly [
      string,
      () => Promise<string | null>,
      () => Record<string, unknown>,
      (string | number)[],
      only?: "tenants" | "none",
    ];
    const known = new Map<string, Promise<{ readonly token: string }>>();
    /** Whoever holds these; the same for all rows. */
    const who = async (...held: (readonly [string, "home" | null])[]): Promise<string> => {
      const name = held.join();
      const made = known.get(name) ?? account(...held.map(([role, place]) => [role, place && home] as const));
      known.set(name, made);
      return (await made).token;
    };
    const manager = () => who(["manager", "home"]);
    const rows: readonly Row[] = [
      ["nobody", async () => null, () => ({}), [401, "Unauthorized"]],
      ["a member", () => who(["member", "home"]), () => ({}), noRight],
      ["a manager, a member", manager, () => ({}), sent],
      ["a manager, another manager", manager, () => ({ role_Id: roles.manager }), noRight],
      ["a manager, an administrator", manager, () => ({ role_Id: roles.administrator }), noRight],
      ["a manager, as the public", manager, () => ({ role_Id: roles.public }), noRight],
      ["a manager, with no role", manager, () => ({ role_Id: nobody }), noRight],
      [
        "a manager, with metadata",
        manager,
        () => ({ userMetadata: {} }),
        [403, "userMetadata: only administrators say what a new account begins with"],
      ],
      ["a manager, here by name", manager, () => ({ tenant_Id: home }), sent, "tenants"],
      [
        "a manager, elsewhere",
        manager,
        () => ({ tenant_Id: away }),
        [403, "You can only invite users to your own tenant"],
        "tenants",
      ],
      [
        "a manager, nowhere known",
        manager,
        () => ({ tenant_Id: nobody }),
        [403, "You can only invite users to your own tenant"],
        "tenants",
      ],
      ["a manager, beyond tenants", manager, () => ({ role_Id: roles.auditor }), noRight],
      // A role of one tenant gives none that sees them all, also where it names it.
      [
        "a chief, beyond tenants",
        () => who(["chief", "home"]),
        () => ({ role_Id: roles.auditor }),
        noRight,
        "tenants",
      ],
      ["a chief, anybody", () => who(["chief", "home"]), () => ({ role_Id: roles.auditor }), sent, "none"],
      ["a chief, a member", () => who(["chief", "home"]), () => ({}), sent],
      ["a clerk, beyond tenants", () => who(["clerk", null]), () => ({ role_Id: roles.auditor }), sent],
      ["a clerk, into no tenant", () => who(["clerk", null]), () => ({}), noRight, "tenants"],
      [
        "a clerk with a role in a tenant, a member",
        () => who(["user", "home"], ["clerk", null]),
        () => ({}),
        sent,
      ],
      [
        "an administrator, an administrator",
        async () => app.admin,
        () => ({ role_Id: roles.administrator, tenant_Id: null }),
        sent,
      ],
      [
        "an administrator, as the public",
        async () => app.admin,
        () => ({ role_Id: roles.public }),
        [400, "role_Id: there is no such role to invite with"],
      ],
      [
        "an administrator, with no role",
        async () => app.admin,
        () => ({ role_Id: nobody }),
        [400, "role_Id: there is no such role to invite with"],
      ],
      [
        "an administrator, a role of tenants without one",
        async () => app.admin,
        () => ({ tenant_Id: null }),
        [400, "tenant_Id: Tenant ID is required"],
        "tenants",
      ],
      [
        "an administrator, into no known tenant",
        async () => app.admin,
        () => ({ tenant_Id: nobody }),
        [404, "Tenant not found"],
        "tenants",
      ],
      [
        "an administrator, beyond tenants in one",
        async () => app.admin,
        () => ({ role_Id: roles.auditor, tenant_Id: home }),
        [400, "tenant_Id: a role that belongs to no tenant is given without one"],
        "tenants",
      ],
      [
        "an administrator, into a tenant",
        async () => app.admin,
        () => ({ tenant_Id: nobody }),
        [400, "tenant_Id: Multi-tenant mode is not enabled"],
        "none",
      ],
      [
        "an administrator, to another place",
        async () => app.admin,
        () => ({ link: "https://evil.example.com" }),
        [400, "Invalid link"],
      ],
      [
        "an administrator, who names it otherwise",
        async () => app.admin,
        () => ({ link: undefined, redirectUrl: `${other}/` }),
        sent,
      ],
      [
        "an administrator, no address",
        async () => app.admin,
        () => ({ email: "nobody" }),
        [400, "email: not a valid mail address"],
      ],
      [
        "an administrator, without a role",
        async () => app.admin,
        () => ({ role_Id: undefined }),
        [400, "Email and role_Id are required"],
      ],
      [
        "an administrator, with a status",
        async () => app.admin,
        () => ({ status: "accepted" }),
        [400, "status: 'status' cannot be set here"],
      ],
    ];

    for (const [title, caller, more, expected, only] of rows) {
      if ((only === "tenants" && !tenants) || (only === "none" && tenants)) continue;
      test(title, async () => {
        const email = newMail();
        const answer = await invite(email, await caller(), more());
        expect(told(answer)).toEqual(expected);
        if (expected !== sent) {
          expect(await inviteOf(email)).toBeUndefined();
          return;
        }
        const mail = await nextMail();
        expect(mail.to).toBe(email);
        expect((await verify(mail.token)).status).toBe(200);
      });
    }

    test("by a program, with its one role alone", async () => {
      const ann = await account(["manager", home], ["user", home]);
      const program = async (role: string) => {
        const body = {
          name: "p",
          role_Id: roles[role],
          user_Id: ann.id,
          ...(tenants && { tenant_Id: home }),
        };
        return dataOf<{ token: string }>(await ok("POST", "/auth/tokens", body)).token;
      };
      expect(told(await invite(newMail(), await program("user")))).toEqual(noRight);
      expect(told(await invite(newMail(), await program("manager")))).toEqual(sent);
      await nextMail();
    });

    test("a hundred times an hour, asked for what it may or not; administrators as often as they like", async () => {
      const { token } = await account(["member", home]);
      const statuses = [];
      for (let i = 0; i < 101; i++) statuses.push((await invite(newMail(), token)).status);
      expect([statuses.slice(0, 100).every((status) => status === 403), statuses[100]]).toEqual([true, 429]);
      for (let i = 0; i < 101; i++) await invite("nobody", app.admin);
      expect((await invite("nobody", app.admin)).status).toBe(400);
    });

    if (tenants)
      test("a tenant with an application of its own has its links there, and no other tenant has", async () => {
        await ok("PUT", "/items/baasix_Settings", {
          on: "tenant_Id",
          data: { tenant_Id: away, app_url: "https://away.example.com" },
        });
        const { token } = await account(["manager", away]);
        await tokenFor(newMail(), token, { link: undefined });
        const invited = newMail();
        const answer = await invite(invited, token, { link: "https://away.example.com" });
        expect(told(answer)).toEqual(sent);
        const mail = await nextMail();
        expect(mail.url).toStartWith("https://away.example.com/accept-invite?token=");
        expect((await verify(mail.token, "?link=https://away.example.com")).body).toMatchObject({
          acceptUrl: expect.stringMatching(/^https:\/\/away\.example\.com\/register/),
        });
        const elsewhere = await invite(newMail(), await manager(), { link: "https://away.example.com" });
        expect(told(elsewhere)).toEqual([400, "Invalid link"]);
      });

    test("an address gets one mail a minute, whoever asks", async () => {
      const email = newMail();
      await tokenFor(email);
      expect((await invite(email, await manager())).status).toBe(429);
    });
  });

  describe("sent invitations", () => {
    test("each sees, mails again and takes back those that it could make", async () => {
      const [ann, bob] = [await account(["manager", home]), await account(["member", home])];
      const elsewhere = tenants ? await account(["manager", away]) : null;
      const [plain, high] = [newMail(), newMail()];
      await tokenFor(plain);
      await tokenFor(high, app.admin, { role_Id: roles.manager });
      const emails = async (token: string, query?: string) =>
        (await listed(token, query)).map(({ email }) => email);
      expect(await emails(app.admin, "?status=pending")).toEqual(expect.arrayContaining([plain, high]));
      expect(await emails(ann.token)).toContain(plain);
      expect(await emails(ann.token)).not.toContain(high);
      expect(await emails(bob.token)).toEqual([]);
      if (elsewhere) expect(await emails(elsewhere.token)).not.toContain(plain);
      expect(await listed(ann.token, "?status=accepted")).not.toContainEqual(
        expect.objectContaining({ email: plain }),
      );
      expect((await call("GET", "/auth/invites?status=open", ann.token)).status).toBe(400);
      expect(await emails(ann.token, "?status=pending")).toContain(plain);
      expect((await call("GET", "/auth/invites", null)).status).toBe(401);

      const [one, two] = [(await inviteOf(plain))?.id ?? "", (await inviteOf(high))?.id ?? ""];
      const gone = [404, "Invitation not found"];
      for (const [token, id] of [
        [bob.token, one],
        [ann.token, two],
        ...(elsewhere ? [[elsewhere.token, one] as const] : []),
        [app.admin, "nonsense"],
        [app.admin, "00000000-0000-4000-8000-000000000000"],
      ] as const) {
        expect(told(await call("POST", `/auth/invites/${id}/resend`, token))).toEqual(gone);
        expect(told(await call("DELETE", `/auth/invites/${id}`, token))).toEqual(gone);
      }
      ahead += minute;
      expect(
        told(await call("POST", `/auth/invites/${one}/resend`, ann.token, { link: `${other}/` })),
      ).toEqual([200, "Invitation sent successfully"]);
      const mail = await nextMail();
      expect(mail.url).toBe(`${other}/accept-invite?token=${mail.token}`);
      expect((await call("DELETE", `/auth/invites/${one}`, ann.token)).body).toEqual({ data: { id: one } });
      ahead += minute;
      for (const [method, path] of [
        ["DELETE", ""],
        ["POST", "/resend"],
      ] as const) {
        expect(told(await call(method, `/auth/invites/${one}${path}`, app.admin))).toEqual([
          409,
          "The invitation is revoked; invite anew",
        ]);
      }
    });

    test("mailed again it is the sender's, with seven days more, also after it has expired", async () => {
      const inviter = await account(["manager", home]);
      const email = newMail();
      await tokenFor(email, inviter.token);
      const id = (await inviteOf(email))?.id ?? "";
      ahead += inviteLifetime;
      expect(await inviteOf(email)).toMatchObject({ status: "expired" });
      for (const [query, isThere] of [
        ["pending", false],
        ["expired", true],
        ["revoked", false],
      ] as const) {
        const found = (await listed(app.admin, `?status=${query}`)).some((one) => one.id === id);
        expect([query, found]).toEqual([query, isThere]);
      }
      await sweepInvites(app.data, now());
      await ok("DELETE", `/items/baasix_User/${inviter.id}`);
      expect((await call("POST", `/auth/invites/${id}/resend`, app.admin)).status).toBe(200);
      const { token } = await nextMail();
      ahead += inviteLifetime - minute;
      expect((await register(email, token)).status).toBe(200);
    });

    test("one that is not the inviter's to make is not replaced by another one", async () => {
      const email = newMail();
      const token = await tokenFor(email, app.admin, { role_Id: roles.manager });
      ahead += minute;
      const ann = await account(["manager", home]);
      expect(told(await invite(email, ann.token))).toEqual([
        409,
        "There is a pending invitation for this address, and it is not for you to replace",
      ]);
      expect((await verify(token)).status).toBe(200);
      ahead += inviteLifetime;
      const again = await signIn(ann.email);
      expect((await invite(email, again)).status).toBe(200);
      expect((await verify((await nextMail()).token)).status).toBe(200);
    });

    test("are told in the audit log, and forgotten long after they ended", async () => {
      const email = newMail();
      const token = await tokenFor(email);
      const id = (await inviteOf(email))?.id ?? "";
      const done = await register(email, token);
      const entries = await app.data.find<{ action: string; userId: string | null; changes: object }>(
        root,
        "baasix_AuditLog",
        { filter: { entityId: { eq: id } }, fields: ["action", "userId", "changes"], sort: ["id"] },
      );
      expect(entries).toMatchObject([
        {
          action: "create",
          userId: expect.any(String),
          changes: { after: { email, role_Id: roles.member } },
        },
        {
          action: "update",
          userId: (done.body as { user: { id: string } }).user.id,
          changes: { before: { status: "pending" }, after: { status: "accepted" } },
        },
      ]);
      await sweepInvites(app.data, now() + 60 * 24 * 3_600_000);
      expect(await inviteOf(email)).toMatchObject({ status: "accepted" });
      await sweepInvites(app.data, now() + 100 * 24 * 3_600_000);
      expect(await inviteOf(email)).toBeUndefined();
    });
  });

  describe("of many at once", () => {
    test("fifty accepts of one session: exactly one wins", async () => {
      const ann = await account(["user", away]);
      const token = await tokenFor(ann.email);
      const answers = await Promise.all(many(50, () => accept(ann.token, token)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      // The others come while it pends, after it was used, or after the session that won had been replaced.
      expect(answers.every(({ status }) => [200, 400, 401].includes(status))).toBe(true);
      expect(await membershipsOf(ann.id)).toEqual([
        ["user", away],
        ["member", home],
      ]);
    });

    test("fifty accepts of fifty sessions: exactly one wins, and the others stay", async () => {
      const ann = await account(["user", away]);
      const token = await tokenFor(ann.email);
      const sessions = await Promise.all(many(10, () => signIn(ann.email)));
      const answers = await Promise.all(many(50, (i) => accept(sessions[i % 10] ?? "", token)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const alive = await Promise.all(sessions.map((one) => call("GET", "/auth/me", one)));
      expect(alive.filter(({ status }) => status === 200)).toHaveLength(9);
    });

    test("registrations: exactly one wins", async () => {
      const email = newMail();
      const token = await tokenFor(email);
      const answers = await Promise.all(many(8, () => register(email, token)));
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...many<number>(7, () => 400)]);
      const accounts = await app.data.find(root, "baasix_User", {
        filter: { email: { eq: email } },
        fields: ["id"],
      });
      expect(accounts).toHaveLength(1);
    });

    test("a registration and its end: one of them", async () => {
      for (const end of ["revoke", "suspend"] as const) {
        const inviter = await account(["manager", home]);
        const email = newMail();
        const token = await tokenFor(email, inviter.token);
        const id = (await inviteOf(email))?.id ?? "";
        const [registered, ended] = await Promise.all([
          register(email, token),
          end === "revoke"
            ? call("DELETE", `/auth/invites/${id}`, inviter.token)
            : ok("PATCH", `/items/baasix_User/${inviter.id}`, { status: "suspended" }),
        ]);
        if (end === "revoke") {
          const outcome = registered.status === 200 ? [200, 409] : [400, 200];
          expect([registered.status, ended.status]).toEqual(outcome);
        }
        expect(told(await register(email, token))).toEqual(invalid);
      }
    });

    test("invitations of an address: one is pending", async () => {
      const email = newMail();
      const input = { role: roles.member ?? "", tenant: home };
      const { createInvite } = await import("./rows");
      const more = { link, userMetadata: null, invitedBy: null, mailed: true };
      const results = await Promise.allSettled(
        many(20, () =>
          app.data.transaction((rows) => createInvite(rows, { email, ...input, ...more }, null, now())),
        ),
      );
      expect(results.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
      const pending = (await listed()).filter((one) => one.email === email && one.status === "pending");
      expect(pending).toHaveLength(1);
    });
  });
});
