/** `baasix schema`, as it is typed, against a server that runs: the model of one server becomes that of another. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Api,
  api,
  baasix,
  converse,
  emptyFolder,
  type Ended,
  serve,
  type Served,
  signIn,
} from "./executable";

setDefaultTimeout(120_000);

const folder = emptyFolder();
const account = { ADMIN_EMAIL: "a@example.com", ADMIN_PASSWORD: "correct-horse" };
const servers: Served[] = [];

/** A server in a folder of its own, and a way to call it and the program on it. */
async function start(name: string) {
  const cwd = join(folder.path, name);
  mkdirSync(cwd, { mode: 0o711 });
  const server = await serve({ cwd, env: account });
  servers.push(server);
  const token = await signIn(server.url, account.ADMIN_EMAIL, account.ADMIN_PASSWORD);
  const call: Api = api(server.url, token);
  const run = (...words: readonly string[]): Promise<Ended> =>
    baasix(["schema", ...words, "--url", server.url], { cwd: folder.path, env: { BAASIX_TOKEN: token } });
  const onTerminal = (answer: string, ...words: readonly string[]) =>
    converse(["schema", ...words, "--url", server.url], [["[y/N] ", answer]], {
      cwd: folder.path,
      env: { BAASIX_TOKEN: token },
    });
  return { call, run, onTerminal };
}

let one: Awaited<ReturnType<typeof start>>;
let two: Awaited<ReturnType<typeof start>>;
const file = join(folder.path, "model.json");

beforeAll(async () => {
  [one, two] = [await start("one"), await start("two")];
  await one.call("POST", "/schemas", {
    collectionName: "rooms",
    schema: { name: "Room", fields: { name: { type: "String" }, size: { type: "Integer" } } },
  });
  await one.call("POST", "/schemas/rooms/relationships", {
    type: "M2O",
    name: "keeper",
    target: "baasix_User",
    alias: "rooms",
  });
  const { body } = await one.call("POST", "/items/baasix_Role?fields=id", {
    name: "guide",
    description: "Shows rooms",
  });
  const { data } = body as { readonly data: { readonly id: string } };
  await one.call("POST", "/permissions", {
    role_Id: data.id,
    collection: "rooms",
    action: "read",
    fields: ["name"],
    conditions: { size: { gt: 5 } },
  });
});
afterAll(async () => {
  for (const server of servers) await server.end("SIGTERM");
  folder.remove();
});

describe("the model of one server", () => {
  test("export writes it, the same whenever nothing has changed", async () => {
    const done = await one.run("export", "-o", file);
    expect([done.code, done.err]).toEqual([0, ""]);
    expect(done.out).toMatch(/^Wrote .*model\.json \(2 collections, 4 roles\)\n$/);
    const text = readFileSync(file, "utf8");
    expect(text).not.toMatch(/timestamp|createdAt|password/);
    expect((await one.run("export")).out).toBe(text);
    const same = await one.run("diff", file);
    expect([same.code, same.out]).toEqual([0, "The server is what the file says\n"]);
  });

  test("diff tells another server apart, exit 4", async () => {
    const { code, out } = await two.run("diff", file);
    expect(code).toBe(4);
    expect(out).toContain("+ rooms\n");
    expect(out).toContain("+ baasix_User.rooms\n");
    expect(out).toContain("+ role guide: +rooms:read\n");
    const json = await two.run("diff", file, "--json");
    expect(json.code).toBe(4);
    expect(JSON.parse(json.out)).toMatchObject({ same: false, roles: [{ role: "guide", isNew: true }] });
  });

  test("apply plans, refuses without --yes (exit 3), and does it", async () => {
    const dry = await two.run("apply", file, "--dry-run");
    expect([dry.code, dry.out]).toEqual([0, expect.stringContaining("createCollection rooms\n")]);
    const unasked = await two.run("apply", file);
    expect([unasked.code, unasked.err]).toEqual([
      3,
      "baasix: this changes the server; repeat it with --yes\n",
    ]);
    expect((await two.call("GET", "/schemas/rooms")).status).toBe(404);
    const done = await two.run("apply", file, "--yes", "--json");
    expect([done.code, JSON.parse(done.out)]).toEqual([0, expect.objectContaining({ applied: true })]);
    const after = await two.run("diff", file);
    expect([after.code, after.out]).toEqual([0, "The server is what the file says\n"]);
    expect((await two.run("apply", file, "--yes")).out).toBe(
      "Nothing to do: the server is what the file says\n",
    );
    expect((await two.run("export")).out).toBe(readFileSync(file, "utf8"));
  });

  test("what is not in the file stays, unless --prune; data is lost with --force alone", async () => {
    await two.call("POST", "/items/rooms", { name: "hall", size: 9 });
    await two.call("POST", "/schemas", { collectionName: "extras", schema: { name: "E", fields: {} } });
    const model = JSON.parse(readFileSync(file, "utf8"));
    for (const { collectionName, schema } of model.schemas)
      if (collectionName === "rooms") delete schema.fields.size;
    for (const role of model.roles) for (const one of role.permissions) one.conditions = null;
    const smaller = join(folder.path, "smaller.json");
    writeFileSync(smaller, JSON.stringify(model));
    const kept = await two.run("apply", smaller, "--yes");
    expect([kept.code, kept.out]).toEqual([0, "~ role guide: ~rooms:read\nApplied\n"]);
    const differing = await two.run("diff", smaller);
    expect([differing.code, differing.out]).toEqual([4, "- rooms.size\n- extras\n"]);
    const refused = await two.run("apply", smaller, "--yes", "--prune");
    expect([refused.code, refused.err]).toEqual([
      1,
      "baasix: data would be lost; repeat it with --force to accept that\n",
    ]);
    expect(refused.out).toContain("dropField rooms.size (loses the values of 'size')");
    const pruned = await two.run("apply", smaller, "--yes", "--prune", "--force");
    expect(pruned.code).toBe(0);
    expect((await two.run("diff", smaller)).code).toBe(0);
  });

  test("apply asks a person first", async () => {
    await two.call("POST", "/schemas/rooms/fields/name/rename", { to: "title" });
    const refused = await two.onTerminal("n\r", "apply", file);
    expect([refused.code, refused.shown]).toEqual([1, expect.stringContaining("nothing was changed")]);
    expect(refused.shown).toContain("addField rooms.name");
    expect((await two.run("diff", file)).code).toBe(4);
    const done = await two.onTerminal("y\r", "apply", file, "--prune", "--force");
    expect([done.code, done.shown]).toEqual([0, expect.stringContaining("Applied")]);
    expect((await two.run("diff", file)).code).toBe(0);
  });

  test("says what is wrong with a file, an option or a login", async () => {
    writeFileSync(join(folder.path, "bad.json"), "{");
    writeFileSync(join(folder.path, "none.json"), "{}");
    expect(await two.run("diff", "bad.json")).toMatchObject({
      code: 2,
      err: "baasix: bad.json is no JSON\n",
    });
    expect((await two.run("diff", "none.json")).err).toContain("holds no list 'schemas'");
    expect((await two.run("diff", "nowhere.json")).code).toBe(2);
    expect((await two.run("apply")).code).toBe(2);
    const model = {
      schemas: [{ collectionName: "x", schema: { name: "x", fields: { a: { type: "Nonsense" } } } }],
    };
    writeFileSync(join(folder.path, "wrong.json"), JSON.stringify(model));
    const wrong = await two.run("apply", "wrong.json", "--yes");
    expect([wrong.code, wrong.err]).toEqual([
      1,
      expect.stringContaining("schemas[0].schema.fields.a.type: unknown type"),
    ]);
  });
});
