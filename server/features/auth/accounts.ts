/** Accounts as rows: who has a mail address, with which password hash, and what its roles permit. */
import type { Permission, User } from "@baasix/types";
import { z } from "zod";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, Rows } from "../../data";

const signIn = system("sign-in reads accounts, which no role may read with their secrets");
const keeping = system("accounts are made and kept by the auth feature");

/** The states an account may be in; only `active` may sign in. */
export type AccountStatus = "active" | "inactive" | "deleted" | "suspended" | "pending";

/** An account at sign-in. */
export type Account = User & { readonly status: AccountStatus; readonly emailVerified: boolean };

const accountFields = ["id", "email", "firstName", "lastName", "status", "emailVerified"];

// A well-formed id that no row has: the look-up of nobody costs what the look-up of somebody does.
const nobody = "00000000-0000-0000-0000-000000000000";

/** A mail address as it is stored and compared: trimmed, lower case, at most 254 characters; null when it is none. */
export function normalizeEmail(text: string): string | null {
  const email = text.trim().toLowerCase();
  return email.length <= 254 && z.email().safeParse(email).success ? email : null;
}

/** The account and the password hash of a mail address. Takes the same queries whether there is one or not. */
export async function findByEmail(
  data: Data,
  email: string | null,
): Promise<{ readonly account: Account | null; readonly hash: string | null }> {
  const [account] = await data.find<Account>(signIn, "baasix_User", {
    filter: { email: { eq: email ?? "" } },
    fields: accountFields,
    limit: 1,
  });
  const [credential] = await data.find<{ password: string | null }>(signIn, "baasix_Account", {
    filter: { AND: [{ user_Id: { eq: account?.id ?? nobody } }, { providerId: { eq: "credential" } }] },
    fields: ["password"],
    limit: 1,
  });
  return { account: account ?? null, hash: credential?.password ?? null };
}

/** The account with an id, or null. */
export async function findAccount(data: Data, id: string): Promise<Account | null> {
  const found = await data.find<Account>(signIn, "baasix_User", {
    filter: { id: { eq: id } },
    fields: accountFields,
    limit: 1,
  });
  return found[0] ?? null;
}

/** The permissions of roles, at most 1,000, in a stable order: by role as given, then by collection and action. */
export async function permissionsOf(data: Data, roles: readonly string[]): Promise<readonly Permission[]> {
  const found = await data.find<Permission>(signIn, "baasix_Permission", {
    filter: { role_Id: { in: roles } },
    fields: [
      "id",
      "role_Id",
      "collection",
      "action",
      "fields",
      "conditions",
      "relConditions",
      "defaultValues",
    ],
    sort: ["collection", "action"],
    limit: -1,
  });
  return found.toSorted((a, b) => roles.indexOf(a.role_Id) - roles.indexOf(b.role_Id));
}

/** What a new account is made of. `hash`: of its password. */
export type NewAccount = {
  readonly email: string;
  readonly hash: string;
  readonly role: string;
  readonly firstName: string;
  readonly lastName?: string | undefined;
  readonly phone?: string | undefined;
};

/**
 * Makes an account with its credential and its role; call it inside a transaction.
 * @throws AppError VALIDATION_ERROR `User already exists`, or what the rules of the collection refuse.
 */
export async function createAccount(rows: Rows, { hash, role, ...profile }: NewAccount): Promise<string> {
  const [id] = await rows
    .create(keeping, "baasix_User", [{ ...profile, status: "active" }])
    .catch((error: unknown) => {
      throw error instanceof AppError && error.code === "UNIQUE_VIOLATION" ? alreadyExists(error) : error;
    });
  const user = String(id);
  await rows.create(keeping, "baasix_Account", [
    { user_Id: user, accountId: user, providerId: "credential", password: hash },
  ]);
  await rows.create(keeping, "baasix_UserRole", [{ user_Id: user, role_Id: role }]);
  return user;
}

function alreadyExists(cause: AppError): AppError {
  const details = [{ field: "email", message: "User already exists", rule: "unique" }];
  return new AppError("VALIDATION_ERROR", "User already exists", details, { cause });
}
