/** The network side of the client, against a small server that speaks the wire shapes. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { createBaasix } from "./client";
import { BaasixError } from "./error";
import { address, type OneWriteOptions, path } from "./http";

const user = { id: "u1", email: "ann@x.org", firstName: "Ann", lastName: null };
const seen: { method: string; url: string; token: string | null; body: string }[] = [];
let serial = 0;
let access = "";
let refresh = "";
let held: PromiseWithResolvers<void> | null = null;
let server: Bun.Server<undefined>;

function refuse(status: number, code: string, message = code): Response {
  return Response.json(
    { error: { message, code, details: { at: "here" }, statusCode: status, requestId: "q1" } },
    { status },
  );
}

/** New tokens; those before are no longer taken. */
function tokens() {
  serial += 1;
  access = `t${serial}`;
  refresh = `r${serial}`;
  return { token: access, refreshToken: refresh, expiresIn: 900, authMode: "jwt" };
}

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const url = new URL(request.url);
      const body = await request.text();
      const token = request.headers.get("authorization")?.slice(7) ?? null;
      seen.push({ method: request.method, url: url.pathname + url.search, token, body });
      switch (url.pathname) {
        case "/auth/login":
          return Response.json({ ...tokens(), user, role: null, permissions: [], tenant: null });
        case "/auth/refresh":
          await held?.promise;
          return JSON.parse(body).refreshToken === refresh
            ? Response.json(tokens())
            : refuse(401, "UNAUTHORIZED");
        case "/auth/logout":
          return Response.json({ message: "Logged out successfully" });
        case "/items/slow":
          await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
          return new Response();
        case "/items/broken":
          return new Response("<html>", { status: 502, statusText: "Bad Gateway" });
        case "/items/odd":
          return new Response("<html>");
        case "/items/c/bulk":
          return new Response(null, { status: 204 });
        case "/items/taken":
          return refuse(409, "UNIQUE_VIOLATION", "name: 'a' is taken");
      }
      if (token !== access) return refuse(401, "UNAUTHORIZED");
      return Response.json({ data: [], totalCount: 0 });
    },
  });
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen.length = 0;
  held = null;
});

const client = (more: object = {}) => createBaasix({ url: `http://127.0.0.1:${server.port}/`, ...more });

async function signedIn(more: object = {}) {
  const baasix = client(more);
  await baasix.auth.login({ email: user.email, password: "password123" });
  seen.length = 0;
  return baasix;
}

test("needs a url", () => {
  expect(() => createBaasix({ url: "" })).toThrow("Baasix SDK: url is required");
});

test.each([
  ["/items/a%2Fb", () => path`/items/${"a/b"}`],
  ["/items/c/%3F", () => path`/items/${"c"}/${"?"}`],
  [
    "http://h/x?limit=1&filter=%7B%22a%22%3A1%7D&fields=%5B%22b%22%5D",
    () =>
      address("http://h", "/x", { limit: 1, page: undefined, sort: null, filter: { a: 1 }, fields: ["b"] }),
  ],
])("makes the address %s", (expected, make) => {
  expect(make()).toBe(expected);
});

test.each(["", ".", ".."])("refuses the id '%s', which would name another route", async (id) => {
  const baasix = client();
  await expect(baasix.items("c").delete(id)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(seen).toEqual([]);
});

test("sends the token and the query", async () => {
  const baasix = await signedIn({ headers: { "X-App": "a" } });
  await baasix.items("c").find({ filter: { a: { gt: 1 } }, sort: { a: "desc" }, fields: ["a"], limit: 2 });
  const url = new URL(seen[0]?.url ?? "", "http://h");
  expect(seen[0]?.token).toBe(access);
  expect(Object.fromEntries(url.searchParams)).toEqual({
    filter: '{"a":{"gt":1}}',
    sort: '{"a":"desc"}',
    fields: '["a"]',
    limit: "2",
  });
});

test("parallel requests refused together renew once, and each is repeated once", async () => {
  const baasix = await signedIn();
  access = "forgotten";
  const answers = await Promise.all([1, 2, 3].map(() => baasix.items("c").find()));
  expect(answers).toHaveLength(3);
  const urls = seen.map(({ url }) => url);
  expect(urls.filter((url) => url === "/auth/refresh")).toHaveLength(1);
  expect(urls.filter((url) => url === "/items/c")).toHaveLength(6);
  expect(seen.at(-1)?.token).toBe(access);
});

test("when the renewal is refused too, the first refusal is the error and the session is over", async () => {
  const baasix = await signedIn();
  access = "forgotten";
  refresh = "forgotten";
  await expect(baasix.items("c").find()).rejects.toMatchObject({ status: 401, code: "UNAUTHORIZED" });
  expect(await baasix.auth.isAuthenticated()).toBe(false);
  expect(seen.map(({ url }) => url)).toEqual(["/items/c", "/auth/refresh"]);
});

test("without autoRefresh a refusal stays one", async () => {
  const baasix = await signedIn({ autoRefresh: false });
  access = "forgotten";
  await expect(baasix.items("c").find()).rejects.toMatchObject({ status: 401 });
  expect(seen.map(({ url }) => url)).toEqual(["/items/c"]);
});

test("an error carries what the server said", async () => {
  const heard: BaasixError[] = [];
  const baasix = client({ onError: (error: BaasixError) => heard.push(error) });
  const error = await baasix
    .items("taken")
    .create({ name: "a" })
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BaasixError);
  expect(error).toMatchObject({
    name: "BaasixError",
    message: "name: 'a' is taken",
    status: 409,
    code: "UNIQUE_VIOLATION",
    details: { at: "here" },
    requestId: "q1",
    isRetryable: false,
  });
  expect(heard).toEqual([error as BaasixError]);
  expect(JSON.parse(JSON.stringify(error))).toMatchObject({
    name: "BaasixError",
    status: 409,
    isRetryable: false,
  });
});

test.each([
  ["broken", { status: 502, code: "UNKNOWN", message: "Bad Gateway", isRetryable: true }],
  ["odd", { status: 200, code: "UNKNOWN", isRetryable: false }],
])("an answer of something else than Baasix is an error: %s", async (collection, expected) => {
  await expect(client().items(collection).find()).rejects.toMatchObject(expected);
});

test("no connection is an error without a status", async () => {
  const nobody = createBaasix({ url: "http://127.0.0.1:1" });
  await expect(nobody.items("c").find()).rejects.toMatchObject({
    status: 0,
    code: "NETWORK_ERROR",
    isRetryable: true,
  });
});

test("a request ends by its timeout, or by its signal with the signal's reason", async () => {
  const baasix = client({ timeout: 20 });
  await expect(baasix.items("slow").find()).rejects.toMatchObject({
    status: 408,
    code: "TIMEOUT",
    isRetryable: true,
  });
  const controller = new AbortController();
  const aborted = baasix.items("slow").find({}, { signal: controller.signal, timeout: 5000 });
  controller.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  await expect(baasix.items("slow").find({}, { signal: controller.signal })).rejects.toThrow("enough");
});

test("an empty answer is no error", async () => {
  await client().items("c").deleteMany(["1", "2"]);
  expect(seen).toMatchObject([{ method: "DELETE", url: "/items/c/bulk", body: '["1","2"]' }]);
});

test("a sign-out during a renewal wins, and the request is not repeated", async () => {
  const baasix = await signedIn();
  const events: string[] = [];
  baasix.auth.onStateChange((event) => events.push(event));
  held = Promise.withResolvers<void>();
  const renewal = baasix.auth.refreshToken();
  while (!seen.some(({ url }) => url === "/auth/refresh")) await Bun.sleep(0);
  await baasix.auth.logout();
  held.resolve();
  await expect(renewal).rejects.toMatchObject({ code: "SESSION_CHANGED" });
  expect(await baasix.auth.getState()).toMatchObject({ user: null, isAuthenticated: false });
  expect(events).toEqual(["SIGNED_OUT"]);
});

test("a sign-out tells the server, and does not need it", async () => {
  const baasix = await signedIn();
  const token = await baasix.auth.getToken();
  await baasix.auth.logout();
  expect(seen).toMatchObject([{ method: "POST", url: "/auth/logout", token }]);
  expect(JSON.parse(seen[0]?.body ?? "")).toMatchObject({ refreshToken: refresh });
  const alone = createBaasix({ url: "http://127.0.0.1:1", token: "t" });
  await alone.auth.logout();
  expect(await alone.auth.isAuthenticated()).toBe(false);
});

/** A client whose first connection breaks off: before the request is sent, or after it has been answered. */
function breaking(when: "before" | "after") {
  const keys: (string | null)[] = [];
  const baasix = client({
    token: access,
    async fetch(url: string, init: RequestInit) {
      const first = keys.push(new Headers(init.headers).get("idempotency-key")) === 1;
      if (first && when === "before") throw new TypeError("fetch failed");
      const response = await fetch(url, init);
      if (!first) return response;
      await response.text();
      throw new TypeError("fetch failed");
    },
  });
  return { baasix, keys };
}

test.each(["before", "after"] as const)(
  "a write with a key is sent once more when the connection breaks %s it is answered",
  async (when) => {
    const { baasix, keys } = breaking(when);
    await baasix.items("c").deleteMany(["1"], { idempotencyKey: "k1" });
    expect(keys).toEqual(["k1", "k1"]);
  },
);

test("a write without a key is never sent again, one with a key not twice, nor after an answer or an end", async () => {
  const { baasix, keys } = breaking("before");
  await expect(baasix.items("c").deleteMany(["1"])).rejects.toMatchObject({ code: "NETWORK_ERROR" });
  expect(keys).toEqual([null]);

  let tries = 0;
  const count = (result: () => Promise<Response>) => () => {
    tries += 1;
    return result();
  };
  const nobody = count(() => Promise.reject(new TypeError("fetch failed")));
  const refusing = count(() => Promise.resolve(refuse(503, "UNAVAILABLE")));
  const ended = new AbortController();
  const ending = count(() => {
    ended.abort(new Error("enough"));
    return Promise.reject(new TypeError("fetch failed"));
  });
  for (const [fetch, error, sent] of [
    [nobody, { code: "NETWORK_ERROR" }, 2],
    [refusing, { status: 503 }, 1],
    [ending, { message: "enough" }, 1],
  ] as const) {
    tries = 0;
    const write = client({ fetch }).items("c").create({}, { idempotencyKey: "k", signal: ended.signal });
    await expect(write).rejects.toMatchObject(error);
    expect(tries).toBe(sent);
  }
});

test.each<[OneWriteOptions, string | null]>([
  [{ version: "7" }, '"7"'],
  [{ version: "" }, '""'],
  [{ ifMatch: "*" }, "*"],
  [{ version: "7", ifMatch: '"8", "9"' }, '"8", "9"'],
  [{}, null],
])("a write under the condition %p asks for %p", async (options, expected) => {
  let sent: string | null | undefined;
  const fetch = (_: string, init: RequestInit) => {
    sent = new Headers(init.headers).get("if-match");
    return Promise.resolve(Response.json({ data: { id: 1 } }));
  };
  await client({ fetch }).items("c").update(1, {}, options);
  expect<unknown>(sent).toBe(expected);
});
