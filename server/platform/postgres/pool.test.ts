import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AppError } from "../../core/errors";
import { externalServer, outsider, testDatabase, type TestDatabase } from "../../testing/postgres";
import type { Database, DatabaseAddress, Runner } from "./database";
import { openDatabase } from "./pool";
import { sqlState } from "./sqlstate";
import { StartError } from "./start-error";

const sql = (text: string, ...params: (string | null)[]) => ({ text, params });

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await testDatabase();
  await outsider(
    database.address,
    `CREATE TABLE people (id int PRIMARY KEY, "firstName" text UNIQUE, age int NOT NULL CHECK (age > 0), UNIQUE (id, age))`,
    `CREATE TABLE pets (id int PRIMARY KEY, owner_id int REFERENCES people(id),
       keeper_id int REFERENCES people(id) ON DELETE RESTRICT, code varchar(3))`,
    `INSERT INTO people VALUES (1, 'Ada', 36), (2, 'Bob', 40)`,
    `INSERT INTO pets VALUES (1, 1, NULL, 'abc'), (2, NULL, 2, 'x')`,
    `CREATE UNIQUE INDEX ON pets (lower(code), id)`,
    `CREATE FUNCTION deny() RETURNS int LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'Not for you' USING errcode = 'BX403'; END $$`,
  );
  db = await openDatabase(database.address, { shortPool: 2, slowPool: 2 });
});

afterAll(async () => {
  await db.close();
  await database.drop();
});

/** A statement that lasts until it is ended. */
async function lasting() {
  const other = await openDatabase(database.address, { shortPool: 1, slowPool: 1 });
  const [held, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holder = other.transaction(async (tx) => {
    await tx.run(sql("SELECT pg_advisory_xact_lock(78)"));
    held.resolve();
    await over.promise;
  });
  await held.promise;
  const end = async (): Promise<void> => {
    over.resolve();
    await holder;
    await other.close();
  };
  return { statement: sql("SELECT pg_advisory_xact_lock_shared(78)"), end };
}

/** The statements with a mark that run. */
const running = (address: DatabaseAddress, mark: string): Promise<unknown[]> =>
  outsider(
    address,
    `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%${mark}%' AND state = 'active' AND pid <> pg_backend_pid()`,
  );

describe("run", () => {
  test("gives rows as arrays in the order of the select list", async () => {
    const rows = await db.run(sql(`SELECT "firstName", age FROM people WHERE id = $1::int`, "1"));
    expect(rows.map((row) => [...row])).toEqual([["Ada", 36]]);
  });

  test.each([
    ["uuid", "0190b1c2-0000-7000-8000-000000000001"],
    ["int8", "9007199254740993"],
    ["numeric", "1.10"],
    ["float8", "1.5"],
    ["bool", "true"],
    ["date", "2024-02-29"],
    ["timestamptz", "2024-02-03 04:05:06.123456+00"],
    ["time", "01:02:03"],
    ["text", `{"a": 1}`],
    ["text[]", `{a,"b,c",NULL}`],
    ["uuid[]", "{0190b1c2-0000-7000-8000-000000000001}"],
    ["numeric[]", "{1.10}"],
    ["text::jsonb", `{"a": [1, "x"]}`],
    ["bytea", "\\x0102"],
  ])("binds the text of a %s as it is", async (type, text) => {
    const [row] = await db.run(sql(`SELECT ($1::${type})::text, ($2::${type}) IS NULL`, text, null));
    expect([...(row ?? [])]).toEqual([text, true]);
  });

  test("speaks UTC, ISO dates and the public schema", async () => {
    const [row] = await db.run(
      sql("SELECT current_setting('TimeZone'), current_setting('DateStyle'), current_setting('search_path')"),
    );
    expect([...(row ?? [])]).toEqual(["UTC", "ISO, MDY", "public"]);
  });

  test("never queues behind a slow statement while a connection is free", async () => {
    const { statement, end } = await lasting();
    const slow = db.run(statement);
    // One that stood behind it would wait for its end.
    const quick = Array.from({ length: 20 }, (_, i) => db.run(sql(`SELECT ${i}`)));
    expect((await Promise.all(quick)).flat(2)).toEqual(quick.map((_, i) => i));
    await end();
    await slow;
  });

  test("keeps the pools apart", async () => {
    const { statement, end } = await lasting();
    const slow = [1, 2].map(() => db.run(statement, { pool: "slow" }));
    expect(await db.run(sql("SELECT 1"))).toEqual([[1]]);
    await end();
    await Promise.all(slow);
  });

  test("cancels on the server when the caller gives up, and when its own time is over", async () => {
    const controller = new AbortController();
    const ending = db.run(sql("SELECT pg_sleep(30), 'marked'"), { signal: controller.signal });
    ending.catch(() => {}); // awaited below
    while ((await running(database.address, "marked")).length === 0);
    controller.abort();
    await expect(ending).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect(db.run(sql("SELECT pg_sleep(30), 'marked'"), { timeout: 10 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    await expect(db.run(sql("SELECT 1"), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    await db.transaction(async () => {}).catch(() => {});
    expect(await running(database.address, "marked")).toEqual([]);
    expect((await db.run(sql("SELECT 1"))).length).toBe(1);
  });

  const table: [string, string, string | RegExp, object | null][] = [
    [
      `INSERT INTO people VALUES (3, 'Ada', 1)`,
      "UNIQUE_VIOLATION",
      /^people\.firstName: /,
      { fields: ["firstName"] },
    ],
    [`INSERT INTO people VALUES (1, 'Zoe', 36)`, "UNIQUE_VIOLATION", /^people\.id: /, { fields: ["id"] }],
    [`INSERT INTO pets VALUES (1, NULL, NULL, 'ABC')`, "UNIQUE_VIOLATION", /^pets/, { collection: "pets" }],
    [`UPDATE pets SET id = 2, code = 'X' WHERE id = 1`, "UNIQUE_VIOLATION", /^pets/, { collection: "pets" }],
    [`INSERT INTO people VALUES (3, 'Eve', NULL)`, "REQUIRED_FIELD", /^people\.age: /, { fields: ["age"] }],
    [
      `INSERT INTO people VALUES (3, 'Eve', -4)`,
      "VALIDATION_ERROR",
      /people_age_check/,
      { collection: "people" },
    ],
    [
      `INSERT INTO pets VALUES (3, 99)`,
      "FOREIGN_KEY_VIOLATION",
      /^pets\.owner_id: .*not exist/,
      { fields: ["owner_id"] },
    ],
    [
      `DELETE FROM people WHERE id = 1`,
      "FOREIGN_KEY_VIOLATION",
      /still referred to by pets/,
      { collection: "pets" },
    ],
    [
      `DELETE FROM people WHERE id = 2`,
      "FOREIGN_KEY_VIOLATION",
      /still referred to by pets/,
      { collection: "pets" },
    ],
    [`SELECT 'secret'::uuid`, "INVALID_VALUE", "A value is not valid for the type uuid.", { type: "uuid" }],
    [
      `SELECT 'secret'::int`,
      "INVALID_VALUE",
      "A value is not valid for the type integer.",
      { type: "integer" },
    ],
    [`SELECT '99999999999'::int`, "INVALID_VALUE", /integer/, { type: "integer" }],
    [`INSERT INTO pets VALUES (4, NULL, NULL, 'secret')`, "INVALID_VALUE", /character varying\(3\)/, {}],
    [`SELECT '2024-13-45'::date`, "INVALID_VALUE", /ISO 8601/, null],
    [`SELECT 'secret'::timestamptz`, "INVALID_VALUE", /ISO 8601/, null],
    [`SELECT 1/0`, "INVALID_VALUE", /zero/, null],
    [`SELECT deny()`, "FORBIDDEN", "Not for you", null],
    [`SELECT * FROM nowhere`, "INTERNAL_ERROR", "Something went wrong in the database.", null],
    [`DROP INDEX people_pkey`, "CONFLICT", /depends/, null],
  ];
  test.each(table)("%s is %s", async (text, code, message, details) => {
    const error = await db.run(sql(text)).catch((error) => error);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    if (details) expect(error.details).toMatchObject(details);
    expect(`${error.message}${JSON.stringify(error.details)}`).not.toMatch(/secret|Ada|99999999999/);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test("a NUL in a text is INVALID_VALUE", async () => {
    await expect(db.run(sql("SELECT $1::text", "a\u0000b"))).rejects.toMatchObject({ code: "INVALID_VALUE" });
  });
});

describe("a statement with a long text", () => {
  const own =
    "SELECT pg_backend_pid(), count(*) FILTER (WHERE statement LIKE '%long one%') FROM pg_prepared_statements";
  const long = sql(`${own} /* long one ${"x".repeat(9000)} */`);
  test("is not kept prepared, and leaves the short pool alone", async () => {
    const short = new Set(
      (
        await Promise.all(
          Array.from({ length: 20 }, () => db.run(sql("SELECT pg_backend_pid(), pg_sleep(0.01)"))),
        )
      ).map((rows) => rows[0]?.[0]),
    );
    for (let i = 0; i < 5; i++) {
      const [row] = await db.run(long);
      expect([short.has(row?.[0]), row?.[1]]).toEqual([false, "0"]);
    }
  });
  test("has the time of the short pool", async () => {
    await expect(
      db.run(sql(`SELECT pg_sleep(20) /* ${"x".repeat(9000)} */`), { timeout: 300 }),
    ).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});

test("guests leave half of the pool to others, however many they are", async () => {
  const { statement, end } = await lasting();
  const guests = Array.from({ length: 8 }, () => db.run(statement, { guest: true }));
  // Others are served while the first guests still have the places that guests may have.
  for (let i = 0; i < 5; i++) expect(await db.run(sql("SELECT 1"))).toEqual([[1]]);
  await end();
  await Promise.all(guests);
});

test("guests leave half of what is there for transactions to others, too", async () => {
  const four = await openDatabase(database.address, { shortPool: 4, slowPool: 1 });
  try {
    const over = Promise.withResolvers<void>();
    const guests = Array.from({ length: 8 }, () => four.transaction(() => over.promise, { guest: true }));
    const others = [
      four.transaction((tx) => tx.run(sql("SELECT 1"))),
      four.run(sql("SELECT 1"), { guest: true }),
    ];
    expect(await Promise.all(others).finally(() => over.resolve())).toEqual([[[1]], [[1]]]);
    await Promise.all(guests);
  } finally {
    await four.close();
  }
});

test("transactions and long statements leave half of the pool to single short ones, however many they are", async () => {
  const four = await openDatabase(database.address, { shortPool: 4, slowPool: 1 });
  try {
    const over = Promise.withResolvers<void>();
    const holding = [
      ...Array.from({ length: 8 }, () => four.transaction(() => over.promise)),
      ...Array.from({ length: 8 }, () => four.run(sql("SELECT 2"), { long: true })),
    ];
    expect(await four.run(sql("SELECT 1"))).toEqual([[1]]);
    over.resolve();
    await Promise.all(holding);
  } finally {
    await four.close();
  }
});

test("long statements leave some of the places to transactions", async () => {
  const ten = await openDatabase(database.address, { shortPool: 10, slowPool: 1 });
  try {
    const [held, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holder = ten.transaction(async (tx) => {
      await tx.run(sql("SELECT pg_advisory_xact_lock(77)"));
      held.resolve();
      await over.promise;
    });
    await held.promise;
    const waiting = sql("SELECT pg_advisory_xact_lock_shared(77)");
    const bulks = Array.from({ length: 12 }, () => ten.run(waiting, { long: true }));
    expect(await ten.transaction((tx) => tx.run(sql("SELECT 1")))).toEqual([[1]]);
    over.resolve();
    await holder;
    await Promise.all(bulks);
  } finally {
    await ten.close();
  }
});

describe("transaction", () => {
  const ages = async () => (await db.run(sql("SELECT age FROM people ORDER BY id"))).map(([age]) => age);
  const setAge = (runner: Runner, id: string, age: string) =>
    runner.run(sql("UPDATE people SET age = $2::int WHERE id = $1::int", id, age));

  test("commits when the work resolves, rolls back when it throws", async () => {
    await db.transaction((tx) => setAge(tx, "1", "37"));
    expect(await ages()).toEqual([37, 40]);
    const failing = db.transaction(async (tx) => {
      await setAge(tx, "1", "99");
      throw new Error("changed my mind");
    });
    await expect(failing).rejects.toThrow("changed my mind");
    expect(await ages()).toEqual([37, 40]);
  });

  test("is not reported as done when a failed statement's error was swallowed", async () => {
    const result = db.transaction(async (tx) => {
      await setAge(tx, "1", "50");
      await tx.run(sql("SELECT 1/0")).catch(() => {});
    });
    await expect(result).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
    expect(await ages()).toEqual([37, 40]);
  });

  test("refuses statements after its end", async () => {
    let leaked: Runner | undefined;
    await db.transaction(async (tx) => {
      leaked = tx;
    });
    await expect(leaked?.run(sql("SELECT 1"))).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });

  test("runs again after a deadlock, so that both sides succeed", async () => {
    const both = Promise.withResolvers<void>();
    let arrived = 0;
    let attempts = 0;
    const swap = (first: string, second: string) =>
      db.transaction(async (tx) => {
        attempts++;
        await setAge(tx, first, "51");
        if (++arrived === 2) both.resolve();
        await both.promise;
        await setAge(tx, second, "51");
      });
    await Promise.all([swap("1", "2"), swap("2", "1")]);
    expect(await ages()).toEqual([51, 51]);
    expect(attempts).toBeGreaterThan(2);
  });

  test("waits its turn, and gives its connection back", async () => {
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        db.transaction(async (tx) => (await tx.run(sql(`SELECT ${i}`)))[0]?.[0]),
      ),
    );
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe("an external server", () => {
  test("is lost and found again without a restart of ours", async () => {
    const server = await externalServer();
    const changes: (string | null)[] = [];
    const seen = { lost: Promise.withResolvers<void>(), back: Promise.withResolvers<void>() };
    const remote = await openDatabase(server.address, {
      shortPool: 3,
      slowPool: 1,
      onError: (error) => {
        changes.push(error === null ? null : "lost");
        (error === null ? seen.back : seen.lost).resolve();
      },
    });
    expect(remote.version).toMatch(/^15\./);
    expect(remote.healthy()).toBe(true);

    // One killed connection is no loss of the database.
    const ended = remote.run(sql("SELECT pg_sleep(30)"));
    ended.catch(() => {}); // awaited below, after it may have ended
    while ((await running(server.address, "pg_sleep(30)")).length === 0);
    await outsider(
      server.address,
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()",
    );
    await expect(ended).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect((await remote.run(sql("SELECT 1"))).length).toBe(1);
    expect(changes).toEqual([]);

    const inFlight = remote.run(sql("SELECT pg_sleep(30)"));
    inFlight.catch(() => {});
    await server.kill();
    await seen.lost.promise;
    await expect(inFlight).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(remote.healthy()).toBe(false);
    await expect(remote.run(sql("SELECT 1"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(remote.transaction(async () => {})).rejects.toMatchObject({ code: "UNAVAILABLE" });

    await server.start();
    await seen.back.promise;
    expect(remote.healthy()).toBe(true);
    expect((await remote.run(sql("SELECT 1"))).length).toBe(1);
    expect(await remote.transaction(async () => "fine")).toBe("fine");
    expect(changes).toEqual(["lost", null]);
    await remote.close();
    await server.stop();
  });

  test("a statement whose time is up before it has a connection was cancelled, and does no harm", async () => {
    const server = await externalServer();
    const url = new URL(server.url);
    const [host, port] = [url.hostname, Number(url.port)];
    // New connections say nothing until they are let through.
    const [open, isOpen] = [Promise.withResolvers<void>(), { now: true }];
    const proxy = createServer((client) => {
      const behind = connect(port, host);
      let held: (string | Uint8Array)[] | null = isOpen.now ? null : [];
      void open.promise.then(() => {
        for (const bytes of held ?? []) behind.write(bytes);
        held = null;
      });
      client.on("data", (bytes) => void (held ? held.push(bytes) : behind.write(bytes)));
      behind.on("data", (bytes) => void client.write(bytes));
      for (const socket of [client, behind]) {
        socket.on("error", () => socket.destroy());
        socket.on("close", () => void [client, behind].map((one) => one.destroy()));
      }
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    url.port = String((proxy.address() as AddressInfo).port);
    const remote = await openDatabase({ kind: "url", url: url.href }, { shortPool: 3, slowPool: 1 });
    isOpen.now = false;
    await outsider(
      server.address,
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'baasix'",
    );
    const late = () =>
      remote.run(sql("select 1"), { timeout: 150 }).catch((error: unknown) => error as AppError);
    let told = await late();
    // Until the driver has heard of it.
    while ("code" in told && told.code === "UNAVAILABLE") told = await late();
    expect(told).toMatchObject({ code: "TIMEOUT" });
    expect(sqlState(told)).toBe("57014");
    open.resolve();
    expect(await remote.run(sql("select $1::text", "4"))).toEqual([["4"]]);
    await remote.close();
    proxy.close();
    await server.stop();
  });

  test("that cannot be used is one line without the password", async () => {
    const server = await externalServer({ password: "open sesame" });
    const good = server.url;
    const right = await openDatabase({ kind: "url", url: good }, { shortPool: 1, slowPool: 1 });
    await right.close();
    const table: [string, RegExp][] = [
      [
        `postgres://u:hunter2@127.0.0.1:1/x`,
        /^cannot reach PostgreSQL at 127\.0\.0\.1:1 \(DATABASE_URL\): nothing/,
      ],
      [`postgres://u:hunter2@no.such.host.invalid/x`, /no\.such\.host\.invalid:5432 .*is not known$/],
      [good.replace("open%20sesame", "hunter2"), /refused the connection: password authentication failed/],
      [good.replace(/app$/, "nowhere"), /database "nowhere" does not exist$/],
      [`${good}?sslmode=require`, /cannot reach .* SSL$/],
    ];
    for (const [url, message] of table) {
      const error = await openDatabase({ kind: "url", url }, { shortPool: 1, slowPool: 1 }).catch(
        (error) => error,
      );
      expect(error).toBeInstanceOf(StartError);
      expect(error.message).toMatch(message);
      expect(error.message).not.toMatch(/hunter2|sesame|\n/);
    }
    await server.stop();
  });
});
