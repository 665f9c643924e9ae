/**
 * `bun bench/realtime.ts [subscribers] [inserts per second] [seconds]`: a change travels from the write to all subscribers.
 * Ours takes it from the log of PostgreSQL and judges it per view; the floor publishes in process and judges nothing. They are
 * measured in turns, three times; two seconds of the same load go before each.
 * Live queries are the newest 20 orders: one that all share, and as many as a tenth of them with a filter of their own;
 * several inserts may come as one difference, each item counts once.
 *
 * Inserts go out at a steady pace, whatever their answers take; each carries the time at which it was sent, which the clients
 * find in the text of the event. The clients are one process. Beside the floor they have a core of their own, and servers and PostgreSQL the others (one of
 * two); with live queries, for which PostgreSQL works, they share all. CPU is in cores.
 */
import { printTable, spread } from "./figures";
import { summary } from "./latencies";
import { type Ask, listen, makeAccounts, socketsPerAccount } from "./listeners";
import { cpuOf, cpuOfTree, separate } from "./process-cost";
import { emptyFolder, embeddedOf, serve, serveFloor } from "./server-process";
import { admin, buildShop, caller } from "./shop";
import { measureTravel } from "./travel";

const [subscribers = 500, perSecond = 50, seconds = 10] = process.argv.slice(2).map(Number);
const rounds = 3;
const folder = emptyFolder();
const ours = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
await buildShop(ours.url);
const accounts = await makeAccounts(ours.url, Math.ceil(subscribers / socketsPerAccount), "subscriber");
const tokenOf = (place: number) => accounts[Math.floor(place / socketsPerAccount)]?.token ?? null;
const database = embeddedOf(folder.path);
const floor = await serveFloor({ SOCKET: database.socket });

/** Opens a subscriber; calls back with the text of each message. */
type Connect = (place: number, onText: (text: string) => void) => Promise<WebSocket>;
type Target = {
  readonly name: string;
  readonly pid: number;
  readonly write: (order: object) => Promise<unknown>;
  readonly connect: Connect;
  readonly watching?: number;
};
type Round = { readonly name: string; readonly cores: number; readonly p99: number };

const writeOurs = caller(ours.url, tokenOf(0));
const writeFloor = caller(floor.url, null);
const asking =
  (ask: (place: number) => Ask): Connect =>
  (place, onText) =>
    listen(ours.url, tokenOf(place), ask(place), onText);
const baasix = { pid: ours.pid, write: (order: object) => writeOurs("POST", "/items/orders", order) };
const targets: readonly Target[] = [
  {
    name: "floor",
    pid: floor.pid,
    write: (order) => writeFloor("POST", "/publish", order),
    connect: connectFloor,
  },
  { ...baasix, name: "Baasix", connect: asking(() => changes) },
];
const live: readonly Target[] = [
  { ...baasix, name: "live query, shared", connect: asking(() => newest(-1)) },
  {
    ...baasix,
    name: "live queries, each another",
    connect: asking((place) => newest(-1 - place)),
    watching: Math.ceil(subscribers / 10),
  },
];

/** The role's row condition and this filter are the view that all share. */
const changes: Ask = {
  frame: { type: "subscribe", id: "2", collection: "orders", filter: { number: { gte: 0 } } },
  answer: "subscribed",
};
/** A live query of the newest orders from a number on; it is each time another one where the numbers are. */
function newest(from: number): Ask {
  const query = { filter: { number: { gte: from } }, sort: "-createdAt,-number", limit: 20, count: "none" };
  return { frame: { type: "query", id: "2", collection: "orders", query }, answer: "query.result" };
}

const rows: string[][] = [];
const measured: Round[] = [];
for (const target of live) rows.push(await measure(target));
separate([ours.pid, floor.pid]);
for (let round = 0; round < rounds; round++) for (const target of targets) rows.push(await measure(target));
printTable(
  [
    "target",
    "events delivered",
    "sent to event p50 / p99 / max ms",
    "write answered p50 / p99 / max ms",
    "server CPU",
    "PG CPU",
    "goal",
  ],
  rows,
);
const roundsOf = (name: string) => measured.filter((round) => round.name === name);
const coresOf = (name: string) => roundsOf(name).reduce((sum, { cores }) => sum + cores, 0);
for (const { name } of targets) {
  console.log(
    `p99 of ${name}, median (range) of the rounds: ${spread(
      roundsOf(name).map(({ p99 }) => p99),
      1,
    )} ms`,
  );
}
console.log(
  `Server CPU of Baasix by that of the floor: ${(coresOf("Baasix") / coresOf("floor")).toFixed(2)} (goal: 1.5)`,
);
await floor.end();
await ours.end();
folder.remove();

async function measure({ name, pid, write, connect, watching = subscribers }: Target): Promise<string[]> {
  const { delivered, heard, answered, cores } = await measureTravel({
    sockets: watching,
    perSecond,
    seconds,
    open: connect,
    write: (number, note) => write({ number, note, amount: "1" }),
    cpu: () => ({ server: cpuOf(pid), database: cpuOfTree(database.pid) }),
  });
  measured.push({ name, cores: cores("server"), p99: heard.at(0.99) });
  return [
    name,
    delivered,
    summary(heard),
    summary(answered),
    cores("server").toFixed(2),
    cores("database").toFixed(2),
    name === "Baasix" ? "all, p99 12" : "",
  ];
}

async function connectFloor(_: number, onText: (text: string) => void): Promise<WebSocket> {
  const socket = new WebSocket(floor.url.replace("http", "ws"));
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error("The floor let no socket in")), { once: true });
  });
  socket.addEventListener("message", ({ data }) => onText(data as string));
  return socket;
}
