/**
 * `bun bench/idle.ts [sockets]`: what an open socket that says nothing costs the server. 10,000 sockets of signed-in accounts (20
 * each, as many as one may have), first let in alone, then each with a subscription to a collection.
 *
 * What counts is the growth of the resident memory of the server process, by the number of sockets. The server has just started on a
 * folder in which the accounts were made by an earlier one, so that no memory is left over from making them, and it was not warmed up:
 * what the first sockets make it load is counted too. Memory is read 15 seconds after the last socket has come. What
 * the kernel keeps for a socket is not in it. The CPU is that of those seconds, in which each was pinged once.
 */
import { printTable } from "./figures";
import { type Account, inGroups, listen, makeAccounts, socketsPerAccount, subscribeTo } from "./listeners";
import { cpuOf, residentOf } from "./process-cost";
import { emptyFolder, serve } from "./server-process";
import { admin, buildShop } from "./shop";

const count = Number(process.argv[2] ?? 10_000);
const rest = 15_000;
const folder = emptyFolder();
const accounts = await prepare();
const rows = [await measure("let in", false), await measure("with a subscription each", true)];
printTable(
  ["sockets", "RSS before MB", "RSS after MB", "KB each", "goal", "CPU while idle, cores"],
  rows.map((row) => [`${count.toLocaleString("en-US")} ${row[0]}`, ...row.slice(1)]),
);
folder.remove();

/** The accounts are made once: checking passwords leaves memory behind. */
async function prepare(): Promise<readonly Account[]> {
  const server = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
  await buildShop(server.url);
  const made = await makeAccounts(server.url, Math.ceil(count / socketsPerAccount), "idle");
  await server.end();
  return made;
}

async function measure(name: string, subscribed: boolean): Promise<string[]> {
  const server = await serve(folder.path);
  await Bun.sleep(rest / 2);
  const before = residentOf(server.pid);
  const sockets: WebSocket[] = [];
  await inGroups(count, 50, async (place) => {
    const token = accounts[Math.floor(place / socketsPerAccount)]?.token ?? null;
    sockets[place] = await listen(server.url, token, subscribed ? subscribeTo("orders") : null, () => {});
  });
  const cpu = cpuOf(server.pid);
  await Bun.sleep(rest);
  const after = residentOf(server.pid);
  const idle = (cpuOf(server.pid) - cpu) / rest;
  const open = sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;
  if (open < count) throw new Error(`Only ${open} of ${count} sockets are open`);
  for (const socket of sockets) socket.close();
  await server.end();
  const each = ((after - before) * 1000) / count;
  return [name, before.toFixed(0), after.toFixed(0), each.toFixed(1), "15", idle.toFixed(2)];
}
