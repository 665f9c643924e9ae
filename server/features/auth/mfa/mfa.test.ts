/** Second factors: got, proven at every way in, used once, held to their limits, asked for by roles, and taken away. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { MfaRequired, MfaVerifyResult, NewMfaFactor } from "@baasix/types";
import { Secret, TOTP } from "otpauth";
import { type Answer, openInstance, type TestApp, testAdmin } from "../../../testing/app";
import { openOAuthScene, type OAuthScene } from "../../../testing/oauth";
import { outsider } from "../../../testing/postgres";
import { openSocket } from "../../../testing/socket";
import { upsertAdmin } from "../admin";
import { deriveKey, loadSecret } from "../secret";
import { createFactors, sealFactorsAnew } from "./factors";
import { openSignIn, spendChallenge, tryChallenge } from "./challenges";
import { replaceRecoveryCodes, spendRecoveryCode } from "./recovery-codes";
import { createFactorSeal } from "./seal";

const minute = 60_000;
const password = "a good password";
const root = { kind: "system", reason: "a test" } as const;
let time = Date.now();
let scene: OAuthScene;
let app: TestApp;
const mails: string[] = [];
const ids = new Map<string, string>();
let people = 0;

beforeAll(async () => {
  scene = await openOAuthScene({
    now: () => time,
    sendMail: async ({ text }) => {
      mails.push(text);
    },
  });
  app = scene.app;
});
afterAll(() => scene.close());

type Person = { readonly email: string; readonly id: string; readonly token: string };
/** Somebody with a verified factor. `codes`: for recovery. */
type Guarded = Person & { readonly factor: NewMfaFactor; readonly codes: readonly string[] };

const newPerson = async (): Promise<Person> => {
  const email = `person${++people}@example.com`;
  const { id, token } = await app.signUp(email, password);
  ids.set(email, id);
  return { email, id, token };
};
const bodyOf = <T>({ status, body, text }: Answer, wanted = 200): T => {
  if (status !== wanted) throw new Error(`${status} ${text}`);
  return body as T;
};
const refusalOf = ({ status, body }: Answer) => {
  const { error } = body as { error?: { code: string; message: string } };
  return [status, error?.code, error?.message];
};
/** The code at the time of the app, `steps` away from it. */
const codeOf = ({ secret }: { secret: string }, steps = 0): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: time + steps * 30_000 });
const wrongCodeOf = (factor: { secret: string }): string => {
  const right = [-2, -1, 0, 1, 2].map((steps) => codeOf(factor, steps));
  return ["000000", "111111", "222222", "333333", "444444", "555555"].find((c) => !right.includes(c)) ?? "";
};
/** A step later, whose code was not used yet. */
const nextCode = (factor: { secret: string }): string => {
  time += 60_000;
  return codeOf(factor);
};
const enroll = async (token: string, body?: object): Promise<NewMfaFactor> =>
  bodyOf<{ data: NewMfaFactor }>(await app.call("POST", "/auth/mfa/factors", { token, body }), 201).data;
const verify = (token: string, id: string, body: object): Promise<Answer> =>
  app.call("POST", `/auth/mfa/factors/${id}/verify`, { token, body });
const guarded = async (): Promise<Guarded> => {
  const person = await newPerson();
  const factor = await enroll(person.token);
  const done = bodyOf<MfaVerifyResult>(await verify(person.token, factor.id, { code: codeOf(factor) }));
  return { ...person, token: done.token, factor, codes: done.recoveryCodes ?? [] };
};
const signIn = (email: string, more: object = {}): Promise<Answer> =>
  app.call("POST", "/auth/login", { body: { email, password, ...more } });
/** The first half of a sign-in, as every way in leaves it, without the time that a password takes. */
const half = (email: string): Promise<string> =>
  openSignIn(app.data, ids.get(email) ?? "", { type: "default", tenant: null }, time);
const finish = (body: object, headers = {}): Promise<Answer> =>
  app.call("POST", "/auth/mfa/verify", { body, headers });
const meStatus = async (token: string): Promise<number> =>
  (await app.call("GET", "/auth/me", { token })).status;
const level = async (token: string) => (await app.call("GET", "/auth/mfa/level", { token })).body;

describe("a sign-in", () => {
  const ways: readonly (readonly [string, (person: Person) => Promise<Answer>])[] = [
    // First: the provider's clock is the true one.
    [
      "another provider",
      async ({ email, id }) => {
        scene.oidc.people.set(email, { email, email_verified: true });
        await app.data.update(root, "baasix_User", [{ id, data: { emailVerified: true } }]);
        const token = (await scene.signIn(email)).url.searchParams.get("token");
        return app.call("POST", "/auth/social/exchange", { body: { token } });
      },
    ],
    ["a password", ({ email }) => signIn(email)],
    [
      "a username",
      async ({ id, email }) => {
        const username = email.split("@")[0] ?? "";
        await app.data.update(root, "baasix_User", [{ id, data: { username } }]);
        return signIn("", { email: undefined, username });
      },
    ],
    [
      "a mailed code",
      async ({ email }) => {
        await app.call("POST", "/auth/otp", { body: { email } });
        const code = await mailed(/^\s*(\d{6})\s*$/m);
        return app.call("POST", "/auth/otp/verify", { body: { email, code } });
      },
    ],
    [
      "a magic link",
      async ({ email }) => {
        await app.call("POST", "/auth/magiclink", { body: { email } });
        const token = await mailed(/magiclink\/([0-9a-f]{64})/);
        return app.call("GET", `/auth/magiclink/${token}`);
      },
    ],
  ];
  const mailed = async (pattern: RegExp): Promise<string | undefined> => {
    await app.errands.idle();
    await app.mail.run();
    return mails.map((text) => pattern.exec(text)?.[1]).findLast((found) => found !== undefined);
  };

  test.each(ways)("with %s gives no session, but asks for a code", async (_, way) => {
    const person = await guarded();
    const answer = await way(person);
    expect(bodyOf<MfaRequired>(answer)).toEqual({
      mfaRequired: true,
      mfaToken: expect.stringMatching(/^mfa_[\w-]{43}$/),
      expiresIn: 300,
      factors: [{ id: person.factor.id, type: "totp", friendlyName: "Authenticator" }],
    });
    expect(answer.headers.getSetCookie()).toEqual([]);
    const { mfaToken } = answer.body as MfaRequired;
    const done = await finish({ mfaToken, code: nextCode(person.factor) });
    const { token, aal, user } = bodyOf<MfaVerifyResult>(done);
    expect([aal, user.id, await meStatus(token)]).toEqual([2, person.id, 200]);
  });
});

describe("to get a factor", () => {
  test("takes a secret and a code, and gives a new session, recovery codes, and an end to the others", async () => {
    const person = await newPerson();
    const elsewhere = await app.login(person.email, password);
    expect(await level(person.token)).toEqual({
      data: {
        currentLevel: "aal1",
        nextLevel: "aal1",
        mfaEnrollmentRequired: false,
        recoveryCodesLeft: 0,
      },
    });
    const factor = await enroll(person.token, { friendlyName: "My phone" });
    expect(factor).toEqual({
      id: expect.any(String),
      type: "totp",
      friendlyName: "My phone",
      qrCode: expect.stringMatching(/^<svg /),
      secret: expect.stringMatching(/^[A-Z2-7]{32}$/),
      uri: expect.stringMatching(/^otpauth:\/\/totp\/Baasix:person/),
    });
    // It counts once it is verified.
    expect((await signIn(person.email)).body).toMatchObject({ token: expect.any(String), aal: 1 });
    const done = await verify(person.token, factor.id, { code: codeOf(factor) });
    expect(done.headers.get("cache-control")).toBe("no-store");
    const result = bodyOf<MfaVerifyResult>(done);
    expect(result).toMatchObject({
      aal: 2,
      user: { email: person.email },
      factor: { id: factor.id, type: "totp", friendlyName: "My phone" },
    });
    expect(new Set(result.recoveryCodes).size).toBe(10);
    for (const code of result.recoveryCodes ?? []) expect(code).toMatch(/^([0-9a-z]{4}-){3}[0-9a-z]{4}$/);
    expect([await meStatus(person.token), await meStatus(elsewhere), await meStatus(result.token)]).toEqual([
      401, 401, 200,
    ]);
    expect(await level(result.token)).toEqual({
      data: {
        currentLevel: "aal2",
        nextLevel: "aal2",
        mfaEnrollmentRequired: false,
        recoveryCodesLeft: 10,
      },
    });
  });

  test("tells its secrets once: not in lists, items, the database or the audit log", async () => {
    const { token, factor, codes, id } = await guarded();
    const told = [
      (await app.call("GET", "/auth/mfa/factors", { token })).text,
      (await app.call("GET", "/items/baasix_Factor?limit=-1", { token: app.admin })).text,
      (await app.call("GET", "/items/baasix_RecoveryCode?limit=-1", { token: app.admin })).text,
      (await app.call("GET", "/items/baasix_MfaChallenge?limit=-1", { token: app.admin })).text,
      (await app.call("GET", "/items/baasix_AuditLog?limit=-1", { token: app.admin })).text,
      JSON.stringify(await outsider(app.address, `SELECT * FROM "baasix_Factor"`)),
      JSON.stringify(await outsider(app.address, `SELECT * FROM "baasix_RecoveryCode"`)),
    ];
    for (const text of told) {
      for (const secret of [factor.secret, factor.uri, ...codes]) expect(text).not.toContain(secret);
    }
    expect(told[1]).toContain(factor.id);
    expect(told[1]).not.toMatch(/"(secret|keyId|lastStep)"/);
    const entry = await app.call("GET", `/items/baasix_AuditLog?filter[entityId]=${factor.id}`, {
      token: app.admin,
    });
    expect(entry.body).toMatchObject({
      data: [{ type: "auth", entity: "baasix_Factor", action: "create", userId: id, ipaddress: "127.0.0.1" }],
    });
    for (const [method, path] of [
      ["POST", "/items/baasix_Factor"],
      ["PATCH", `/items/baasix_Factor/${factor.id}`],
      ["DELETE", `/items/baasix_Factor/${factor.id}`],
    ] as const) {
      const body = { status: "verified" };
      expect((await app.call(method, path, { token: app.admin, body })).status).toBe(403);
    }
  });

  test("takes a fresh proof, to begin and to verify", async () => {
    const { token, email } = await newPerson();
    const factor = await enroll(token);
    const { refreshToken } = (await signIn(email)).body as { refreshToken: string };
    time += 15 * minute;
    const renewed = await app.call("POST", "/auth/refresh", { body: { refreshToken } });
    const { token: later } = renewed.body as { token: string };
    const stale = [403, "REAUTHENTICATION_REQUIRED", expect.any(String)];
    expect(refusalOf(await app.call("POST", "/auth/mfa/factors", { token: later }))).toEqual(stale);
    expect(refusalOf(await verify(later, factor.id, { code: codeOf(factor) }))).toEqual(stale);
    await app.call("POST", "/auth/reauthenticate", { token: later, body: { password } });
    expect((await verify(later, factor.id, { code: codeOf(factor) })).status).toBe(200);
  });

  test("one that was begun and not verified is gone with the next", async () => {
    const { token } = await newPerson();
    const first = await enroll(token);
    await enroll(token);
    expect(refusalOf(await verify(token, first.id, { code: codeOf(first) }))).toEqual([
      404,
      "NOT_FOUND",
      "Factor not found",
    ]);
    const { body } = await app.call("GET", "/auth/mfa/factors", { token });
    expect((body as { data: object[] }).data).toHaveLength(1);
  });

  test.each([
    ["another type", { type: "phone" }],
    ["no name", { friendlyName: "" }],
    ["a long name", { friendlyName: "x".repeat(101) }],
    ["a secret of one's own", { secret: "A".repeat(32) }],
  ])("%s is refused", async (_, body) => {
    const token = await freshAdmin();
    expect((await app.call("POST", "/auth/mfa/factors", { token, body })).status).toBe(400);
  });

  test("a second one asks for the first, gives no further recovery codes, and either signs in", async () => {
    const one = await guarded();
    const other = await enroll(one.token, { friendlyName: "Tablet" });
    time += 60_000;
    const done = bodyOf<MfaVerifyResult>(await verify(one.token, other.id, { code: codeOf(other) }));
    expect(done.recoveryCodes).toBeUndefined();
    const { mfaToken, factors } = bodyOf<MfaRequired>(await signIn(one.email));
    expect(factors.map(({ friendlyName }) => friendlyName)).toEqual(["Authenticator", "Tablet"]);
    expect((await finish({ mfaToken, code: codeOf(one.factor) })).status).toBe(200);
  });
});

describe("to sign in", () => {
  test("a half-finished sign-in opens nothing, and no session is there", async () => {
    const { email, id } = await guarded();
    const mfaToken = await half(email);
    const doors: readonly (readonly [string, string, object?])[] = [
      ["GET", "/auth/me"],
      ["GET", "/auth/check"],
      ["GET", "/items/baasix_User"],
      ["GET", "/auth/mfa/factors"],
      ["POST", "/auth/mfa/factors"],
      ["POST", "/auth/refresh", { refreshToken: mfaToken }],
      ["POST", "/auth/reauthenticate", { password }],
    ];
    for (const [method, path, body] of doors) {
      expect([path, (await app.call(method, path, { token: mfaToken, body })).status]).toEqual([path, 401]);
    }
    const open = await app.call("GET", `/auth/admin/users/${id}/sessions`, { token: await freshAdmin() });
    // The one in which the factor was verified.
    expect((open.body as { data: object[] }).data).toHaveLength(1);
  });

  test("in cookie mode the cookies come with the second half", async () => {
    const { email, factor } = await guarded();
    const first = await signIn(email, { authMode: "cookie" });
    expect(first.headers.getSetCookie()).toEqual([]);
    const { mfaToken } = first.body as MfaRequired;
    const foreign = { mfaToken, code: nextCode(factor), authMode: "cookie" };
    expect((await finish(foreign, { origin: "https://evil.example.com" })).status).toBe(403);
    const done = await finish(foreign);
    expect(done.headers.getSetCookie()).toHaveLength(2);
    expect(done.body).not.toHaveProperty("refreshToken");
  });

  test("the kind of the session is that of the first half", async () => {
    const { email, factor } = await guarded();
    const { mfaToken } = (await signIn(email, { authType: "mobile" })).body as MfaRequired;
    const { token } = bodyOf<{ token: string }>(await finish({ mfaToken, code: nextCode(factor) }));
    const { body } = await app.call("GET", "/auth/sessions", { token });
    expect(body).toMatchObject({
      data: expect.arrayContaining([expect.objectContaining({ type: "mobile", current: true })]),
    });
  });

  type Case = readonly [
    name: string,
    send: (person: Guarded) => Promise<object>,
    status: number,
    code: string,
  ];
  const refused: readonly Case[] = [
    [
      "a wrong code",
      async ({ email, factor }) => ({ mfaToken: await half(email), code: wrongCodeOf(factor) }),
      400,
      "INVALID_CREDENTIALS",
    ],
    [
      "the code that verified the factor",
      async ({ email, factor }) => ({ mfaToken: await half(email), code: codeOf(factor) }),
      400,
      "INVALID_CREDENTIALS",
    ],
    [
      "a code from before the last one that was used",
      async ({ email, factor }) => ({ mfaToken: await half(email), code: codeOf(factor, -1) }),
      400,
      "INVALID_CREDENTIALS",
    ],
    [
      "another one's code",
      async ({ email }) => ({ mfaToken: await half(email), code: nextCode((await guarded()).factor) }),
      400,
      "INVALID_CREDENTIALS",
    ],
    [
      "the code of a factor that was not verified",
      async ({ email, token }) => {
        const other = await enroll(token);
        time += minute;
        return { mfaToken: await half(email), code: codeOf(other) };
      },
      400,
      "INVALID_CREDENTIALS",
    ],
    [
      "the code of a factor that was removed",
      async ({ email, token, factor }) => {
        const other = await enroll(token);
        time += minute;
        const kept = bodyOf<MfaVerifyResult>(await verify(token, other.id, { code: codeOf(other) }));
        const mfaToken = await half(email);
        await app.call("DELETE", `/auth/mfa/factors/${factor.id}`, { token: kept.token });
        // The removal ended half-finished sign-ins as well.
        expect((await finish({ mfaToken, code: nextCode(other) })).status).toBe(401);
        return { mfaToken: await half(email), code: codeOf(factor) };
      },
      400,
      "INVALID_CREDENTIALS",
    ],
    [
      "another one's recovery code",
      async ({ email }) => ({ mfaToken: await half(email), recoveryCode: (await guarded()).codes[0] }),
      400,
      "INVALID_CREDENTIALS",
    ],
    [
      "a recovery code as a code",
      async ({ email, codes }) => ({ mfaToken: await half(email), code: codes[0] }),
      400,
      "INVALID_CREDENTIALS",
    ],
    [
      "a token of five minutes ago",
      async ({ email, factor }) => {
        const mfaToken = await half(email);
        time += 5 * minute;
        return { mfaToken, code: codeOf(factor) };
      },
      401,
      "UNAUTHORIZED",
    ],
    [
      "a token that was used",
      async ({ email, factor }) => {
        const mfaToken = await half(email);
        await finish({ mfaToken, code: nextCode(factor) });
        return { mfaToken, code: nextCode(factor) };
      },
      401,
      "UNAUTHORIZED",
    ],
    [
      "a token from before the password was changed",
      async ({ email, factor, token }) => {
        const mfaToken = await half(email);
        const change = { currentPassword: password, newPassword: "another good password" };
        bodyOf(await app.call("POST", "/auth/password/change", { token, body: change }));
        return { mfaToken, code: nextCode(factor) };
      },
      401,
      "UNAUTHORIZED",
    ],
    [
      "a made-up token",
      async ({ factor }) => ({ mfaToken: `mfa_${"A".repeat(43)}`, code: nextCode(factor) }),
      401,
      "UNAUTHORIZED",
    ],
    [
      "an access token in its place",
      async ({ token, factor }) => ({ mfaToken: token.slice(0, 200), code: nextCode(factor) }),
      401,
      "UNAUTHORIZED",
    ],
    [
      "the id of a challenge in its place",
      async ({ token, factor }) => ({
        mfaToken: (await challenge(token, factor.id)).id,
        code: nextCode(factor),
      }),
      401,
      "UNAUTHORIZED",
    ],
    [
      "an account that was suspended meanwhile",
      async ({ email, factor, id }) => {
        const mfaToken = await half(email);
        await app.data.update(root, "baasix_User", [{ id, data: { status: "suspended" } }]);
        return { mfaToken, code: nextCode(factor) };
      },
      403,
      "FORBIDDEN",
    ],
    ["no code", async ({ email }) => ({ mfaToken: await half(email) }), 400, "VALIDATION_ERROR"],
    [
      "both kinds of code",
      async ({ email, codes }) => ({ mfaToken: await half(email), code: "123456", recoveryCode: codes[0] }),
      400,
      "VALIDATION_ERROR",
    ],
    [
      "a code that is no text",
      async ({ email }) => ({ mfaToken: await half(email), code: { ne: "" } }),
      400,
      "VALIDATION_ERROR",
    ],
  ];
  test.each(refused)("%s is refused", async (_, send, status, code) => {
    const body = await send(await guarded());
    expect(refusalOf(await finish(body)).slice(0, 2)).toEqual([status, code]);
  });

  test("a code may be a step early or late, each once", async () => {
    const { email, factor } = await guarded();
    time += 5 * minute;
    for (const [steps, status] of [
      [-2, 400],
      [-1, 200],
      [-1, 400],
      [1, 200],
      // Before one that was used, although it was not used itself.
      [0, 400],
      [2, 400],
    ] as const) {
      const answer = await finish({ mfaToken: await half(email), code: codeOf(factor, steps) });
      expect([steps, answer.status]).toEqual([steps, status]);
    }
  });

  test("of 50 with the same code at once one gets in", async () => {
    const { email, factor } = await guarded();
    const mfaToken = await half(email);
    const code = nextCode(factor);
    const all = await Promise.all(Array.from({ length: 50 }, () => finish({ mfaToken, code })));
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { status } of all) expect([200, 400, 401, 429]).toContain(status);
  });
});

describe("recovery codes", () => {
  test("stand in for the app, each once, however they are typed", async () => {
    const { email, codes } = await guarded();
    const [first = "", second = ""] = codes;
    const bring = async (recoveryCode: string) => finish({ mfaToken: await half(email), recoveryCode });
    const done = await bring(first);
    expect(done.body).toMatchObject({ aal: 2 });
    expect((await bring(first)).status).toBe(400);
    expect((await bring(` ${second.toUpperCase().replaceAll("-", " ")} `)).status).toBe(200);
    const { token } = done.body as { token: string };
    expect(await level(token)).toMatchObject({ data: { recoveryCodesLeft: 8 } });
  });

  test("new ones end the old ones, and the other sessions", async () => {
    const { email, codes, factor, token } = await guarded();
    const { token: other } = bodyOf<{ token: string }>(
      await finish({ mfaToken: await half(email), code: nextCode(factor) }),
    );
    const renewed = await app.call("POST", "/auth/mfa/recovery-codes", { token: other });
    const { data } = bodyOf<{ data: { recoveryCodes: string[] } }>(renewed);
    expect(new Set([...data.recoveryCodes, ...codes]).size).toBe(20);
    expect([await meStatus(other), await meStatus(token)]).toEqual([200, 401]);
    const bring = async (recoveryCode: string | undefined) =>
      (await finish({ mfaToken: await half(email), recoveryCode })).status;
    expect([await bring(codes[0]), await bring(data.recoveryCodes[0])]).toEqual([400, 200]);
  });

  test("there are none without a factor", async () => {
    const { token } = await newPerson();
    expect((await app.call("POST", "/auth/mfa/recovery-codes", { token })).status).toBe(409);
  });
});

describe("of 50 uses at once exactly one counts:", () => {
  const race = async (use: () => Promise<boolean>) => {
    const won = await Promise.all(Array.from({ length: 50 }, use));
    expect(won.filter(Boolean)).toHaveLength(1);
  };
  test("a step of a factor", async () => {
    const { factor, id } = await newPerson().then(async (person) => ({
      ...person,
      factor: await enroll(person.token),
    }));
    const factors = factorsOf();
    const match = await factors.match(id, codeOf(factor), factor.id);
    expect(match?.status).toBe("unverified");
    await race(async () => match !== null && factors.spend(app.data, match));
    const later = await factors.match(id, codeOf(factor, 1), "verified");
    await race(async () => later !== null && factors.spend(app.data, later));
  });
  test("a recovery code", async () => {
    const { id } = await newPerson();
    const [code = ""] = await app.data.transaction((rows) => replaceRecoveryCodes(rows, id));
    await race(() => spendRecoveryCode(app.data, id, code, time));
  });
  test("a half-finished sign-in, which has five tries however many come", async () => {
    const { id } = await newPerson();
    const token = await openSignIn(app.data, id, { type: "default", tenant: null }, time);
    const tries = await Promise.all(
      Array.from({ length: 50 }, () => tryChallenge(app.data, { token }, time)),
    );
    expect(tries.filter((challenge) => challenge !== null)).toHaveLength(5);
    const [{ id: challengeId } = { id: "" }] = tries.flatMap((challenge) => challenge ?? []);
    await race(() => spendChallenge(app.data, challengeId, time));
  });
});

describe("tries", () => {
  test("count together with those at the password, which forgives none of them", async () => {
    const { email, factor } = await guarded();
    for (let i = 0; i < 5; i++) {
      const { mfaToken } = bodyOf<MfaRequired>(await signIn(email));
      const body = { mfaToken, code: wrongCodeOf(factor) };
      expect((await finish(body)).status).toBe(400);
    }
    const [limited] = [await signIn(email)];
    expect([limited.status, limited.headers.has("retry-after")]).toEqual([429, true]);
    time += 15 * minute;
    expect((await finish({ mfaToken: await half(email), code: codeOf(factor) })).status).toBe(200);
  });

  test("a token has five of them", async () => {
    const { id, factor } = await guarded();
    const mfaToken = await openSignIn(app.data, id, { type: "default", tenant: null }, time);
    for (let i = 0; i < 5; i++) await tryChallenge(app.data, { token: mfaToken }, time);
    expect((await finish({ mfaToken, code: nextCode(factor) })).status).toBe(401);
  });
});

describe("a challenge", () => {
  test("asks for a code of a factor, for five minutes", async () => {
    const { token, factor } = await guarded();
    const asked = await challenge(token, factor.id);
    expect(asked).toEqual({
      id: expect.any(String),
      factorId: factor.id,
      expiresAt: new Date(time + 5 * minute).toISOString(),
    });
    const done = await verify(token, factor.id, { challengeId: asked.id, code: nextCode(factor) });
    expect(done.body).toMatchObject({ aal: 2 });
    expect(done.body).not.toHaveProperty("recoveryCodes");
  });

  type Hostile = readonly [
    name: string,
    send: (me: Guarded, other: Guarded) => Promise<{ factor: string; body: object; token?: string }>,
    status: number,
  ];
  const hostile: readonly Hostile[] = [
    [
      "of another user",
      async ({ factor }, other) => ({
        factor: factor.id,
        body: { challengeId: (await challenge(other.token, other.factor.id)).id, code: nextCode(factor) },
      }),
      401,
    ],
    [
      "of another session",
      async ({ email, factor, token }) => {
        const { id } = await challenge(token, factor.id);
        const code = nextCode(factor);
        const second = bodyOf<{ token: string }>(await finish({ mfaToken: await half(email), code }));
        return { factor: factor.id, body: { challengeId: id, code: nextCode(factor) }, token: second.token };
      },
      401,
    ],
    [
      "that has ended",
      async ({ factor, token }) => {
        const { id } = await challenge(token, factor.id);
        time += 5 * minute;
        return { factor: factor.id, body: { challengeId: id, code: codeOf(factor) } };
      },
      401,
    ],
    [
      "that a newer one replaced",
      async ({ factor, token }) => {
        const { id } = await challenge(token, factor.id);
        await challenge(token, factor.id);
        return { factor: factor.id, body: { challengeId: id, code: nextCode(factor) } };
      },
      401,
    ],
    [
      "that is none",
      async ({ factor }) => ({ factor: factor.id, body: { challengeId: "1", code: nextCode(factor) } }),
      400,
    ],
    [
      "with a wrong code",
      async ({ factor, token }) => ({
        factor: factor.id,
        body: { challengeId: (await challenge(token, factor.id)).id, code: wrongCodeOf(factor) },
      }),
      400,
    ],
    [
      "with a code that was used",
      async ({ factor, token }) => ({
        factor: factor.id,
        body: { challengeId: (await challenge(token, factor.id)).id, code: codeOf(factor) },
      }),
      400,
    ],
    [
      "for another one's factor",
      async (_, { factor }) => ({ factor: factor.id, body: { code: nextCode(factor) } }),
      404,
    ],
    ["for no factor", async () => ({ factor: "x", body: { code: "123456" } }), 404],
  ];
  test.each(hostile)("%s opens nothing", async (_, send, status) => {
    const [me, other] = [await guarded(), await guarded()];
    const { factor, body, token = me.token } = await send(me, other);
    expect((await verify(token, factor, body)).status).toBe(status);
  });

  test("nobody asks for one of another one's factor, or removes it", async () => {
    const [me, other] = [await guarded(), await guarded()];
    const path = `/auth/mfa/factors/${other.factor.id}`;
    expect((await app.call("POST", `${path}/challenge`, { token: me.token })).status).toBe(404);
    expect((await app.call("DELETE", path, { token: me.token })).status).toBe(404);
  });
});

describe("to remove a factor", () => {
  test("takes two proven factors and a fresh proof, and ends the other sessions", async () => {
    const { email, factor, token, codes } = await guarded();
    const { token: other } = bodyOf<{ token: string }>(
      await finish({ mfaToken: await half(email), recoveryCode: codes[0] }),
    );
    time += 14 * minute;
    const renewed = bodyOf<{ token: string }>(
      await app.call("POST", "/auth/mfa/factors/" + factor.id + "/verify", {
        token,
        body: { code: codeOf(factor) },
      }),
    );
    const path = `/auth/mfa/factors/${factor.id}`;
    expect((await app.call("DELETE", path, { token: renewed.token })).status).toBe(200);
    expect([await meStatus(renewed.token), await meStatus(other)]).toEqual([200, 401]);
    expect(await level(renewed.token)).toMatchObject({
      data: { currentLevel: "aal1", nextLevel: "aal1", recoveryCodesLeft: 0 },
    });
    expect((await signIn(email)).body).toMatchObject({ aal: 1, token: expect.any(String) });
  });

  test("is refused without a fresh proof, and with a session that proved one factor", async () => {
    const { factor, id, token } = await guarded();
    const remove = async () =>
      refusalOf(await app.call("DELETE", `/auth/mfa/factors/${factor.id}`, { token }));
    await app.data.updateWhere(root, "baasix_Sessions", { user_Id: { eq: id } }, { aal: 1 });
    expect((await remove()).slice(0, 2)).toEqual([403, "MFA_REQUIRED"]);
    for (const path of ["/auth/mfa/factors", "/auth/mfa/recovery-codes"]) {
      expect((await app.call("POST", path, { token })).status).toBe(403);
    }
    await app.data.updateWhere(
      root,
      "baasix_Sessions",
      { user_Id: { eq: id } },
      { aal: 2, authenticatedAt: new Date(time - 15 * minute).toISOString() },
    );
    expect((await remove()).slice(0, 2)).toEqual([403, "REAUTHENTICATION_REQUIRED"]);
  });
});

test("the owner is told by mail of every change", async () => {
  const { email, factor, id, token, codes } = await guarded();
  const titles = async () => {
    await app.mail.run();
    const log = await app.call(
      "GET",
      `/items/baasix_EmailLog?filter[email]=${email}&fields=subject,status&sort=createdAt`,
      { token: await freshAdmin() },
    );
    return (log.body as { data: { subject: string; status: string }[] }).data.map(({ subject }) => subject);
  };
  await app.call("POST", "/auth/mfa/recovery-codes", { token });
  await app.call("DELETE", `/auth/mfa/factors/${factor.id}`, { token });
  const again = await enroll(token);
  bodyOf(await verify(token, again.id, { code: codeOf(again) }));
  await app.call("DELETE", `/auth/admin/users/${id}/factors`, { token: await freshAdmin() });
  expect(await titles()).toEqual([
    "A second factor was added",
    "New recovery codes were made",
    "A second factor was removed",
    "A second factor was added",
    "Your second factors were removed",
  ]);
  for (const secret of [factor.secret, ...codes]) expect(mails.join()).not.toContain(secret);
});

describe("administrators", () => {
  test("take the factors from a user, with a fresh proof, and the log tells", async () => {
    const { email, factor, id, token, codes } = await guarded();
    const mfaToken = await half(email);
    const path = `/auth/admin/users/${id}/factors`;
    expect((await app.call("DELETE", path, { token })).status).toBe(403);
    const admin = await freshAdmin();
    expect((await app.call("DELETE", path, { token: admin })).body).toEqual({ data: { count: 1 } });
    expect(await meStatus(token)).toBe(401);
    expect((await finish({ mfaToken, recoveryCode: codes[0] })).status).toBe(401);
    expect((await signIn(email)).body).toMatchObject({ aal: 1 });
    const log = await app.call(
      "GET",
      `/items/baasix_AuditLog?filter[entityId]=${factor.id}&sort=-id&limit=1`,
      {
        token: admin,
      },
    );
    expect(log.body).toMatchObject({
      data: [
        {
          type: "auth",
          action: "delete",
          changes: { before: { user_Id: id, type: "totp", friendlyName: "Authenticator" }, after: null },
          userId: expect.not.stringContaining(id),
        },
      ],
    });
    time += 15 * minute;
    const stale = await app.call("DELETE", path, { token: admin });
    expect(stale.status).toBe(401);
  });

  test("of the terminal take them with all else that let somebody in: the way back for the last one", async () => {
    const { email, id } = await guarded();
    const again = { email, password: "from the terminal" };
    expect(await upsertAdmin(app.data, again)).toEqual({ id, created: false });
    expect(await meStatus(await app.login(email, again.password))).toBe(200);
  });

  test("not their own, nor nobody's", async () => {
    const token = await freshAdmin();
    const { body } = await app.call("GET", "/auth/me", { token });
    const { id } = (body as { user: { id: string } }).user;
    expect((await app.call("DELETE", `/auth/admin/users/${id}/factors`, { token })).status).toBe(403);
    const nobody = "00000000-0000-0000-0000-000000000000";
    expect((await app.call("DELETE", `/auth/admin/users/${nobody}/factors`, { token })).status).toBe(404);
  });
});

describe("a role that asks for a second factor", () => {
  /** Somebody with a role of their own, which asks for one when told to. */
  const holder = async () => {
    const person = await newPerson();
    const admin = await freshAdmin();
    const role = bodyOf<{ data: { id: string } }>(
      await app.call("POST", "/items/baasix_Role", { token: admin, body: { name: `keepers ${people}` } }),
      201,
    ).data.id;
    bodyOf(
      await app.call("POST", "/permissions", {
        token: admin,
        body: { role_Id: role, collection: "baasix_Role", action: "read", fields: ["name"] },
      }),
      201,
    );
    await app.data.create(root, "baasix_UserRole", [{ user_Id: person.id, role_Id: role }]);
    const enforce = async (enforceTotp = true) =>
      bodyOf(await app.call("PATCH", `/items/baasix_Role/${role}`, { token: admin, body: { enforceTotp } }));
    return { ...person, role, enforce };
  };
  const required = [403, "MFA_REQUIRED"];

  test("closes every door of who has none, at once, but those to get one", async () => {
    const { email, enforce, token: before } = await holder();
    expect(await meStatus(before)).toBe(200);
    await enforce();
    const answer = await signIn(email);
    expect(answer.body).toMatchObject({ aal: 1, mfaEnrollmentRequired: true });
    const { token, refreshToken } = answer.body as { token: string; refreshToken: string };
    const doors: readonly (readonly [string, string, object?])[] = [
      ["GET", "/auth/me"],
      ["GET", "/auth/check"],
      ["GET", "/auth/sessions"],
      ["DELETE", "/auth/sessions"],
      ["GET", "/items/baasix_Role"],
      ["POST", "/items/baasix_Role", { name: "x" }],
      ["GET", "/schemas"],
      ["GET", "/permissions"],
      ["POST", "/transaction", { operations: [] }],
      ["GET", "/swagger/json"],
      ["POST", "/auth/password/change", { currentPassword: password, newPassword: "another password" }],
      ["POST", "/auth/refresh", {}],
    ];
    for (const [method, path, body] of doors) {
      for (const session of [before, token]) {
        const refusal = refusalOf(await app.call(method, path, { token: session, body }));
        expect([path, ...refusal.slice(0, 2)]).toEqual([path, ...required]);
      }
    }
    expect((await app.call("POST", "/auth/refresh", { body: { refreshToken } })).status).toBe(200);
    expect(await level(token)).toMatchObject({
      data: { currentLevel: "aal1", nextLevel: "aal2", mfaEnrollmentRequired: true },
    });
    expect((await app.call("POST", "/auth/reauthenticate", { token, body: { password } })).status).toBe(200);
    const factor = await enroll(token);
    const done = bodyOf<MfaVerifyResult>(await verify(token, factor.id, { code: codeOf(factor) }));
    expect(done.mfaEnrollmentRequired).toBeUndefined();
    expect((await app.call("GET", "/items/baasix_Role", { token: done.token })).status).toBe(200);
    const last = await app.call("DELETE", `/auth/mfa/factors/${factor.id}`, { token: done.token });
    expect(refusalOf(last)).toEqual([
      403,
      "FORBIDDEN",
      "Your role asks for a second factor: add another one before you remove this",
    ]);
  });

  test("closes open sockets, and opens none", async () => {
    const { token, enforce } = await holder();
    const url = app.listen();
    const socket = await openSocket(url, token);
    await enforce();
    expect((await socket.closed).code).toBe(4401);
    const again = await openSocket(url);
    again.send({ type: "authenticate", token, version: 1 } as never);
    expect((await again.closed).code).toBe(4401);
    await enforce(false);
    const back = await openSocket(url, token);
    back.close();
  });

  test("counts on another instance of the server, where no code counts again either", async () => {
    const second = await openInstance(app.config, app.address, { now: () => time });
    try {
      while (!second.feed.status().connected) await Bun.sleep(5);
      const { token, enforce } = await holder();
      const ask = async () => (await second.call("GET", "/auth/me", { token })).status;
      expect(await ask()).toBe(200);
      await enforce();
      while ((await ask()) === 200) await Bun.sleep(5);
      expect(await ask()).toBe(403);

      const { email, factor } = await guarded();
      const [here, there] = [await half(email), await half(email)];
      const code = nextCode(factor);
      const both = await Promise.all([
        finish({ mfaToken: here, code }),
        second.call("POST", "/auth/mfa/verify", { body: { mfaToken: there, code } }),
      ]);
      expect(both.map(({ status }) => status).toSorted()).toEqual([200, 400]);
    } finally {
      await second.close();
    }
  });

  test("given to somebody counts at once, too", async () => {
    const { role, enforce } = await holder();
    await enforce();
    const { id, token } = await newPerson();
    expect(await meStatus(token)).toBe(200);
    await app.data.create(root, "baasix_UserRole", [{ user_Id: id, role_Id: role }]);
    expect(await meStatus(token)).toBe(403);
  });

  test("lets API tokens work, which no person holds", async () => {
    const { role, enforce } = await holder();
    await enforce();
    const body = { name: "robot", role_Id: role };
    const made = await app.call("POST", "/auth/tokens", { token: await freshAdmin(), body });
    const { token } = bodyOf<{ data: { token: string } }>(made, 201).data;
    expect((await app.call("GET", "/items/baasix_Role", { token })).status).toBe(200);
    for (const path of ["/auth/mfa/factors", "/auth/mfa/recovery-codes"]) {
      expect((await app.call("POST", path, { token })).status).toBe(403);
    }
  });

  test("does not ask where an address keeps it from counting", async () => {
    const { role, token, enforce } = await holder();
    await enforce();
    const body = { ipWhitelist: ["192.0.2.1"] };
    bodyOf(await app.call("PATCH", `/items/baasix_Role/${role}`, { token: await freshAdmin(), body }));
    expect(await meStatus(token)).toBe(200);
  });
});

test("secrets that an earlier key has sealed are sealed anew, and go on to work", async () => {
  const { factor, id } = await guarded();
  const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const before = createFactorSeal([one]);
  const sealed = { secret: await before.close(factor.id, factor.secret), keyId: before.keyId };
  await app.data.updateWhere(root, "baasix_Factor", { id: { eq: factor.id } }, sealed);
  expect(await sealFactorsAnew(app.data, createFactorSeal([two, one]))).toBe(1);
  time += minute;
  // The first key is forgotten.
  expect(await factorsOf(createFactorSeal([two])).match(id, codeOf(factor), "verified")).not.toBeNull();
  expect(await sealFactorsAnew(app.data, createFactorSeal([two]))).toBe(0);
});

function factorsOf(seal = createFactorSeal([deriveKey(loadSecret(app.config), "second factors")])) {
  return createFactors({ data: app.data, seal, issuer: "Test", clock: () => time });
}

async function freshAdmin(): Promise<string> {
  return app.login(testAdmin.email, testAdmin.password);
}

async function challenge(
  token: string,
  factor: string,
): Promise<{ id: string; factorId: string; expiresAt: string }> {
  const answer = await app.call("POST", `/auth/mfa/factors/${factor}/challenge`, { token });
  return bodyOf<{ data: { id: string; factorId: string; expiresAt: string } }>(answer, 201).data;
}
