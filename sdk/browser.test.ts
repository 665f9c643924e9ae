/** What only a browser has: pages that share a storage, locks, cookies, progress of uploads. In real Chromium. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { startBrowser, type TestBrowser } from "../examples/flights/e2e/browser";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import type { Baasix, BaasixOptions } from ".";
import { openSite, type TestSite } from "./testing/site";

/** What the page's script puts on the window. */
type Bench = {
  make(options?: Partial<BaasixOptions>): Baasix;
  baasix: Baasix;
  events: string[];
};
declare const bench: Bench;

let now = Date.now();
let app: TestApp;
let browser: TestBrowser;
let site: TestSite;

const script = (url: string) => `
import { createBaasix } from "./index.ts";
const events = [];
const onAuthStateChange = (event, user) => events.push(event + " " + (user?.email ?? "-"));
const make = (options) => createBaasix({ url: ${JSON.stringify(url)}, onAuthStateChange, ...options });
globalThis.bench = { make, events, baasix: undefined };
`;

beforeAll(async () => {
  site = openSite();
  app = await testApp({ now: () => now, env: { AUTH_CORS_ALLOWED_ORIGINS: site.url.origin } });
  const schema = {
    name: "Note",
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      text: { type: "String" },
    },
  };
  await app.call("POST", "/schemas", { token: app.admin, body: { collectionName: "notes", schema } });
  await site.run(script(app.listen()));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser.close();
  await app.close();
  await site.stop();
});

async function openPages(count: number, options: Pick<BaasixOptions, "authMode"> = {}): Promise<Page[]> {
  const context = await browser.browser.newContext();
  const pages = await Promise.all(Array.from({ length: count }, () => context.newPage()));
  for (const page of pages) {
    await page.goto(site.url.href);
    await page.waitForFunction(() => "bench" in globalThis);
    await page.evaluate((given) => void (bench.baasix = bench.make(given)), options);
  }
  return pages;
}

const signIn = (page: Page) =>
  page.evaluate(async (account) => void (await bench.baasix.auth.login(account)), testAdmin);
const heard = (page: Page, event: string) =>
  page.waitForFunction((wanted) => bench.events.at(-1) === wanted, `${event}`, { polling: 20 });
const read = (page: Page) =>
  page.evaluate(async () => (await bench.baasix.items("baasix_Role").find()).totalCount);

test("pages share a session: its beginning, its one renewal, its end", async () => {
  const [first, second] = (await openPages(2)) as [Page, Page];
  await signIn(first);
  await heard(second, `SIGNED_IN ${testAdmin.email}`);
  expect(await read(second)).toBe(3);

  const renewals: string[] = [];
  for (const page of [first, second]) {
    page.on("response", (answer) => {
      if (answer.url().endsWith("/auth/refresh")) renewals.push(`${answer.status()}`);
    });
  }
  now += 20 * 60_000;
  expect(await Promise.all([read(first), read(second), read(first), read(second)])).toEqual([3, 3, 3, 3]);
  expect(renewals).toEqual(["200"]);
  now += 20 * 60_000;
  expect(await read(second)).toBe(3);
  expect(await read(first)).toBe(3);
  expect(renewals).toEqual(["200", "200"]);

  await first.evaluate(() => bench.baasix.auth.logout());
  await heard(second, "SIGNED_OUT -");
  expect(await second.evaluate(() => [bench.baasix.auth.state.isAuthenticated, localStorage.length])).toEqual(
    [false, 0],
  );
});

test("a page that opens later finds the session", async () => {
  const [page] = (await openPages(1)) as [Page];
  await signIn(page);
  await page.reload();
  await page.waitForFunction(() => "bench" in globalThis);
  const state = await page.evaluate(async () => {
    bench.baasix = bench.make();
    const before = bench.baasix.auth.state.isLoading;
    const { user } = await bench.baasix.auth.initialize();
    return [before, user?.email];
  });
  expect(state).toEqual([true, testAdmin.email]);
  expect(await read(page)).toBe(3);
});

test("a page that the browser brings back learns what it has slept through", async () => {
  const [page] = (await openPages(1)) as [Page];
  await signIn(page);
  // Nobody is told of what a page itself does to its storage, as a sleeping page is told of nothing.
  await page.evaluate(() => localStorage.clear());
  expect(await page.evaluate(() => bench.baasix.auth.state.isAuthenticated)).toBe(true);
  await page.evaluate(() => void dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await heard(page, "SIGNED_OUT -");
});

test("with cookies no script sees a token, and all else is the same", async () => {
  const [page] = (await openPages(1, { authMode: "cookie" })) as [Page];
  await signIn(page);
  const kept = await page.evaluate(() => [document.cookie, ...Object.keys(localStorage).toSorted()]);
  expect(kept).toEqual(["", "baasix_change", "baasix_token_expiry", "baasix_user"]);
  expect(await read(page)).toBe(3);
  now += 20 * 60_000;
  expect(await read(page)).toBe(3);
  const change = await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        bench.baasix.realtime.subscribe(
          "notes",
          { onLive: () => void bench.baasix.items("notes").create({ text: "hello" }), onError: reject },
          ({ action, data }) => resolve([action, data.text]),
        );
      }),
  );
  expect(change).toEqual(["create", "hello"]);
  await page.evaluate(() => bench.baasix.auth.logout());
  expect(await page.evaluate(async () => bench.baasix.auth.getUser())).toBeNull();
});

test("an upload tells how far it is", async () => {
  const [page] = (await openPages(1)) as [Page];
  await signIn(page);
  const { record, percent } = await page.evaluate(async () => {
    const percent: number[] = [];
    const bytes = new Uint8Array(4_000_000).fill(65);
    const file = new File([bytes], "letters.txt", { type: "text/plain" });
    const record = await bench.baasix.files.upload(file, { onProgress: (done) => percent.push(done) });
    return { record, percent };
  });
  expect(record).toMatchObject({ originalFilename: "letters.txt", size: 4_000_000 });
  expect(percent.at(-1)).toBe(100);
  expect(percent).toEqual(percent.toSorted((a, b) => a - b));
  const refused = await page.evaluate(async () => {
    await bench.baasix.auth.logout();
    const error = await bench.baasix.files
      .upload(new Blob(["x"]), { onProgress: () => undefined })
      .catch((e) => e);
    return [error.name, error.status];
  });
  expect(refused[0]).toBe("BaasixError");
  expect([401, 403]).toContain(refused[1]);
});

test("pages of another origin may ask for versions, send keys, and import files", async () => {
  const [page] = (await openPages(1)) as [Page];
  await signIn(page);
  const told = await page.evaluate(async () => {
    const notes = bench.baasix.items<{ id: string; text: string }>("notes");
    const key = { idempotencyKey: crypto.randomUUID() };
    const id = await notes.create({ text: "first" }, key);
    const again = await notes.create({ text: "first" }, key);
    const { version } = await notes.getWithVersion(id);
    await notes.update(id, { text: "second" }, { version });
    const late = await notes.update(id, { text: "third" }, { version }).catch((error) => error.code);
    const upserted = await notes.upsert({ id }, { text: "fourth" });
    const sent: number[] = [];
    const lines = Array.from({ length: 5000 }, (_, line) => `${"x".repeat(200)} ${line}`);
    const file = new File([`text\n${lines.join("\n")}\n`], "notes.csv", { type: "text/csv" });
    const onProgress = (_: number, bytes: number) => sent.push(bytes);
    const { imported } = await notes.importCSV(file, { onProgress });
    return { once: id === again, late, same: id === upserted, imported, size: file.size, sent };
  });
  expect(told).toMatchObject({ once: true, late: "PRECONDITION_FAILED", same: true, imported: 5000 });
  expect(told.sent.at(-1)).toBeGreaterThanOrEqual(told.size);
  expect(told.sent).toEqual(told.sent.toSorted((a, b) => a - b));
});

test("a write with a key whose answer the page never got is sent again", async () => {
  const [page] = (await openPages(1)) as [Page];
  await signIn(page);
  let requests = 0;
  await page.route("**/items/notes", async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    requests += 1;
    if (requests > 1) return route.continue();
    await route.fetch();
    return route.abort("connectionreset");
  });
  const count = await page.evaluate(async () => {
    const notes = bench.baasix.items<{ text: string }>("notes");
    await notes.create({ text: "only once" }, { idempotencyKey: crypto.randomUUID() });
    return notes.count({ filter: { text: "only once" } });
  });
  expect([requests, count]).toEqual([2, 1]);
});
