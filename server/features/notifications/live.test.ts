/** Notifications over sockets: every socket of a user hears of its own, and of nobody else's. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { ServerFrame } from "@baasix/types";
import { type TestApp, testApp } from "../../testing/app";
import { openSocket, type TestSocket } from "../../testing/socket";

setDefaultTimeout(60_000);

const collection = "baasix_Notification";
let app: TestApp;
let url: string;
let ann: { token: string; id: string };
let bea: { token: string; id: string };
beforeAll(async () => {
  app = await testApp();
  url = app.listen();
  ann = await app.signUp("ann@example.com");
  bea = await app.signUp("bea@example.com");
});
afterAll(() => app.close());

type Change = Extract<ServerFrame, { type: "change" }>;

const send = async (title: string, userIds: readonly string[]): Promise<readonly string[]> => {
  const body = { type: "note", title, message: "m", userIds };
  const answer = await app.call("POST", "/notifications/send", { token: app.admin, body });
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  return (answer.body as { notificationIds: string[] }).notificationIds;
};
const as = (who: { token: string }, method: string, path: string, body?: unknown) =>
  app.call(method, path, { token: who.token, ...(body !== undefined && { body }) });
const title = ({ data }: Change): unknown => (data as { title?: unknown }).title;

/** The next change; that some may have been missed before a subscription is told, too. */
const change = async (socket: TestSocket): Promise<Change> =>
  (await socket.take(({ type }) => type === "change")) as Change;

test("two sockets of one user and one of another: sent, marked and deleted", async () => {
  const open = async (who: { token: string }, fields?: string[]): Promise<TestSocket> => {
    const socket = await openSocket(url, who.token);
    await socket.subscribe(collection, fields ? { fields } : {});
    return socket;
  };
  const [first, second, other] = [await open(ann), await open(ann, ["title", "seen"]), await open(bea)];
  const [id = ""] = await send("hello", [ann.id]);
  expect(await change(first)).toMatchObject({
    action: "create",
    collection,
    data: { id, title: "hello", seen: false, userId: ann.id },
  });
  expect(await change(second)).toMatchObject({
    action: "create",
    data: { title: "hello", seen: false },
  });

  await as(ann, "POST", "/notifications/mark-seen", { notificationIds: [id] });
  for (const socket of [first, second])
    expect(await change(socket)).toMatchObject({ action: "update", data: { seen: true } });
  await as(ann, "DELETE", "/notifications", { notificationIds: [id] });
  for (const socket of [first, second])
    expect(await change(socket)).toMatchObject({ action: "delete", data: { id } });

  // Nothing of all that came to the other user: what comes next is the first that it hears.
  await send("to both", [bea.id, ann.id]);
  for (const socket of [first, second, other]) {
    const told = await change(socket);
    expect([told.action, title(told)]).toEqual(["create", "to both"]);
    expect(socket.unread.filter(({ type }) => type === "change")).toEqual([]);
  }
  expect(JSON.stringify(other.heard)).not.toContain("hello");
  for (const socket of [first, second, other]) socket.close();
});

test("what was undone is told to nobody", async () => {
  const socket = await openSocket(url, ann.token);
  await socket.subscribe(collection);
  const undone = app.data.transaction(async (rows) => {
    await app.notifications.send({ type: "note", title: "undone", message: "m", userIds: [ann.id] }, rows);
    throw new Error("undone");
  });
  await expect(undone).rejects.toThrow("undone");
  await app.notifications.send({ type: "note", title: "done", message: "m", userIds: [ann.id] });
  const isEither = (frame: ServerFrame) =>
    frame.type === "change" && ["done", "undone"].includes(String(title(frame)));
  expect(title((await socket.take(isEither)) as Change)).toBe("done");
  socket.close();
});

test("a live query of unseen ones follows, and holds the own ones alone", async () => {
  await as(ann, "DELETE", "/notifications");
  const socket = await openSocket(url, ann.token);
  const query = { filter: { seen: { eq: false } }, fields: ["title"], sort: ["createdAt"] };
  const answer = await socket.ask({ type: "query", collection, query });
  expect(answer).toMatchObject({ type: "query.result", data: [], totalCount: 0 });
  await send("for bea", [bea.id]);
  await send("for ann", [ann.id]);
  await socket.take((frame) => JSON.stringify(frame).includes("for ann"));
  await as(ann, "POST", "/notifications/mark-seen");
  await socket.take((frame) => JSON.stringify(frame).includes('"totalCount":0'));
  expect(JSON.stringify(socket.heard)).not.toContain("for bea");
  socket.close();
});

test("nobody in particular hears nothing, and may not listen", async () => {
  const socket = await openSocket(url, null);
  expect(await socket.ask({ type: "subscribe", collection })).toMatchObject({
    type: "error",
    code: "FORBIDDEN",
  });
  socket.close();
});

test("realtime tells sockets without storing; sending stores and tells those that listen", async () => {
  await as(ann, "DELETE", "/notifications");
  const socket = await openSocket(url, ann.token);
  app.realtime.face.sendToUser(ann.id, "build", { done: true });
  expect(await socket.expect("notification")).toMatchObject({ event: "build", payload: { done: true } });
  await socket.subscribe(collection);
  await app.notifications.send({ type: "build", title: "done", message: "m", userIds: [ann.id] });
  // What was deleted a moment ago may still be told.
  const told = await socket.take((frame) => frame.type === "change" && frame.action === "create");
  expect(title(told as Change)).toBe("done");
  expect((await as(ann, "GET", "/notifications")).body).toMatchObject({ totalCount: 1 });
  socket.close();
});
