/** `POST /auth/register`: an account of the configured role, from listed fields alone. */
import { AppError } from "../../core/errors";
import { createAccount, normalizeEmail } from "./accounts";
import type { RegisterBody } from "./model";
import { findRole } from "./roles";
import {
  countClient,
  describeSignIn,
  openSession,
  type Origin,
  type SignedIn,
  type SignInParts,
} from "./sign-in";

/**
 * Makes an account and signs it in. An address that is taken is told (`User already exists`): a sign-up that signs in
 * at once cannot hide it. `PUBLIC_REGISTRATION=false` closes this door before anything is looked up.
 * @throws AppError FORBIDDEN when registration is closed; VALIDATION_ERROR; RATE_LIMITED; UNAVAILABLE.
 */
export async function register(parts: SignInParts, body: RegisterBody, origin: Origin): Promise<SignedIn> {
  const { config, data, passwords } = parts;
  if (!config.PUBLIC_REGISTRATION)
    throw new AppError("FORBIDDEN", "Registration is closed; ask an administrator for an account");
  countClient(parts, origin.client);
  const email = normalizeEmail(body.email);
  if (email === null) throw invalidEmail();
  const hash = await passwords.hash(body.password);
  const role = await findRole(data, config.DEFAULT_ROLE_REGISTERED);
  if (role === null) throw noSuchRole(config.DEFAULT_ROLE_REGISTERED);
  const { firstName, lastName, phone } = body;
  const { account, opened } = await data.transaction(async (rows) => {
    const id = await createAccount(rows, { email, hash, firstName, lastName, phone, role: role.id });
    const shown = { id, email, firstName, lastName: lastName ?? null };
    const account = { ...shown, status: "active", emailVerified: false } as const;
    return {
      account,
      opened: await openSession(parts, rows, account, { type: "default", roles: [role], aal: 1 }, origin),
    };
  });
  return describeSignIn(parts, opened, account, [role]);
}

/** The refusal of a mail address that is none. */
export function invalidEmail(): AppError {
  const message = "email: not a valid mail address";
  return new AppError("VALIDATION_ERROR", message, [{ field: "email", message, rule: "isEmail" }]);
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
