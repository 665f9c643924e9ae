/** Links that administrators hand over: every kind does what the mail's does, nothing is mailed, and the audit log tells of it. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { system } from "../../../core/access/actor";
import { type Answer, type TestApp, testAdmin, testApp } from "../../../testing/app";

setDefaultTimeout(30_000);

const root = system("the test looks at what is kept");
const password = "a good password";
const link = "https://app.example.com";
const minute = 60_000;
const mails: string[] = [];
let app: TestApp;
let role = "";
let people = 0;
/** Added to the present: the clock of the app. */
let ahead = 0;

beforeAll(async () => {
  app = await testApp({
    env: {
      AUTH_APP_URL: `${link},https://other.example.com`,
      PUBLIC_REGISTRATION: "false",
      ACCESS_TOKEN_EXPIRES_IN: "86400",
    },
    now: () => Date.now() + ahead,
    sendMail: async ({ to }) => void mails.push(JSON.stringify(to)),
  });
  role = await app.roleId("user");
});
afterAll(() => app.close());
beforeEach(() => {
  ahead = 0;
});

type Link = { type: string; email: string; url: string; token: string; expiresAt: string };
const told = ({ status, body }: Answer) => [status, (body as { message?: string } | null)?.message];
const post = (path: string, body: unknown, token?: string) =>
  app.call("POST", path, { body, ...(token !== undefined && { token }) });
const ask = (body: object, token = app.admin) => post("/auth/admin/links", body, token);
const newMail = () => `person${++people}@example.com`;
const account = async (more: object = {}) => {
  const email = newMail();
  const body = { email, password, firstName: "Ada", role_Id: role, ...more };
  const made = await post("/items/baasix_User", body, app.admin);
  return { email, id: (made.body as { data: { id: string } }).data.id };
};
const linkFor = async (type: string, email: string, more: object = {}): Promise<Link> => {
  const answer = await ask({ type, email, ...more });
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([201, "no-store"]);
  return (answer.body as { data: Link }).data;
};
const userOf = async (id: string) =>
  (
    await app.data.find<{ emailVerified: boolean }>(root, "baasix_User", {
      filter: { id: { eq: id } },
      fields: ["emailVerified"],
    })
  )[0];

test("a link to sign in with, once", async () => {
  const { email, id } = await account();
  const made = await linkFor("magic-link", ` ${email.toUpperCase()} `);
  expect(made).toMatchObject({ type: "magic-link", email, url: `${link}/auth/magiclink/${made.token}` });
  expect(Math.abs(Date.parse(made.expiresAt) - Date.now() - 15 * minute)).toBeLessThan(minute);
  const signedIn = await post("/auth/magiclink/verify", { token: made.token });
  expect(signedIn.body).toMatchObject({ user: { id, email } });
  // Nobody mailed it: what opens the account stays, and the address is as it was.
  expect(await userOf(id)).toEqual({ emailVerified: false });
  expect((await post("/auth/login", { email, password })).status).toBe(200);
  expect(told(await post("/auth/magiclink/verify", { token: made.token }))).toEqual([
    400,
    "Invalid or expired token",
  ]);
});

test("a link to choose a password", async () => {
  const { email, id } = await account();
  const made = await linkFor("password-reset", email, { link: "https://other.example.com" });
  expect(made.url).toBe(`https://other.example.com/auth/reset-password/${made.token}`);
  expect(
    (await post("/auth/reset-password", { token: made.token, password: "another password" })).status,
  ).toBe(200);
  expect((await post("/auth/login", { email, password: "another password" })).status).toBe(200);
  expect(await userOf(id)).toEqual({ emailVerified: false });
});

test("a link that confirms the address", async () => {
  const { email, id } = await account();
  const made = await linkFor("email-verification", email);
  expect(made.url).toBe(`${link}/auth/verify-email/${made.token}`);
  expect((await app.call("GET", `/auth/email/verify/${made.token}`)).status).toBe(200);
  expect(await userOf(id)).toEqual({ emailVerified: true });
  expect(told(await ask({ type: "email-verification", email }))).toEqual([
    409,
    "The address of this account is confirmed already",
  ]);
});

test("an invitation, which proves no address as nobody mailed it", async () => {
  const email = newMail();
  const made = await linkFor("invite", email, { role_Id: role });
  expect(made.url).toBe(`${link}/accept-invite?token=${made.token}`);
  const body = { email, password, firstName: "New", inviteToken: made.token };
  const registered = await post("/auth/register", body);
  expect(registered.body).toMatchObject({ user: { email }, role: { name: "user" } });
  expect(await userOf((registered.body as { user: { id: string } }).user.id)).toEqual({
    emailVerified: false,
  });

  const ann = await account();
  const { token } = (await post("/auth/login", { email: ann.email, password })).body as { token: string };
  const invited = await linkFor("invite", ann.email, { role_Id: role });
  expect(invited.url).toBe(`${link}/accept-invite?token=${invited.token}&existing=true`);
  expect((await post("/auth/accept-invite", { inviteToken: invited.token }, token)).status).toBe(200);
  expect(await userOf(ann.id)).toEqual({ emailVerified: false });
});

test("nothing is mailed, a newer link ends the one before, and neither is kept", async () => {
  const { email, id } = await account();
  const [older, newer] = [await linkFor("magic-link", email), await linkFor("magic-link", email)];
  await app.errands.idle();
  await app.mail.run();
  expect(mails).toEqual([]);
  expect((await post("/auth/magiclink/verify", { token: older.token })).status).toBe(400);
  const entries = await app.data.find<{ userId: string; type: string; changes: { after: object } }>(
    root,
    "baasix_AuditLog",
    {
      filter: { AND: [{ entity: { eq: "baasix_Verification" } }, { entityId: { eq: id } }] },
      fields: ["type", "userId", "action", "changes", "ipaddress"],
      sort: ["id"],
    },
  );
  const entry = {
    type: "auth",
    userId: expect.any(String),
    action: "create",
    ipaddress: "127.0.0.1",
    changes: { before: null, after: { type: "magic-link", email, expiresAt: expect.any(String) } },
  };
  expect(entries as unknown[]).toEqual([entry, entry]);
  const kept = JSON.stringify(
    await app.data.find(root, "baasix_Verification", { fields: ["*", "value", "data"], limit: -1 }),
  );
  for (const { token } of [older, newer]) expect(kept + JSON.stringify(entries)).not.toContain(token);
});

describe("refused", () => {
  test.each<readonly [string, () => Promise<Answer>, readonly (string | number)[]]>([
    [
      "nobody",
      () => post("/auth/admin/links", { type: "magic-link", email: "a@example.com" }),
      [401, "Unauthorized"],
    ],
    [
      "a user",
      async () => {
        const { email } = await account();
        const { token } = (await post("/auth/login", { email, password })).body as { token: string };
        return ask({ type: "magic-link", email }, token);
      },
      [403, "Access denied. Administrators only."],
    ],
    [
      "a program of an administrator",
      async () => {
        const { user } = (await app.call("GET", "/auth/me", { token: app.admin })).body as {
          user: { id: string };
        };
        const role_Id = await app.roleId("administrator");
        const made = await post("/auth/tokens", { name: "p", role_Id, user_Id: user.id }, app.admin);
        const { token } = (made.body as { data: { token: string } }).data;
        return ask({ type: "magic-link", email: testAdmin.email }, token);
      },
      [403, "An API token may not do this; sign in instead"],
    ],
    [
      "a stale session",
      async () => {
        const token = await app.login(testAdmin.email, testAdmin.password);
        ahead = 15 * minute;
        return ask({ type: "magic-link", email: newMail() }, token);
      },
      [
        403,
        "Confirm who you are (POST /auth/reauthenticate, or sign in again): the last proof is more than 15 minutes old",
      ],
    ],
    [
      "an address without an account",
      () => ask({ type: "password-reset", email: newMail() }),
      [404, "User not found"],
    ],
    [
      "a service account",
      async () => {
        const made = await post("/auth/tokens", { name: "p", role_Id: role }, app.admin);
        const { user_Id } = (made.body as { data: { user_Id: string } }).data;
        const user = await app.call("GET", `/items/baasix_User/${user_Id}`, { token: app.admin });
        return ask({ type: "magic-link", email: (user.body as { data: { email: string } }).data.email });
      },
      [404, "User not found"],
    ],
    [
      "a suspended account",
      async () => ask({ type: "magic-link", email: (await account({ status: "suspended" })).email }),
      [403, "Account is suspended"],
    ],
    [
      "another place",
      () => ask({ type: "magic-link", email: newMail(), link: "https://evil.example.com" }),
      [400, "Invalid link"],
    ],
    [
      "an invitation without a role",
      () => ask({ type: "invite", email: newMail() }),
      [400, "role_Id: an invitation gives a role"],
    ],
    [
      "no address",
      () => ask({ type: "magic-link", email: "nobody" }),
      [400, "email: not a valid mail address"],
    ],
  ])("%s", async (_who, call, expected) => {
    expect(told(await call())).toEqual(expected as (string | number)[]);
  });

  test("an unknown kind", async () => {
    expect((await ask({ type: "otp", email: newMail() })).status).toBe(400);
  });
});
