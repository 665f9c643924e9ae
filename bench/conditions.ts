/**
 * `bun bench/conditions.ts [sockets] [inserts per second] [seconds]`: 500 sockets of 500 accounts on one collection, whose role may
 * read what is its own (`{"owner": {"eq": "$CURRENT_USER"}}`), so that no two see the same rows and no view is shared.
 *
 * Each insert has another owner, in no order; each account owns as many as every other. An event that comes to anybody but its
 * owner is counted as foreign, one that comes twice or never as wrong. What counts is the time from sending the insert to the event
 * at its owner. Two seconds of the same load go before. The clients share the two cores with server and database.
 */
import { printTable } from "./figures";
import { createLatencies, pace, sentAt, stampNow, summary, until } from "./latencies";
import { inGroups, listen, makeAccounts, subscribeTo } from "./listeners";
import { cpuOf, cpuOfTree } from "./process-cost";
import { emptyFolder, embeddedOf, serve } from "./server-process";
import { admin, buildCollection, caller, signIn } from "./shop";

const [count = 500, perSecond = 20, seconds = 25] = process.argv.slice(2).map(Number);
const warmUp = 2;
const folder = emptyFolder();
const server = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
const database = embeddedOf(folder.path);
const call = caller(server.url, await signIn(server.url, admin));
const fields = { owner: { type: "UUID", allowNull: false }, note: { type: "String" } };
await buildCollection(call, "notes", fields, { owner: { eq: "$CURRENT_USER" } });
const accounts = await makeAccounts(server.url, count, "owner");

const writes = perSecond * seconds;
const heard = createLatencies(writes * 2);
const answered = createLatencies(writes);
const each = new Uint32Array(count);
let foreign = 0;
const sockets: WebSocket[] = [];
await inGroups(count, 50, async (place) => {
  const { id, token } = accounts[place] ?? { id: "", token: null };
  const mark = `"owner":"${id}"`;
  sockets[place] = await listen(server.url, token, subscribeTo("notes"), (text) => {
    const sent = sentAt(text);
    if (Number.isNaN(sent)) return;
    heard.add(performance.now() - sent);
    each[place] = (each[place] ?? 0) + 1;
    if (!text.includes(mark)) foreign++;
  });
});

/** A step that has no factor in common with the number of accounts meets each of them once a round. */
const step = 7919;
const owners = new Uint32Array(count);
const run = async (time: number): Promise<void> => {
  const pending: Promise<unknown>[] = [];
  await pace(perSecond, time, (number) => {
    const place = (number * step) % count;
    owners[place] = (owners[place] ?? 0) + 1;
    const note = stampNow();
    const write = call("POST", "/items/notes", { owner: accounts[place]?.id, note });
    pending.push(write.then(() => answered.add(performance.now() - Number(note))));
  });
  await Promise.all(pending);
  await until(() => heard.count() >= perSecond * time);
};
await run(warmUp);
heard.clear();
answered.clear();
each.fill(0);
owners.fill(0);
const cpu = () => ({ server: cpuOf(server.pid), database: cpuOfTree(database.pid) });
const before = cpu();
const begun = performance.now();
await run(seconds);
const lasted = performance.now() - begun;
const after = cpu();
// What nobody should hear would come now.
await Bun.sleep(500);
for (const socket of sockets) socket.close();
const wrong = each.filter((events, place) => events !== owners[place]).length;
printTable(
  [
    "sockets, each with a condition of its own",
    "delivered",
    "foreign",
    "sockets with too few or too many",
    "sent to event p50 / p99 / max ms",
    "goal",
    "write answered p50 / p99 / max ms",
    "server CPU",
    "PG CPU",
  ],
  [
    [
      `${count}, ${perSecond} inserts/s`,
      `${heard.count()} of ${writes}`,
      String(foreign),
      String(wrong),
      summary(heard),
      "p99 250",
      summary(answered),
      ((after.server - before.server) / lasted).toFixed(2),
      ((after.database - before.database) / lasted).toFixed(2),
    ],
  ],
);
await server.end();
folder.remove();
