/** Confirming that an account's mail address reaches its owner. */
import { z } from "zod";
import type { UserActor } from "../../core/access/actor";
import type { Data } from "../../data";
import { addressKey } from "../../http";
import { type Account, findAccount, findByEmail } from "./accounts";
import { appLink, type AskedLink, loginAddress } from "./app-links";
import { confirmAddress, type FirstProof, type Kept } from "./first-proof";
import { type Letter, mailTo, queueLetter } from "./mailed";
import { invalidOneTime } from "./one-time";
import { provePassword } from "./reauthenticate";
import { countClient, lockAccount, type Origin, type SignInParts } from "./sign-in";

/**
 * What is kept with a link. `client`: the network address (IPv6: /64) from which the account's own session asked for it; `waits`:
 * nobody could come in before it was followed.
 */
const askedSchema = z.object({ client: z.string().optional(), waits: z.boolean() });

/**
 * Mails the link of 24 hours to the caller's own address. False: it is confirmed already.
 * @throws AppError VALIDATION_ERROR `Invalid link`; RATE_LIMITED; MAIL_NOT_CONFIGURED
 */
export async function requestOwnVerification(
  parts: SignInParts,
  actor: UserActor,
  link: string | undefined,
  origin: Origin,
): Promise<boolean> {
  const { tenant } = actor;
  const { members: app } = await appLink(parts, { link, tenant });
  const account = await findAccount(parts.data, actor.id);
  if (account === null || account.emailVerified) return false;
  parts.mail.requireWay();
  parts.mail.limits.take(account.email);
  const client = addressKey(origin.client);
  await parts.data.transaction((rows) => mailVerification(parts, rows, account, app, { tenant, client }));
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

/**
 * Writes the mail in the transaction of `rows`; `app` is an address of `app-links.ts`, `tenant` in whose words it is, `client` from
 * where the account's own session asks for it.
 */
export async function mailVerification(
  parts: Pick<SignInParts, "mail" | "oneTimes" | "config">,
  rows: Data,
  account: Pick<Account, "email" | "firstName">,
  app: string,
  { tenant = null, client }: { readonly tenant?: string | null; readonly client?: string } = {},
): Promise<void> {
  await queueLetter(parts, rows, account, await verificationOf(parts, rows, account, app, client), tenant);
}

async function verificationOf(
  parts: Pick<SignInParts, "oneTimes" | "config">,
  rows: Data,
  account: Pick<Account, "email">,
  app: string,
  client?: string,
): Promise<Letter> {
  const { text, expiresAt } = await parts.oneTimes.create(rows, {
    kind: "email-verification",
    subject: account.email,
    data: {
      ...(client !== undefined && { client }),
      waits: parts.config.REQUIRE_EMAIL_VERIFICATION,
    } satisfies z.output<typeof askedSchema>,
  });
  const verifyUrl = `${app}/auth/verify-email/${text}`;
  return { type: "emailVerification", values: { verifyUrl, expiresAt } };
}

/** Who follows a link: the session that the request brings, if any, and the password where it is given. */
export type Follower = { readonly actor: UserActor | null; readonly password: string | null };

/** An address that was confirmed. `firstProof`: what that ended; null where it had been confirmed before. */
export type Confirmed = { readonly account: Account; readonly firstProof: FirstProof | null };

/**
 * Confirms the address of an account. What opened the account before stays where the follower is seen to be who made it, and ends
 * otherwise (`confirmAddress`). A wrong password leaves the link as it is. Where accounts had to wait for this, the welcome goes
 * out now.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired token`, `Incorrect password.`; RATE_LIMITED
 */
export async function verifyEmail(
  parts: SignInParts,
  token: string,
  { actor, password }: Follower,
  origin: Origin,
): Promise<Confirmed> {
  countClient(parts, origin.client);
  const { config, data, oneTimes } = parts;
  const found = await oneTimes.find(data, "email-verification", token);
  const account = found && (await findByEmail(data, found.subject)).account;
  if (!account) throw invalidOneTime();
  const own = actor?.id === account.id ? actor : null;
  if (password !== null) await provePassword(parts, account, password, origin);
  const asked = askedSchema.safeParse(found.data).data;
  const isNear = asked?.client === addressKey(origin.client);
  // Where nobody comes in before, the mail asks whether its reader registered, and following it says so.
  const otherwise = asked?.waits === true ? "password" : "nothing";
  const kept: Kept = own !== null || password !== null || isNear ? "all" : otherwise;
  return data.transaction(async (rows) => {
    await lockAccount(rows, account.id, parts.clock());
    if (own !== null) await parts.sessions.requireOpen(rows, own.session);
    if ((await oneTimes.consume(rows, "email-verification", token)) === null) throw invalidOneTime();
    const firstProof = await confirmAddress(parts, rows, account, kept);
    if (firstProof && config.REQUIRE_EMAIL_VERIFICATION) await welcome(parts, rows, account);
    return { account, firstProof };
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
