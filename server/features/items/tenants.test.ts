/** What belongs to one tenant at every door to items, for every kind of caller. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Answer } from "../../testing/app";
import {
  type Caller,
  callers,
  openTwoTenants,
  type Owner,
  owners,
  type TwoTenants,
} from "../../testing/two-tenants";

setDefaultTimeout(60_000);

type Json = Record<string, unknown>;

let scene: TwoTenants;
/** The note of each owner, its folder and its tag. */
const notes = new Map<Owner, string>();
const folders = new Map<Owner, string>();
const tags = new Map<Owner, string>();

beforeAll(async () => {
  scene = await openTwoTenants();
});
afterAll(() => scene.close());

async function refill(): Promise<void> {
  await scene.empty();
  for (const owner of owners) {
    const tenant_Id = scene.tenants[owner];
    const [folder = ""] = await scene.make("folders", { name: `folder ${owner}`, tenant_Id });
    const [tag = ""] = await scene.make("tags", { name: `tag ${owner}`, tenant_Id });
    const [note = ""] = await scene.make("notes", {
      text: `note ${owner}`,
      code: owner,
      number: 1,
      folder_Id: folder,
      tenant_Id,
    });
    const keys = { notes_id: note, tags_id: tag, tenant_Id };
    await scene.make("notes_tags_junction", keys);
    notes.set(owner, note);
    folders.set(owner, folder);
    tags.set(owner, tag);
  }
}

/** Whose notes a caller reads, and whose it writes. */
const reads: Readonly<Record<Caller, readonly Owner[]>> = {
  ann: ["A"],
  bob: ["B"],
  cleo: ["A"],
  mix: ["A", "B", "none"],
  stan: ["A", "B", "none"],
  nobody: [],
  root: ["A", "B", "none"],
};
const writes: typeof reads = { ...reads, mix: ["A"] };

/** A door, and whose notes an answer shows. */
type ReadDoor = readonly [
  name: string,
  ask: (caller: Caller) => Promise<readonly unknown[]>,
  /** The caller reads no more of what lies behind the notes than it writes. */
  behind?: true,
];

const list = (answer: Answer): readonly Json[] =>
  answer.status === 403 ? [] : ((answer.body as { data: readonly Json[] }).data ?? []);
const codes = (answer: Answer): readonly unknown[] => list(answer).map(({ code }) => code);
const ask = (caller: Caller, query: string, collection = "notes"): Promise<Answer> =>
  scene.as(caller, `GET /items/${collection}${query}`);

const readDoors: readonly ReadDoor[] = [
  ["a list", async (caller) => codes(await ask(caller, ""))],
  ["a list by cursor", async (caller) => codes(await ask(caller, "?cursor=&limit=10"))],
  [
    "its total",
    async (caller) => {
      const answer = await ask(caller, "?limit=1&count=exact");
      const count = answer.status === 403 ? 0 : (answer.body as { totalCount: number }).totalCount;
      return reads[caller].slice(0, count);
    },
  ],
  [
    "a filter that names a tenant",
    async (caller) => {
      const found = await Promise.all(
        [scene.A, scene.B, null].map((id) =>
          ask(
            caller,
            `?filter=${JSON.stringify({ tenant_Id: id === null ? { isNull: true } : { eq: id } })}`,
          ),
        ),
      );
      return found.flatMap(codes);
    },
  ],
  [
    "a filter that turns the tenant around",
    async (caller) =>
      codes(
        await ask(
          caller,
          `?filter=${JSON.stringify({ OR: [{ tenant_Id: { ne: scene.A } }, { id: { isNotNull: true } }] })}`,
        ),
      ),
  ],
  [
    "a filter through a relation",
    async (caller) =>
      codes(await ask(caller, `?filter=${JSON.stringify({ "folder.name": { like: "folder" } })}`)),
    true,
  ],
  ["an order by a relation", async (caller) => codes(await ask(caller, "?sort=folder.name"))],
  ["a search", async (caller) => codes(await ask(caller, "?search=note&searchFields=text"))],
  [
    "an aggregate",
    async (caller) => {
      const aggregate = JSON.stringify({ n: { function: "count", field: "id" } });
      const answer = await ask(caller, `?aggregate=${aggregate}&groupBy=code`);
      return codes(answer);
    },
  ],
  [
    "an export",
    async (caller) => {
      const answer = await ask(caller, "?export=ndjson");
      if (answer.status === 403) return [];
      return answer.text.split("\n").flatMap((line) => (line === "" ? [] : (JSON.parse(line) as Json).code));
    },
  ],
  [
    "one by its key",
    async (caller) => {
      const found = await Promise.all(owners.map((owner) => ask(caller, `/${notes.get(owner)}`)));
      return found.flatMap((answer) =>
        answer.status === 200 ? (answer.body as { data: Json }).data.code : [],
      );
    },
  ],
  [
    "a transaction that reads",
    async (caller) => {
      const operations = [{ action: "read", collection: "notes", query: {} }];
      const answer = await scene.as(caller, "POST /transaction", { operations });
      if (answer.status === 403) return [];
      const [result] = (answer.body as { data: readonly { data: readonly Json[] }[] }).data;
      return (result?.data ?? []).map(({ code }) => code);
    },
  ],
];

describe("what is read", () => {
  beforeAll(refill);
  for (const [name, door, behind] of readDoors) {
    test.each([...callers])(`by ${name}: %s`, async (caller) => {
      expect((await door(caller)).toSorted()).toEqual([...(behind ? writes : reads)[caller]].toSorted());
    });
  }

  test.each([...callers])("inside items: %s", async (caller) => {
    const own = writes[caller].map((owner) => `folder ${owner}`);
    const shown = list(await ask(caller, "?fields=code,folder.name,tags.tags.name"));
    const inside = shown
      .map(({ folder }) => (folder as Json | null)?.name)
      .filter((one) => one !== undefined);
    expect(inside.toSorted()).toEqual(own.toSorted());
    const lists = list(await ask(caller, "?fields=name,notes.code", "folders"));
    expect(lists.flatMap((one) => (one.notes as Json[]).map(({ code }) => code)).toSorted()).toEqual(
      [...writes[caller]].toSorted(),
    );
  });

  test.each([...callers])("of a collection without tenants: %s", async (caller) => {
    const [id] = await scene.make("countries", { name: `for ${caller}` });
    const shown = list(await ask(caller, "", "countries"));
    expect(shown.some((one) => one.id === id)).toBe(caller !== "nobody");
  });
});

/** A door that changes the note of an owner, or deletes it. */
type WriteDoor = readonly [name: string, send: (caller: Caller, id: string, owner: Owner) => Promise<Answer>];

const csv = (text: string): FormData => {
  const form = new FormData();
  form.append("csvFile", new File([text], "notes.csv", { type: "text/csv" }));
  return form;
};

const changed = { text: "changed" };
const writeDoors: readonly WriteDoor[] = [
  ["PATCH", (caller, id) => scene.as(caller, `PATCH /items/notes/${id}`, changed)],
  ["PATCH bulk", (caller, id) => scene.as(caller, "PATCH /items/notes/bulk", [{ id, data: changed }])],
  [
    "PATCH by filter",
    (caller, id) => scene.as(caller, "PATCH /items/notes", { filter: { id: { eq: id } }, data: changed }),
  ],
  [
    "PUT on its key",
    (caller, id) => scene.as(caller, "PUT /items/notes", { on: "id", data: { id, ...changed } }),
  ],
  [
    "PUT by filter",
    (caller, id) => scene.as(caller, "PUT /items/notes", { filter: { id: { eq: id } }, data: changed }),
  ],
  [
    "PATCH inside its folder",
    (caller, id, owner) =>
      scene.as(caller, `PATCH /items/folders/${folders.get(owner)}`, {
        notes: { update: [{ id, ...changed }] },
      }),
  ],
  [
    "PATCH that replaces its tags",
    (caller, id) => scene.as(caller, `PATCH /items/notes/${id}`, { tags: [] }),
  ],
  ["DELETE", (caller, id) => scene.as(caller, `DELETE /items/notes/${id}`)],
  ["DELETE for good", (caller, id) => scene.as(caller, `DELETE /items/notes/${id}?permanent=true`)],
  ["DELETE bulk", (caller, id) => scene.as(caller, "DELETE /items/notes/bulk", [id])],
  [
    "DELETE by filter",
    (caller, id) => scene.as(caller, "DELETE /items/notes", { filter: { id: { eq: id } } }),
  ],
  [
    "a transaction",
    (caller, id) =>
      scene.as(caller, "POST /transaction", {
        operations: [{ action: "update", collection: "notes", id, data: changed }],
      }),
  ],
  [
    "an import",
    (caller, id, owner) =>
      scene.as(
        caller,
        "POST /items/notes/import-csv?on=id",
        csv(`id,text,tenant_Id\n${id},changed,${scene.tenants[owner] ?? ""}\n`),
      ),
  ],
];

describe("what is written", () => {
  beforeEach(refill);
  const state = async (): Promise<string> =>
    JSON.stringify([await scene.everything("notes"), await scene.everything("notes_tags_junction")]);

  for (const [name, send] of writeDoors) {
    test.each([...callers])(`by ${name}: %s`, async (caller) => {
      for (const owner of owners) {
        const before = await state();
        const answer = await send(caller, notes.get(owner) ?? "", owner);
        const may = writes[caller].includes(owner);
        const isChanged = (await state()) !== before;
        expect([owner, isChanged, answer.text]).toEqual([owner, may, answer.text]);
        if (may) expect([owner, answer.status < 300, answer.text]).toEqual([owner, true, answer.text]);
      }
    });
  }

  test.each([...callers])("into a tenant that is said: %s", async (caller) => {
    for (const owner of owners) {
      const tenant = scene.tenants[owner];
      const may = writes[caller].includes(owner);
      const answer = await scene.as(caller, "POST /items/notes", { text: "new", tenant_Id: tenant });
      expect([owner, answer.status, answer.text]).toEqual([owner, may ? 201 : 403, answer.text]);
      if (!may && caller !== "nobody") expect(answer.text).toContain("Cannot change item's tenant");
      const related = await scene.as(caller, "POST /items/notes", { text: "new", tenant });
      // A tenant that the caller may not see is looked for in vain.
      expect([owner, [400, 403].includes(related.status), related.text]).toEqual([owner, !may, related.text]);
    }
  });

  test.each([...callers])("without a word of the tenant: %s", async (caller) => {
    const answer = await scene.as(caller, "POST /items/notes/bulk", [{ text: "one" }, { text: "two" }]);
    if (caller === "nobody") return expect(answer.status).toBe(403);
    expect(answer.status).toBe(201);
    const made = (await scene.everything("notes")).filter(({ text }) => text === "one" || text === "two");
    const own = ["stan", "root"].includes(caller) ? null : caller === "bob" ? scene.B : scene.A;
    expect(made.map(({ tenant_Id }) => tenant_Id)).toEqual([own, own]);
  });

  test.each([...callers])("moving an item to another tenant: %s", async (caller) => {
    const id = notes.get("A");
    await scene.as("root", `PATCH /items/notes/${id}`, { tags: [] });
    const answer = await scene.as(caller, `PATCH /items/notes/${id}`, {
      tenant_Id: scene.B,
      folder_Id: null,
    });
    const [after] = (await scene.everything("notes")).filter((one) => one.id === id);
    const may = ["stan", "root"].includes(caller);
    expect([after?.tenant_Id, answer.text]).toEqual([may ? scene.B : scene.A, answer.text]);
    if (["ann", "cleo", "mix"].includes(caller)) expect(answer.text).toContain("Cannot change item's tenant");
  });
});

describe("keys that lead into another tenant", () => {
  beforeEach(refill);

  /** Each door sets the key of a note to the row of an owner. */
  const doors: readonly (readonly [string, (caller: Caller, note: string, key: Json) => Promise<Answer>])[] =
    [
      ["POST", (caller, _note, key) => scene.as(caller, "POST /items/notes", { tenant_Id: scene.A, ...key })],
      ["PATCH", (caller, note, key) => scene.as(caller, `PATCH /items/notes/${note}`, key)],
      [
        "PATCH bulk",
        (caller, note, key) => scene.as(caller, "PATCH /items/notes/bulk", [{ id: note, ...key }]),
      ],
      [
        "PUT",
        (caller, _note, key) =>
          scene.as(caller, "PUT /items/notes", {
            on: "code",
            data: { code: "A", tenant_Id: scene.A, ...key },
          }),
      ],
    ];
  for (const [name, send] of doors) {
    test.each(["ann", "stan", "root"] as const)(`by ${name}: %s`, async (caller) => {
      const note = notes.get("A") ?? "";
      for (const column of ["folder_Id", "parent_Id"] as const) {
        const rows = column === "folder_Id" ? folders : notes;
        for (const owner of owners) {
          const answer = await send(caller, note, { [column]: rows.get(owner) });
          expect([column, owner, answer.status < 300, answer.text]).toEqual([
            column,
            owner,
            owner === "A",
            answer.text,
          ]);
          if (owner !== "A") expect(answer.status).toBe(403);
        }
      }
      const nowhere = await send(caller, note, { folder_Id: crypto.randomUUID() });
      expect(nowhere.status).toBe(403);
    });
  }

  test("rows of one statement may lead to each other", async () => {
    const [one, two] = [crypto.randomUUID(), crypto.randomUUID()];
    const answer = await scene.as("ann", "POST /items/notes/bulk", [
      { id: one, text: "one" },
      { id: two, text: "two", parent_Id: one },
    ]);
    expect([answer.status, answer.text]).toEqual([201, answer.text]);
  });

  test("a move leaves nothing behind that leads to it from another tenant's row", async () => {
    await scene.as("root", `PATCH /items/notes/${notes.get("A")}`, { tags: [] });
    const refused = await scene.as("root", `PATCH /items/notes/${notes.get("A")}`, { tenant_Id: scene.B });
    expect([refused.status, refused.text]).toEqual([403, refused.text]);
    expect(refused.text).toContain("folder_Id");
  });

  test("what others lead to moves with them, or when they have let go", async () => {
    const move = (path: string, tenant_Id: string | null, more: Json = {}) =>
      scene.as("root", `PATCH /items/${path}`, { tenant_Id, ...more });
    const [note, folder] = [notes.get("A"), folders.get("A")];
    const held = await move(`folders/${folder}`, scene.B);
    expect([held.status, held.text]).toEqual([403, held.text]);
    expect(held.text).toContain(
      "items of 'notes' in another tenant lead to it by 'folder_Id'; detach them first",
    );
    await scene.as("root", `PATCH /items/notes/${note}`, { folder_Id: null });
    expect((await move(`folders/${folder}`, scene.B)).status).toBe(200);

    // A tree moves as a whole.
    const [top = ""] = await scene.make("notes", { text: "top", tenant_Id: scene.A });
    const [below = ""] = await scene.make("notes", { text: "below", parent_Id: top, tenant_Id: scene.A });
    expect((await move(`notes/${top}`, scene.B)).status).toBe(403);
    const both = [top, below].map((id) => ({ id, tenant_Id: scene.B }));
    const moved = await scene.as("root", "PATCH /items/notes/bulk", both);
    expect([moved.status, moved.text]).toEqual([200, moved.text]);

    // What was there before there were tenants is given its own, what others lead to first.
    const [old = ""] = await scene.make("folders", { name: "old", tenant_Id: null });
    const [inside = ""] = await scene.make("notes", { text: "old", folder_Id: old, tenant_Id: null });
    expect((await move(`notes/${inside}`, scene.A)).status).toBe(403);
    expect((await move(`folders/${old}`, scene.A)).status).toBe(200);
    expect((await move(`notes/${inside}`, scene.A)).status).toBe(200);
  });

  test("an account of another tenant is nobody here", async () => {
    const note = notes.get("A");
    for (const [name, status] of [
      ["ann", 200],
      ["cleo", 200],
      ["bob", 403],
      ["stan", 403],
      ["nobody", 403],
    ] as const) {
      const answer = await scene.as("ann", `PATCH /items/notes/${note}`, { owner_Id: scene.idOf(name) });
      expect([name, answer.status, answer.text]).toEqual([name, status, answer.text]);
    }
    expect(
      (await scene.as("stan", `PATCH /items/notes/${note}`, { owner_Id: scene.idOf("stan") })).status,
    ).toBe(200);
  });

  test("a collection without tenants leads to no other tenant's rows", async () => {
    for (const [owner, status] of [
      ["A", 201],
      ["B", 403],
      ["none", 403],
    ] as const) {
      const body = { name: `country ${owner}`, note_Id: notes.get(owner) };
      const answer = await scene.as("ann", "POST /items/countries", body);
      expect([owner, answer.status, answer.text]).toEqual([owner, status, answer.text]);
    }
  });

  test("nested writes stay in the tenant", async () => {
    const refused = await scene.as("ann", `PATCH /items/folders/${folders.get("A")}`, {
      notes: { connect: [notes.get("B")] },
    });
    expect(refused.status).toBe(400);
    const tagged = await scene.as("ann", `PATCH /items/notes/${notes.get("A")}`, { tags: [tags.get("B")] });
    expect(tagged.status).toBe(400);
    const made = await scene.as("ann", "POST /items/folders", {
      name: "a new one",
      notes: [{ text: "inside", tags: [{ tags: { name: "new tag" } }, { tags: tags.get("A") }] }],
    });
    expect([made.status, made.text]).toEqual([201, made.text]);
    for (const collection of ["notes", "tags", "notes_tags_junction", "folders"]) {
      const rows = await scene.everything(collection);
      expect(rows.filter(({ tenant_Id }) => tenant_Id === scene.A).length).toBeGreaterThan(1);
      expect(rows.filter(({ tenant_Id }) => tenant_Id === null)).toHaveLength(1);
    }
  });

  test("a delete changes no row of another tenant", async () => {
    const [solo = ""] = await scene.make("baasix_User", { email: "solo@example.com", firstName: "solo" });
    await scene.make("baasix_UserRole", { user_Id: solo, role_Id: scene.roles.guest, tenant_Id: scene.A });
    const [country = ""] = await scene.make("countries", { name: "shared" });
    for (const [path, key] of [
      [`baasix_User/${solo}`, { owner_Id: solo }],
      [`countries/${country}`, { country_Id: country }],
    ] as const) {
      const [theirs = ""] = await scene.make("notes", { text: "theirs", tenant_Id: scene.B, ...key });
      await scene.make("notes", { text: "mine", tenant_Id: scene.A, ...key });
      const kept = await scene.as("ann", `DELETE /items/${path}`);
      expect([path, kept.status]).toEqual([path, 404]);
      const before = (await scene.everything("notes")).find(({ id }) => id === theirs);
      expect(before).toMatchObject(key);
      await scene.as("root", `PATCH /items/notes/${theirs}`, { owner_Id: null, country_Id: null });
      const gone = await scene.as("ann", `DELETE /items/${path}`);
      expect([path, gone.status, gone.text]).toEqual([path, 200, gone.text]);
    }
  });

  test("a key to one of several collections stays in the tenant, too", async () => {
    await scene.as("root", "POST /schemas", {
      collectionName: "boards",
      schema: { name: "Board", fields: { name: { type: "Text" } } },
    });
    const relation = {
      type: "M2A",
      name: "things",
      tables: ["notes", "tags"],
      through: "boards_things_junction",
    };
    const related = await scene.as("root", "POST /schemas/boards/relationships", relation);
    expect([related.status < 300, related.text]).toEqual([true, related.text]);
    const rights = ["boards", "boards_things_junction"].flatMap((collection) =>
      (["create", "read", "update", "delete"] as const).map((action) => ({
        role_Id: scene.roles.member,
        collection,
        action,
        fields: ["*"],
      })),
    );
    for (const right of rights) await scene.as("root", "POST /permissions", right);
    const [board = ""] = await scene.make("boards", { name: "b", tenant_Id: scene.A });
    for (const caller of ["ann", "root"] as const) {
      for (const [collection, rows] of [
        ["notes", notes],
        ["tags", tags],
      ] as const) {
        for (const owner of owners) {
          const body = { boards_id: board, item_id: rows.get(owner), collection, tenant_Id: scene.A };
          const answer = await scene.as(caller, "POST /items/boards_things_junction", body);
          const status = owner !== "A" ? 403 : caller === "ann" ? 201 : 409;
          expect([caller, collection, owner, answer.status, answer.text]).toEqual([
            caller,
            collection,
            owner,
            status,
            answer.text,
          ]);
        }
      }
    }
    const [row] = await scene.everything("boards_things_junction");
    const moved = await scene.as("ann", `PATCH /items/boards_things_junction/${String(row?.id)}`, {
      item_id: notes.get("B"),
      collection: "notes",
    });
    expect(moved.status).toBe(403);
    const things = [{ type: "notes", item: notes.get("B") }];
    expect((await scene.as("ann", `PATCH /items/boards/${board}`, { things })).status).toBe(400);
    const fine = await scene.as("ann", "POST /items/boards", {
      name: "mine",
      things: [
        { type: "notes", item: notes.get("A") },
        { type: "tags", item: tags.get("A") },
      ],
    });
    expect([fine.status, fine.text]).toEqual([201, fine.text]);
  });

  test.each(["stan", "root"] as const)("what %s makes with an item is of its tenant", async (caller) => {
    const changed = await scene.as(caller, `PATCH /items/folders/${folders.get("B")}`, {
      notes: { create: [{ text: "deep", tags: [{ tags: { name: "deep tag" } }, { tags: tags.get("B") }] }] },
    });
    expect([changed.status, changed.text]).toEqual([200, changed.text]);
    const made = await scene.as(caller, "POST /items/notes", {
      text: "deep",
      tenant_Id: scene.B,
      folder: { name: "deep folder" },
      tags: [{ tags: { name: "deep tag" } }],
    });
    expect([made.status, made.text]).toEqual([201, made.text]);
    for (const [collection, count] of [
      ["notes", 3],
      ["tags", 3],
      ["notes_tags_junction", 4],
      ["folders", 2],
    ] as const) {
      const rows = await scene.everything(collection);
      const own = rows.filter(({ tenant_Id }) => tenant_Id === scene.B);
      expect([collection, own.length]).toEqual([collection, count]);
    }
  });
});
