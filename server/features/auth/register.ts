/** `POST /auth/register`: an account of the configured role, from listed fields alone. */
import type { AuthRole, Permission, Tenant } from "@baasix/types";
import { AppError } from "../../core/errors";
import {
  type Account,
  createAccount,
  findByEmail,
  findByName,
  invalidEmail,
  type NewAccount,
  normalizeEmail,
  permissionsOf,
  usernameTaken,
} from "./accounts";
import { appLink, loginAddress } from "./app-links";
import { queueLetter } from "./mailed";
import type { Entry } from "./entry";
import { registerInvited } from "./invites/accept";
import type { RegisterBody } from "./model";
import { findRole, type HeldRole, noSuchRole, shownRole } from "./roles";
import {
  countClient,
  describeSignIn,
  openSession,
  type Origin,
  requireLocal,
  type SignInParts,
  type SignInResult,
} from "./sign-in";
import { createTenant, ownerRole, requireFreeName, requireTenants } from "./tenants";
import { mailVerification, welcome } from "./verify-email";

/** A registration that waits for its mail address to be confirmed; the answer is the same where the address was taken. */
export type Pending = {
  readonly account: Pick<Account, "id" | "email" | "firstName" | "lastName">;
  readonly role: AuthRole;
  readonly permissions: readonly Permission[];
  readonly tenant: Tenant | null;
};

/** What a new account comes into. `tenant`: founded with it. */
type Beginning = Entry & { readonly roles: readonly [HeldRole] };

/**
 * Makes an account and signs it in. An address that is taken is told (`User already exists`): a sign-up that signs in
 * at once cannot hide it. With `REQUIRE_EMAIL_VERIFICATION` nobody is signed in, and only a mail tells: that the address is to
 * be confirmed, or that it has an account. A username that is taken is told in any case: names are for others to see.
 * With tenants, `tenant` founds one of which the account is the owner; a name that is taken is told as well.
 * `PUBLIC_REGISTRATION=false` closes this door before anything is looked up, but for who was invited.
 * @throws AppError FORBIDDEN when registration is closed; VALIDATION_ERROR; CONFLICT; RATE_LIMITED; UNAVAILABLE;
 * MAIL_NOT_CONFIGURED.
 */
export async function register(
  parts: SignInParts,
  body: RegisterBody,
  origin: Origin,
): Promise<SignInResult | Pending> {
  const { config, data, passwords } = parts;
  if (body.inviteToken !== undefined) return registerInvited(parts, body.inviteToken, body, origin);
  requireLocal(config);
  if (!config.PUBLIC_REGISTRATION)
    throw new AppError("FORBIDDEN", "Registration is closed; ask an administrator for an account");
  countClient(parts, origin.client);
  const email = normalizeEmail(body.email);
  if (email === null) throw invalidEmail();
  const { firstName, lastName, username, phone, link } = body;
  const beginning = await beginningOf(parts, body.tenant?.name);
  const {
    tenant,
    roles: [role],
  } = beginning;
  const hash = await passwords.hash(body.password, { email, username, firstName, lastName });
  const memberships = [{ role: role.id, tenant: tenant?.id ?? null }];
  const made: NewAccount = { email, hash, firstName, lastName, username, phone, memberships };
  if (config.REQUIRE_EMAIL_VERIFICATION) return registerPending(parts, made, beginning, link);
  const { account, opened } = await data.transaction(async (rows) => {
    if (tenant) await createTenant(rows, tenant);
    const id = await createAccount(rows, made);
    const account = accountOf(made, id);
    await welcome(parts, rows, account);
    const opening = { type: "default", entry: beginning, aal: 1 } as const;
    return { account, opened: await openSession(parts, rows, account, opening, origin) };
  });
  return describeSignIn(parts, opened, account, beginning);
}

/**
 * Where a new account begins: in a tenant that is founded with it, else with the role of new accounts.
 * @throws AppError VALIDATION_ERROR when that role is one of tenants and none is founded; BAD_REQUEST where there are none
 */
async function beginningOf({ config, data }: SignInParts, founded: string | undefined): Promise<Beginning> {
  if (founded !== undefined) {
    requireTenants(config);
    const owner = await ownerRole(data, config);
    return { tenant: { id: crypto.randomUUID(), name: founded }, roles: [owner] };
  }
  const role = await findRole(data, config.DEFAULT_ROLE_REGISTERED);
  if (role === null) throw noSuchRole(config.DEFAULT_ROLE_REGISTERED);
  if (config.MULTI_TENANT && role.isTenantSpecific) {
    const message = "Tenant information is required for registration in multi-tenant mode";
    throw new AppError("VALIDATION_ERROR", message, [{ field: "tenant", message, rule: "required" }]);
  }
  return { tenant: null, roles: [role] };
}

/** Makes the account after the answer, or tells the owner of the one that is there. */
async function registerPending(
  parts: SignInParts,
  made: NewAccount,
  { tenant, roles: [role] }: Beginning,
  link: string | undefined,
): Promise<Pending> {
  const { config, data, errands, mail } = parts;
  const { members: app } = await appLink(parts, { link, tenant: null });
  const { username } = made;
  if (username !== undefined && (await findByName(data, { username })).account !== null)
    throw usernameTaken();
  if (tenant) await requireFreeName(data, tenant.name);
  mail.requireWay();
  mail.limits.take(made.email);
  const id = crypto.randomUUID();
  errands.take("a registration could not be completed", () =>
    data.transaction(async (rows) => {
      const { account } = await findByEmail(rows, made.email);
      if (account !== null) {
        const loginUrl = loginAddress(config);
        return queueLetter(parts, rows, account, { type: "accountExists", values: { loginUrl } });
      }
      if (tenant) await createTenant(rows, tenant);
      await createAccount(rows, { ...made, id });
      await mailVerification(parts, rows, accountOf(made, id), app);
    }),
  );
  return {
    account: accountOf(made, id),
    role: shownRole(role),
    permissions: await permissionsOf(data, [role.id]),
    tenant,
  };
}

function accountOf({ email, username, firstName, lastName }: NewAccount, id: string): Account {
  return {
    id,
    email,
    username: username ?? null,
    firstName,
    lastName: lastName ?? null,
    status: "active",
    emailVerified: false,
  };
}
