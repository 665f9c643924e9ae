/** What a role that sees one tenant reaches of the built-in collections: all of them are walked. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openInstance } from "../../testing/app";
import { systemCollections } from "../../core/schema/system";
import { outsider } from "../../testing/postgres";
import { openTwoTenants, type TwoTenants } from "../../testing/two-tenants";

setDefaultTimeout(60_000);

type Json = Record<string, unknown>;

let scene: TwoTenants;
beforeAll(async () => {
  scene = await openTwoTenants();
  await seed();
});
afterAll(() => scene.close());

/**
 * What `ann`, who has a permission for everything, reads of each: `denied`, all, rows of her tenant, what belongs to its
 * members. `writes`: she writes rows of her tenant there.
 */
const table: Readonly<
  Record<string, { readonly reads: "denied" | "all" | "own" | "members"; readonly writes?: true }>
> = {
  baasix_SchemaDefinition: { reads: "all" },
  baasix_Role: { reads: "all" },
  baasix_Permission: { reads: "denied" },
  baasix_User: { reads: "members", writes: true },
  baasix_UserRole: { reads: "own", writes: true },
  baasix_Tenant: { reads: "own", writes: true },
  baasix_Account: { reads: "members" },
  baasix_Sessions: { reads: "own" },
  baasix_ApiToken: { reads: "own" },
  baasix_Invite: { reads: "own" },
  baasix_Settings: { reads: "own", writes: true },
  baasix_Verification: { reads: "denied" },
  baasix_Factor: { reads: "members" },
  baasix_RecoveryCode: { reads: "denied" },
  baasix_MfaChallenge: { reads: "denied" },
  baasix_AuditLog: { reads: "denied" },
  baasix_IdempotencyKey: { reads: "denied" },
  baasix_Template: { reads: "own", writes: true },
  baasix_EmailLog: { reads: "denied" },
  baasix_Notification: { reads: "own", writes: true },
  baasix_File: { reads: "own", writes: true },
};

/** Rows of each tenant and of none, where there are none by themselves. */
async function seed(): Promise<void> {
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  let count = 0;
  for (const tenant_Id of [scene.A, scene.B, null]) {
    count++;
    const user_Id = scene.idOf(tenant_Id === scene.A ? "ann" : tenant_Id === scene.B ? "bob" : "stan");
    const role_Id = scene.roles.member;
    await scene.make("baasix_File", { title: "a file", tenant_Id });
    await scene.make("baasix_Template", { type: "passwordReset", subject: "s", body: "b", tenant_Id });
    await scene.make("baasix_Settings", { project_name: "a project", tenant_Id });
    await scene.make("baasix_Notification", {
      type: "note",
      title: "a notification",
      message: "m",
      userId: user_Id,
      tenant_Id,
    });
    await scene.make("baasix_ApiToken", {
      name: "t",
      prefix: "p",
      tokenHash: `h${count}`,
      user_Id,
      role_Id,
      tenant_Id,
    });
    await scene.make("baasix_Factor", { type: "totp", friendlyName: "f", secret: "s", keyId: "k", user_Id });
    await scene.make("baasix_Invite", {
      email: "someone@example.com",
      role_Id,
      tenant_Id,
      tokenHash: `h${count}`,
      expiresAt: soon,
    });
  }
}

const read = async (collection: string): Promise<readonly Json[] | null> => {
  const answer = await scene.as("ann", `GET /items/${collection}?limit=-1`);
  if (answer.status === 403) return null;
  expect([collection, answer.status]).toEqual([collection, 200]);
  return (answer.body as { data: readonly Json[] }).data;
};

const keyOf = (collection: string): string =>
  scene.snapshot.current().schema.collections.get(collection)?.primaryKey.name ?? "id";

/** Whether a row is of tenant A or belongs to one of its members. */
const isOurs = (collection: string, row: Json): boolean => {
  const members = (["ann", "cleo", "mix"] as const).map((name) => scene.idOf(name));
  if (collection === "baasix_Tenant") return row.id === scene.A;
  if (table[collection]?.reads === "own") return row.tenant_Id === scene.A;
  return members.includes(String(collection === "baasix_User" ? row.id : row.user_Id));
};

test("every built-in collection stands in the table", () => {
  expect(Object.keys(table).toSorted()).toEqual([...systemCollections.keys()].toSorted());
});

describe.each(Object.keys(table))("%s", (collection) => {
  test("shows what belongs to the tenant, and all of it", async () => {
    const shown = await read(collection);
    const reads = table[collection]?.reads;
    if (reads === "denied") return expect(shown).toBeNull();
    const key = keyOf(collection);
    const there = await scene.everything(collection);
    const wanted = there.filter((row) => reads === "all" || isOurs(collection, row)).map((row) => row[key]);
    expect(wanted.length).toBeGreaterThan(0);
    expect((shown ?? []).map((row) => row[key]).toSorted()).toEqual(wanted.toSorted());
  });

  test("lets nobody write what is not the tenant's", async () => {
    const before = JSON.stringify(await scene.everything(collection));
    const key = keyOf(collection);
    const foreign = (await scene.everything(collection)).filter(
      (row) => table[collection]?.writes !== true || !isOurs(collection, row),
    );
    const [field = ""] = Object.keys(foreign[0] ?? { name: "" }).filter((name) => name !== key);
    for (const row of foreign) {
      const body = { [field]: row[field] };
      for (const answer of [
        await scene.as("ann", `PATCH /items/${collection}/${String(row[key])}`, body),
        await scene.as("ann", `DELETE /items/${collection}/${String(row[key])}`),
      ])
        expect([collection, [400, 403, 404].includes(answer.status), answer.text]).toEqual([
          collection,
          true,
          answer.text,
        ]);
    }
    if (table[collection]?.writes === undefined) {
      const answer = await scene.as("ann", `POST /items/${collection}`, {});
      expect([403, 400]).toContain(answer.status);
    }
    expect(JSON.stringify(await scene.everything(collection))).toBe(before);
  });
});

describe("an explanation", () => {
  const explain = async (who: string, id: string): Promise<Json> => {
    const answer = await scene.as("root", `GET /items/baasix_File/${id}?explain=permissions&${who}`);
    expect([answer.status, answer.text]).toEqual([200, answer.text]);
    return (answer.body as { explain: { row: Json } }).explain.row;
  };

  test("is that of a role or an account in a tenant", async () => {
    const files = await scene.everything("baasix_File");
    const fileOf = (tenant: string) => String(files.find(({ tenant_Id }) => tenant_Id === tenant)?.id);
    for (const [who, tenant, sees] of [
      ["explainRole=member", null, []],
      ["explainRole=member", scene.A, [scene.A]],
      ["explainRole=staff", null, [scene.A, scene.B]],
      [`explainUser=${scene.idOf("cleo")}`, null, []],
      [`explainUser=${scene.idOf("cleo")}`, scene.B, [scene.B]],
      [`explainUser=${scene.idOf("ann")}`, scene.B, []],
      [`explainUser=${scene.idOf("stan")}`, null, [scene.A, scene.B]],
    ] as const) {
      for (const owner of [scene.A, scene.B]) {
        const row = await explain(tenant === null ? who : `${who}&explainTenant=${tenant}`, fileOf(owner));
        const wanted = (sees as readonly string[]).includes(owner);
        expect([who, tenant, owner, row.visible]).toEqual([who, tenant, owner, wanted]);
      }
    }
  });

  test("says of permissions for what is closed that they give nothing", async () => {
    const told = scene.snapshot.current().rules.problems;
    expect(
      told.some((one) =>
        one.includes("(member, read baasix_Permission): a role that sees one tenant has nothing there"),
      ),
    ).toBe(true);
    expect(told.some((one) => one.includes("(staff, "))).toBe(false);
  });
});

describe("accounts and memberships", () => {
  const give = (body: Json) => scene.as("ann", "POST /items/baasix_UserRole", body);

  test("memberships are given for the roles alone that the role may invite to, and in the own tenant", async () => {
    const { guest, member, staff, auditor } = scene.roles;
    const user_Id = scene.idOf("nobody");
    for (const [role_Id, tenant_Id, status] of [
      [guest, undefined, 201],
      [member, undefined, 403],
      [staff, undefined, 403],
      [auditor, null, 403],
      [guest, scene.B, 403],
      [guest, null, 403],
    ] as const) {
      const answer = await give({ user_Id, role_Id, ...(tenant_Id !== undefined && { tenant_Id }) });
      expect([role_Id, tenant_Id, answer.status, answer.text]).toEqual([
        role_Id,
        tenant_Id,
        status,
        answer.text,
      ]);
    }
    const made = (await scene.everything("baasix_UserRole")).filter((row) => row.role_Id === guest);
    expect(made.map((row) => [row.user_Id, row.tenant_Id])).toEqual([[user_Id, scene.A]]);
    const [row] = made;
    expect(
      (await scene.as("ann", `PATCH /items/baasix_UserRole/${String(row?.id)}`, { role_Id: member })).status,
    ).toBe(403);
    expect((await scene.as("bob", `DELETE /items/baasix_UserRole/${String(row?.id)}`)).status).toBe(404);
    expect((await scene.as("ann", `DELETE /items/baasix_UserRole/${String(row?.id)}`)).status).toBe(200);
  });

  test("who belongs elsewhere is made a member by an invitation alone", async () => {
    for (const name of ["bob", "stan"] as const) {
      const answer = await give({ user_Id: scene.idOf(name), role_Id: scene.roles.guest });
      expect([name, answer.status]).toEqual([name, 403]);
    }
  });

  test("a new account is of the tenant whose member makes it", async () => {
    const body = { email: "new@example.com", firstName: "new", role_Id: scene.roles.guest };
    const made = await scene.as("ann", "POST /items/baasix_User", body);
    expect([made.status, made.text]).toEqual([201, made.text]);
    const rows = (await scene.everything("baasix_UserRole")).filter(
      (row) => row.role_Id === scene.roles.guest,
    );
    expect(rows.map(({ tenant_Id }) => tenant_Id)).toEqual([scene.A]);
    const { id } = (made.body as { data: { id: string } }).data;
    expect((await scene.as("bob", `GET /items/baasix_User/${id}`)).status).toBe(404);
    expect((await scene.as("ann", `DELETE /items/baasix_User/${id}`)).status).toBe(200);
  });

  test("where else a member belongs is told by nothing", async () => {
    const list = async (query: string): Promise<readonly Json[]> =>
      ((await scene.as("ann", `GET /items/baasix_User?${query}`)).body as { data: readonly Json[] }).data;
    const shown = await list("fields=email,userRoles.tenant_Id,userRoles.role.name,userRoles.tenant.name");
    expect(shown.some(({ email }) => email === "cleo@example.com")).toBe(true);
    for (const { userRoles } of shown as readonly { userRoles: readonly Json[] }[])
      expect(userRoles.every(({ tenant_Id }) => tenant_Id === scene.A)).toBe(true);
    for (const filter of [
      { userRoles: { tenant_Id: { eq: scene.B } } },
      { userRoles: { tenant_Id: { isNull: true } } },
      { userRoles: { "role.name": { eq: "auditor" } } },
      { userRoles: { "tenant.name": { eq: "Bolt" } } },
      { NOT: { userRoles: { tenant_Id: { eq: scene.A } } } },
    ])
      expect([filter, await list(`filter=${JSON.stringify(filter)}`)]).toEqual([filter, []]);
    const sorted = await list("fields=email,userRoles.id&sort=email&count=exact");
    expect(sorted.length).toBe(shown.length);
  });

  test("an account is changed by its tenant as long as it belongs to no other", async () => {
    for (const [name, status] of [
      ["ann", 200],
      ["cleo", 404],
      ["mix", 404],
      ["bob", 404],
      ["stan", 404],
    ] as const) {
      const answer = await scene.as("ann", `PATCH /items/baasix_User/${scene.idOf(name)}`, { lastName: "x" });
      expect([name, answer.status, answer.text]).toEqual([name, status, answer.text]);
    }
  });

  test("an account that is a member of nothing sees what nobody sees, definitions neither", async () => {
    for (const path of [
      "/items/notes",
      "/items/countries",
      "/items/baasix_Role",
      "/schemas",
      "/schemas/notes",
    ]) {
      const answer = await scene.as("nobody", `GET ${path}`);
      expect([path, answer.status, answer.text]).toEqual([path, 403, answer.text]);
    }
    const { text } = await scene.as("nobody", "GET /openapi.json");
    expect(text).not.toContain("/items/notes");
    expect((await scene.as("ann", "GET /schemas/notes")).status).toBe(200);
  });

  test("the tenant has its name changed by its members, and no other one", async () => {
    expect(
      (await scene.as("ann", `PATCH /items/baasix_Tenant/${scene.A}`, { name: "Acme & Co" })).status,
    ).toBe(200);
    expect((await scene.as("ann", `PATCH /items/baasix_Tenant/${scene.B}`, { name: "Mine" })).status).toBe(
      404,
    );
    // Nor one that looks like another's: as whoever founds one.
    for (const name of ["Bolt\u200b", " Bolt", "Bolt\u00a0", "Bolt\nLtd", "\u202etloB"])
      for (const [who, path] of [
        ["ann", `PATCH /items/baasix_Tenant/${scene.A}`],
        ["root", "POST /items/baasix_Tenant"],
      ] as const) {
        const answer = await scene.as(who, path, { name });
        expect([name, who, answer.status, answer.text]).toEqual([name, who, 400, answer.text]);
      }
    expect((await scene.as("ann", "POST /items/baasix_Tenant", { name: "Another" })).status).toBe(403);
    expect((await scene.as("ann", `DELETE /items/baasix_Tenant/${scene.A}`)).status).toBe(403);
  });

  test("what a session may changes with the membership, within the second", async () => {
    const token = await scene.enter("cleo", scene.B);
    const list = () => scene.call("GET", "/items/notes", { token });
    expect((await list()).status).toBe(200);
    const [membership] = (await scene.everything("baasix_UserRole")).filter(
      (row) => row.user_Id === scene.idOf("cleo") && row.tenant_Id === scene.B,
    );
    await scene.call("DELETE", `/items/baasix_UserRole/${String(membership?.id)}`, { token: scene.admin });
    expect((await list()).status).toBe(401);
    // The session in the other tenant stands.
    expect((await scene.as("cleo", "GET /items/notes")).status).toBe(200);
  });

  test("and so it does on another instance, and when psql writes it", async () => {
    const other = await openInstance(scene.config, scene.address);
    const [user_Id = ""] = await scene.make("baasix_User", { email: "gone@example.com", firstName: "g" });
    const place = { user_Id, role_Id: scene.roles.member, tenant_Id: scene.B };
    const [membership = ""] = await scene.make("baasix_UserRole", place);
    const token = tokenOf(user_Id, scene.B);
    const tokenHash = new Bun.CryptoHasher("sha256").update(token).digest("hex");
    await scene.make("baasix_ApiToken", { name: "t", prefix: "p", tokenHash, ...place });
    const instances = [other, scene].map(({ call, feed }) => {
      const status = async (): Promise<number> => (await call("GET", "/items/notes", { token })).status;
      const refused = Promise.withResolvers<void>();
      const check = () => void status().then((got) => got === 401 && refused.resolve(), refused.reject);
      return { status, refused: refused.promise, stop: feed.onChanges(check) };
    });
    for (const { status } of instances) expect(await status()).toBe(200);
    await outsider(scene.address, `delete from "baasix_UserRole" where id = '${membership}'`);
    for (const { refused, stop } of instances) {
      await refused;
      stop();
    }
    await other.close();
  });

  test("a role that sees one tenant gives nothing outside, and one that sees all nothing inside", async () => {
    const [wrong = "", odd = ""] = await scene.make(
      "baasix_User",
      { email: "wrong@example.com", firstName: "w" },
      { email: "odd@example.com", firstName: "o" },
    );
    await scene.make("baasix_UserRole", { user_Id: wrong, role_Id: scene.roles.member, tenant_Id: null });
    await scene.make("baasix_UserRole", { user_Id: odd, role_Id: scene.roles.staff, tenant_Id: scene.A });
    for (const [user_Id, role_Id] of [
      [wrong, scene.roles.member],
      [odd, scene.roles.staff],
    ] as const) {
      for (const tenant_Id of [null, scene.A]) {
        const token = tokenOf(user_Id, tenant_Id);
        const tokenHash = new Bun.CryptoHasher("sha256").update(token).digest("hex");
        await scene.make("baasix_ApiToken", {
          name: "t",
          prefix: "p",
          tokenHash,
          user_Id,
          role_Id,
          tenant_Id,
        });
        expect((await scene.call("GET", "/items/notes", { token })).status).toBe(401);
      }
    }
  });
});

const tokenOf = (user: string, tenant: string | null): string =>
  `bsx_${new Bun.CryptoHasher("sha256").update(`${user} ${tenant}`).digest("base64url").slice(0, 43)}`;
