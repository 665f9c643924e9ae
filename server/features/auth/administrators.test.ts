/** That there is always an administrator, whatever administrators do to each other at the same moment. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { system } from "../../core/access/actor";
import { type Answer, type TestApp, testApp } from "../../testing/app";

setDefaultTimeout(60_000);

const root = system("the test makes administrators and looks at them");
let app: TestApp;
let adminRole = "";
let otherRole = "";
let people = 0;

beforeAll(async () => {
  app = await testApp();
  const filter = { name: "administrator" };
  const [role] = await app.data.find<{ id: string }>(root, "baasix_Role", { filter, fields: ["id"] });
  adminRole = role?.id ?? "";
  const [made] = await app.data.create(root, "baasix_Role", [{ name: "helper", isTenantSpecific: false }]);
  otherRole = String(made);
});
afterAll(() => app.close());

type Person = { readonly id: string; readonly token: string; readonly membership: string };

async function newAdministrator(): Promise<Person> {
  const { id, token } = await app.signUp(`admin${++people}@example.com`);
  const [membership = ""] = await app.data.create(root, "baasix_UserRole", [
    { user_Id: id, role_Id: adminRole },
  ]);
  return { id, token, membership: String(membership) };
}

/** Whether the account may still act as an administrator. */
async function isAdministrator({ id }: Person): Promise<boolean> {
  const held = { user_Id: id, role_Id: adminRole, tenant_Id: { isNull: true }, "user.status": "active" };
  return (await app.data.find(root, "baasix_UserRole", { filter: held, fields: ["id"] })).length > 0;
}

type Attack = (by: Person, other: Person) => Promise<Answer>;
const send = (method: string, path: string, { token }: Person, body?: unknown): Promise<Answer> =>
  app.call(method, path, { token, ...(body !== undefined && { body }) });

const attacks: Readonly<Record<string, Attack>> = {
  "takes the role": (by, { membership }) => send("DELETE", `/items/baasix_UserRole/${membership}`, by),
  "takes the role by a filter": (by, { id }) =>
    send("DELETE", "/items/baasix_UserRole", by, { filter: { user_Id: id, role_Id: adminRole } }),
  "gives another role": (by, { membership }) =>
    send("PATCH", `/items/baasix_UserRole/${membership}`, by, { role_Id: otherRole }),
  suspends: (by, { id }) => send("PATCH", `/items/baasix_User/${id}`, by, { status: "suspended" }),
  deletes: (by, { id }) => send("DELETE", `/items/baasix_User/${id}`, by),
  "empties the list of roles": (by, { id }) =>
    send("PATCH", `/items/baasix_User/${id}`, by, { userRoles: [] }),
  "takes the role in a transaction": (by, { membership }) =>
    send("POST", "/transaction", by, {
      operations: [{ action: "delete", collection: "baasix_UserRole", id: membership }],
    }),
};

const pairs = Object.keys(attacks).flatMap((one, i, all) => [
  [one, one] as const,
  [one, all[(i + 1) % all.length] ?? one] as const,
]);

test.each(pairs)("of two at once, where one %s and the other %s, one is left", async (first, second) => {
  const [one, other] = [attacks[first], attacks[second]];
  if (!one || !other) throw new Error("no such attack");
  for (let round = 0; round < 5; round++) {
    const [ann, bob] = [await newAdministrator(), await newAdministrator()];
    const answers = await Promise.all([one(ann, bob), other(bob, ann)]);
    const left = [await isAdministrator(ann), await isAdministrator(bob)];
    const done = answers.map(({ status }) => status < 300);
    expect([left.filter(Boolean).length, ...done]).toEqual([1, ...left]);
    // The other is refused: in its write, or as what it had become before.
    const refused = answers.find(({ status }) => status >= 300);
    expect(refused?.status).toBeOneOf([401, 403]);
  }
});

test("of an administrator and a program that is one, one is left", async () => {
  for (let round = 0; round < 5; round++) {
    const ann = await newAdministrator();
    const made = await send("POST", "/auth/tokens", ann, { name: "robot", role_Id: adminRole });
    const { data } = made.body as { data: { id: string; token: string; user_Id: string } };
    const robot = { id: data.user_Id, token: data.token, membership: "" };
    const answers = await Promise.all([
      send("DELETE", `/auth/tokens/${data.id}`, ann),
      attacks["takes the role"]?.(robot, ann),
    ]);
    const left = [await isAdministrator(ann), await isAdministrator(robot)];
    expect([left.filter(Boolean).length, ...answers.map((answer) => answer?.status === 200)]).toEqual([
      1,
      ...left,
    ]);
  }
});

test("of three in a circle one is left at least, and no more than it did", async () => {
  for (let round = 0; round < 5; round++) {
    const all = [await newAdministrator(), await newAdministrator(), await newAdministrator()] as const;
    const [ann, bob, cid] = all;
    const take = attacks["takes the role"] as Attack;
    const answers = await Promise.all([take(ann, bob), take(bob, cid), take(cid, ann)]);
    const left = await Promise.all(all.map(isAdministrator));
    const done = answers.filter(({ status }) => status < 300).length;
    expect([done, left.filter(Boolean).length]).toEqual([done, 3 - done]);
    expect(left).toContain(true);
  }
});
