/**
 * `bun bench/stalled.ts [stalled] [readers] [seconds]`: what clients that stop reading cost the server and those beside them. The
 * process of the stalled clients is stopped (SIGSTOP): their sockets stay open and nobody reads them, as of a machine that sleeps.
 *
 * All watch one collection, into which 50 items of 16 KB go a second: the buffers of the kernel are full in a few seconds, then the
 * server keeps what it cannot send, and closes a socket for which that is too much. The same run three times, each on a server of its
 * own, the middle one with stalled clients. Memory is the peak of the server's RSS, read every 20 ms; what stalled clients cost is how much
 * it is above the mean of the runs without, by their number. What the kernel keeps (`TCP: mem` of /proc/net/sockstat) is not in it, and
 * stands beside.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { printTable } from "./figures";
import { createLatencies, pace, sentAt, stampNow, summary, until } from "./latencies";
import { type Account, inGroups, listen, makeAccounts, socketsPerAccount, subscribeTo } from "./listeners";
import { cpuOf, residentOf } from "./process-cost";
import { emptyFolder, serve } from "./server-process";
import { admin, buildCollection, caller, signIn } from "./shop";

const [stalledCount = 50, readers = 50, seconds = 15] = process.argv.slice(2).map(Number);
const perSecond = 50;
const warmUp = 2;
const body = "x".repeat(16_000);

/** Peaks in MB: of the server's resident memory, and of what the kernel keeps for all sockets of the machine. */
type Peaks = { readonly server: number; readonly kernel: number };
type Run = Peaks & { readonly cells: readonly string[] };

const runs = [await measure(0), await measure(stalledCount), await measure(0)] as const;
const above = (peak: (run: Peaks) => number): string =>
  ((peak(runs[1]) - (peak(runs[0]) + peak(runs[2])) / 2) / stalledCount).toFixed(2);
printTable(
  [
    "stalled clients",
    "closed by the server",
    `${readers} readers: delivered`,
    "sent to event p50 / p99 / max ms",
    "peak of RSS, MB",
    "kernel, MB",
    "server CPU",
  ],
  runs.map(({ cells }) => cells),
);
console.log(`\nA stalled client costs the server ${above(({ server }) => server)} MB (goal: 1)`);
console.log(`and the kernel, in buffers of both ends, ${above(({ kernel }) => kernel)} MB.`);

async function measure(stalled: number): Promise<Run> {
  const folder = emptyFolder();
  const server = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
  const call = caller(server.url, await signIn(server.url, admin));
  await buildCollection(call, "pages", { note: { type: "String" }, body: { type: "Text" } });
  const needed = (sockets: number) => Math.ceil(sockets / socketsPerAccount);
  const accounts = await makeAccounts(server.url, needed(readers) + needed(stalledCount), "reader");
  const heard = createLatencies(readers * perSecond * seconds);
  const sockets: WebSocket[] = [];
  await inGroups(readers, 10, async (place) => {
    const token = accounts[Math.floor(place / socketsPerAccount)]?.token ?? null;
    sockets[place] = await listen(server.url, token, subscribeTo("pages"), (text) => {
      const sent = sentAt(text);
      if (!Number.isNaN(sent)) heard.add(performance.now() - sent);
    });
  });
  const clients = await startStalled(server.url, stalled, accounts.slice(needed(readers)));
  const write = async (time: number): Promise<void> => {
    const writes: Promise<unknown>[] = [];
    await pace(perSecond, time, () => writes.push(call("POST", "/items/pages", { note: stampNow(), body })));
    await Promise.all(writes);
    await until(() => heard.count() >= readers * perSecond * time);
  };
  const status = async () =>
    (await call<{ data: { sockets: number } }>("GET", "/realtime/status")).data.sockets;
  await write(warmUp);
  heard.clear();
  clients?.kill("SIGSTOP");
  const open = await status();
  const peaks = { server: 0, kernel: 0 };
  const look = setInterval(() => {
    peaks.server = Math.max(peaks.server, residentOf(server.pid));
    peaks.kernel = Math.max(peaks.kernel, kernelMemory());
  }, 20);
  const cpu = cpuOf(server.pid);
  const begun = performance.now();
  await write(seconds);
  const used = (cpuOf(server.pid) - cpu) / (performance.now() - begun);
  clearInterval(look);
  const closed = open - (await status());
  for (const socket of sockets) socket.close();
  clients?.kill("SIGKILL");
  await server.end();
  folder.remove();
  const expected = readers * perSecond * seconds;
  const delivered = `${heard.count().toLocaleString("en-US")} of ${expected.toLocaleString("en-US")}`;
  const cells = [
    String(stalled),
    String(closed),
    delivered,
    summary(heard),
    peaks.server.toFixed(0),
    peaks.kernel.toFixed(0),
    used.toFixed(2),
  ];
  return { ...peaks, cells };
}

async function startStalled(url: string, count: number, accounts: readonly Account[]) {
  if (count === 0) return null;
  const tokens = accounts.map(({ token }) => token);
  const program = join(import.meta.dir, "stalled-clients.ts");
  const child = Bun.spawn([process.execPath, program, url, String(count), ...tokens], {
    stdout: "pipe",
    stderr: "inherit",
  });
  process.on("exit", () => child.kill("SIGKILL"));
  const said = await child.stdout.getReader().read();
  if (said.done) throw new Error("The clients to be stalled did not connect");
  return child;
}

/** MB of all TCP buffers of the machine; the kernel counts pages of 4 KiB. */
function kernelMemory(): number {
  const found = /^TCP: .* mem (\d+)$/m.exec(readFileSync("/proc/net/sockstat", "latin1"));
  return (Number(found?.[1] ?? NaN) * 4096) / 1e6;
}
