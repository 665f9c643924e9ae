/** Streams of answers against a small server: what is read, broken off and stopped. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Socket } from "bun";
import { createBaasix } from "./client";
import type { Items } from "./items";

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

let server: Bun.TCPSocketListener<unknown>;
let items: Items;
/** The connection of the latest request, and when the client has closed it. */
let socket: Socket<unknown>;
let closed: PromiseWithResolvers<void>;

beforeAll(() => {
  server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: () => {
        closed = Promise.withResolvers();
      },
      data: (connection) => {
        socket = connection;
        connection.write(head + chunk('{"a":1}\n'));
      },
      close: () => closed.resolve(),
    },
  });
  items = createBaasix({ url: `http://127.0.0.1:${server.port}` }).items("things");
});
afterAll(() => server.stop(true));

const text = (bytes?: Uint8Array) => new TextDecoder().decode(bytes);

test("an export is read while it arrives", async () => {
  const reader = (await items.export()).getReader();
  expect(text((await reader.read()).value)).toBe('{"a":1}\n');
  socket.write(chunk('{"a":2}\n'));
  expect(text((await reader.read()).value)).toBe('{"a":2}\n');
  socket.write("0\r\n\r\n");
  expect((await reader.read()).done).toBe(true);
});

test("a connection that breaks is no end", async () => {
  const reader = (await items.export()).getReader();
  await reader.read();
  socket.terminate();
  await expect(reader.read()).rejects.toMatchObject({ name: "BaasixError", code: "NETWORK_ERROR" });
});

test("a signal ends the stream and the connection", async () => {
  const controller = new AbortController();
  const reader = (await items.export({}, { signal: controller.signal })).getReader();
  await reader.read();
  const waiting = reader.read();
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await closed.promise;
});

test("who stops reading ends the connection", async () => {
  const reader = (await items.export()).getReader();
  await reader.read();
  await reader.cancel();
  await closed.promise;
});

test("where fetch gives no stream it says so", async () => {
  const native = createBaasix({
    url: "http://127.0.0.1",
    fetch: async () => Object.defineProperty(new Response("x"), "body", { value: null }),
  });
  await expect(native.items("things").export()).rejects.toThrow("no stream");
});
