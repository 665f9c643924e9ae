/**
 * `bun bench/rooms.ts [members] [messages per second] [seconds]`: a message of a room on its way to all members, on one server,
 * and with the members on two servers of one database, which speak over `NOTIFY`.
 *
 * Messages go out at a steady pace, by some of the members in turn; each carries the time at which it was sent, which the clients
 * find in the text of the message. Two seconds of the same load go before. The clients are one process, which shares the two cores
 * with servers and PostgreSQL. CPU is in cores, of both servers together.
 */
import type { ClientFrame } from "@baasix/types";
import { printTable } from "./figures";
import { createLatencies, pace, sentAt, stampNow, summary, until } from "./latencies";
import { inGroups, listen, makeAccounts, socketsPerAccount } from "./listeners";
import { cpuOf, cpuOfTree } from "./process-cost";
import { embeddedOf, emptyFolder, serve } from "./server-process";
import { admin } from "./shop";

const [members = 200, perSecond = 50, seconds = 10] = process.argv.slice(2).map(Number);
const warmUp = 2;
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
const accounts = await makeAccounts(one.url, Math.ceil(members / socketsPerAccount), "member");
printTable(
  ["members on", "delivered", "sent to heard p50 / p99 / max ms", "goal", "server CPU", "PG CPU"],
  [await measure("one server", [one.url]), await measure("two servers, over NOTIFY", [one.url, two.url])],
);
await two.end();
await one.end();
folder.remove();
second.remove();

async function measure(name: string, urls: readonly string[]): Promise<string[]> {
  const heard = createLatencies(members * perSecond * seconds);
  const room = name;
  const sockets: WebSocket[] = [];
  const onText = (text: string) => {
    const sent = sentAt(text);
    if (!Number.isNaN(sent)) heard.add(performance.now() - sent);
  };
  await inGroups(members, 10, async (place) => {
    const token = accounts[Math.floor(place / socketsPerAccount)]?.token ?? null;
    const frame: ClientFrame = { type: "room.join", id: "2", room };
    sockets[place] = await listen(
      urls[place % urls.length] ?? "",
      token,
      { frame, answer: "room.joined" },
      onText,
    );
  });
  const run = async (time: number): Promise<void> => {
    await pace(perSecond, time, (number) => {
      const payload = { note: stampNow() };
      const frame: ClientFrame = { type: "room.send", id: String(number), room, event: "chat", payload };
      sockets[number % speakers]?.send(JSON.stringify(frame));
    });
    await until(() => heard.count() >= members * perSecond * time);
  };
  await run(warmUp);
  heard.clear();
  const cpu = () => ({ server: cpuOf(one.pid) + cpuOf(two.pid), database: cpuOfTree(database.pid) });
  const before = cpu();
  const begun = performance.now();
  await run(seconds);
  const lasted = performance.now() - begun;
  const after = cpu();
  for (const socket of sockets) socket.close();
  const expected = members * perSecond * seconds;
  return [
    name,
    `${heard.count().toLocaleString("en-US")} of ${expected.toLocaleString("en-US")}`,
    summary(heard),
    "all, p99 50",
    ((after.server - before.server) / lasted).toFixed(2),
    ((after.database - before.database) / lasted).toFixed(2),
  ];
}
