/** A tenant's own administrator: what it does with accounts, and with whose. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Tenant } from "@baasix/types";
import type { Answer } from "../../../testing/app";
import { openTenantScene, type Person, signedIn, type TenantScene } from "../../../testing/tenant-scene";

setDefaultTimeout(30_000);

let scene: TenantScene;
let ours: Tenant;
let theirs: Tenant;
let chief = "";
/** The id of the role. */
let administrator = "";

beforeAll(async () => {
  scene = await openTenantScene();
  [ours, theirs] = [await scene.tenant("Ours"), await scene.tenant("Theirs")];
  for (const collection of ["baasix_User", "baasix_UserRole"]) {
    for (const action of ["create", "read", "update", "delete"]) {
      const body = { role_Id: scene.role("owner"), collection, action, fields: ["*"] };
      // oxlint-disable-next-line no-await-in-loop
      expect((await as(scene.app.admin, "POST", "/permissions", body)).status).toBe(201);
    }
  }
  const canInviteRoleIds = [scene.role("member")];
  await as(scene.app.admin, "PATCH", `/items/baasix_Role/${scene.role("owner")}`, { canInviteRoleIds });
  const { body } = await as(scene.app.admin, "GET", "/items/baasix_Role?filter[name]=administrator");
  administrator = (body as { data: { id: string }[] }).data[0]?.id ?? "";
  chief = await tokenOf(await scene.person(["owner", ours]));
});
afterAll(() => scene.close());

const as = (token: string, method: string, path: string, body?: unknown): Promise<Answer> =>
  scene.app.call(method, path, { token, ...(body !== undefined && { body }) });
const tokenOf = async (person: Person, more: object = {}): Promise<string> =>
  signedIn(await scene.signIn(person, more)).token;
const statusOf = async ({ id }: Person): Promise<unknown> => {
  const { body } = await as(scene.app.admin, "GET", `/items/baasix_User/${id}`);
  return (body as { data: { status: string } } | null)?.data?.status;
};

/** Who is meant, and whether the owner of one tenant may change that account. */
const people: readonly (readonly [string, () => Promise<Person>, number])[] = [
  ["a member of the tenant alone", () => scene.person(["member", ours]), 200],
  ["a member of another tenant", () => scene.person(["member", theirs]), 404],
  ["a member of both", () => scene.person(["member", ours], ["member", theirs]), 404],
  ["a member who sees all tenants elsewhere", () => scene.person(["member", ours], ["auditor", null]), 404],
  ["an administrator who is a member", () => scene.person(["member", ours], [administrator, null]), 404],
];

describe.each(people)("%s", (_who, make, expected) => {
  test("is suspended, which ends its sessions, and deleted", async () => {
    const person = await make();
    const session = await tokenOf(person);
    const path = `/items/baasix_User/${person.id}`;
    expect((await as(chief, "PATCH", path, { status: "suspended" })).status).toBe(expected);
    expect(await statusOf(person)).toBe(expected === 200 ? "suspended" : "active");
    expect((await as(session, "GET", "/auth/me")).status).toBe(expected === 200 ? 401 : 200);
    expect((await as(chief, "DELETE", path)).status).toBe(expected);
    expect(await statusOf(person)).toBe(expected === 200 ? undefined : "active");
  });
});

test.each<readonly [string, string, () => Promise<readonly [path: string, body: unknown]>, number]>([
  [
    "says nothing of an account that only administrators say",
    "PATCH",
    async () => [`/items/baasix_User/${(await scene.person(["member", ours])).id}`, { appMetadata: {} }],
    403,
  ],
  [
    "confirms no address",
    "PATCH",
    async () => [`/items/baasix_User/${(await scene.person(["member", ours])).id}`, { emailVerified: true }],
    403,
  ],
  [
    "makes no links",
    "POST",
    async () => [
      "/auth/admin/links",
      { type: "magic-link", email: (await scene.person(["member", ours])).email },
    ],
    403,
  ],
  [
    "sets no passwords",
    "POST",
    async () => [
      "/auth/admin/password/change",
      { userId: (await scene.person(["member", ours])).id, newPassword: "another password" },
    ],
    403,
  ],
  [
    "ends no sessions by the route of administrators",
    "DELETE",
    async () => [`/auth/admin/users/${(await scene.person(["member", ours])).id}/sessions`, undefined],
    403,
  ],
  ["makes no roles", "POST", async () => ["/items/baasix_Role", { name: "mine" }], 403],
  [
    "makes no role one that may invite more",
    "PATCH",
    async () => [`/items/baasix_Role/${scene.role("owner")}`, { canInviteRoleIds: [scene.role("owner")] }],
    403,
  ],
  [
    "makes nobody an owner beside it",
    "POST",
    async () => [
      "/items/baasix_UserRole",
      {
        user_Id: (await scene.person(["member", ours])).id,
        role_Id: scene.role("owner"),
        tenant_Id: ours.id,
      },
    ],
    403,
  ],
])("%s", async (_what, method, wanted, status) => {
  const [path, body] = await wanted();
  expect((await as(chief, method, path, body)).status).toBe(status);
});
