/** Who may work out, group and search what: (caller, request) → status and answer. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";

setDefaultTimeout(60_000);

type Row = Record<string, unknown>;
type Query = Record<string, unknown>;

let app: TestApp;
/** Tokens by caller; `nobody` has no account. */
const tokens: Record<string, string | undefined> = {};
const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const count = { n: { function: "count", field: "*" } };
const of = (name: string, field: string) => ({ x: { function: name, field } });

beforeAll(async () => {
  app = await testApp();
  const admin = { token: app.admin };
  const post = async (path: string, body: unknown): Promise<Row> =>
    ((await app.ok("POST", path, body)).body ?? {}) as Row;
  const define = (collectionName: string, fields: object, more: object = {}) =>
    post("/schemas", {
      collectionName,
      schema: { name: "X", timestamps: false, fields: { id, ...fields }, ...more },
    });
  await define("teams", { name: { type: "String" }, budget: { type: "Integer" } });
  await define(
    "tasks",
    {
      title: { type: "String" },
      salary: { type: "Integer" },
      state: { type: "Enum", values: ["open", "done"] },
      due: { type: "Date" },
      memo: { type: "Text" },
    },
    { searchable: ["title", "memo"] },
  );
  await define("notes", { text: { type: "Text" }, points: { type: "Integer" }, secret: { type: "Text" } });
  await define("vault", { code: { type: "Text" } });
  const relate = (collection: string, name: string, target: string, alias: string) =>
    post(`/schemas/${collection}/relationships`, { type: "M2O", name, target, alias });
  await relate("tasks", "team", "teams", "tasks");
  await relate("notes", "task", "tasks", "notes");
  await relate("vault", "task", "tasks", "vaults");
  await post("/items/teams/bulk", [
    { name: "red", budget: 10 },
    { name: "blue", budget: 20 },
  ]);
  await post("/items/tasks/bulk", [
    {
      title: "paint the wall",
      salary: 100,
      state: "open",
      due: "2026-01-01",
      memo: "hidden paint",
      team_Id: 1,
    },
    {
      title: "wash the wall",
      salary: 200,
      state: "open",
      due: "2025-01-01",
      memo: "secret word",
      team_Id: 2,
    },
    { title: "paint the door", salary: 300, state: "done", due: "2024-01-01", memo: "nothing", team_Id: 2 },
  ]);
  await post("/items/notes/bulk", [
    { text: "red note", points: 1, secret: "s", task_Id: 1 },
    { text: "blue note", points: 5, secret: "s", task_Id: 2 },
    { text: "other", points: 50, secret: "s", task_Id: 3 },
    { text: "draft", points: null, secret: "s", task_Id: 1 },
  ]);
  await post("/items/vault", { code: "x", task_Id: 1 });

  const roles = (await app.call("GET", "/items/baasix_Role", admin)).body as {
    data: { id: string; name: string }[];
  };
  const permit = (role: string, collection: string, fields: unknown, conditions: unknown = null) =>
    post("/permissions", {
      role_Id: roles.data.find(({ name }) => name === role)?.id,
      collection,
      action: "read",
      fields,
      conditions,
    });
  // The role `user` sees open tasks without pay and memo, and notes that have points.
  await permit("user", "tasks", ["id", "title", "state", "due", "team_Id", "team.name"], { state: "open" });
  await permit("user", "notes", ["id", "text", "points", "task_Id"], { points: { isNotNull: true } });
  await permit("user", "baasix_File", ["id", "title", "folder"], { userCreated_Id: "$CURRENT_USER" });
  // The public sees titles of done tasks, and only those.
  await permit("public", "tasks", ["title"], { state: "done" });
  const ann = await app.signUp("ann@example.com");
  const bob = await app.signUp("bob@example.com");
  Object.assign(tokens, { admin: app.admin, user: ann.token });
  await outsider(
    app.address,
    `insert into "baasix_File" (title, filename, folder, description, size, "isPublic", "userCreated_Id") values
      ('mine', 'alpha.png', 'private', 'apple', 1, false, '${ann.id}'),
      ('shared by ann', 'beta.png', 'private', 'pear', 2, true, '${ann.id}'),
      ('shared by bob', 'gamma.png', 'private', 'apple', 4, true, '${bob.id}'),
      ('of bob', 'delta.png', 'private', 'apple', 8, false, '${bob.id}')`,
  );
});
afterAll(() => app.close());

/** `200 [rows] total`, or the status with code and message. */
async function ask(caller: string, collection: string, query: Query): Promise<string> {
  const text = Object.entries(query).map(([key, value]): [string, string] => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const token = tokens[caller];
  const answer = await app.call("GET", `/items/${collection}?${new URLSearchParams(text).toString()}`, {
    ...(token !== undefined && { token }),
  });
  const { data, totalCount, error } = answer.body as {
    data?: Row[];
    totalCount?: number;
    error?: { code: string; message: string };
  };
  if (error) return `${answer.status} ${error.code} ${error.message}`;
  return `${answer.status} ${JSON.stringify(data)} ${totalCount}`;
}

const refused = (field: string, collection: string, at: string) =>
  `403 FORBIDDEN ${at}: You don't have permission to read field '${field}' of '${collection}'`;
const noRight = (collection: string) =>
  `403 FORBIDDEN You don't have permission to read items in '${collection}'`;

describe("aggregates and groups", () => {
  const table: [caller: string, collection: string, query: Query, answer: string][] = [
    ["admin", "tasks", { aggregate: count }, '200 [{"n":3}] 1'],
    ["user", "tasks", { aggregate: count }, '200 [{"n":2}] 1'],
    ["nobody", "tasks", { aggregate: count }, '200 [{"n":1}] 1'],
    ["user", "vault", { aggregate: count }, noRight("vault")],
    ["nobody", "notes", { aggregate: count }, noRight("notes")],
    ["nobody", "vault", { aggregate: "{", groupBy: "nope" }, noRight("vault")],
    ["user", "baasix_Account", { aggregate: of("count", "password") }, noRight("baasix_Account")],
    [
      "admin",
      "baasix_Account",
      { aggregate: of("count", "password") },
      refused("password", "baasix_Account", "aggregate.x.field"),
    ],
    ["admin", "baasix_Account", { groupBy: "password" }, refused("password", "baasix_Account", "groupBy[0]")],
    [
      "admin",
      "baasix_Account",
      { search: "a", searchFields: "password" },
      refused("password", "baasix_Account", "searchFields[0]"),
    ],
    ["admin", "tasks", { aggregate: of("sum", "salary") }, '200 [{"x":600}] 1'],
    ...["count", "sum", "avg", "min", "max", "distinct", "array_agg"].map(
      (name): [string, string, Query, string] => [
        "user",
        "tasks",
        { aggregate: of(name, "salary") },
        refused("salary", "tasks", "aggregate.x.field"),
      ],
    ),
    ["nobody", "tasks", { aggregate: of("count", "id") }, refused("id", "tasks", "aggregate.x.field")],
    ["nobody", "tasks", { aggregate: of("array_agg", "title") }, '200 [{"x":["paint the door"]}] 1'],
    ["user", "tasks", { aggregate: count, groupBy: "memo" }, refused("memo", "tasks", "groupBy[0]")],
    ["user", "tasks", { groupBy: "salary" }, refused("salary", "tasks", "groupBy[0]")],
    ["nobody", "tasks", { groupBy: "date:year:due" }, refused("due", "tasks", "groupBy[0]")],
    [
      "user",
      "tasks",
      { groupBy: "date:year:due" },
      '200 [{"date:year:due":2025,"year_due":2025},{"date:year:due":2026,"year_due":2026}] 2',
    ],
    [
      "user",
      "tasks",
      { groupBy: "team.name" },
      '200 [{"team.name":"blue","team_name":"blue"},{"team.name":"red","team_name":"red"}] 2',
    ],
    ["user", "tasks", { groupBy: "team.budget" }, refused("budget", "teams", "groupBy[0]")],
    [
      "user",
      "tasks",
      { aggregate: of("sum", "team.budget") },
      refused("budget", "teams", "aggregate.x.field"),
    ],
    ["user", "tasks", { aggregate: of("max", "team.name") }, '200 [{"x":"red"}] 1'],
    ["nobody", "tasks", { groupBy: "team.name" }, refused("team", "tasks", "groupBy[0]")],
    ["nobody", "tasks", { groupBy: "team" }, refused("team_Id", "tasks", "groupBy[0]")],
    [
      "user",
      "tasks",
      { aggregate: count, filter: { salary: { gt: 1 } } },
      refused("salary", "tasks", "filter.salary.gt"),
    ],
    ["user", "tasks", { aggregate: count, filter: { title: { startsWith: "paint" } } }, '200 [{"n":1}] 1'],
    ["user", "tasks", { aggregate: count, having: { n: { gt: 1 } } }, '200 [{"n":2}] 1'],
    ["user", "tasks", { aggregate: { salary: count.n }, having: { salary: 2 } }, '200 [{"salary":2}] 1'],
    ["user", "tasks", { aggregate: count, having: { n: { eq: "$COL(salary)" } } }, "400"],
  ];
  test.each(table)("%s %s %j", async (caller, collection, query, answer) => {
    if (answer.length === 3) expect(await ask(caller, collection, query)).toStartWith(answer);
    else expect(await ask(caller, collection, query)).toBe(answer);
  });
});

describe("through lists the rows of the role are worked with, and no others", () => {
  const table: [caller: string, query: Query, answer: string][] = [
    ["admin", { aggregate: of("count", "notes.id") }, '200 [{"x":4}] 1'],
    ["user", { aggregate: of("count", "notes.id") }, '200 [{"x":2}] 1'],
    [
      "user",
      { aggregate: of("sum", "notes.points"), groupBy: "title" },
      '200 [{"title":"paint the wall","x":1},{"title":"wash the wall","x":5}] 2',
    ],
    [
      "user",
      { aggregate: { ...count, ...of("array_agg", "notes.text") } },
      '200 [{"n":2,"x":["red note","blue note"]}] 1',
    ],
    [
      "user",
      { aggregate: count, groupBy: "notes.points" },
      '200 [{"notes.points":1,"notes_points":1,"n":1},{"notes.points":5,"notes_points":5,"n":1}] 2',
    ],
    ["user", { aggregate: of("count", "notes.secret") }, refused("secret", "notes", "aggregate.x.field")],
    ["user", { groupBy: "notes.secret" }, refused("secret", "notes", "groupBy[0]")],
    ["user", { aggregate: of("count", "vaults.code") }, refused("vaults", "tasks", "aggregate.x.field")],
    ["nobody", { aggregate: of("count", "notes.id") }, refused("notes", "tasks", "aggregate.x.field")],
    // Back through the key: the tasks of the role's notes are again only those that it may see.
    ["user", { aggregate: of("distinct", "notes.task.title") }, '200 [{"x":2}] 1'],
    ["user", { aggregate: of("sum", "notes.task.salary") }, refused("salary", "tasks", "aggregate.x.field")],
  ];
  test.each(table)("%s %j", async (caller, query, answer) => {
    expect(await ask(caller, "tasks", query)).toBe(answer);
  });
  test("a row that may not be seen is as if there were none", async () => {
    expect(await ask("user", "notes", { aggregate: count, groupBy: "task.title" })).toBe(
      '200 [{"task.title":"paint the wall","task_title":"paint the wall","n":1},' +
        '{"task.title":"wash the wall","task_title":"wash the wall","n":1},' +
        '{"task.title":null,"task_title":null,"n":1}] 3',
    );
  });
});

describe("searches", () => {
  const table: [caller: string, collection: string, query: Query, answer: string][] = [
    ["admin", "tasks", { search: "paint", fields: "id" }, '200 [{"id":1},{"id":3}] 2'],
    ["admin", "tasks", { search: "secret", fields: "id" }, '200 [{"id":2}] 1'],
    ["user", "tasks", { search: "paint", fields: "id" }, '200 [{"id":1}] 1'],
    // The memo is in the index, but not for this role.
    ["user", "tasks", { search: "secret", fields: "id" }, "200 [] 0"],
    ["user", "tasks", { search: "hidden wall", fields: "id" }, "200 [] 0"],
    ["user", "tasks", { search: "wall", fields: "id" }, '200 [{"id":1},{"id":2}] 2'],
    ["user", "tasks", { search: "wall", fields: "id", sortByRelevance: "true" }, '200 [{"id":1},{"id":2}] 2'],
    ["user", "tasks", { search: "secret", fields: "id", count: "estimated" }, "200 [] 0"],
    ["user", "tasks", { search: "word", searchMode: "fuzzy", fields: "id" }, "200 [] 0"],
    ["user", "tasks", { search: "wal", searchMode: "fuzzy", fields: "id" }, '200 [{"id":1},{"id":2}] 2'],
    ["user", "tasks", { search: "paint", searchFields: "memo" }, refused("memo", "tasks", "searchFields[0]")],
    [
      "user",
      "tasks",
      { search: "1", searchFields: "title,salary" },
      refused("salary", "tasks", "searchFields[1]"),
    ],
    ["user", "tasks", { search: "wall", searchFields: "title", fields: "id" }, '200 [{"id":1},{"id":2}] 2'],
    ["nobody", "tasks", { search: "paint", fields: "title" }, '200 [{"title":"paint the door"}] 1'],
    ["nobody", "tasks", { search: "nothing" }, "200 [] 0"],
    ["nobody", "tasks", { search: "wall" }, "200 [] 0"],
    ["nobody", "notes", { search: "note" }, noRight("notes")],
    ["nobody", "vault", { search: "x", searchFields: "nope" }, noRight("vault")],
    ["user", "notes", { search: "s", fields: "id" }, "200 [] 0"],
    ["user", "tasks", { search: "paint", aggregate: count }, '200 [{"n":1}] 1'],
    ["user", "tasks", { search: "secret", aggregate: count }, '200 [{"n":0}] 1'],
    [
      "user",
      "tasks",
      { search: "paint", searchFields: "memo", aggregate: count },
      refused("memo", "tasks", "searchFields[0]"),
    ],
  ];
  test.each(table)("%s %s %j", async (caller, collection, query, answer) => {
    expect(await ask(caller, collection, query)).toBe(answer);
  });
});

describe("with several grants a field counts on the rows where one of them opens it", () => {
  // Ann may read the folder of her own files; everyone the file name and description of public ones.
  const table: [query: Query, answer: string][] = [
    [{ search: "alpha", fields: "title" }, "200 [] 0"],
    [{ search: "beta", fields: "title" }, '200 [{"title":"shared by ann"}] 1'],
    [{ search: "gamma", fields: "title" }, '200 [{"title":"shared by bob"}] 1'],
    [{ search: "delta", fields: "title" }, "200 [] 0"],
    [{ search: "apple", fields: "title" }, '200 [{"title":"shared by bob"}] 1'],
    [
      { search: "private", fields: "title", sort: "title" },
      '200 [{"title":"mine"},{"title":"shared by ann"}] 2',
    ],
    [
      { search: "private", searchFields: "folder", fields: "title", sort: "title" },
      '200 [{"title":"mine"},{"title":"shared by ann"}] 2',
    ],
    [
      { search: "privat", searchFields: "folder", searchMode: "fuzzy", fields: "title", sort: "title" },
      '200 [{"title":"mine"},{"title":"shared by ann"}] 2',
    ],
    [{ search: "aple", searchMode: "fuzzy", fields: "title" }, '200 [{"title":"shared by bob"}] 1'],
    [{ aggregate: count }, '200 [{"n":3}] 1'],
    [{ aggregate: of("count", "folder") }, '200 [{"x":2}] 1'],
    [{ aggregate: of("sum", "size") }, '200 [{"x":6}] 1'],
    [{ aggregate: of("distinct", "description") }, '200 [{"x":2}] 1'],
    [{ aggregate: count, groupBy: "folder" }, '200 [{"folder":"private","n":2},{"folder":null,"n":1}] 2'],
    [
      { aggregate: count, groupBy: "folder", having: { folder: "private" } },
      '200 [{"folder":"private","n":2}] 1',
    ],
    [{ aggregate: count, groupBy: "metadata" }, refused("metadata", "baasix_File", "groupBy[0]")],
  ];
  test.each(table)("%j", async (query, answer) => {
    expect(await ask("user", "baasix_File", query)).toBe(answer);
  });
});
