/** The page at `/swagger` in a real browser: it shows the API and asks no other host for anything. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { startBrowser, type TestBrowser } from "./browser";
import { startServer, type TestServer } from "./server";

// For a busy machine; what is set in the preload holds for the first file alone.
setDefaultTimeout(60_000);

let server: TestServer;
let browser: TestBrowser;
beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test("the page shows the API out of the server alone", async () => {
  const page = await browser.browser.newPage();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(`${server.url}/swagger`);
  await page.getByText("/auth/login", { exact: true }).waitFor();
  expect(asked.map((url) => url.replace(server.url, ""))).toEqual([
    "/swagger",
    "/swagger/ui.css",
    "/swagger/ui.js",
    "/swagger/json",
  ]);
  await page.close();
});
