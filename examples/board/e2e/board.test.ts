/** The board in a real browser, against a real server: two people at once, each with a browser of their own. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBaasix, MemoryStorageAdapter } from "@baasix/sdk";
import type { Page, WebSocketRoute } from "playwright-core";
import { startBrowser, type TestBrowser } from "../../flights/e2e/browser";
import { startServer, type TestServer } from "../../flights/e2e/server";
import type { BaasixCollections } from "../baasix";
import { type Client, load } from "../load";
import { servePage } from "../serve";

// For a busy machine; what is set in the preload holds for the first file alone.
setDefaultTimeout(60_000);

const password = "boards-for-everyone";
/** Pictures of the last run; kept only when SCREENSHOTS names a folder. */
const pictures = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "baasix-pictures-"));

let server: TestServer;
let admin: Client;
let browser: TestBrowser;
let site: ReturnType<typeof servePage>;
let ann: Page;
let bob: Page;
/** The latest connection of each page. */
const connections = new Map<Page, WebSocketRoute>();

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  admin = createBaasix<BaasixCollections>({ url: server.url, storage: new MemoryStorageAdapter() });
  await admin.auth.login(server.account);
  site = servePage({ port: 0, serverUrl: server.url });
});
afterAll(async () => {
  admin?.close();
  await browser?.close();
  await site?.stop(true);
  await server?.stop();
  if (!process.env.SCREENSHOTS) rmSync(pictures, { recursive: true, force: true });
});

async function open(email: string): Promise<Page> {
  const context = await browser.browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  await page.routeWebSocket(/\/realtime$/, (connection) => {
    connection.connectToServer();
    connections.set(page, connection);
  });
  await page.goto(site.url.href);
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Live", { exact: true }).waitFor();
  await page.locator(".card").first().waitFor();
  return page;
}

const card = (page: Page, title: string) => page.locator(".card").filter({ hasText: title });
const column = (page: Page, title: string) => page.getByRole("region", { name: title });

/** The columns with their cards, as a page shows them. */
async function shown(page: Page): Promise<Record<string, string[]>> {
  const columns = await page.locator(".column").all();
  return Object.fromEntries(
    await Promise.all(
      columns.map(async (each): Promise<[string, string[]]> => [
        (await each.getAttribute("aria-label")) ?? "",
        await each.locator(".card .title").allTextContents(),
      ]),
    ),
  );
}

/** The same as the server has it. */
async function stored(): Promise<Record<string, string[]>> {
  const { data: columns } = await admin.items("columns").find({ sort: "sort" });
  const { data: cards } = await admin.items("cards").find({ sort: "sort", limit: -1 });
  return Object.fromEntries(
    columns.map(({ id, title }) => [
      title,
      cards.filter(({ column_Id }) => column_Id === id).map((each) => each.title),
    ]),
  );
}

/** Waits until a page shows this. */
async function until(page: Page, test: (columns: Record<string, string[]>) => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  for (let last = await shown(page); !test(last); last = await shown(page)) {
    if (Date.now() > end) throw new Error(`the page still shows ${JSON.stringify(last)}`);
    await Bun.sleep(20);
  }
}

/** Waits until both pages show what the server has. */
async function untilSettled(): Promise<Record<string, string[]>> {
  const now = await stored();
  await Promise.all([ann, bob].map((page) => until(page, (each) => Bun.deepEquals(each, now))));
  return now;
}

/** Keeps what a page writes to cards from the server until the returned function is called. */
async function hold(page: Page): Promise<() => void> {
  const gate = Promise.withResolvers<void>();
  await page.route(/\/(items\/cards|transaction)/, async (route) => {
    if (route.request().method() !== "GET") await gate.promise;
    await route.continue();
  });
  return gate.resolve;
}

test("the loader makes the board, once; baasix.d.ts is what `baasix generate` writes for it", async () => {
  const lines: string[] = [];
  const run = () => load(admin, password, (line) => lines.push(line));
  await run();
  expect(lines.filter((line) => line.startsWith("made"))).toHaveLength(6);
  const { length } = lines;
  await run();
  expect(lines).toHaveLength(length);
  const output = join(import.meta.dir, "../baasix.d.ts");
  const { BAASIX_EXECUTABLE } = process.env;
  const main = join(import.meta.dir, "../../../cli/main.ts");
  const command = BAASIX_EXECUTABLE ? [BAASIX_EXECUTABLE] : [process.execPath, "--no-env-file", main];
  const child = Bun.spawn([...command, "generate", "--check", "-o", output, "--url", server.url], {
    env: { BAASIX_EMAIL: server.account.email, BAASIX_PASSWORD: server.account.password },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect([await new Response(child.stderr).text(), await child.exited]).toEqual(["", 0]);
  expect(readFileSync(output, "utf8")).toContain("BaasixCollections");
});

test("two people see the same board, and each other", async () => {
  [ann, bob] = await Promise.all([open("ann@example.com"), open("bob@example.com")]);
  expect(await untilSettled()).toMatchObject({
    "To do": ["Measure the site", "Choose the wood", "Order nails"],
  });
  for (const page of [ann, bob]) {
    const people = page.getByRole("list", { name: "On this board" });
    await Promise.all(["Ann", "Bob"].map((name) => people.getByText(name).waitFor()));
  }
});

test("a card that one adds is on both boards, last in its column", async () => {
  const field = column(ann, "Doing").getByLabel("New card in Doing");
  await field.fill("Lay the floor");
  await field.press("Enter");
  await card(bob, "Lay the floor").waitFor();
  expect((await untilSettled())["Doing"]).toEqual(["Draw the plan", "Lay the floor"]);
});

test("a card that one drags is there at once, before the server has it, and then for both in one step", async () => {
  // What another client is told meanwhile: the cards and columns of each answer.
  const told: string[] = [];
  const query = { sort: "sort", fields: ["title", "column.title"], limit: 1000 } as const;
  const stop = admin.realtime.liveQuery("cards", query, ({ data }) => {
    const inDoing = data.filter(({ column }) => column?.title === "Doing");
    told.push(inDoing.map(({ title }) => title).join());
  });
  const release = await hold(ann);
  await card(ann, "Order nails").dragTo(card(ann, "Lay the floor"), { targetPosition: { x: 40, y: 4 } });
  const doing = ["Draw the plan", "Order nails", "Lay the floor"];
  await until(ann, (columns) => Bun.deepEquals(columns["Doing"], doing));
  expect((await stored())["Doing"]).toEqual(["Draw the plan", "Lay the floor"]);
  release();
  await until(bob, (columns) => Bun.deepEquals(columns["Doing"], doing));
  for (const end = Date.now() + 10_000; told.at(-1) !== doing.join() && Date.now() < end;)
    await Bun.sleep(10);
  stop();
  expect(told).toEqual(["Draw the plan,Lay the floor", doing.join()]);
  // Within its column, to the front.
  await card(bob, "Choose the wood").dragTo(card(bob, "Measure the site"), {
    targetPosition: { x: 40, y: 4 },
  });
  await until(ann, (columns) => Bun.deepEquals(columns["To do"], ["Choose the wood", "Measure the site"]));
  expect(await untilSettled()).toMatchObject({ Doing: doing });
});

test("what both move at once ends the same for both", async () => {
  const moves = async (page: Page, steps: readonly (readonly [title: string, keys: string])[]) => {
    for (const [title, keys] of steps) await card(page, title).press(keys);
  };
  await Promise.all([
    moves(ann, [
      ["Draw the plan", "Alt+ArrowRight"],
      ["Order nails", "Alt+ArrowDown"],
    ]),
    moves(bob, [
      ["Measure the site", "Alt+ArrowRight"],
      ["Ask the neighbours", "Alt+ArrowLeft"],
    ]),
  ]);
  const done = (columns: Record<string, string[]>) =>
    ["Draw the plan"].every((title) => columns["Done"]?.includes(title)) &&
    ["Measure the site", "Ask the neighbours"].every((title) => columns["Doing"]?.includes(title));
  await Promise.all([ann, bob].map((page) => until(page, done)));
  const end = Date.now() + 10_000;
  for (
    let all: unknown[] = [];
    !Bun.deepEquals(all[0], all[2]) || !Bun.deepEquals(all[1], all[2]) || all.length < 3;
  ) {
    if (Date.now() > end) throw new Error(JSON.stringify(all));
    all = [await shown(ann), await shown(bob), await stored()];
  }
});

test("a move that the server refuses is shown at once and taken back, and nobody else sees it", async () => {
  const before = await untilSettled();
  const release = await hold(bob);
  await card(bob, "Planning fee").dragTo(column(bob, "To do"));
  await until(bob, (columns) => columns["Paid"]?.length === 0);
  expect(await shown(ann)).toEqual(before);
  release();
  await bob.getByRole("alert").waitFor();
  await until(bob, (columns) => Bun.deepEquals(columns, before));
  await bob.screenshot({ path: join(pictures, "refused.png") });
  // Nor does a card go into a closed column.
  await card(bob, "Choose the wood").dragTo(column(bob, "Paid"));
  await bob.getByRole("alert").waitFor();
  expect(await untilSettled()).toEqual(before);
});

test("after a break of one's connection the board is whole again, with the people on it", async () => {
  const before = connections.get(ann);
  await before?.close({ code: 4000, reason: "cut" });
  await column(bob, "Done").getByLabel("New card in Done").fill("While you were away");
  await column(bob, "Done").getByLabel("New card in Done").press("Enter");
  await card(ann, "While you were away").waitFor();
  await ann.getByText("Live", { exact: true }).waitFor();
  for (const page of [ann, bob]) {
    await page.getByRole("list", { name: "On this board" }).getByText("Ann").waitFor();
  }
  expect(connections.get(ann)).not.toBe(before);
  await untilSettled();
});

test("the server is restarted: both boards come back by themselves, with the people on them, and go on", async () => {
  const restarted = server.restart();
  const live = [ann, bob].map((page) => page.getByText("Live", { exact: true }));
  await Promise.all(live.map((each) => each.waitFor({ state: "detached" })));
  await restarted;
  await Promise.all(live.map((each) => each.waitFor({ timeout: 30_000 })));
  for (const page of [ann, bob]) {
    const people = page.getByRole("list", { name: "On this board" });
    await Promise.all(["Ann", "Bob"].map((name) => people.getByText(name).waitFor()));
  }
  await column(ann, "Done").getByLabel("New card in Done").fill("After the break");
  await column(ann, "Done").getByLabel("New card in Done").press("Enter");
  await card(bob, "After the break").press("Alt+ArrowUp");
  await until(ann, ({ Done = [] }) => Done.indexOf("After the break") < Done.indexOf("While you were away"));
  await untilSettled();
});

test("one sees the other's pointer, which card the other is holding, and that the other has left", async () => {
  const box = await ann.locator(".board").boundingBox();
  if (!box) throw new Error("there is no board");
  await ann.mouse.move(box.x + 300, box.y + 420);
  const pointer = bob.locator(".cursor", { hasText: "Ann" });
  await pointer.waitFor();
  await bob.waitForFunction(() =>
    (document.querySelector<HTMLElement>(".cursor")?.style.translate ?? "").startsWith("300px 420px"),
  );
  // Ann sees no pointer of her own.
  expect(await ann.locator(".cursor", { hasText: "Ann" }).count()).toBe(0);

  await card(ann, "Order nails").hover();
  await ann.mouse.down();
  await ann.mouse.move(box.x + 350, box.y + 300, { steps: 5 });
  await card(bob, "Order nails").getByText("Ann").waitFor();
  await bob.screenshot({ path: join(pictures, "holding.png") });
  await ann.mouse.move(box.x + 350, box.y + 650, { steps: 3 });
  await ann.mouse.up();
  await card(bob, "Order nails").getByText("Ann").waitFor({ state: "detached" });

  await ann.close();
  await bob.getByRole("list", { name: "On this board" }).getByText("Ann").waitFor({ state: "detached" });
  expect(await bob.locator(".cursor").count()).toBe(0);
});
