import { expect, test } from "bun:test";
import { textBody } from "./body";

const long = 15_000;
const texts: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["a short text", "short"],
  ["the longest that is sent as it is", "x".repeat(long - 1)],
  ["the shortest that is streamed", "x".repeat(long)],
  ["letters of more than one byte", "ä€😀".repeat(long)],
  ["more than a socket takes at once", "0123456789".repeat(1_000_000)],
];

test.each(texts)("%s arrives whole when it was awaited", async (_, text) => {
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async () => {
      await Promise.resolve();
      return new Response(textBody(text), { headers: { "content-type": "text/plain; charset=utf-8" } });
    },
  });
  const answer = await fetch(server.url);
  expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect((await answer.text()) === text).toBe(true);
  // The connection serves on.
  expect(await (await fetch(server.url, { method: "HEAD" })).text()).toBe("");
  expect((await (await fetch(server.url)).text()).length).toBe(text.length);
});

test.each(texts)("%s can be read without a server", async (_, text) => {
  expect((await new Response(textBody(text)).text()) === text).toBe(true);
});

test("a client that leaves amid a long answer leaves the server as it was", async () => {
  const text = "0123456789".repeat(2_000_000);
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async () => {
      await Promise.resolve();
      return new Response(textBody(text));
    },
  });
  for (let n = 0; n < 5; n++) {
    const leaving = new AbortController();
    const answer = await fetch(server.url, { signal: leaving.signal });
    await answer.body?.getReader().read();
    leaving.abort();
  }
  expect((await (await fetch(server.url)).text()).length).toBe(text.length);
});
