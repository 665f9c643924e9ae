/** The way over a Redis that is slow, frozen, or deaf on one of its connections: nothing hangs, and all of it comes back. */
import { afterAll, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { testRedis } from "../../testing/redis";
import { redisTransport } from "./redis";
import type { Transport } from "./transport";

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.toReversed()) await end();
});

/** A transport, and what it hears; `until` waits for a text. */
function open(url: string, patience: number) {
  const heard: string[] = [];
  let ups = 0;
  let failures = 0;
  const transport: Transport = redisTransport(
    url,
    "test",
    patience,
  )({ onText: (text) => void heard.push(text), onUp: () => void ups++, onError: () => void failures++ });
  ends.push(() => transport.close());
  const until = async (isSo: () => boolean): Promise<void> => {
    for (const end = Date.now() + 20_000; !isSo(); await Bun.sleep(10)) {
      if (Date.now() > end) throw new Error(`heard ${JSON.stringify(heard)}, up ${ups} times`);
    }
  };
  return {
    send: (text: string) => transport.send(text),
    heard,
    until,
    isUp: (times: number) => until(() => ups >= times),
    hasFailed: (times: number) => until(() => failures >= times),
  };
}

test("a Redis that stands still for a while: what was said meanwhile arrives, each once and in order", async () => {
  const redis = await testRedis();
  ends.push(redis.kill);
  const [a, b] = [open(redis.url, 10_000), open(redis.url, 10_000)];
  await Promise.all([a.isUp(1), b.isUp(1)]);
  redis.freeze();
  for (let n = 0; n < 100; n++) {
    a.send(String(n));
    if (n % 10 === 0) await Bun.sleep(1);
  }
  expect(b.heard).toEqual([]);
  redis.thaw();
  await b.until(() => b.heard.length >= 100);
  expect(b.heard).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
}, 30_000);

test("one that stands still for too long is left, and found again", async () => {
  const redis = await testRedis();
  ends.push(redis.kill);
  const [a, b] = [open(redis.url, 300), open(redis.url, 300)];
  await Promise.all([a.isUp(1), b.isUp(1)]);
  redis.freeze();
  a.send("lost");
  // The connection, and an attempt to come back.
  await a.hasFailed(2);
  redis.thaw();
  await a.isUp(2);
  a.send("after");
  await b.until(() => b.heard.includes("after"));
}, 30_000);

test("a connection that hears nothing any more, though nobody has closed it, is made anew", async () => {
  const redis = await testRedis();
  ends.push(redis.kill);
  const pairs: Socket[][] = [];
  const way = createServer((near) => {
    const far = connect(Number(new URL(redis.url).port), "127.0.0.1");
    pairs.push([near, far]);
    near.pipe(far).on("error", () => {});
    far.pipe(near).on("error", () => {});
  });
  way.listen(0, "127.0.0.1");
  await once(way, "listening");
  ends.push(() => {
    for (const socket of pairs.flat()) socket.destroy();
    way.close();
  });
  const a = open(`redis://127.0.0.1:${(way.address() as { port: number }).port}`, 300);
  await a.isUp(1);
  const b = open(redis.url, 300);
  await b.isUp(1);
  // The cable of the connection that listens, which is made first.
  for (const socket of pairs[0] ?? []) socket.unpipe().pause();
  a.send("is anybody there");
  await a.isUp(2);
  b.send("yes");
  await a.until(() => a.heard.includes("yes"));
}, 30_000);
