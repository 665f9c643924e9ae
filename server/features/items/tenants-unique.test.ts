/** What is unique within a tenant at every door that writes, and what is remembered of one tenant and not told in another. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Answer } from "../../testing/app";
import { openTwoTenants, type TwoTenants } from "../../testing/two-tenants";

setDefaultTimeout(60_000);

type Json = Record<string, unknown>;

let scene: TwoTenants;
beforeAll(async () => {
  scene = await openTwoTenants();
});
afterAll(() => scene.close());

const idOf = (answer: Answer): string => String((answer.body as { data?: { id?: string } }).data?.id);
const form = (name: string, text: string): FormData => {
  const made = new FormData();
  made.append(name, new File([text], name === "csvFile" ? "notes.csv" : "notes.json"));
  return made;
};
const note = (text: string): Json => ({ text, code: "same", kind: "k", number: 7 });

/** Each door makes, or makes of another note, one with the unique values of `note`. */
const doors: readonly (readonly [string, (caller: "ann" | "bob") => Promise<Answer>])[] = [
  ["POST", (caller) => scene.as(caller, "POST /items/notes", note("POST"))],
  ["POST bulk", (caller) => scene.as(caller, "POST /items/notes/bulk", [{ text: "x" }, note("bulk")])],
  [
    "PATCH",
    async (caller) => {
      const other = idOf(await scene.as(caller, "POST /items/notes", { text: "other" }));
      return scene.as(caller, `PATCH /items/notes/${other}`, note("PATCH"));
    },
  ],
  [
    "PATCH bulk",
    async (caller) => {
      const id = idOf(await scene.as(caller, "POST /items/notes", { text: "other" }));
      return scene.as(caller, "PATCH /items/notes/bulk", [{ id, ...note("bulk") }]);
    },
  ],
  [
    "PATCH by filter",
    async (caller) => {
      await scene.as(caller, "POST /items/notes", { text: "other" });
      return scene.as(caller, "PATCH /items/notes", { filter: { text: "other" }, data: note("by filter") });
    },
  ],
  [
    "PUT by filter",
    (caller) => scene.as(caller, "PUT /items/notes", { filter: { text: "none such" }, data: note("PUT") }),
  ],
  [
    "POST inside a folder",
    (caller) =>
      scene.as(caller, "POST /items/folders", {
        name: `folder ${crypto.randomUUID()}`,
        notes: [note("inside")],
      }),
  ],
  [
    "a transaction",
    (caller) =>
      scene.as(caller, "POST /transaction", {
        operations: [{ action: "create", collection: "notes", data: note("transaction") }],
      }),
  ],
  [
    "an import of CSV",
    (caller) =>
      scene.as(
        caller,
        "POST /items/notes/import-csv",
        form("csvFile", "text,code,kind,number\ncsv,same,k,7\n"),
      ),
  ],
  [
    "an import of JSON",
    (caller) =>
      scene.as(caller, "POST /items/notes/import-json", form("jsonFile", JSON.stringify([note("json")]))),
  ],
];

describe("unique values", () => {
  beforeEach(() => scene.empty());

  test.each(doors)("%s", async (_name, write) => {
    await scene.make(
      "notes",
      { ...note("of A"), tenant_Id: scene.A },
      { ...note("of none"), tenant_Id: null },
    );
    // Of another tenant, and of none: nobody hears of them.
    const fine = await write("bob");
    expect([fine.status < 300, fine.text]).toEqual([true, fine.text]);
    const refused = await write("ann");
    expect([400, 409]).toContain(refused.status);
    expect(refused.text).toMatch(/code|another row has/);
    expect(refused.text).not.toContain("tenant");
    const made = (await scene.everything("notes")).filter(({ code }) => code === "same");
    expect(made.map(({ tenant_Id }) => tenant_Id).toSorted()).toEqual([scene.A, scene.B, null].toSorted());
  });

  test("are told by their fields", async () => {
    await scene.as("ann", "POST /items/notes", note("one"));
    const { id: _id, ...both } = note("two") as Json & { id?: string };
    const one = await scene.as("ann", "POST /items/notes", both);
    expect([one.status, (one.body as { error: Json }).error.details]).toMatchObject([
      409,
      { fields: ["code"] },
    ]);
    const two = await scene.as("ann", "POST /items/notes", { ...both, code: "another" });
    expect((two.body as { error: Json }).error.details).toMatchObject({ fields: ["kind", "number"] });
  });

  test.each([
    ["code", { code: "u", text: "new" }],
    ["kind,number", { kind: "u", number: 1, text: "new" }],
  ])("name the item of an upsert in its tenant: on %s", async (on, data) => {
    const { text: _text, ...values } = data as Json;
    await scene.make(
      "notes",
      ...[scene.A, scene.B, null].map((tenant_Id) => ({ ...values, text: "old", tenant_Id })),
    );
    const texts = async (): Promise<Json> =>
      Object.fromEntries(
        (await scene.everything("notes")).map(({ tenant_Id, text }) => [String(tenant_Id), text]),
      );
    const put = (caller: "ann" | "stan" | "root", more: Json = {}) =>
      scene.as(caller, "PUT /items/notes", { on: on.split(","), data: { ...data, ...more } });
    expect((await put("ann")).status).toBe(200);
    expect(await texts()).toEqual({ [scene.A]: "new", [scene.B]: "old", null: "old" });
    expect((await put("root", { text: "of nobody" })).status).toBe(200);
    expect(await texts()).toEqual({ [scene.A]: "new", [scene.B]: "old", null: "of nobody" });
    expect((await put("stan", { text: "of B", tenant_Id: scene.B })).status).toBe(200);
    expect(await texts()).toEqual({ [scene.A]: "new", [scene.B]: "of B", null: "of nobody" });
    expect(await scene.everything("notes")).toHaveLength(3);
  });

  test("of many writers at once one makes the item of a tenant", async () => {
    const wishes = ["ann", "bob", "ann", "bob", "ann", "bob", "ann", "bob"] as const;
    const answers = await Promise.all(
      wishes.map((caller) => scene.as(caller, "PUT /items/notes", { on: "code", data: note("raced") })),
    );
    expect(answers.map(({ status }) => status).filter((status) => status === 201)).toHaveLength(2);
    expect(answers.every(({ status }) => status < 300)).toBe(true);
    expect(await scene.everything("notes")).toHaveLength(2);
  });

  test("rows of a junction are joined within the tenant", async () => {
    const [tag = ""] = await scene.make("tags", { name: "t", tenant_Id: scene.A });
    const made = idOf(await scene.as("ann", "POST /items/notes", { text: "x", tags: [{ tags: tag }] }));
    const again = await scene.as("ann", `PATCH /items/notes/${made}`, { tags: { connect: [tag] } });
    expect([again.status, again.text]).toEqual([200, again.text]);
    expect(await scene.everything("notes_tags_junction")).toHaveLength(1);
  });
});

describe("places in an order", () => {
  test("are moved among the items of the tenant", async () => {
    await scene.empty();
    const make = async (caller: "ann" | "bob", text: string): Promise<string> =>
      idOf(await scene.as(caller, "POST /items/notes", { text }));
    const mine = [await make("ann", "1"), await make("ann", "2")];
    const theirs = await make("bob", "b");
    mine.push(await make("ann", "3"));
    const before = (await scene.everything("notes")).find(({ id }) => id === theirs)?.sort;
    const moved = await scene.as("ann", "POST /utils/sort/notes", {
      item: mine[2],
      to: mine[0],
      mode: "before",
    });
    expect([moved.status, moved.text]).toEqual([200, moved.text]);
    const shown = (await scene.as("ann", "GET /items/notes?sort=sort")).body as { data: Json[] };
    expect(shown.data.map(({ text }) => text)).toEqual(["3", "1", "2"]);
    expect((await scene.everything("notes")).find(({ id }) => id === theirs)?.sort).toBe(before);
    for (const body of [
      { item: theirs, to: mine[0], mode: "before" },
      { item: mine[0], to: theirs, mode: "after" },
    ])
      expect((await scene.as("ann", "POST /utils/sort/notes", body)).status).toBe(404);
  });
});

describe("an import", () => {
  beforeEach(() => scene.empty());

  test.each([
    ["ann", "", "A", null],
    ["ann", "?tenant=A", "A", null],
    ["ann", "?tenant=B", null, "Cannot change item's tenant"],
    ["mix", "", "A", null],
    ["stan", "?tenant=B", "B", null],
    ["stan", "", null, "Tenant is required for importing into tenant-enabled collections"],
    ["root", "", null, "Tenant is required for importing into tenant-enabled collections"],
    ["root", "?tenant=A", "A", null],
    ["root", "?tenant=nonsense", null, "tenant: expected the id of a tenant"],
  ] as const)("of %s %s", async (caller, query, owner, refusal) => {
    const said = query.replace(/=([AB])$/, (_match, name: "A" | "B") => `=${scene[name]}`);
    for (const [path, file] of [
      [`import-csv${said}`, form("csvFile", "text\nimported\n")],
      [`import-json${said}`, form("jsonFile", '[{"text":"imported"}]')],
    ] as const) {
      await scene.empty();
      const answer = await scene.as(caller, `POST /items/notes/${path}`, file);
      const made = await scene.everything("notes");
      if (refusal !== null) {
        expect(answer.status).toBe(400);
        expect(answer.text).toContain(refusal);
        expect(made).toEqual([]);
      } else {
        expect([answer.status, answer.text]).toEqual([200, answer.text]);
        expect(made.map(({ tenant_Id }) => tenant_Id)).toEqual([owner === null ? null : scene[owner]]);
      }
    }
    // Where there are no tenants nothing is asked for.
    const plain = await scene.as("root", "POST /items/countries/import-csv", form("csvFile", "name\nc\n"));
    expect(plain.status).toBe(200);
  });

  test("takes the tenant of each row that says it", async () => {
    const file = form(
      "jsonFile",
      JSON.stringify([{ text: "a", tenant_Id: scene.A }, { text: "n", tenant_Id: null }, { text: "b" }]),
    );
    const answer = await scene.as("root", `POST /items/notes/import-json?tenant=${scene.B}`, file);
    expect([answer.status, answer.text]).toEqual([200, answer.text]);
    const made = await scene.everything("notes");
    expect(Object.fromEntries(made.map(({ text, tenant_Id }) => [text, tenant_Id]))).toEqual({
      a: scene.A,
      n: null,
      b: scene.B,
    });
  });
});

describe("what is remembered", () => {
  beforeEach(() => scene.empty());

  test("totals of equal questions are those of the tenant", async () => {
    await scene.make("notes", ...[scene.A, scene.A, scene.B].map((tenant_Id) => ({ text: "x", tenant_Id })));
    for (let turn = 0; turn < 2; turn++) {
      for (const [caller, count] of [
        ["ann", 2],
        ["bob", 1],
        ["stan", 3],
      ] as const) {
        const answer = await scene.as(caller, "GET /items/notes?limit=1&count=exact");
        expect([caller, (answer.body as { totalCount: number }).totalCount]).toEqual([caller, count]);
      }
    }
  });

  test("an idempotency key is one of the account in each tenant", async () => {
    const elsewhere = await scene.enter("cleo", scene.B);
    const headers = { "idempotency-key": "the-same-key" };
    const one = await scene.as("cleo", "POST /items/notes", { text: "x" }, headers);
    const again = await scene.as("cleo", "POST /items/notes", { text: "x" }, headers);
    const other = await scene.call("POST", "/items/notes", {
      token: elsewhere,
      body: { text: "x" },
      headers,
    });
    expect([one.status, again.status, other.status]).toEqual([201, 201, 201]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(other.headers.get("idempotency-replayed")).toBeNull();
    expect((await scene.everything("notes")).map(({ tenant_Id }) => tenant_Id).toSorted()).toEqual(
      [scene.A, scene.B].toSorted(),
    );
  });

  test("entries of the audit log say whose the row is", async () => {
    const made = idOf(await scene.as("stan", "POST /items/notes", { text: "x", tenant_Id: scene.B }));
    await scene.as("bob", `PATCH /items/notes/${made}`, { text: "y" });
    const country = idOf(await scene.as("ann", "POST /items/countries", { name: "c" }));
    const folder = idOf(
      await scene.as("ann", "POST /items/folders", { name: "f", notes: [{ text: "in f" }] }),
    );
    await scene.as("ann", `DELETE /items/folders/${folder}`);
    const entries = await scene.everything("baasix_AuditLog");
    const of = (id: string) =>
      entries.filter(({ entityId }) => entityId === id).map(({ tenant_Id }) => tenant_Id);
    expect(of(made)).toEqual([scene.B, scene.B]);
    expect(of(country)).toEqual([scene.A]);
    expect(of(folder)).toEqual([scene.A, scene.A]);
    const inside = (await scene.everything("notes")).find(({ text }) => text === "in f");
    // Made, and detached by the foreign key when its folder went.
    expect(of(String(inside?.id))).toEqual([scene.A, scene.A]);
  });
});
