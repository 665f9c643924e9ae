/** Every write of the door, for every kind of right: what is answered, and what is there afterwards, read again. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { ItemId } from "@baasix/types";
import { type Actor, anonymous, system, unproven } from "../core/access/actor";
import { AppError } from "../core/errors";
import { testApp, type TestApp } from "../testing/app";
import type { Data } from "./door";

type Row = Readonly<Record<string, unknown>>;

let app: TestApp;
let data: Data;
const server = system("test of writes");
const actors = new Map<string, Actor>();
const ann = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";

const schemas: Readonly<Record<string, object>> = {
  things: {
    name: "Thing",
    paranoid: true,
    fields: {
      id: { type: "Integer", primaryKey: true },
      sku: { type: "String", allowNull: false, unique: true },
      owner: { type: "UUID" },
      title: { type: "String" },
      note: { type: "String" },
      amount: { type: "Decimal", values: { precision: 20, scale: 4 } },
      serial: { type: "String", immutable: true },
    },
  },
  plain: {
    name: "Plain",
    audit: false,
    fields: {
      id: { type: "Integer", primaryKey: true },
      place: {
        type: "Integer",
        defaultValue: { type: "SQL", value: "(SELECT COALESCE(MAX(place), 0) + 1 FROM plain)" },
      },
    },
  },
};

/** What each role may do with `things`. */
const roles: Readonly<Record<string, readonly Row[]>> = {
  none: [],
  reader: [{ action: "read", fields: ["*"] }],
  creator: [{ action: "create", fields: ["*"] }],
  editor: ["read", "create", "update", "delete"].map((action) => ({
    action,
    fields: ["*"],
    conditions: { owner: "$CURRENT_USER" },
    ...(action === "create" && { defaultValues: { owner: "$CURRENT_USER" } }),
  })),
  titles: [
    { action: "read", fields: ["id", "sku"] },
    { action: "update", fields: ["title"] },
  ],
  blind: [
    { action: "read", fields: ["id", "title"] },
    { action: "update", fields: ["title"] },
  ],
  own: [
    { action: "read", fields: ["id", "sku"], conditions: { sku: "a" } },
    { action: "update", fields: ["title"] },
  ],
};

beforeAll(async () => {
  app = await testApp();
  data = app.data;
  for (const [collectionName, schema] of Object.entries(schemas)) {
    const answer = await app.call("POST", "/schemas", { token: app.admin, body: { collectionName, schema } });
    expect(answer.text).toBe('{"message":"Schema created successfully"}');
  }
  for (const [name, permissions] of Object.entries(roles)) {
    const [role] = await data.create(server, "baasix_Role", [{ name }]);
    await data.create(
      server,
      "baasix_Permission",
      permissions.map((permission) => ({ role_Id: role, collection: "things", ...permission })),
    );
    actors.set(name, userOf(String(role)));
  }
  const [administrator] = await data.find<{ id: string }>(server, "baasix_Role", {
    filter: { name: "administrator" },
  });
  actors.set("admin", { ...userOf(String(administrator?.id)), admin: true });
  actors.set("nobody", anonymous);
});

afterAll(() => app.close());

function userOf(...ids: readonly string[]): Actor & { readonly kind: "user" } {
  const origin = { address: "192.0.2.7", requestId: "request-1" };
  return { kind: "user", id: ann, role: ids[0] ?? "", roles: ids, admin: false, ...unproven, origin };
}

function actor(name: string): Actor {
  const found = actors.get(name);
  if (!found) throw new Error(name);
  return found;
}

/** 1 and 2 are Ann's, 3 is Bob's, 4 is Ann's and deleted. */
const seed = [
  { id: 1, sku: "a", owner: ann, title: "one", amount: "1.5000", serial: "s1" },
  { id: 2, sku: "b", owner: ann, title: "two" },
  { id: 3, sku: "c", owner: bob, title: "three", serial: "s3" },
  { id: 4, sku: "d", owner: ann, title: "four" },
];

beforeEach(async () => {
  for (const name of ["things", "plain"])
    await data.removeWhere(server, name, { id: { isNotNull: true } }, { permanent: true });
  await data.removeWhere(server, "baasix_AuditLog", { id: { gt: 0 } });
  await data.create(server, "things", seed);
  await data.remove(server, "things", [4]);
});

async function things(): Promise<readonly Row[]> {
  const fields = ["id", "sku", "owner", "title", "serial", "deletedAt"];
  const rows = await data.find<Row>(server, "things", { fields, sort: "id", paranoid: false, limit: -1 });
  return rows.map(({ deletedAt, ...row }) => ({ ...row, gone: deletedAt !== null }));
}

const line = ({ id, title, gone }: Row): string => `${id} ${title}${gone === true ? " gone" : ""}`;
const untouched = ["1 one", "2 two", "3 three", "4 four gone"];

/** What a call gives: its value, or the code of its refusal. */
async function outcome(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

type Case = readonly [
  role: string,
  write: string,
  call: (as: Actor) => Promise<unknown>,
  given: unknown,
  /** Lines of `things` afterwards that differ from what was there. */
  after?: readonly string[],
];

const t = "things";
const onSku = { on: ["sku"] };
const all = { id: { gt: 0 } };
const cases: readonly Case[] = [
  ["admin", "create", (as) => data.create(as, t, [{ id: 9, sku: "x", title: "new" }]), [9], ["9 new"]],
  ["creator", "create", (as) => data.create(as, t, [{ id: 9, sku: "x", title: "new" }]), [9], ["9 new"]],
  [
    "editor",
    "create as oneself",
    (as) => data.create(as, t, [{ id: 9, sku: "x", title: "new" }]),
    [9],
    ["9 new"],
  ],
  [
    "editor",
    "create for another",
    (as) => data.create(as, t, [{ id: 9, sku: "x", owner: bob }]),
    "FORBIDDEN",
  ],
  ["reader", "create", (as) => data.create(as, t, [{ id: 9, sku: "x" }]), "FORBIDDEN"],
  ["none", "create", (as) => data.create(as, t, [{ id: 9, sku: "x" }]), "FORBIDDEN"],
  ["nobody", "create", (as) => data.create(as, t, [{ id: 9, sku: "x" }]), "FORBIDDEN"],
  [
    "admin",
    "create bulk, one taken",
    (as) =>
      data.create(as, t, [
        { id: 9, sku: "x" },
        { id: 8, sku: "a" },
      ]),
    "UNIQUE_VIOLATION",
  ],
  [
    "editor",
    "create bulk, one for another",
    (as) =>
      data.create(as, t, [
        { id: 9, sku: "x" },
        { id: 8, sku: "y", owner: bob },
      ]),
    "FORBIDDEN",
  ],

  ["admin", "update", (as) => data.update(as, t, [{ id: 3, data: { title: "T" } }]), [3], ["3 T"]],
  ["editor", "update own", (as) => data.update(as, t, [{ id: 1, data: { title: "T" } }]), [1], ["1 T"]],
  ["editor", "update another's", (as) => data.update(as, t, [{ id: 3, data: { title: "T" } }]), "NOT_FOUND"],
  ["editor", "give away", (as) => data.update(as, t, [{ id: 1, data: { owner: bob } }]), "FORBIDDEN"],
  ["titles", "update the field", (as) => data.update(as, t, [{ id: 3, data: { title: "T" } }]), [3], ["3 T"]],
  [
    "titles",
    "update another field",
    (as) => data.update(as, t, [{ id: 3, data: { note: "N" } }]),
    "FORBIDDEN",
  ],
  ["reader", "update", (as) => data.update(as, t, [{ id: 1, data: { title: "T" } }]), "FORBIDDEN"],
  ["admin", "update deleted", (as) => data.update(as, t, [{ id: 4, data: { title: "T" } }]), "NOT_FOUND"],
  [
    "editor",
    "update bulk",
    (as) =>
      data.update(as, t, [
        { id: 2, data: { title: "T" } },
        { id: 1, data: { title: "U" } },
      ]),
    [2, 1],
    ["2 T", "1 U"],
  ],
  [
    "editor",
    "update bulk, one another's",
    (as) =>
      data.update(as, t, [
        { id: 1, data: { title: "T" } },
        { id: 3, data: { title: "U" } },
      ]),
    "NOT_FOUND",
  ],
  [
    "editor",
    "update bulk, one given away",
    (as) =>
      data.update(as, t, [
        { id: 1, data: { title: "T" } },
        { id: 2, data: { owner: bob } },
      ]),
    "FORBIDDEN",
  ],

  [
    "admin",
    "update by filter",
    (as) => data.updateWhere(as, t, { owner: ann }, { title: "T" }),
    [1, 2],
    ["1 T", "2 T"],
  ],
  [
    "editor",
    "update by filter",
    (as) => data.updateWhere(as, t, all, { title: "T" }),
    [1, 2],
    ["1 T", "2 T"],
  ],
  ["editor", "update by filter: none", (as) => data.updateWhere(as, t, { owner: bob }, { title: "T" }), []],
  ["editor", "give away by filter", (as) => data.updateWhere(as, t, { id: 1 }, { owner: bob }), "FORBIDDEN"],
  [
    "titles",
    "update by a field that it may not read",
    (as) => data.updateWhere(as, t, { owner: ann }, { title: "T" }),
    "FORBIDDEN",
  ],
  [
    "titles",
    "update by filter",
    (as) => data.updateWhere(as, t, { sku: { in: ["a", "c"] } }, { title: "T" }),
    [1, 3],
    ["1 T", "3 T"],
  ],
  ["creator", "update by filter", (as) => data.updateWhere(as, t, { id: 1 }, { title: "T" }), "FORBIDDEN"],
  ...[
    undefined,
    null,
    {},
    { AND: [] },
    { AND: [{}, { AND: [] }] },
    { OR: [{}, { id: 1 }] },
    { NOT: { OR: [] } },
    { NOT: { NOT: {} } },
    { NOT: { AND: [{ id: 1 }, { OR: [] }] } },
    { id: { notIn: [] } },
    { NOT: { id: { in: [] } } },
    { title: { contains: "" } },
  ].flatMap((filter): Case[] => [
    [
      "admin",
      `update by ${JSON.stringify(filter)}`,
      (as) => data.updateWhere(as, t, filter, { title: "T" }),
      "INVALID_QUERY",
    ],
    [
      "admin",
      `delete by ${JSON.stringify(filter)}`,
      (as) => data.removeWhere(as, t, filter),
      "INVALID_QUERY",
    ],
    [
      "admin",
      `upsert by ${JSON.stringify(filter)}`,
      (as) => data.upsert(as, t, { filter }, [{ id: 9, sku: "x" }]),
      "INVALID_QUERY",
    ],
  ]),
  [
    "admin",
    "update by an empty list",
    (as) => data.updateWhere(as, t, { id: { in: [] } }, { title: "T" }),
    [],
  ],
  [
    "admin",
    "update by what is not empty",
    (as) => data.updateWhere(as, t, { NOT: { title: "" }, sku: "a" }, { title: "T" }),
    [1],
    ["1 T"],
  ],
  [
    "admin",
    "update the key by filter",
    (as) => data.updateWhere(as, t, { id: 3 }, { id: 9 }),
    "INVALID_VALUE",
  ],
  [
    "editor",
    "update the key by filter",
    (as) => data.updateWhere(as, t, { id: 1 }, { id: 9 }),
    "INVALID_VALUE",
  ],

  ["admin", "delete", (as) => data.remove(as, t, [3]), [3], ["3 three gone"]],
  ["editor", "delete own", (as) => data.remove(as, t, [1]), [1], ["1 one gone"]],
  ["editor", "delete another's", (as) => data.remove(as, t, [3]), "NOT_FOUND"],
  [
    "editor",
    "delete bulk, in order",
    (as) => data.remove(as, t, [2, 1]),
    [2, 1],
    ["1 one gone", "2 two gone"],
  ],
  ["editor", "delete bulk, one another's", (as) => data.remove(as, t, [1, 3]), "NOT_FOUND"],
  ["titles", "delete", (as) => data.remove(as, t, [1]), "FORBIDDEN"],
  ["admin", "delete what is deleted", (as) => data.remove(as, t, [4]), "NOT_FOUND"],
  ["editor", "delete by filter", (as) => data.removeWhere(as, t, all), [1, 2], ["1 one gone", "2 two gone"]],
  ["creator", "delete by filter", (as) => data.removeWhere(as, t, all), "FORBIDDEN"],
  ["admin", "delete for good", (as) => data.remove(as, t, [1, 4], { permanent: true }), [1, 4], ["-1", "-4"]],
  ["editor", "delete another's for good", (as) => data.remove(as, t, [3], { permanent: true }), "NOT_FOUND"],
  [
    "editor",
    "delete by filter for good",
    (as) => data.removeWhere(as, t, all, { permanent: true }),
    [1, 2, 4],
    ["-1", "-2", "-4"],
  ],

  ["admin", "restore", (as) => data.restore(as, t, [4]), [4], ["4 four"]],
  ["editor", "restore own", (as) => data.restore(as, t, [4]), [4], ["4 four"]],
  ["editor", "restore with one that is there", (as) => data.restore(as, t, [4, 1]), [4, 1], ["4 four"]],
  ["editor", "restore with another's", (as) => data.restore(as, t, [4, 3]), "NOT_FOUND"],
  ["titles", "restore without the right to deletedAt", (as) => data.restore(as, t, [4]), "FORBIDDEN"],
  ["creator", "restore", (as) => data.restore(as, t, [4]), "FORBIDDEN"],
  ["admin", "restore nothing", (as) => data.restore(as, t, [77]), "NOT_FOUND"],
  ["admin", "restore where nothing is kept", (as) => data.restore(as, "plain", [1]), "INVALID_QUERY"],

  [
    "admin",
    "upsert a new one",
    (as) => data.upsert(as, t, onSku, [{ id: 9, sku: "x", title: "new" }]),
    [{ id: 9, created: true }],
    ["9 new"],
  ],
  [
    "admin",
    "upsert one that is there",
    (as) => data.upsert(as, t, onSku, [{ sku: "c", title: "T" }]),
    [{ id: 3, created: false }],
    ["3 T"],
  ],
  [
    "admin",
    "upsert by the key",
    (as) => data.upsert(as, t, { on: ["id"] }, [{ id: 3, sku: "c", title: "T" }]),
    [{ id: 3, created: false }],
    ["3 T"],
  ],
  [
    "admin",
    "upsert both",
    (as) =>
      data.upsert(as, t, onSku, [
        { id: 9, sku: "x", title: "new" },
        { sku: "a", title: "T" },
      ]),
    [
      { id: 9, created: true },
      { id: 1, created: false },
    ],
    ["1 T", "9 new"],
  ],
  [
    "admin",
    "upsert the same twice",
    (as) =>
      data.upsert(as, t, onSku, [
        { id: 9, sku: "x" },
        { id: 8, sku: "x" },
      ]),
    "INVALID_VALUE",
  ],
  [
    "admin",
    "upsert on what is not unique",
    (as) => data.upsert(as, t, { on: ["title"] }, [{ id: 9, sku: "x", title: "one" }]),
    "INVALID_QUERY",
  ],
  [
    "admin",
    "upsert on nothing",
    (as) => data.upsert(as, t, { on: [] }, [{ id: 9, sku: "x" }]),
    "INVALID_QUERY",
  ],
  [
    "admin",
    "upsert without the value",
    (as) => data.upsert(as, t, onSku, [{ id: 9, title: "one" }]),
    "VALIDATION_ERROR",
  ],
  [
    "admin",
    "upsert what is deleted",
    (as) => data.upsert(as, t, onSku, [{ sku: "d", title: "T" }]),
    "CONFLICT",
  ],
  [
    "admin",
    "upsert, another field is taken",
    (as) => data.upsert(as, t, onSku, [{ id: 1, sku: "x" }]),
    "UNIQUE_VIOLATION",
  ],
  [
    "creator",
    "upsert a new one",
    (as) => data.upsert(as, t, onSku, [{ id: 9, sku: "x", title: "new" }]),
    [{ id: 9, created: true }],
    ["9 new"],
  ],
  [
    "creator",
    "upsert one that is there",
    (as) => data.upsert(as, t, onSku, [{ id: 9, sku: "a", title: "T" }]),
    "UNIQUE_VIOLATION",
  ],
  // Neither of these two tells whether the item is there.
  ...["c", "d", "x"].flatMap((sku): Case[] => [
    [
      "blind",
      "upsert by what it may not read",
      (as) => data.upsert(as, t, onSku, [{ sku, title: "T" }]),
      "FORBIDDEN",
    ],
    ["own", "upsert another's", (as) => data.upsert(as, t, onSku, [{ sku, title: "T" }]), "FORBIDDEN"],
  ]),
  [
    "titles",
    "upsert one that is there",
    (as) => data.upsert(as, t, onSku, [{ sku: "c", title: "T" }]),
    [{ id: 3, created: false }],
    ["3 T"],
  ],
  [
    "titles",
    "upsert a new one",
    (as) => data.upsert(as, t, onSku, [{ id: 9, sku: "x", title: "T" }]),
    "FORBIDDEN",
  ],
  [
    "titles",
    "upsert both",
    (as) =>
      data.upsert(as, t, onSku, [
        { sku: "c", title: "T" },
        { sku: "x", title: "T" },
      ]),
    "FORBIDDEN",
  ],
  [
    "editor",
    "upsert another's",
    (as) => data.upsert(as, t, onSku, [{ id: 9, sku: "c", title: "T" }]),
    "UNIQUE_VIOLATION",
  ],
  ["reader", "upsert", (as) => data.upsert(as, t, onSku, [{ id: 9, sku: "x" }]), "FORBIDDEN"],
  [
    "admin",
    "upsert by filter: one",
    (as) => data.upsert(as, t, { filter: { title: "three" } }, [{ title: "T" }]),
    [{ id: 3, created: false }],
    ["3 T"],
  ],
  [
    "admin",
    "upsert by filter: none",
    (as) => data.upsert(as, t, { filter: { AND: [{ title: "new" }, { sku: { eq: "x" } }] } }, [{ id: 9 }]),
    [{ id: 9, created: true }],
    ["9 new"],
  ],
  [
    "admin",
    "upsert by filter: the data wins",
    (as) => data.upsert(as, t, { filter: { title: "new", sku: "x" } }, [{ id: 9, title: "newer" }]),
    [{ id: 9, created: true }],
    ["9 newer"],
  ],
  [
    "admin",
    "upsert by filter: several",
    (as) => data.upsert(as, t, { filter: { owner: ann } }, [{ title: "T" }]),
    "CONFLICT",
  ],
  [
    "admin",
    "upsert by filter: several bodies",
    (as) => data.upsert(as, t, { filter: { id: 1 } }, [{ title: "T" }, { title: "U" }]),
    "INVALID_QUERY",
  ],
  [
    "editor",
    "upsert by filter, with a variable",
    (as) => data.upsert(as, t, { filter: { owner: "$CURRENT_USER", sku: "x" } }, [{ id: 9, title: "new" }]),
    [{ id: 9, created: true }],
    ["9 new"],
  ],
  [
    "editor",
    "upsert by filter: another's is taken",
    (as) => data.upsert(as, t, { filter: { sku: "c" } }, [{ id: 9, title: "T" }]),
    "UNIQUE_VIOLATION",
  ],
  [
    "creator",
    "upsert by filter without reading",
    (as) => data.upsert(as, t, { filter: { sku: "x" } }, [{ id: 9 }]),
    "FORBIDDEN",
  ],

  [
    "admin",
    "set once",
    (as) => data.update(as, t, [{ id: 2, data: { serial: "s2", title: "T" } }]),
    [2],
    ["2 T"],
  ],
  [
    "admin",
    "set to the same",
    (as) => data.update(as, t, [{ id: 1, data: { serial: "s1", title: "T" } }]),
    [1],
    ["1 T"],
  ],
  [
    "admin",
    "change what is set",
    (as) => data.update(as, t, [{ id: 1, data: { serial: "s9", title: "T" } }]),
    "VALIDATION_ERROR",
  ],
  [
    "admin",
    "take away what is set",
    (as) => data.update(as, t, [{ id: 1, data: { serial: null, title: "T" } }]),
    "VALIDATION_ERROR",
  ],
  [
    "admin",
    "change what is set, in a bulk",
    (as) =>
      data.update(as, t, [
        { id: 2, data: { serial: "s2" } },
        { id: 3, data: { serial: "s4" } },
      ]),
    "VALIDATION_ERROR",
  ],
  [
    "admin",
    "leave what is set, in a bulk",
    (as) =>
      data.update(as, t, [
        { id: 2, data: { serial: "s2", title: "T" } },
        { id: 3, data: { title: "U" } },
      ]),
    [2, 3],
    ["2 T", "3 U"],
  ],
  [
    "admin",
    "change what is set, by filter",
    (as) => data.updateWhere(as, t, all, { serial: "s1" }),
    "VALIDATION_ERROR",
  ],
  [
    "admin",
    "change what is set, by upsert",
    (as) => data.upsert(as, t, onSku, [{ sku: "a", serial: "s9" }]),
    "VALIDATION_ERROR",
  ],

  [
    "admin",
    "a wrong version",
    (as) => data.update(as, t, [{ id: 1, data: { title: "T" }, version: "1" }]),
    "PRECONDITION_FAILED",
  ],
  [
    "admin",
    "no version at all",
    (as) => data.update(as, t, [{ id: 1, data: { title: "T" }, version: "x" }]),
    "PRECONDITION_FAILED",
  ],
  [
    "editor",
    "a wrong version of another's",
    (as) => data.update(as, t, [{ id: 3, data: { title: "T" }, version: "1" }]),
    "NOT_FOUND",
  ],
  [
    "admin",
    "the right version",
    async (as) => data.update(as, t, [{ id: 1, data: { title: "T" }, version: await version(1) }]),
    [1],
    ["1 T"],
  ],
  [
    "admin",
    "one right, one wrong",
    async (as) =>
      data.update(as, t, [
        { id: 1, data: { title: "T" }, version: await version(1) },
        { id: 2, data: { title: "T" }, version: "1" },
      ]),
    "PRECONDITION_FAILED",
  ],
  [
    "admin",
    "one with a version, one without",
    async (as) =>
      data.update(as, t, [
        { id: 1, data: { title: "T" }, version: await version(1) },
        { id: 2, data: { title: "U" } },
      ]),
    [1, 2],
    ["1 T", "2 U"],
  ],
  [
    "admin",
    "delete a wrong version",
    (as) => data.remove(as, t, [1], { version: "1" }),
    "PRECONDITION_FAILED",
  ],
  [
    "editor",
    "delete a wrong version of another's",
    (as) => data.remove(as, t, [3], { version: "1" }),
    "NOT_FOUND",
  ],
  [
    "admin",
    "delete the right version",
    async (as) => data.remove(as, t, [1], { version: await version(1) }),
    [1],
    ["1 one gone"],
  ],
  [
    "admin",
    "delete the right version for good",
    async (as) => data.remove(as, t, [1], { version: await version(1), permanent: true }),
    [1],
    ["-1"],
  ],
];

async function version(id: ItemId): Promise<string> {
  return (await data.readOne(server, "things", id)).version;
}

test.each(cases)("%s: %s", async (role, _, call, given, after = []) => {
  const result = await outcome(() => call(actor(role)));
  expect(result).toEqual(given);
  const changed = new Map(untouched.map((one) => [one.split(" ")[0] ?? "", one]));
  for (const one of after) {
    if (one.startsWith("-")) changed.delete(one.slice(1));
    else changed.set(one.split(" ")[0] ?? "", one);
  }
  expect((await things()).map(line)).toEqual([...changed.values()]);
});

describe("several grants with different defaults", () => {
  const both = async (permissions: readonly Row[]): Promise<Actor> => {
    const ids: string[] = [];
    for (const permission of permissions) {
      const [role] = await data.create(server, "baasix_Role", [{ name: crypto.randomUUID() }]);
      const grants = ["read", "update"].map((action) => ({
        role_Id: role,
        collection: "things",
        fields: ["*"],
        ...permission,
        action,
        ...(action === "read" && { conditions: null, defaultValues: null }),
      }));
      await data.create(server, "baasix_Permission", grants);
      ids.push(String(role));
    }
    return userOf(...ids);
  };
  const own = { conditions: { owner: "$CURRENT_USER" }, defaultValues: { note: "own" } };
  const free = { conditions: { owner: bob }, defaultValues: { note: "bob's" } };
  const every = { conditions: { id: { gt: 0 } }, defaultValues: { note: "any" } };
  const table: readonly [string, readonly Row[], object, unknown, readonly unknown[]][] = [
    ["one grant carries all that is found", [own, free], { owner: ann }, [1, 2], ["own", "own", null]],
    [
      "no grant carries all that is found: none is changed",
      [own, free],
      all,
      "FORBIDDEN",
      [null, null, null],
    ],
    [
      "the wider grant carries what the narrow one does not",
      [own, every],
      all,
      [1, 2, 3],
      ["any", "any", "any"],
    ],
    ["nothing is found", [own, free], { id: 99 }, [], [null, null, null]],
  ];
  test.each(table)("%s", async (_, permissions, filter, given, notes) => {
    const as = await both(permissions);
    expect(await outcome(() => data.updateWhere(as, "things", filter, { title: "T" }))).toEqual(given);
    const rows = await data.find<Row>(server, "things", { fields: ["note"], sort: "id" });
    expect(rows.map(({ note }) => note)).toEqual([...notes]);
  });
});

describe("audit entries are written with the rows", () => {
  const table: readonly [
    string,
    () => Promise<unknown>,
    readonly (readonly [string, string, object | null, object | null])[],
  ][] = [
    [
      "create",
      () => data.create(actor("admin"), "things", [{ id: 9, sku: "x", amount: "2.5", note: 'q"\\' }]),
      [
        [
          "create",
          "9",
          null,
          {
            id: 9,
            sku: "x",
            owner: null,
            title: null,
            note: 'q"\\',
            amount: "2.5000",
            serial: null,
            deletedAt: null,
          },
        ],
      ],
    ],
    [
      "update: what is written, as it was and is",
      () =>
        data.update(actor("admin"), "things", [
          { id: 1, data: { title: "T", amount: "3" } },
          { id: 2, data: { title: "U" } },
        ]),
      [
        ["update", "1", { title: "one", amount: "1.5000" }, { title: "T", amount: "3.0000" }],
        ["update", "2", { title: "two", amount: null }, { title: "U", amount: null }],
      ],
    ],
    [
      "update by filter",
      () => data.updateWhere(actor("admin"), "things", { id: { lte: 2 } }, { title: "T" }),
      [
        ["update", "1", { title: "one" }, { title: "T" }],
        ["update", "2", { title: "two" }, { title: "T" }],
      ],
    ],
    [
      "delete softly",
      () => data.remove(actor("admin"), "things", [3]),
      [
        [
          "delete",
          "3",
          {
            id: 3,
            sku: "c",
            owner: bob,
            title: "three",
            note: null,
            amount: null,
            serial: "s3",
            deletedAt: null,
          },
          { deletedAt: expect.any(String) },
        ],
      ],
    ],
    [
      "delete for good",
      () => data.remove(actor("admin"), "things", [3], { permanent: true }),
      [
        [
          "delete",
          "3",
          {
            id: 3,
            sku: "c",
            owner: bob,
            title: "three",
            note: null,
            amount: null,
            serial: "s3",
            deletedAt: null,
          },
          null,
        ],
      ],
    ],
    [
      "restore: what came back",
      () => data.restore(actor("admin"), "things", [4, 1]),
      [
        [
          "restore",
          "4",
          { deletedAt: expect.any(String) },
          {
            id: 4,
            sku: "d",
            owner: ann,
            title: "four",
            note: null,
            amount: null,
            serial: null,
            deletedAt: null,
          },
        ],
      ],
    ],
    [
      "upsert: what happened",
      () => data.upsert(actor("admin"), "things", onSku, [{ sku: "a", title: "T" }]),
      [["update", "1", { title: "one" }, { title: "T" }]],
    ],
    [
      "a refused write",
      () =>
        outcome(() => data.update(actor("editor"), "things", [{ id: 1, data: { title: "T", owner: bob } }])),
      [],
    ],
    ["a collection without", () => data.create(actor("admin"), "plain", [{ id: 1 }]), []],
  ];
  test.each(table)("%s", async (_, call, expected) => {
    await data.removeWhere(server, "baasix_AuditLog", { id: { gt: 0 } });
    await call();
    const entries = await data.find<Row>(server, "baasix_AuditLog", { sort: "id" });
    const told = entries.map(({ action, entityId, changes }) => {
      const { before, after } = changes as Readonly<
        Record<"before" | "after", Record<string, unknown> | null>
      >;
      for (const side of [before, after]) {
        delete side?.createdAt;
        delete side?.updatedAt;
      }
      return [action, entityId, before, after];
    });
    expect(told as unknown).toEqual(expected as unknown);
  });

  test("who, from where, in which request and transaction", async () => {
    await data.removeWhere(server, "baasix_AuditLog", { id: { gt: 0 } });
    await data.transaction(async (rows) => {
      await rows.update(actor("admin"), "things", [{ id: 1, data: { title: "T" } }]);
      await rows.create(server, "things", [{ id: 9, sku: "x" }]);
    });
    const [first, second, ...rest] = await data.find<Row>(server, "baasix_AuditLog", { sort: "id" });
    expect(rest).toEqual([]);
    expect(first).toMatchObject({
      type: "data",
      entity: "things",
      userId: ann,
      ipaddress: "192.0.2.7",
      requestId: "request-1",
    });
    expect(second).toMatchObject({
      userId: null,
      ipaddress: null,
      requestId: null,
      transactionId: first?.transactionId,
    });
  });
});

test("a default that reads a table is worked out for each row of a bulk", async () => {
  await data.create(server, "plain", [{ id: 1 }, { id: 2, place: 10 }, { id: 3 }, { id: 4 }]);
  await data.create(server, "plain", [{ id: 5 }]);
  const rows = await data.find<Row>(server, "plain", { fields: ["place"], sort: "id" });
  expect(rows.map(({ place }) => place)).toEqual([1, 10, 11, 12, 13]);
});

test("by filter, built-in collections are guarded as by key", async () => {
  const where = { name: { in: ["administrator", "public", "none"] } };
  expect(await outcome(() => data.removeWhere(actor("admin"), "baasix_Role", where))).toBe("FORBIDDEN");
  expect(await outcome(() => data.updateWhere(actor("admin"), "baasix_Role", where, { name: "x" }))).toBe(
    "FORBIDDEN",
  );
  expect(await data.find(server, "baasix_Role", { filter: where })).toHaveLength(3);
});

// Statements of bulk writes are kept for the next one of the same role and columns.
test("bulk writes that follow one another each write their own", async () => {
  const editor = actor("editor") as Actor & { readonly kind: "user" };
  const other: Actor = { ...editor, id: bob };
  const rows = (from: number, ...extra: readonly object[]) =>
    [0, 1].map((n) => ({ id: from + n, sku: `k${from + n}`, title: `t${from + n}`, ...extra[n] }));
  const taken = rows(30, { owner: bob });
  expect([
    await data.create(editor, t, rows(10)),
    await data.create(other, t, rows(12)),
    await data.create(editor, t, rows(14, { serial: "s" })),
    await outcome(() => data.create(editor, t, taken)),
    await data.create(other, t, taken.slice(0, 1)),
    await data.create(editor, t, rows(16)),
    await outcome(() => data.create(actor("none"), t, rows(18))),
    await outcome(() => data.update(other, t, rowsToRename([12, 10]))),
    await data.update(other, t, rowsToRename([13, 12])),
    await data.update(editor, t, rowsToRename([10, 16])),
  ]).toEqual([
    [10, 11],
    [12, 13],
    [14, 15],
    "FORBIDDEN",
    [30],
    [16, 17],
    "FORBIDDEN",
    "NOT_FOUND",
    [13, 12],
    [10, 16],
  ]);
  const written = (await things()).filter(({ id }) => Number(id) > 9);
  expect(written.map(({ id, owner, title, serial }) => [id, owner === ann, title, serial])).toEqual([
    [10, true, "new 10", null],
    [11, true, "t11", null],
    [12, false, "new 12", null],
    [13, false, "new 13", null],
    [14, true, "t14", "s"],
    [15, true, "t15", null],
    [16, true, "new 16", null],
    [17, true, "t17", null],
    [30, false, "t30", null],
  ]);
});

function rowsToRename(ids: readonly number[]) {
  return ids.map((id) => ({ id, data: { title: `new ${id}` } }));
}
