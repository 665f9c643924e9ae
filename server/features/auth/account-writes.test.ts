/** Accounts that administrators make and change through the doors to items. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { system } from "../../core/access/actor";
import { type Answer, type TestApp, testApp } from "../../testing/app";

setDefaultTimeout(30_000);

const root = system("the test looks at what is kept");
const password = "a good password";
let app: TestApp;
let people = 0;
let userRole = "";
/** Added to the present: the clock of the app. */
let ahead = 0;

beforeAll(async () => {
  app = await testApp({ now: () => Date.now() + ahead });
  const roles = await app.data.find<{ id: string }>(root, "baasix_Role", {
    filter: { name: { eq: "user" } },
    fields: ["id"],
  });
  userRole = roles[0]?.id ?? "";
});
afterAll(() => app.close());

const newMail = () => `Made${++people}@Example.com`;
const write = (method: string, path: string, body: unknown, token = app.admin) =>
  app.call(method, path, { body, token });
const login = (email: string, given = password) =>
  app.call("POST", "/auth/login", { body: { email, password: given } });
const shown = ({ status, body }: Answer) => [
  status,
  (body as { error?: { message?: string } } | null)?.error?.message,
];
const userOf = async (email: string) => {
  const found = await app.data.find<{ id: string; email: string; emailVerified: boolean }>(
    root,
    "baasix_User",
    {
      filter: { email: { eq: email } },
      fields: ["*"],
    },
  );
  return found[0];
};

type NewUser = { readonly role_Id: string; readonly [field: string]: unknown };
/** Every door that makes an item; each gets a body for an account with a password and a role. */
const doors: readonly (readonly [string, (body: NewUser) => Promise<Answer>])[] = [
  ["one item", (body) => write("POST", "/items/baasix_User", body)],
  [
    "a bulk",
    (body) => write("POST", "/items/baasix_User/bulk", [body, { email: newMail(), firstName: "Other" }]),
  ],
  ["an upsert by address", (body) => write("PUT", "/items/baasix_User", { on: "email", data: body })],
  [
    "a transaction",
    (body) =>
      write("POST", "/transaction", {
        operations: [{ action: "create", collection: "baasix_User", data: body }],
      }),
  ],
  [
    "an upsert by filter",
    (body) => write("PUT", "/items/baasix_User", { filter: { email: { eq: body.email } }, data: body }),
  ],
  ["an import of JSON", (body) => write("POST", "/items/baasix_User/import-json", [body])],
  [
    "its membership, which holds it",
    ({ role_Id, ...user }) => write("POST", "/items/baasix_UserRole", { role_Id, user }),
  ],
  [
    "a body that holds its membership",
    ({ role_Id, ...user }) => write("POST", "/items/baasix_User", { ...user, userRoles: [{ role_Id }] }),
  ],
];
describe("an account that is made with a password", () => {
  test.each(doors)("through %s signs in, and the password is nowhere", async (_, make) => {
    const email = newMail();
    const username = `Made.${people}`;
    const secret = `a secret ${people} of this test`;
    const made = await make({
      email,
      firstName: "Ada",
      username,
      password: secret,
      role_Id: userRole,
    });
    if (made.status >= 300) throw new Error(`${made.status} ${made.text}`);
    const row = await userOf(email);
    expect(row).toMatchObject({
      email: email.toLowerCase(),
      username: username.toLowerCase(),
      emailVerified: false,
    } as never);
    expect(row).not.toHaveProperty("password");
    expect((await login(email, secret)).status).toBe(200);
    const byName = { username, password: secret };
    expect((await app.call("POST", "/auth/login", { body: byName })).status).toBe(200);
    const kept = JSON.stringify([
      await app.data.find(root, "baasix_AuditLog", {
        fields: ["*"],
        limit: -1,
        filter: { entity: { eq: "baasix_User" } },
      }),
      await app.data.find(root, "baasix_Account", { fields: ["*", "password"], limit: -1 }),
    ]);
    expect(kept).not.toContain(secret);
    expect(kept).toContain("$argon2id$");
    expect(made.text).not.toContain("argon2");
  });

  const refused: readonly (readonly [string, object, number, string])[] = [
    ["too short", { password: "short" }, 400, "Password must be at least 8 characters"],
    ["no text", { password: 12345678 }, 400, "Validation failed: password: expected text"],
    ["a role that is not there", { password, role_Id: crypto.randomUUID() }, 409, "role_Id"],
  ];
  test.each(refused)("is refused: %s, and nothing of it stays", async (_, more, status, message) => {
    const email = newMail();
    const answer = await write("POST", "/items/baasix_User", { email, firstName: "Ada", ...more });
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(message);
    expect(await userOf(email)).toBeUndefined();
  });

  test("is for administrators, whatever right others have", async () => {
    const grant = { role_Id: userRole, collection: "baasix_User", fields: ["*"] };
    for (const action of ["create", "update", "read"])
      expect((await write("POST", "/permissions", { ...grant, action })).status).toBe(201);
    const { token, id } = await app.signUp(newMail());
    const user = (body: object) =>
      write("POST", "/items/baasix_User", { email: newMail(), firstName: "Ada", ...body }, token);
    expect((await user({})).status).toBe(201);
    expect(shown(await user({ password }))).toEqual([
      403,
      "password: only administrators give accounts their passwords",
    ]);
    expect((await user({ role_Id: userRole })).status).toBe(403);
    expect(shown(await user({ emailVerified: true }))).toEqual([
      403,
      "emailVerified: set by confirming the address, or by an administrator",
    ]);
    const own = (body: object) => write("PATCH", `/items/baasix_User/${id}`, body, token);
    expect((await own({ emailVerified: true })).status).toBe(403);
    expect((await own({ password })).status).toBe(400);
    expect((await own({ lastName: "L" })).status).toBe(200);
  });
});

test("a password is not changed as a column", async () => {
  const { id } = await app.signUp(newMail());
  for (const answer of [
    await write("PATCH", `/items/baasix_User/${id}`, { password }),
    await write("PATCH", "/items/baasix_User", { filter: { id: { eq: id } }, data: { password } }),
    await write("PATCH", "/items/baasix_User/bulk", [{ id, password }]),
  ]) {
    expect(shown(answer)).toEqual([
      400,
      "Validation failed: password: change it with POST /auth/admin/password/change",
    ]);
  }
});

test("an address is in lower case through every door, and found in any", async () => {
  const email = newMail();
  const { id } = await app.signUp(email);
  const lower = email.toLowerCase();
  const found = await app.call(
    "GET",
    `/items/baasix_User?filter=${encodeURIComponent(JSON.stringify({ email }))}`,
    {
      token: app.admin,
    },
  );
  expect(found.body).toMatchObject({ data: [{ id, email: lower }] });
  expect((await write("POST", "/items/baasix_User", { email: ` ${email} `, firstName: "Eve" })).status).toBe(
    409,
  );
  const next = newMail();
  for (const [method, path, body] of [
    ["PATCH", `/items/baasix_User/${id}`, { email: next }],
    ["PATCH", "/items/baasix_User", { filter: { id: { eq: id } }, data: { email: next.toUpperCase() } }],
    ["PUT", "/items/baasix_User", { on: "email", data: { email: next, lastName: "L" } }],
  ] as const) {
    expect((await write(method, path, body)).status).toBe(200);
    expect(await userOf(next)).toMatchObject({ id, email: next.toLowerCase() });
  }
});

test("an address that changes is no longer confirmed, unless an administrator says so", async () => {
  const { id } = await app.signUp(newMail());
  const verified = async () => {
    const found = await app.data.find<{ emailVerified: boolean }>(root, "baasix_User", {
      filter: { id: { eq: id } },
      fields: ["emailVerified"],
    });
    return found[0]?.emailVerified;
  };
  const change = async (body: object) => {
    expect((await write("PATCH", `/items/baasix_User/${id}`, body)).status).toBe(200);
    return verified();
  };
  expect(await change({ emailVerified: true })).toBe(true);
  const [first, second] = [newMail(), newMail()];
  expect(await change({ email: first })).toBe(false);
  expect(await change({ emailVerified: true })).toBe(true);
  expect(await change({ email: first.toUpperCase(), lastName: "L" })).toBe(true);
  expect(await change({ email: second, emailVerified: true })).toBe(true);
});

test("an address, where new passwords are sent to, changes with a fresh proof alone", async () => {
  // Another test may have given it.
  await write("POST", "/permissions", {
    role_Id: userRole,
    collection: "baasix_User",
    action: "update",
    fields: ["*"],
  });
  const { token: first, id } = await app.signUp(newMail());
  const renew = async (token: string) =>
    ((await app.call("POST", "/auth/refresh", { token, body: {} })).body as { token: string }).token;
  const mine = await userOf(`made${people}@example.com`);
  const path = `/items/baasix_User/${id}`;
  const body = { name: "robot", role_Id: userRole, user_Id: id };
  const robot = (await write("POST", "/auth/tokens", body)).body as { data: { token: string } };
  try {
    ahead = 14 * 60_000;
    const [token, admin] = [await renew(first), await renew(app.admin)];
    ahead = 16 * 60_000;
    const stale = async (given: object, as: string) => (await write("PATCH", path, given, as)).status;
    for (const as of [token, admin]) {
      // oxlint-disable-next-line no-await-in-loop
      expect((await write("PATCH", path, { email: newMail() }, as)).body).toMatchObject({
        error: { code: "REAUTHENTICATION_REQUIRED" },
      });
      // oxlint-disable-next-line no-await-in-loop
      expect(await stale({ email: mine?.email, lastName: "L" }, as)).toBe(200);
    }
    expect(await stale({ email: newMail() }, robot.data.token)).toBe(403);
    expect(await stale({ lastName: "M" }, robot.data.token)).toBe(200);
    const byId = { on: "id", data: { id, email: newMail() } };
    expect((await write("PUT", "/items/baasix_User", byId, admin)).status).toBe(403);
    expect((await userOf(mine?.email ?? ""))?.id).toBe(id);
    await app.call("POST", "/auth/reauthenticate", { token, body: { password } });
    expect(await stale({ email: newMail() }, token)).toBe(200);
  } finally {
    ahead = 0;
  }
});

test("what an import tells, and keeps under a key, holds no password", async () => {
  const secret = "a secret of a row";
  const rows = [
    { email: newMail(), firstName: "Ada", password: secret },
    { email: "none", firstName: 1, password: secret, userRoles: [{ user: { password: secret } }] },
  ];
  const answer = await app.call("POST", "/items/baasix_User/import-json?mode=partial", {
    token: app.admin,
    body: rows,
    headers: { "idempotency-key": "accounts" },
  });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ results: { imported: 1, failed: 1 } });
  expect(answer.text).not.toContain(secret);
  const text = 'select 1 from "baasix_IdempotencyKey" where body like $1';
  expect(await app.database.run({ text, params: [`%${secret}%`] })).toEqual([]);
});

test.each([
  "not a mail",
  "a@b.example\r\nBcc: c@d.example",
  "a@b.example\u200b",
  `${"x".repeat(250)}@b.example`,
])("%p is no address, at any door", async (email) => {
  const { id } = await app.signUp(newMail());
  for (const answer of [
    await write("POST", "/items/baasix_User", { email, firstName: "Eve" }),
    await write("PATCH", `/items/baasix_User/${id}`, { email }),
    await write("PUT", "/items/baasix_User", { on: "id", data: { id, email } }),
  ]) {
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("email")]);
  }
});
