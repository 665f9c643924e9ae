/**
 * `bun bench/realtime.ts [subscribers] [inserts per second] [seconds]`: a change travels from the write to all subscribers.
 * Ours takes it from the log of PostgreSQL and judges it per view; the floor publishes in process and judges nothing.
 * Live queries are the newest 20 orders: one that all share, and as many as a tenth of them with a filter of their own;
 * several inserts may come as one difference, each item counts once. The clients share the machine with the servers.
 */
import type { ClientFrame, ServerFrame } from "@baasix/types";
import { printTable } from "./figures";
import { cpuOf, cpuOfTree } from "./process-cost";
import { emptyFolder, embeddedOf, serve, serveFloor } from "./server-process";
import { admin, buildShop, caller, signIn, user } from "./shop";

const [subscribers = 500, perSecond = 50, seconds = 10] = process.argv.slice(2).map(Number);
const folder = emptyFolder();
const ours = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
await buildShop(ours.url);
const token = await signIn(ours.url, user);
// An account may have 20 sockets.
const tokens = [token];
while (tokens.length * 20 < subscribers) {
  const another = { ...user, email: `user${tokens.length}@example.com` };
  await caller(ours.url, null)("POST", "/auth/register", another);
  tokens.push(await signIn(ours.url, another));
}
const database = embeddedOf(folder.path);
const floor = await serveFloor({ SOCKET: database.socket });

const writeOurs = caller(ours.url, token);
const writeFloor = caller(floor.url, null);
const insert = (number: number, note: string) =>
  writeOurs("POST", "/items/orders", { number, note, amount: "1" });
printTable(
  [
    "target",
    "events delivered",
    "sent to event p50 / p99 / max ms",
    "write answered p50 / p99 ms",
    "server CPU s",
    "PG CPU s",
  ],
  [
    await measure(
      "floor",
      floor.pid,
      (number, note) => writeFloor("POST", "/publish", { number, note, amount: "1" }),
      connectFloor,
    ),
    await measure("baasix", ours.pid, insert, connectOurs),
    await measure(
      "live query, shared",
      ours.pid,
      insert,
      connectLive(() => -1),
    ),
    await measure(
      "live queries, each another",
      ours.pid,
      insert,
      connectLive((place) => -1 - place),
      Math.ceil(subscribers / 10),
    ),
  ],
);
await floor.end();
await ours.end();
folder.remove();

/** Opens a subscriber; calls back with the note of each item that arrives. */
type Connect = (onNote: (note: string) => void, place: number) => Promise<WebSocket>;

async function measure(
  target: string,
  pid: number,
  write: (number: number, note: string) => Promise<unknown>,
  connect: Connect,
  watching = subscribers,
): Promise<string[]> {
  const events: number[] = [];
  const answers: number[] = [];
  const onNote = (note: string) => void events.push(performance.now() - Number(note));
  const sockets: WebSocket[] = [];
  for (let i = 0; i < watching; i++) sockets.push(await connect(onNote, i));
  const before = { server: cpuOf(pid), database: cpuOfTree(database.pid) };
  const writes = perSecond * seconds;
  const begun = performance.now();
  const pending: Promise<unknown>[] = [];
  for (let n = 0; n < writes; n++) {
    const due = begun + (n * 1000) / perSecond;
    await Bun.sleep(Math.max(0, due - performance.now()));
    const sent = performance.now();
    pending.push(write(n, String(sent)).then(() => answers.push(performance.now() - sent)));
  }
  await Promise.all(pending);
  const expected = writes * watching;
  for (let waited = 0; events.length < expected && waited < 10_000; waited += 50) await Bun.sleep(50);
  for (const socket of sockets) socket.close();
  const at = (values: readonly number[], share: number) =>
    (
      values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN
    ).toFixed(1);
  return [
    target,
    `${events.length.toLocaleString("en-US")} of ${expected.toLocaleString("en-US")}`,
    `${at(events, 0.5)} / ${at(events, 0.99)} / ${at(events, 1)}`,
    `${at(answers, 0.5)} / ${at(answers, 0.99)}`,
    ((cpuOf(pid) - before.server) / 1000).toFixed(1),
    ((cpuOfTree(database.pid) - before.database) / 1000).toFixed(1),
  ];
}

function opened(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve(socket), { once: true });
    socket.addEventListener("error", () => reject(new Error(`${url} did not open`)), { once: true });
  });
}

async function connectFloor(onNote: (note: string) => void): Promise<WebSocket> {
  const socket = await opened(floor.url.replace("http", "ws"));
  socket.addEventListener("message", ({ data }) =>
    onNote((JSON.parse(String(data)) as { note: string }).note),
  );
  return socket;
}

async function connectOurs(onNote: (note: string) => void, place: number): Promise<WebSocket> {
  const socket = await opened(`${ours.url.replace("http", "ws")}/realtime`);
  const send = (frame: ClientFrame) => socket.send(JSON.stringify(frame));
  const subscribed = Promise.withResolvers<void>();
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(String(data)) as ServerFrame;
    if (frame.type === "connected")
      send({ type: "subscribe", id: "2", collection: "orders", filter: { number: { gte: 0 } } });
    else if (frame.type === "subscribed") subscribed.resolve();
    else if (frame.type === "error") subscribed.reject(new Error(frame.message));
    else if (frame.type === "change") onNote(String(frame.data.note));
  });
  send({ type: "authenticate", id: "1", token: tokens[Math.floor(place / 20)] ?? token, version: 1 });
  await subscribed.promise;
  return socket;
}

/** A live query of the newest orders from a number on; it is each time another one where the numbers are. */
function connectLive(from: (place: number) => number): Connect {
  return async (onNote, place) => {
    const socket = await opened(`${ours.url.replace("http", "ws")}/realtime`);
    const send = (frame: ClientFrame) => socket.send(JSON.stringify(frame));
    const answered = Promise.withResolvers<void>();
    const query = {
      filter: { number: { gte: from(place) } },
      sort: "-createdAt,-number",
      limit: 20,
      count: "none",
    };
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(String(data)) as ServerFrame;
      if (frame.type === "connected") send({ type: "query", id: "2", collection: "orders", query });
      else if (frame.type === "query.result") answered.resolve();
      else if (frame.type === "error") answered.reject(new Error(frame.message));
      else if (frame.type === "query.difference") {
        for (const piece of frame.data)
          if (!Array.isArray(piece)) onNote(String((piece as { note: string }).note));
      }
    });
    send({ type: "authenticate", id: "1", token: tokens[Math.floor(place / 20)] ?? token, version: 1 });
    await answered.promise;
    return socket;
  };
}
