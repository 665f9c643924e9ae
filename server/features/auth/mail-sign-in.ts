/** Signing in without a password, by what is mailed to the account's address: a link, or a code to type. */
import type { Data } from "../../data";
import { findByEmail, normalizeEmail } from "./accounts";
import { appLink } from "./app-links";
import { finishSignIn, type WantedSession } from "./finish-sign-in";
import { confirmAddress, type FirstProof } from "./first-proof";
import { mailTo } from "./mailed";
import { verifiedFactors } from "./mfa/rows";
import { invalidOneTime, isHandedOver, type Proven } from "./one-time";
import {
  barred,
  countClient,
  lockAccount,
  type Origin,
  requireLocal,
  type SignInParts,
  type SignInResult,
} from "./sign-in";

/** What is asked for. `link`: where the mail leads, in the mode `link`. */
export type MagicLinkInput = MailRequest & {
  readonly mode: "link" | "code";
  readonly link: string | undefined;
};

/** Who asks for a mail; `tenant`: in whose words it is, for its members. */
export type MailRequest = { readonly email: string; readonly tenant: string | null };

/**
 * Mails a link or a code of 15 minutes to the account of an address, if there is one.
 * @throws AppError VALIDATION_ERROR `Invalid link`; RATE_LIMITED; MAIL_NOT_CONFIGURED; UNAVAILABLE
 */
export async function requestMagicLink(
  parts: SignInParts,
  input: MagicLinkInput,
  origin: Origin,
): Promise<void> {
  requireLocal(parts.config);
  const { email, mode, link, tenant } = input;
  const kind = "magic-link";
  if (mode === "code") {
    return mailTo(parts, { email, tenant, app: null }, origin, async (rows, subject, account) => {
      const { text: code, expiresAt } = await parts.oneTimes.createCode(rows, { kind, subject }, "letters");
      return account && { type: "magicLinkCode", values: { code, expiresAt } };
    });
  }
  const to = { email, tenant, app: await appLink(parts, { link, tenant }) };
  mailTo(parts, to, origin, async (rows, subject, account, app) => {
    const { text, expiresAt } = await parts.oneTimes.create(rows, { kind, subject });
    return (
      account && {
        type: "magicLinkUrl",
        values: { magicLinkUrl: `${app}/auth/magiclink/${text}`, expiresAt },
      }
    );
  });
}

/**
 * Mails a code of six digits and 5 minutes to the account of an address, if there is one.
 * @throws AppError RATE_LIMITED; MAIL_NOT_CONFIGURED; UNAVAILABLE
 */
export function requestOtp(parts: SignInParts, request: MailRequest, origin: Origin): void {
  requireLocal(parts.config);
  mailTo(parts, { ...request, app: null }, origin, async (rows, subject, account) => {
    const { text: code, expiresAt } = await parts.oneTimes.createCode(
      rows,
      { kind: "otp", subject },
      "digits",
    );
    return account && { type: "otpCode", values: { code, expiresAt } };
  });
}

/** What somebody brings back: the token of a link, or a code with the address that it was mailed to. */
export type MailedSecret =
  | { readonly token: string }
  | { readonly kind: "magic-link" | "otp"; readonly email: string; readonly code: string };

/** A sign-in by mail. `firstProof`: of the address, and what it ended; null: it was proven before. */
export type MailSignIn = { readonly result: SignInResult; readonly firstProof: FirstProof | null };

/**
 * Signs the account in, and notes that its address is confirmed: for the first time, that ends what opened the account before. A
 * link that was handed over confirms nothing.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired token`; FORBIDDEN for an account that may not come in; RATE_LIMITED
 */
export async function signInByMail(
  parts: SignInParts,
  secret: MailedSecret,
  wanted: WantedSession,
  origin: Origin,
): Promise<MailSignIn> {
  requireLocal(parts.config);
  countClient(parts, origin.client);
  const proven = await prove(parts, secret);
  if (proven === null) throw invalidOneTime();
  const { account } = await findByEmail(parts.data, proven.subject);
  if (account === null) throw invalidOneTime();
  if (account.status !== "active") throw barred(account);
  const askAgain = async (rows: Data): Promise<void> => {
    if (!(await parts.oneTimes.stands(rows, proven))) throw invalidOneTime();
  };
  const isKnown = account.emailVerified || isHandedOver(proven);
  const firstProof = isKnown
    ? null
    : await parts.data.transaction(async (rows) => {
        await lockAccount(rows, account.id, parts.clock());
        await askAgain(rows);
        // Half a sign-in proves nothing; whoever has the other half is who made the account, and keeps what it has.
        if ((await verifiedFactors(rows, account.id)).length > 0) return null;
        return confirmAddress(parts, rows, account, "nothing");
      });
  const proved = { ...account, emailVerified: account.emailVerified || !isHandedOver(proven) };
  return { result: await finishSignIn(parts, proved, wanted, origin, askAgain), firstProof };
}

async function prove({ data, oneTimes }: SignInParts, secret: MailedSecret): Promise<Proven | null> {
  if ("token" in secret) return oneTimes.consume(data, "magic-link", secret.token);
  const code = secret.code.replace(/\s+/g, "").toUpperCase();
  return oneTimes.consumeCode(data, secret.kind, normalizeEmail(secret.email) ?? "", code);
}
