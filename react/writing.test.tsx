/** The hooks that write, rendered by React, against the real server. */
import { afterEach, expect, test } from "bun:test";
import { type Baasix, type ListResult } from "@baasix/sdk";
import { QueryClient, type UseQueryResult } from "@tanstack/react-query";
import { testAdmin } from "../server/testing/app";
import {
  isTemporaryId,
  useBaasix,
  useCreateItem,
  useDeleteItem,
  useImportItems,
  useItems,
  useReorder,
  useRestoreItem,
  useTransaction,
  useUpdateItem,
  useUpsertItem,
} from ".";
import { probe } from "./testing/render";
import { openScene, type Scene } from "./testing/scene";

type Task = { id: string; name: string; rank: number; sort: number; deletedAt: string | null };
type TaskList = UseQueryResult<ListResult<Task>>;

let scene: Scene;
let admin: Baasix;

openScene(async (opened) => {
  scene = opened;
  ({ admin } = opened);
  const id = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } } as const;
  await admin.schemas.create("tasks", {
    name: "Task",
    paranoid: true,
    sortEnabled: true,
    fields: {
      id,
      name: { type: "String", allowNull: false, unique: true },
      rank: { type: "Integer", defaultValue: 0, validate: { max: 100 } },
    },
  });
  await admin.schemas.create("notes", { name: "Note", fields: { id, text: { type: "Text" } } });
});
afterEach(async () => {
  await tasks().deleteWhere({ id: { isNotNull: true } }, { permanent: true });
});

/** What happens to a write: it is kept back, never reaches the server, or its answer gets lost. */
type Fate = { readonly gate?: Promise<void>; fails?: number; loses?: number };

/** A client that notes its writes with their keys. */
function client() {
  const writes: { readonly route: string; readonly key: string | null }[] = [];
  const state: { fate: Fate } = { fate: {} };
  const baasix = scene.client({
    async fetch(address, init) {
      const { pathname } = new URL(address);
      const { fate } = state;
      if (init.method === "GET" || pathname.startsWith("/auth/")) return fetch(address, init);
      const key = new Headers(init.headers).get("idempotency-key");
      writes.push({ route: `${init.method} ${pathname}`, key });
      await fate.gate;
      if (fate.fails) {
        fate.fails -= 1;
        throw new TypeError("fetch failed");
      }
      const response = await fetch(address, init);
      if (!fate.loses) return response;
      fate.loses -= 1;
      await response.text();
      throw new TypeError("fetch failed");
    },
  });
  return {
    baasix,
    writes,
    suffer: (fate: Fate) => void (state.fate = fate),
    /** Keeps writes back until the returned function is called. */
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      state.fate = { gate: promise };
      return resolve;
    },
  };
}

async function signedIn() {
  const made = client();
  await made.baasix.auth.login(testAdmin);
  return made;
}

/** Renders what `read` gives, beside the list of tasks in their order. */
function watch<Hooks>(baasix: Baasix, read: () => Hooks, cache = new QueryClient()) {
  const view = probe<Hooks & { list: TaskList }>();
  const list = () => ({ ...useItems<Task>("tasks", { sort: "sort" }) });
  scene.show(baasix, <view.Probe read={() => ({ ...read(), list: list() })} />, cache);
  return { ...view, shows: (names: string) => view.until((now) => shown(now) === names) };
}

const tasks = () => admin.items<Task>("tasks");
const shown = ({ list }: { list: Pick<TaskList, "data"> }) =>
  list.data?.data.map(({ name }) => name).join(" ");
const settled = ({ list }: { list: TaskList }) => !list.isFetching;
/** What the server says, and so the list must once everything has settled. */
const stored = async () => shown({ list: { data: await tasks().find({ sort: "sort" }) } });

test("a new item is shown ahead where it is told to, under an id of its own, and taken back when it is refused", async () => {
  await tasks().create({ name: "a" });
  const { baasix, hold } = await signedIn();
  const view = watch(baasix, () => ({
    create: useCreateItem<Task>("tasks", { optimistic: { at: "end", item: () => ({ rank: 7 }) } }),
  }));
  const { create } = await view.shows("a");
  let release = hold();
  const created = create.mutateAsync({ name: "b" });
  const ahead = (await view.shows("a b")).list.data;
  expect([isTemporaryId(ahead?.data[1]?.id), ahead?.data[1]?.rank, ahead?.totalCount]).toEqual([true, 7, 2]);
  release();
  const id = await created;
  await view.until((now) => settled(now) && now.list.data?.data[1]?.id === id);
  expect(view.last()?.list.data?.data[1]?.rank).toBe(0);

  release = hold();
  const refused = create.mutateAsync({ name: "c", rank: 101 });
  await view.shows("a b c");
  release();
  await expect(refused).rejects.toMatchObject({ status: 400 });
  await view.shows("a b");
});

test("an upsert of a known item is shown ahead, and taken back when it is refused", async () => {
  const id = await tasks().create({ name: "a", rank: 1 });
  const { baasix, hold } = await signedIn();
  const view = watch(baasix, () => ({ upsert: useUpsertItem<Task>("tasks") }));
  const { upsert } = await view.shows("a");
  const rank = (expected: number) => view.until(({ list }) => list.data?.data[0]?.rank === expected);
  let release = hold();
  const changed = upsert.mutateAsync({ filter: { id: { eq: id } }, data: { rank: 5 } });
  await rank(5);
  release();
  expect(await changed).toBe(id);
  release = hold();
  const refused = upsert.mutateAsync({ on: "id", data: { id, rank: 101 } });
  await rank(101);
  release();
  await expect(refused).rejects.toMatchObject({ status: 400 });
  await rank(5);
  expect(await upsert.mutateAsync({ on: "name", data: { name: "a", rank: 6 } })).toBe(id);
  await rank(6);
  await upsert.mutateAsync({ filter: { name: "b" }, data: { rank: 1 } });
  await view.shows("a b");
});

test("a change and a delete may ask for a version; what is deleted comes back", async () => {
  const id = await tasks().create({ name: "a", rank: 1 });
  const { version } = await tasks().getWithVersion(id);
  await tasks().update(id, { rank: 2 });
  const { baasix } = await signedIn();
  const view = watch(baasix, () => ({
    update: useUpdateItem<Task>("tasks"),
    remove: useDeleteItem<Task>("tasks"),
    restore: useRestoreItem("tasks"),
  }));
  const { update, remove, restore } = await view.shows("a");
  const late = { status: 412, code: "PRECONDITION_FAILED" };
  await expect(update.mutateAsync({ id, data: { rank: 3 }, version })).rejects.toMatchObject(late);
  await expect(remove.mutateAsync({ id, version })).rejects.toMatchObject(late);
  await view.until((now) => settled(now) && now.list.data?.data[0]?.rank === 2);
  await remove.mutateAsync(id);
  await view.shows("");
  expect(await restore.mutateAsync(id)).toBe(id);
  await view.shows("a");
  await remove.mutateAsync({ id, permanent: true });
  await view.shows("");
  await expect(restore.mutateAsync(id)).rejects.toMatchObject({ status: 404 });
});

test("a new order is shown ahead, and taken back when it is refused", async () => {
  const [a = "", b = "", c = "", d = ""] = await tasks().createMany([..."abcd"].map((name) => ({ name })));
  const { baasix, hold } = await signedIn();
  const view = watch(baasix, () => ({ reorder: useReorder("tasks") }));
  const { reorder } = await view.shows("a b c d");
  let release = hold();
  const ordered = reorder.mutateAsync([d, a]);
  await view.shows("d b c a");
  release();
  await ordered;
  release = hold();
  const moved = reorder.mutateAsync({ item: c, to: d });
  await view.shows("c d b a");
  release();
  await moved;
  await view.until((now) => settled(now) && shown(now) === "c d b a");
  expect(await stored()).toBe("c d b a");
  await tasks().delete(b, { permanent: true });
  release = hold();
  const refused = reorder.mutateAsync([a, b, c]);
  await view.shows("a d b c");
  release();
  await expect(refused).rejects.toMatchObject({ status: 404 });
  await view.shows("c d a");
});

test("after a transaction every collection that it wrote to is read again", async () => {
  const { baasix } = await signedIn();
  const view = watch(baasix, () => ({
    notes: useItems<{ id: string; text: string }>("notes"),
    roles: useItems("baasix_Role"),
    transact: useTransaction(),
    client: useBaasix(),
  }));
  const { client, transact } = await view.until(({ list, notes, roles }) =>
    [list, notes, roles].every(({ isSuccess }) => isSuccess),
  );
  const before = view.last()?.roles.dataUpdatedAt;
  const tx = client.transaction();
  const task = tx.items("tasks").create({ name: "a" });
  const note = tx.items("notes").create({ text: task.id });
  tx.items("baasix_Role").find({ limit: 1 });
  const results = await transact.mutateAsync(tx);
  const { id } = results.of(task);
  expect(results.of(note).id).toBeString();
  await view.until((now) => shown(now) === "a" && now.notes.data?.data[0]?.text === id);
  expect(view.last()?.roles.dataUpdatedAt).toBe(before);
  const bad = client.transaction();
  bad.items("tasks").create({ name: "b" });
  bad.items("tasks").create({ name: "b" });
  await expect(transact.mutateAsync(bad)).rejects.toMatchObject({ status: 409 });
  expect(await stored()).toBe("a");
  await admin.items("notes").delete(results.of(note).id);
});

test("an import tells what came of it, and its items are read", async () => {
  const { baasix } = await signedIn();
  const view = watch(baasix, () => ({ importing: useImportItems("tasks") }));
  const { importing } = await view.shows("");
  const file = "name,rank\na,1\nb,many\nc,3\n";
  const result = await importing.mutateAsync({ file, format: "csv", mode: "partial" });
  expect([result.imported, result.failed]).toEqual([2, 1]);
  await view.shows("a c");
});

test("one mutate has one key for all its tries, and so one effect; the next has another", async () => {
  const { baasix, writes, suffer } = await signedIn();
  const view = watch(baasix, () => ({
    create: useCreateItem<Task>("tasks", { retry: 3, retryDelay: 0 }),
    transact: useTransaction<[{ action: "create"; collection: string; data: object }]>({
      retry: 3,
      retryDelay: 0,
    }),
  }));
  const { create, transact } = await view.shows("");
  // Lost, and lost when sent again: the hook tries anew.
  suffer({ loses: 3 });
  await create.mutateAsync({ name: "a" });
  const keys = () => writes.map(({ key }) => key);
  expect([keys().length, new Set(keys()).size, keys()[0]]).toEqual([4, 1, expect.any(String)]);
  suffer({ fails: 3 });
  await create.mutateAsync({ name: "b" });
  expect([keys().length, new Set(keys()).size]).toEqual([8, 2]);
  suffer({ loses: 3 });
  await transact.mutateAsync([{ action: "create", collection: "tasks", data: { name: "c" } }]);
  expect([keys().length, new Set(keys()).size]).toEqual([12, 3]);
  await view.shows("a b c");
  expect(await stored()).toBe("a b c");
});

test("options of one call are heard, beside those of the hook", async () => {
  const { baasix } = await signedIn();
  const heard: string[] = [];
  const view = watch(baasix, () => ({
    create: useCreateItem<Task>("tasks", { onSuccess: () => void heard.push("hook") }),
  }));
  const { create } = await view.shows("");
  const done = Promise.withResolvers<void>();
  create.mutate({ name: "a" }, { onSuccess: () => void heard.push("call"), onSettled: () => done.resolve() });
  await done.promise;
  expect(heard).toEqual(["hook", "call"]);
});
