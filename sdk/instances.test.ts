/** The progress of work, and notifications, through the client, of two servers as processes of their own on one PostgreSQL. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ExternalServer, externalServer } from "../server/testing/postgres";
import { type Instance, startInstance } from "../server/testing/start-instance";
import type { Baasix, BaasixError, ExecutionUpdate } from ".";
import { openClients } from "./testing/clients";

const instances: Instance[] = [];
const clients = openClients();
let database: ExternalServer;
let one: string;
let two: string;

beforeAll(async () => {
  database = await externalServer({ walLevel: "logical" });
  for (let n = 0; n < 2; n++) instances.push(await startInstance({ DATABASE_URL: database.url }));
  [one, two] = instances.map(({ url }) => url) as [string, string];
}, 60_000);
afterAll(async () => {
  for (const { process } of instances) process.kill("SIGKILL");
  await Promise.all(instances.map(({ process }) => process.exited));
  await database.stop();
});

/** An account, signed in on both servers. */
async function person(name: string) {
  const [here, there] = [clients.open({ url: one }), clients.open({ url: two })];
  const account = { email: `${name}@example.com`, password: "a good password" };
  await here.auth.register({ ...account, firstName: name });
  const { user } = await there.auth.login(account);
  return { here, there, id: user?.id ?? "" };
}

/** Waits until both servers know of each other. */
async function together({ realtime }: Baasix): Promise<void> {
  while ((await realtime.invoke<{ instances: number }>("stats")).instances < 2) await Bun.sleep(50);
}

test("an execution is followed on any server, in order, by those who may", async () => {
  const ann = await person("ann");
  const bob = await person("bob");
  await Promise.all([together(ann.here), together(ann.there)]);
  const heard: Record<"here" | "there", ExecutionUpdate[]> = { here: [], there: [] };
  const done = (["here", "there"] as const).map(
    (place) =>
      new Promise<void>((resolve, reject) =>
        ann[place].realtime.subscribeToExecution(
          ann.id,
          (update) => {
            heard[place].push(update);
            if (update.status === "completed") resolve();
          },
          reject,
        ),
      ),
  );
  const refused = await new Promise<BaasixError>((resolve) =>
    bob.here.realtime.subscribeToExecution(ann.id, () => resolve(undefined as never), resolve),
  );
  expect(refused.code).toBe("FORBIDDEN");
  for (const place of ["here", "there"] as const)
    while (ann[place].realtime.getChannels()[0]?.state !== "SUBSCRIBED") await Bun.sleep(5);

  await ann.there.realtime.invoke("work", ann.id);
  await Promise.all(done);
  const expected = [
    ...Array.from({ length: 100 }, (_, progress) => ({ status: "running", progress })),
    { status: "completed", progress: 100 },
  ].map((update) => ({ ...update, executionId: ann.id, timestamp: expect.any(String) }));
  expect(heard).toEqual({ here: expected, there: expected });

  // Nothing is kept: who comes late hears of what comes then.
  const late: ExecutionUpdate[] = [];
  const stop = ann.here.realtime.subscribeToExecution(ann.id, (update) => late.push(update));
  await ann.here.realtime.invoke("stats");
  expect(late).toEqual([]);
  stop();
}, 60_000);

test("a notification reaches the sockets of its user on all servers, and is there", async () => {
  const cid = await person("cid");
  const dora = await person("dora");
  const heard: string[] = [];
  const told = Promise.withResolvers<void>();
  const note = (text: string) => {
    heard.push(text);
    if (heard.length === 3) told.resolve();
  };
  cid.here.notifications.onNotification(({ title }) => note(`here ${title}`));
  cid.there.notifications.onNotification(({ title }) => note(`there ${title}`));
  dora.there.notifications.onNotification(({ title }) => note(`dora ${title}`));
  for (const { realtime } of [cid.here, cid.there, dora.there])
    while (realtime.getChannels()[0]?.state !== "SUBSCRIBED") await Bun.sleep(5);
  const notice = { type: "note", message: "m" };
  // By the code of one server.
  await cid.here.realtime.invoke("notify", { ...notice, title: "hello", userIds: [cid.id] });
  await cid.here.realtime.invoke("notify", { ...notice, title: "hers", userIds: [dora.id] });
  await told.promise;
  expect(heard.toSorted()).toEqual(["dora hers", "here hello", "there hello"]);
  expect(await cid.there.notifications.getUnreadCount()).toBe(1);
}, 60_000);
