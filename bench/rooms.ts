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
import { summary } from "./latencies";
import { listen, makeAccounts, socketsPerAccount } from "./listeners";
import { cpuOf, cpuOfTree } from "./process-cost";
import { embeddedOf, emptyFolder, serve } from "./server-process";
import { admin } from "./shop";
import { measureTravel } from "./travel";

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
const accounts = await makeAccounts(one.url, Math.ceil(members / socketsPerAccount), "member");
printTable(
  ["members on", "delivered", "sent to heard p50 / p99 / max ms", "goal", "server CPU", "PG CPU"],
  [await measure("one server", [one.url]), await measure("two servers, over NOTIFY", [one.url, two.url])],
);
await two.end();
await one.end();
folder.remove();
second.remove();

async function measure(room: string, urls: readonly string[]): Promise<string[]> {
  const { delivered, heard, cores } = await measureTravel({
    sockets: members,
    perSecond,
    seconds,
    open: (place, onText) => {
      const token = accounts[Math.floor(place / socketsPerAccount)]?.token ?? null;
      const frame: ClientFrame = { type: "room.join", id: "2", room };
      return listen(urls[place % urls.length] ?? "", token, { frame, answer: "room.joined" }, onText);
    },
    write: (number, note, sockets) => {
      const frame: ClientFrame = {
        type: "room.send",
        id: String(number),
        room,
        event: "chat",
        payload: { note },
      };
      sockets[number % speakers]?.send(JSON.stringify(frame));
      return null;
    },
    cpu: () => ({ server: cpuOf(one.pid) + cpuOf(two.pid), database: cpuOfTree(database.pid) }),
  });
  return [
    room,
    delivered,
    summary(heard),
    "all, p99 50",
    cores("server").toFixed(2),
    cores("database").toFixed(2),
  ];
}
