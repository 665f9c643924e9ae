/** The hook of notifications, rendered by React in Strict Mode, against the real server. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import {
  type Baasix,
  type ClientFrame,
  createBaasix,
  MemoryStorageAdapter,
  type SocketLike,
} from "@baasix/sdk";
import { type ReactNode, StrictMode } from "react";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import { BaasixProvider, type NotificationOptions, useNotifications, type UseNotificationsResult } from ".";
import { openDocument, probe, type Rendered, type Seen } from "./testing/render";

let app: TestApp;
let url: string;
let page: Awaited<ReturnType<typeof openDocument>>;
let rendered: Rendered[] = [];
let probes: Seen<UseNotificationsResult>[] = [];
const clients: Baasix[] = [];
const ids = new Map<string, string>();

beforeAll(async () => {
  page = await openDocument();
  app = await testApp();
  url = app.listen();
  for (const name of ["ann", "bob"]) ids.set(name, (await app.signUp(`${name}@example.com`)).id);
}, 60_000);
afterEach(() => {
  for (const each of rendered) each.unmount();
  for (const each of probes) each.stop("the test is over");
  for (const each of clients.splice(0)) each.close();
  [rendered, probes] = [[], []];
});
afterAll(async () => {
  await app.close();
  await page.restore();
});

/** A signed-in client, how often it asked for live queries, and a gate before its writes. */
async function person(name: string) {
  const asked: ClientFrame[] = [];
  const held: { gate?: Promise<Response | void> } = {};
  const baasix = createBaasix({
    url,
    storage: new MemoryStorageAdapter(),
    async fetch(address, init) {
      const refused = init.method === "GET" ? undefined : await held.gate;
      return refused ?? fetch(address, init);
    },
    webSocket: (address): SocketLike => {
      const socket = new WebSocket(address);
      return {
        send: (text) => {
          const frame = JSON.parse(text) as ClientFrame;
          if (frame.type === "query") asked.push(frame);
          socket.send(text);
        },
        close: (code) => socket.close(code),
        addEventListener: socket.addEventListener.bind(socket) as SocketLike["addEventListener"],
      };
    },
  });
  clients.push(baasix);
  await baasix.auth.login(
    name === "admin" ? testAdmin : { email: `${name}@example.com`, password: "a good password" },
  );
  return { baasix, asked, held };
}

function show(baasix: Baasix, options: NotificationOptions): Seen<UseNotificationsResult> {
  const seen = probe<UseNotificationsResult>();
  probes.push(seen);
  const Shown = (): ReactNode => <seen.Probe read={() => useNotifications(options)} />;
  rendered.push(
    page.render(
      <StrictMode>
        <BaasixProvider client={baasix}>
          <Shown />
        </BaasixProvider>
      </StrictMode>,
    ),
  );
  return seen;
}

const send = (title: string, ...names: string[]) =>
  app.notifications.send({
    type: "note",
    title,
    message: "m",
    userIds: names.map((name) => ids.get(name) ?? ""),
  });

/** Titles, those that are seen with a mark; then how many are unseen, and how many there are. */
const shown = ({ notifications, unreadCount, totalCount }: UseNotificationsResult): string =>
  `${notifications.map(({ title, seen }) => title + (seen ? "*" : "")).join(" ")} | ${unreadCount} of ${totalCount}`;
const is = (text: string) => (value: UseNotificationsResult) => shown(value) === text;

/** The last that the hook gave, once it is so. */
async function now(seen: Seen<UseNotificationsResult>, text: string): Promise<UseNotificationsResult> {
  const all = [...seen.all];
  const last = all.at(-1);
  return last && is(text)(last) ? last : seen.until((value) => !all.includes(value) && is(text)(value));
}

test("new ones come by themselves, marks and deletes are shown ahead, other users see nothing", async () => {
  await send("one", "ann");
  const ann = await person("ann");
  const bob = await person("bob");
  const list = show(ann.baasix, { live: true });
  const his = show(bob.baasix, { live: true });
  await list.until(is("one | 1 of 1"));
  await his.until(({ isPending }) => !isPending);

  await send("two", "ann");
  await send("three", "ann", "bob");
  const { notifications, markAsSeen, remove } = await now(list, "three two one | 3 of 3");
  await now(his, "three | 1 of 1");
  // A list and a count, however often Strict Mode begins anew.
  expect(ann.asked.length).toBe(2);

  const [three = "", two = ""] = notifications.map(({ id }) => id);
  const gate = Promise.withResolvers<void>();
  ann.held.gate = gate.promise;
  const marking = markAsSeen([two]);
  await now(list, "three two* one | 2 of 3");
  gate.resolve();
  expect(await marking).toBe(1);

  const second = Promise.withResolvers<void>();
  ann.held.gate = second.promise;
  const removing = remove([three]);
  await now(list, "two* one | 1 of 2");
  second.resolve();
  expect(await removing).toBe(1);
  delete ann.held.gate;

  // Somewhere else: on another device, say.
  const other = await person("ann");
  expect(await other.baasix.notifications.markAsSeen()).toMatchObject({ count: 1 });
  await now(list, "two* one* | 0 of 2");
  expect(await (list.last()?.remove() ?? 0)).toBe(2);
  await now(list, " | 0 of 0");
  await now(his, "three | 1 of 1");
  expect(
    his.all.every(({ notifications: all }) => all.every(({ userId }) => userId === ids.get("bob"))),
  ).toBe(true);
});

test("what is refused is taken back", async () => {
  await send("kept", "ann");
  const { baasix, held } = await person("ann");
  const list = show(baasix, {});
  const { markAsSeen, remove } = await list.until(is("kept | 1 of 1"));
  const refusal = { error: { message: "no", code: "FORBIDDEN", details: null, statusCode: 403 } };
  for (const [write, ahead] of [
    [markAsSeen, "kept* | 0 of 1"],
    [remove, " | 0 of 0"],
  ] as const) {
    const gate = Promise.withResolvers<Response>();
    held.gate = gate.promise;
    const writing = write();
    await now(list, ahead);
    gate.resolve(Response.json(refusal, { status: 403 }));
    await expect(writing).rejects.toMatchObject({ code: "FORBIDDEN" });
    await now(list, "kept | 1 of 1");
    expect(list.last()?.error?.code).toBe("FORBIDDEN");
  }
});

test("an administrator sees the own ones; a filter is of the list alone; without an account there are none", async () => {
  const admin = await person("admin");
  const list = show(admin.baasix, { live: true });
  await list.until(({ isPending }) => !isPending);
  expect(shown(list.last() as UseNotificationsResult)).toBe(" | 0 of 0");

  await send("other", "ann");
  const ann = await person("ann");
  const filtered = show(ann.baasix, { filter: { title: { eq: "other" } }, limit: 1 });
  await filtered.until(is("other | 2 of 1"));
  await ann.baasix.auth.logout();
  await now(filtered, " | 0 of 0");

  const nobody = createBaasix({ url, storage: new MemoryStorageAdapter() });
  clients.push(nobody);
  const nothing = show(nobody, { live: true });
  const { isPending, error } = await nothing.until(is(" | 0 of 0"));
  expect([isPending, error]).toEqual([false, null]);
  expect(shown(list.last() as UseNotificationsResult)).toBe(" | 0 of 0");
});
