/** Memberships, sign-ins, changes of tenant and renewals in any order, beside a model of a few lines that says what must hold. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { MeResult, Tenant } from "@baasix/types";
import { system } from "../../core/access/actor";
import { chance } from "../../testing/chance";
import { openTenantScene, type Person, signedIn, type TenantScene } from "../../testing/tenant-scene";

setDefaultTimeout(60_000);

const root = system("the test gives memberships and takes them away");
let scene: TenantScene;
let tenants: readonly Tenant[];

beforeAll(async () => {
  scene = await openTenantScene();
  tenants = [await scene.tenant("One"), await scene.tenant("Two"), await scene.tenant("Three")];
});
afterAll(() => scene.close());

type Membership = { readonly role: string; readonly tenant: Tenant | null };
type Member = { readonly person: Person; memberships: readonly Membership[]; active: boolean };
type Session = { member: Member; tenant: Tenant | null; token: string; refreshToken: string; ended: boolean };

const isOfTenants = (role: string): boolean => role !== "auditor";
const counts = ({ role, tenant }: Membership): boolean => isOfTenants(role) === (tenant !== null);
const belongs = ({ memberships }: Member, tenant: Tenant | null): boolean =>
  tenant === null || memberships.some((one) => counts(one) && one.tenant?.id === tenant.id);
const rolesIn = ({ memberships }: Member, tenant: Tenant | null): readonly string[] =>
  memberships
    .filter((one) => counts(one) && (one.tenant === null || one.tenant.id === tenant?.id))
    .map(({ role }) => role);
const home = ({ memberships }: Member): Tenant | null => memberships.find(counts)?.tenant ?? null;
const stands = ({ member, tenant, ended }: Session): boolean =>
  !ended && member.active && belongs(member, tenant);

const post = (path: string, body: object, token?: string) =>
  scene.app.call("POST", path, { body, ...(token !== undefined && { token }) });

/** What each session says of itself is what the model says. */
async function compare(sessions: readonly Session[]): Promise<void> {
  const answers = await Promise.all(
    sessions.map(({ token }) => scene.app.call("GET", "/auth/me", { token })),
  );
  for (const [i, session] of sessions.entries()) {
    const { status, body } = answers[i] ?? { status: 0, body: null };
    expect(status).toBe(stands(session) ? 200 : 401);
    if (status !== 200) continue;
    const { tenant, roles } = body as MeResult;
    expect([tenant, roles.map(({ name }) => name)]).toEqual([
      session.tenant,
      [...rolesIn(session.member, session.tenant)],
    ]);
  }
}

test.each([1, 2])("seed %d", async (seed) => {
  const { below } = chance(seed);
  const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)];
  const members: Member[] = [];
  for (let i = 0; i < 2; i++)
    // oxlint-disable-next-line no-await-in-loop
    members.push({ person: await scene.person(), memberships: [], active: true });
  const sessions: Session[] = [];
  const open = (member: Member, answer: Awaited<ReturnType<typeof post>>, tenant: Tenant | null): void => {
    const { token, refreshToken, tenant: told } = signedIn(answer);
    expect(told).toEqual(tenant);
    sessions.push({ member, tenant, token, refreshToken, ended: false });
  };

  const steps: readonly ((member: Member, session: Session | undefined) => Promise<void>)[] = [
    async (member) => {
      const role = pick(["owner", "member", "auditor"]) ?? "";
      const tenant = pick([...tenants, null]) ?? null;
      if (member.memberships.some((one) => one.role === role && one.tenant === tenant)) return;
      await scene.join(member.person, [role, tenant]);
      member.memberships = [...member.memberships, { role, tenant }];
    },
    async (member) => {
      const gone = pick(member.memberships);
      if (!gone) return;
      const place = gone.tenant === null ? { isNull: true } : { eq: gone.tenant.id };
      await scene.app.data.removeWhere(root, "baasix_UserRole", {
        AND: [
          { user_Id: { eq: member.person.id } },
          { role_Id: { eq: scene.role(gone.role) } },
          { tenant_Id: place },
        ],
      });
      member.memberships = member.memberships.filter((one) => one !== gone);
    },
    async (member) => {
      const tenant = pick([...tenants, undefined]);
      const answer = await scene.signIn(member.person, tenant && { tenant_Id: tenant.id });
      if (!member.active || (tenant && !belongs(member, tenant))) expect(answer.status).toBe(403);
      else open(member, answer, tenant ?? home(member));
    },
    async (_, session) => {
      const tenant = pick(tenants);
      if (!session || !tenant) return;
      const isGood = stands(session);
      const answer = await post("/auth/switch-tenant", { tenant_Id: tenant.id }, session.token);
      if (!isGood) expect(answer.status).toBe(401);
      else if (!belongs(session.member, tenant)) expect([400, 403]).toContain(answer.status);
      else {
        session.ended = true;
        open(session.member, answer, tenant);
      }
    },
    async (_, session) => {
      if (!session?.member.active) return;
      const isGood = stands(session);
      const answer = await post("/auth/refresh", { refreshToken: session.refreshToken });
      expect(answer.status).toBe(isGood ? 200 : 401);
      // A renewal that was refused ends the session, whatever comes after it.
      if (isGood) Object.assign(session, answer.body as object);
      else session.ended = true;
    },
    async (member) => {
      member.active = !member.active;
      const status = member.active ? "active" : "inactive";
      await scene.app.data.update(root, "baasix_User", [{ id: member.person.id, data: { status } }]);
    },
  ];
  // Accounts are mostly in use, and mostly members of something.
  const likely = [0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5];
  for (let i = 0; i < 120; i++) {
    const member = pick(members);
    if (!member) continue;
    if (!member.active) await steps[5]?.(member, undefined);
    await steps[likely[below(likely.length)] ?? 0]?.(member, pick(sessions));
    await compare(sessions.slice(-12));
  }
  expect(sessions.length).toBeGreaterThan(10);
  expect(sessions.some(stands)).toBe(true);
});
