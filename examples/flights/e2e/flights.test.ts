/** The page in a real browser, against a real server: a dispatcher with two tabs and a viewer beside them. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { readFiles } from "../data";
import { load } from "../load";
import { viewerMiles } from "../schema";
import { servePage } from "../serve";
import { startBrowser, type TestBrowser } from "./browser";
import { recordNetwork } from "./network";
import { startServer, type TestServer } from "./server";

// For a busy machine; what is set in the preload holds for the first file alone.
setDefaultTimeout(60_000);

const password = "flights-for-everyone";
const { airports, flights } = await readFiles();
const far = flights.filter(({ distance }) => distance >= viewerMiles);
const fromChicago = flights.filter(({ origin_Id }) => origin_Id === "ORD");
/** What only staff may read; it appears nowhere else. */
const secret = `staff-only-${crypto.randomUUID()}`;
/** Milliseconds in which a change must be on every screen. */
const soon = 1000;

/** Pictures of the last run; kept only when SCREENSHOTS names a folder. */
const pictures = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "baasix-pictures-"));

let server: TestServer;
let browser: TestBrowser;
let site: ReturnType<typeof servePage>;
let office: BrowserContext;
let first: Page;
let second: Page;
let viewer: Page;
const logs = new Map<Page, ReturnType<typeof recordNetwork>>();

async function openPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  logs.set(page, recordNetwork(page));
  await page.goto(site.url.href);
  return page;
}

async function signIn(page: Page, email: string): Promise<void> {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Waits until the page shows so many flights. */
function untilTotal(page: Page, total: number): Promise<void> {
  const text = `${total.toLocaleString("en")} flights`;
  return page.getByRole("status").getByText(text, { exact: true }).waitFor();
}

function untilLive(page: Page): Promise<void> {
  return page.getByText("Live", { exact: true }).waitFor();
}

function rowsOf(page: Page) {
  return page.locator("tbody tr");
}

type NewFlight = { readonly to: string; readonly distance: number; readonly remarks: string };

/** Fills the form and sends it; resolves with the new flight's id when the server has answered. */
async function addFlight(page: Page, { to, distance, remarks }: NewFlight): Promise<string> {
  await page.getByRole("button", { name: "Add flight" }).click();
  const form = page.getByRole("dialog");
  await form.getByLabel("From").fill("ord");
  await form.getByLabel("To").fill(to);
  await form.getByLabel("Distance in miles").fill(String(distance));
  await form.getByLabel("Delay in minutes").fill("33");
  await form.getByLabel("Remarks for staff").fill(remarks);
  const answered = page.waitForResponse(
    (response) => response.request().method() === "POST" && response.url().endsWith("/items/flights"),
  );
  await form.getByRole("button", { name: "Add" }).click();
  const response = await answered;
  expect(response.status()).toBe(201);
  return ((await response.json()) as { data: { id: string } }).data.id;
}

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  await load(server.admin, { airports, flights, measurements: [] }, { password, report: () => undefined });
  site = servePage({ port: 0, serverUrl: server.url });
  office = await browser.browser.newContext({ viewport: { width: 1280, height: 900 } });
});
afterAll(async () => {
  await browser?.close();
  await site?.stop(true);
  await server?.stop();
  if (!process.env.SCREENSHOTS) rmSync(pictures, { recursive: true, force: true });
});

describe("signing in", () => {
  test("a wrong password is refused in words", async () => {
    first = await openPage(office);
    await first.getByLabel("Email").fill("dispatcher@example.com");
    await first.getByLabel("Password").fill("not the password");
    await first.getByRole("button", { name: "Sign in" }).click();
    await first.getByRole("alert").waitFor();
    await first.screenshot({ path: join(pictures, "sign-in.png") });
  });

  test("a dispatcher sees all flights, and is signed in in a second tab too", async () => {
    await signIn(first, "dispatcher@example.com");
    await untilTotal(first, 20_000);
    second = await openPage(office);
    await untilTotal(second, 20_000);
    expect(await rowsOf(second).count()).toBe(20);
    await second.screenshot({ path: join(pictures, "board.png"), fullPage: true });
  });

  test("a viewer sees the flights of its row condition, and no form", async () => {
    const hall = await browser.browser.newContext({
      viewport: { width: 420, height: 860 },
      colorScheme: "dark",
    });
    viewer = await openPage(hall);
    await signIn(viewer, "viewer@example.com");
    await untilTotal(viewer, far.length);
    expect(await viewer.getByRole("button", { name: "Add flight" }).count()).toBe(0);
    await viewer.screenshot({ path: join(pictures, "viewer.png") });
  });
});

describe("the list", () => {
  test("filters by origin, chosen from suggestions", async () => {
    const from = second.getByRole("search").getByLabel("From");
    await from.fill("chicago");
    await second.locator('datalist option[value="ORD"]').first().waitFor({ state: "attached" });
    await from.fill("ord");
    await untilTotal(second, fromChicago.length);
    const codes = await rowsOf(second).locator("td:nth-child(2) .code").allTextContents();
    expect(new Set(codes)).toEqual(new Set(["ORD"]));
    const shown = await rowsOf(second).first().locator("td:nth-child(2) .city").textContent();
    const chicago = airports.find(({ iata }) => iata === "ORD");
    expect(shown).toBe(`${chicago?.city}, ${chicago?.state}`);
  });

  test("sorts by a column, and the other way round", async () => {
    const delays = fromChicago.map(({ delay }) => delay).toSorted((a, b) => a - b);
    await second.getByRole("button", { name: "Delay" }).click();
    await second.locator('th[aria-sort="ascending"]').getByText("Delay").waitFor();
    await rowsOf(second)
      .first()
      .getByText(`${-(delays[0] ?? 0)} min early`)
      .waitFor();
    await second.getByRole("button", { name: "Delay" }).click();
    const worst = delays.at(-1) ?? 0;
    await rowsOf(second)
      .first()
      .getByText(`${Math.floor(worst / 60)} h ${worst % 60} min late`)
      .waitFor();
  });

  test("goes from page to page", async () => {
    const total = fromChicago.length.toLocaleString("en");
    await second.getByRole("button", { name: "Next" }).click();
    await second.getByText(`21–40 of ${total}`).waitFor();
    await second.getByRole("button", { name: "First" }).click();
    await second.getByText(`1–20 of ${total}`).waitFor();
  });

  test("filters by delay and date", async () => {
    const march = far.filter(({ date, delay }) => delay >= 60 && date >= "2001-03-01");
    await viewer.getByLabel("Delay").selectOption({ label: "1 hour late or more" });
    await viewer.getByLabel("Not before").fill("2001-03-01");
    await untilTotal(viewer, march.length);
    await viewer.getByRole("button", { name: "Clear" }).click();
    await untilTotal(viewer, far.length);
  });
});

describe("a flight that is added in one tab", () => {
  test("is in the other tab and on the viewer's screen within a second, with its airports", async () => {
    await second.getByRole("button", { name: "Departure" }).click();
    await second.getByRole("button", { name: "Departure" }).click();
    await second.locator('th[aria-sort="descending"]').getByText("Departure").waitFor();
    await Promise.all([first, second, viewer].map(untilLive));
    const id = await addFlight(first, { to: "lax", distance: 1744, remarks: secret });
    await Promise.all(
      [second, viewer, first].map((page) =>
        page.locator(`tr[data-flight="${id}"]`).waitFor({ timeout: soon }),
      ),
    );
    for (const page of [second, viewer]) {
      const row = page.locator(`tr[data-flight="${id}"]`);
      await row.getByText("Los Angeles, CA").waitFor();
      await row.getByText("33 min late").waitFor();
    }
    await untilTotal(second, fromChicago.length + 1);
    await untilTotal(viewer, far.length + 1);
    await second.screenshot({ path: join(pictures, "added.png") });
  });

  test("is not on the viewer's screen when it is outside its row condition", async () => {
    const near = await addFlight(first, { to: "mke", distance: viewerMiles - 1, remarks: "" });
    const distant = await addFlight(first, { to: "sfo", distance: viewerMiles, remarks: "" });
    await second.locator(`tr[data-flight="${near}"]`).waitFor({ timeout: soon });
    await viewer.locator(`tr[data-flight="${distant}"]`).waitFor({ timeout: soon });
    expect(await viewer.locator(`tr[data-flight="${near}"]`).count()).toBe(0);
    await untilTotal(viewer, far.length + 2);
  });

  test("changes and goes on every screen when an administrator changes and deletes it", async () => {
    const { data } = await server.admin.items("flights").find({ filter: { remarks: secret } });
    const id = data[0]?.id ?? "";
    await server.admin.items("flights").update(id, { delay: 75, remarks: `${secret} again` });
    for (const page of [second, viewer]) {
      await page.locator(`tr[data-flight="${id}"]`).getByText("75 min late").waitFor();
    }
    await server.admin.items("flights").delete(id);
    for (const page of [second, viewer]) {
      await page.locator(`tr[data-flight="${id}"]`).waitFor({ state: "detached" });
    }
  });
});

describe("a right that is taken away", () => {
  test("is missed by the next request, and can be used again when it is given back", async () => {
    const { roles, permissions } = server.admin;
    const role = await roles.findByName("viewer");
    const { data } = await permissions.findByRole(role?.id ?? "");
    const right = data.find(({ collection }) => collection === "flights");
    if (!right) throw new Error("the viewer has no right on flights");
    await permissions.delete(right.id);
    await viewer.getByRole("button", { name: "Next" }).click();
    const alert = viewer.getByRole("alert");
    await alert.getByText("You don't have permission to read items in 'flights'").waitFor();
    await viewer.screenshot({ path: join(pictures, "refused.png") });
    const { role_Id, collection, action, fields, conditions } = right;
    await permissions.create({ role_Id, collection, action, fields, conditions });
    await viewer.getByRole("button", { name: "Try again" }).click();
    await viewer.getByText(`21–40 of ${(far.length + 1).toLocaleString("en")}`).waitFor();
    await viewer.getByRole("button", { name: "First" }).click();
    await untilTotal(viewer, far.length + 1);
  });
});

describe("the network", () => {
  test("carries nothing to a viewer that it may not read", async () => {
    const log = (await logs.get(viewer)?.read()) ?? [];
    const api = log.filter(({ url }) => new URL(url).host === new URL(server.url).host);
    // The record is whole: it has answers, and frames with the changes.
    expect(api.filter(({ text }) => text.includes('"totalCount"')).length).toBeGreaterThan(3);
    expect(api.filter(({ text }) => text.includes('"type":"query.difference"')).length).toBeGreaterThan(2);
    expect(api.filter(({ text }) => /remarks|sourceRow/.test(text))).toEqual([]);
    expect(log.filter(({ text }) => text.includes(secret))).toEqual([]);
  });

  test("carries to a dispatcher what it may read, and no more", async () => {
    const log = (await logs.get(second)?.read()) ?? [];
    const api = log.filter(({ url }) => new URL(url).host === new URL(server.url).host);
    expect(api.filter(({ text }) => text.includes(secret)).length).toBeGreaterThan(0);
    expect(api.filter(({ text }) => text.includes("sourceRow"))).toEqual([]);
  });

  test("has no request to any other host", async () => {
    const all = (await Promise.all([...logs.values()].map(({ read }) => read()))).flat();
    const hosts = new Set(
      all
        .map(({ url }) => new URL(url))
        .filter(({ protocol }) => protocol !== "data:")
        .map(({ hostname }) => hostname),
    );
    expect([...hosts]).toEqual(["127.0.0.1"]);
  });

  test("fetches the flights and their airports in one request", async () => {
    const log = (await logs.get(second)?.read()) ?? [];
    const asked = log
      .map(({ text }) => text.split("\n")[0] ?? "")
      .filter((line) => line.startsWith("GET ") && line.includes("/items/airports"));
    // Suggestions alone ask for airports.
    expect(asked.filter((line) => !line.includes("startsWith"))).toEqual([]);
  });
});

describe("signing out", () => {
  test("in one tab signs out the other", async () => {
    await first.getByRole("button", { name: "Sign out" }).click();
    await first.getByLabel("Email").waitFor();
    await second.getByLabel("Email").waitFor();
    expect(await rowsOf(second).count()).toBe(0);
  });
});
