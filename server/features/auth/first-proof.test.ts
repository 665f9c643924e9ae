/**
 * Who registers an address may not be who reads its mail: what the first proof of an address ends, and what it leaves to somebody
 * who proves to be the same person.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { MfaVerifyResult, NewMfaFactor } from "@baasix/types";
import { Secret, TOTP } from "otpauth";
import { system } from "../../core/access/actor";
import { type Answer, type TestApp, testAdmin } from "../../testing/app";
import { lockWaits, untilLocked } from "../../testing/locks";
import { openOAuthScene, type OAuthScene } from "../../testing/oauth";

setDefaultTimeout(30_000);

const root = system("the test looks at accounts");
const password = "a stranger's password";
const minute = 60_000;
let time = Date.now();
let scene: OAuthScene;
let app: TestApp;
const mails: { readonly to: string; readonly text: string }[] = [];
let people = 0;

beforeAll(async () => {
  scene = await openOAuthScene({
    now: () => time,
    // The client's address is what the nearest proxy says, so that a test may come from several.
    env: { TRUST_PROXY: "127.0.0.1", DATABASE_POOL_MAX: "8" },
    sendMail: ({ to, text }) => Promise.resolve(void mails.push({ to: to.address, text })),
  });
  app = scene.app;
});
afterAll(() => scene.close());

const bodyOf = <T>({ status, body, text }: Answer, wanted = 200): T => {
  if (status !== wanted) throw new Error(`${status} ${text}`);
  return body as T;
};
type SignedIn = { token: string; refreshToken: string; user: { id: string }; passwordRemoved?: boolean };
const post = (path: string, body: unknown, token?: string) =>
  app.call("POST", path, { body, ...(token !== undefined && { token }) });
const meOf = async (token: string) => (await app.call("GET", "/auth/me", { token })).status;
/** The token or code of the last mail to an address. */
const mailed = async (to: string, where: TestApp = app): Promise<string> => {
  await where.errands.idle();
  await where.mail.run();
  const text = mails.findLast((mail) => mail.to === to)?.text ?? "";
  const found = /\/([0-9a-f]{64})\b/.exec(text) ?? /^\s*([0-9A-F]{12}|\d{6})\s*$/m.exec(text);
  if (!found?.[1]) throw new Error(`no token in: ${text}`);
  return found[1];
};
const codeOf = ({ secret }: { secret: string }) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: time });
const identityOf = (sub: string) =>
  scene.oidc.sign({
    iss: scene.oidc.issuer,
    aud: "baasix",
    iat: Math.floor(time / 1000),
    exp: Math.floor(time / 1000) + 300,
    jti: crypto.randomUUID(),
    sub,
  });
const withProvider = async (sub: string) =>
  post("/auth/social/signin", { provider: "acme", idToken: { token: await identityOf(sub) } });

/** An account of somebody else's address, with all that its maker can give it. */
const squat = async ({ factor: hasFactor = false } = {}) => {
  const email = `victim${++people}@example.com`;
  const username = `squatter${people}`;
  const made = bodyOf<SignedIn>(
    await post("/auth/register", { email, username, password, firstName: "Eve" }),
  );
  const sub = crypto.randomUUID();
  bodyOf(
    await post(
      "/auth/social/link",
      { provider: "acme", idToken: { token: await identityOf(sub) } },
      made.token,
    ),
  );
  const started = await post("/auth/mfa/factors", { friendlyName: "phone" }, made.token);
  const { secret, id: factor } = bodyOf<{ data: NewMfaFactor }>(started, 201).data;
  const base = { ...made, email, username, id: made.user.id, sub, secret, half: "", recoveryCode: "" };
  time += minute;
  if (!hasFactor) return base;
  const proven = await post(`/auth/mfa/factors/${factor}/verify`, { code: codeOf({ secret }) }, made.token);
  const { recoveryCodes, ...signedIn } = bodyOf<MfaVerifyResult & SignedIn>(proven);
  const half = bodyOf<{ mfaToken: string }>(await post("/auth/login", { email, password })).mfaToken;
  time += minute;
  return { ...base, ...signedIn, half, recoveryCode: recoveryCodes?.[0] ?? "" };
};
type Squatted = Awaited<ReturnType<typeof squat>>;

/** What the maker of the account still has. */
const waysLeft = async ({
  email,
  username,
  id,
  sub,
  token,
  refreshToken,
  half,
  secret,
  recoveryCode,
}: Squatted) => {
  const tried: Record<string, Answer> = {
    session: await app.call("GET", "/auth/me", { token }),
    "renewed session": await post("/auth/refresh", { refreshToken }),
    password: await post("/auth/login", { email, password }),
    "password by username": await post("/auth/login", { username, password }),
    "half-finished sign-in": await post("/auth/mfa/verify", { mfaToken: half, code: codeOf({ secret }) }),
    "recovery code": await post("/auth/mfa/verify", { mfaToken: half, recoveryCode }),
  };
  const byProvider = await withProvider(sub);
  const opens = byProvider.status === 200 && (byProvider.body as SignedIn).user?.id === id;
  return [
    ...Object.entries(tried).flatMap(([way, { status }]) => (status === 200 ? [way] : [])),
    ...(opens ? ["provider"] : []),
  ];
};

const mailWays: readonly (readonly [string, (email: string) => Promise<Answer>])[] = [
  [
    "a link",
    async (email) => {
      await post("/auth/magiclink", { email });
      return app.call("GET", `/auth/magiclink/${await mailed(email)}`);
    },
  ],
  [
    "a sign-in code",
    async (email) => {
      await post("/auth/magiclink", { email, mode: "code" });
      return post("/auth/magiclink/verify", { email, code: await mailed(email) });
    },
  ],
  [
    "a one-time code",
    async (email) => {
      await post("/auth/otp", { email });
      return post("/auth/otp/verify", { email, code: await mailed(email) });
    },
  ],
];

describe("an address that a stranger registered", () => {
  test.each(mailWays)(
    "its owner comes in by %s: nothing of the stranger's opens it any more",
    async (_, come) => {
      const squatted = await squat();
      const answer = bodyOf<SignedIn>(await come(squatted.email));
      expect(answer).toMatchObject({ user: { id: squatted.id }, passwordRemoved: true });
      expect(await waysLeft(squatted)).toEqual([]);
      expect(await meOf(answer.token)).toBe(200);
      time += minute;
      const newPassword = "the owner's password";
      bodyOf(await post("/auth/password/change", { newPassword }, answer.token));
      bodyOf(await post("/auth/login", { email: squatted.email, password: newPassword }));
      // Once it is proven, coming in again takes nothing away.
      const again = bodyOf<SignedIn>(await come(squatted.email));
      expect(again).not.toHaveProperty("passwordRemoved");
      expect(await meOf(answer.token)).toBe(200);
    },
  );

  test("its owner chooses a new password: that alone opens it", async () => {
    const squatted = await squat();
    await post("/auth/password/reset", { email: squatted.email });
    const chosen = { password: "the owner's password" };
    bodyOf(await post(`/auth/password/reset/${await mailed(squatted.email)}`, chosen));
    expect(await waysLeft(squatted)).toEqual([]);
    expect(
      await meOf(bodyOf<SignedIn>(await post("/auth/login", { email: squatted.email, ...chosen })).token),
    ).toBe(200);
  });

  test("its owner follows the stranger's link to confirm it, and sees what ended", async () => {
    const squatted = await squat();
    await post("/auth/email/verify", {}, squatted.token);
    const followed = await app.call("GET", `/auth/email/verify/${await mailed(squatted.email)}`, {
      headers: { "x-forwarded-for": "203.0.113.9" },
    });
    expect(followed.body).toEqual({
      message: "Email verified successfully",
      user: { id: squatted.id, email: squatted.email, firstName: "Eve", lastName: null, emailVerified: true },
      passwordRemoved: true,
    });
    expect(await waysLeft(squatted)).toEqual([]);
  });

  test("its owner chooses a new password by a link that an administrator hands over", async () => {
    const squatted = await squat();
    const { email } = squatted;
    const token = await app.login(testAdmin.email, testAdmin.password);
    const made = await app.call("POST", "/auth/admin/links", {
      token,
      body: { type: "password-reset", email },
    });
    const link = bodyOf<{ data: { token: string } }>(made, 201).data;
    const chosen = { password: "the owner's password" };
    bodyOf(await post(`/auth/password/reset/${link.token}`, chosen));
    expect(await waysLeft(squatted)).toEqual([]);
    const { token: own } = bodyOf<SignedIn>(await post("/auth/login", { email, ...chosen }));
    expect((await app.call("GET", "/auth/me", { token: own })).body).toMatchObject({
      user: { emailVerified: false },
    });
  });

  test("a second factor keeps its owner out, and is taken off by an administrator alone", async () => {
    const squatted = await squat({ factor: true });
    const { email, id } = squatted;
    await post("/auth/otp", { email });
    const code = await mailed(email);
    const half = bodyOf<object>(await post("/auth/otp/verify", { email, code }));
    expect(half).toMatchObject({ mfaRequired: true });
    expect(half).not.toHaveProperty("passwordRemoved");
    const admin = await app.login(testAdmin.email, testAdmin.password);
    bodyOf(await app.call("DELETE", `/auth/admin/users/${id}/factors`, { token: admin }));
    time += minute;
    await post("/auth/otp", { email });
    expect(await post("/auth/otp/verify", { email, code: await mailed(email) })).toMatchObject({
      status: 200,
      body: { user: { id }, passwordRemoved: true },
    });
    expect(await waysLeft(squatted)).toEqual([]);
  });
});

describe("who registered and reads the mail, too, keeps what there is", () => {
  const nearby = { "x-forwarded-for": "198.51.100.7" };
  const faraway = { "x-forwarded-for": "203.0.113.9" };
  /** Registers from nearby and asks for the mail there. */
  const register = async () => {
    const email = `honest${++people}@example.com`;
    const body = { email, password, firstName: "Ada" };
    const made = bodyOf<SignedIn>(await app.call("POST", "/auth/register", { body, headers: nearby }));
    bodyOf(await app.call("POST", "/auth/email/verify", { body: {}, token: made.token, headers: nearby }));
    return { ...made, email, link: `/auth/email/verify/${await mailed(email)}` };
  };
  type Registered = Awaited<ReturnType<typeof register>>;
  const ways: readonly (readonly [string, "kept" | "ended", (by: Registered) => Promise<Answer>])[] = [
    ["from the own session", "kept", ({ link, token }) => app.call("GET", link, { token, headers: faraway })],
    [
      "from the own session in a cookie",
      "kept",
      ({ link, token }) => app.call("GET", link, { headers: { ...faraway, cookie: `token=${token}` } }),
    ],
    [
      "with the password",
      "kept",
      ({ link }) => app.call("POST", link, { body: { password }, headers: faraway }),
    ],
    ["from where the mail was asked for", "kept", ({ link }) => app.call("GET", link, { headers: nearby })],
    ["from elsewhere", "ended", ({ link }) => app.call("GET", link, { headers: faraway })],
    [
      "from elsewhere, with a session that has ended",
      "ended",
      async ({ link, token }) => {
        await app.call("POST", "/auth/logout", { token });
        return app.call("GET", link, { token, headers: faraway });
      },
    ],
    [
      "from somebody else's session",
      "ended",
      async ({ link }) => {
        const { token } = await app.signUp(`other${++people}@example.com`);
        return app.call("GET", link, { token, headers: faraway });
      },
    ],
  ];
  test.each(ways)("the link is followed %s: the password is %s", async (_, outcome, follow) => {
    const registered = await register();
    const followed = bodyOf<{ passwordRemoved?: boolean; user: object }>(await follow(registered));
    expect(followed.user).toMatchObject({ id: registered.user.id, emailVerified: true });
    const { email } = registered;
    expect((await post("/auth/login", { email, password })).status).toBe(outcome === "kept" ? 200 : 400);
    expect(followed.passwordRemoved).toBe(outcome === "kept" ? undefined : true);
  });

  test("a wrong password leaves the link and everything else, and counts as a try", async () => {
    const { email, link, token } = await register();
    const confirm = (given: string) =>
      app.call("POST", link, { body: { password: given }, headers: faraway });
    expect((await confirm("not the password")).body).toMatchObject({
      message: "Incorrect password.",
      error: { code: "INVALID_CREDENTIALS" },
    });
    expect(await meOf(token)).toBe(200);
    expect((await confirm("")).status).toBe(400);
    expect((await confirm(password)).status).toBe(200);
    expect(await meOf(token)).toBe(200);
    expect((await post("/auth/login", { email, password })).status).toBe(200);
  });

  test("a mail that a stranger to the session asked for says nothing of who is where", async () => {
    const { email, token } = await register();
    time += minute;
    bodyOf(await app.call("POST", "/auth/email/verify", { body: { email }, headers: nearby }));
    bodyOf(await app.call("GET", `/auth/email/verify/${await mailed(email)}`, { headers: nearby }));
    expect(await meOf(token)).toBe(401);
  });

  test("where nobody comes in before the address is confirmed, the link completes the registration", async () => {
    const app2 = await openOAuthScene({
      now: () => time,
      env: { REQUIRE_EMAIL_VERIFICATION: "true" },
      sendMail: ({ to, text }) => Promise.resolve(void mails.push({ to: to.address, text })),
    });
    const { app: strict } = app2;
    const email = `waiting${++people}@example.com`;
    const body = { email, password, firstName: "Ada" };
    await strict.call("POST", "/auth/register", { body });
    const link = `/auth/email/verify/${await mailed(email, strict)}`;
    expect(bodyOf<object>(await strict.call("GET", link))).not.toHaveProperty("passwordRemoved");
    expect((await strict.call("POST", "/auth/login", { body })).status).toBe(200);
    // But a link to come in is no word for who registered.
    const other = { ...body, email: `waiting${++people}@example.com` };
    await strict.call("POST", "/auth/register", { body: other });
    await strict.errands.idle();
    time += minute;
    await strict.call("POST", "/auth/magiclink", { body: other });
    bodyOf(await strict.call("GET", `/auth/magiclink/${await mailed(other.email, strict)}`));
    expect((await strict.call("POST", "/auth/login", { body: other })).status).toBe(400);
    await app2.close();
  });
});

describe("what the stranger had under way when the owner came", () => {
  type Begun = (squatted: Squatted) => Promise<() => Promise<Answer>>;
  const begun: readonly (readonly [string, Begun])[] = [
    [
      "a sign-in by password",
      async ({ email }) =>
        () =>
          post("/auth/login", { email, password }),
    ],
    [
      "a sign-in by provider",
      async ({ sub }) => {
        const token = await identityOf(sub);
        return () => post("/auth/social/signin", { provider: "acme", idToken: { token } });
      },
    ],
    [
      "a new password",
      async ({ token }) =>
        () =>
          post(
            "/auth/password/change",
            { currentPassword: password, newPassword: "another of the stranger's" },
            token,
          ),
    ],
    [
      "a change of address",
      async ({ id, token }) =>
        () =>
          app.call("PATCH", `/items/baasix_User/${id}`, {
            token,
            body: { email: `eve${++people}@example.com` },
          }),
    ],
    [
      "a link to a provider",
      async ({ token }) => {
        bodyOf(await app.call("DELETE", "/auth/social/acme", { token }));
        const idToken = { token: await identityOf(crypto.randomUUID()) };
        return () => post("/auth/social/link", { provider: "acme", idToken }, token);
      },
    ],
    [
      "another factor",
      async ({ token }) =>
        () =>
          post("/auth/mfa/factors", { friendlyName: "again" }, token),
    ],
    [
      "a renewed session",
      async ({ refreshToken }) =>
        () =>
          post("/auth/refresh", { refreshToken }),
    ],
  ];
  test.each(begun)("%s comes to nothing", async (what, prepare) => {
    const squatted = await squat();
    const { id, email } = squatted;
    if (what === "a change of address") await allowOwnAddress();
    await post("/auth/otp", { email });
    const code = await mailed(email);
    const work = await prepare(squatted);
    const before = await rowsOf(id);
    expect(before.length).toBeGreaterThan(0);
    let answers: Promise<readonly [Answer, Answer]> | null = null;
    // Both wait for the account's row; whoever gets it first, the owner has it in the end.
    await app.data.transaction(async (rows) => {
      await rows.update(root, "baasix_User", [{ id, data: { lastName: "L" } }]);
      const owner = post("/auth/otp/verify", { email, code });
      await untilLocked(app.database);
      const progress = { isDone: false };
      const stranger = work().finally(() => (progress.isDone = true));
      while (!progress.isDone && (await lockWaits(app.database)) < 2) await Bun.sleep(5);
      answers = Promise.all([owner, stranger]);
    });
    const [owner] = await (answers as unknown as Promise<readonly [Answer, Answer]>);
    if (what === "a change of address" && owner.status === 400) {
      // It was faster; the address is free, and the owner is told nothing of somebody else's account.
      expect(await addressOf(id)).not.toBe(email);
      return;
    }
    // A new password ends the codes that were mailed before it; the owner asks for another.
    if (owner.status === 400) {
      time += minute;
      await post("/auth/otp", { email });
      bodyOf(await post("/auth/otp/verify", { email, code: await mailed(email) }));
    } else expect(owner.status).toBe(200);
    // What is left is the owner's one session.
    expect(await rowsOf(id)).toEqual(["baasix_Sessions"]);
    expect(await addressOf(id)).toBe(email);
    expect(await waysLeft(squatted)).toEqual([]);
  });

  const addressOf = async (id: string) => {
    const [found] = await app.data.find<{ email: string }>(root, "baasix_User", {
      filter: { id: { eq: id } },
      fields: ["email"],
    });
    return found?.email;
  };
  /** Everything that opens the account, by collection. */
  async function rowsOf(id: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const collection of [
      "baasix_Account",
      "baasix_Factor",
      "baasix_RecoveryCode",
      "baasix_MfaChallenge",
      "baasix_Sessions",
    ]) {
      const rows = await app.data.find(root, collection, { filter: { user_Id: { eq: id } }, fields: ["id"] });
      found.push(...rows.map(() => collection));
    }
    return found;
  }
  /** Lets everybody of the role `user` change the own address. */
  async function allowOwnAddress(): Promise<void> {
    const [role] = await app.data.find<{ id: string }>(root, "baasix_Role", {
      filter: { name: { eq: "user" } },
      fields: ["id"],
    });
    await app.data.create(root, "baasix_Permission", [
      {
        role_Id: role?.id,
        collection: "baasix_User",
        action: "update",
        fields: ["email"],
        conditions: { id: { eq: "$CURRENT_USER" } },
      },
    ]);
  }
});
