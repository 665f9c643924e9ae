/** `POST /auth/register`: an account of the configured role, from listed fields alone. */
import type { AuthRole, Permission } from "@baasix/types";
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
import { appAddress, loginAddress } from "./app-links";
import { queueLetter } from "./mailed";
import type { RegisterBody } from "./model";
import { findRole, type HeldRole, shownRole } from "./roles";
import {
  countClient,
  describeSignIn,
  openSession,
  type Origin,
  requireLocal,
  type SignInParts,
  type SignInResult,
} from "./sign-in";
import { mailVerification, welcome } from "./verify-email";

/** A registration that waits for its mail address to be confirmed; the answer is the same where the address was taken. */
export type Pending = {
  readonly account: Pick<Account, "id" | "email" | "firstName" | "lastName">;
  readonly role: AuthRole;
  readonly permissions: readonly Permission[];
};

/**
 * Makes an account and signs it in. An address that is taken is told (`User already exists`): a sign-up that signs in
 * at once cannot hide it. With `REQUIRE_EMAIL_VERIFICATION` nobody is signed in, and only a mail tells: that the address is to
 * be confirmed, or that it has an account. A username that is taken is told in any case: names are for others to see.
 * `PUBLIC_REGISTRATION=false` closes this door before anything is looked up.
 * @throws AppError FORBIDDEN when registration is closed; VALIDATION_ERROR; RATE_LIMITED; UNAVAILABLE; MAIL_NOT_CONFIGURED.
 */
export async function register(
  parts: SignInParts,
  body: RegisterBody,
  origin: Origin,
): Promise<SignInResult | Pending> {
  const { config, data, passwords } = parts;
  requireLocal(config);
  if (!config.PUBLIC_REGISTRATION)
    throw new AppError("FORBIDDEN", "Registration is closed; ask an administrator for an account");
  countClient(parts, origin.client);
  const email = normalizeEmail(body.email);
  if (email === null) throw invalidEmail();
  const { firstName, lastName, username, phone, link } = body;
  const hash = await passwords.hash(body.password, { email, username, firstName, lastName });
  const role = await findRole(data, config.DEFAULT_ROLE_REGISTERED);
  if (role === null) throw noSuchRole(config.DEFAULT_ROLE_REGISTERED);
  const made: NewAccount = { email, hash, firstName, lastName, username, phone, role: role.id };
  if (config.REQUIRE_EMAIL_VERIFICATION) return registerPending(parts, made, role, link);
  const { account, opened } = await data.transaction(async (rows) => {
    const id = await createAccount(rows, made);
    const account = accountOf(made, id);
    await welcome(parts, rows, account);
    const opening = { type: "default", roles: [role], aal: 1 } as const;
    return { account, opened: await openSession(parts, rows, account, opening, origin) };
  });
  return describeSignIn(parts, opened, account, [role]);
}

/** Makes the account after the answer, or tells the owner of the one that is there. */
async function registerPending(
  parts: SignInParts,
  made: NewAccount,
  role: HeldRole,
  link: string | undefined,
): Promise<Pending> {
  const { config, data, errands, mail } = parts;
  const app = appAddress(config, link);
  const { username } = made;
  if (username !== undefined && (await findByName(data, { username })).account !== null)
    throw usernameTaken();
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
      await createAccount(rows, { ...made, id });
      await mailVerification(parts, rows, accountOf(made, id), app);
    }),
  );
  return {
    account: accountOf(made, id),
    role: shownRole(role),
    permissions: await permissionsOf(data, [role.id]),
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

/** The refusal when a configured role is missing: the operator's mistake, so the log has the name and the client has not. */
export function noSuchRole(name: string): AppError {
  return new AppError(
    "INTERNAL_ERROR",
    "The role of new accounts does not exist; an administrator must make it",
    null,
    {
      cause: new Error(`DEFAULT_ROLE_REGISTERED: there is no role '${name}'`),
    },
  );
}
