/** The bus over each transport: order, size, who comes and goes, and what happens when the way breaks. */
import { afterAll, describe, expect, test } from "bun:test";
import { externalServer, outsider, testDatabase, testServer } from "../../testing/postgres";
import { testRedis } from "../../testing/redis";
import { openNotices } from "../postgres";
import {
  type Bus,
  createSeal,
  openBus,
  type OpenTransport,
  postgresTransport,
  redisTransport,
} from "./index";

/** A transport, and how its connections are cut. */
type Way = { readonly open: OpenTransport; readonly cut: () => Promise<void> };
const ends: (() => unknown)[] = [];
const key = new Uint8Array(32).fill(7);
const strange =
  "error something was said between instances that none with this secret has said; it is ignored";
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
  const bus: Bus = openBus(open, { keys: [key], beat, onError: (error) => hear(`error ${error.message}`) });
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

/** A bus that hears what the test says, and what it has said itself. */
function alone(beat: number) {
  const { seal, open: unseal } = createSeal([key]);
  let hear: (text: string) => void = () => {};
  const sent: { kind: string; since: number; to?: string }[] = [];
  const open: OpenTransport = (events) => {
    hear = events.onText;
    const send = (text: string): void => void sent.push(JSON.parse(unseal(text)?.text ?? "null"));
    return { send, close: () => Promise.resolve() };
  };
  const a = member(open, beat);
  const line = (from: string, n: number, kind: string, rest: object = {}, sealed = seal): string =>
    sealed({ from, n, text: JSON.stringify({ since: 1, kind, ...rest }) });
  return { ...a, sent, line, hear: (text: string) => hear(text) };
}

test("whoever is silent for three beats is gone, and comes back when it answers", async () => {
  const { bus, heard, until, sent, line, hear } = alone(20);
  const say = (n: number, kind: string, rest: object = {}) => hear(line("b", n, kind, rest));
  say(1, "hello");
  expect([heard, sent]).toEqual([[], [{ since: expect.any(Number), kind: "hello", to: "b" }]]);
  say(2, "alive", { to: bus.id });
  expect(heard).toEqual(["came b"]);
  expect(sent).toHaveLength(1);
  await until("gone b");
  say(3, "message", { message: 1 });
  expect(heard.slice(2)).toEqual([]);
  say(4, "alive", { to: bus.id });
  say(5, "message", { message: 2 });
  expect(heard.slice(2)).toEqual(["came b", "b 2"]);
  // One that was missed: it is asked for everything.
  const count = sent.filter(({ to }) => to === "b").length;
  say(7, "message", { message: 3 });
  expect(sent.filter(({ to }) => to === "b")).toHaveLength(count + 1);
  say(8, "bye");
  expect(heard.at(-1)).toBe("gone b");
  expect(bus.others()).toEqual([]);
});

test("one that asks this instance alone is answered, believed, and told everything", () => {
  const { bus, heard, sent, line, hear } = alone(60_000);
  hear(line("b", 9, "hello", { to: bus.id }));
  expect(heard).toEqual(["came b"]);
  expect(sent).toEqual([{ since: expect.any(Number), kind: "alive", to: "b" }]);
});

test("what nobody of this installation says is ignored, and told once", () => {
  const { bus, heard, sent, line, hear } = alone(60_000);
  const others = createSeal([new Uint8Array(32).fill(8)]);
  const good = line("b", 1, "hello", { to: bus.id });
  const rubbish = [
    "",
    "{",
    JSON.stringify({ from: "b", n: 1, since: 1, kind: "hello", to: bus.id }),
    line("b", 1, "hello", { to: bus.id }, others.seal),
    good.replace("b 1", "c 1"),
    good.replace("b 1", "b 2"),
    `${good.slice(0, 30)}${good[30] === "A" ? "B" : "A"}${good.slice(31)}`,
    good.slice(0, 20),
    "b 1 AAAA",
    `b 0 ${good.split(" ")[2]}`,
    `b 99999999999999999999 ${good.split(" ")[2]}`,
    `b 1 ${"A".repeat(100_000)}`,
    createSeal([key]).seal({ from: "b", n: 1, text: "no JSON" }),
    createSeal([key]).seal({ from: "b", n: 2, text: "null" }),
  ];
  for (const one of rubbish) hear(one);
  expect([heard, sent]).toEqual([[strange], []]);
  hear(good);
  expect(heard).toEqual([strange, "came b"]);
});

test("what was said is not heard again: of an instance that lives, that is gone, and of before", () => {
  const { bus, heard, sent, line, hear } = alone(60_000);
  const told = [line("b", 5, "alive", { to: bus.id }), line("b", 6, "message", { message: "once" })];
  for (const one of [...told, ...told]) hear(one);
  expect(heard).toEqual(["came b", 'b "once"']);
  hear(line("b", 7, "bye"));
  for (const one of told) hear(one);
  expect(heard.slice(2)).toEqual(["gone b"]);
  // Recorded before this one began: nothing in it is meant for this one, and nobody answers.
  sent.length = 0;
  for (const n of [1, 2, 3]) hear(line("old", n, "message", { message: "again" }));
  hear(line("old", 4, "message", { to: "another", message: "again" }));
  expect(heard.slice(3)).toEqual([]);
  expect(sent).toEqual([{ since: expect.any(Number), kind: "hello", to: "old" }]);
});

test("a key that was used before opens, until all have the new one", () => {
  const old = createSeal([key]);
  const next = createSeal([new Uint8Array(32).fill(9), key]);
  const message = { from: "a", n: 3, text: "ü \n" };
  expect(next.open(old.seal(message))).toEqual(message);
  expect(next.open(next.seal(message))).toEqual(message);
  expect(old.open(next.seal(message))).toBeNull();
  expect(old.seal(message)).not.toContain("ü");
});

test("over the database nobody can read along, or speak for an instance", async () => {
  const { address, drop } = await testDatabase();
  ends.push(drop);
  const a = member(postgresTransport(address));
  const b = member(postgresTransport(address));
  await Promise.all([a.until(`came ${b.bus.id}`), b.until(`came ${a.bus.id}`)]);
  const overheard: string[] = [];
  const spy = await openNotices(address, "baasix_bus", {
    onNotice: (payload) => void overheard.push(payload),
    onEnd: () => {},
  });
  a.bus.publish("a secret");
  await b.until(`${a.bus.id} "a secret"`);
  await spy.send(["marker"]);
  while (!overheard.includes("marker")) await Bun.sleep(5);
  expect(overheard.join()).not.toContain("secret");
  // All again, with forged ones and unfinished parts before and between.
  const plain = JSON.stringify({ from: a.bus.id, n: 10_000, since: 1, kind: "message", message: "forged" });
  await spy.send(["x y 0 0 unfinished", `x z 0 1 ${plain}`, ...overheard, "x y 7 1 late", "no head"]);
  a.bus.publish("the next");
  await b.until(`${a.bus.id} "the next"`);
  expect(b.heard.filter((text) => text.startsWith(a.bus.id))).toEqual([
    `${a.bus.id} "a secret"`,
    `${a.bus.id} "the next"`,
  ]);
  spy.close();
}, 30_000);

test("parts that are never finished take the memory of one batch, whoever sends them", async () => {
  const { address, drop } = await testDatabase();
  ends.push(drop);
  const texts: string[] = [];
  const up = Promise.withResolvers<void>();
  const last = Promise.withResolvers<void>();
  const transport = postgresTransport(address)({
    onText: (text) => {
      texts.push(text);
      if (text === "last") last.resolve();
    },
    onUp: up.resolve,
    onError: last.reject,
  });
  ends.push(() => transport.close());
  await up.promise;
  const stranger = await openNotices(address, "baasix_bus", { onNotice: () => {}, onEnd: () => {} });
  // Those of one transaction come together: what another one follows is never finished.
  await stranger.send([
    "a 1 0 0 left",
    "b 1 0 0 who",
    "b 1 1 1 le",
    "a 1 1 1 over",
    "a 2 0 0 ",
    "c 1 0 1 last",
  ]);
  await last.promise;
  expect(texts).toEqual(["whole", "last"]);
  stranger.close();
}, 30_000);
