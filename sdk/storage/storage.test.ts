/** One suite for every adapter. What browsers alone have (other pages, locks) is in `browser.test.ts`. */
import { describe, expect, test } from "bun:test";
import { createSession } from "../session";
import { AsyncStorageAdapter, LocalStorageAdapter, MemoryStorageAdapter, type StorageAdapter } from ".";
import { storageKeys } from "./adapter";

/** The storage of a phone, as far as it is used; `broken`: it is full, or taken away. */
function phone(broken = false) {
  const values = new Map<string, string>();
  const or = <Value>(work: () => Value) =>
    broken ? Promise.reject(new Error("full")) : Promise.resolve(work());
  return {
    values,
    getItem: (key: string) => or(() => values.get(key) ?? null),
    setItem: (key: string, value: string) => or(() => void values.set(key, value)),
    removeItem: (key: string) => or(() => void values.delete(key)),
  };
}

const adapters: readonly (readonly [string, () => StorageAdapter])[] = [
  ["memory", () => new MemoryStorageAdapter()],
  ["the storage of a phone", () => new AsyncStorageAdapter(phone())],
  ["a browser that forbids its storage", () => new LocalStorageAdapter()],
];

describe.each(adapters)("%s", (_name, make) => {
  test("keeps, replaces and removes", async () => {
    const storage = make();
    expect(await storage.get("a")).toBeNull();
    await storage.set("a", "1");
    await storage.set("b", "");
    await storage.set("a", "2");
    expect([await storage.get("a"), await storage.get("b")]).toEqual(["2", ""]);
    await storage.remove("a");
    await storage.remove("a");
    expect([await storage.get("a"), await storage.get("b")]).toEqual([null, ""]);
    await storage.clear?.();
  });

  test("keeps a session for the next start, and nothing after its end", async () => {
    const storage = make();
    const start = () =>
      createSession({
        mode: "jwt",
        storage,
        autoRefresh: true,
        clock: () => 0,
        refresh: () => Promise.reject(new Error("not asked")),
      });
    const user = { id: "ann", email: "ann@x.org", firstName: "Ann", lastName: null };
    const tenant = { id: "t1", name: "T1" };
    const result = { token: "t", refreshToken: "r", expiresIn: 900, authMode: "jwt", user, tenant } as const;
    await start().begin(result);
    const next = start();
    await next.load();
    expect(next.state()).toMatchObject({ identity: "ann@t1", user, tenant });
    await next.end().saved;
    for (const key of Object.values(storageKeys))
      // oxlint-disable-next-line no-await-in-loop
      expect([key, await storage.get(key)]).toEqual([key, null]);
  });
});

test("a phone's values are under a prefix, given once", async () => {
  const store = phone();
  const storage = new AsyncStorageAdapter(store, "app_");
  await storage.set("a", "1");
  await storage.set("app_a", "2");
  expect([...store.values]).toEqual([["app_a", "2"]]);
});

test("a storage that fails keeps nothing, and stops nothing", async () => {
  const storage = new AsyncStorageAdapter(phone(true));
  await storage.set("a", "1");
  await storage.remove("a");
  expect(await storage.get("a")).toBeNull();
});

test("a storage that nobody shares is watched by nobody, and its work runs", async () => {
  const storage = new LocalStorageAdapter();
  expect(typeof localStorage).toBe("undefined");
  storage.watch("a", () => expect.unreachable())();
  expect(await storage.exclusive("refresh", async () => 7)).toBe(7);
});
