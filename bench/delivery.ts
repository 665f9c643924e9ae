/**
 * `bun bench/delivery.ts [seconds]`: from sending an insert to the event at the client, for one subscriber of 200 inserts a second
 * and for 1,000 sockets on one shared view of 50 a second, beside Socket.IO on Node (`socketio.mjs`; needs `node`, 20 or later),
 * on the same PostgreSQL in the same run, in turns.
 *
 * Inserts go out at a steady pace, whatever their answers take, by HTTP; each carries the time at which it was sent, and what counts is the
 * time from then to the event. Two seconds of the same load go before. Both servers get the same clients: one process of native
 * WebSockets, which speak the protocol of Socket.IO by hand, find the time in the text of the event, and parse nothing.
 * The clients share the two cores with server and database. CPU is that of the server process, in cores.
 */
import { join } from "node:path";
import { printTable } from "./figures";
import { summary } from "./latencies";
import { listen, makeAccounts, socketsPerAccount, subscribeTo } from "./listeners";
import { cpuOf, cpuOfTree } from "./process-cost";
import { emptyFolder, embeddedOf, serve, serveProgram } from "./server-process";
import { admin, buildShop, caller } from "./shop";
import { measureTravel } from "./travel";

const seconds = Number(process.argv[2] ?? 10);
const loads = [
  { what: "one subscriber", sockets: 1, perSecond: 200, goal: "p50 5, p99 25" },
  { what: "1,000 sockets, one view", sockets: 1000, perSecond: 50, goal: "all, p99 150, 1 core" },
] as const;

const folder = emptyFolder();
const ours = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
await buildShop(ours.url);
const accounts = await makeAccounts(ours.url, loads[1].sockets / socketsPerAccount, "listener");
const tokenOf = (place: number) => accounts[Math.floor(place / socketsPerAccount)]?.token ?? null;
const database = embeddedOf(folder.path);
const theirs = await serveProgram(["node", join(import.meta.dir, "socketio.mjs")], {
  SOCKET: database.socket,
});

/** A server: how to open a socket that hears of all orders, and how to write one. */
type Target = {
  readonly name: string;
  readonly pid: number;
  readonly open: (place: number, onText: (text: string) => void) => Promise<WebSocket>;
  readonly write: (order: Order) => Promise<unknown>;
};
type Order = { readonly number: number; readonly note: string; readonly amount: string };

const writeOurs = caller(ours.url, tokenOf(0));
const writeTheirs = caller(theirs.url, null);
const targets: readonly Target[] = [
  {
    name: "Baasix",
    pid: ours.pid,
    open: (place, onText) => listen(ours.url, tokenOf(place), subscribeTo("orders"), onText),
    write: (order) => writeOurs("POST", "/items/orders", order),
  },
  {
    name: "Socket.IO",
    pid: theirs.pid,
    open: (_, onText) => listenTheirs(onText),
    write: (order) => writeTheirs("POST", "/orders", order),
  },
];

const rows: string[][] = [];
for (const load of loads) {
  for (const target of targets) rows.push(await measure(load, target));
}
printTable(
  [
    "load",
    "server",
    "delivered",
    "sent to event p50 / p99 / max ms",
    "write answered p50 / p99 / max ms",
    "server CPU",
    "PG CPU",
    "clients' CPU",
    "goal",
  ],
  rows,
);
await theirs.end();
await ours.end();
folder.remove();

async function measure(
  { what, sockets, perSecond, goal }: (typeof loads)[number],
  { name, pid, open, write }: Target,
): Promise<string[]> {
  const { delivered, heard, answered, cores } = await measureTravel({
    sockets,
    perSecond,
    seconds,
    open,
    write: (number, note) => write({ number, note, amount: "1" }),
    cpu: () => ({ server: cpuOf(pid), database: cpuOfTree(database.pid), clients: cpuOf(process.pid) }),
  });
  return [
    `${what}, ${perSecond}/s`,
    name,
    delivered,
    summary(heard),
    summary(answered),
    cores("server").toFixed(2),
    cores("database").toFixed(2),
    cores("clients").toFixed(2),
    name === "Baasix" ? goal : "",
  ];
}

/** Engine.IO 4 and Socket.IO 5 over a WebSocket: `0` opened, `40` enters the namespace, `42` an event, `2` wants a `3`. */
async function listenTheirs(onText: (text: string) => void): Promise<WebSocket> {
  const socket = new WebSocket(`${theirs.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
  const stands = Promise.withResolvers<void>();
  socket.addEventListener("error", () => stands.reject(new Error("Socket.IO did not let a socket in")));
  socket.addEventListener("message", ({ data }) => {
    const text = data as string;
    if (text === "2") socket.send("3");
    else if (text.startsWith("0")) socket.send("40");
    else if (text.startsWith('42["subscribed"')) stands.resolve();
    else if (text.startsWith("42")) onText(text);
  });
  await stands.promise;
  return socket;
}
