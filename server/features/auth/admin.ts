/** Administrators that are made outside the API: by the command line, and from the settings at the first start. */
import { system } from "../../core/access/actor";
import { administratorRole } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Data, Rows } from "../../data";
import { createAccount, findByEmail, invalidEmail, type NewAccount, normalizeEmail } from "./accounts";
import { removeAllFactors } from "./mfa/factors";
import { endOneTimes } from "./one-time";
import type { PasswordPolicy } from "./password-policy";
import { createPasswords } from "./passwords";
import { findRole } from "./roles";

const installing = system("whoever runs the server makes its administrators");

/** Mail address and password of an administrator. */
export type AdminInput = { readonly email: string; readonly password: string };

/**
 * Makes an administrator.
 * @throws AppError CONFLICT when the address is taken; VALIDATION_ERROR for an unusable address or password.
 */
export async function createAdmin(
  data: Data,
  input: AdminInput,
  policy?: PasswordPolicy,
): Promise<{ readonly id: string }> {
  const { email, hash, role } = await prepare(data, input, policy);
  const { account } = await findByEmail(data, email);
  if (account !== null) throw taken(email);
  const id = await data.transaction((rows) => createAccount(rows, administrator({ email, hash, role })));
  return { id };
}

/**
 * Makes an administrator, or makes the account with that address one: active, with this password, its other roles,
 * its sessions, its API tokens, its second factors and what was mailed to come in gone.
 * @throws AppError VALIDATION_ERROR for an unusable address or password.
 */
export async function upsertAdmin(
  data: Data,
  input: AdminInput,
  policy?: PasswordPolicy,
): Promise<{ readonly id: string; readonly created: boolean }> {
  const { email, hash, role } = await prepare(data, input, policy);
  const { account } = await findByEmail(data, email);
  if (account === null) {
    const id = await data.transaction((rows) => createAccount(rows, administrator({ email, hash, role })));
    return { id, created: true };
  }
  await data.transaction(async (rows) => {
    await rows.update(installing, "baasix_User", [
      { id: account.id, data: { status: "active", emailVerified: true } },
    ]);
    for (const collection of ["baasix_UserRole", "baasix_Account", "baasix_Sessions", "baasix_ApiToken"]) {
      await removeOf(rows, collection, account.id);
    }
    await endOneTimes(rows, email, ["password-reset", "magic-link", "otp"]);
    // The way back for who lost a phone, and no way in for who had put theirs there.
    await removeAllFactors(rows, account.id);
    await rows.create(installing, "baasix_UserRole", [{ user_Id: account.id, role_Id: role }]);
    await rows.create(installing, "baasix_Account", [
      { user_Id: account.id, accountId: account.id, providerId: "credential", password: hash },
    ]);
  });
  return { id: account.id, created: false };
}

/** All administrators, oldest first. */
export async function listAdmins(
  data: Data,
): Promise<readonly { readonly id: string; readonly email: string }[]> {
  const found = await data.find<{ user: { id: string; email: string } | null }>(
    installing,
    "baasix_UserRole",
    {
      filter: { "role.name": { eq: administratorRole } },
      fields: ["user.id", "user.email"],
      sort: ["createdAt", "id"],
      limit: -1,
    },
  );
  return found.flatMap(({ user }) => (user === null ? [] : [user]));
}

/**
 * Makes the first administrator from `ADMIN_EMAIL` and `ADMIN_PASSWORD`, when there is none yet and both are set.
 * Gives whether there is an administrator afterwards. An existing one is never changed.
 * @throws AppError VALIDATION_ERROR for a password that the policy refuses
 */
export async function ensureFirstAdmin(
  data: Data,
  config: { readonly ADMIN_EMAIL?: string | undefined; readonly ADMIN_PASSWORD?: string | undefined },
  policy?: PasswordPolicy,
): Promise<boolean> {
  if ((await listAdmins(data)).length > 0) return true;
  if (config.ADMIN_EMAIL === undefined || config.ADMIN_PASSWORD === undefined) return false;
  const input = { email: config.ADMIN_EMAIL, password: config.ADMIN_PASSWORD };
  await createAdmin(data, input, policy).catch((error: unknown) => {
    if (!(error instanceof AppError && error.code === "VALIDATION_ERROR")) throw error;
    throw new AppError("VALIDATION_ERROR", `ADMIN_PASSWORD: ${error.message}`, error.details);
  });
  return true;
}

/** Who runs the server vouches for the address. */
function administrator({
  role,
  ...given
}: Pick<NewAccount, "email" | "hash"> & { readonly role: string }): NewAccount {
  return { ...given, memberships: [{ role, tenant: null }], firstName: "Administrator", emailVerified: true };
}

async function prepare(data: Data, { email, password }: AdminInput, policy: PasswordPolicy | undefined) {
  const address = normalizeEmail(email);
  if (address === null) throw invalidEmail();
  const hash = await createPasswords({ ...(policy && { policy }) }).hash(password, { email: address });
  const role = await findRole(data, administratorRole);
  if (role === null)
    throw new AppError("INTERNAL_ERROR", "The role 'administrator' is missing from the database");
  return { email: address, hash, role: role.id };
}

async function removeOf(rows: Rows & Pick<Data, "find">, collection: string, user: string): Promise<void> {
  const found = await rows.find<{ id: string }>(installing, collection, {
    filter: { user_Id: { eq: user } },
    fields: ["id"],
    limit: -1,
  });
  await rows.remove(
    installing,
    collection,
    found.map(({ id }) => id),
  );
}

function taken(email: string): AppError {
  return new AppError(
    "CONFLICT",
    `${email}: an account with this address exists; 'admin upsert' makes it an administrator`,
  );
}
