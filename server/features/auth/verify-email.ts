/** Confirming that an account's mail address reaches its owner. */
import { system, type UserActor } from "../../core/access/actor";
import type { Data } from "../../data";
import { type Account, findAccount, findByEmail, markVerified } from "./accounts";
import { appLink, type AskedLink, loginAddress } from "./app-links";
import { type Letter, mailTo, queueLetter } from "./mailed";
import { invalidOneTime } from "./reset-password";
import { countClient, type Origin, type SignInParts } from "./sign-in";

const showing = system("who confirms an address is shown the account that it belongs to");

/**
 * Mails the link of 24 hours to the caller's own address. False: it is confirmed already.
 * @throws AppError VALIDATION_ERROR `Invalid link`; RATE_LIMITED; MAIL_NOT_CONFIGURED
 */
export async function requestOwnVerification(
  parts: SignInParts,
  actor: UserActor,
  link: string | undefined,
): Promise<boolean> {
  const { tenant } = actor;
  const { members: app } = await appLink(parts, { link, tenant });
  const account = await findAccount(parts.data, actor.id);
  if (account === null || account.emailVerified) return false;
  parts.mail.requireWay();
  parts.mail.limits.take(account.email);
  await parts.data.transaction((rows) => mailVerification(parts, rows, account, app, tenant));
  return true;
}

/**
 * Mails the link to the account of an address, if there is one that is not confirmed: for who cannot sign in without.
 * @throws AppError VALIDATION_ERROR `Invalid link`; RATE_LIMITED; MAIL_NOT_CONFIGURED; UNAVAILABLE
 */
export async function requestVerification(
  parts: SignInParts,
  { email, ...asked }: AskedLink & { readonly email: string },
  origin: Origin,
): Promise<void> {
  const to = { email, tenant: asked.tenant, app: await appLink(parts, asked) };
  mailTo(parts, to, origin, async (rows, _, account, app) =>
    account === null || account.emailVerified ? null : verificationOf(parts, rows, account, app),
  );
}

/** Writes the mail in the transaction of `rows`; `app` is an address of `app-links.ts`, `tenant` in whose words it is. */
export async function mailVerification(
  parts: Pick<SignInParts, "mail" | "oneTimes">,
  rows: Data,
  account: Pick<Account, "email" | "firstName">,
  app: string,
  tenant: string | null = null,
): Promise<void> {
  await queueLetter(parts, rows, account, await verificationOf(parts, rows, account, app), tenant);
}

async function verificationOf(
  parts: Pick<SignInParts, "oneTimes">,
  rows: Data,
  account: Pick<Account, "email">,
  app: string,
): Promise<Letter> {
  const { text, expiresAt } = await parts.oneTimes.create(rows, {
    kind: "email-verification",
    subject: account.email,
  });
  const verifyUrl = `${app}/auth/verify-email/${text}`;
  return { type: "emailVerification", values: { verifyUrl, expiresAt } };
}

/**
 * Confirms the address; gives the account as JSON text, without its secrets. Where accounts had to wait for this, the welcome
 * goes out now.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired token`; RATE_LIMITED
 */
export async function verifyEmail(parts: SignInParts, token: string, origin: Origin): Promise<string> {
  countClient(parts, origin.client);
  const { config, data, oneTimes } = parts;
  return data.transaction(async (rows) => {
    const proven = await oneTimes.consume(rows, "email-verification", token);
    const account = proven && (await findByEmail(rows, proven.subject)).account;
    if (!account) throw invalidOneTime();
    await markVerified(rows, account);
    if (!account.emailVerified && config.REQUIRE_EMAIL_VERIFICATION) await welcome(parts, rows, account);
    return (await rows.readOne(showing, "baasix_User", account.id)).json;
  });
}

/** Writes the welcome, where one is wanted. */
export async function welcome(
  parts: Pick<SignInParts, "mail" | "config">,
  rows: Data,
  account: Pick<Account, "email" | "firstName">,
): Promise<void> {
  if (!parts.config.SEND_WELCOME_EMAIL) return;
  const loginUrl = loginAddress(parts.config);
  await queueLetter(parts, rows, account, { type: "welcome", values: { loginUrl } });
}
