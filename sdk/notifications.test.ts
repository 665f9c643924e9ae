/** `baasix.notifications` as the JavaScript SDK document has it, against the real server; and hearing of new ones. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import type { Baasix } from ".";
import { openClients } from "./testing/clients";

let app: TestApp;
let url: string;
let admin: Baasix;
const clients = openClients();

beforeAll(async () => {
  app = await testApp();
  url = app.listen();
  admin = client();
  await admin.auth.login(testAdmin);
});
afterEach(() => clients.close(1));
afterAll(() => app.close());

const client = (): Baasix => clients.open({ url });

/** A new account, signed in. */
async function person(name: string): Promise<{ baasix: Baasix; id: string }> {
  const { id } = await app.signUp(`${name}@example.com`);
  const baasix = client();
  await baasix.auth.login({ email: `${name}@example.com`, password: "a good password" });
  return { baasix, id };
}

test("the calls of the document", async () => {
  const [{ baasix, id }, { id: other }] = [await person("ann"), await person("bob")];
  const { notificationIds } = await admin.notifications.send({
    type: "alert",
    title: "System Update",
    message: "Maintenance scheduled for tonight",
    userIds: [id, other],
  });
  expect(notificationIds.length).toBe(2);
  for (const title of ["two", "three"])
    await admin.notifications.send({ type: "note", title, message: "m", data: { title }, userIds: [id] });

  const { data, totalCount } = await baasix.notifications.find({
    limit: 20,
    filter: { seen: { eq: false } },
  });
  expect(data.map(({ title, data: own, seenAt }) => [title, own, seenAt])).toEqual([
    ["three", { title: "three" }, null],
    ["two", { title: "two" }, null],
    ["System Update", null, null],
  ]);
  expect(totalCount).toBe(3);
  const chosen = await baasix.notifications.find({ fields: ["title"], limit: 1 });
  expect(chosen.data).toEqual([{ title: "three" }]);
  expect(await baasix.notifications.getUnreadCount()).toBe(3);
  const [three, two] = data.map((one) => one.id);
  if (!three || !two) throw new Error("nothing came");
  // That of another user is none of hers.
  expect(await baasix.notifications.markAsSeen([three, notificationIds[1] ?? ""])).toMatchObject({
    count: 1,
  });
  expect(await baasix.notifications.getUnreadCount()).toBe(2);
  expect(await baasix.notifications.markAsSeen()).toMatchObject({ count: 2 });
  expect(await baasix.notifications.delete([two])).toMatchObject({ count: 1 });
  expect(await baasix.notifications.delete([])).toMatchObject({ count: 0 });
  expect(await baasix.notifications.delete()).toMatchObject({ count: 2 });
  expect(await baasix.notifications.find()).toMatchObject({ data: [], totalCount: 0 });

  await expect(baasix.notifications.cleanup()).rejects.toMatchObject({ status: 403 });
  await expect(
    baasix.notifications.send({ type: "alert", title: "t", message: "m", userIds: [id] }),
  ).rejects.toMatchObject({ status: 403 });
  expect(await admin.notifications.cleanup(30)).toMatchObject({ count: 0 });
  await expect(admin.notifications.cleanup(0)).rejects.toMatchObject({ status: 400 });
});

test("new ones are told to their user, wherever it listens, and that some were missed", async () => {
  const [{ baasix, id }, { baasix: hers, id: other }] = [await person("cid"), await person("dora")];
  const second = client();
  await second.auth.login({ email: "cid@example.com", password: "a good password" });
  const heard: string[] = [];
  let wake = Promise.withResolvers<void>();
  const note = (text: string): void => {
    heard.push(text);
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const until = async (...texts: string[]): Promise<void> => {
    while (!texts.every((text) => heard.includes(text))) await wake.promise;
  };
  const stop = baasix.notifications.onNotification(({ title }) => note(`first ${title}`));
  second.notifications.onNotification(({ title }) => note(`second ${title}`));
  hers.notifications.onNotification(({ title }) => note(`hers ${title}`));
  // An administrator may read all of them, and is told of the own ones.
  admin.notifications.onNotification(({ title }) => note(`admin ${title}`));
  for (const each of [baasix, second, hers, admin]) await subscribed(each);

  const send = (title: string, userIds: string[]) =>
    admin.notifications.send({ type: "note", title, message: "m", userIds });
  await send("one", [id]);
  await until("first one", "second one");
  await baasix.notifications.markAsSeen();
  await send("two", [other, id]);
  await until("first two", "second two", "hers two");
  stop();
  await send("three", [id, other]);
  await until("second three", "hers three");
  expect(heard.toSorted()).toEqual(
    [
      "first one",
      "first two",
      "hers three",
      "hers two",
      "second one",
      "second three",
      "second two",
    ].toSorted(),
  );

  let isBroken = false;
  baasix.notifications.onNotification(({ title }) => note(`again ${title}`), {
    onResync: () => isBroken && note("missed"),
  });
  await subscribed(baasix);
  isBroken = true;
  for (const socket of clients.sockets) socket.close(4000);
  await until("missed");
  await subscribed(baasix);
  await send("four", [id]);
  await until("again four");
});

async function subscribed({ realtime }: Baasix): Promise<void> {
  while (!realtime.getChannels().every(({ state }) => state === "SUBSCRIBED")) await Bun.sleep(5);
}
