/** The hooks, rendered by React, against the real server. */
import { afterEach, expect, test } from "bun:test";
import {
  type Baasix,
  type CountMode,
  type ItemId,
  type ItemInput,
  type ListResult,
  type SocketLike,
} from "@baasix/sdk";
import {
  type InfiniteData,
  keepPreviousData,
  QueryClient,
  type UseInfiniteQueryResult,
  type UseMutationResult,
  type UseQueryResult,
} from "@tanstack/react-query";
import { Secret, TOTP } from "otpauth";
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import {
  BaasixProvider,
  type DeleteVariables,
  infiniteItemsQuery,
  itemsQuery,
  type ReadOptions,
  type UpdateVariables,
  useAggregate,
  useAuth,
  type UseAuthResult,
  useCount,
  useCreateItem,
  useDeleteItem,
  useInfiniteItems,
  useItem,
  useItems,
  useUpdateItem,
} from ".";
import { probe } from "./testing/render";
import { openScene, type Scene } from "./testing/scene";

type Task = { id: string; name: string; rank: number; done: boolean; note: string | null };
type TaskList = UseQueryResult<ListResult<Task>>;

let scene: Scene;
let admin: Baasix;

openScene(async (opened) => {
  scene = opened;
  ({ admin } = opened);
  await admin.schemas.create("tasks", {
    name: "Task",
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      name: { type: "String", allowNull: false },
      rank: { type: "Integer", defaultValue: 0 },
      done: { type: "Boolean", defaultValue: false },
      note: { type: "Text" },
    },
  });
  await admin.schemas.create("people", {
    name: "Person",
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      name: { type: "String" },
    },
  });
  await admin.schemas.createRelationship("tasks", { type: "M2O", name: "owner", target: "people" });
  const role = (await admin.roles.findByName("user"))?.id ?? "";
  await admin.permissions.createCrudPermissions(role, "tasks", {
    read: { fields: ["*", "owner.*"] },
    create: {},
    update: { fields: ["name"] },
  });
  await admin.permissions.create({ role_Id: role, collection: "people", action: "read", fields: ["*"] });
});
afterEach(async () => {
  await admin
    .items("tasks")
    .deleteMany((await admin.items("tasks").find({ limit: -1 })).data.map(({ id }) => id));
});

/** A client that notes its requests and frames. */
function client() {
  const requests: string[] = [];
  const frames: { type: string; id: string; collection?: string }[] = [];
  const held: { gate?: Promise<void> } = {};
  const baasix = scene.client({
    async fetch(address, init) {
      requests.push(`${init.method} ${new URL(address).pathname}`);
      if (init.method !== "GET") await held.gate;
      return fetch(address, init);
    },
    webSocket(address) {
      const socket = new WebSocket(address);
      const send = socket.send.bind(socket);
      socket.send = (text) => {
        frames.push(JSON.parse(String(text)));
        send(text);
      };
      return socket as SocketLike;
    },
  });
  /** Keeps writes back until the returned function is called. */
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held.gate = promise;
    return resolve;
  };
  return { baasix, requests, hold, of: (type: string) => frames.filter((frame) => frame.type === type) };
}

let accounts = 0;
async function signedUp() {
  const made = client();
  const email = `reader${++accounts}@example.com`;
  await made.baasix.auth.register({ email, password: "password123", firstName: "Ann" });
  made.requests.length = 0;
  return { ...made, email };
}

const show = (...shown: Parameters<Scene["show"]>): QueryClient => scene.show(...shown).cache;

const tasks = () => admin.items<Task>("tasks");
const names = (list: Pick<TaskList, "data"> | undefined) => list?.data?.data.map(({ name }) => name).join();

test("useAuth follows sign-in and sign-out", async () => {
  const { email } = await signedUp();
  const { baasix } = client();
  const { Probe, until, all } = probe<UseAuthResult>();
  show(baasix, <Probe read={useAuth} />);
  expect((await until(({ isPending }) => !isPending)).user).toBeNull();
  await all.at(-1)?.login({ email, password: "password123" });
  expect((await until(({ isAuthenticated }) => isAuthenticated)).user?.email).toBe(email);
  const before = all.length;
  await all.at(-1)?.logout();
  await until((state) => !state.isAuthenticated && all.indexOf(state) >= before);
  expect(renderToString(<BaasixProvider client={baasix} children={<Pending />} />)).toBe("true");
});

test("useAuth asks for the second factor of an account that has one", async () => {
  const { baasix: owner, email } = await signedUp();
  const { id: factorId, secret } = await owner.auth.mfa.enroll();
  const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
  const { recoveryCodes = [] } = await owner.auth.mfa.verify({ factorId, code });
  const { baasix } = client();
  const { Probe, until, all } = probe<UseAuthResult>();
  show(baasix, <Probe read={useAuth} />);
  await until(({ isPending }) => !isPending);
  await all.at(-1)?.login({ email, password: "password123" });
  const asked = await until(({ secondStep }) => secondStep !== null);
  expect([asked.isAuthenticated, asked.secondStep?.factors.length]).toEqual([false, 1]);
  await expect(asked.finishSignIn({ recoveryCode: "wrong" })).rejects.toMatchObject({
    code: "INVALID_CREDENTIALS",
  });
  await asked.finishSignIn({ recoveryCode: recoveryCodes[0] ?? "" });
  const done = await until(({ isAuthenticated, secondStep }) => isAuthenticated && secondStep === null);
  expect(done.user?.email).toBe(email);
});

function Pending(): string {
  return String(useAuth().isPending);
}

test("useItems and useItem give the whole query result", async () => {
  const id = await tasks().create({ name: "one", rank: 1 });
  await tasks().create({ name: "two", rank: 2 });
  const { baasix } = await signedUp();
  const list = probe<TaskList>();
  const count = probe<UseQueryResult<number>>();
  const item = probe<UseQueryResult<Task>>();
  const missing = probe<UseQueryResult<Task>>();
  show(
    baasix,
    <>
      <list.Probe read={() => ({ ...useItems<Task>("tasks", { sort: "-rank" }) })} />
      <count.Probe
        read={() => ({ ...useItems<Task, number>("tasks", {}, { select: ({ totalCount }) => totalCount }) })}
      />
      <item.Probe read={() => ({ ...useItem<Task>("tasks", id, { fields: ["name"] }) })} />
      <missing.Probe read={() => ({ ...useItem<Task>("tasks", "00000000-0000-4000-8000-000000000000") })} />
    </>,
  );
  expect(names(await list.until(({ isSuccess }) => isSuccess))).toBe("two,one");
  expect((await count.until(({ isSuccess }) => isSuccess)).data).toBe(2);
  expect((await item.until(({ isSuccess }) => isSuccess)).data?.name).toBe("one");
  expect((await missing.until(({ isError }) => isError)).error).toMatchObject({
    status: 404,
    code: "NOT_FOUND",
  });
});

test("what one user has read is gone when the next is there, placeholders too", async () => {
  await tasks().create({ name: "seen by all" });
  const { baasix } = await signedUp();
  const second = await signedUp();
  const first = baasix.auth.state.identity;
  const list = probe<{ list: TaskList; identity: string | null }>();
  const read = () => ({
    list: { ...useItems<Task>("tasks", { limit: 1 }, { placeholderData: keepPreviousData }) },
    identity: baasix.auth.state.identity,
  });
  const cache = show(baasix, <list.Probe read={read} />);
  await list.until(({ list }) => list.isSuccess);
  const keys = () =>
    cache
      .getQueryCache()
      .getAll()
      .map(({ queryKey }) => queryKey[3]);
  expect(keys()).toEqual([first]);
  const before = list.all.length;
  await baasix.auth.login({ email: second.email, password: "password123" });
  await list.until(({ list, identity }) => identity !== first && list.isSuccess && !list.isFetching);
  const fresh = list.all.slice(before).find(({ identity }) => identity !== first);
  expect(fresh?.list.data).toBeUndefined();
  expect(keys()).toEqual([baasix.auth.state.identity]);
  await baasix.auth.logout();
  await list.until(({ identity, list }) => identity === null && list.isError);
  expect(JSON.stringify(cache.getQueriesData({ queryKey: [] }))).not.toContain("seen by all");
});

test("a loader's options read as the user who is there, and refuse when that is another", async () => {
  await tasks().create({ name: "one" });
  const { baasix } = await signedUp();
  const cache = new QueryClient();
  const options = itemsQuery<Task>(baasix, "tasks", { filter: { name: "one" } });
  expect((await cache.ensureQueryData(options)).totalCount).toBe(1);
  await baasix.auth.logout();
  await expect(cache.fetchQuery(options)).rejects.toMatchObject({ code: "SESSION_CHANGED" });
});

test("an update is shown at once, confirmed, and taken back when it is refused", async () => {
  const id = await tasks().create({ name: "old", rank: 1 });
  await tasks().create({ name: "other", rank: 2 });
  const { baasix, hold } = await signedUp();
  const view = probe<{ list: TaskList; update: UseMutationResult<ItemId, Error, UpdateVariables<Task>> }>();
  const read = () => ({
    list: { ...useItems<Task>("tasks", { sort: "rank" }) },
    update: useUpdateItem<Task>("tasks"),
  });
  show(baasix, <view.Probe read={read} />);
  const { update } = await view.until(({ list }) => list.isSuccess);
  let release = hold();
  const answered = update.mutateAsync({ id, data: { name: "new" } });
  const ahead = await view.until(({ list }) => names(list) === "new,other");
  expect(ahead.update.isPending).toBe(true);
  release();
  await answered;
  await view.until(({ list, update }) => update.isSuccess && !list.isFetching && names(list) === "new,other");
  expect((await tasks().findOne(id)).name).toBe("new");

  release = hold();
  const refused = update.mutateAsync({ id, data: { rank: 9 } });
  const first = ({ list }: { list: TaskList }) => list.data?.data[0]?.rank;
  await view.until((now) => first(now) === 9);
  release();
  await expect(refused).rejects.toMatchObject({ status: 403 });
  await view.until((now) => now.update.isError && !now.list.isFetching && first(now) === 1);
  expect(view.last()?.list.data?.data.map(({ rank }) => rank)).toEqual([1, 2]);
});

test("a delete is shown at once and taken back when it is refused; a new item is read", async () => {
  const id = await tasks().create({ name: "a", rank: 1 });
  await tasks().create({ name: "b", rank: 2 });
  const { baasix, hold } = await signedUp();
  type Hooks = {
    list: TaskList;
    remove: UseMutationResult<void, Error, DeleteVariables>;
    create: UseMutationResult<ItemId, Error, ItemInput<Task>>;
  };
  const view = probe<Hooks>();
  const read = () => ({
    list: { ...useItems<Task>("tasks", { sort: "rank" }) },
    remove: useDeleteItem<Task>("tasks"),
    create: useCreateItem<Task>("tasks"),
  });
  show(baasix, <view.Probe read={read} />);
  const { remove, create } = await view.until(({ list }) => list.isSuccess);
  const release = hold();
  const refused = remove.mutateAsync(id);
  await view.until(({ list }) => names(list) === "b" && list.data?.totalCount === 1);
  release();
  await expect(refused).rejects.toMatchObject({ status: 403 });
  await view.until(({ list, remove }) => remove.isError && names(list) === "a,b");
  await create.mutateAsync({ name: "c", rank: 3 });
  await view.until(({ list }) => names(list) === "a,b,c");
});

const live: ReadOptions<ListResult<Task>, ListResult<Task>> = { live: true };

test("a live list hears of others' changes; and reads nothing for it", async () => {
  const id = await tasks().create({ name: "a", rank: 1 });
  const { baasix, requests, of } = await signedUp();
  const list = probe<TaskList>();
  const one = probe<UseQueryResult<Task>>();
  show(
    baasix,
    <>
      <list.Probe
        read={() => ({ ...useItems<Task>("tasks", { sort: "rank", filter: { rank: { lt: 10 } } }, live) })}
      />
      <one.Probe read={() => ({ ...useItem<Task>("tasks", id, { live: true }) })} />
    </>,
  );
  await list.until(({ isSuccess }) => isSuccess);
  await tasks().create({ name: "b", rank: 2 });
  await list.until((result) => names(result) === "a,b");
  const readings = await readingsAfter(requests, [], async (name) => {
    await tasks().update(id, { name });
    await list.until((result) => names(result) === `${name},b`);
    await one.until(({ data }) => data?.name === name);
  });
  expect(readings).toEqual([]);
  await tasks().update(id, { name: "A", rank: 5 });
  await list.until((result) => names(result) === "b,A");
  await tasks().update(id, { rank: 50 });
  await list.until((result) => names(result) === "b");
  expect(list.last()?.data?.totalCount).toBe(1);
  expect(of("query")).toHaveLength(2);
});

/**
 * The requests that a change causes. What was missed before the subscription stood is read once more at first, and
 * later on a slow machine: so the change is made until it causes what is expected, or often enough.
 */
async function readingsAfter(
  requests: string[],
  expected: readonly string[],
  change: (name: string) => Promise<void>,
): Promise<string[]> {
  for (let round = 1; ; round++) {
    requests.length = 0;
    await change(`round ${round}`);
    const caused = [...requests];
    if (caused.join() === expected.join() || round === 20) return caused;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("what a write shows ahead stays while others' changes arrive, and all is right once it has settled", async () => {
  const id = await tasks().create({ name: "old", rank: 1 });
  const { baasix, hold } = await signedUp();
  const view = probe<{ list: TaskList; update: UseMutationResult<ItemId, Error, UpdateVariables<Task>> }>();
  const read = () => ({
    list: { ...useItems<Task>("tasks", { sort: "rank" }, live) },
    update: useUpdateItem<Task>("tasks"),
  });
  show(baasix, <view.Probe read={read} />);
  const { update } = await view.until(({ list }) => list.isSuccess);
  const counted = Promise.withResolvers<void>();
  const stop = baasix.realtime.liveQuery<Task>("tasks", { sort: "rank" }, ({ totalCount }) => {
    if (totalCount === 2) counted.resolve();
  });
  const release = hold();
  const answered = update.mutateAsync({ id, data: { name: "new" } });
  await view.until(({ list }) => names(list) === "new");
  await tasks().create({ name: "other", rank: 2 });
  await counted.promise;
  expect(names(view.last()?.list)).toBe("new");
  release();
  await answered;
  await view.until(({ list }) => names(list) === "new,other");
  stop();
});

test("a live list whose right was taken is live again once it can be read again", async () => {
  await tasks().create({ name: "a" });
  const { baasix } = await signedUp();
  const list = probe<UseQueryResult<ListResult<Task>>>();
  const read = () => ({ ...useItems<Task>("tasks", { sort: "name" }, { live: true, retry: false }) });
  show(baasix, <list.Probe read={read} />);
  await list.until(({ isSuccess }) => isSuccess);
  const { data: rights } = await admin.permissions.find({ filter: { collection: "tasks", action: "read" } });
  const [right] = rights;
  if (!right) throw new Error("the role may read tasks");
  await admin.permissions.delete(right.id);
  await list.until(({ error }) => (error as { status?: number } | null)?.status === 403);
  const { role_Id, collection, action, fields } = right;
  await admin.permissions.create({ role_Id, collection, action, fields });
  // The server keeps the query, and answers it by itself when the right is back.
  await tasks().create({ name: "b" });
  await list.until((result) => names(result) === "a,b");
});

test("a live list with related items hears of them", async () => {
  const ann = await admin.items("people").create({ name: "Ann" });
  const id = await admin.items("tasks").create({ name: "a", owner: ann });
  const { baasix, requests } = await signedUp();
  type Owned = { id: string; name: string; owner: { name: string } | null };
  const list = probe<UseQueryResult<ListResult<Owned>>>();
  const read = () => ({
    ...useItems<Owned>(
      "tasks",
      { fields: ["id", "name", "owner.name"], filter: { "owner.name": { isNotNull: true } } },
      { live: true },
    ),
  });
  const plain = probe<UseQueryResult<ListResult<Owned>>>();
  show(
    baasix,
    <>
      <list.Probe read={read} />
      <plain.Probe
        read={() => ({
          ...useItems<Owned>("tasks", { fields: ["id", "name", "owner.name"] }, { live: true }),
        })}
      />
    </>,
  );
  const shown = ({ data }: UseQueryResult<ListResult<Owned>>) =>
    data?.data.map(({ name, owner }) => `${name} ${owner?.name}`).join();
  await list.until((result) => shown(result) === "a Ann");
  await admin.items("people").update(ann, { name: "Bea" });
  await list.until((result) => shown(result) === "a Bea");
  const readings = await readingsAfter(requests, [], async (name) => {
    await tasks().update(id, { name });
    await plain.until((result) => shown(result) === `${name} Bea`);
    await list.until((result) => shown(result) === `${name} Bea`);
  });
  expect(readings).toEqual([]);
});

type Pages = UseInfiniteQueryResult<InfiniteData<ListResult<Task, CountMode>, string>>;
const shownPages = ({ data }: Pick<Pages, "data">) =>
  data?.pages.map((page) => page.data.map(({ name }) => name).join("")).join();

test("a list is read page after page, and follows what happens on any of them", async () => {
  await tasks().createMany([..."abcdefg"].map((name, rank) => ({ name, rank: rank * 2 })));
  const { baasix, requests } = await signedUp();
  const pages = probe<Pages>();
  const read = () => ({
    ...useInfiniteItems<Task>("tasks", { sort: "rank", limit: 3 }, { live: true }),
  });
  const cache = show(baasix, <pages.Probe read={read} />);
  const first = await pages.until(({ isSuccess }) => isSuccess);
  expect([shownPages(first), first.hasNextPage]).toEqual(["abc", true]);
  expect(first.data?.pages[0]?.totalCount).toBeUndefined();
  await first.fetchNextPage();
  await pages.until((result) => shownPages(result) === "abc,def" && result.hasNextPage);
  await pages.last()?.fetchNextPage();
  await pages.until((result) => shownPages(result) === "abc,def,g" && !result.hasNextPage);

  const id = (await tasks().query().eq("name", "e").single()).id;
  let shown = "e";
  const readings = await readingsAfter(requests, [], async (name) => {
    shown = name;
    await tasks().update(id, { name });
    await pages.until((result) => shownPages(result) === `abc,d${name}f,g`);
  });
  expect(readings).toEqual([]);
  await tasks().update(id, { rank: 100 });
  await pages.until((result) => shownPages(result) === `abc,dfg,${shown}`);
  await tasks().create({ name: "A", rank: 1 });
  await pages.until((result) => shownPages(result) === `aAb,cdf,g${shown}`);
  await tasks().delete(id);
  await pages.until((result) => shownPages(result) === "aAb,cdf,g");
  const options = infiniteItemsQuery<Task>(baasix, "tasks", { sort: "rank", limit: 3 });
  expect(cache.getQueryData(options.queryKey)?.pages).toHaveLength(3);
});

test("an update and a delete are shown at once on any page", async () => {
  await tasks().createMany([..."abc"].map((name, rank) => ({ name, rank })));
  const { baasix, hold } = await signedUp();
  type Hooks = {
    list: Pages;
    update: UseMutationResult<ItemId, Error, UpdateVariables<Task>>;
    remove: UseMutationResult<void, Error, DeleteVariables>;
  };
  const view = probe<Hooks>();
  const read = () => ({
    list: { ...useInfiniteItems<Task>("tasks", { sort: "rank", limit: 2, count: "exact" }) },
    update: useUpdateItem<Task>("tasks"),
    remove: useDeleteItem<Task>("tasks"),
  });
  show(baasix, <view.Probe read={read} />);
  const { list, update, remove } = await view.until(({ list }) => list.isSuccess);
  await list.fetchNextPage();
  const { data } = (await view.until(({ list }) => shownPages(list) === "ab,c")).list;
  const id = data?.pages[1]?.data[0]?.id ?? "";
  let release = hold();
  const changed = update.mutateAsync({ id, data: { name: "x" } });
  await view.until(({ list }) => shownPages(list) === "ab,x");
  release();
  await changed;
  release = hold();
  const refused = remove.mutateAsync(id);
  const ahead = await view.until(({ list }) => shownPages(list) === "ab,");
  expect(ahead.list.data?.pages[0]?.totalCount).toBe(2);
  release();
  await expect(refused).rejects.toMatchObject({ status: 403 });
  await view.until(({ list }) => shownPages(list) === "ab,x" && list.data?.pages[0]?.totalCount === 3);
});

test("counts and aggregates follow what happens", async () => {
  await tasks().createMany([..."abcd"].map((name, rank) => ({ name, rank, done: rank > 1 })));
  const { baasix, requests } = await signedUp();
  const count = probe<UseQueryResult<number>>();
  const groups = probe<UseQueryResult<{ done: boolean; most: number }[]>>();
  const counted = () => ({ ...useCount<Task>("tasks", { filter: { done: true } }, { live: true }) });
  const grouped = () => ({
    ...useAggregate<Task, { done: boolean; most: number }[]>(
      "tasks",
      {
        aggregate: { most: { function: "max", field: "rank" } },
        groupBy: ["done"],
        sort: { done: "asc" },
      },
      { live: true },
    ),
  });
  show(
    baasix,
    <>
      <count.Probe read={counted} />
      <groups.Probe read={grouped} />
    </>,
  );
  await count.until(({ data }) => data === 2);
  const most = ({ data }: { data?: { most: number }[] }) => data?.map(({ most }) => most).join();
  await groups.until((result) => most(result) === "1,3");
  const id = await tasks().create({ name: "e", rank: 9, done: true });
  await count.until(({ data }) => data === 3);
  await groups.until((result) => most(result) === "1,9");
  let rank = 10;
  const readings = await readingsAfter(requests, [], async () => {
    rank += 1;
    await tasks().update(id, { rank });
    await groups.until((result) => most(result) === `1,${rank}`);
  });
  expect(readings).toEqual([]);
  await tasks().update(id, { done: false });
  await count.until(({ data }) => data === 2);
});

test("in Strict Mode equal views share one subscription, which ends with the last", async () => {
  const { baasix, of } = await signedUp();
  const first = probe<TaskList>();
  const second = probe<TaskList>();
  const read = () => ({ ...useItems<Task>("tasks", { limit: 5 }, live) });
  const tree = (both: boolean) => (
    <StrictMode>
      <BaasixProvider client={baasix}>
        <first.Probe read={read} />
        {both && <second.Probe read={read} />}
      </BaasixProvider>
    </StrictMode>
  );
  const view = scene.render(tree(true));
  await second.until(({ isSuccess }) => isSuccess);
  await tasks().create({ name: "a" });
  await second.until((result) => names(result) === "a");
  view.rerender(tree(false));
  await tasks().create({ name: "b" });
  await first.until((result) => result.data?.totalCount === 2);
  expect(of("query")).toHaveLength(1);
  expect(of("unsubscribe")).toHaveLength(0);
  view.unmount();
  while (of("unsubscribe").length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
});

test("after any row of changes every live list is what a fresh read gives", async () => {
  const { baasix } = await signedUp();
  const queries = [
    {},
    { sort: "rank" },
    { sort: "-name", limit: 3 },
    { sort: ["rank", "-name"] as const, limit: 3, page: 2 },
    { filter: { done: true }, sort: "rank" },
    { filter: { OR: [{ rank: { gt: 5 } }, { name: { startsWith: "n1" } }] }, sort: "name", limit: 4 },
    { fields: ["name"] as const, sort: "name" },
    { filter: { rank: { gte: 3 } }, offset: 2, limit: 2 },
  ];
  const lists = queries.map((query) => ({ query, seen: probe<TaskList>() }));
  show(
    baasix,
    lists.map(({ query, seen }) => (
      <seen.Probe key={JSON.stringify(query)} read={() => ({ ...useItems<Task>("tasks", query, live) })} />
    )),
  );
  for (const { seen } of lists) await seen.until(({ isSuccess }) => isSuccess);

  let seed = 20_261_120;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return Math.floor((seed / 2_147_483_647) * below);
  };
  const ids: (string | number)[] = [];
  const change = async (kind: number) => {
    const id = ids[random(ids.length || 1)];
    if (id === undefined || kind === 0) {
      const data = { name: `n${random(20)}`, rank: random(8), done: random(2) === 0 };
      ids.push(await tasks().create(data));
    } else if (kind === 1) {
      await tasks().update(id, { note: `note ${random(1000)}` });
    } else if (kind === 2) {
      await tasks().update(id, { rank: random(8) });
    } else if (kind === 3) {
      await tasks().update(id, { done: random(2) === 0, name: `n${random(20)}` });
    } else {
      ids.splice(ids.indexOf(id), 1);
      await tasks().delete(id);
    }
  };
  const right = async ({ query, seen }: (typeof lists)[number]) => {
    const fresh = JSON.stringify(await baasix.items<Task>("tasks").find(query));
    const wrong = setTimeout(() => seen.stop(`${JSON.stringify(query)} is not ${fresh}`), 5000);
    await seen.until((result) => result === seen.last() && JSON.stringify(result.data) === fresh);
    clearTimeout(wrong);
  };
  for (let round = 0; round < 40; round++) await change([0, 0, 1, 2, 3, 4, 2][round % 7] ?? 0);
  await Promise.all(lists.map(right));
  // One at a time: nothing that follows mends what one change did.
  for (const kind of [1, 2, 3, 2, 4, 0, 2, 3, 1, 2]) {
    await change(kind);
    await Promise.all(lists.map(right));
  }
});
