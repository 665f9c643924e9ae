/** Who is invited where registration is closed, and comes by a provider: with and without tenants. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Answer } from "../../testing/app";
import { openOAuthScene, type OAuthScene } from "../../testing/oauth";

setDefaultTimeout(30_000);

type Body = Record<string, unknown>;
const dataOf = <T>({ body }: Answer) => (body as { data: T }).data;
const closed = "Registration is closed; ask an administrator for an account";

describe.each([
  ["without tenants", false],
  ["with tenants", true],
] as const)("%s", (_mode, tenants) => {
  let scene: OAuthScene;
  let role_Id = "";
  let tenant_Id: string | null = null;
  let people = 0;

  const call = (method: string, path: string, body?: unknown, token = scene.app.admin) =>
    scene.app.call(method, path, { token, ...(body !== undefined && { body }) });
  beforeAll(async () => {
    scene = await openOAuthScene({
      env: {
        PUBLIC_REGISTRATION: "false",
        MULTI_TENANT: String(tenants),
        AUTH_APP_URL: "https://app.example.com",
      },
    });
    role_Id = dataOf<{ id: string }>(await call("POST", "/items/baasix_Role", { name: "member" })).id;
    if (tenants)
      tenant_Id = dataOf<{ id: string }>(await call("POST", "/items/baasix_Tenant", { name: "Home Ltd" })).id;
  });
  afterAll(() => scene.close());

  const invite = async (email: string): Promise<string> => {
    const answer = await call("POST", "/auth/admin/links", { type: "invite", email, role_Id, tenant_Id });
    return dataOf<{ token: string }>(answer).token;
  };
  const comeIn = async (email: string, email_verified: boolean): Promise<Answer> => {
    const name = `person${++people}`;
    scene.oidc.people.set(name, { email, email_verified });
    const back = await scene.signIn(name);
    const token = back.url.searchParams.get("token");
    return scene.app.call("POST", "/auth/social/exchange", { body: { token } });
  };
  const refused = ({ status, body }: Answer) => [status, (body as Body).message];

  test("an invited address that the provider has confirmed comes in", async () => {
    const email = "ann@example.com";
    const token = await invite(email);
    const answer = await comeIn(email, true);
    expect(answer.body).toMatchObject({
      user: { email },
      roles: tenants ? [] : [{ name: "member" }],
      tenant: null,
    });
    const { token: session } = answer.body as { token: string };
    const accepted = await call("POST", "/auth/accept-invite", { inviteToken: token }, session);
    // Without tenants it was accepted by coming in; with them the mail says to which.
    if (tenants)
      expect(accepted.body).toMatchObject({ roles: [{ name: "member" }], tenant: { name: "Home Ltd" } });
    else expect(refused(accepted)).toEqual([400, "Invalid or expired invitation"]);
  });

  test("an address that is not invited, not confirmed, or invited no more does not", async () => {
    expect(refused(await comeIn("nobody@example.com", true))).toEqual([403, closed]);
    const email = "bob@example.com";
    await invite(email);
    expect((await comeIn(email, false)).status).toBe(403);
    const [sent] = dataOf<{ id: string }[]>(await call("GET", "/auth/invites?status=pending"));
    await call("DELETE", `/auth/invites/${sent?.id}`);
    expect(refused(await comeIn(email, true))).toEqual([403, closed]);
    const found = await call(
      "GET",
      `/items/baasix_User?filter=${encodeURIComponent('{"email":{"in":["bob@example.com","nobody@example.com"]}}')}`,
    );
    expect(dataOf<unknown[]>(found)).toEqual([]);
  });

  test("of many first sign-ins at once one makes the account", async () => {
    const email = "eve@example.com";
    await invite(email);
    scene.oidc.people.set("eve", { email, email_verified: true });
    const backs = [];
    for (let i = 0; i < 8; i++) backs.push(await scene.signIn("eve"));
    const answers = await Promise.all(
      backs.map(({ url }) =>
        scene.app.call("POST", "/auth/social/exchange", { body: { token: url.searchParams.get("token") } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const found = await call(
      "GET",
      `/items/baasix_User?filter[email]=${email}&fields=email,userRoles.role.name`,
    );
    expect(dataOf<unknown[]>(found)).toMatchObject([
      { email, userRoles: tenants ? [] : [{ role: { name: "member" } }] },
    ]);
  });
});
