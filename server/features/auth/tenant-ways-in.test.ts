/** Every way in × the tenant that is asked for: where the session acts, and with which roles. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ApiToken, MeResult, MfaRequired, NewMfaFactor, SessionInfo, Tenant } from "@baasix/types";
import { decodeJwt } from "jose";
import { Secret, TOTP } from "otpauth";
import type { Answer } from "../../testing/app";
import { appPage } from "../../testing/oauth";
import {
  openTenantScene,
  password,
  type Person,
  refused,
  signedIn,
  type TenantScene,
} from "../../testing/tenant-scene";

setDefaultTimeout(30_000);

let scene: TenantScene;
let tenants: Readonly<Record<"first" | "second" | "foreign", Tenant>>;
let now: () => number;
let ahead = 0;

beforeAll(async () => {
  scene = await openTenantScene();
  tenants = {
    first: await scene.tenant("First"),
    second: await scene.tenant("Second"),
    foreign: await scene.tenant("Foreign"),
  };
  now = () => Date.now() + ahead;
});
afterAll(() => scene.close());

const call = (path: string, body: unknown, token?: string): Promise<Answer> =>
  scene.app.call("POST", path, { body, ...(token !== undefined && { token }) });
const get = (path: string, token?: string): Promise<Answer> =>
  scene.app.call("GET", path, token === undefined ? {} : { token });
const me = async (token: string): Promise<MeResult> => (await get("/auth/me", token)).body as MeResult;
const pass = (ms: number): void => {
  ahead += ms;
  scene.pass(ms);
};
const idToken = (person: Person) =>
  scene.oauth.oidc.sign({
    iss: scene.oauth.oidc.issuer,
    aud: "baasix",
    iat: Math.floor(now() / 1000),
    exp: Math.floor(now() / 1000) + 300,
    jti: crypto.randomUUID(),
    sub: person.id,
    email: person.email,
    email_verified: true,
  });
const mailed = async (path: string, body: object) => {
  const answer = await call(path, body);
  if (answer.status !== 200) throw new Error(answer.text);
  await scene.app.errands.idle();
  await scene.app.mail.run();
  return scene.nextMail();
};
const codeOf = (secret: string): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: now() });

/** A way in: `asked` is spread into what says who is asked for, and how. */
type Way = (person: Person, asked: { tenant_Id?: string | null; authType?: string }) => Promise<Answer>;

const ways: Readonly<Record<string, Way>> = {
  "mail address and password": (person, asked) => scene.signIn(person, asked),
  username: async (person, asked) => {
    const username = `name${person.id.slice(0, 8)}`;
    await scene.app.call("PATCH", `/items/baasix_User/${person.id}`, {
      token: await scene.admin(),
      body: { username },
    });
    return call("/auth/login", { username, password, ...asked });
  },
  "magic link": async (person, asked) => {
    const { token } = await mailed("/auth/magiclink", { email: person.email });
    return call("/auth/magiclink/verify", { token, ...asked });
  },
  "magic link that is followed": async (person, asked) => {
    const { token } = await mailed("/auth/magiclink", { email: person.email });
    const query = new URLSearchParams(
      Object.entries(asked).flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])),
    );
    return get(`/auth/magiclink/${token}?${query}`);
  },
  "mailed code of letters": async (person, asked) => {
    const { code } = await mailed("/auth/magiclink", { email: person.email, mode: "code" });
    return call("/auth/magiclink/verify", { email: person.email, code, ...asked });
  },
  "mailed code of digits": async (person, asked) => {
    const { code } = await mailed("/auth/otp", { email: person.email });
    return call("/auth/otp/verify", { email: person.email, code, ...asked });
  },
  "ID token of a provider": async (person, asked) =>
    call("/auth/social/signin", { provider: "acme", idToken: { token: await idToken(person) }, ...asked }),
  "provider, asked for at the end": async (person, asked) => {
    scene.oauth.oidc.people.set(person.id, { email: person.email, email_verified: true });
    const back = await scene.oauth.signIn(person.id);
    return call("/auth/social/exchange", { token: back.url.searchParams.get("token"), ...asked });
  },
  "provider, asked for at the start": async (person, { tenant_Id, ...asked }) => {
    scene.oauth.oidc.people.set(person.id, { email: person.email, email_verified: true });
    const query = { redirect_url: appPage, ...(typeof tenant_Id === "string" && { tenant_Id }) };
    const back = await scene.oauth.signIn(person.id, { query });
    return call("/auth/social/exchange", { token: back.url.searchParams.get("token"), ...asked });
  },
  "second factor": async (person, asked) => {
    const { token } = signedIn(await scene.signIn(person));
    const made = await call("/auth/mfa/factors", {}, token);
    const { id, secret } = (made.body as { data: NewMfaFactor }).data;
    const proven = await call(`/auth/mfa/factors/${id}/verify`, { code: codeOf(secret) }, token);
    // The new session stays where the one before it was.
    expect(signedIn(proven).tenant).toEqual((await me(signedIn(proven).token)).tenant);
    pass(60_000);
    const half = await scene.signIn(person, asked);
    const { mfaToken, mfaRequired } = half.body as MfaRequired;
    if (!mfaRequired) return half;
    return call("/auth/mfa/verify", { mfaToken, code: codeOf(secret) });
  },
};

describe.each(Object.keys(ways))("%s", (name) => {
  const way = (person: Person, asked: Parameters<Way>[1]): Promise<Answer> =>
    ways[name]?.(person, asked) ?? Promise.reject(new Error(name));

  test.each<[asked: keyof typeof tenants | "no" | "null", leads: "first" | "second"]>([
    ["no", "first"],
    ["null", "first"],
    ["first", "first"],
    ["second", "second"],
  ])("%s tenant is asked for: it leads to the %s", async (asked, leads) => {
    const person = await scene.person(
      ["member", tenants.first],
      ["owner", tenants.second],
      ["auditor", null],
    );
    const tenant_Id = asked === "null" ? null : asked === "no" ? undefined : tenants[asked].id.toUpperCase();
    const result = signedIn(
      await way(person, { ...(tenant_Id !== undefined && { tenant_Id }), authType: "mobile" }),
    );
    const roles = leads === "first" ? ["member", "auditor"] : ["owner", "auditor"];
    expect(result.tenant).toEqual(tenants[leads]);
    expect(result.roles.map((role) => role.name)).toEqual(roles);
    expect(result.role?.name).toBe(roles[0]);
    const mine = await me(result.token);
    expect([mine.tenant, mine.roles.map((role) => role.name)]).toEqual([tenants[leads], roles]);
    const sessions = (await get("/auth/sessions", result.token)).body as { data: SessionInfo[] };
    expect(sessions.data.find(({ current }) => current)).toMatchObject({
      tenant_Id: tenants[leads].id,
      type: "mobile",
    });
    // No claim says where it acts: the session does.
    expect(JSON.stringify(decodeJwt(result.token))).not.toContain(tenants[leads].id);
    // And it stays there when its tokens are renewed.
    const renewed = await call("/auth/refresh", { refreshToken: result.refreshToken });
    expect((await me(signedIn(renewed).token)).tenant).toEqual(tenants[leads]);
  });

  test("a tenant of others and one that there is not are refused alike", async () => {
    const answers = [];
    for (const tenant_Id of [tenants.foreign.id, crypto.randomUUID(), "nowhere"]) {
      const person = await scene.person(["member", tenants.first]);
      // oxlint-disable-next-line no-await-in-loop
      answers.push(refused(await way(person, { tenant_Id })));
    }
    expect(new Set(answers.map(String))).toEqual(new Set(["403,Access denied for specified tenant"]));
  });
});

describe("where an account comes in", () => {
  const cases: readonly (readonly [
    what: string,
    held: readonly (readonly [role: string, tenant: "first" | "second" | null])[],
    tenant: "first" | "second" | null,
    roles: readonly string[],
  ])[] = [
    ["without any membership: nowhere, to found a tenant or be invited", [], null, []],
    ["with a role of tenants that is held in none: as without", [["member", null]], null, []],
    ["with a role beyond tenants: in none", [["auditor", null]], null, ["auditor"]],
    ["with a role beyond tenants that is held in one: as without", [["auditor", "first"]], null, []],
    [
      "the oldest membership counts",
      [
        ["auditor", null],
        ["member", "first"],
      ],
      null,
      ["auditor"],
    ],
    [
      "what gives nothing is passed over",
      [
        ["member", null],
        ["auditor", "second"],
        ["member", "first"],
      ],
      "first",
      ["member"],
    ],
    [
      "all roles of the tenant count there, the oldest first",
      [
        ["owner", "first"],
        ["member", "second"],
        ["member", "first"],
      ],
      "first",
      ["owner", "member"],
    ],
  ];
  test.each(cases)("%s", async (_, held, tenant, roles) => {
    const person = await scene.person(
      ...held.map(([role, place]) => [role, place === null ? null : tenants[place]] as const),
    );
    const result = signedIn(await scene.signIn(person));
    expect(result.tenant).toEqual(tenant === null ? null : tenants[tenant]);
    expect(result.roles.map((role) => role.name)).toEqual([...roles]);
    expect(result.role?.name ?? null).toBe(roles[0] ?? null);
    expect((await me(result.token)).roles.map((role) => role.name)).toEqual([...roles]);
    expect((await call("/auth/refresh", { refreshToken: result.refreshToken })).status).toBe(200);
  });

  test("only through roles that may be used from its address", async () => {
    const [id] = await scene.app.data.create({ kind: "system", reason: "a test" }, "baasix_Role", [
      { name: "indoors", ipWhitelist: ["192.0.2.1"] },
    ]);
    const both = await scene.person([String(id), tenants.first], ["member", tenants.second]);
    expect(signedIn(await scene.signIn(both)).tenant).toEqual(tenants.second);
    const there = await scene.signIn(both, { tenant_Id: tenants.first.id });
    expect(refused(there)).toEqual([403, "None of your roles may be used from this address"]);
  });

  test("the tenant is told to nobody who has not proven who it is", async () => {
    const person = await scene.person(["member", tenants.first]);
    const wrong = await call("/auth/login", {
      email: person.email,
      password: "not the password",
      tenant_Id: tenants.foreign.id,
    });
    expect(refused(wrong)).toEqual([400, "Incorrect password."]);
  });
});

describe("an API token", () => {
  const tokens = async (body: object, token?: string) =>
    call("/auth/tokens", { name: "a program", ...body }, token ?? (await scene.admin()));
  const made = (answer: Answer) => (answer.body as { data: ApiToken & { token: string } }).data;

  test.each<[role: string, place: "first" | null, status: number, message: string]>([
    ["member", "first", 201, ""],
    ["auditor", null, 201, ""],
    ["member", null, 400, "tenant_Id: the role counts within a tenant: say in which"],
    ["auditor", "first", 400, "tenant_Id: the role sees all tenants, and acts in none"],
  ])("of a service account with %s in %s: %d %s", async (role, place, status, message) => {
    const tenant_Id = place && tenants[place].id;
    const answer = await tokens({ role_Id: scene.role(role), tenant_Id });
    if (status !== 201) return expect(refused(answer)).toEqual([status, message]);
    const { token, ...told } = made(answer);
    expect(told.tenant_Id).toBe(tenant_Id);
    const mine = await me(token);
    expect([mine.tenant, mine.roles.map(({ name }) => name)]).toEqual([place && tenants[place], [role]]);
    expect((await get("/auth/tenants", token)).status).toBe(403);
    expect((await call("/auth/switch-tenant", { tenant_Id: tenants.first.id }, token)).status).toBe(403);
    expect((await call("/auth/tenants", { name: "Of a program" }, token)).status).toBe(403);
  });

  test("of a person: in a tenant where it has the role, as long as it has it there", async () => {
    const person = await scene.person(["member", tenants.first], ["owner", tenants.second]);
    const wanted = { user_Id: person.id, role_Id: scene.role("member") };
    expect(refused(await tokens({ ...wanted, tenant_Id: tenants.second.id }))).toEqual([
      400,
      "role_Id: the account does not have this role there",
    ]);
    expect(refused(await tokens({ ...wanted, tenant_Id: crypto.randomUUID() }))).toEqual([
      400,
      "tenant_Id: there is no such tenant",
    ]);
    const { token, id } = made(await tokens({ ...wanted, tenant_Id: tenants.first.id }));
    expect((await me(token)).tenant).toEqual(tenants.first);
    await scene.leave(person, tenants.first);
    expect((await get("/auth/me", token)).status).toBe(401);
    await scene.join(person, ["owner", tenants.first]);
    expect((await get("/auth/me", token)).status).toBe(401);
    expect(
      (await scene.app.call("DELETE", `/auth/tokens/${id}`, { token: await scene.admin() })).status,
    ).toBe(200);
  });

  test("is made by administrators of the whole alone", async () => {
    const owner = await scene.person(["owner", tenants.first]);
    const { token } = signedIn(await scene.signIn(owner));
    const wanted = { role_Id: scene.role("member"), tenant_Id: tenants.first.id };
    expect((await tokens(wanted, token)).status).toBe(403);
  });
});
