import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Actor } from "../core/access/actor";
import { AppError } from "../core/errors";
import type { LoggedChange, RowText } from "../core/query/view";
import type { PermissionRow } from "../core/access/rules";
import { compileChanges } from "../core/schema/ddl";
import { storedSchema } from "../core/schema/define";
import { diffSchemas } from "../core/schema/diff";
import type { Schema } from "../core/schema/model";
import { type Database, type DatabaseAddress, openDatabase } from "../platform/postgres";
import { adminOf, blogSchema, rulesFor, userOf } from "../testing/blog";
import { outsider, testDatabase, type TestDatabase } from "../testing/postgres";
import { createJudge, type JudgeOptions, markOf, type View } from "./judge";
import type { Snapshot } from "./snapshot";

const admin = adminOf("0");
const anonymous: Actor = { kind: "anonymous" };

/** The accounts of the two authors. */
const accounts = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] as const;

/** A row of `posts` as the log tells it. */
const post = (columns: RowText = {}): RowText => ({
  id: "1",
  title: "Hello",
  price: "1.50",
  views: "9007199254740993",
  secret: "s3cret",
  published: "t",
  at: "2026-11-20 12:00:00.123456+00",
  author_Id: "1",
  ...columns,
});
const created = (after: RowText): LoggedChange => ({ action: "create", before: null, after });
const updated = (before: RowText, after: RowText): LoggedChange => ({ action: "update", before, after });
const deleted = (before: RowText): LoggedChange => ({ action: "delete", before, after: null });

let place: TestDatabase;
let database: Database;

/** The tables of the schema, and two authors with comments. */
async function prepare(address: DatabaseAddress): Promise<void> {
  const empty: Schema = storedSchema([]);
  const steps = compileChanges(diffSchemas(empty, blogSchema), { published: false });
  await outsider(
    address,
    "create function baasix_suid() returns text language sql as $$ select 'x' $$",
    ...steps.map(({ statement }) => statement.text),
    `insert into authors (id, name, mail, account) values (1, 'Ann', 'ann@x', '${accounts[0]}'), (2, 'Bob', 'bob@x', '${accounts[1]}')`,
    `insert into "baasix_User" (id, email, "firstName", "emailVerified", status) values ('${accounts[0]}', 'ann@x', 's3', true, 'active')`,
    `insert into posts (id, title, "author_Id") values (1, 'Hello', 1)`,
    `insert into comments (id, text, approved, "post_Id") values (1, 'yes', true, 1), (2, 'no', false, 1)`,
  );
}

beforeAll(async () => {
  place = await testDatabase(prepare);
  database = await openDatabase(place.address, { shortPool: 4, slowPool: 1 });
}, 60_000);
afterAll(async () => {
  await database?.close();
  await place?.drop();
});

type Permission = Partial<PermissionRow> & Pick<PermissionRow, "collection" | "action">;

function judgeWith(
  permissions: readonly Permission[],
  now = Date.parse("2026-11-20T12:00:00Z"),
  options: JudgeOptions = {},
) {
  const snapshot: Snapshot = { schema: blogSchema, rules: rulesFor(permissions), version: 1 } as Snapshot;
  return createJudge({ database, snapshot: () => snapshot, now: () => now }, options);
}

/** Verdicts as sentences: `create {…}`, `update {…}`, `delete {…}`, or nothing. */
async function told(
  permissions: readonly Permission[],
  request: { filter?: unknown; fields?: unknown },
  change: LoggedChange,
  actor: Actor = userOf("1"),
): Promise<string> {
  const judge = judgeWith(permissions);
  const { verdicts, failures, untold } = await judge.judge(
    [judge.open(actor, { collection: "posts", ...request })],
    [change],
  );
  if (failures.size > 0) throw [...failures.values()][0];
  if (untold) return "untold";
  const [verdict] = verdicts;
  if (!verdict) return "nothing";
  const { gone, now } = verdict;
  if (gone !== null && now !== null) return `update ${now}`;
  return now === null ? `delete ${gone}` : `create ${now}`;
}

const everything: Permission = { collection: "posts", action: "read" };
const published: Permission = { ...everything, conditions: { published: { eq: true } } };
const mine: Permission = {
  ...everything,
  conditions: { author_Id: { cast: "text", eq: "$CURRENT_USER" } },
};
const ofAnn: Permission = { ...everything, conditions: { "author.name": { eq: "Ann" } } };
const title = { fields: ["title"] };
const draft = post({ published: "f" });
const { title: _, ...untitled } = post({ price: "3.00" });

describe("what a change means to a view", () => {
  type Case = readonly [
    name: string,
    permission: Permission,
    request: { filter?: unknown; fields?: unknown },
    change: LoggedChange,
    told: string,
  ];
  const cases: readonly Case[] = [
    ["a new row", everything, title, created(post()), 'create {"id":1,"title":"Hello"}'],
    [
      "a changed row",
      everything,
      title,
      updated(post(), post({ title: "New" })),
      'update {"id":1,"title":"New"}',
    ],
    ["a deleted row, by its key alone", everything, {}, deleted(post()), 'delete {"id":1}'],
    ["a new row outside the right", published, title, created(draft), "nothing"],
    [
      "a row that comes into the right",
      published,
      title,
      updated(draft, post()),
      'create {"id":1,"title":"Hello"}',
    ],
    ["a row that leaves the right", published, title, updated(post(), draft), 'delete {"id":1}'],
    ["a change outside the right", published, title, updated(draft, { ...draft, title: "x" }), "nothing"],
    ["a row deleted outside the right", published, {}, deleted(draft), "nothing"],
    [
      "a row that comes into the filter",
      everything,
      { ...title, filter: { price: { gte: 2 } } },
      updated(post(), post({ price: "2.00" })),
      'create {"id":1,"title":"Hello"}',
    ],
    [
      "a row that leaves the filter but not the right",
      published,
      { filter: { price: { lt: 2 } } },
      updated(post(), post({ price: "2.00" })),
      'delete {"id":1}',
    ],
    ["one's own row", mine, title, created(post()), 'create {"id":1,"title":"Hello"}'],
    [
      "a row that passes to another owner",
      mine,
      title,
      updated(post(), post({ author_Id: "2" })),
      'delete {"id":1}',
    ],
    ["a row of an unknown owner", mine, title, created(post({ author_Id: null })), "nothing"],
    ["a condition on a related row", ofAnn, title, created(post()), 'create {"id":1,"title":"Hello"}'],
    ["a related row that does not meet it", ofAnn, title, created(post({ author_Id: "2" })), "nothing"],
    [
      "readable fields alone, although all were asked for",
      { ...everything, fields: ["id", "title", "published"] },
      { fields: ["*"] },
      created(post()),
      'create {"id":1,"title":"Hello","published":true}',
    ],
    [
      "every type as a read shows it",
      everything,
      {},
      created(post()),
      'create {"id":1,"title":"Hello","price":"1.50","views":"9007199254740993","secret":"s3cret","published":true,' +
        '"at":"2026-11-20T12:00:00.123456+00:00","author_Id":1}',
    ],
    [
      "text that is no plain ASCII",
      everything,
      title,
      created(post({ title: 'a"b\\c\n\u00e9\ud83d\ude00' })),
      'create {"id":1,"title":"a\\"b\\\\c\\n\u00e9\ud83d\ude00"}',
    ],
    [
      "a large column that did not change is taken from the old row",
      everything,
      title,
      updated(post(), untitled),
      'update {"id":1,"title":"Hello"}',
    ],
    [
      "an old row that is not known",
      everything,
      {},
      { ...updated(post(), post()), before: { id: "1" } },
      "untold",
    ],
    ["a deleted row of which the key alone is known", everything, {}, deleted({ id: "1" }), "untold"],
    ["a row from before a field was added", everything, {}, created({ id: "1", title: "Hello" }), "untold"],
  ];
  test.each(cases)("%s", async (_name, permission, request, change, expected) => {
    expect(await told([permission], request, change)).toBe(expected);
  });

  const known = "create";
  type Filtered = readonly [filter: object, told: string];
  const filters: readonly Filtered[] = [
    [{ title: { ne: "$COL(secret)" } }, known],
    [{ title: { eq: "$COL(secret)" } }, "nothing"],
    [{ "author.name": { ne: "$COL(author.mail)" } }, known],
    [{ title: { eq: "$COL(author.name)" } }, "nothing"],
    [{ views: { cast: "text", startsWith: "9007" } }, known],
    [{ at: { cast: "date", eq: "2026-11-20" } }, known],
    [{ NOT: { "author.name": "Bob" } }, known],
    [{ NOT: { "comments.text": "yes" } }, "nothing"],
    [{ secret: { notIn: ["$CURRENT_USER", "x"] } }, known],
    [{ at: { between: ["$NOW-HOURS_1", "$NOW+HOURS_1"] } }, known],
    [{ secret: { ne: "$CURRENT_USER.email" } }, known],
    [{ secret: { startsWith: "$CURRENT_USER.firstName" } }, known],
    [{ "author.account": { in: "$CURRENT_USER.userRoles.user_Id" } }, "nothing"],
    [{ NOT: { "author.account": { in: ["$CURRENT_USER.userRoles.user_Id"] } } }, known],
    [{ secret: { ne: "$CURRENT_TENANT" } }, "nothing"],
    [{ NOT: { secret: "$CURRENT_TENANT" } }, "nothing"],
  ];
  test.each(filters)("the filter %j", async (filter, expected) => {
    const judge = judgeWith([{ ...everything, conditions: filter as never }]);
    const view = judge.open(userOf(accounts[0]), { collection: "posts", ...title });
    const { verdicts, failures } = await judge.judge([view], [created(post())]);
    expect([...failures.values()]).toEqual([]);
    expect(verdicts.length === 0 ? "nothing" : "create").toBe(expected);
  });

  test("related rows are expanded, with their own rights", async () => {
    const permissions: readonly Permission[] = [
      everything,
      { collection: "authors", action: "read", fields: ["id", "name"] },
      { collection: "comments", action: "read", conditions: { approved: { eq: true } } },
    ];
    const fields = ["title", "author.*", "comments.text"];
    expect(await told(permissions, { fields }, created(post()))).toBe(
      'create {"id":1,"title":"Hello","author":{"id":1,"name":"Ann"},"comments":[{"text":"yes","id":1}]}',
    );
  });

  test("softly deleted rows have left", async () => {
    const judge = judgeWith([{ collection: "comments", action: "read" }]);
    const view = judge.open(userOf("1"), { collection: "comments", fields: ["text"] });
    const row = { id: "1", text: "hi", approved: "t", post_Id: "1", deletedAt: null };
    const gone = { ...row, deletedAt: "2026-11-20 12:00:00+00" };
    const { verdicts } = await judge.judge(
      [view],
      [updated(row, gone), deleted(gone), updated(gone, row), updated(gone, gone)],
    );
    expect(verdicts).toEqual([
      { view: 0, change: 0, gone: '{"id":1}', now: null, old: null },
      { view: 0, change: 2, gone: null, now: '{"id":1,"text":"hi"}', old: null },
    ]);
  });

  test("variables of time are judged at the time of the change", async () => {
    const permissions = [{ ...everything, conditions: { at: { gt: "$NOW-HOURS_1" } } }];
    const change = created(post());
    for (const [time, count] of [
      ["2026-11-20T12:30:00Z", 1],
      ["2026-11-20T13:30:00Z", 0],
    ] as const) {
      const judge = judgeWith(permissions, Date.parse(time));
      const view = judge.open(userOf("1"), { collection: "posts" });
      expect((await judge.judge([view], [change])).verdicts).toHaveLength(count);
    }
  });
});

describe("views", () => {
  test("are equal when the same rows are shown in the same way, whoever asks", () => {
    const judge = judgeWith([mine, { ...published, collection: "authors", conditions: null }]);
    const key = (actor: Actor, request: object) => judge.open(actor, { collection: "posts", ...request }).key;
    expect(key(userOf("1"), {})).toBe(key(userOf("1"), { fields: ["*"] }));
    expect(key(userOf("1"), {})).not.toBe(key(userOf("2"), {}));
    expect(key(admin, {})).not.toBe(key(userOf("1"), {}));
    const text = (actor: Actor) => judge.open(actor, { collection: "posts" }).statement.text;
    expect(text(userOf("1"))).toBe(text(userOf("2")));
  });

  test("of many users are judged in one statement, each with its own parameters", async () => {
    const statements: string[] = [];
    const snapshot = { schema: blogSchema, rules: rulesFor([mine]), version: 1 } as Snapshot;
    const counted: Database = {
      ...database,
      run: (statement, options) => (statements.push(statement.text), database.run(statement, options)),
    };
    const judge = createJudge({ database: counted, snapshot: () => snapshot, now: Date.now });
    const views: View[] = [];
    for (let id = 0; id < 300; id++)
      views.push(judge.open(userOf(String(id)), { collection: "posts", ...title }));
    const changes = [
      created(post({ author_Id: "7" })),
      updated(post({ author_Id: "7" }), post({ author_Id: "299" })),
    ];
    expect((await judge.judge(views, changes)).verdicts).toEqual([
      { view: 7, change: 0, gone: null, now: '{"id":1,"title":"Hello"}', old: null },
      { view: 7, change: 1, gone: '{"id":1}', now: null, old: null },
      { view: 299, change: 1, gone: null, now: '{"id":1,"title":"Hello"}', old: null },
    ]);
    expect(statements).toHaveLength(1);
  });

  test("that cannot be judged do not keep the others from it", async () => {
    // The id of a user is compared with a UUID: for a user whose id is none, PostgreSQL refuses.
    const judge = judgeWith([{ ...everything, conditions: { "author.account": { eq: "$CURRENT_USER" } } }]);
    const views = [accounts[0], "x", accounts[1]].map((id) =>
      judge.open(userOf(id), { collection: "posts", ...title }),
    );
    const { verdicts, failures } = await judge.judge(views, [
      created(post()),
      created(post({ author_Id: "2" })),
    ]);
    expect(verdicts.map(({ view, change }) => [view, change])).toEqual([
      [0, 0],
      [2, 1],
    ]);
    expect([...failures.keys()]).toEqual([views[1] as View]);
  });

  test("that take too long are given up together, and the quick ones are judged before them", async () => {
    const rights = [everything, { collection: "comments", action: "read" }] as const;
    const judge = judgeWith(rights, undefined, { patience: 700 });
    const slow = Array.from({ length: 6 }, (_, n) => ({
      OR: Array.from({ length: n + 1 }, () => ({ "comments.text": "x" })),
    }));
    const views = [...slow, { title: "Hello" }].map((filter) =>
      judge.open(userOf("1"), { collection: "posts", filter, ...title }),
    );
    expect((await judge.judge(views, [created(post())])).failures.size).toBe(0);
    await database.transaction(async (runner) => {
      await runner.run({ text: "lock table comments in access exclusive mode", params: [] });
      // Three run at a time, in whatever order they were measured: two times teach which of the six are slow.
      for (let time = 0; time < 2; time++) {
        // oxlint-disable-next-line no-await-in-loop
        await judge.judge(views, [created(post())]);
      }
      const { verdicts, failures } = await judge.judge(views, [created(post())]);
      expect(verdicts.map(({ view }) => view)).toEqual([6]);
      expect([...failures.values()].map(({ code }) => code)).toEqual(slow.map(() => "TIMEOUT"));
    });
  });

  test("many changes keep their order", async () => {
    const judge = judgeWith([everything]);
    const changes = Array.from({ length: 1203 }, (_, n) => created(post({ id: String(n) })));
    const { verdicts } = await judge.judge([judge.open(userOf("1"), { collection: "posts" })], changes);
    expect(verdicts.map(({ change }) => change)).toEqual(changes.map((_, n) => n));
  });

  type Refusal = readonly [name: string, actor: Actor, request: object, code: string, message: RegExp];
  const refusals: readonly Refusal[] = [
    ["an unknown collection", userOf("1"), { collection: "nope" }, "UNKNOWN_COLLECTION", /nope/],
    [
      "a collection without a right",
      userOf("1"),
      { collection: "comments" },
      "FORBIDDEN",
      /read items in 'comments'/,
    ],
    ["anyone without a right", anonymous, { collection: "posts" }, "FORBIDDEN", /read items in 'posts'/],
    [
      "anyone without a right, of fields",
      anonymous,
      { collection: "posts", fields: ["secre"] },
      "FORBIDDEN",
      /read items in 'posts'/,
    ],
    ["an unknown field", userOf("1"), { collection: "posts", fields: ["titel"] }, "UNKNOWN_FIELD", /'title'/],
    [
      "an unreadable field",
      userOf("1"),
      { collection: "posts", fields: ["secret"] },
      "FORBIDDEN",
      /'secret'/,
    ],
    [
      "a filter on an unreadable field",
      userOf("1"),
      { collection: "posts", filter: { secret: "x" } },
      "FORBIDDEN",
      /'secret'/,
    ],
    [
      "an unknown operator",
      userOf("1"),
      { collection: "posts", filter: { title: { eqq: 1 } } },
      "UNKNOWN_OPERATOR",
      /eqq/,
    ],
    [
      "a value of a wrong type",
      userOf("1"),
      { collection: "posts", filter: { id: "x" } },
      "INVALID_VALUE",
      /filter\.id/,
    ],
    ["a key that may not be read", userOf("1"), { collection: "authors" }, "FORBIDDEN", /'id' of 'authors'/],
  ];
  test.each(refusals)("are refused: %s", (_name, actor, request, code, message) => {
    const judge = judgeWith([
      { ...everything, fields: ["id", "title", "published"] },
      { collection: "authors", action: "read", fields: ["name"] },
    ]);
    try {
      judge.open(actor, request as { collection: string });
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      expect((error as AppError).code as string).toBe(code);
      expect((error as AppError).message).toMatch(message);
      return;
    }
    throw new Error("accepted");
  });
});

describe("views that other rows decide", () => {
  const rights = [ofAnn, { collection: "authors", action: "read" }] as const;
  const sql = (...statements: string[]) => outsider(place.address, ...statements);
  const change = (id: string, author: string): LoggedChange => {
    const row = post({ id, author_Id: author, title: "as it was logged" });
    return { action: "update", before: row, after: row };
  };

  test("are told what is in them now, by the keys of what changed", async () => {
    await sql(`insert into posts (id, title, "author_Id") values (71, 'a', 1), (72, 'b', 2), (73, 'c', 1)`);
    const judge = judgeWith(rights);
    const views = [judge.open(userOf("1"), { collection: "posts", ...title })];
    const { sights, failures, untold } = await judge.look(views, [
      change("71", "2"),
      change("72", "1"),
      change("74", "1"),
      change("71", "1"),
    ]);
    expect([failures.size, untold]).toEqual([0, false]);
    expect(sights).toEqual([
      { view: 0, change: 1, key: "72", gone: '{"id":72}', now: null },
      { view: 0, change: 2, key: "74", gone: '{"id":74}', now: null },
      { view: 0, change: 3, key: "71", gone: '{"id":71}', now: '{"id":71,"title":"a"}' },
    ]);
    await sql("delete from posts where id > 70");
  });

  test("are read whole, with the texts of those whose marks are not known", async () => {
    await sql(
      `insert into posts (id, title, "author_Id") values (81, 'ä "a"', 1), (82, 'b', 2), (83, 'd', 1)`,
    );
    const judge = judgeWith(rights);
    const view = judge.open(userOf("1"), { collection: "posts", ...title, filter: { id: { gt: 80 } } });
    const started = Date.now();
    const first = await judge.survey(view, null);
    const texts = { 81: '{"id":81,"title":"ä \\"a\\""}', 83: '{"id":83,"title":"d"}' };
    expect([...(first?.rows ?? [])]).toEqual([
      ["81", { json: '{"id":81}', mark: markOf(texts[81]), text: null }],
      ["83", { json: '{"id":83}', mark: markOf(texts[83]), text: null }],
    ]);
    expect(first?.at).toBeGreaterThanOrEqual(started - 1_000);
    const second = await judge.survey(view, [
      ["81", markOf(texts[81])],
      ["83", "another"],
    ]);
    expect([...(second?.rows.values() ?? [])].map(({ text }) => text)).toEqual([null, texts[83]]);
    await sql(
      `insert into posts (id, title, "author_Id") select n, 't', 1 from generate_series(1000, 6000) n`,
    );
    expect(await judge.survey(view, null)).toBeNull();
    await sql("delete from posts where id > 70");
  });
});
