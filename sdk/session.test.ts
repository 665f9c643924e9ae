import { expect, test } from "bun:test";
import type { RefreshResult } from "@baasix/types";
import { BaasixError } from "./error";
import { createSession, refreshDue, type SessionOptions } from "./session";
import { MemoryStorageAdapter, storageKeys } from "./storage";

const ann = { id: "ann", email: "ann@x.org", firstName: "Ann", lastName: null };
const bob = { ...ann, id: "bob", email: "bob@x.org" };

/** A session with a clock that stands still and a server that answers when told to. */
function setUp(more: Partial<SessionOptions> = {}) {
  const storage = more.storage ?? new MemoryStorageAdapter();
  const clock = { now: 1_000_000 };
  const asked: (string | null)[] = [];
  const answers: PromiseWithResolvers<RefreshResult>[] = [];
  const events: string[] = [];
  const options: SessionOptions = {
    mode: "jwt",
    storage,
    autoRefresh: true,
    clock: () => clock.now,
    refresh(token) {
      asked.push(token);
      const answer = Promise.withResolvers<RefreshResult>();
      answers.push(answer);
      return answer.promise;
    },
    ...more,
  };
  const session = createSession(options);
  session.listen((event, user) => events.push(`${event} ${user?.id ?? "-"}`));
  return { session, storage, clock, asked, answers, events, options };
}

const signIn = (user: typeof ann, token = "t1", refreshToken = "r1") =>
  ({ token, refreshToken, expiresIn: 900, authMode: "jwt", user }) as const;
const inTenant = (user: typeof ann, id: string, token = id) => ({
  ...signIn(user, token, `refresh ${token}`),
  tenant: { id, name: id.toUpperCase() },
});
const renewed = (token: string, refreshToken: string) =>
  ({ token, refreshToken, expiresIn: 900, authMode: "jwt" }) as const;
const failure = (status: number) => new BaasixError("no", { status, code: "UNKNOWN" });

test.each([
  ["long before the end", 900_000, 900_000, 0, false],
  ["a minute before the end", 900_000, 900_000, 840_000, true],
  ["a quarter before the end of a short life", 30_000, 30_000, 22_000, false],
  ["a quarter before the end of a short life", 30_000, 30_000, 22_500, true],
  ["an unknown life counts as a long one", 900_000, null, 840_000, true],
  ["a token without an end", null, null, 9_000_000, false],
])("renews %s: %p %p at %p", (_name, expiresAt, lifetime, now, due) => {
  expect(refreshDue(expiresAt, lifetime, now)).toBe(due);
});

test("keeps a session, and another client of the storage finds it", async () => {
  const { session, storage, options, events } = setUp();
  await session.begin(signIn(ann));
  expect(session.state()).toMatchObject({ user: ann, isAuthenticated: true, identity: "ann" });
  expect(await storage.get(storageKeys.expiry)).toBe("1900000");
  const next = createSession(options);
  expect(next.state()).toMatchObject({ isLoading: true, isAuthenticated: false });
  expect((await next.credential()).token).toBe("t1");
  expect(next.state()).toMatchObject({ user: ann, isAuthenticated: true, isLoading: false });
  expect(events).toEqual(["SIGNED_IN ann", "INITIALIZED ann"]);
});

test("sign-out leaves nothing behind", async () => {
  const { session, storage, events } = setUp();
  await session.begin(signIn(ann));
  const { token, refreshToken, saved } = session.end();
  expect(session.state()).toMatchObject({ user: null, isAuthenticated: false, identity: null });
  await saved;
  expect([token, refreshToken]).toEqual(["t1", "r1"]);
  expect((storage as MemoryStorageAdapter).size()).toBe(0);
  expect(events.at(-1)).toBe("SIGNED_OUT -");
});

test("all who wait share one renewal, ahead of the end", async () => {
  const { session, clock, asked, answers } = setUp();
  await session.begin(signIn(ann));
  clock.now += 841_000;
  const waiting = [session.credential(), session.credential(), session.credential()];
  await Promise.resolve();
  await session.load();
  answers[0]?.resolve(renewed("t2", "r2"));
  expect((await Promise.all(waiting)).map(({ token }) => token)).toEqual(["t2", "t2", "t2"]);
  expect(asked).toEqual(["r1"]);
  expect((await session.credential()).token).toBe("t2");
});

test("who was refused with an old token gets the newer one without asking again", async () => {
  const { session, asked, answers } = setUp();
  await session.begin(signIn(ann));
  const old = await session.credential();
  const first = session.renew(old);
  answers[0]?.resolve(renewed("t2", "r2"));
  expect((await first)?.token).toBe("t2");
  expect((await session.renew(old))?.token).toBe("t2");
  expect(asked).toEqual(["r1"]);
});

test("a refused renewal ends the session and says why", async () => {
  const { session, answers, events } = setUp();
  await session.begin(signIn(ann));
  const renewal = session.renew(await session.credential());
  answers[0]?.reject(failure(401));
  expect(await renewal).toBeNull();
  expect(session.state()).toMatchObject({ user: null, isAuthenticated: false, error: { status: 401 } });
  expect(events.at(-1)).toBe("SIGNED_OUT -");
});

test("a renewal that cannot be had keeps the session, and a token that still holds is used", async () => {
  const { session, clock, answers } = setUp();
  await session.begin(signIn(ann));
  clock.now += 850_000;
  const early = session.credential();
  await session.load();
  answers[0]?.reject(failure(503));
  expect((await early).token).toBe("t1");
  clock.now += 60_000;
  const late = session.credential();
  await session.load();
  answers[1]?.reject(failure(503));
  await expect(late).rejects.toMatchObject({ status: 503 });
  expect(session.state().isAuthenticated).toBe(true);
});

test("a renewal that ends after a sign-out brings nobody back", async () => {
  const { session, storage, answers } = setUp();
  await session.begin(signIn(ann));
  const renewal = session.renew(await session.credential());
  await session.end().saved;
  answers[0]?.resolve(renewed("t2", "r2"));
  await expect(renewal).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  expect(session.state().isAuthenticated).toBe(false);
  expect((storage as MemoryStorageAdapter).size()).toBe(0);
});

test("a request of one user is never repeated as the next", async () => {
  const { session, answers } = setUp();
  await session.begin(signIn(ann));
  const old = await session.credential();
  const renewal = session.renew(old);
  await session.begin(signIn(bob, "tb", "rb"));
  await expect(session.renew(old)).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  answers[0]?.resolve(renewed("t2", "r2"));
  await expect(renewal).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  expect((await session.credential()).token).toBe("tb");
});

test("what the server says of a user who has left is not kept", async () => {
  const { session } = setUp();
  await session.begin(signIn(ann));
  const asked = await session.credential();
  await session.begin(signIn(bob, "tb", "rb"));
  await session.setUser({ ...ann, lastName: "A" }, null, asked);
  expect(session.state().user?.id).toBe("bob");
});

test("cookie mode keeps the user and the end of the token, never a token", async () => {
  const { session, storage, asked, answers, clock } = setUp({ mode: "cookie" });
  await session.begin({ ...signIn(ann), authMode: "cookie" });
  expect((storage as MemoryStorageAdapter).keys().toSorted()).toEqual([
    storageKeys.change,
    storageKeys.expiry,
    storageKeys.user,
  ]);
  clock.now += 900_000;
  const credential = session.credential();
  await session.load();
  answers[0]?.resolve({ token: "t2", expiresIn: 900, authMode: "cookie" });
  expect((await credential).token).toBeNull();
  expect(asked).toEqual([null]);
});

test("in cookie mode a stranger asks once for a renewal, and is told of no sign-out", async () => {
  const { session, asked, answers, events } = setUp({ mode: "cookie" });
  const stranger = await session.credential();
  const renewal = session.renew(stranger);
  answers[0]?.reject(failure(401));
  expect(await renewal).toBeNull();
  expect(await session.renew(stranger)).toBeNull();
  expect(asked).toEqual([null]);
  expect(events).toEqual(["INITIALIZED -"]);
});

test("a given token is used as it is, under a name of its own", async () => {
  const { session, storage } = setUp({ token: "service" });
  expect(await session.credential()).toMatchObject({ token: "service" });
  const { identity } = session.state();
  await session.setToken("other");
  expect((await session.credential()).token).toBe("other");
  expect(session.state().identity).not.toBe(identity);
  expect(await storage.get(storageKeys.token)).toBe("other");
  expect(await session.renew(await session.credential())).toBeNull();
  await expect(session.refresh()).rejects.toMatchObject({ code: "NO_REFRESH_TOKEN" });
});

test.each([
  ["a user that is no JSON", { [storageKeys.token]: "t", [storageKeys.user]: "{" }, true],
  ["a user without an id", { [storageKeys.token]: "t", [storageKeys.user]: "{}" }, true],
  ["an end that is no number", { [storageKeys.token]: "t", [storageKeys.expiry]: "soon" }, true],
  ["a user without a token", { [storageKeys.user]: JSON.stringify(ann) }, false],
])("bears %s in the storage", async (_name, kept, authenticated) => {
  const storage = new MemoryStorageAdapter();
  for (const [key, value] of Object.entries(kept)) storage.set(key, value);
  const { session } = setUp({ storage });
  await session.load();
  expect(session.state()).toMatchObject({ user: null, isAuthenticated: authenticated });
});

/** Two pages of one browser: what one writes is told to the other. */
function sharedStorage() {
  const memory = new MemoryStorageAdapter();
  const pages = new Set<(key: string) => void>();
  const page = () => {
    let mine: ((key: string) => void) | undefined;
    const others = (key: string) => {
      for (const listener of pages) if (listener !== mine) listener(key);
    };
    return {
      get: (key: string) => memory.get(key),
      set(key: string, value: string) {
        memory.set(key, value);
        others(key);
      },
      remove(key: string) {
        memory.remove(key);
        others(key);
      },
      watch(key: string, listener: () => void) {
        mine = (changed) => {
          if (changed === key) listener();
        };
        pages.add(mine);
        return () => undefined;
      },
    };
  };
  return page;
}

test("a sign-in, renewal, change of user and sign-out on another page arrive here", async () => {
  const page = sharedStorage();
  const here = setUp({ storage: page() });
  const there = setUp({ storage: page() });
  await here.session.load();
  await there.session.load();
  const heard = async (event: string) => {
    while (here.events.at(-1) !== event) await new Promise((resolve) => setTimeout(resolve, 0));
  };
  await there.session.begin(signIn(ann));
  await heard("SIGNED_IN ann");
  const renewal = there.session.renew(await there.session.credential());
  await new Promise((resolve) => setTimeout(resolve, 0));
  there.answers[0]?.resolve(renewed("t2", "r2"));
  await renewal;
  await heard("TOKEN_REFRESHED ann");
  expect((await here.session.credential()).token).toBe("t2");
  await there.session.swap(async () => inTenant(ann, "t1"), true);
  await heard("TENANT_SWITCHED ann");
  expect(here.session.state()).toMatchObject({ identity: "ann@t1", tenant: { id: "t1", name: "T1" } });
  await there.session.setUser({ ...ann, lastName: "A" }, { id: "t1", name: "One" }, there.session.current());
  await heard("USER_UPDATED ann");
  expect(here.session.state().tenant?.name).toBe("One");
  await there.session.begin(signIn(bob, "tb", "rb"));
  await heard("SIGNED_IN bob");
  await there.session.end().saved;
  await heard("SIGNED_OUT -");
  expect(here.asked).toEqual([]);
});

test("a refresh token that another page has used is not used again", async () => {
  const page = sharedStorage();
  const there = setUp({ storage: page() });
  await there.session.begin(signIn(ann));
  const mine = page();
  const here = setUp({ storage: { ...mine, watch: () => () => undefined } });
  const old = await here.session.credential();
  const renewal = there.session.renew(await there.session.credential());
  await new Promise((resolve) => setTimeout(resolve, 0));
  there.answers[0]?.resolve(renewed("t2", "r2"));
  await renewal;
  expect((await here.session.renew(old))?.token).toBe("t2");
  expect(here.asked).toEqual([]);
});

test("the same user in another organisation is somebody else", async () => {
  const { session, storage, options, events, answers } = setUp();
  await session.begin(inTenant(ann, "t1"));
  expect(session.state()).toMatchObject({ identity: "ann@t1", tenant: { id: "t1", name: "T1" } });
  const next = createSession(options);
  await next.load();
  expect(next.state()).toMatchObject({ identity: "ann@t1", user: ann });
  const old = await session.credential();
  const renewal = session.renew(old);
  // It ends first: nobody renews what is being replaced, nor the other way round.
  const swapped = session.swap(async () => inTenant(ann, "t2"), true);
  answers[0]?.resolve(renewed("later", "later"));
  expect((await renewal)?.token).toBe("later");
  await swapped;
  expect(session.state().identity).toBe("ann@t2");
  await expect(session.renew(old)).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  expect(events).toEqual(["SIGNED_IN ann", "INITIALIZED ann", "TOKEN_REFRESHED ann", "TENANT_SWITCHED ann"]);
  await session.setUser(ann, null, session.current());
  expect(session.state().identity).toBe("ann");
  expect(await storage.get(storageKeys.tenant)).toBeNull();
});

test("what is refused while a session is being replaced waits for the new one", async () => {
  const { session, asked } = setUp();
  await session.begin(inTenant(ann, "t1"));
  const answer = Promise.withResolvers<ReturnType<typeof inTenant>>();
  const old = await session.credential();
  const swapped = session.swap(() => answer.promise, true);
  const refused = session.renew(old);
  answer.resolve(inTenant(ann, "t2"));
  await expect(refused).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  await swapped;
  expect([asked, session.state().identity]).toEqual([[], "ann@t2"]);
  const late = Promise.withResolvers<ReturnType<typeof inTenant>>();
  const overtaken = session.swap(() => late.promise, true);
  await session.begin(signIn(bob, "tb", "rb"));
  late.resolve(inTenant(ann, "t1"));
  await expect(overtaken).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  expect(session.state().identity).toBe("bob");
});

test("a session that ended for a second factor is over", async () => {
  const { session, events } = setUp();
  await session.begin(inTenant(ann, "t1"));
  await session.swap(async () => ({ mfaRequired: true, mfaToken: "m", expiresIn: 300, factors: [] }), true);
  expect([session.state().identity, events.at(-1)]).toEqual([null, "SIGNED_OUT -"]);
});

/** A page that hears of nothing that happens on others, as pages do for a moment. */
const deaf = (storage: ReturnType<ReturnType<typeof sharedStorage>>) => ({
  ...storage,
  watch: () => () => undefined,
});

test("a refused renewal is no sign-out where another page has gone on", async () => {
  const page = sharedStorage();
  const there = setUp({ storage: page() });
  await there.session.begin(inTenant(ann, "t1"));
  const here = setUp({ storage: deaf(page()) });
  const renewal = here.session.renew(await here.session.credential());
  await new Promise((resolve) => setTimeout(resolve, 0));
  await there.session.swap(async () => inTenant(ann, "t2"), true);
  here.answers[0]?.reject(failure(401));
  await expect(renewal).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  expect([here.session.state().identity, there.session.state().identity]).toEqual(["ann@t2", "ann@t2"]);
});

test.each(["renewal", "switch"])("a sign-out on another page wins over a %s under way", async (kind) => {
  const page = sharedStorage();
  const there = setUp({ storage: page() });
  await there.session.begin(inTenant(ann, "t1"));
  const here = setUp({ storage: deaf(page()) });
  const old = await here.session.credential();
  const answer = Promise.withResolvers<ReturnType<typeof inTenant>>();
  const work = kind === "switch" ? here.session.swap(() => answer.promise, true) : here.session.renew(old);
  await new Promise((resolve) => setTimeout(resolve, 0));
  await there.session.end().saved;
  answer.resolve(inTenant(ann, "t2"));
  here.answers[0]?.resolve(renewed("t2", "r2"));
  await expect(work).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  expect([here.session.state().identity, there.session.state().identity]).toEqual([null, null]);
});

test("in cookie mode nothing is sent for who signed in on another page meanwhile", async () => {
  const page = sharedStorage();
  const there = setUp({ mode: "cookie", storage: page() });
  await there.session.begin(inTenant(ann, "t1"));
  const here = setUp({ mode: "cookie", storage: deaf(page()) });
  await here.session.credential();
  for (const next of [inTenant(ann, "t2"), inTenant(bob, "t2")]) {
    await there.session.begin(next);
    await expect(here.session.credential()).rejects.toMatchObject({ code: "SESSION_CHANGED" });
    expect(here.session.state().identity).toBe(there.session.state().identity);
    expect(await here.session.credential()).toMatchObject({ token: null });
  }
});

const seed = { user: ann, tenant: { id: "t1", name: "T1" } };

test("what a server told is known from the first moment, and on a server nothing more is asked", async () => {
  const asked: string[] = [];
  const { session, storage } = setUp({ mode: "cookie", seed, confirm: async () => asked.push("me") });
  expect(session.initial).toMatchObject({ identity: "ann@t1", isLoading: false, isAuthenticated: true });
  await session.load();
  expect([session.state().identity, asked, (storage as MemoryStorageAdapter).size()]).toEqual([
    "ann@t1",
    [],
    0,
  ]);
  const bearer = setUp({ seed });
  expect(bearer.session.initial).toMatchObject({ identity: null, isLoading: true });
});

test.each([
  ["nothing", null, 1],
  ["the same", inTenant(ann, "t1"), 0],
  ["another tenant", inTenant(ann, "t2"), 1],
  ["another user", inTenant(bob, "t1"), 1],
])("what a server told stands against %s in the storage until the server says otherwise", async (...row) => {
  const [, before, confirmations] = row;
  const page = sharedStorage();
  const there = setUp({ mode: "cookie", storage: page() });
  if (before) await there.session.begin(before);
  const storage = page();
  const asked: string[] = [];
  const here = setUp({ mode: "cookie", storage, seed, confirm: async () => asked.push("me") });
  expect((await here.session.credential()).token).toBeNull();
  expect([here.session.state().identity, asked.length]).toEqual(["ann@t1", confirmations]);
  await here.session.setUser(ann, seed.tenant, here.session.current());
  const later = setUp({ mode: "cookie", storage });
  await later.session.load();
  expect(later.session.state().identity).toBe("ann@t1");
  await there.session.begin(inTenant(bob, "t3"));
  await expect(here.session.credential()).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  expect(here.session.state().identity).toBe("bob@t3");
});

test("whom the server is told to expect of a cookie", async () => {
  const expected = async (setting: Partial<SessionOptions>) => {
    const { session } = setUp(setting);
    const before = (await session.credential()).expected;
    await session.begin(inTenant(ann, "t1"));
    const during = (await session.credential()).expected;
    await session.end().saved;
    return [before, during, (await session.credential()).expected];
  };
  const page = sharedStorage();
  expect(await expected({ mode: "jwt", storage: page() })).toEqual([null, null, null]);
  expect(await expected({ mode: "cookie", storage: page() })).toEqual(["-", "ann@t1", "-"]);
  expect(await expected({ mode: "cookie" })).toEqual([null, "ann@t1", null]);
});
