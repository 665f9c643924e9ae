/** What whoever runs the server does with accounts from the command line, straight in the database. */
import type { AdminLink, AdminLinkType } from "@baasix/types";
import { system } from "../../../core/access/actor";
import { AppError } from "../../../core/errors";
import type { Data, Rows } from "../../../data";
import { type Account, type AccountStatus, findByEmail, normalizeEmail, setPassword } from "../accounts";
import { isServiceAccount } from "../api-tokens";
import { endChallenges } from "../mfa/challenges";
import { createOneTimes, endOneTimes } from "../one-time";
import type { PasswordPolicy } from "../password-policy";
import { createPasswords } from "../passwords";
import { findRole } from "../roles";
import type { SignInParts } from "../sign-in";
import { generateLink } from "./links";

const operating = system("whoever runs the server keeps its accounts");

/** An account as it is listed. `roles`: by name, with the tenant where there is one. Times are ISO 8601. */
export type ListedAccount = {
  readonly id: string;
  readonly email: string;
  readonly username: string | null;
  readonly status: AccountStatus;
  readonly emailVerified: boolean;
  readonly createdAt: string;
  readonly lastAccess: string | null;
  readonly roles: readonly { readonly name: string; readonly tenant: string | null }[];
};

type Row = Omit<ListedAccount, "roles"> & {
  readonly userRoles: readonly {
    readonly role: { readonly name: string } | null;
    readonly tenant: { readonly name: string } | null;
  }[];
};

/** What a link is for. `role`: by name, and `tenant`: by name or id, of an invitation. */
export type OperatorLink = {
  readonly type: AdminLinkType;
  readonly email: string;
  readonly link?: string | undefined;
  readonly role?: string | undefined;
  readonly tenant?: string | undefined;
};

/** All accounts, the oldest first, in batches; those in one state where one is named. */
export async function* listAccounts(
  data: Data,
  status?: AccountStatus,
): AsyncGenerator<readonly ListedAccount[]> {
  const batches = data.stream(operating, "baasix_User", {
    ...(status !== undefined && { filter: { status: { eq: status } } }),
    fields: [
      "id",
      "email",
      "username",
      "status",
      "emailVerified",
      "createdAt",
      "lastAccess",
      "userRoles.role.name",
      "userRoles.tenant.name",
    ],
    sort: ["createdAt", "id"],
  });
  for await (const texts of batches) {
    yield texts.map((text) => {
      const { userRoles, ...account }: Row = JSON.parse(text);
      const roles = userRoles.flatMap(({ role, tenant }) =>
        role === null ? [] : [{ name: role.name, tenant: tenant?.name ?? null }],
      );
      return { ...account, roles };
    });
  }
}

/** Lets an account in, or locks it out, which ends its sessions. @throws AppError NOT_FOUND */
export async function setStatus(data: Data, email: string, status: "active" | "suspended"): Promise<string> {
  return data.transaction(async (rows) => {
    const { id } = await accountOf(rows, email);
    await rows.update(operating, "baasix_User", [{ id, data: { status } }]);
    if (status !== "active") await endSessions(rows, id);
    return id;
  });
}

/** Says that an address is its account's. @throws AppError NOT_FOUND */
export async function confirmAddressOf(data: Data, email: string): Promise<string> {
  return data.transaction(async (rows) => {
    const { id } = await accountOf(rows, email);
    await rows.update(operating, "baasix_User", [{ id, data: { emailVerified: true } }]);
    return id;
  });
}

/**
 * Sets the password of an account; its sessions end, and so does what was mailed to come in. Second factors stay.
 * @throws AppError NOT_FOUND; VALIDATION_ERROR for a password that the policy refuses, and for a service account
 */
export async function setPasswordOf(
  data: Data,
  { email, password }: { readonly email: string; readonly password: string },
  policy?: PasswordPolicy,
): Promise<string> {
  const account = await accountOf(data, email);
  if (await isServiceAccount(data, account.id)) {
    throw new AppError("VALIDATION_ERROR", "Service accounts have no password; they use API tokens");
  }
  const hash = await createPasswords({ ...(policy && { policy }) }).hash(password, account);
  await data.transaction(async (rows) => {
    await setPassword(rows, account.id, hash);
    await endSessions(rows, account.id);
    await endOneTimes(rows, account.email, ["password-reset", "magic-link", "otp"]);
  });
  return account.id;
}

/** Deletes an account with its sessions, tokens and memberships; what it wrote stays. @throws AppError NOT_FOUND */
export async function removeAccount(data: Data, email: string): Promise<string> {
  const { id } = await accountOf(data, email);
  await data.remove(operating, "baasix_User", [id]);
  return id;
}

/** Makes a link of a mail; nothing is mailed. @throws AppError as `generateLink`; NOT_FOUND for a role or tenant */
export async function operatorLink(
  data: Data,
  config: SignInParts["config"],
  { type, email, link, role, tenant }: OperatorLink,
): Promise<AdminLink> {
  const clock = Date.now;
  // No codes are made here: of the key nothing depends.
  const oneTimes = createOneTimes({ codeKey: crypto.getRandomValues(new Uint8Array(32)), clock });
  const gift = type === "invite" ? await giftOf(data, role, tenant) : {};
  const input = { type, email, ...(link !== undefined && { link }), ...gift };
  return generateLink({ data, config, oneTimes, clock }, null, input);
}

async function giftOf(data: Data, name: string | undefined, tenant: string | undefined) {
  if (name === undefined) return {};
  const role = await findRole(data, name);
  if (role === null) throw new AppError("NOT_FOUND", `There is no role '${name}'`);
  if (tenant === undefined) return { role_Id: role.id };
  const isId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(tenant);
  const filter = isId ? { id: { eq: tenant } } : { name: { eq: tenant } };
  const [found] = await data.find<{ id: string }>(operating, "baasix_Tenant", {
    filter,
    fields: ["id"],
    limit: 1,
  });
  if (!found) throw new AppError("NOT_FOUND", `There is no tenant '${tenant}'`);
  return { role_Id: role.id, tenant_Id: found.id };
}

async function accountOf(rows: Data, email: string): Promise<Account> {
  const { account } = await findByEmail(rows, normalizeEmail(email));
  if (account === null) throw new AppError("NOT_FOUND", `There is no account '${email}'`);
  return account;
}

async function endSessions(rows: Rows, user: string): Promise<void> {
  await endChallenges(rows, user);
  await rows.removeWhere(operating, "baasix_Sessions", { user_Id: { eq: user } });
}
