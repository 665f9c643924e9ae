/** A server with two tenants, and callers of each kind: the world of the tests of what belongs to whom. */
import { system } from "../core/access/actor";
import { type Answer, testApp, type TestAppOptions } from "./app";

type Json = Record<string, unknown>;

const root = system("sets the scene of the test");
const password = "a good password";

/** Who asks. */
export const callers = ["ann", "bob", "cleo", "mix", "stan", "nobody", "root"] as const;
export type Caller = (typeof callers)[number];

/** Whose a row is. */
export const owners = ["A", "B", "none"] as const;
export type Owner = (typeof owners)[number];

export type TwoTenants = Awaited<ReturnType<typeof openTwoTenants>>;

const schemas: Readonly<Record<string, Json>> = {
  folders: { name: "Folder", fields: { name: { type: "String", allowNull: false, unique: true } } },
  notes: {
    name: "Note",
    paranoid: true,
    sortEnabled: true,
    usertrack: true,
    fields: {
      text: { type: "Text" },
      code: { type: "String", unique: true },
      kind: { type: "String" },
      number: { type: "Integer" },
    },
    indexes: [{ fields: ["kind", "number"], unique: true }],
  },
  tags: { name: "Tag", fields: { name: { type: "String" } } },
  // Its rows are everybody's.
  countries: { name: "Country", fields: { name: { type: "String", unique: true } } },
};

const relationships: readonly (readonly [string, Json])[] = [
  ["notes", { type: "M2O", name: "folder", target: "folders", alias: "notes", foreignKey: "folder_Id" }],
  ["notes", { type: "M2O", name: "parent", target: "notes", foreignKey: "parent_Id" }],
  ["notes", { type: "M2O", name: "owner", target: "baasix_User", alias: "owned", foreignKey: "owner_Id" }],
  ["notes", { type: "M2O", name: "picture", target: "baasix_File", foreignKey: "picture_Id" }],
  ["notes", { type: "M2O", name: "country", target: "countries", alias: "notes", foreignKey: "country_Id" }],
  ["notes", { type: "M2M", name: "tags", target: "tags", alias: "notes", through: "notes_tags_junction" }],
  ["countries", { type: "M2O", name: "note", target: "notes", foreignKey: "note_Id" }],
];

/** Collections whose rows belong to tenants, in an order in which they can be emptied. */
const ofTenants = ["notes_tags_junction", "notes", "folders", "tags"];

/**
 * Builds it. `ann` is a member of A, `bob` of B, `cleo` of both and acts in A; `mix` is a member of A and reads the notes of
 * all by another role, in A; `stan` has a role that sees all tenants; `nobody` has none; `root` is an administrator. All roles
 * may do everything with the collections of users, and with the built-in ones, as far as a permission can say so.
 */
export async function openTwoTenants(options: TestAppOptions = {}) {
  const app = await testApp({
    ...options,
    env: { MULTI_TENANT: "true", TENANT_IGNORED_TABLES: "countries", ...options.env },
  });
  const make = async (collection: string, ...bodies: readonly Json[]): Promise<string[]> =>
    (await app.data.create(root, collection, bodies)).map(String);
  const call = async (method: string, path: string, body: unknown): Promise<unknown> =>
    ((await app.ok(method, path, body)).body as { data?: unknown }).data;
  const [A = "", B = ""] = await make("baasix_Tenant", { name: "Acme" }, { name: "Bolt" });
  for (const [collectionName, schema] of Object.entries(schemas))
    await call("POST", "/schemas", { collectionName, schema });
  for (const [collection, relation] of relationships)
    await call("POST", `/schemas/${collection}/relationships`, relation);

  const [member = "", guest = "", staff = "", auditor = ""] = await make(
    "baasix_Role",
    { name: "member" },
    { name: "guest" },
    { name: "staff", isTenantSpecific: false },
    { name: "auditor", isTenantSpecific: false },
  );
  await app.data.update(root, "baasix_Role", [{ id: member, data: { canInviteRoleIds: [guest] } }]);
  const everything = (collection: string, role_Id: string): Json[] =>
    (["create", "read", "update", "delete"] as const).map((action) => ({
      role_Id,
      collection,
      action,
      fields: ["*"],
    }));
  const builtIn = [...app.snapshot.current().schema.collections.values()]
    .filter((one) => one.system && !["baasix_AuditLog", "baasix_EmailLog"].includes(one.name))
    .map(({ name }) => name);
  await make(
    "baasix_Permission",
    ...[member, staff].flatMap((role) =>
      [...ofTenants, "countries", ...builtIn].flatMap((collection) => everything(collection, role)),
    ),
    { role_Id: auditor, collection: "notes", action: "read", fields: ["*"] },
  );
  await app.snapshot.reloadRules();

  const places: Readonly<Record<Exclude<Caller, "root">, readonly (readonly [string, string | null])[]>> = {
    ann: [[member, A]],
    bob: [[member, B]],
    cleo: [
      [member, A],
      [member, B],
    ],
    mix: [
      [member, A],
      [auditor, null],
    ],
    stan: [[staff, null]],
    nobody: [],
  };
  const ids = new Map<string, string>();
  const tokens = new Map<string, string>([["root", app.admin]]);
  for (const [name, memberships] of Object.entries(places)) {
    const body = { email: `${name}@example.com`, firstName: name, password };
    const { id } = (await call("POST", "/items/baasix_User", body)) as { id: string };
    ids.set(name, id);
    for (const [role_Id, tenant_Id] of memberships)
      await make("baasix_UserRole", { user_Id: id, role_Id, tenant_Id });
  }
  /** A token of an account, in a tenant. */
  const enter = async (name: string, tenant_Id: string | null): Promise<string> => {
    const body = { email: `${name}@example.com`, password, tenant_Id };
    const answer = await app.call("POST", "/auth/login", { body });
    const { token } = (answer.body ?? {}) as { token?: string };
    if (token === undefined) throw new Error(`${name}: ${answer.status} ${answer.text}`);
    return token;
  };
  for (const [name, memberships] of Object.entries(places))
    tokens.set(name, await enter(name, memberships[0]?.[1] ?? null));

  const tenants: Readonly<Record<Owner, string | null>> = { A, B, none: null };
  return {
    ...app,
    /** As the server itself. */
    make,
    everything: (collection: string) =>
      app.data.find<Json>(root, collection, {
        limit: -1,
        ...(collection === "notes" && { paranoid: false }),
      }),
    tenants,
    A,
    B,
    roles: { member, guest, staff, auditor },
    builtIn,
    idOf: (caller: Caller): string => ids.get(caller) ?? "",
    tokenOf: (caller: Caller): string => tokens.get(caller) ?? "",
    enter,
    /** `as("ann", "GET /items/notes")` */
    as: (
      caller: Caller,
      request: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ): Promise<Answer> => {
      const [method = "", path = ""] = request.split(" ");
      const token = tokens.get(caller) ?? "";
      return app.call(method, path, { token, headers, ...(body !== undefined && { body }) });
    },
    empty: async (): Promise<void> => {
      for (const collection of ["countries", ...ofTenants]) {
        const key = { id: { isNotNull: true } };
        await app.data.removeWhere(root, collection, key, { permanent: true });
      }
    },
  };
}
