import { expect, test } from "bun:test";
import { testDatabase, outsider } from "../../../testing/postgres";
import { openDatabase } from "../pool";
import { openFeed } from "./feed";
import { Horizon, isVisible, parseSnapshot } from "./horizon";

const epoch = 2n ** 32n;

test.each([
  ["10:20:", 9, true],
  ["10:20:", 19, true],
  ["10:20:", 20, false],
  ["10:20:", 21, false],
  ["10:20:12,15", 12, false],
  ["10:20:12,15", 13, true],
  // Ids of the log have 32 bits and start again.
  [`${epoch + 3n}:${epoch + 20n}:${epoch + 12n}`, 13, true],
  [`${epoch + 3n}:${epoch + 20n}:${epoch + 12n}`, 12, false],
  [`${epoch + 3n}:${epoch + 20n}:`, 4_294_967_290, true],
  [`${epoch - 3n}:${epoch - 2n}:`, 5, false],
] as const)("a snapshot %s sees %d: %p", (text, transaction, sees) => {
  expect(isVisible(parseSnapshot(text), transaction)).toBe(sees);
});

test("what is not visible yet holds back what came after it", async () => {
  const answers = ["5:6:", "lost", "5:6:5", "5:8:7", "9:9:"];
  const released: (string | number)[] = [];
  const done = Promise.withResolvers<void>();
  const horizon = new Horizon(async () => {
    const answer = answers.shift() ?? "";
    released.push(answer);
    if (answer === "lost") throw new Error("no answer");
    return answer;
  });
  for (const transaction of [5, null, 6, 7, null]) {
    horizon.pass(transaction, () => {
      released.push(transaction ?? "gap");
      if (released.at(-1) === "gap" && released.includes(7)) done.resolve();
    });
  }
  await done.promise;
  expect(released).toEqual(["5:6:", 5, "gap", "lost", "5:6:5", "5:8:7", 6, "9:9:", 7, "gap"]);
  expect(horizon.size).toBe(0);
});

test("whatever the feed tells can be read at once", async () => {
  const place = await testDatabase();
  const database = await openDatabase(place.address, { shortPool: 4, slowPool: 1 });
  await outsider(place.address, "CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE other (id int)");
  const feed = openFeed(place.address, { publication: "baasix_realtime" });
  await new Promise((resolve) => feed.onGap(resolve));
  await outsider(place.address, "ALTER PUBLICATION baasix_realtime ADD TABLE t, other");
  const count = 300;
  const reads: Promise<number>[] = [];
  const all = Promise.withResolvers<void>();
  const tables = new Set<string>();
  feed.onChanges(
    ({ changes }) => {
      for (const { table, after } of changes) {
        tables.add(table);
        const read = { text: "SELECT 1 FROM t WHERE id = $1::int", params: [after?.["id"] ?? null] };
        reads.push(database.run(read).then((rows) => rows.length));
      }
      if (reads.length === count) all.resolve();
    },
    (table) => table === "t",
  );
  for (let id = 0; id < count; id++) {
    await database.run({ text: "INSERT INTO other VALUES (1)", params: [] });
    await database.run({ text: "INSERT INTO t VALUES ($1::int)", params: [String(id)] });
  }
  await all.promise;
  expect((await Promise.all(reads)).filter((rows) => rows === 0)).toEqual([]);
  expect([...tables]).toEqual(["t"]);
  await feed.close();
  await database.close();
  await place.drop();
});
