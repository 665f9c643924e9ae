/** What is all or nothing stays so: the server, and all of PostgreSQL with it, is killed amid imports and bulk writes. */
import { afterAll, describe, expect, test } from "bun:test";
import { type Api, api, connectIn, emptyFolder, postgresIn, serve, signIn } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
const env = { ADMIN_EMAIL: "a@example.com", ADMIN_PASSWORD: "correct-horse", RATE_LIMIT: "1000000" };
afterAll(folder.remove);

/** Rows of one import, and of one bulk. */
const [many, some] = [60_000, 1000];

const sizeOf = (batch: string): number => (batch.startsWith("import") ? many : some);

describe("kill -9 amid many rows", () => {
  test.each([
    ["the server and PostgreSQL", true],
    ["the server alone", false],
  ])("%s: each import and bulk is whole, or is not there", async (name, all) => {
    const first = await serve({ cwd, env });
    const token = await signIn(first.url, env.ADMIN_EMAIL, env.ADMIN_PASSWORD);
    await makeCollection(api(first.url, token));
    const file = Array.from({ length: many }, (_unused, i) => `import of ${name},${i}`).join("\n");
    const imported = fetch(`${first.url}/items/marks/import-csv`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "text/csv" },
      body: `batch,number\n${file}\n`,
    }).then(
      ({ status }) => status,
      () => null,
    );
    const acknowledged: string[] = [];
    let killing = false;
    const bulks = Array.from({ length: 2 }, async (_unused, writer) => {
      for (let n = 0; ; n++) {
        const batch = `${name} ${writer} ${n}`;
        const body = Array.from({ length: some }, (_none, number) => ({ batch, number }));
        // oxlint-disable-next-line no-await-in-loop
        const answer = await api(first.url, token)("POST", "/items/marks/bulk", body).catch(() => null);
        if (answer === null) return; // the server is gone
        // Between the two kills it says that its database is away.
        if (killing && answer.status === 503) return;
        expect(answer.status).toBe(201);
        acknowledged.push(batch);
      }
    });
    await amidImport(imported);
    const database = postgresIn(cwd);
    expect(database).toHaveLength(1);
    killing = true;
    if (all) for (const pid of database) process.kill(pid, "SIGKILL");
    await first.end("SIGKILL");
    await Promise.all(bulks);

    const second = await serve({ cwd, env });
    const again = api(second.url, await signIn(second.url, env.ADMIN_EMAIL, env.ADMIN_PASSWORD));
    const present = await countBatches(again, "marks", "batch");
    const { [`import of ${name}`]: whole = 0, ...rest } = present;
    expect((await imported) === 200 ? [many] : [0, many]).toContain(whole);
    expect(Object.entries(rest).filter(([batch, count]) => count !== sizeOf(batch))).toEqual([]);
    expect(acknowledged.filter((batch) => rest[batch] !== some)).toEqual([]);
    // The log of who changed what was written in the same transactions.
    const audited = await countBatches(again, "baasix_AuditLog", "entity", { action: "create" });
    expect(audited.marks ?? 0).toBe(Object.values(present).reduce((sum, count) => sum + count, 0));
    expect((await second.end("SIGTERM")).code).toBe(0);
    expect(postgresIn(cwd)).toEqual([]);
  });
});

/** Resolves when several batches of the import are written, and the next one is on its way; or when it is over. */
async function amidImport(imported: Promise<unknown>): Promise<void> {
  const sql = connectIn(cwd);
  const over = new AbortController();
  void imported.then(() => over.abort());
  const seen = new Set<unknown>();
  const between =
    "select query_start::text from pg_stat_activity where query like '%SAVEPOINT attempt%' and pid <> pg_backend_pid()";
  while (seen.size < 8 && !over.signal.aborted)
    for (const [start] of await sql.unsafe(between).values()) seen.add(start);
  await sql.end();
}

async function makeCollection(admin: Api): Promise<void> {
  const fields = {
    id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
    batch: { type: "String" },
    number: { type: "Integer" },
  };
  const { status } = await admin("POST", "/schemas", {
    collectionName: "marks",
    schema: { name: "Marks", fields },
  });
  expect([201, 409]).toContain(status);
}

async function countBatches(
  admin: Api,
  collection: string,
  field: string,
  filter: object = {},
): Promise<Record<string, number>> {
  const query = new URLSearchParams({
    groupBy: field,
    aggregate: JSON.stringify({ n: { function: "count", field: "*" } }),
    filter: JSON.stringify(filter),
    limit: "-1",
  });
  const { status, body } = await admin("GET", `/items/${collection}?${query}`);
  expect(status).toBe(200);
  const { data } = body as { readonly data: readonly Record<string, string | number>[] };
  return Object.fromEntries(data.map((group) => [String(group[field]), Number(group.n)]));
}
