import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { testApp, type TestApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";

type Row = { id: number; name: string | null; score: string | null; team: { name: string } | null };
type Page = { data: Row[]; totalCount?: number; nextCursor?: string | null; estimated?: boolean };

let app: TestApp;
const rows: { name: string | null; score: string | null; team_Id: number | null }[] = [];

beforeAll(async () => {
  app = await testApp();
  const token = app.admin;
  const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
  const define = (collectionName: string, fields: unknown) =>
    app.call("POST", "/schemas", {
      token,
      body: { collectionName, schema: { name: collectionName, timestamps: false, fields } },
    });
  await define("teams", { id: key, name: { type: "String" } });
  await define("things", {
    id: key,
    name: { type: "String" },
    score: { type: "Decimal", values: { precision: 20, scale: 5 } },
    at: { type: "DateTime" },
    done: { type: "Boolean" },
  });
  await app.call("POST", "/schemas/things/relationships", {
    token,
    body: { type: "M2O", name: "team", target: "teams", alias: "things", onDelete: "CASCADE" },
  });
  await app.call("POST", "/items/teams/bulk", {
    token,
    body: [{ name: "b" }, { name: "a" }, { name: null }],
  });
  for (let i = 0; i < 50; i++) {
    rows.push({
      name: i % 7 === 0 ? null : `n${i % 5}`,
      score: i % 4 === 0 ? null : `${(i * 37) % 11}.00000`,
      team_Id: i % 5 === 0 ? null : (i % 3) + 1,
    });
  }
  await app.call("POST", "/items/things/bulk", {
    token,
    body: rows.map((row, i) => ({
      ...row,
      done: i % 2 === 0,
      at: `2026-01-01T00:00:00.${String(i % 3).padStart(6, "0")}Z`,
    })),
  });
});
afterAll(() => app.close());

async function page(query: string, collection = "things"): Promise<Page> {
  const answer = await app.call("GET", `/items/${collection}?${query}`, { token: app.admin });
  if (answer.status !== 200) throw new Error(`${query}: ${answer.status} ${answer.text}`);
  return answer.body as Page;
}

describe("a walk by cursor gives every row once, in the order of one long list", () => {
  const sorts = [
    "",
    "id",
    "-id",
    "name",
    "-name",
    "score",
    "-score,name",
    "name,-score",
    "team.name",
    "-team.name,score",
    "at,-name",
    "done,-at",
  ];
  test.each(sorts)("sort=%s", async (sort) => {
    const whole = await page(`sort=${sort}&limit=1000&fields=id`);
    for (const limit of [7, 50, 60]) {
      const seen: number[] = [];
      for (let cursor: string | null = ""; cursor !== null;) {
        const part: Page = await page(`sort=${sort}&limit=${limit}&fields=id&cursor=${cursor}`);
        expect(part.totalCount).toBe(50);
        seen.push(...part.data.map((row) => row.id));
        cursor = part.nextCursor ?? null;
      }
      expect(seen).toEqual(whole.data.map((row) => row.id));
    }
  });
  test("with filters and expansions", async () => {
    const first = await page(
      'filter={"name":{"isNotNull":true}}&sort=-score&limit=3&cursor=&fields=id,team.name',
    );
    expect(first.data[0]).not.toHaveProperty("score");
    const second = await page(
      `filter={"name":{"isNotNull":true}}&sort=-score&limit=3&cursor=${first.nextCursor}&fields=id,team.name`,
    );
    const both = await page('filter={"name":{"isNotNull":true}}&sort=-score&limit=6&fields=id,team.name');
    expect([...first.data, ...second.data]).toEqual(both.data);
  });
  const refused: [string, string][] = [
    ["cursor=abc", "not a cursor"],
    [`cursor=${Buffer.from('["id",["x"]]').toString("base64url")}`, "cursor: expected a whole number"],
    [`cursor=${Buffer.from('["name",[1]]').toString("base64url")}`, "another sort order"],
    [`cursor=${Buffer.from('["id",[1,2]]').toString("base64url")}`, "not a cursor"],
    ["cursor=&page=2", "either cursor or page"],
    ["count=many", "exact, estimated or none"],
  ];
  test.each(refused)("%s is refused", async (query, message) => {
    const answer = await app.call("GET", `/items/things?${query}`, { token: app.admin });
    expect([answer.status, answer.text.includes(message)]).toEqual([400, true]);
  });
});

describe("totals", () => {
  test("none", async () =>
    expect(await page("count=none&limit=1&fields=id")).not.toHaveProperty("totalCount"));
  test("estimated: exact for those who do not see every row, as the guess is made from all of them", async () => {
    const roles = await app.call("GET", "/items/baasix_Role?filter[name]=public", { token: app.admin });
    const permission = {
      role_Id: (roles.body as { data: { id: string }[] }).data[0]?.id,
      collection: "things",
      action: "read",
      fields: ["*"],
      conditions: { done: true },
    };
    const made = await app.call("POST", "/permissions", { token: app.admin, body: permission });
    await outsider(app.address, "analyze things");
    const path = "/items/things?limit=0&count=estimated&filter[done]=false";
    expect((await app.call("GET", path)).body).toEqual({ data: [], totalCount: 0 });
    expect((await app.call("GET", path, { token: app.admin })).body).toMatchObject({ estimated: true });
    await app.call("DELETE", `/permissions/${(made.body as { id: string }).id}`, { token: app.admin });
  });
  test("estimated: exact where the page tells, else the planner's guess", async () => {
    expect(await page("count=estimated&fields=id")).toMatchObject({ totalCount: 50, estimated: true });
    await outsider(app.address, 'analyze "things"');
    expect(await page("count=estimated&limit=5&fields=id")).toMatchObject({
      totalCount: 50,
      estimated: true,
    });
  });
  test("a page that is not full needs no count", async () => {
    expect((await page("limit=30&page=2&fields=id")).totalCount).toBe(50);
    expect((await page("offset=49&fields=id")).totalCount).toBe(50);
    expect((await page("offset=50&fields=id")).totalCount).toBe(50);
    expect((await page('filter={"id":-1}')).totalCount).toBe(0);
  });
  test("are right after each write of this server, also those that cascade", async () => {
    const token = app.admin;
    const total = async () => (await page("limit=1&fields=id")).totalCount;
    const grouped = async () => (await page('filter={"team.name":"b"}&limit=1&fields=id')).totalCount;
    for (let round = 0; round < 3; round++) {
      expect(await total()).toBe(50);
      const before = Number(await grouped());
      const group = await app.call("POST", "/items/teams", { token, body: { name: "b" } });
      const { id } = (group.body as { data: { id: number } }).data;
      await app.call("POST", "/items/things/bulk", { token, body: [{ team_Id: id }, { team_Id: id }] });
      expect([await total(), await grouped()]).toEqual([52, before + 2]);
      await app.call("PATCH", `/items/teams/${id}`, { token, body: { name: "c" } });
      expect([await total(), await grouped()]).toEqual([52, before]);
      await app.call("DELETE", `/items/teams/${id}`, { token });
      expect([await total(), await grouped()]).toEqual([50, before]);
    }
  });
  test("are never behind on the server that writes, whatever runs at the same time", async () => {
    const token = app.admin;
    let written = 0;
    const writer = async () => {
      for (let i = 0; i < 20; i++) {
        await app.call("POST", "/items/teams", { token, body: { name: "race" } });
        written++;
        // The answer to the write was given: every list that begins now counts it.
        const least = written;
        const seen = Number((await page('filter={"name":"race"}&limit=1&fields=id', "teams")).totalCount);
        expect(seen).toBeGreaterThanOrEqual(least);
      }
    };
    const reader = async () => {
      for (let i = 0; i < 60; i++) await page('filter={"name":"race"}&limit=1&fields=id', "teams");
    };
    await Promise.all([writer(), writer(), writer(), reader(), reader()]);
    expect((await page('filter={"name":"race"}&limit=1&fields=id', "teams")).totalCount).toBe(60);
  });
  test("take up what others write, when the log tells it", async () => {
    const before = Number((await page("limit=1&fields=id", "teams")).totalCount);
    const told = Promise.withResolvers<void>();
    const stop = app.feed.onChanges(
      () => told.resolve(),
      (table) => table === "teams",
    );
    await outsider(app.address, `insert into "teams" ("name") values ('outside')`);
    await told.promise;
    stop();
    expect((await page("limit=1&fields=id", "teams")).totalCount).toBe(before + 1);
  });
  test("take up what others write where the log tells nothing of it", async () => {
    const fields = { id: { type: "Integer", primaryKey: true } };
    const schema = { name: "Quiet", realtime: false, timestamps: false, fields };
    await app.call("POST", "/schemas", { token: app.admin, body: { collectionName: "quiet", schema } });
    const writes = {
      quiet: "insert into quiet values (1), (2)",
      baasix_AuditLog: `insert into "baasix_AuditLog" (entity, "entityId", action, changes) values ('x', '1', 'create', '{}'), ('x', '2', 'create', '{}')`,
    };
    for (const [collection, write] of Object.entries(writes)) {
      const before = Number((await page("limit=0", collection)).totalCount);
      await outsider(app.address, write);
      expect([collection, (await page("limit=0", collection)).totalCount]).toEqual([collection, before + 2]);
    }
  });
});

describe("export", () => {
  const call = (query: string, token = app.admin) => app.call("GET", `/items/things?${query}`, { token });
  beforeAll(async () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({
      name: i === 0 ? "=1+1" : `x,"${i}"`,
      score: "-1.5",
    }));
    for (let i = 0; i < 3; i++)
      await app.call("POST", "/items/things/bulk", { token: app.admin, body: many });
  });
  test("ndjson and json hold every row, in order, with the fields of a list read", async () => {
    const list = await page("sort=-id&limit=3&fields=id,team.name");
    const lines = (await call("export=ndjson&sort=-id&fields=id,team.name")).text.trimEnd().split("\n");
    expect(lines).toHaveLength(3050);
    expect(lines.slice(0, 3).map((line) => JSON.parse(line))).toEqual(list.data);
    const json = await call("export=json&sort=-id&fields=id,team.name");
    expect(json.body).toEqual(lines.map((line) => JSON.parse(line)));
    expect((await call("export=ndjson&limit=1500")).text.trimEnd().split("\n")).toHaveLength(1500);
    expect((await call("export=ndjson&limit=-1")).text.trimEnd().split("\n").length).toBeGreaterThan(1500);
    expect((await call('export=json&filter={"id":-1}')).body).toEqual([]);
    for (const limit of ["limit[a]=x", "limit[]=5", "limit=-2", "limit=five"])
      expect((await call(`export=json&${limit}`)).status).toBe(400);
  });
  test("csv quotes, and neutralises what a spreadsheet would run", async () => {
    const { text, headers } = await call(
      'export=csv&fields=name,score,team&filter={"name":{"startsWith":"="}}',
    );
    expect(text.split("\n").slice(0, 2)).toEqual(["name,score,team", "'=1+1,-1.50000,"]);
    expect(headers.get("content-disposition")).toBe('attachment; filename="things.csv"');
    expect((await call('export=csv&fields=name&filter={"name":"x,\\"5\\""}&limit=1')).text).toBe(
      'name\n"x,""5"""\n',
    );
  });
  test("is refused like a read", async () => {
    const user = await app.signUp("export@example.com");
    for (const [query, token, status] of [
      ["export=ndjson", user.token, 403],
      ["export=ndjson&limit=0", user.token, 403],
      ["export=ndjson&limit=abc", app.admin, 400],
      ["export=xml", app.admin, 400],
      ["export=csv&fields=nope", app.admin, 400],
    ] as const) {
      expect((await call(query, token)).status).toBe(status);
    }
  });
  test("of accounts without the role of administrators leave room for others, however long they take", async () => {
    const { data: roles } = (
      await app.call("GET", "/items/baasix_Role?filter[name]=user", { token: app.admin })
    ).body as { data: { id: string }[] };
    const body = { role_Id: roles[0]?.id, collection: "things", action: "read", fields: ["*"] };
    await app.call("POST", "/permissions", { token: app.admin, body });
    const user = await app.signUp("exports@example.com");
    const locks = async (condition: string): Promise<void> => {
      const query = `select 1 from pg_locks where relation = 'things'::regclass and ${condition}`;
      while ((await outsider(app.address, query)).length === 0);
    };
    const holder = outsider(
      app.address,
      "begin",
      "lock table things",
      "do $$ begin for i in 1..3000 loop exit when exists (select from teams where name = 'enough'); perform pg_sleep(0.01); end loop; end $$",
      "commit",
    );
    await locks("mode = 'AccessExclusiveLock' and granted");
    const held = Array.from({ length: 3 }, () => call("export=ndjson&limit=1", user.token));
    await locks("not granted");
    const other = await app.call("GET", "/items/teams?export=ndjson", { token: app.admin });
    await app.call("POST", "/items/teams", { token: app.admin, body: { name: "enough" } });
    await holder;
    expect(other.status).toBe(200);
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });
  test("ends with the connection", async () => {
    const url = app.listen();
    const response = await fetch(`${url}/items/things?export=ndjson`, {
      headers: { authorization: `Bearer ${app.admin}` },
    });
    const reader = response.body?.getReader();
    const chunk = await reader?.read();
    expect(chunk?.done).toBe(false);
    await reader?.cancel();
    expect((await page("limit=0")).totalCount).toBe(3050);
  });
});

// Last, as it deletes what the others read.
describe("remembered totals", () => {
  test("are those of the rows at any moment, after any writes in any order", async () => {
    const token = app.admin;
    for (const collection of ["teams", "things"]) {
      for (;;) {
        const body = (await page("limit=-1&fields=id", collection)).data.map(({ id }) => id);
        if (body.length === 0) break;
        await app.call("DELETE", `/items/${collection}/bulk`, { token, body });
      }
    }
    // What the server should hold, kept beside it. Deleting a team deletes its things.
    const teams = new Map<number, string>();
    const things = new Map<number, { done: boolean; team: number | null }>();
    const make = async (collection: string, body: object) =>
      ((await app.call("POST", `/items/${collection}`, { token, body })).body as { data: { id: number } })
        .data.id;
    const pick = <T>(from: ReadonlyMap<number, T>, n: number) => [...from.keys()][n % Math.max(1, from.size)];
    type Step = readonly [kind: "team" | "thing" | "done" | "rename" | "dropThing" | "dropTeam", n: number];
    const act = async ([kind, n]: Step): Promise<void> => {
      const [thing, team] = [pick(things, n), pick(teams, n)];
      if (kind === "team") teams.set(await make("teams", { name: `t${n % 2}` }), `t${n % 2}`);
      else if (kind === "thing") {
        const row = { done: n % 3 === 0, team: n % 4 === 0 ? null : (team ?? null) };
        things.set(await make("things", { done: row.done, team_Id: row.team }), row);
      } else if (kind === "rename" && team !== undefined) {
        teams.set(team, `t${n % 3}`);
        await app.call("PATCH", `/items/teams/${team}`, { token, body: { name: `t${n % 3}` } });
      } else if (kind === "dropTeam" && team !== undefined) {
        teams.delete(team);
        for (const [id, row] of things) if (row.team === team) things.delete(id);
        await app.call("DELETE", `/items/teams/${team}`, { token });
      } else if (kind === "done" && thing !== undefined) {
        things.set(thing, { done: n % 2 === 0, team: things.get(thing)?.team ?? null });
        await app.call("PATCH", `/items/things/${thing}`, { token, body: { done: n % 2 === 0 } });
      } else if (kind === "dropThing" && thing !== undefined) {
        things.delete(thing);
        await app.call("DELETE", `/items/things/${thing}`, { token });
      }
    };
    const totals = async () =>
      Promise.all(
        ["{}", '{"done":true}', '{"team.name":"t0"}', '{"NOT":{"team.name":"t1"}}'].map(
          async (filter) => (await page(`filter=${filter}&limit=1&fields=id`)).totalCount,
        ),
      );
    const expected = () => {
      const rows = [...things.values()];
      const name = ({ team }: { team: number | null }) => (team === null ? null : (teams.get(team) ?? null));
      return [
        rows.length,
        rows.filter(({ done }) => done).length,
        rows.filter((row) => name(row) === "t0").length,
        rows.filter((row) => name(row) !== null && name(row) !== "t1").length,
      ];
    };
    const step = fc.tuple(
      fc.constantFrom("team", "thing", "thing", "done", "rename", "dropThing", "dropTeam"),
      fc.nat(50),
    ) as fc.Arbitrary<Step>;
    const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      for (const one of steps) {
        await act(one);
        expect(await totals()).toEqual(expected());
      }
    });
    await fc.assert(property, { numRuns: 15, endOnFailure: true });
  });
});
