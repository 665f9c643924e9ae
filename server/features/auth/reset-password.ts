/** A forgotten password: ask for a link by mail, see whether it holds, choose a new password with it. */
import { type Account, findByEmail, setPassword } from "./accounts";
import { appLink, type AskedLink } from "./app-links";
import { confirmAddress, endStrangers } from "./first-proof";
import { mailTo } from "./mailed";
import { invalidOneTime, isHandedOver } from "./one-time";
import { forgiveAll } from "./tries";
import { barred, countClient, lockAccount, type Origin, requireLocal, type SignInParts } from "./sign-in";

/**
 * Mails a link to the account of an address, if there is one. What becomes of it is found out after the answer.
 * @throws AppError VALIDATION_ERROR `Invalid link`; RATE_LIMITED; MAIL_NOT_CONFIGURED; UNAVAILABLE
 */
export async function requestReset(
  parts: SignInParts,
  { email, ...asked }: AskedLink & { readonly email: string },
  origin: Origin,
): Promise<void> {
  requireLocal(parts.config);
  const to = { email, tenant: asked.tenant, app: await appLink(parts, asked) };
  mailTo(parts, to, origin, async (rows, subject, account, app) => {
    const { text, expiresAt } = await parts.oneTimes.create(rows, { kind: "password-reset", subject });
    return (
      account && {
        type: "passwordReset",
        values: { resetUrl: `${app}/auth/reset-password/${text}`, expiresAt },
      }
    );
  });
}

/** Whether a link holds; it is not used up. @throws AppError RATE_LIMITED */
export async function checkReset(parts: SignInParts, token: string, origin: Origin): Promise<boolean> {
  countClient(parts, origin.client);
  return (await findReset(parts, token)) !== null;
}

/**
 * Sets the password and ends all sessions and what else was mailed to come in; where it is the first proof of the address, all
 * other ways in end, too. A password that is not accepted leaves the link as it is.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired token`; FORBIDDEN for an account that may not come in;
 * VALIDATION_ERROR; RATE_LIMITED; UNAVAILABLE
 */
export async function resetPassword(
  parts: SignInParts,
  { token, password }: { readonly token: string; readonly password: string },
  origin: Origin,
): Promise<void> {
  requireLocal(parts.config);
  countClient(parts, origin.client);
  const { attempts, clock, data, oneTimes, passwords, sessions } = parts;
  const account = await findReset(parts, token);
  if (account === null) throw invalidOneTime();
  if (account.status !== "active") throw barred(account);
  const hash = await passwords.hash(password, account);
  await data.transaction(async (rows) => {
    await lockAccount(rows, account.id, clock());
    const proven = await oneTimes.consume(rows, "password-reset", token);
    if (proven === null) throw invalidOneTime();
    if (!isHandedOver(proven)) await confirmAddress(parts, rows, account, "password");
    else if (!account.emailVerified) await endStrangers(parts, rows, account.id, "password");
    await setPassword(rows, account.id, hash);
    await sessions.endAll(account.id, null, rows);
    await oneTimes.end(rows, account.email, ["magic-link", "otp"]);
  });
  forgiveAll(attempts, account);
}

async function findReset({ data, oneTimes }: SignInParts, token: string): Promise<Account | null> {
  const proven = await oneTimes.find(data, "password-reset", token);
  return proven && (await findByEmail(data, proven.subject)).account;
}
