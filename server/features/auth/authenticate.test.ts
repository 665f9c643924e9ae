import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Actor } from "../../core/access/actor";
import type { Data } from "../../data";
import { type TestApp, testApp } from "../../testing/app";
import { createAuthenticator } from "./authenticate";
import { createTokens } from "./tokens";

let app: TestApp;
let person: { token: string; id: string };
beforeAll(async () => {
  app = await testApp();
  person = await app.signUp("ada@example.com");
});
afterAll(() => app.close());

/** An authenticator of its own over the real door, which counts the reads. */
function counting({ feedLive = true, clock = Date.now }: { feedLive?: boolean; clock?: () => number } = {}) {
  let reads = 0;
  const find: Data["find"] = (actor, collection, query) => {
    reads++;
    return app.data.find(actor, collection, query);
  };
  const secret = { bytes: new TextEncoder().encode(app.config.SECRET_KEY) };
  const authenticator = createAuthenticator({
    data: { ...app.data, find },
    tokens: createTokens({ secret, config: app.config, clock }),
    config: app.config,
    clock,
    feedLive: () => feedLive,
  });
  return { authenticator, reads: () => reads };
}

const request = () =>
  new Request("http://localhost/", { headers: { authorization: `Bearer ${person.token}` } });
const idOf = (actor: Actor) => (actor.kind === "user" ? actor.id : actor.kind);

test("asks once, and answers a remembered session at once", async () => {
  const { authenticator, reads } = counting();
  expect(idOf(await authenticator.authenticate(request()))).toBe(person.id);
  const asked = reads();
  const again = authenticator.authenticate(request());
  expect(again).not.toBeInstanceOf(Promise);
  expect(idOf(await again)).toBe(person.id);
  expect(reads()).toBe(asked);
  expect(authenticator.authenticate(new Request("http://localhost/"))).toEqual({ kind: "anonymous" });
});

test("asks once for many requests that come together", async () => {
  const { authenticator, reads } = counting();
  await Promise.all(Array.from({ length: 50 }, () => authenticator.authenticate(request())));
  expect(reads()).toBe(3);
});

test.each([{ session: true }, { user: true }, {}])(
  "asks again after the eviction of %j",
  async (what: { session?: true; user?: true }) => {
    const { authenticator, reads } = counting();
    const actor = await authenticator.authenticateToken(person.token, "127.0.0.1");
    if (what.session) authenticator.evict({ session: actor.session });
    else if (what.user) authenticator.evict({ user: actor.id });
    else authenticator.clear();
    await authenticator.authenticateToken(person.token, "127.0.0.1");
    expect(reads()).toBe(6);
  },
);

test("does not remember what was read before an eviction", async () => {
  const { authenticator, reads } = counting();
  // The token is verified first, so that the next call is in the middle of its reads when the eviction comes.
  await authenticator.authenticateToken(person.token, "127.0.0.1");
  authenticator.clear();
  const reading = authenticator.authenticateToken(person.token, "127.0.0.1");
  authenticator.evict({ user: person.id });
  await reading;
  await authenticator.authenticateToken(person.token, "127.0.0.1");
  expect(reads()).toBe(9);
});

test("believes a session for a second without a feed", async () => {
  let now = Date.now();
  const { authenticator, reads } = counting({ feedLive: false, clock: () => now });
  await authenticator.authenticateToken(person.token, "127.0.0.1");
  now += 999;
  await authenticator.authenticateToken(person.token, "127.0.0.1");
  expect(reads()).toBe(3);
  now += 1;
  await authenticator.authenticateToken(person.token, "127.0.0.1");
  expect(reads()).toBe(6);
});
