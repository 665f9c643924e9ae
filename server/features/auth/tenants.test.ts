/** Founding tenants, going from one to another, limits there, and what ends with a membership. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ApiToken, MeResult, NewMfaFactor, NewTenantResult, Tenant, TenantsResult } from "@baasix/types";
import { Secret, TOTP } from "otpauth";
import type { Config } from "../../config";
import { system } from "../../core/access/actor";
import { type Answer, openInstance, testApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { openSocket } from "../../testing/socket";
import {
  openTenantScene,
  password,
  type Person,
  refused,
  signedIn,
  type TenantScene,
} from "../../testing/tenant-scene";

setDefaultTimeout(30_000);

const root = system("the test prepares accounts and looks at them");
const minute = 60_000;
let scene: TenantScene;
let count = 0;

beforeAll(async () => {
  scene = await openTenantScene({ MOBILE_SESSION_LIMIT: "2" });
});
afterAll(() => scene.close());

const call = (path: string, body: unknown, token?: string): Promise<Answer> =>
  scene.app.call("POST", path, { body, ...(token !== undefined && { token }) });
const get = (path: string, token?: string): Promise<Answer> =>
  scene.app.call("GET", path, token === undefined ? {} : { token });
const me = async (token: string): Promise<MeResult> => (await get("/auth/me", token)).body as MeResult;
const rolesOf = async (token: string) => (await me(token)).roles.map(({ name }) => name);
const tenantsOf = async (token: string) =>
  ((await get("/auth/tenants", token)).body as TenantsResult).tenants;
const newTenant = (): Promise<Tenant> => scene.tenant(`Tenant ${++count}`);
const newMail = () => `new${++count}@example.com`;
const registering = (more: object = {}) => ({ email: newMail(), password, firstName: "Ada", ...more });
const go = (token: string, { id }: Pick<Tenant, "id">, more: object = {}): Promise<Answer> =>
  call("/auth/switch-tenant", { tenant_Id: id, ...more }, token);
const idOf = async (collection: string, filter: object): Promise<string | null> =>
  (await scene.app.data.find<{ id: string }>(root, collection, { filter, fields: ["id"] }))[0]?.id ?? null;

/** The same server on the same rows with other settings. */
async function withConfig(
  change: Partial<Config>,
  work: (post: typeof call) => Promise<void>,
): Promise<void> {
  const other = await openInstance({ ...scene.app.config, ...change }, scene.app.address);
  const post: typeof call = (path, body, token) =>
    other.call("POST", path, { body, ...(token !== undefined && { token }) });
  try {
    await work(post);
  } finally {
    await other.close();
  }
}

describe("registering with a tenant", () => {
  test("founds it: the account is its owner, signed in there", async () => {
    const name = `Founded ${++count}`;
    const body = registering({ tenant: { name: `  ${name} ` } });
    const result = signedIn(await call("/auth/register", body));
    expect(result.tenant).toEqual({ id: expect.any(String), name });
    expect(result.roles.map((role) => role.name)).toEqual(["owner"]);
    const owner = { id: scene.role("owner"), name: "owner" };
    expect(await tenantsOf(result.token)).toEqual([
      { ...(result.tenant as Tenant), role: owner, roles: [owner] },
    ]);
    expect(signedIn(await scene.signIn({ id: "", email: body.email })).tenant).toEqual(result.tenant);
  });

  test.each<[what: string, more: object, status: number, message: string | null]>([
    ["no tenant", {}, 400, "Tenant information is required for registration in multi-tenant mode"],
    ["no name", { tenant: {} }, 400, null],
    ["an empty name", { tenant: { name: "  " } }, 400, null],
    ["a long name", { tenant: { name: "x".repeat(256) } }, 400, null],
    ["a name of two lines", { tenant: { name: "a\nb" } }, 400, null],
    ["an id for the tenant", { tenant: { name: "x", id: crypto.randomUUID() } }, 400, null],
    ["a tenant that is there", { tenant: { name: "x" }, tenant_Id: crypto.randomUUID() }, 400, null],
    ["a role", { tenant: { name: "x" }, role_Id: crypto.randomUUID() }, 400, null],
    ["a role's name", { tenant: { name: "x" }, roleName: "administrator" }, 400, null],
  ])("%s is refused, and makes nothing", async (_, more, status, message) => {
    const body = registering(more);
    const answer = await call("/auth/register", body);
    expect(answer.status).toBe(status);
    if (message !== null) expect(refused(answer)[1]).toBe(message);
    expect(await idOf("baasix_User", { email: { eq: body.email } })).toBeNull();
    expect(await idOf("baasix_Tenant", { name: { eq: "x" } })).toBeNull();
  });

  test("a name that is taken makes no account, an address that is taken no tenant", async () => {
    const taken = await newTenant();
    const body = registering({ tenant: { name: taken.name } });
    expect(refused(await call("/auth/register", body))).toEqual([409, "There is a tenant with this name"]);
    expect(await idOf("baasix_User", { email: { eq: body.email } })).toBeNull();
    const { email } = await scene.person();
    const name = `Untaken ${++count}`;
    const answer = await call("/auth/register", { ...registering({ tenant: { name } }), email });
    expect(refused(answer)).toEqual([400, "User already exists"]);
    expect(await idOf("baasix_Tenant", { name: { eq: name } })).toBeNull();
  });

  test("of ten at once with one name one founds it", async () => {
    const name = `Wanted ${++count}`;
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call("/auth/register", registering({ tenant: { name } }))),
    );
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
  });

  test("where new accounts are no members: in none without, its owner with one", () =>
    withConfig({ DEFAULT_ROLE_REGISTERED: "auditor" }, async (post) => {
      const alone = signedIn(await post("/auth/register", registering()));
      expect([alone.tenant, alone.role?.name]).toEqual([null, "auditor"]);
      const name = `Beside ${++count}`;
      const owner = signedIn(await post("/auth/register", registering({ tenant: { name } })));
      expect([owner.tenant?.name, owner.roles.map((role) => role.name)]).toEqual([name, ["owner"]]);
    }));

  test("nobody founds one where the founder's role is none of tenants, nor where registration is closed", async () => {
    const { token } = signedIn(await scene.signIn(await scene.person(["member", await newTenant()])));
    const name = () => `Never ${++count}`;
    await withConfig({ TENANT_OWNER_ROLE: "auditor" }, async (post) => {
      const answers = [
        await post("/auth/register", registering({ tenant: { name: name() } })),
        await post("/auth/tenants", { name: name() }, token),
      ];
      const told = "Tenants are not founded here; ask an administrator for one";
      expect(answers.map(refused)).toEqual([
        [403, told],
        [403, told],
      ]);
    });
    await withConfig({ PUBLIC_REGISTRATION: false }, async (post) => {
      expect((await post("/auth/register", registering({ tenant: { name: name() } }))).status).toBe(403);
      expect(refused(await post("/auth/tenants", { name: name() }, token))).toEqual([
        403,
        "Registration is closed; ask an administrator for a tenant",
      ]);
      expect((await post("/auth/tenants", { name: name() }, await scene.admin())).status).toBe(201);
    });
  });

  test("where the address is to be confirmed first: the same answer for a taken one, and its tenant after the mail", () =>
    withConfig({ REQUIRE_EMAIL_VERIFICATION: true }, async (post) => {
      const known = await scene.person();
      const [free, taken] = [`Waiting ${++count}`, `Waiting ${++count}`];
      const body = registering({ tenant: { name: free } });
      const answers = [
        await post("/auth/register", body),
        await post("/auth/register", { ...registering({ tenant: { name: taken } }), email: known.email }),
      ];
      for (const [i, answer] of answers.entries()) {
        expect(answer).toMatchObject({
          status: 200,
          body: {
            requiresEmailVerification: true,
            role: { name: "owner" },
            tenant: { id: expect.any(String), name: [free, taken][i] },
          },
        });
      }
      const again = await post("/auth/register", registering({ tenant: { name: (await newTenant()).name } }));
      expect(again.status).toBe(409);
      const letters = [await scene.nextMail(), await scene.nextMail()];
      const letter = letters.find(({ to }) => to === body.email);
      expect((await get(`/auth/email/verify/${letter?.token}`)).status).toBe(200);
      const result = signedIn(await scene.signIn({ id: "", email: body.email }));
      expect(result.tenant?.name).toBe(free);
      expect(await idOf("baasix_Tenant", { name: { eq: taken } })).toBeNull();
    }));
});

describe("founding a tenant", () => {
  test("makes the caller its owner; the session stays where it is until it goes there", async () => {
    const home = await newTenant();
    const { token } = signedIn(await scene.signIn(await scene.person(["member", home])));
    const name = `New ${++count}`;
    const answer = await call("/auth/tenants", { name }, token);
    const { tenant } = answer.body as NewTenantResult;
    expect([answer.status, tenant.name, tenant.role.name]).toEqual([201, name, "owner"]);
    expect((await me(token)).tenant).toEqual(home);
    expect((await tenantsOf(token)).map((one) => one.name)).toEqual([home.name, name]);
    const there = signedIn(await go(token, tenant));
    expect([there.tenant, there.roles.map((role) => role.name)]).toEqual([
      { id: tenant.id, name },
      ["owner"],
    ]);
    expect(refused(await call("/auth/tenants", { name }, there.token))).toEqual([
      409,
      "There is a tenant with this name",
    ]);
  });

  test("is how who comes first by a provider gets somewhere", async () => {
    const { oidc } = scene.oauth;
    const seconds = Math.floor(Date.now() / 1000);
    const claims = { sub: "first", email: "first@example.com", email_verified: true };
    const token = await oidc.sign({
      ...claims,
      iss: oidc.issuer,
      aud: "baasix",
      iat: seconds,
      exp: seconds + 300,
    });
    const answer = await call("/auth/social/signin", { provider: "acme", idToken: { token } });
    const result = signedIn(answer);
    expect([result.tenant, result.role, result.roles]).toEqual([null, null, []]);
    expect((await scene.app.call("GET", "/items/baasix_User", { token: result.token })).status).toBe(403);
    const founded = await call("/auth/tenants", { name: `By a provider ${++count}` }, result.token);
    const there = signedIn(await go(result.token, (founded.body as NewTenantResult).tenant));
    expect(there.role?.name).toBe("owner");
  });

  test.each([[{}], [{ name: "" }], [{ name: 1 }], [{ name: "x", id: crypto.randomUUID() }]])(
    "wants a name: %j",
    async (body) => {
      expect((await call("/auth/tenants", body, await scene.admin())).status).toBe(400);
    },
  );

  test("is for who is signed in", async () => {
    expect((await call("/auth/tenants", { name: "x" })).status).toBe(401);
  });
});

describe("going to another tenant", () => {
  const between = async (...held: readonly string[]) => {
    const [from, to] = [await newTenant(), await newTenant()];
    const person = await scene.person(["member", from], ...held.map((role) => [role, to] as const));
    return { from, to, person };
  };

  test("gives a new session there and ends the one that asked", async () => {
    const { from, to, person } = await between("owner");
    const before = signedIn(await scene.signIn(person));
    const other = signedIn(await scene.signIn(person));
    const after = signedIn(await go(before.token, { id: to.id.toUpperCase() }));
    expect([before.tenant, after.tenant, after.role?.name]).toEqual([from, to, "owner"]);
    expect([(await me(after.token)).tenant, await rolesOf(after.token)]).toEqual([to, ["owner"]]);
    expect((await get("/auth/me", before.token)).status).toBe(401);
    expect((await call("/auth/refresh", { refreshToken: before.refreshToken })).status).toBe(401);
    expect((await call("/auth/refresh", { refreshToken: after.refreshToken })).status).toBe(200);
    expect((await me(other.token)).tenant).toEqual(from);
  });

  test("of ten at once one does", async () => {
    const { to, person } = await between("owner");
    const { token } = signedIn(await scene.signIn(person));
    const answers = await Promise.all(Array.from({ length: 10 }, () => go(token, to)));
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([200, ...Array.from({ length: 9 }, () => 401)]);
  });

  test("hands on the kind of session, and when what was proven", async () => {
    const { to, person } = await between("owner");
    const before = signedIn(await scene.signIn(person, { authType: "web" }));
    scene.pass(14 * minute);
    const after = signedIn(await go(before.token, to));
    const [session] = await scene.app.data.find<{ type: string; tenant_Id: string }>(
      root,
      "baasix_Sessions",
      {
        filter: { user_Id: { eq: person.id } },
        fields: ["type", "tenant_Id"],
      },
    );
    expect(session).toEqual({ type: "web", tenant_Id: to.id });
    expect((await call("/auth/mfa/factors", {}, after.token)).status).toBe(201);
    scene.pass(minute);
    const late = await call("/auth/mfa/factors", {}, after.token);
    expect((late.body as { error: { code: string } }).error.code).toBe("REAUTHENTICATION_REQUIRED");
  });

  test("asks for no second factor that was proven, and keeps who lacks one out of what asks for it", async () => {
    const { from, to, person } = await between();
    await scene.app.data.create(root, "baasix_Role", [{ name: "guarded", enforceTotp: true }]);
    const guarded = (await idOf("baasix_Role", { name: { eq: "guarded" } })) ?? "";
    await scene.join(person, [guarded, to]);
    const inFrom = signedIn(await scene.signIn(person, { tenant_Id: from.id }));
    const inTo = signedIn(await go(inFrom.token, to));
    expect(inTo.mfaEnrollmentRequired).toBe(true);
    expect((await get("/auth/me", inTo.token)).status).toBe(403);
    // It may go where nothing of the kind is asked, and come back.
    expect((await tenantsOf(inTo.token)).map(({ id }) => id)).toEqual([from.id, to.id]);
    const back = signedIn(await go(inTo.token, from));
    expect((await me(back.token)).tenant).toEqual(from);

    const made = (await call("/auth/mfa/factors", {}, back.token)).body as { data: NewMfaFactor };
    const { id, secret } = made.data;
    const time = Date.now() + scene.ahead();
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: time });
    const proven = signedIn(await call(`/auth/mfa/factors/${id}/verify`, { code }, back.token));
    const there = signedIn(await go(proven.token, to));
    expect([there.aal, (await me(there.token)).tenant]).toEqual([2, to]);
  });

  test("by cookie is answered by cookie", async () => {
    const { to, person } = await between("owner");
    const login = await scene.signIn(person, { authMode: "cookie" });
    const cookie = login.headers
      .getSetCookie()
      .map((one) => one.split(";")[0])
      .join("; ");
    const answer = await scene.app.call("POST", "/auth/switch-tenant", {
      body: { tenant_Id: to.id, authMode: "jwt" },
      headers: { cookie, origin: "https://app.example.com" },
    });
    expect(answer.body).toMatchObject({ authMode: "cookie", tenant: to });
    expect(answer.text).not.toContain("refreshToken");
    expect(answer.headers.getSetCookie()).toHaveLength(2);
    const foreign = await scene.app.call("POST", "/auth/switch-tenant", {
      body: { tenant_Id: to.id },
      headers: {
        cookie: answer.headers
          .getSetCookie()
          .map((one) => one.split(";")[0])
          .join("; "),
        origin: "https://evil.example",
      },
    });
    expect(foreign.status).toBe(403);
  });

  const refusals: readonly (readonly [what: string, tenant_Id: unknown, status: number, message: string])[] =
    [
      ["a tenant of others", "foreign", 403, "Access denied for specified tenant"],
      ["one that there is not", crypto.randomUUID(), 403, "Access denied for specified tenant"],
      ["what is no id", "nowhere", 403, "Access denied for specified tenant"],
      ["nothing", undefined, 400, "Tenant ID is required"],
      ["an empty text", "", 400, "Tenant ID is required"],
      ["null", null, 400, "Tenant ID is required"],
      ["a list", [crypto.randomUUID()], 400, "Tenant ID is required"],
    ];
  test.each(refusals)("%s is refused, and the session lives on", async (_, asked, status, message) => {
    const { from, person } = await between("owner");
    const tenant_Id = asked === "foreign" ? (await newTenant()).id : asked;
    const { token } = signedIn(await scene.signIn(person));
    expect(refused(await call("/auth/switch-tenant", { tenant_Id }, token))).toEqual([status, message]);
    expect((await me(token)).tenant).toEqual(from);
  });

  test("who sees all tenants goes to none", async () => {
    const { id } = await newTenant();
    const told = [400, "Cannot switch tenant for non-tenant-specific role"] as const;
    for (const role of ["auditor", "administrator"]) {
      const { token } = signedIn(await scene.signIn(await scene.person([role, null])));
      expect(refused(await go(token, { id }))).toEqual(told);
      expect(await tenantsOf(token)).toEqual([]);
    }
  });

  test("is for who is signed in", async () => {
    expect((await go("", { id: crypto.randomUUID() })).status).toBe(401);
    expect((await get("/auth/tenants")).status).toBe(401);
  });
});

describe("what a session in a tenant stands on", () => {
  type Scene = { readonly person: Person; readonly tenant: Tenant };
  const admin = async (method: string, path: string, body?: object): Promise<Answer> =>
    scene.app.call(method, path, { token: await scene.admin(), ...(body && { body }) });
  const membership = async ({ person, tenant }: Scene): Promise<string> =>
    (await idOf("baasix_UserRole", {
      AND: [{ user_Id: { eq: person.id } }, { tenant_Id: { eq: tenant.id } }],
    })) ?? "";

  /** What happens, and where a session of the same account in its other tenant is then. */
  const events: readonly (readonly [
    what: string,
    act: (at: Scene) => Promise<unknown>,
    elsewhere: number,
  ])[] = [
    [
      "the membership is taken away",
      async (at) => admin("DELETE", `/items/baasix_UserRole/${await membership(at)}`),
      200,
    ],
    [
      "the membership becomes one of another tenant",
      async (at) =>
        admin("PATCH", `/items/baasix_UserRole/${await membership(at)}`, {
          tenant_Id: (await newTenant()).id,
        }),
      200,
    ],
    [
      "the tenant is deleted, with its memberships",
      ({ tenant }) => admin("DELETE", `/items/baasix_Tenant/${tenant.id}`),
      200,
    ],
    [
      "a hand in the database takes the membership away",
      async (at) =>
        outsider(scene.app.address, `DELETE FROM "baasix_UserRole" WHERE id = '${await membership(at)}'`),
      200,
    ],
    [
      "the account is suspended",
      ({ person }) => admin("PATCH", `/items/baasix_User/${person.id}`, { status: "suspended" }),
      401,
    ],
    ["the account is deleted", ({ person }) => admin("DELETE", `/items/baasix_User/${person.id}`), 401],
  ];

  test.each(events)("%s: REST, refresh, API token and socket are dead", async (_, act, elsewhere) => {
    const [tenant, home] = [await newTenant(), await newTenant()];
    const person = await scene.person(["member", tenant], ["member", home]);
    const there = signedIn(await scene.signIn(person, { tenant_Id: tenant.id }));
    const other = signedIn(await scene.signIn(person, { tenant_Id: home.id }));
    const wanted = { name: "x", user_Id: person.id, role_Id: scene.role("member"), tenant_Id: tenant.id };
    const made = await call("/auth/tokens", wanted, await scene.admin());
    const program = (made.body as { data: ApiToken & { token: string } }).data;
    const socket = await openSocket(scene.app.listen(), there.token);
    expect([await rolesOf(there.token), await rolesOf(program.token)]).toEqual([["member"], ["member"]]);

    await act({ person, tenant });
    // Closed by the server, as soon as it hears of it.
    await socket.closed;
    const asked = [there.token, program.token, other.token].map((token) => get("/auth/me", token));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses).toEqual([401, 401, elsewhere]);
    expect((await call("/auth/refresh", { refreshToken: there.refreshToken })).status).toBe(401);
  });

  test("a session that was refused a new token does not come back with the membership", async () => {
    const tenant = await newTenant();
    const person = await scene.person(["member", tenant]);
    const { token, refreshToken } = signedIn(await scene.signIn(person));
    await scene.leave(person);
    expect((await call("/auth/refresh", { refreshToken })).status).toBe(401);
    await scene.join(person, ["member", tenant]);
    expect((await get("/auth/me", token)).status).toBe(401);
  });

  test("another role there is another right at once, and the session goes on", async () => {
    const tenant = await newTenant();
    const person = await scene.person(["owner", tenant]);
    const { token } = signedIn(await scene.signIn(person));
    expect(await rolesOf(token)).toEqual(["owner"]);
    const id = await membership({ person, tenant });
    await admin("PATCH", `/items/baasix_UserRole/${id}`, { role_Id: scene.role("member") });
    expect(await rolesOf(token)).toEqual(["member"]);
    await scene.join(person, ["owner", tenant], ["auditor", null]);
    expect(await rolesOf(token)).toEqual(["member", "owner", "auditor"]);
  });

  test("a socket loses what its roles there may no longer, and closes when the session goes elsewhere", async () => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    const [notes] = await scene.app.data.find(root, "baasix_SchemaDefinition", {
      filter: { collectionName: { eq: "notes" } },
      fields: ["collectionName"],
    });
    if (!notes) {
      const schema = {
        name: "Note",
        fields: {
          id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
          text: { type: "Text" },
        },
      };
      expect((await admin("POST", "/schemas", { collectionName: "notes", schema })).status).toBe(201);
      await scene.app.data.create(root, "baasix_Permission", [
        { role_Id: scene.role("owner"), collection: "notes", action: "read", fields: ["*"] },
      ]);
    }
    const person = await scene.person(["owner", tenant], ["owner", other]);
    const { token } = signedIn(await scene.signIn(person));
    const socket = await openSocket(scene.app.listen(), token);
    const subscription = await socket.subscribe("notes");
    await scene.app.data.create(root, "notes", [
      { text: "of others", tenant_Id: other.id },
      { text: "own", tenant_Id: tenant.id },
    ]);
    expect(await socket.next()).toMatchObject({ type: "change", data: { text: "own" } });
    const id = await membership({ person, tenant });
    await admin("PATCH", `/items/baasix_UserRole/${id}`, { role_Id: scene.role("member") });
    expect(await socket.next()).toMatchObject({ type: "error", code: "FORBIDDEN", subscription });
    signedIn(await go(token, other));
    expect((await socket.closed).code).toBe(4401);
  });

  test("a half-finished sign-in opens nothing in a tenant that was left meanwhile", async () => {
    const tenant = await newTenant();
    const person = await scene.person(["member", tenant]);
    const { token } = signedIn(await scene.signIn(person));
    const made = (await call("/auth/mfa/factors", {}, token)).body as { data: NewMfaFactor };
    const { id, secret } = made.data;
    const codeNow = () =>
      new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + scene.ahead() });
    signedIn(await call(`/auth/mfa/factors/${id}/verify`, { code: codeNow() }, token));
    scene.pass(minute);
    const half = (await scene.signIn(person)).body as { mfaToken: string };
    await scene.leave(person, tenant);
    const answer = await call("/auth/mfa/verify", { mfaToken: half.mfaToken, code: codeNow() });
    expect(refused(answer)).toEqual([403, "Access denied for specified tenant"]);
  });

  test("other instances hear of it", async () => {
    const tenant = await newTenant();
    const person = await scene.person(["member", tenant]);
    const { token } = signedIn(await scene.signIn(person));
    await withConfig({}, async (post) => {
      expect((await post("/auth/switch-tenant", {}, token)).status).toBe(400);
      await scene.leave(person);
      // As soon as the change feed tells: the test's own limit is the bound.
      while ((await post("/auth/switch-tenant", {}, token)).status !== 401) {
        // oxlint-disable-next-line no-await-in-loop
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
});

describe("limits of sessions in a tenant", () => {
  type Row = { readonly mobile?: number | null; readonly roles?: readonly string[] | null };
  const write = async (tenant: Tenant | null, { mobile = null, roles = null }: Row): Promise<Answer> =>
    scene.app.call("POST", "/items/baasix_Settings", {
      token: await scene.admin(),
      body: {
        tenant_Id: tenant?.id ?? null,
        mobile_session_limit: mobile,
        session_limit_roles: roles?.map(scene.role) ?? null,
      },
    });
  const forbidden = "Mobile sessions are not allowed";
  const reached = (limit: number) =>
    `Maximum mobile session limit (${limit}) reached. Please logout from another device.`;

  test.each<[what: string, forAll: Row | null, own: Row | null, told: string | null, after: number]>([
    ["the environment says 2", null, null, reached(2), 2],
    ["the row for all says 1", { mobile: 1 }, null, reached(1), 1],
    ["the tenant says 1", { mobile: 3 }, { mobile: 1 }, reached(1), 1],
    ["the tenant allows more than all others", { mobile: 1 }, { mobile: 3 }, reached(3), 3],
    ["the tenant allows any number", { mobile: 1 }, { mobile: -1 }, null, 4],
    ["the tenant allows none", null, { mobile: 0 }, forbidden, 0],
    [
      "the tenant says nothing of numbers, the environment counts",
      null,
      { roles: ["member"] },
      reached(2),
      2,
    ],
    ["the tenant limits other roles", null, { mobile: 1, roles: ["owner"] }, null, 4],
    ["the tenant limits this role, too", null, { mobile: 1, roles: ["owner", "member"] }, reached(1), 1],
    [
      "the tenant limits all roles, others some",
      { roles: ["owner"] },
      { mobile: 1, roles: [] },
      reached(1),
      1,
    ],
  ])("%s", async (_, forAll, own, told, after) => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    const person = await scene.person(["member", tenant], ["member", other]);
    if (forAll) expect((await write(null, forAll)).status).toBe(201);
    if (own) expect((await write(tenant, own)).status).toBe(201);
    const open = (place: Tenant) => scene.signIn(person, { authType: "mobile", tenant_Id: place.id });
    try {
      const answers = await Promise.all(Array.from({ length: 4 }, () => open(tenant)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(after);
      const refusals = answers.filter(({ status }) => status !== 200).map(refused);
      if (told !== null) for (const one of refusals) expect(one).toEqual([403, told]);
      // Those of another tenant are others, and so is what is no phone.
      signedIn(await scene.signIn(person, { authType: "web", tenant_Id: tenant.id }));
      if (forAll?.mobile !== 0) {
        const phone = signedIn(await open(other));
        const arriving = await go(phone.token, tenant);
        if (told === null) signedIn(arriving);
        else {
          expect(refused(arriving)).toEqual([403, told]);
          expect((await me(phone.token)).tenant).toEqual(other);
        }
      }
    } finally {
      const all = await scene.app.data.find<{ id: string }>(root, "baasix_Settings", {
        fields: ["id"],
        limit: -1,
      });
      await scene.app.data.remove(
        root,
        "baasix_Settings",
        all.map(({ id }) => id),
      );
    }
  });
});

describe("accounts that are made for a tenant", () => {
  let owner: { readonly token: string; readonly tenant: Tenant };
  let other: Tenant;
  beforeAll(async () => {
    const grant = (collection: string, action: string) => ({
      role_Id: scene.role("owner"),
      collection,
      action,
      fields: ["*"],
    });
    await scene.app.data.create(root, "baasix_Permission", [
      ...["create", "read", "update"].map((action) => grant("baasix_User", action)),
      ...["create", "read"].map((action) => grant("baasix_UserRole", action)),
      ...["create", "read", "update"].map((action) => grant("baasix_Settings", action)),
    ]);
    await scene.app.data.update(root, "baasix_Role", [
      { id: scene.role("owner"), data: { canInviteRoleIds: [scene.role("member")] } },
    ]);
    const tenant = await newTenant();
    other = await newTenant();
    const person = await scene.person(["owner", tenant]);
    owner = { token: signedIn(await scene.signIn(person)).token, tenant };
  });

  type Place = "own" | "other" | "none" | "unsaid";
  test.each<[by: "owner" | "administrator", role: string | null, place: Place, status: number, where: Place]>(
    [
      ["administrator", "member", "own", 201, "own"],
      ["administrator", "auditor", "none", 201, "none"],
      ["administrator", "auditor", "unsaid", 201, "none"],
      ["administrator", "member", "unsaid", 400, "none"],
      ["administrator", "auditor", "own", 400, "none"],
      ["administrator", null, "own", 400, "none"],
      ["administrator", null, "unsaid", 201, "unsaid"],
      ["owner", "member", "unsaid", 201, "own"],
      ["owner", "member", "own", 201, "own"],
      ["owner", "member", "other", 403, "none"],
      ["owner", "member", "none", 400, "none"],
      ["owner", "owner", "unsaid", 403, "none"],
      ["owner", "auditor", "unsaid", 400, "none"],
      ["owner", "auditor", "none", 403, "none"],
      ["owner", null, "unsaid", 403, "none"],
    ],
  )("by the %s with the role %s, in %s: %d", async (by, role, place, status, where) => {
    const email = newMail();
    const idOfPlace = (one: Place) => (one === "own" ? owner.tenant.id : one === "other" ? other.id : null);
    const answer = await scene.app.call("POST", "/items/baasix_User", {
      token: by === "owner" ? owner.token : await scene.admin(),
      body: {
        email,
        firstName: "Ada",
        ...(role !== null && { role_Id: scene.role(role) }),
        ...(place !== "unsaid" && { tenant_Id: idOfPlace(place) }),
      },
    });
    expect([answer.status, answer.text]).toEqual([status, expect.any(String)]);
    const id = await idOf("baasix_User", { email: { eq: email } });
    expect(id === null).toBe(status !== 201);
    if (id === null) return;
    const held = await scene.app.data.find<{ role_Id: string; tenant_Id: string | null }>(
      root,
      "baasix_UserRole",
      {
        filter: { user_Id: { eq: id } },
        fields: ["role_Id", "tenant_Id"],
      },
    );
    expect(held).toEqual(
      where === "unsaid" || role === null ? [] : [{ role_Id: scene.role(role), tenant_Id: idOfPlace(where) }],
    );
  });

  test.each<[what: string, method: string, path: (id: string) => string, body: object]>([
    ["sees their sessions", "GET", (id) => `/auth/admin/users/${id}/sessions`, {}],
    ["ends their sessions", "DELETE", (id) => `/auth/admin/users/${id}/sessions`, {}],
    ["takes their factors", "DELETE", (id) => `/auth/admin/users/${id}/factors`, {}],
    ["sets their password", "POST", () => "/auth/admin/password/change", { newPassword: password }],
    ["makes them tokens", "POST", () => "/auth/tokens", { name: "x" }],
  ])("who owns a tenant is no administrator of its members: nobody %s", async (_, method, path, body) => {
    const member = await scene.person(["member", owner.tenant]);
    const more = { userId: member.id, user_Id: member.id, role_Id: scene.role("member") };
    const answer = await scene.app.call(method, path(member.id), {
      token: owner.token,
      ...(method === "POST" && { body: { ...more, ...body } }),
    });
    expect(answer.status).toBe(403);
  });

  test.each<[what: string, write: (id: string, body: object) => readonly [string, string, unknown]]>([
    ["by its key", (id, body) => ["PATCH", `/items/baasix_Settings/${id}`, body]],
    ["many at once", (id, body) => ["PATCH", "/items/baasix_Settings/bulk", [{ id, data: body }]]],
    [
      "by a filter",
      (id, body) => ["PATCH", "/items/baasix_Settings", { filter: { id: { eq: id } }, data: body }],
    ],
    ["as an upsert", (id, body) => ["PUT", "/items/baasix_Settings", { on: ["id"], data: { id, ...body } }]],
    [
      "in a transaction",
      (id, body) => [
        "POST",
        "/transaction",
        { operations: [{ action: "update", collection: "baasix_Settings", id, data: body }] },
      ],
    ],
  ])("where mails lead is written by no owner, %s", async (_, write) => {
    const [made] = await scene.app.data.create(root, "baasix_Settings", [{ tenant_Id: owner.tenant.id }]);
    const id = String(made);
    try {
      const send = (body: object) => {
        const [method, path, sent] = write(id, body);
        return scene.app.call(method, path, { token: owner.token, body: sent });
      };
      // The door is open as such: a colour passes.
      const passed = await send({ project_color: "#123456" });
      expect([passed.status < 300, passed.text]).toEqual([true, expect.any(String)]);
      expect((await send({ app_url: "https://evil.example" })).status).toBe(403);
      const [row] = await scene.app.data.find(root, "baasix_Settings", {
        fields: ["project_color", "app_url"],
      });
      expect(row).toEqual({ project_color: "#123456", app_url: null });
    } finally {
      await scene.app.data.remove(root, "baasix_Settings", [id]);
    }
  });

  test("the words of its mails are written by no owner, whatever a permission says", async () => {
    await scene.app.data.create(root, "baasix_Permission", [
      { role_Id: scene.role("owner"), collection: "baasix_Template", action: "create", fields: ["*"] },
    ]);
    const body = { type: "welcome", subject: "x", body: "x" };
    const answer = await scene.app.call("POST", "/items/baasix_Template", { token: owner.token, body });
    expect(refused(answer)).toEqual([403, "Only administrators write the templates of mails"]);
  });

  test.each<[what: string, body: object, status: number]>([
    ["a name and a colour", { project_name: "Acme & Sons", project_color: "#112233" }, 201],
    ["limits", { mobile_session_limit: 1, session_limit_roles: [] }, 201],
    ["a name that reads as an address", { project_name: "go to evil.example" }, 400],
    ["a name of two lines", { project_name: "a\nb" }, 400],
    ["a colour that is none", { project_color: "red" }, 400],
    ["a limit that is none", { web_session_limit: -2 }, 400],
    ["where mails lead", { app_url: "https://evil.example" }, 403],
    ["the address of the project", { project_url: "https://evil.example" }, 403],
    ["a picture elsewhere", { project_logo_url: "https://evil.example/x.png" }, 403],
  ])("settings of its owner: %s", async (_, body, status) => {
    const answer = await scene.app.call("POST", "/items/baasix_Settings", { token: owner.token, body });
    expect([answer.status, answer.text]).toEqual([status, expect.any(String)]);
    const [row] = await scene.app.data.find<{ id: string; tenant_Id: string }>(root, "baasix_Settings", {
      fields: ["id", "tenant_Id"],
    });
    if (status !== 201) return expect(row).toBeUndefined();
    expect(row?.tenant_Id).toBe(owner.tenant.id);
    await scene.app.data.remove(root, "baasix_Settings", [row?.id ?? ""]);
  });
});

test("without tenants nothing of them is there, and all else is as it was", async () => {
  const app = await testApp();
  try {
    const { token } = await app.signUp("one@example.com");
    const off = [400, "Multi-tenant mode is not enabled"] as const;
    expect(refused(await app.call("GET", "/auth/tenants", { token }))).toEqual(off);
    const body = { name: "x", tenant_Id: crypto.randomUUID() };
    for (const path of ["/auth/tenants", "/auth/switch-tenant"])
      // oxlint-disable-next-line no-await-in-loop
      expect(refused(await app.call("POST", path, { token, body }))).toEqual(off);
    const founding = { email: "two@example.com", password, firstName: "Ada", tenant: { name: "x" } };
    expect(refused(await app.call("POST", "/auth/register", { body: founding }))).toEqual(off);
    const named = { email: "one@example.com", password, tenant_Id: crypto.randomUUID() };
    const result = signedIn(await app.call("POST", "/auth/login", { body: named }));
    expect([result.tenant, result.role?.name]).toEqual([null, "user"]);
    const made = await app.call("POST", "/items/baasix_User", {
      token: app.admin,
      body: { email: "three@example.com", firstName: "Ada", tenant_Id: crypto.randomUUID() },
    });
    expect(made.status).toBe(400);
    const program = { name: "x", role_Id: result.role?.id, tenant_Id: crypto.randomUUID() };
    expect(refused(await app.call("POST", "/auth/tokens", { token: app.admin, body: program }))).toEqual([
      400,
      "tenant_Id: there are no tenants here",
    ]);
  } finally {
    await app.close();
  }
});
