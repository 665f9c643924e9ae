/** The bus over each transport: order, size, who comes and goes, and what happens when the way breaks. */
import { afterAll, describe, expect, test } from "bun:test";
import { externalServer, outsider, testDatabase, testServer } from "../../testing/postgres";
import { testRedis } from "../../testing/redis";
import { type Bus, openBus, type OpenTransport, postgresTransport, redisTransport } from "./index";

/** A transport, and how its connections are cut. */
type Way = { readonly open: OpenTransport; readonly cut: () => Promise<void> };
const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.toReversed()) await end();
});

const ways: readonly (readonly [name: string, make: () => Promise<Way>])[] = [
  [
    "PostgreSQL, by its socket",
    async () => {
      const { address, drop } = await testDatabase();
      ends.push(drop);
      const { maintenance } = await testServer();
      return { open: postgresTransport(address), cut: () => cut(maintenance) };
    },
  ],
  [
    "PostgreSQL, by its address and a password",
    async () => {
      const server = await externalServer({ password: "päss word" });
      ends.push(server.stop);
      return { open: postgresTransport(server.address), cut: () => cut(server.address) };
    },
  ],
  [
    "Redis",
    async () => {
      const redis = await testRedis();
      ends.push(redis.kill);
      return {
        open: redisTransport(redis.url, "test"),
        cut: () => redis.kill().then(redis.start),
      };
    },
  ],
];

function cut(address: Parameters<typeof outsider>[0]): Promise<void> {
  return outsider(
    address,
    `select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen "baasix_bus"%' or query like '%baasix_bus%' and pid <> pg_backend_pid()`,
  ).then(() => undefined);
}

/** A bus, and what it was told, to be waited for. */
function member(open: OpenTransport, beat = 200) {
  const heard: string[] = [];
  let wake = Promise.withResolvers<void>();
  const hear = (text: string): void => {
    heard.push(text);
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const bus: Bus = openBus(open, { beat });
  bus.listen({
    onMessage: (message, from) => hear(`${from} ${JSON.stringify(message)}`),
    onCome: (id) => hear(`came ${id}`),
    onGone: (id) => hear(`gone ${id}`),
  });
  ends.push(bus.close);
  return {
    bus,
    heard,
    /** Waits until something was told `times` times. */
    until: async (text: string, times = 1): Promise<void> => {
      while (heard.filter((each) => each === text).length < times) await wake.promise;
    },
  };
}

describe.each(ways)("over %s", (_name, make) => {
  let way: Way;
  test("instances find each other, and hear everything in order, however long", async () => {
    way = await make();
    const a = member(way.open);
    const b = member(way.open);
    await Promise.all([a.until(`came ${b.bus.id}`), b.until(`came ${a.bus.id}`)]);
    expect([a.bus.others(), b.bus.others()]).toEqual([[b.bus.id], [a.bus.id]]);
    expect(a.bus.isOldest(b.bus.id) || b.bus.isOldest(a.bus.id)).toBe(true);
    const long = `'"\\ é😀 ${"x".repeat(300_000)} ${"ü".repeat(5_000)} \n end`;
    const messages = [1, { text: "'; DROP TABLE x; --" }, long, [null], ...Array(500).keys()];
    for (const message of messages) a.bus.publish(message);
    a.bus.publish("last");
    await b.until(`${a.bus.id} "last"`);
    const got = b.heard.filter((text) => text.startsWith(a.bus.id)).map((text) => text.slice(37));
    expect(got).toEqual([...messages, "last"].map((message) => JSON.stringify(message)));
    const c = member(way.open);
    await c.until(`came ${a.bus.id}`);
    await a.until(`came ${c.bus.id}`);
    a.bus.publish("for c", c.bus.id);
    a.bus.publish("for all");
    await c.until(`${a.bus.id} "for all"`);
    await b.until(`${a.bus.id} "for all"`);
    expect(c.heard).toContain(`${a.bus.id} "for c"`);
    expect(b.heard).not.toContain(`${a.bus.id} "for c"`);
    await c.bus.close();
    await Promise.all([a.until(`gone ${c.bus.id}`), b.until(`gone ${c.bus.id}`)]);
  }, 30_000);

  test("after a break they hear each other again", async () => {
    const a = member(way.open);
    const b = member(way.open);
    await Promise.all([a.until(`came ${b.bus.id}`), b.until(`came ${a.bus.id}`)]);
    await way.cut();
    // What is said while the way is broken reaches nobody.
    const timer = setInterval(() => {
      a.bus.publish("back");
      b.bus.publish("back");
    }, 20);
    await Promise.all([a.until(`${b.bus.id} "back"`), b.until(`${a.bus.id} "back"`)]);
    clearInterval(timer);
    await Promise.all([a.bus.close(), b.bus.close()]);
  }, 30_000);
});

test("whoever is silent for three beats is gone, and comes back", async () => {
  let hear: (text: string) => void = () => {};
  const sent: { kind: string; to?: string }[] = [];
  const open: OpenTransport = (events) => {
    hear = events.onText;
    return { send: (text) => void sent.push(JSON.parse(text)), close: () => Promise.resolve() };
  };
  const a = member(open, 20);
  const say = (n: number, kind: string, rest: object = {}) =>
    hear(JSON.stringify({ from: "b", n, since: 1, kind, ...rest }));
  say(1, "hello");
  expect(a.heard).toEqual(["came b"]);
  expect(sent).toMatchObject([{ kind: "hello", to: "b" }]);
  await a.until("gone b");
  say(2, "message", { message: 1 });
  expect(a.heard.slice(2)).toEqual(["came b", "b 1"]);
  // One that was missed: it is asked for everything.
  const count = sent.filter(({ to }) => to === "b").length;
  say(5, "message", { message: 2 });
  expect(sent.filter(({ to }) => to === "b")).toHaveLength(count + 1);
  for (const rubbish of [
    "",
    "{",
    "null",
    "1",
    '{"from":1}',
    '{"from":"x"}',
    '{"from":"x","n":"1","kind":"bye"}',
  ]) {
    hear(rubbish);
  }
  say(6, "bye");
  expect(a.heard.at(-1)).toBe("gone b");
  expect(a.bus.others()).toEqual([]);
});
