import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { externalServer, outsider, testDatabase, testServer } from "../../../testing/postgres";
import type { ChangeFeed, ChangeSet, DatabaseAddress, RowChange } from "../database";
import { openFeed } from "./feed";

const publication = "baasix_realtime";

/** What a feed told, in order, and a way to await the next of it. */
function record(feed: ChangeFeed) {
  const told: (ChangeSet | string)[] = [];
  let wake = Promise.withResolvers<void>();
  const add = (item: ChangeSet | string) => {
    told.push(item);
    wake.resolve();
  };
  feed.onChanges(add);
  feed.onGap(add);
  const next = async (): Promise<ChangeSet | string> => {
    while (told.length === 0) {
      wake = Promise.withResolvers();
      await wake.promise;
    }
    return told.shift() as ChangeSet | string;
  };
  const changes = async (): Promise<readonly RowChange[]> => {
    const item = await next();
    if (typeof item === "string") throw new Error(`a gap instead of changes: ${item}`);
    return item.changes;
  };
  return { next, changes, told };
}

/** The first sleep-free moment at which `ask` gives something. */
async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
}

type Place = {
  readonly address: DatabaseAddress;
  readonly superuser: DatabaseAddress;
  drop(): Promise<unknown>;
};

const places: Record<string, () => Promise<Place>> = {
  "the embedded server": async () => {
    const { address, drop } = await testDatabase();
    return { address, superuser: (await testServer()).maintenance, drop };
  },
  "an external server with a password, over TLS": async () => {
    const server = await externalServer({ walLevel: "logical", password: "s€cret/?#", tls: true });
    return { address: server.address, superuser: server.address, drop: server.stop };
  },
};

test("the feed comes over TLS where the address asks for it, and not from a server that it cannot trust", async () => {
  const server = await externalServer({ walLevel: "logical", password: "secret", tls: true });
  const feed = openFeed(server.address, { publication });
  await record(feed).next();
  const sql =
    "select s.version from pg_stat_ssl s join pg_replication_slots r on r.active_pid = s.pid where s.ssl";
  expect(await outsider(server.address, sql)).toEqual([{ version: "TLSv1.3" }]);
  await feed.close();
  const plain = server.url.replace(/\?.*/, "");
  for (const [url, reason] of [
    [plain, /no encryption|no pg_hba.conf entry/],
    [`${plain}?sslmode=verify-full`, /self.signed/],
    [`${server.url.replace("127.0.0.1", "localhost")}`, /localhost|altnames/i],
  ] as const) {
    const failed = Promise.withResolvers<Error>();
    const refused = openFeed({ kind: "url", url }, { publication, onError: failed.resolve });
    expect((await failed.promise).message).toMatch(reason);
    expect(refused.status().connected).toBe(false);
    await refused.close();
  }
  await server.stop();
});

describe.each(Object.keys(places))("the feed of %s", (name) => {
  let place: Place;
  let feed: ChangeFeed;
  let heard: ReturnType<typeof record>;
  const errors: Error[] = [];
  const write = (...statements: string[]) => outsider(place.address, ...statements);

  beforeAll(async () => {
    place = await (places[name] as () => Promise<Place>)();
    await write(
      `CREATE TABLE notes (id int PRIMARY KEY, title text, body text, at timestamptz, n numeric)`,
      `CREATE TABLE plain (id int PRIMARY KEY, title text, body text)`,
      `ALTER TABLE notes REPLICA IDENTITY FULL`,
      `ALTER TABLE notes ALTER body SET STORAGE EXTERNAL`,
      `ALTER TABLE plain ALTER body SET STORAGE EXTERNAL`,
      `CREATE TABLE unwatched (id int PRIMARY KEY)`,
      `CREATE SCHEMA other`,
      `CREATE TABLE other.notes (id int PRIMARY KEY)`,
    );
    feed = openFeed(place.address, { publication, onError: (error) => errors.push(error) });
    heard = record(feed);
    expect(await heard.next()).toMatch(/connected/);
    // Tables join while the stream runs, as schemas do when collections are made.
    await write(`ALTER PUBLICATION ${publication} ADD TABLE notes, plain, other.notes`);
  });

  afterAll(async () => {
    await feed.close();
    await place.drop();
  });

  test("tells inserts, updates and deletes with the text of every value", async () => {
    expect(feed.status()).toEqual({ source: "log", connected: true, reason: null, slot: expect.any(String) });
    const before = Date.now();
    await write(`INSERT INTO notes VALUES (1, 'é"1', NULL, '2024-02-03 04:05:06.123456+02', 1.10)`);
    const row = { id: "1", title: 'é"1', body: null, at: "2024-02-03 02:05:06.123456+00", n: "1.10" };
    const set = (await heard.next()) as ChangeSet;
    expect(set.changes).toEqual([{ table: "notes", action: "create", before: null, after: row }]);
    expect(Math.abs(set.committedAt - before)).toBeLessThan(60_000);

    await write(`UPDATE notes SET title = 'b' WHERE id = 1`);
    expect(await heard.changes()).toEqual([
      { table: "notes", action: "update", before: row, after: { ...row, title: "b" } },
    ]);
    await write(`DELETE FROM notes`);
    expect(await heard.changes()).toEqual([
      { table: "notes", action: "delete", before: { ...row, title: "b" }, after: null },
    ]);
  });

  test("tells a transaction whole, in order, and never one that was rolled back", async () => {
    await write(
      `BEGIN; INSERT INTO notes (id) VALUES (98); ROLLBACK;`,
      `BEGIN; INSERT INTO notes (id) VALUES (1), (2); INSERT INTO unwatched VALUES (1);
       INSERT INTO other.notes VALUES (1); INSERT INTO plain (id) VALUES (3); DELETE FROM notes WHERE id = 1; COMMIT;`,
    );
    expect(
      (await heard.changes()).map((change) => [
        change.table,
        change.action,
        (change.after ?? change.before)?.["id"],
      ]),
    ).toEqual([
      ["notes", "create", "1"],
      ["notes", "create", "2"],
      ["plain", "create", "3"],
      ["notes", "delete", "1"],
    ]);
    expect(heard.told).toEqual([]);
  });

  test("fills a large value that did not change from the old row, or leaves it out", async () => {
    const large = "x".repeat(100_000);
    await write(
      `INSERT INTO notes (id, body) VALUES (5, '${large}')`,
      `INSERT INTO plain (id, body) VALUES (5, '${large}')`,
      `UPDATE notes SET title = 't' WHERE id = 5`,
      `UPDATE plain SET title = 't' WHERE id = 5`,
      `UPDATE plain SET id = 6 WHERE id = 5`,
      `DELETE FROM plain WHERE id = 6`,
    );
    for (let i = 0; i < 2; i++) expect((await heard.changes())[0]?.after?.["body"]).toBe(large);
    expect((await heard.changes())[0]).toMatchObject({
      before: { body: large },
      after: { title: "t", body: large },
    });
    expect(await heard.changes()).toEqual([
      { table: "plain", action: "update", before: null, after: { id: "5", title: "t" } },
    ]);
    expect(await heard.changes()).toEqual([
      { table: "plain", action: "update", before: { id: "5" }, after: { id: "6", title: "t" } },
    ]);
    expect(await heard.changes()).toEqual([
      { table: "plain", action: "delete", before: { id: "6" }, after: null },
    ]);
  });

  test("follows a table that changes its shape", async () => {
    await write(`ALTER TABLE plain ADD extra int DEFAULT 7`, `INSERT INTO plain (id) VALUES (20)`);
    expect((await heard.changes())[0]?.after).toEqual({ id: "20", title: null, body: null, extra: "7" });
  });

  test("tells a truncate, and a transaction too large to hold, as gaps", async () => {
    await write(`TRUNCATE plain`);
    expect(await heard.next()).toBe("plain was truncated");
    await write(
      `INSERT INTO plain (id) SELECT generate_series(1, 10001)`,
      `INSERT INTO plain (id) VALUES (0)`,
    );
    expect(await heard.next()).toMatch(/too much/);
    expect((await heard.changes())[0]?.after).toMatchObject({ id: "0" });
  });

  test("a listener that throws does not end the stream for the others", async () => {
    errors.length = 0;
    const stop = feed.onChanges(() => {
      throw new Error("a mistake");
    });
    await write(`INSERT INTO notes (id) VALUES (30)`);
    await heard.changes();
    stop();
    await write(`INSERT INTO notes (id) VALUES (31)`);
    await heard.changes();
    expect(errors.map(({ message }) => message)).toEqual(["a mistake"]);
  });

  test("acknowledges what it got, so that the server keeps no log for it", async () => {
    await write(`INSERT INTO notes (id) VALUES (40)`);
    await heard.changes();
    const [{ here }] = (await write(`SELECT pg_current_wal_lsn()::text AS here`)) as [{ here: string }];
    await write(`INSERT INTO notes (id) VALUES (41)`);
    await heard.changes();
    const [slot] = await eventually(async () => {
      const rows = await outsider(
        place.superuser,
        `SELECT temporary, wal_status FROM pg_replication_slots
         WHERE database = '${databaseOf(place.address)}' AND confirmed_flush_lsn >= '${here}'`,
      );
      return rows.length > 0 ? rows : undefined;
    });
    expect(slot).toEqual({ temporary: true, wal_status: "reserved" });
  });

  test("comes back after its stream was killed, says that there is a gap, and leaves no slot behind", async () => {
    await outsider(
      place.superuser,
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '${databaseOf(place.address)}'`,
    );
    expect(await heard.next()).toMatch(/connected/);
    await write(`INSERT INTO notes (id) VALUES (50)`);
    expect((await heard.changes())[0]?.after).toMatchObject({ id: "50" });
    const slots = () =>
      outsider(
        place.superuser,
        `SELECT slot_name FROM pg_replication_slots WHERE database = '${databaseOf(place.address)}'`,
      );
    expect((await slots()).length).toBe(1);
    await feed.close();
    expect(feed.status().connected).toBe(false);
    await eventually(async () => ((await slots()).length === 0 ? true : undefined));
  });
});

function databaseOf(address: DatabaseAddress): string {
  return address.kind === "socket" ? address.database : new URL(address.url).pathname.slice(1);
}

describe("a server that does not allow it", () => {
  const reasonOf = async (address: DatabaseAddress) => {
    const failed = Promise.withResolvers<Error>();
    const feed = openFeed(address, { publication, onError: failed.resolve });
    await failed.promise;
    const status = feed.status();
    await feed.close();
    return status;
  };

  test("makes do with triggers, or is off where the role may not, and says why", async () => {
    const replica = await externalServer({ walLevel: "replica" });
    expect(await reasonOf(replica.address)).toMatchObject({
      source: "triggers",
      connected: true,
      reason: expect.stringMatching(
        /^wal_level of the server is replica; set it to logical and restart PostgreSQL. Triggers/,
      ),
    });
    await outsider(replica.address, `CREATE ROLE weak LOGIN`);
    const weak = replica.url.replace("operator", "weak");
    expect(await reasonOf({ kind: "url", url: weak })).toMatchObject({
      source: "off",
      reason: expect.stringMatching(/may not start replication .*REPLICATION/),
    });
    await replica.stop();
    expect(await reasonOf(replica.address)).toMatchObject({ source: "log", connected: false });
  });

  test("finds the server again after a restart", async () => {
    const server = await externalServer({ walLevel: "logical" });
    const feed = openFeed(server.address, { publication });
    const heard = record(feed);
    await heard.next();
    await server.kill();
    await server.start();
    expect(await heard.next()).toMatch(/connected/);
    await outsider(
      server.address,
      `CREATE TABLE t (id int PRIMARY KEY)`,
      `ALTER PUBLICATION ${publication} ADD TABLE t`,
    );
    await outsider(server.address, `INSERT INTO t VALUES (1)`);
    expect(await heard.changes()).toEqual([
      { table: "t", action: "create", before: null, after: { id: "1" } },
    ]);
    await feed.close();
    await server.stop();
  });
});
