import { expect, test } from "bun:test";
import { openLanes } from "./lanes";

/** Work that goes on until it is ended. */
function stage() {
  const inTurn = openLanes();
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    running,
    begin: (name: string, cost: number | null, asker = "ann") =>
      void inTurn(cost, asker, () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        running.push(name);
        ends.set(name, resolve);
        return promise;
      }),
    end: async (name: string) => {
      ends.get(name)?.();
      await Bun.sleep(0);
    },
  };
}

test("dear statements go one after the other, and hold up neither cheap nor new ones", async () => {
  const { begin, end, running } = stage();
  for (const name of ["dear 1", "dear 2"]) begin(name, 500);
  for (const name of ["cheap 1", "cheap 2", "cheap 3"]) begin(name, 5);
  begin("new", null);
  await Bun.sleep(0);
  expect(running.toSorted()).toEqual(["cheap 1", "cheap 2", "dear 1", "new"]);
  await end("dear 1");
  await end("cheap 2");
  expect(running.slice(4).toSorted()).toEqual(["cheap 3", "dear 2"]);
});

test("who asks for much waits for itself alone", async () => {
  const { begin, end, running } = stage();
  for (let n = 1; n <= 5; n++) begin(`ann ${n}`, null, "ann");
  begin("bob", null, "bob");
  await Bun.sleep(0);
  expect(running.toSorted()).toEqual(["ann 1", "bob"]);
  await end("ann 1");
  expect(running.at(-1)).toBe("ann 2");
});

test("a lane goes round among those who wait, and remembers none of them", async () => {
  const { begin, end, running } = stage();
  for (let n = 1; n <= 4; n++) begin(`ann ${n}`, 5, "ann");
  for (let n = 1; n <= 2; n++) begin(`bob ${n}`, 5, "bob");
  begin("cid", 5, "cid");
  for (let n = 0; n < 7; n++) {
    // oxlint-disable-next-line no-await-in-loop
    await Bun.sleep(0);
    // oxlint-disable-next-line no-await-in-loop
    await end(running[n] ?? "");
  }
  expect(running).toEqual(["ann 1", "ann 2", "ann 3", "bob 1", "cid", "ann 4", "bob 2"]);
});

test("work that fails makes room, too", async () => {
  const inTurn = openLanes();
  for (let n = 0; n < 5; n++) {
    // oxlint-disable-next-line no-await-in-loop
    await inTurn(500, "ann", () => Promise.reject(new Error("no"))).catch(() => undefined);
  }
  expect(await inTurn(500, "ann", () => 7)).toBe(7);
});
