/** Rows that tenants share, accounts among them: nobody writes one with which another tenant's rows go, also not at the same moment. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { system } from "../core/access/actor";
import type { Answer } from "../testing/app";
import { untilLocked } from "../testing/locks";
import { openTwoTenants, type TwoTenants } from "../testing/two-tenants";

const root = system("another writer of the test");

let scene: TwoTenants;
let count = 0;

beforeAll(async () => {
  scene = await openTwoTenants({ env: { TENANT_IGNORED_TABLES: "countries,cities" } });
  const ok = (path: string, body: object) => scene.ok("POST", path, body);
  await ok("/schemas", {
    collectionName: "cities",
    schema: { name: "City", fields: { name: { type: "String" } } },
  });
  const to = (target: string, name: string, onDelete: string): object => ({
    type: "M2O",
    name,
    target,
    alias: `of_${name}`,
    foreignKey: `${name}_Id`,
    onDelete,
  });
  await ok("/schemas/cities/relationships", to("countries", "land", "CASCADE"));
  await ok("/schemas/cities/relationships", to("cities", "district", "CASCADE"));
  await ok("/schemas/cities/relationships", to("notes", "story", "CASCADE"));
  await ok("/schemas/notes/relationships", to("cities", "city", "CASCADE"));
  await ok("/schemas/notes/relationships", to("cities", "town", "SET NULL"));
  const places = { type: "M2A", name: "places", tables: ["countries", "cities"], through: "note_places" };
  await ok("/schemas/notes/relationships", places);
  for (const action of ["create", "read", "update", "delete"])
    await ok("/permissions", { role_Id: scene.roles.member, collection: "cities", action, fields: ["*"] });
}, 60_000);
afterAll(() => scene.close());

const make = async (collection: string, body: object): Promise<string> =>
  (await scene.make(collection, { ...body }))[0] ?? "";
const noteOf = async (id: string) => (await scene.everything("notes")).find((one) => one.id === id);
const told = ({ status, text }: Answer) => [status, text];

describe("a delete takes nothing of another tenant along", () => {
  /** Each makes what ann deletes, with a note of B that would go with it, and gives its path and the note. */
  const scenes: readonly (readonly [string, () => Promise<{ path: string; note: string }>])[] = [
    [
      "two hops away",
      async () => {
        const land = await make("countries", { name: `land ${++count}` });
        const city = await make("cities", { land_Id: land });
        return {
          path: `countries/${land}`,
          note: await make("notes", { tenant_Id: scene.B, city_Id: city }),
        };
      },
    ],
    [
      "that would lose its key two hops away",
      async () => {
        const land = await make("countries", { name: `land ${++count}` });
        const city = await make("cities", { land_Id: land });
        return {
          path: `countries/${land}`,
          note: await make("notes", { tenant_Id: scene.B, town_Id: city }),
        };
      },
    ],
    [
      "around a circle",
      async () => {
        const outer = await make("cities", { name: "outer" });
        const middle = await make("cities", { name: "middle", district_Id: outer });
        const inner = await make("cities", { name: "inner", district_Id: middle });
        return { path: `cities/${outer}`, note: await make("notes", { tenant_Id: scene.B, city_Id: inner }) };
      },
    ],
    [
      "behind an item of the own one",
      async () => {
        const own = await make("notes", { tenant_Id: scene.A });
        const city = await make("cities", { story_Id: own });
        return {
          path: `notes/${own}?permanent=true`,
          note: await make("notes", { tenant_Id: scene.B, city_Id: city }),
        };
      },
    ],
    [
      "whose pair leads to one of several collections",
      async () => {
        const city = await make("cities", { name: "c" });
        const note = await make("notes", { tenant_Id: scene.B });
        const pair = { tenant_Id: scene.B, notes_id: note, collection: "cities", item_id: city };
        await make("note_places", pair);
        return { path: `cities/${city}`, note };
      },
    ],
    [
      "that was deleted softly",
      async () => {
        const city = await make("cities", { name: "c" });
        const note = await make("notes", { tenant_Id: scene.B, city_Id: city });
        await scene.data.remove(root, "notes", [note]);
        return { path: `cities/${city}`, note };
      },
    ],
  ];
  test.each(scenes)("%s", async (name, prepare) => {
    const { path, note } = await prepare();
    const before = await noteOf(note);
    expect(before).toBeDefined();
    const kept = await scene.as("ann", `DELETE /items/${path}`);
    expect(told(kept)).toEqual([404, kept.text]);
    expect(await noteOf(note)).toEqual(before);
    await scene.data.remove(root, "notes", [note], { permanent: true });
    // In a circle nothing is followed: what would go along goes first.
    if (name === "around a circle") return;
    const gone = await scene.as("ann", `DELETE /items/${path}`);
    expect(told(gone)).toEqual([200, gone.text]);
  });
});

describe("who becomes a member elsewhere, or what gets another tenant's row, at the same moment", () => {
  const solo = async (): Promise<string> => {
    const id = await make("baasix_User", { email: `solo${++count}@example.com`, firstName: "solo" });
    await make("baasix_UserRole", { user_Id: id, role_Id: scene.roles.guest, tenant_Id: scene.A });
    return id;
  };
  /** Runs ann's request while another transaction holds what it has written; gives the answer. */
  const meanwhile = async (
    work: (rows: typeof scene.data) => Promise<unknown>,
    request: () => Promise<Answer>,
  ): Promise<Answer> => {
    const { promise: written, resolve: tell } = Promise.withResolvers<void>();
    const { promise: free, resolve: commit } = Promise.withResolvers<void>();
    const other = scene.data.transaction(async (rows) => {
      await work(rows as typeof scene.data);
      tell();
      await free;
    });
    await written;
    const asked = request();
    await untilLocked(scene.database);
    commit();
    await other;
    return asked;
  };

  test.each([
    ["changed", "PATCH", { email: "taken-over@example.com" }],
    ["deleted", "DELETE", undefined],
  ] as const)("an account is not %s", async (_what, method, body) => {
    const id = await solo();
    const answer = await meanwhile(
      async (rows) => {
        await rows.update(root, "baasix_User", [{ id, data: { lastAccess: "2026-01-01T00:00:00Z" } }]);
        await rows.create(root, "baasix_UserRole", [
          { user_Id: id, role_Id: scene.roles.guest, tenant_Id: scene.B },
        ]);
      },
      () => scene.as("ann", `${method} /items/baasix_User/${id}`, body),
    );
    expect(told(answer)).toEqual([404, answer.text]);
    const found = await scene.data.find<{ email: string }>(root, "baasix_User", {
      filter: { id: { eq: id } },
    });
    expect(found[0]?.email).toStartWith("solo");
  });

  test.each([
    ["by its key", (id: string) => scene.as("ann", `DELETE /items/countries/${id}`)],
    [
      "by a filter",
      (id: string) => scene.as("ann", "DELETE /items/countries", { filter: { id: { eq: id } } }),
    ],
  ] as const)("what all share is not deleted %s", async (_how, request) => {
    const id = await make("countries", { name: `shared ${++count}` });
    const answer = await meanwhile(
      (rows) => rows.create(root, "notes", [{ tenant_Id: scene.B, country_Id: id }]),
      () => request(id),
    );
    expect((await scene.everything("notes")).filter((one) => one.country_Id === id)).toHaveLength(1);
    expect([200, 404]).toContain(answer.status);
  });
});
