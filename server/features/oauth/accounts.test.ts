/** Which account a provider's word opens, and how providers are linked and unlinked. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { generateKeyPair } from "jose";
import { system } from "../../core/access/actor";
import type { Answer } from "../../testing/app";
import { untilLocked } from "../../testing/locks";
import { appPage, openOAuthScene, type OAuthScene } from "../../testing/oauth";

setDefaultTimeout(30_000);

let now = Date.now();
let scene: OAuthScene;
beforeAll(async () => {
  scene = await openOAuthScene({ now: () => now });
});
afterAll(() => scene.close());

const seconds = () => Math.floor(now / 1000);
const idToken = (claims: Record<string, unknown>, options?: Parameters<OAuthScene["oidc"]["sign"]>[1]) =>
  scene.oidc.sign(
    {
      iss: scene.oidc.issuer,
      aud: "baasix",
      iat: seconds(),
      exp: seconds() + 300,
      jti: crypto.randomUUID(),
      ...claims,
    },
    options,
  );
const signInWith = async (claims: Record<string, unknown>, more: object = {}): Promise<Answer> =>
  scene.app.call("POST", "/auth/social/signin", {
    body: { provider: "acme", idToken: { token: await idToken(claims), ...more } },
  });
const confirm = (id: string) =>
  scene.app.call("PATCH", `/items/baasix_User/${id}`, {
    token: scene.app.admin,
    body: { emailVerified: true },
  });
const userOf = ({ body }: Answer) => (body as { user: { id: string } }).user.id;
const tokenOf = ({ body }: Answer) => (body as { token: string }).token;

describe("which account is opened", () => {
  test.each<
    [there: "confirmed" | "unconfirmed" | "none", told: boolean | undefined | string, result: number]
  >([
    ["confirmed", true, 200],
    ["confirmed", "true", 200],
    ["confirmed", false, 409],
    ["confirmed", undefined, 409],
    ["confirmed", "false", 409],
    ["unconfirmed", true, 409],
    ["unconfirmed", false, 409],
    ["none", true, 200],
    ["none", false, 200],
  ])("an account with the address: %s; the provider says confirmed: %s; %d", async (there, told, result) => {
    const email = `${crypto.randomUUID()}@example.com`;
    const account = there === "none" ? null : await scene.app.signUp(email);
    if (account && there === "confirmed") expect((await confirm(account.id)).status).toBe(200);
    const sub = crypto.randomUUID();
    const answer = await signInWith({ sub, email: email.toUpperCase(), email_verified: told });
    expect(answer.status).toBe(result);
    if (result === 409) {
      expect(answer.body).toMatchObject({
        message: "There is an account with this mail address; sign in to it another way, and link Acme there",
      });
      return;
    }
    expect(answer.body).toMatchObject({ redirect: false, user: { email } });
    if (account) expect(userOf(answer)).toBe(account.id);
    const { body } = await scene.app.call("GET", "/auth/me", { token: tokenOf(answer) });
    expect(body).toMatchObject({ user: { emailVerified: told === true || told === "true" } });
    // From now on the subject counts, whatever the address is.
    expect(userOf(await signInWith({ sub, email: "changed@example.com" }))).toBe(userOf(answer));
  });

  test("of twenty first sign-ins at once one makes the account", async () => {
    const claims = { sub: "many", email: "many@example.com", email_verified: true };
    const answers = await Promise.all(Array.from({ length: 20 }, () => signInWith(claims)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(new Set(answers.map(userOf)).size).toBe(1);
  });

  test("no address, no account", async () => {
    expect(await signInWith({ sub: "x" })).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining("no mail address") },
    });
    expect((await signInWith({ sub: "x", email: "not an address", email_verified: true })).status).toBe(403);
  });

  test("a suspended account stays closed", async () => {
    const claims = { sub: "sid", email: "sid@example.com", email_verified: true };
    const id = userOf(await signInWith(claims));
    await scene.app.call("PATCH", `/items/baasix_User/${id}`, {
      token: scene.app.admin,
      body: { status: "suspended" },
    });
    expect(await signInWith(claims)).toMatchObject({
      status: 403,
      body: { message: "Account is suspended" },
    });
  });
});

test("closed registration and required confirmation count here, too", async () => {
  const closed = await openOAuthScene({ env: { PUBLIC_REGISTRATION: "false", LOGIN_RATE_LIMIT: "20" } });
  try {
    closed.oidc.people.set("new", { email: "new@example.com", email_verified: true });
    const back = await closed.signIn("new");
    const answer = await closed.app.call("POST", "/auth/social/exchange", {
      body: { token: back.url.searchParams.get("token") },
    });
    expect(answer).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining("Registration is closed") },
    });
    const begin = () => closed.app.call("POST", "/auth/social/signin", { body: { provider: "github" } });
    const statuses = (await Promise.all(Array.from({ length: 21 }, begin))).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
  } finally {
    await closed.close();
  }
  const strict = await openOAuthScene({ env: { REQUIRE_EMAIL_VERIFICATION: "true" } });
  try {
    for (const [email_verified, status] of [
      [false, 403],
      [true, 200],
    ] as const) {
      strict.oidc.people.set("new", { email: "new@example.com", email_verified });
      // oxlint-disable-next-line no-await-in-loop
      const back = await strict.signIn("new");
      // oxlint-disable-next-line no-await-in-loop
      const answer = await strict.app.call("POST", "/auth/social/exchange", {
        body: { token: back.url.searchParams.get("token") },
      });
      expect(answer.status).toBe(status);
    }
  } finally {
    await strict.close();
  }
});

test.each<Record<string, string>>([{ PUBLIC_REGISTRATION: "false" }, { REQUIRE_EMAIL_VERIFICATION: "true" }])(
  "with %p an address that the provider has not confirmed tells nothing of an account",
  async (env) => {
    const { app, close, oidc } = await openOAuthScene({ env, now: () => now });
    try {
      const body = { email: "there@example.com", firstName: "T" };
      expect((await app.call("POST", "/items/baasix_User", { token: app.admin, body })).status).toBe(201);
      const ask = async (email: string) => {
        const claims = { iss: oidc.issuer, aud: "baasix", iat: seconds(), exp: seconds() + 300 };
        const token = await oidc.sign({ ...claims, sub: crypto.randomUUID(), email });
        const answer = await app.call("POST", "/auth/social/signin", {
          body: { provider: "acme", idToken: { token } },
        });
        return [answer.status, (answer.body as { message: string }).message];
      };
      const there = await ask("there@example.com");
      expect(there[0]).toBe(403);
      expect(await ask("nobody@example.com")).toEqual(there);
    } finally {
      await close();
    }
  },
);

describe("ID tokens that an application got by itself", () => {
  const good = () => ({ sub: "ida", email: "ida@example.com", email_verified: true });
  type Row = [name: string, token: () => Promise<string>, nonce: string | undefined, status: number];
  test.each<Row>([
    ["good", () => idToken(good()), undefined, 200],
    ["with its nonce", () => idToken({ ...good(), nonce: "n" }), "n", 200],
    [
      "with the hash of its nonce",
      () => idToken({ ...good(), nonce: new Bun.CryptoHasher("sha256").update("n").digest("hex") }),
      "n",
      200,
    ],
    ["with another nonce", () => idToken({ ...good(), nonce: "x" }), "n", 400],
    ["without the nonce that was given", () => idToken(good()), "n", 400],
    ["with a nonce that nobody tells", () => idToken({ ...good(), nonce: "n" }), undefined, 400],
    ["of another issuer", () => idToken({ ...good(), iss: "https://evil.example.com" }), undefined, 400],
    ["for another audience", () => idToken({ ...good(), aud: "another" }), undefined, 400],
    [
      "for several, made for another",
      () => idToken({ ...good(), aud: ["baasix", "another"], azp: "another" }),
      undefined,
      400,
    ],
    [
      "for several, made for nobody",
      () => idToken({ ...good(), aud: ["baasix", "another"] }),
      undefined,
      400,
    ],
    ["past its time", () => idToken({ ...good(), exp: seconds() - 60 }), undefined, 400],
    ["without an end", () => idToken({ ...good(), exp: undefined }), undefined, 400],
    ["without a subject", () => idToken({ ...good(), sub: undefined }), undefined, 400],
    [
      "by another key",
      async () => idToken(good(), { key: (await generateKeyPair("RS256")).privateKey }),
      undefined,
      400,
    ],
    ["by an unknown key", () => idToken(good(), { header: { kid: "another" } }), undefined, 400],
    ["that is none", () => Promise.resolve("x.y.z"), undefined, 400],
    ["that is too long", () => idToken({ ...good(), more: "x".repeat(17_000) }), undefined, 400],
  ])("%s", async (_name, token, nonce, status) => {
    const answer = await scene.app.call("POST", "/auth/social/signin", {
      body: { provider: "acme", idToken: { token: await token(), ...(nonce !== undefined && { nonce }) } },
    });
    expect([answer.status, (answer.body as { message?: string }).message]).toEqual(
      status === 200 ? [200, undefined] : [400, "Invalid ID token"],
    );
  });

  test("each opens one session, of many at once one", async () => {
    const token = await idToken(good());
    const call = () =>
      scene.app.call("POST", "/auth/social/signin", { body: { provider: "acme", idToken: { token } } });
    const statuses = (await Promise.all(Array.from({ length: 10 }, call))).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 400)]);
  });

  test("providers without ID tokens take none", async () => {
    const body = { provider: "github", idToken: { token: await idToken(good()) } };
    expect((await scene.app.call("POST", "/auth/social/signin", { body })).status).toBe(400);
  });

  test.each([
    [{}, "Provider is required"],
    [{ provider: "myspace" }, "Provider 'myspace' not found"],
    [{ provider: "__proto__" }, "Provider '__proto__' not found"],
  ])("%j: %s", async (body, message) => {
    expect(await scene.app.call("POST", "/auth/social/signin", { body })).toMatchObject({
      status: 400,
      body: { message },
    });
  });
});

describe("linking", () => {
  const call = (method: string, path: string, token: string, body?: object) =>
    scene.app.call(method, path, { token, ...(body && { body }) });
  const begin = async (token: string) => {
    const body = { provider: "acme", redirectUrl: appPage, state: "s" };
    const begun = (await call("POST", "/auth/social/link", token, body)).body as {
      redirect: true;
      url: string;
    };
    expect([begun.redirect, begun.url.includes("/auth/signin/acme?ticket=")]).toEqual([true, true]);
    return begun.url;
  };
  const follow = async (url: string, subject: string) => {
    const visitor = scene.openVisitor();
    const back = await visitor.signInAt(
      await visitor.visit(url.replace("http://localhost", scene.url)),
      subject,
    );
    return back.url.searchParams.get("token") ?? "";
  };

  test("an account links a provider whose address is another one, and is found by it", async () => {
    const lin = await scene.app.signUp("lin@example.com");
    scene.oidc.people.set("lin at acme", { email: "lin@elsewhere.com", email_verified: false });
    const token = await follow(await begin(lin.token), "lin at acme");
    expect((await scene.app.call("POST", "/auth/social/exchange", { body: { token } })).status).toBe(400);
    expect((await call("POST", "/auth/social/link", lin.token, { token })).body).toEqual({ linked: "acme" });
    expect((await call("GET", "/auth/social", lin.token)).body).toMatchObject({
      data: [{ provider: "acme" }],
    });
    const back = await scene.signIn("lin at acme");
    const body = { token: back.url.searchParams.get("token") };
    expect((await scene.app.call("POST", "/auth/social/exchange", { body })).body).toMatchObject({
      user: { id: lin.id },
    });
  });

  test("what another one's browser brings links nothing, and a sign-in is no link", async () => {
    const [mia, eve] = [
      await scene.app.signUp("mia@example.com"),
      await scene.app.signUp("eve@elsewhere.com"),
    ];
    scene.oidc.people.set("mia at acme", { email: "mia@acme.com", email_verified: true });
    // Eve sends Mia her own link; Mia's application asks for the end as Mia.
    const token = await follow(await begin(eve.token), "mia at acme");
    expect((await call("POST", "/auth/social/link", mia.token, { token })).status).toBe(400);
    // Another session of Eve's did not ask for it either.
    const other = await scene.app.login("eve@elsewhere.com", "a good password");
    expect((await call("POST", "/auth/social/link", other, { token })).status).toBe(400);
    // Eve signs in with her provider and sends Mia where that leads.
    scene.oidc.people.set("eve at acme", { email: "eve@acme.com", email_verified: true });
    const signIn = (await scene.signIn("eve at acme")).url.searchParams.get("token");
    expect((await call("POST", "/auth/social/link", mia.token, { token: signIn })).status).toBe(400);
    expect((await call("GET", "/auth/social", mia.token)).body).toEqual({ data: [] });
  });

  test("a ticket is used once", async () => {
    const { token } = await scene.app.signUp("tic@example.com");
    const url = (await begin(token)).replace("http://localhost", scene.url);
    expect((await scene.openVisitor().visit(url)).url.origin).toBe(scene.oidc.issuer);
    expect((await scene.openVisitor().visit(url)).status).toBe(400);
  });

  test("one provider's account opens one account, and an account has one of each provider", async () => {
    const [ann, bob] = [
      await scene.app.signUp("ann.l@example.com"),
      await scene.app.signUp("bob.l@example.com"),
    ];
    const linkAs = async (token: string, sub: string) =>
      (
        await call("POST", "/auth/social/link", token, {
          provider: "acme",
          idToken: { token: await idToken({ sub }) },
        })
      ).status;
    expect([
      await linkAs(ann.token, "ann at acme"),
      await linkAs(ann.token, "ann at acme"),
      await linkAs(bob.token, "ann at acme"),
      await linkAs(ann.token, "ann again"),
    ]).toEqual([200, 200, 409, 409]);
  });

  test("the last way in is not taken away, of two at once one stays, and other sessions end", async () => {
    const claims = { sub: "uma", email: "uma@example.com", email_verified: true };
    const first = tokenOf(await signInWith(claims));
    const second = tokenOf(await signInWith(claims));
    const drop = (provider: string) => call("DELETE", `/auth/social/${provider}`, second);
    expect(await drop("acme")).toMatchObject({
      status: 409,
      body: { message: "This is the last way into the account; set a password first" },
    });
    expect((await drop("github")).status).toBe(404);
    const posted = { provider: "posted", idToken: { token: await idToken({ sub: "uma" }) } };
    expect((await call("POST", "/auth/social/link", second, posted)).status).toBe(200);
    const statuses = await Promise.all([drop("acme"), drop("posted")]);
    expect(statuses.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    expect((await call("GET", "/auth/me", first)).status).toBe(401);
    expect((await call("GET", "/auth/me", second)).status).toBe(200);
  });

  test("an account with a password may be without providers", async () => {
    const { token } = await scene.app.signUp("pat@example.com");
    const body = { provider: "acme", idToken: { token: await idToken({ sub: "pat" }) } };
    expect((await call("POST", "/auth/social/link", token, body)).status).toBe(200);
    expect((await call("DELETE", "/auth/social/acme", token)).body).toEqual({ data: { provider: "acme" } });
    expect((await call("GET", "/auth/social", token)).body).toEqual({ data: [] });
  });

  test("a session that ends while it links a provider links none", async () => {
    const root = system("the test ends a session at an awkward moment");
    const { app } = scene;
    const { token, id } = await app.signUp("awkward@example.com");
    const body = { provider: "acme", idToken: { token: await idToken({ sub: "awkward" }) } };
    const [refused] = await app.data.transaction(async (rows) => {
      await rows.update(root, "baasix_User", [{ id, data: { lastName: "L" } }]);
      const answer = call("POST", "/auth/social/link", token, body);
      await untilLocked(app.database);
      await rows.removeWhere(root, "baasix_Sessions", { user_Id: { eq: id } });
      // In a list, or the transaction would wait for what waits for it.
      return [answer];
    });
    expect((await refused)?.status).toBe(401);
    const links = { filter: { user_Id: { eq: id } }, fields: ["providerId"] };
    expect(await app.data.find(root, "baasix_Account", links)).toEqual([{ providerId: "credential" }]);
  });

  test("a reset of an account that nobody had confirmed leaves no provider that opens it", async () => {
    const mails: string[] = [];
    const own = await openOAuthScene({
      now: () => now,
      sendMail: (mail) => Promise.resolve(void mails.push(mail.text)),
    });
    try {
      const { app, oidc } = own;
      const claims = { iss: oidc.issuer, aud: "baasix", iat: seconds(), exp: seconds() + 300 };
      const asEve = async (sub: string) => ({
        provider: "acme",
        idToken: { token: await oidc.sign({ ...claims, sub, jti: crypto.randomUUID() }) },
      });
      const linksLeft = async (sub: string, confirmed: boolean) => {
        // Eve signs up with the address of somebody else, and links her own provider.
        const email = `${sub}@example.com`;
        const { token, id } = await app.signUp(email);
        const body = await asEve(sub);
        expect((await app.call("POST", "/auth/social/link", { token, body })).status).toBe(200);
        if (confirmed)
          await app.call("PATCH", `/items/baasix_User/${id}`, {
            token: app.admin,
            body: { emailVerified: true },
          });
        await app.call("POST", "/auth/password/reset", { body: { email } });
        await app.errands.idle();
        await app.mail.run();
        const [, reset] = /reset-password\/([0-9a-f]{64})/.exec(mails.at(-1) ?? "") ?? [];
        const chosen = { body: { password: "the owner's password" } };
        expect((await app.call("POST", `/auth/password/reset/${reset}`, chosen)).status).toBe(200);
        const owner = await app.login(email, "the owner's password");
        const { body: left } = await app.call("GET", "/auth/social", { token: owner });
        const entered = await app.call("POST", "/auth/social/signin", { body: await asEve(sub) });
        return [(left as { data: unknown[] }).data.length, entered.status];
      };
      expect(await linksLeft("unconfirmed", false)).toEqual([0, 403]);
      expect(await linksLeft("confirmed", true)).toEqual([1, 200]);
    } finally {
      await own.close();
    }
  });

  test("it takes a fresh proof, and a person", async () => {
    const { token } = await scene.app.signUp("old@example.com");
    now += 14 * 60_000;
    const renewed = await call("POST", "/auth/refresh", token, {});
    now += 2 * 60_000;
    const asked = tokenOf(renewed);
    const answers = [
      await call("POST", "/auth/social/link", asked, { provider: "acme", redirectUrl: appPage }),
      await call("DELETE", "/auth/social/acme", asked),
    ];
    expect(answers.map(({ body }) => (body as { error: { code: string } }).error.code)).toEqual([
      "REAUTHENTICATION_REQUIRED",
      "REAUTHENTICATION_REQUIRED",
    ]);
    expect((await scene.app.call("POST", "/auth/social/link", { body: { provider: "acme" } })).status).toBe(
      401,
    );
    expect((await scene.app.call("GET", "/auth/social")).status).toBe(401);
  });
});
