/** A schema change that is cut off by kill -9: afterwards it was made whole or not at all. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Api, api, connectIn, emptyFolder, postgresIn, serve, signIn } from "./executable";

setDefaultTimeout(120_000);

const folder = emptyFolder();
const cwd = folder.path;
const env = { ADMIN_EMAIL: "a@example.com", ADMIN_PASSWORD: "correct-horse", LOGIN_RATE_LIMIT: "1000" };
afterAll(folder.remove);

const rows = 300_000;
const fields = {
  id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
  number: { type: "Integer" },
  text: { type: "Text" },
};
/** The same table after the change: every row is written anew, a field is called otherwise, another is new. */
const changed = {
  id: fields.id,
  value: { type: "BigInt" },
  text: fields.text,
  more: { type: "Enum", values: ["a"] },
};

/** What the definition says, and what the table is. */
async function state(
  call: Api,
): Promise<{ readonly defined: string; readonly table: string; readonly count: number }> {
  const { body } = await call("GET", "/schemas/numbers");
  const { data } = body as { data: { schema: { fields: Record<string, { type: string }> } } };
  const sql = connectIn(cwd);
  const columns = await sql
    .unsafe(
      `select attname, format_type(atttypid, atttypmod) from pg_attribute
      where attrelid = 'numbers'::regclass and attnum > 0 and not attisdropped`,
    )
    .values();
  const [count] = await sql
    .unsafe(
      `select count(*)::int, sum(${columns.some(([name]: string[]) => name === "value") ? "value" : "number"})::text from numbers`,
    )
    .values();
  const left = await sql
    .unsafe("select count(*)::int from pg_class where relname like 'pg_temp%' and relkind = 'r'")
    .values();
  await sql.end();
  expect(left).toEqual([[0]]);
  const types: Record<string, string> = { Integer: "integer", BigInt: "bigint", Text: "text", Enum: "text" };
  const text = (pairs: readonly (readonly [string, string | undefined])[]): string =>
    pairs
      .map(([name, type]) => `${name} ${type}`)
      .toSorted()
      .join();
  return {
    defined: text(Object.entries(data.schema.fields).map(([name, { type }]) => [name, types[type]])),
    table: text(columns as [string, string][]),
    count: count[0],
  };
}

const before = "id integer,number integer,text text";
const after = "id integer,more text,text text,value bigint";

test.each([
  ["the server and PostgreSQL", "ALTER TABLE", true],
  ["the server alone", "ALTER TABLE", false],
  ["the server and PostgreSQL, at the very end", 'insert into "baasix_SchemaDefinition"', true],
])("%s: tables and definitions agree", async (_, moment, all) => {
  const first = await serve({ cwd, env });
  const call = api(first.url, await signIn(first.url, env.ADMIN_EMAIL, env.ADMIN_PASSWORD));
  await call("DELETE", "/schemas/numbers");
  const made = await call("POST", "/schemas", {
    collectionName: "numbers",
    schema: { name: "Number", timestamps: false, realtime: false, fields },
  });
  expect(made.status).toBe(201);
  const sql = connectIn(cwd);
  await sql.unsafe(
    `insert into numbers (number, text) select n, repeat('x', 40) from generate_series(1, ${rows}) n`,
  );
  const change = call("PATCH", "/schemas/numbers", {
    schema: { name: "Number", timestamps: false, realtime: false, fields: changed },
    renames: { number: "value" },
  }).catch(() => null);
  // Told by the statement that runs, so that the blow falls in the middle of the change.
  const seen = `select 1 from pg_stat_activity where query ilike '${moment}%' and pid <> pg_backend_pid()`;
  const end = { isHere: false };
  void change.then(() => (end.isHere = true));
  while (!end.isHere && (await sql.unsafe(seen).values()).length === 0);
  if (all) for (const pid of postgresIn(cwd)) process.kill(pid, "SIGKILL");
  await first.end("SIGKILL");
  await sql.end().catch(() => undefined);
  const acknowledged = (await change)?.status === 200;

  const second = await serve({ cwd, env });
  const again = api(second.url, await signIn(second.url, env.ADMIN_EMAIL, env.ADMIN_PASSWORD));
  const { defined, table, count } = await state(again);
  expect(defined).toBe(table);
  expect([before, after]).toContain(table);
  if (acknowledged) expect(table).toBe(after);
  expect(count).toBe(rows);
  expect((await again("POST", "/items/numbers", { text: "next" })).status).toBe(201);
  if (table === before) {
    const repeated = await again("PATCH", "/schemas/numbers", {
      schema: { name: "Number", timestamps: false, realtime: false, fields: changed },
      renames: { number: "value" },
    });
    expect(repeated.status).toBe(200);
  }
  expect(await state(again)).toEqual({ defined: after, table: after, count: rows + 1 });
  expect((await second.end("SIGTERM")).code).toBe(0);
});
