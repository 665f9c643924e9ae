/** Sign-ins by redirects with real providers: the way through, and what hostile answers come to. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { decodeJwt, generateKeyPair } from "jose";
import { appPage, openOAuthScene, type OAuthScene } from "../../testing/oauth";
import type { Visited } from "../../testing/sign-in-provider";

setDefaultTimeout(30_000);

let now = Date.now();
let scene: OAuthScene;
beforeAll(async () => {
  scene = await openOAuthScene({ now: () => now });
  scene.oidc.people.set("ann", {
    email: "Ann@Example.com",
    email_verified: true,
    given_name: "Ann",
    family_name: "Lee",
  });
});
afterAll(() => scene.close());
afterEach(() => {
  scene.oidc.tamper = null;
});

const told = ({ url, status, text }: Visited): Record<string, unknown> => ({
  at: url.origin + url.pathname,
  ...Object.fromEntries(url.searchParams),
  ...(status > 0 && { status, code: (JSON.parse(text) as { error?: { code: string } }).error?.code }),
});
const exchange = (token: string | null, more: object = {}) =>
  scene.app.call("POST", "/auth/social/exchange", { body: { token, ...more } });

describe("the way through", () => {
  test("a new account is made, and found again", async () => {
    const first = await scene.signIn("ann", {
      query: { redirect_url: `${appPage}?next=%2Fhome`, state: "mine" },
    });
    expect(told(first)).toEqual({
      at: appPage,
      next: "/home",
      state: "mine",
      token: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const answer = await exchange(first.url.searchParams.get("token"));
    expect(answer).toMatchObject({
      status: 200,
      body: {
        refreshToken: expect.any(String),
        authMode: "jwt",
        user: { email: "ann@example.com", firstName: "Ann", lastName: "Lee" },
        role: { name: "user" },
      },
    });
    const { token, user } = answer.body as { token: string; user: { id: string } };
    const me = await scene.app.call("GET", "/auth/me", { token });
    expect(me.body).toMatchObject({ user: { id: user.id, emailVerified: true } });
    const linked = await scene.app.call("GET", "/auth/social", { token });
    expect(linked.body).toEqual({ data: [{ provider: "acme", createdAt: expect.any(String) }] });

    const second = await scene.signIn("ann");
    const again = await exchange(second.url.searchParams.get("token"));
    expect(again.body).toMatchObject({ user: { id: user.id } });
  });

  test("providers are listed by name", async () => {
    expect((await scene.app.call("GET", "/auth/providers")).body).toEqual({
      data: [
        { name: "github", label: "GitHub" },
        { name: "posted", label: "posted" },
        { name: "away", label: "away" },
        { name: "acme", label: "Acme" },
      ],
    });
  });

  test("the token is used once, of many at once by one, and within a minute", async () => {
    const token = (await scene.signIn("ann")).url.searchParams.get("token");
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(token)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      200,
      ...Array.from({ length: 19 }, () => 400),
    ]);
    const late = (await scene.signIn("ann")).url.searchParams.get("token");
    now += 61_000;
    expect((await exchange(late)).body).toMatchObject({ message: "Invalid or expired token" });
  });

  test("an application that began with a challenge must show its verifier", async () => {
    const verifier = "a-verifier-of-the-application-that-is-long-enough";
    const hash = new Bun.CryptoHasher("sha256").update(verifier).digest("base64url");
    const asked: Record<string, string>[] = [
      { code_challenge: verifier },
      { code_challenge: hash, code_challenge_method: "S256" },
    ];
    for (const query of asked) {
      // oxlint-disable-next-line no-await-in-loop
      const back = await scene.signIn("ann", { query: { redirect_url: appPage, ...query } });
      const token = back.url.searchParams.get("token");
      // oxlint-disable-next-line no-await-in-loop
      const statuses = [await exchange(token), await exchange(token, { code_verifier: `${verifier}!` })];
      expect(statuses.map(({ status }) => status)).toEqual([400, 400]);
      // oxlint-disable-next-line no-await-in-loop
      expect((await exchange(token, { code_verifier: verifier })).status).toBe(200);
    }
    const unbound = (await scene.signIn("ann")).url.searchParams.get("token");
    expect((await exchange(unbound, { code_verifier: verifier })).status).toBe(400);
  });

  test("cookie mode keeps the session out of reach of pages, and is not for foreign ones", async () => {
    const token = (await scene.signIn("ann")).url.searchParams.get("token");
    const foreign = { token, authMode: "cookie" };
    const headers = { origin: "https://evil.example.com" };
    expect((await scene.app.call("POST", "/auth/social/exchange", { body: foreign, headers })).status).toBe(
      403,
    );
    const answer = await exchange(token, { authMode: "cookie" });
    expect(answer.headers.getSetCookie().map((cookie) => cookie.split("=")[0])).toEqual([
      "token",
      "refreshToken",
    ]);
    expect(answer.body).not.toHaveProperty("refreshToken");
  });

  test("a provider whose page posts its answer", async () => {
    const visitor = scene.openVisitor();
    const page = await scene.signIn("ann", { visitor, provider: "posted" });
    // The provider's page posts by a script: what it would post, posted here.
    const form = Object.fromEntries(
      [...page.text.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [
        name,
        value,
      ]),
    ) as Record<string, string>;
    expect(Object.keys(form).toSorted()).toEqual(["code", "iss", "state"]);
    const cookie = [...visitor.cookies].find(([name]) => name.startsWith("baasix-oauth-"));
    expect(cookie).toBeDefined();
    const asLink = await visitor.visit(
      `${scene.url}/auth/callback/posted?${new URLSearchParams(form).toString()}`,
    );
    expect(asLink.status).toBe(400);
    const back = await visitor.visit(`${scene.url}/auth/callback/posted`, form);
    // Linked by mail: both sides have confirmed it.
    expect((await exchange(back.url.searchParams.get("token"))).body).toMatchObject({
      user: { email: "ann@example.com" },
    });
  });

  test("the name that comes beside a posted answer is taken for a name alone", async () => {
    scene.oidc.people.set("eve", { email: "eve@example.com", email_verified: true });
    const visitor = scene.openVisitor();
    const page = await scene.signIn("eve", { visitor, provider: "posted" });
    const form = Object.fromEntries(
      [...page.text.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [
        name,
        value,
      ]),
    ) as Record<string, string>;
    const user = JSON.stringify({ name: { firstName: "Eve", lastName: "Moss" }, email: "ann@example.com" });
    const back = await visitor.visit(`${scene.url}/auth/callback/posted`, { ...form, user });
    expect((await exchange(back.url.searchParams.get("token"))).body).toMatchObject({
      user: { email: "eve@example.com", firstName: "Eve", lastName: "Moss" },
    });
  });

  test.each([
    ["application/json", "{}", 415],
    ["text/plain", "code=1&state=2", 415],
    ["application/x-www-form-urlencoded", `code=${"x".repeat(70_000)}`, 413],
    ["application/x-www-form-urlencoded; charset=utf-8", "code=1&state=2", 400],
  ])("what is posted as %s: %#", async (type, body, status) => {
    const headers = { "content-type": type };
    expect((await fetch(`${scene.url}/auth/callback/posted`, { method: "POST", headers, body })).status).toBe(
      status,
    );
  });

  test("GitHub, whose API tells who it is", async () => {
    scene.github.person = {
      id: 7,
      login: "gil",
      name: "Gil Poe",
      mails: [
        { email: "old@example.com", primary: true, verified: false },
        { email: "gil@example.com", primary: false, verified: true },
      ],
    };
    const back = await scene.signIn("", { provider: "github" });
    expect((await exchange(back.url.searchParams.get("token"))).body).toMatchObject({
      user: { email: "gil@example.com", firstName: "Gil", lastName: "Poe" },
    });
    scene.github.person = null;
    expect(told(await scene.signIn("", { provider: "github" }))).toMatchObject({
      at: appPage,
      error: "access_denied",
    });
  });

  test("the contract's way: an address first, then the session as the answer to the last request", async () => {
    const begun = await fetch(`${scene.url}/auth/social/signin`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ provider: "acme" }),
    });
    const body = (await begun.json()) as { redirect: boolean; url: string };
    const asked = Object.fromEntries(new URL(body.url).searchParams);
    expect(asked).toMatchObject({
      response_type: "code",
      client_id: "baasix",
      scope: "openid email profile",
      redirect_uri: `${scene.url}/auth/callback/acme`,
      code_challenge_method: "S256",
    });
    const visitor = scene.openVisitor();
    const { name, value, sameSite, httpOnly, maxAge } = Bun.Cookie.parse(
      begun.headers.getSetCookie()[0] ?? "",
    );
    expect([sameSite, httpOnly, maxAge]).toEqual(["lax", true, 600]);
    visitor.cookies.set(name, value);
    const end = await visitor.signInAt(await visitor.visit(body.url), "ann");
    expect(end.status).toBe(200);
    expect(JSON.parse(end.text)).toMatchObject({
      token: expect.any(String),
      user: { email: "ann@example.com" },
    });
    expect(visitor.cookies.has(name)).toBe(false);
  });

  test("or with the application's page as the provider's address", async () => {
    const begun = await scene.app.call("POST", "/auth/social/signin", {
      body: { provider: "acme", callbackURL: appPage },
    });
    const visitor = scene.openVisitor();
    const page = await visitor.signInAt(await visitor.visit((begun.body as { url: string }).url), "ann");
    expect(page.url.href).toStartWith(`${appPage}?code=`);
    const cookie = begun.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const path = `/auth/callback/acme${page.url.search}`;
    expect((await scene.app.call("GET", path)).status).toBe(400);
    expect((await scene.app.call("GET", path, { headers: { cookie } })).body).toMatchObject({
      user: { email: "ann@example.com" },
    });
  });
});

describe("hostile answers", () => {
  /** Goes as far as the address that the provider leads back to. */
  async function arrive(subject = "ann") {
    const visitor = scene.openVisitor();
    visitor.stopAt = `${scene.url}/auth/callback/`;
    const { url } = await scene.signIn(subject, { visitor });
    visitor.stopAt = null;
    return { visitor, url };
  }
  const failed = {
    at: appPage,
    error: "sign_in_failed",
    error_description: "Acme did not confirm the sign-in",
  };

  type Change = (claims: Record<string, unknown>, token: string) => Promise<string> | string;
  const claimed =
    (change: object): Change =>
    (claims) =>
      scene.oidc.sign({ ...claims, ...change });
  test.each<[name: string, change: Change]>([
    ["another nonce", claimed({ nonce: "x" })],
    ["no nonce", claimed({ nonce: undefined })],
    ["another issuer", claimed({ iss: "https://evil.example.com" })],
    ["another audience", claimed({ aud: "somebody else" })],
    ["several audiences of which none was asked", claimed({ aud: ["baasix", "another"] })],
    ["another party", claimed({ azp: "another", aud: ["baasix", "another"] })],
    ["its time is over", claimed({ exp: Math.floor(Date.now() / 1000) - 60 })],
    ["no end", claimed({ exp: undefined })],
    ["another person than the API tells of", claimed({ sub: "bob" })],
    [
      "a key that is not the provider's",
      async (claims) => {
        const { privateKey } = await generateKeyPair("RS256");
        return scene.oidc.sign(claims, { key: privateKey });
      },
    ],
    ["an unknown key", (claims) => scene.oidc.sign(claims, { header: { kid: "another" } })],
    [
      "a key that it brings along",
      async (claims) => {
        const { privateKey } = await generateKeyPair("RS256");
        return scene.oidc.sign(claims, {
          key: privateKey,
          header: { kid: undefined, jku: "https://evil.example.com" },
        });
      },
    ],
    [
      "no signature",
      (claims) => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
        return `${part({ alg: "none" })}.${part(claims)}.`;
      },
    ],
    [
      "a signature with our secret",
      async (claims) => {
        const bytes = new TextEncoder().encode("the secret of the app at the provider");
        const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [
          "sign",
        ]);
        return scene.oidc.sign(claims, { key, header: { alg: "HS256" } });
      },
    ],
    ["a signature over something else", (_, token) => `${token.slice(0, -8)}AAAAAAAA`],
    ["no token at all", () => ""],
  ])("an ID token with %s", async (_name, change) => {
    scene.oidc.tamper = async (answer) => {
      const token = String(answer.id_token);
      return { ...answer, id_token: (await change({ ...decodeJwt(token) }, token)) || undefined };
    };
    expect(told(await scene.signIn("ann"))).toEqual(failed);
  });

  test("an answer is used once, of many at once by one", async () => {
    const { visitor, url } = await arrive();
    const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const path = url.href.slice(scene.url.length);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => scene.app.call("GET", path, { headers: { cookie } })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      303,
      ...Array.from({ length: 9 }, () => 400),
    ]);
  });

  test("a state is worth nothing in another browser, and stays good in its own", async () => {
    const { visitor, url } = await arrive();
    const stranger = await scene.openVisitor().visit(url.href);
    expect([stranger.status, stranger.text]).toEqual([
      400,
      expect.stringContaining("Invalid or expired state"),
    ]);
    expect(told(await visitor.visit(url.href))).toMatchObject({ at: appPage, token: expect.any(String) });
  });

  test("the code of one sign-in does not go with the state of another", async () => {
    const theirs = await arrive();
    const { visitor, url } = await arrive();
    url.searchParams.set("code", theirs.url.searchParams.get("code") ?? "");
    expect(told(await visitor.visit(url.href))).toEqual(failed);
  });

  test.each<[name: string, change: (url: URL) => void, result: object]>([
    [
      "a state that nobody gave out",
      (url) => url.searchParams.set("state", "0".repeat(64)),
      { status: 400, code: "INVALID_CREDENTIALS" },
    ],
    ["no state", (url) => url.searchParams.delete("state"), { status: 400, code: "VALIDATION_ERROR" }],
    ["two states", (url) => url.searchParams.append("state", "x"), failed],
    ["no code", (url) => url.searchParams.delete("code"), { status: 400, code: "VALIDATION_ERROR" }],
    ["a code that is none", (url) => url.searchParams.set("code", "x"), failed],
    [
      "the issuer of another provider",
      (url) => url.searchParams.set("iss", "https://evil.example.com"),
      failed,
    ],
    ["no issuer, where one was announced", (url) => url.searchParams.delete("iss"), failed],
    [
      "another provider's address",
      (url) => void (url.pathname = "/auth/callback/away"),
      { status: 400, code: "INVALID_CREDENTIALS" },
    ],
    [
      "the address of no provider",
      (url) => void (url.pathname = "/auth/callback/nobody"),
      { status: 400, code: "VALIDATION_ERROR" },
    ],
    [
      "an error",
      (url) => (url.searchParams.delete("code"), url.searchParams.set("error", "access_denied")),
      { at: appPage, error: "access_denied", error_description: "Acme: the sign-in was cancelled" },
    ],
    [
      "an error with words of its own",
      (url) => (
        url.searchParams.delete("code"),
        url.searchParams.set("error", "<script>"),
        url.searchParams.set("error_description", "call 0900")
      ),
      failed,
    ],
  ])("an answer with %s", async (_name, change, result) => {
    const { visitor, url } = await arrive();
    change(url);
    expect(told(await visitor.visit(url.href))).toMatchObject(result);
  });

  test("a state ends after ten minutes", async () => {
    const { visitor, url } = await arrive();
    now += 600_001;
    expect(told(await visitor.visit(url.href))).toMatchObject({ status: 400, code: "INVALID_CREDENTIALS" });
    now = Date.now();
  });

  test("a provider that cannot be reached is told of where the sign-in would have ended", async () => {
    expect(
      told(await scene.signIn("ann", { provider: "away", query: { redirect_url: appPage, state: "s" } })),
    ).toEqual({
      at: appPage,
      error: "temporarily_unavailable",
      error_description: "away cannot be asked at the moment; try again",
      state: "s",
    });
    const call = await scene.app.call("POST", "/auth/social/signin", { body: { provider: "away" } });
    expect(call.status).toBe(503);
  });

  test.each<[why: string, query: Record<string, string>]>([
    ["no address", {}],
    ["another origin", { redirect_url: "https://evil.example.com/" }],
    ["an address for errors elsewhere", { redirect_url: appPage, error_url: "https://evil.example.com/" }],
    ["more than the provider is configured for", { redirect_url: appPage, scopes: "openid offline_access" }],
    ["a challenge that is too short", { redirect_url: appPage, code_challenge: "short" }],
  ])("nobody is sent to a provider for %s", async (_why, query) => {
    const page = await scene.signIn("ann", { query });
    expect(told(page)).toMatchObject({ status: 400, code: "VALIDATION_ERROR" });
  });
});
