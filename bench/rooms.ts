/**
 * `bun bench/rooms.ts [members] [messages per second] [seconds]`: a message of a room on its way to all members, on one server,
 * and with the members on two servers of one database, which speak over `NOTIFY`. The clients share the machine with the servers.
 */
import { type ClientFrame, realtimeVersion, type ServerFrame } from "@baasix/types";
import { printTable } from "./figures";
import { cpuOf, cpuOfTree } from "./process-cost";
import { embeddedOf, emptyFolder, serve } from "./server-process";
import { admin, caller, signIn, user } from "./shop";

const [members = 200, perSecond = 50, seconds = 10] = process.argv.slice(2).map(Number);
/** Those who speak, in turn: one socket may send 20 messages a second. */
const speakers = Math.ceil(perSecond / 10);
const folder = emptyFolder();
const secret = { SECRET_KEY: "the secret of a measurement, which is long enough" };
const one = await serve(folder.path, { ...secret, ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
const database = embeddedOf(folder.path);
const second = emptyFolder();
const url = `postgres://baasix@localhost/baasix?host=${encodeURIComponent(database.socket)}`;
// The embedded PostgreSQL has connections for one server, and a few more.
const two = await serve(second.path, {
  ...secret,
  DATABASE_URL: url,
  DATABASE_POOL_MAX: "2",
  DATABASE_SLOW_POOL_MAX: "1",
});
const tokens: string[] = [];
// An account may have 20 sockets.
while (tokens.length * 20 < members) {
  const another = { ...user, email: `member${tokens.length}@example.com` };
  await caller(one.url, null)("POST", "/auth/register", another);
  tokens.push(await signIn(one.url, another));
}
printTable(
  ["members on", "delivered", "sent to heard p50 / p99 / max ms", "server CPU s", "PG CPU s"],
  [await measure("one server", [one.url]), await measure("two servers, over NOTIFY", [one.url, two.url])],
);
await two.end();
await one.end();
folder.remove();
second.remove();

async function measure(name: string, urls: readonly string[]): Promise<string[]> {
  const heard: number[] = [];
  const room = name;
  const sockets: WebSocket[] = [];
  for (let i = 0; i < members; i++) {
    const url = urls[i % urls.length] ?? "";
    sockets.push(await enter(url, room, i, (sent) => void heard.push(performance.now() - sent)));
  }
  await Bun.sleep(2_000);
  const cpu = () => cpuOf(one.pid) + cpuOf(two.pid);
  const before = { server: cpu(), database: cpuOfTree(database.pid) };
  const messages = perSecond * seconds;
  const begun = performance.now();
  for (let n = 0; n < messages; n++) {
    await Bun.sleep(Math.max(0, begun + (n * 1000) / perSecond - performance.now()));
    const payload = { sent: performance.now() };
    const frame: ClientFrame = { type: "room.send", id: String(n), room, event: "chat", payload };
    sockets[n % speakers]?.send(JSON.stringify(frame));
  }
  const expected = messages * members;
  for (let waited = 0; heard.length < expected && waited < 10_000; waited += 50) await Bun.sleep(50);
  for (const socket of sockets) socket.close();
  const sorted = heard.toSorted((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(1);
  return [
    name,
    `${heard.length.toLocaleString("en-US")} of ${expected.toLocaleString("en-US")}`,
    `${at(0.5)} / ${at(0.99)} / ${at(1)}`,
    ((cpu() - before.server) / 1000).toFixed(1),
    ((cpuOfTree(database.pid) - before.database) / 1000).toFixed(1),
  ];
}

/** Lets a socket into the room; calls back with the time at which each message was sent. */
async function enter(
  url: string,
  room: string,
  place: number,
  onMessage: (sent: number) => void,
): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/realtime`);
  const send = (frame: ClientFrame) => socket.send(JSON.stringify(frame));
  const token = tokens[Math.floor(place / 20)] ?? null;
  const entered = Promise.withResolvers<void>();
  socket.addEventListener("open", () =>
    send({ type: "authenticate", id: "1", token, version: realtimeVersion }),
  );
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(String(data)) as ServerFrame;
    if (frame.type === "connected") send({ type: "room.join", id: "2", room });
    else if (frame.type === "room.joined") entered.resolve();
    else if (frame.type === "error") entered.reject(new Error(frame.message));
    else if (frame.type === "room.message") onMessage((frame.payload as { sent: number }).sent);
  });
  await entered.promise;
  return socket;
}
