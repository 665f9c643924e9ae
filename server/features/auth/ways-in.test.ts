/** Ways in by mail, forgotten and changed passwords, registration that waits: with a real mail server on the loopback address. */
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
import { readConfig } from "../../config";
import { system } from "../../core/access/actor";
import { type Answer, type TestApp, testAdmin, testApp } from "../../testing/app";
import { untilLocked } from "../../testing/locks";
import { type MailServer, openMailServer } from "../../testing/mail-server";
import { testDatabase } from "../../testing/postgres";
import { findAccount, markVerified, setPassword } from "./accounts";
import { lifetimes } from "./one-time";

setDefaultTimeout(30_000);

const root = system("the test prepares accounts and looks at them");
const password = "a good password";
const minute = 60_000;
const link = "https://app.example.com";
let server: MailServer;
let app: TestApp;
/** Added to the present: the clock of the app. */
let ahead = 0;
let people = 0;

const mailEnv = (): Record<string, string> => ({
  SMTP_HOST: "127.0.0.1",
  SMTP_PORT: String(server.port),
  SMTP_SECURE: "none",
  MAIL_FROM: "no-reply@shop.example.com",
  AUTH_APP_URL: `${link},https://other.example.com/base/`,
  AUTH_CORS_ALLOWED_ORIGINS: link,
  LOGIN_ACCOUNT_LIMIT: "5",
});

beforeAll(async () => {
  server = await openMailServer();
  app = await testApp({ env: mailEnv(), now: () => Date.now() + ahead });
});
afterAll(async () => {
  await app.close();
  await server.close();
});
beforeEach(() => {
  ahead = 0;
});
afterEach(async () => {
  await app.errands.idle();
  await app.mail.run();
});

const newMail = () => `person${++people}@example.com`;
const post = (path: string, body: unknown, more: { token?: string; headers?: Record<string, string> } = {}) =>
  app.call("POST", path, { body, ...more });
const messageOf = (answer: Answer) => (answer.body as { message?: string } | null)?.message;
const told = (answer: Answer) => [answer.status, messageOf(answer)];
const me = (token: string) => app.call("GET", "/auth/me", { token });
const tokenOf = (answer: Answer) => {
  const { token } = (answer.body ?? {}) as { token?: string };
  if (token === undefined) throw new Error(`${answer.status} ${answer.text}`);
  return token;
};
const signUp = async (more: object = {}) => {
  const email = newMail();
  const answer = await post("/auth/register", { email, password, firstName: "Ada", ...more });
  return { email, token: tokenOf(answer), id: (answer.body as { user: { id: string } }).user.id };
};
/** What the next mail says, and the token or code in it. */
const nextMail = async () => {
  const { mail, to } = await server.next();
  const text = mail.text ?? "";
  return {
    to: to[0],
    subject: mail.subject,
    text,
    token: /\/([0-9a-f]{64})\b/.exec(text)?.[1] ?? "",
    url: /https?:\/\/[^\s>]+/.exec(text)?.[0] ?? "",
    code: /^\s*([0-9A-F]{12}|\d{6})\s*$/m.exec(text)?.[1] ?? "",
  };
};
const statusOf = async (id: string, status: string) => {
  await app.data.update(root, "baasix_User", [{ id, data: { status } }]);
};
const accountOf = async (email: string) => {
  const [found] = await app.data.find<{ id: string; emailVerified: boolean; status: string }>(
    root,
    "baasix_User",
    {
      filter: { email: { eq: email } },
      fields: ["id", "emailVerified", "status"],
    },
  );
  return found;
};
const invalid = [400, "Invalid or expired token"];

describe("a forgotten password", () => {
  for (const [ask, finish] of [
    ["/auth/password/reset", (token: string) => [`/auth/password/reset/${token}`, {}] as const],
    ["/auth/forgot-password", (token: string) => ["/auth/reset-password", { token }] as const],
  ] as const) {
    test(`${ask}: mail, link, new password, and every session has ended`, async () => {
      const { email, token } = await signUp();
      const asked = await post(ask, { email: ` ${email.toUpperCase()} `, link });
      expect(told(asked)).toEqual([200, "If an account exists, a reset link will be sent"]);
      const mail = await nextMail();
      expect(mail.to).toBe(email);
      expect(mail.url).toBe(`${link}/auth/reset-password/${mail.token}`);
      expect((await app.call("GET", `/auth/password/reset/${mail.token}`)).body).toEqual({ valid: true });

      const [path, more] = finish(mail.token);
      expect(told(await post(path, { ...more, password: "short" }))).toEqual([
        400,
        "Password must be at least 8 characters",
      ]);
      expect(told(await post(path, { ...more }))).toEqual([400, "Password is required"]);
      expect(told(await post(path, { ...more, password: "another password" }))).toEqual([
        200,
        "Password reset successfully",
      ]);
      expect(told(await post(path, { ...more, password: "a third password" }))).toEqual(invalid);
      expect((await app.call("GET", `/auth/password/reset/${mail.token}`)).body).toEqual({ valid: false });
      expect((await me(token)).status).toBe(401);
      expect(told(await post("/auth/login", { email, password }))).toEqual([400, "Incorrect password."]);
      tokenOf(await post("/auth/login", { email, password: "another password" }));
      expect((await accountOf(email))?.emailVerified).toBe(true);
    });
  }

  test("wrong passwords from before are forgiven, and what else was mailed is dead", async () => {
    const { email } = await signUp();
    await post("/auth/magiclink", { email });
    const magic = await nextMail();
    ahead += minute;
    for (let i = 0; i < 5; i++) await post("/auth/login", { email, password: "wrong password" });
    expect((await post("/auth/login", { email, password })).status).toBe(429);
    await post("/auth/password/reset", { email });
    const { token } = await nextMail();
    expect((await post(`/auth/password/reset/${token}`, { password: "another password" })).status).toBe(200);
    tokenOf(await post("/auth/login", { email, password: "another password" }));
    expect(told(await app.call("GET", `/auth/magiclink/${magic.token}`))).toEqual(invalid);
  });

  test("of many uses of a link at once one sets the password", async () => {
    const { email } = await signUp();
    await post("/auth/password/reset", { email });
    const { token } = await nextMail();
    const passwords = Array.from({ length: 8 }, (_, i) => `password number ${i}`);
    const answers = await Promise.all(
      passwords.map((one) => post(`/auth/password/reset/${token}`, { password: one })),
    );
    const winners = passwords.filter((_, i) => answers[i]?.status === 200);
    expect(winners).toHaveLength(1);
    tokenOf(await post("/auth/login", { email, password: winners[0] }));
  });

  test("an account without a password gets its first one", async () => {
    const email = newMail();
    await app.data.create(root, "baasix_User", [{ email, status: "active" }]);
    await post("/auth/password/reset", { email });
    const { token } = await nextMail();
    expect((await post(`/auth/password/reset/${token}`, { password })).status).toBe(200);
    expect(told(await post("/auth/login", { email, password }))).toEqual([
      403,
      "Account has no role; an administrator can give it one",
    ]);
  });

  test("a link is dead for an account that was suspended or whose address changed meanwhile", async () => {
    const suspended = await signUp();
    await post("/auth/password/reset", { email: suspended.email });
    const first = await nextMail();
    await statusOf(suspended.id, "suspended");
    expect(told(await post(`/auth/password/reset/${first.token}`, { password: "another password" }))).toEqual(
      [403, "Account is suspended"],
    );
    const moved = await signUp();
    await post("/auth/password/reset", { email: moved.email });
    const second = await nextMail();
    await app.data.update(root, "baasix_User", [{ id: moved.id, data: { email: newMail() } }]);
    expect(
      told(await post(`/auth/password/reset/${second.token}`, { password: "another password" })),
    ).toEqual(invalid);
  });
});

test("an address that came after the proof is not confirmed by it", async () => {
  const { email, id } = await signUp();
  const proven = await findAccount(app.data, id);
  if (proven === null) throw new Error(`${email}: no account`);
  const another = newMail();
  await app.data.update(root, "baasix_User", [{ id, data: { email: another } }]);
  await markVerified(app.data, proven);
  expect((await accountOf(another))?.emailVerified).toBe(false);
});

describe("links and codes to sign in with", () => {
  test("a link signs in once and confirms the address", async () => {
    const { email } = await signUp();
    expect(told(await post("/auth/magiclink", { email, link: "https://other.example.com/base/" }))).toEqual([
      200,
      "Instruction sent to your email",
    ]);
    const mail = await nextMail();
    expect(mail.url).toBe(`https://other.example.com/base/auth/magiclink/${mail.token}`);
    const answer = await app.call("GET", `/auth/magiclink/${mail.token}`);
    expect(answer.body).toMatchObject({ authMode: "jwt", user: { email }, role: { name: "user" } });
    expect((await me(tokenOf(answer))).body).toMatchObject({ user: { emailVerified: true } });
    expect(told(await app.call("GET", `/auth/magiclink/${mail.token}`))).toEqual(invalid);
    expect(told(await post("/auth/magiclink/verify", { token: mail.token }))).toEqual(invalid);
  });

  test("a code belongs to its address, and holds for five tries", async () => {
    const [ann, bob] = [await signUp(), await signUp()];
    await post("/auth/magiclink", { email: ann.email, mode: "code" });
    const { code, text } = await nextMail();
    expect(code).toHaveLength(12);
    expect(text).not.toContain("http");
    const use = (email: string, given: string) => post("/auth/magiclink/verify", { email, code: given });
    expect(told(await use(bob.email, code))).toEqual(invalid);
    for (let i = 0; i < 4; i++) expect(told(await use(ann.email, "000000000000"))).toEqual(invalid);
    expect(tokenOf(await use(ann.email.toUpperCase(), ` ${code.toLowerCase()} `))).toBeString();
    ahead += minute;
    await post("/auth/magiclink", { email: ann.email, mode: "code" });
    const second = await nextMail();
    for (let i = 0; i < 5; i++) expect(told(await use(ann.email, "000000000000"))).toEqual(invalid);
    expect(told(await use(ann.email, second.code))).toEqual(invalid);
  });

  test("a one-time code of six digits", async () => {
    const { email } = await signUp();
    expect(told(await post("/auth/otp", { email }))).toEqual([200, "Instruction sent to your email"]);
    const { code } = await nextMail();
    expect(code).toMatch(/^\d{6}$/);
    const answer = await post("/auth/otp/verify", { email, code, authType: "mobile" });
    const { body } = await app.call("GET", "/auth/sessions", { token: tokenOf(answer) });
    expect(body).toMatchObject({ data: [{ type: "mobile", current: true }] });
    expect(told(await post("/auth/otp/verify", { email, code }))).toEqual(invalid);
  });

  test("of fifty uses at once one signs in, by link and by code", async () => {
    const { email } = await signUp();
    await post("/auth/magiclink", { email });
    const { token } = await nextMail();
    ahead += minute;
    await post("/auth/otp", { email });
    const { code } = await nextMail();
    for (const use of [
      () => app.call("GET", `/auth/magiclink/${token}`),
      () => post("/auth/otp/verify", { email, code }),
    ]) {
      const answers = await Promise.all(Array.from({ length: 50 }, use));
      const [won, ...others] = answers.map(told).toSorted(([a], [b]) => Number(a) - Number(b));
      expect(won?.[0]).toBe(200);
      expect(new Set(others.map((one) => JSON.stringify(one)))).toEqual(new Set([JSON.stringify(invalid)]));
    }
  });

  test("cookie mode: for our own pages and for links from a mail, not for a foreign page", async () => {
    const { email } = await signUp();
    await post("/auth/magiclink", { email });
    const { token } = await nextMail();
    const follow = (headers: Record<string, string>) =>
      app.call("GET", `/auth/magiclink/${token}?authMode=cookie`, { headers });
    for (const headers of [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: "https://evil.example.com", "sec-fetch-site": "cross-site" },
    ] as Record<string, string>[]) {
      expect((await follow(headers)).status).toBe(403);
    }
    const answer = await follow({ origin: link, "sec-fetch-site": "cross-site" });
    expect(answer.body).toMatchObject({ message: "Authentication successful", authMode: "cookie" });
    expect(answer.body).not.toHaveProperty("refreshToken");
    expect(answer.headers.getSetCookie()).toHaveLength(2);
  });

  test("are dead for an account that was suspended meanwhile", async () => {
    const { email, id } = await signUp();
    await post("/auth/otp", { email });
    const { code } = await nextMail();
    await statusOf(id, "suspended");
    expect(told(await post("/auth/otp/verify", { email, code }))).toEqual([403, "Account is suspended"]);
  });
});

describe("confirming the address", () => {
  test("the owner asks, follows, and asks in vain after that", async () => {
    const { email, token } = await signUp();
    const ask = () => post("/auth/email/verify", { link }, { token });
    expect(told(await ask())).toEqual([200, "Verification email sent"]);
    const mail = await nextMail();
    expect([mail.to, mail.url]).toEqual([email, `${link}/auth/verify-email/${mail.token}`]);
    const verified = await app.call("GET", `/auth/email/verify/${mail.token}`);
    expect(verified.body).toMatchObject({
      message: "Email verified successfully",
      user: { email, emailVerified: true },
    });
    expect(verified.text).not.toContain("argon2");
    expect(told(await app.call("GET", `/auth/email/verify/${mail.token}`))).toEqual(invalid);
    expect(told(await ask())).toEqual([200, "Email already verified"]);
    expect((await post("/auth/email/verify", { link })).status).toBe(401);
  });
});

describe("time", () => {
  const ways: readonly (readonly [
    keyof typeof lifetimes,
    (email: string, token: string) => Promise<() => Promise<Answer>>,
  ])[] = [
    [
      "password-reset",
      async (email) => {
        await post("/auth/password/reset", { email });
        const mail = await nextMail();
        return () => post(`/auth/password/reset/${mail.token}`, { password: "another password" });
      },
    ],
    [
      "magic-link",
      async (email) => {
        await post("/auth/magiclink", { email });
        const mail = await nextMail();
        return () => app.call("GET", `/auth/magiclink/${mail.token}`);
      },
    ],
    [
      "otp",
      async (email) => {
        await post("/auth/otp", { email });
        const { code } = await nextMail();
        return () => post("/auth/otp/verify", { email, code });
      },
    ],
    [
      "email-verification",
      async (_, token) => {
        await post("/auth/email/verify", {}, { token });
        const mail = await nextMail();
        return () => app.call("GET", `/auth/email/verify/${mail.token}`);
      },
    ],
  ];
  test.each(ways)("%s holds its time and no longer, and a newer one ends it", async (kind, make) => {
    const one = await signUp();
    const late = await make(one.email, one.token);
    ahead += lifetimes[kind] + 1000;
    expect(told(await late())).toEqual(invalid);
    const two = await signUp();
    const replaced = await make(two.email, two.token);
    ahead += minute;
    const newest = await make(two.email, two.token);
    expect(told(await replaced())).toEqual(invalid);
    ahead += lifetimes[kind] - 2000;
    expect((await newest()).status).toBe(200);
  });
});

describe("nothing tells whether an address has an account", () => {
  const doors: readonly (readonly [string, (email: string) => Promise<Answer>])[] = [
    ["asking for a reset", (email) => post("/auth/password/reset", { email, link })],
    [
      "asking for it by the other path",
      (email) => post("/auth/forgot-password", { email, redirectUrl: link }),
    ],
    ["asking for a link", (email) => post("/auth/magiclink", { email, link })],
    ["asking for a code", (email) => post("/auth/magiclink", { email, mode: "code" })],
    ["asking for a one-time code", (email) => post("/auth/otp", { email })],
    ["asking to confirm", (email) => post("/auth/email/verify", { email, link })],
    ["trying a code", (email) => post("/auth/magiclink/verify", { email, code: "000000000000" })],
    ["trying a one-time code", (email) => post("/auth/otp/verify", { email, code: "000000" })],
    ["signing in", (email) => post("/auth/login", { email, password: "wrong password" })],
    [
      "asking twice",
      async (email) => {
        await post("/auth/otp", { email });
        return post("/auth/otp", { email });
      },
    ],
    [
      "asking with a foreign link",
      (email) => post("/auth/magiclink", { email, link: "https://evil.example" }),
    ],
    [
      "asking with a link that only begins like ours",
      (email) => post("/auth/password/reset", { email, link: `${link}.evil.example` }),
    ],
  ];
  /** Bytes and headers, without what is new in each answer. */
  const shown = ({ status, text, headers }: Answer) => ({
    status,
    text: text.replace(/"requestId":"[^"]*"/, "").replace(/in \d+ s|"retryAfter":\d+/g, "later"),
    headers: [...headers.keys()].toSorted(),
  });

  test.each(doors)("%s", async (_, door) => {
    const [known, suspended, unknown] = [await signUp(), await signUp(), newMail()];
    await statusOf(suspended.id, "suspended");
    const answers = [await door(known.email), await door(suspended.email), await door(unknown)].map(shown);
    expect(answers[1]).toEqual(answers[0] as never);
    expect(answers[2]).toEqual(answers[0] as never);
    await app.errands.idle();
    await app.mail.run();
    const sentTo = server.delivered.map(({ to }) => to[0]);
    expect(sentTo).not.toContain(unknown);
    expect(sentTo).not.toContain(suspended.email);
    while (server.delivered.length > server.read()) await server.next();
  });

  test("those that mail answer before they look for an account, so that no time is told either", async () => {
    const asked = await Promise.all(
      doors.slice(0, 6).map(async ([, door]) => [door, await signUp()] as const),
    );
    await app.errands.idle();
    const answers = await app.database.transaction(async (runner) => {
      // Whoever looks for an account waits for this.
      await runner.run({ text: `lock table "baasix_User" in access exclusive mode`, params: [] });
      return Promise.all(asked.map(async ([door, { email }]) => (await door(email)).status));
    });
    expect(answers).toEqual(asked.map(() => 200));
    await app.errands.idle();
    await app.mail.run();
    while (server.delivered.length > server.read()) await server.next();
  });

  test("a mailed code of nobody can be tried as that of somebody, as often", async () => {
    const [known, unknown] = [await signUp(), newMail()];
    for (const email of [known.email, unknown]) await post("/auth/otp", { email });
    await nextMail();
    await app.errands.idle();
    const rows = await app.data.find<{ identifier: string }>(root, "baasix_Verification", {
      filter: { identifier: { in: [`otp:${known.email}`, `otp:${unknown}`] } },
      fields: ["identifier"],
    });
    expect(rows).toHaveLength(2);
  });
});

describe("bounds", () => {
  test("one mail a minute and five an hour to an address, whatever it is about", async () => {
    const { email } = await signUp();
    const outcomes: number[] = [];
    const ask = [
      () => post("/auth/otp", { email }),
      () => post("/auth/password/reset", { email }),
      () => post("/auth/magiclink", { email }),
    ];
    for (let i = 0; i < 6; i++) {
      outcomes.push((await (ask[i % 3] ?? post)("", "")).status);
      const again = await post("/auth/otp", { email: email.toUpperCase() });
      expect(again.status).toBe(429);
      expect(Number(again.headers.get("retry-after"))).toBeGreaterThan(0);
      if (outcomes.at(-1) === 200) await nextMail();
      ahead += minute;
    }
    expect(outcomes).toEqual([200, 200, 200, 200, 200, 429]);
    ahead += 60 * minute;
    expect((await post("/auth/otp", { email })).status).toBe(200);
    await nextMail();
  });

  const bodies: readonly (readonly [string, string, unknown, string])[] = [
    ["no address", "/auth/password/reset", { link }, "Email is required"],
    ["a list for an address", "/auth/magiclink", { email: ["a@example.com"] }, "Email is required"],
    ["no address at all", "/auth/otp", { email: "nobody" }, "email: not a valid mail address"],
    [
      "two addresses",
      "/auth/otp",
      { email: "a@example.com,b@example.com" },
      "email: not a valid mail address",
    ],
    [
      "a second header",
      "/auth/otp",
      { email: "a@example.com\r\nBcc: b@example.com" },
      "email: not a valid mail address",
    ],
    [
      "a foreign link",
      "/auth/password/reset",
      { email: "a@example.com", link: "https://evil.example" },
      "Invalid link",
    ],
    [
      "a link with more behind it",
      "/auth/magiclink",
      { email: "a@example.com", link: `${link}/x` },
      "Invalid link",
    ],
    ["no code", "/auth/otp/verify", { email: "a@example.com" }, "Email and code are required"],
    ["neither token nor code", "/auth/magiclink/verify", {}, "A token, or an email and a code, are required"],
    [
      "a token that is none",
      "/auth/magiclink/verify",
      { token: "x".repeat(5000) },
      "Invalid or expired token",
    ],
  ];
  test.each(bodies)("refuses %s", async (_, path, body, message) => {
    expect(told(await post(path, body))).toEqual([400, message]);
  });

  test("a session type that there is none of", async () => {
    const answer = await post("/auth/otp/verify", { email: "a@example.com", code: "000000", authType: "tv" });
    expect(told(answer)).toEqual([403, "Invalid session type. Must be 'mobile' or 'web'"]);
  });
});

describe("changing a password", () => {
  test("asks for the old one, keeps this session and ends the others", async () => {
    const { email, token } = await signUp();
    const other = tokenOf(await post("/auth/login", { email, password }));
    const change = (body: object, by = token) => post("/auth/password/change", body, { token: by });
    const newPassword = "another password";
    expect(told(await change({ newPassword }))).toEqual([400, "Current and new password are required"]);
    expect(told(await change({ currentPassword: "wrong password", newPassword }))).toEqual([
      400,
      "Current password is incorrect",
    ]);
    expect(told(await change({ currentPassword: password, newPassword: "short" }))).toEqual([
      400,
      "Password must be at least 8 characters",
    ]);
    expect((await me(other)).status).toBe(200);
    expect(told(await change({ currentPassword: password, newPassword }))).toEqual([
      200,
      "Password changed successfully",
    ]);
    expect([(await me(token)).status, (await me(other)).status]).toEqual([200, 401]);
    expect((await post("/auth/login", { email, password })).status).toBe(400);
    tokenOf(await post("/auth/login", { email, password: newPassword }));
  });

  test("wrong ones count with those of sign-in", async () => {
    const { email, token } = await signUp();
    for (let i = 0; i < 5; i++)
      await post(
        "/auth/password/change",
        { currentPassword: "wrong password", newPassword: password },
        { token },
      );
    expect((await post("/auth/login", { email, password })).status).toBe(429);
  });

  for (const path of ["/auth/admin/password/change", "/auth/admin/change-password"]) {
    test(`${path}: administrators, freshly signed in, for whom there is`, async () => {
      const { email, token, id } = await signUp();
      const set = (body: object, by?: string) => post(path, body, by === undefined ? {} : { token: by });
      const body = { userId: id, newPassword: "another password" };
      expect((await set(body)).status).toBe(401);
      expect(told(await set(body, token))).toEqual([
        403,
        "Only administrators can change other users' passwords",
      ]);
      expect(told(await set({ userId: id }, app.admin))).toEqual([400, "User and new password are required"]);
      const nobody = { ...body, userId: crypto.randomUUID() };
      expect(told(await set(nobody, app.admin))).toEqual([404, "User not found"]);
      expect((await set({ userId: id, password: "another password" }, app.admin)).status).toBe(200);
      expect((await me(token)).status).toBe(401);
      tokenOf(await post("/auth/login", { email, password: "another password" }));
      const admin = (await post("/auth/login", testAdmin)).body as { refreshToken: string };
      ahead += 14 * minute;
      const renewed = await post("/auth/refresh", { refreshToken: admin.refreshToken });
      expect((await set(body, tokenOf(renewed))).status).toBe(200);
      ahead += 2 * minute;
      const stale = await set(body, tokenOf(renewed));
      expect([stale.status, stale.body]).toMatchObject([
        403,
        { error: { code: "REAUTHENTICATION_REQUIRED" } },
      ]);
    });
  }
  test("a program with an API token changes none", async () => {
    const roles = (
      await app.call("GET", '/items/baasix_Role?filter={"name":"administrator"}', { token: app.admin })
    ).body as { data: { id: string }[] };
    const made = await post(
      "/auth/tokens",
      { name: "robot", role_Id: roles.data[0]?.id },
      { token: app.admin },
    );
    const { token, user_Id } = (made.body as { data: { token: string; user_Id: string } }).data;
    const { id } = await signUp();
    const body = { userId: id, newPassword: password };
    expect((await post("/auth/admin/password/change", body, { token })).status).toBe(403);
    expect(
      (await post("/auth/password/change", { currentPassword: "x", newPassword: password }, { token }))
        .status,
    ).toBe(403);
    const ofRobot = await post(
      "/auth/admin/password/change",
      { userId: user_Id, newPassword: password },
      { token: app.admin },
    );
    expect(told(ofRobot)).toEqual([400, "Service accounts have no password; they use API tokens"]);
  });
});

test("a change of the password by a session that ends meanwhile does not outrun what ended it", async () => {
  const { email, id, token } = await signUp();
  const hash = await Bun.password.hash("the owner's password");
  let answer: Promise<Answer> | null = null;
  await app.data.transaction(async (rows) => {
    await rows.update(root, "baasix_User", [{ id, data: { lastName: "L" } }]);
    answer = post(
      "/auth/password/change",
      { currentPassword: password, newPassword: "a thief's password" },
      { token },
    );
    await untilLocked(app.database);
    await setPassword(rows, id, hash);
    await rows.removeWhere(root, "baasix_Sessions", { user_Id: { eq: id } });
  });
  expect(((await answer) as unknown as Answer).status).toBe(401);
  tokenOf(await post("/auth/login", { email, password: "the owner's password" }));
});

describe("a sign-in that is under way when the password changes", () => {
  const ways: readonly (readonly [
    string,
    (email: string) => Promise<() => Promise<Answer>>,
    readonly unknown[],
  ])[] = [
    [
      "by password",
      async (email) => () => post("/auth/login", { email, password }),
      [400, "Incorrect password."],
    ],
    [
      "by link",
      async (email) => {
        await post("/auth/magiclink", { email });
        const { token } = await nextMail();
        return () => app.call("GET", `/auth/magiclink/${token}`);
      },
      invalid,
    ],
    [
      "by code",
      async (email) => {
        await post("/auth/otp", { email });
        const { code } = await nextMail();
        return () => post("/auth/otp/verify", { email, code });
      },
      invalid,
    ],
  ];
  test.each(ways)("%s opens nothing", async (_, prepare, refusal) => {
    const { email, id } = await signUp();
    await app.data.update(root, "baasix_User", [{ id, data: { emailVerified: true } }]);
    const signIn = await prepare(email);
    const hash = await Bun.password.hash("another password");
    let answer: Promise<Answer> | null = null;
    await app.data.transaction(async (rows) => {
      await rows.update(root, "baasix_User", [{ id, data: { lastName: "L" } }]);
      answer = signIn();
      await untilLocked(app.database);
      await setPassword(rows, id, hash);
      await rows.removeWhere(root, "baasix_Sessions", { user_Id: { eq: id } });
      const mailed = ["magic-link", "otp"].map((kind) => `${kind}:${email}`);
      await rows.removeWhere(root, "baasix_Verification", { identifier: { in: mailed } });
    });
    expect(told((await answer) as unknown as Answer)).toEqual(refusal as never);
    expect(
      await app.data.find(root, "baasix_Sessions", { filter: { user_Id: { eq: id } }, fields: ["id"] }),
    ).toEqual([]);
    tokenOf(await post("/auth/login", { email, password: "another password" }));
  });
});

describe("usernames", () => {
  test("sign in as an address does, in any letter case", async () => {
    const name = `Ada.L-${people}`;
    const { email, id } = await signUp({ username: ` ${name} ` });
    for (const body of [
      { username: name },
      { username: name.toUpperCase() },
      { identifier: name },
      { identifier: email },
      { email },
    ]) {
      expect((await post("/auth/login", { ...body, password })).body).toMatchObject({ user: { id } });
    }
    const taken = await post("/auth/register", {
      email: newMail(),
      password,
      firstName: "Eve",
      username: name.toUpperCase(),
    });
    expect(told(taken)).toEqual([400, "Username is taken"]);
    for (const username of ["nobody.at.all", "no\u0000body", "\ud800"]) {
      expect(told(await post("/auth/login", { username, password }))).toEqual([400, "Incorrect password."]);
    }
    expect(told(await post("/auth/login", { password }))).toEqual([400, "Email and password are required"]);
  });

  test.each(["ab", "a b c", "ann@example.com", "-ann", "ann.", "änne", "x".repeat(65)])(
    "'%s' is none",
    async (username) => {
      const answer = await post("/auth/register", { email: newMail(), password, firstName: "Eve", username });
      expect([answer.status, messageOf(answer)]).toEqual([
        400,
        "username: 3 to 64 letters, digits, dots, dashes and underscores",
      ]);
    },
  );

  test("tries by name and by address are those of one account, and neither tells of the other", async () => {
    const username = `both${++people}`;
    const { email } = await signUp({ username });
    for (let i = 0; i < 5; i++) await post("/auth/login", { username, password: "wrong password" });
    expect((await post("/auth/login", { username, password })).status).toBe(429);
    expect(told(await post("/auth/login", { email, password }))).toEqual([400, "Incorrect password."]);
    const other = `both${++people}`;
    const second = await signUp({ username: other });
    for (let i = 0; i < 5; i++)
      await post("/auth/login", { email: second.email, password: "wrong password" });
    expect(told(await post("/auth/login", { username: other, password }))).toEqual([
      400,
      "Incorrect password.",
    ]);
    ahead += 16 * minute;
    tokenOf(await post("/auth/login", { username: other, password }));
  });
});

test("tries by name make its address look like any other, until it had its own tries", async () => {
  const username = `quiet${++people}`;
  const [named, other] = [await signUp({ username }), await signUp()];
  for (let i = 0; i < 6; i++) await post("/auth/login", { username, password: "wrong password" });
  const shown = async (email: string) => {
    const seen: unknown[] = [];
    for (let i = 0; i < 6; i++)
      seen.push(told(await post("/auth/login", { email, password: "wrong password" })));
    return seen;
  };
  const wrong = Array.from({ length: 5 }, () => [400, "Incorrect password."]);
  const expected = [...wrong, [429, expect.stringContaining("Too many attempts")]];
  for (const email of [named.email, other.email, newMail()])
    expect(await shown(email)).toEqual(expected as never);
  // A new password forgives them all.
  await post("/auth/password/reset", { email: named.email });
  const { token } = await nextMail();
  expect((await post(`/auth/password/reset/${token}`, { password: "another password" })).status).toBe(200);
  tokenOf(await post("/auth/login", { username, password: "another password" }));
  tokenOf(await post("/auth/login", { email: named.email, password: "another password" }));
});

test("a hash of earlier parameters is made anew at the next sign-in", async () => {
  const { email, id } = await signUp();
  const weak = await Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 8192, timeCost: 1 });
  const credential = { AND: [{ user_Id: { eq: id } }, { providerId: { eq: "credential" } }] };
  await app.data.updateWhere(root, "baasix_Account", credential, { password: weak });
  const hash = async () => {
    const found = await app.data.find<{ password: string }>(root, "baasix_Account", {
      filter: credential,
      fields: ["password"],
    });
    return found[0]?.password;
  };
  await post("/auth/login", { email, password: "wrong password" });
  await app.errands.idle();
  expect(await hash()).toBe(weak);
  tokenOf(await post("/auth/login", { email, password }));
  await app.errands.idle();
  expect(await hash()).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
  tokenOf(await post("/auth/login", { email, password }));
});

describe("registration", () => {
  let waiting: TestApp;
  beforeAll(async () => {
    waiting = await testApp({
      env: { ...mailEnv(), REQUIRE_EMAIL_VERIFICATION: "true", SEND_WELCOME_EMAIL: "true" },
      now: () => Date.now() + ahead,
    });
  });
  afterAll(() => waiting.close());
  afterEach(async () => {
    await waiting.errands.idle();
    await waiting.mail.run();
  });
  const register = (body: object) =>
    waiting.call("POST", "/auth/register", { body: { password, firstName: "Ada", ...body } });
  const login = (email: string) => waiting.call("POST", "/auth/login", { body: { email, password } });

  test("waits for the address to be confirmed, welcomes then, and hides who is there", async () => {
    const email = newMail();
    const first = await register({ email });
    expect(first.body).toEqual({
      message: "User registered successfully. Please verify your email to login.",
      requiresEmailVerification: true,
      user: { id: expect.any(String), email, firstName: "Ada", lastName: null },
      role: expect.objectContaining({ name: "user" }),
      permissions: [],
      tenant: null,
    } as never);
    const mail = await nextMail();
    expect(mail.url).toBe(`${link}/auth/verify-email/${mail.token}`);
    const refused = await login(email);
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({
      message: "Email not verified. Please verify your email before logging in.",
      requiresEmailVerification: true,
      error: { code: "FORBIDDEN" },
    });
    ahead += minute;
    const resent = await waiting.call("POST", "/auth/email/verify", { body: { email } });
    expect(told(resent)).toEqual([200, "Verification email sent"]);
    const second = await nextMail();
    expect(told(await waiting.call("GET", `/auth/email/verify/${mail.token}`))).toEqual(invalid);
    const verified = await waiting.call("GET", `/auth/email/verify/${second.token}`);
    expect(verified.body).toMatchObject({ user: { id: (first.body as { user: { id: string } }).user.id } });
    expect((await nextMail()).subject).toStartWith("Welcome to");
    tokenOf(await login(email));

    ahead += minute;
    const again = await register({ email, firstName: "Eve" });
    const [one, two] = [first, again].map(({ status, body, headers }) => ({
      status,
      body: { ...(body as object), user: { ...(body as { user: object }).user, id: "", firstName: "" } },
      headers: [...headers.keys()],
    }));
    expect(two).toEqual(one as never);
    const notice = await nextMail();
    expect([notice.to, notice.subject]).toEqual([email, "Your account at Baasix"]);
    expect(notice.text).not.toContain("Eve");
    expect((await accountIn(waiting, email))[0]).toMatchObject({ firstName: "Ada" });
  });

  test("role, status and a confirmed address are no matter of the body", async () => {
    for (const body of [
      { role: "administrator" },
      { roleName: "administrator" },
      { status: "active" },
      { emailVerified: true },
    ]) {
      expect((await register({ email: newMail(), ...body })).status).toBe(400);
      expect(
        (await post("/auth/register", { email: newMail(), password, firstName: "Ada", ...body })).status,
      ).toBe(400);
    }
  });

  test("a username that is taken is told", async () => {
    const username = `taken${++people}`;
    await register({ email: newMail(), username });
    await nextMail();
    expect(told(await register({ email: newMail(), username }))).toEqual([400, "Username is taken"]);
  });

  test("a link by mail confirms the address as well", async () => {
    const email = newMail();
    await register({ email });
    await nextMail();
    ahead += minute;
    await waiting.call("POST", "/auth/magiclink", { body: { email } });
    const { token } = await nextMail();
    const answer = await waiting.call("GET", `/auth/magiclink/${token}`);
    // Nobody knows who chose the password.
    expect(answer.body).toMatchObject({ token: expect.any(String), passwordRemoved: true });
    expect((await login(email)).status).toBe(400);
  });

  test("one that signs in at once may be welcomed, too", async () => {
    const welcoming = await testApp({ env: { ...mailEnv(), SEND_WELCOME_EMAIL: "true" } });
    const email = newMail();
    tokenOf(await welcoming.call("POST", "/auth/register", { body: { email, password, firstName: "Ada" } }));
    const mail = await nextMail();
    expect([mail.to, mail.subject, mail.url]).toEqual([email, "Welcome to Baasix", link]);
    await welcoming.mail.run();
    await welcoming.close();
  });

  async function accountIn(where: TestApp, email: string) {
    return where.data.find<{ firstName: string }>(root, "baasix_User", {
      filter: { email: { eq: email } },
      fields: ["firstName"],
    });
  }
});

describe("settings", () => {
  const refused: readonly (readonly [Record<string, string>, string])[] = [
    [{ AUTH_APP_URL: "app.example.com" }, "AUTH_APP_URL: must list addresses of the web"],
    [{ AUTH_APP_URL: "javascript:alert(1)" }, "AUTH_APP_URL: must list addresses of the web"],
    [{ AUTH_APP_URL: `${link},${link}?to=` }, "AUTH_APP_URL: must list addresses of the web"],
    [{ AUTH_APP_URL: "https://user@app.example.com" }, "AUTH_APP_URL: must list addresses of the web"],
    [{ REQUIRE_EMAIL_VERIFICATION: "true" }, "AUTH_APP_URL: is needed beside REQUIRE_EMAIL_VERIFICATION"],
    [{ REQUIRE_EMAIL_VERIFICATION: "yes" }, "REQUIRE_EMAIL_VERIFICATION: "],
    [{ PASSWORD_POLICY: "none" }, "PASSWORD_POLICY: "],
  ];
  test.each(refused)("%p stop the start", (env, message) => {
    expect(() => readConfig(env)).toThrow(message);
  });

  test("what needs mails does not start without a way to send them", async () => {
    for (const key of ["REQUIRE_EMAIL_VERIFICATION", "SEND_WELCOME_EMAIL"]) {
      const env = { NODE_ENV: "production", AUTH_APP_URL: link, [key]: "true" };
      const database = await testDatabase();
      await expect(testApp({ env, address: database.address })).rejects.toThrow(
        `SMTP_HOST: is needed beside ${key}`,
      );
      await database.drop();
    }
  });

  test("a server without mails says so to all alike, and one client asks only so often", async () => {
    const silent = await testApp({ env: { NODE_ENV: "production", LOGIN_RATE_LIMIT: "9" } });
    const ask = async (path: string, body: object) => {
      const answer = await silent.call("POST", path, { body });
      return [answer.status, (answer.body as { error: { code: string } }).error.code];
    };
    for (const email of [testAdmin.email, "nobody@example.com"]) {
      expect(await ask("/auth/otp", { email })).toEqual([503, "MAIL_NOT_CONFIGURED"]);
      expect(await ask("/auth/password/reset", { email })).toEqual([400, "VALIDATION_ERROR"]);
    }
    for (let i = 0; i < 6; i++)
      expect(await ask("/auth/otp/verify", { email: "a@example.com", code: "1" })).toEqual([
        400,
        "INVALID_CREDENTIALS",
      ]);
    for (const [path, body] of [
      ["/auth/otp", { email: "a@example.com" }],
      ["/auth/otp/verify", { email: "a@example.com", code: "1" }],
      ["/auth/magiclink/verify", { token: "x" }],
      ["/auth/password/reset/x", { password }],
      ["/auth/login", { email: "a@example.com", password }],
    ] as const) {
      expect(await ask(path, body)).toEqual([429, "RATE_LIMITED"]);
    }
    for (const path of ["/auth/magiclink/x", "/auth/email/verify/x", "/auth/password/reset/x"])
      expect((await silent.call("GET", path)).status).toBe(429);
    await silent.close();
  });
});

describe("the password policy", () => {
  const strictOwner = { email: "annabel.smith@acme-tools.com", firstName: "Annabel", lastName: "Smithson" };
  const owners = [
    ["common", "password123", "many people use"],
    ["common, in other letters", "PassW0rd!", "many people use"],
    ["common, twice", "dragondragon", "many people use"],
    ["one letter", "aaaaaaaaaaaa", "many people use"],
    ["the address", "annabel.smith", "too much like"],
    ["the name with a year", "Smithson1984", "too much like"],
    ["the domain", "acmetools!", "too much like"],
    ["too short", "x7!kq", "at least 8"],
    ["the application's own rule", "correct horse battery staple", "no horses"],
  ] as const;

  test("strict: common passwords, likeness, and a check of the application's own, at every door", async () => {
    const strict = await testApp({
      env: { ...mailEnv(), PASSWORD_POLICY: "strict" },
      now: () => Date.now() + ahead,
      checkPassword: (given, { email }) =>
        given.includes("horse") && email !== "admin@example.com" ? "no horses, please" : null,
    });
    const register = (given: string) =>
      strict.call("POST", "/auth/register", { body: { ...strictOwner, password: given } });
    for (const [what, given, message] of owners) {
      const answer = await register(given);
      expect([what, answer.status, messageOf(answer)]).toEqual([
        what,
        400,
        expect.stringContaining(message),
      ] as never);
      expect(answer.text).not.toContain(given);
    }
    const good = "seven purple tractors";
    const answer = await register(good);
    const token = tokenOf(answer);
    const change = await strict.call("POST", "/auth/password/change", {
      token,
      body: { currentPassword: good, newPassword: "annabel.smith" },
    });
    expect(messageOf(change)).toContain("too much like");
    const { id } = (answer.body as { user: { id: string } }).user;
    const set = await strict.call("POST", "/auth/admin/password/change", {
      token: strict.admin,
      body: { userId: id, newPassword: "password123" },
    });
    expect(messageOf(set)).toContain("many people use");
    await strict.call("POST", "/auth/password/reset", { body: { email: strictOwner.email } });
    const mail = await nextMail();
    const reset = await strict.call("POST", `/auth/password/reset/${mail.token}`, {
      body: { password: "password123" },
    });
    expect(messageOf(reset)).toContain("many people use");
    await strict.mail.run();
    await strict.close();
  });
});
