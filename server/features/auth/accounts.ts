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
export type Account = User & {
  readonly username: string | null;
  readonly status: AccountStatus;
  readonly emailVerified: boolean;
};

const accountFields = ["id", "email", "username", "firstName", "lastName", "status", "emailVerified"];

// A well-formed id that no row has: the look-up of nobody costs what the look-up of somebody does.
const nobody = "00000000-0000-0000-0000-000000000000";

/** A mail address as it is stored and compared: trimmed, lower case, at most 254 characters; null when it is none. */
export function normalizeEmail(text: string): string | null {
  const email = text.trim().toLowerCase();
  return email.length <= 254 && z.email().safeParse(email).success ? email : null;
}

/** The refusal of a mail address that is none. */
export function invalidEmail(): AppError {
  const message = "email: not a valid mail address";
  return new AppError("VALIDATION_ERROR", message, [{ field: "email", message, rule: "isEmail" }]);
}

/** What an account is signed in with. */
export type SignInName = { readonly email: string } | { readonly username: string };

/** What somebody typed as the name of an account: an address when it has an `@`, which no username has. */
export function signInName(text: string): SignInName {
  if (text.includes("@")) return { email: normalizeEmail(text) ?? "" };
  // What no column can hold is nobody's, too.
  if (text.includes("\0") || !text.isWellFormed()) return { username: "" };
  // One more than a username may have is nobody's, and so is what is longer, which limiters would have to remember.
  return { username: text.trim().toLowerCase().slice(0, 65) };
}

/** The account and the password hash of a mail address. Takes the same queries whether there is one or not. */
export function findByEmail(data: Data, email: string | null): Promise<Found> {
  return findByName(data, { email: email ?? "" });
}

type Found = { readonly account: Account | null; readonly hash: string | null };

/** The account and the password hash of a name. Takes the same queries whether there is one or not. */
export async function findByName(data: Data, name: SignInName): Promise<Found> {
  const [account] = await data.find<Account>(signIn, "baasix_User", {
    filter: "email" in name ? { email: { eq: name.email } } : { username: { eq: name.username } },
    fields: accountFields,
    limit: 1,
  });
  return { account: account ?? null, hash: await hashOf(data, account?.id ?? nobody) };
}

/** The password hash of an account, or null. */
export async function hashOf(data: Data, user: string): Promise<string | null> {
  const [credential] = await data.find<{ password: string | null }>(signIn, "baasix_Account", {
    filter: { AND: [{ user_Id: { eq: user } }, { providerId: { eq: "credential" } }] },
    fields: ["password"],
    limit: 1,
  });
  return credential?.password ?? null;
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

/** What a new account is made of. `hash`: of its password; `id`: where it was given out before. */
export type NewAccount = {
  readonly id?: string;
  readonly emailVerified?: boolean;
  readonly email: string;
  readonly username?: string | undefined;
  readonly hash: string;
  /** Its roles, and where it has each; null: everywhere. */
  readonly memberships: readonly { readonly role: string; readonly tenant: string | null }[];
  readonly firstName: string;
  readonly lastName?: string | undefined;
  readonly phone?: string | undefined;
  /** What it says of itself from the beginning. */
  readonly userMetadata?: Readonly<Record<string, unknown>> | null;
};

/**
 * Makes an account with its credential and its roles; call it inside a transaction.
 * @throws AppError VALIDATION_ERROR `User already exists`, `Username is taken`, or what the rules of the collection refuse.
 */
export async function createAccount(
  rows: Rows,
  { hash, memberships, ...profile }: NewAccount,
): Promise<string> {
  const [id] = await rows
    .create(keeping, "baasix_User", [{ ...profile, status: "active" }])
    .catch((error: unknown) => {
      throw error instanceof AppError && error.code === "UNIQUE_VIOLATION" ? alreadyExists(error) : error;
    });
  const user = String(id);
  await setPassword(rows, user, hash);
  const held = memberships.map(({ role, tenant }) => ({ user_Id: user, role_Id: role, tenant_Id: tenant }));
  await rows.create(keeping, "baasix_UserRole", held);
  return user;
}

/** Gives an account its password, in place of the one before. */
export async function setPassword(rows: Rows, user: string, hash: string): Promise<void> {
  await rows.upsert(keeping, "baasix_Account", { on: ["providerId", "accountId"] }, [
    { user_Id: user, accountId: user, providerId: "credential", password: hash },
  ]);
}

/** Puts another hash of the same password in the place of one, unless the password changed meanwhile. */
export async function replaceHash(rows: Rows, user: string, before: string, hash: string): Promise<void> {
  const asSeen = [
    { user_Id: { eq: user } },
    { providerId: { eq: "credential" } },
    { password: { eq: before } },
  ];
  await rows.updateWhere(keeping, "baasix_Account", { AND: asSeen }, { password: hash });
}

/** Notes that the mail address of an account reached its owner: the one that it had then, should it be another one by now. */
export async function markVerified(rows: Rows, { id, email, emailVerified }: Account): Promise<void> {
  if (emailVerified) return;
  const asSeen = { AND: [{ id: { eq: id } }, { email: { eq: email } }] };
  await rows.updateWhere(keeping, "baasix_User", asSeen, { emailVerified: true });
}

/** The refusal of a username that somebody has. */
export function usernameTaken(cause?: AppError): AppError {
  const message = "Username is taken";
  return new AppError("VALIDATION_ERROR", message, [{ field: "username", message, rule: "unique" }], {
    cause,
  });
}

function alreadyExists(cause: AppError): AppError {
  const { fields } = cause.details as { readonly fields: readonly string[] };
  if (fields.includes("username")) return usernameTaken(cause);
  const details = [{ field: "email", message: "User already exists", rule: "unique" }];
  return new AppError("VALIDATION_ERROR", "User already exists", details, { cause });
}
