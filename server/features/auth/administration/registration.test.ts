/** Who may register, as what, and what nobody may say of themselves: by the operator's settings. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readConfig } from "../../../config";
import { system } from "../../../core/access/actor";
import { type TestApp, testApp } from "../../../testing/app";

setDefaultTimeout(30_000);

const root = system("the test prepares roles and looks at accounts");
const email = "ann@example.com";
const body = { email, password: "a good password", firstName: "Ann" };
const open: TestApp[] = [];
afterAll(async () => {
  for (const app of open) await app.close();
});

async function server(env: Record<string, string>): Promise<TestApp> {
  const app = await testApp({
    env: { AUTH_APP_URL: "https://app.example.com", ...env },
    sendMail: async () => {},
  });
  open.push(app);
  await app.data.create(root, "baasix_Role", [{ name: "writer" }]);
  return app;
}

type Body = Record<string, unknown>;
const shown = (answer: unknown) => {
  const { message, token, requiresEmailVerification, role } = answer as Body;
  return {
    message,
    signedIn: token !== undefined,
    pending: requiresEmailVerification === true,
    role: (role as { name: string } | undefined)?.name,
  };
};

const closed = "Registration is closed; ask an administrator for an account";
const pending = "User registered successfully. Please verify your email to login.";
const done = "User registered successfully";

test.each<readonly [Record<string, string>, invited: boolean, number, Body]>([
  [{}, false, 200, { message: done, signedIn: true, pending: false, role: "user" }],
  [
    { DEFAULT_ROLE_REGISTERED: "writer" },
    false,
    200,
    { message: done, signedIn: true, pending: false, role: "writer" },
  ],
  [{ PUBLIC_REGISTRATION: "false" }, false, 403, { message: closed, signedIn: false, pending: false }],
  [
    { PUBLIC_REGISTRATION: "false" },
    true,
    200,
    { message: done, signedIn: true, pending: false, role: "writer" },
  ],
  [
    { REQUIRE_EMAIL_VERIFICATION: "true" },
    false,
    200,
    { message: pending, signedIn: false, pending: true, role: "user" },
  ],
  // The link of the invitation was handed over: the mail has yet to be confirmed.
  [
    { REQUIRE_EMAIL_VERIFICATION: "true" },
    true,
    200,
    { message: pending, signedIn: false, pending: true, role: "writer" },
  ],
  [
    { PUBLIC_REGISTRATION: "false", REQUIRE_EMAIL_VERIFICATION: "true" },
    false,
    403,
    { message: closed, signedIn: false, pending: false },
  ],
  [
    { DEFAULT_ROLE_REGISTERED: "gone" },
    false,
    500,
    {
      message: "The role of new accounts does not exist; an administrator must make it",
      signedIn: false,
      pending: false,
    },
  ],
])("under %j, invited: %p", async (env, invited, status, expected) => {
  const app = await server(env);
  const [writer] = await app.data.find<{ id: string }>(root, "baasix_Role", {
    filter: { name: { eq: "writer" } },
    fields: ["id"],
  });
  const link = { type: "invite", email, role_Id: writer?.id };
  const made = await app.call("POST", "/auth/admin/links", { token: app.admin, body: link });
  const { token: inviteToken } = (made.body as { data: { token: string } }).data;
  const answer = await app.call("POST", "/auth/register", {
    body: { ...body, ...(invited && { inviteToken }) },
  });
  expect([answer.status, shown(answer.body)]).toEqual([status, { role: undefined, ...expected } as never]);
  await app.errands.idle();
  const found = await app.data.find<Body>(root, "baasix_User", {
    filter: { email: { eq: email } },
    fields: ["status", "emailVerified"],
  });
  expect(found).toEqual(status === 200 ? [{ status: "active", emailVerified: false }] : []);
});

describe("what nobody says of themselves", () => {
  let app: TestApp | undefined;
  test.each([
    ["role", "administrator"],
    ["roleName", "administrator"],
    ["role_Id", "00000000-0000-4000-8000-000000000000"],
    ["userRoles", [{ role: { name: "administrator" } }]],
    ["status", "active"],
    ["emailVerified", true],
    ["appMetadata", {}],
    ["userMetadata", {}],
    ["tenant_Id", "00000000-0000-4000-8000-000000000000"],
    ["id", "00000000-0000-4000-8000-000000000000"],
    ["isAdmin", true],
  ])("%s", async (field, value) => {
    app ??= await server({});
    const answer = await app.call("POST", "/auth/register", { body: { ...body, [field]: value } });
    expect([answer.status, (answer.body as Body).message]).toEqual([
      400,
      `${field}: '${field}' cannot be set here`,
    ]);
  });
});

test.each(["administrator", "public"])("DEFAULT_ROLE_REGISTERED=%j stops the start", (name) => {
  expect(() => readConfig({ DEFAULT_ROLE_REGISTERED: name })).toThrow("DEFAULT_ROLE_REGISTERED");
});
