/** Signing in without a password, by what is mailed to the account's address: a link, or a code to type. */
import { findByEmail, markVerified, normalizeEmail } from "./accounts";
import { appLink } from "./app-links";
import { finishSignIn, type WantedSession } from "./finish-sign-in";
import { mailTo } from "./mailed";
import type { Proven } from "./one-time";
import { invalidOneTime } from "./reset-password";
import {
  barred,
  countClient,
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

/**
 * Signs the account in, and notes that its address is confirmed.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired token`; FORBIDDEN for an account that may not come in; RATE_LIMITED
 */
export async function signInByMail(
  parts: SignInParts,
  secret: MailedSecret,
  wanted: WantedSession,
  origin: Origin,
): Promise<SignInResult> {
  requireLocal(parts.config);
  countClient(parts, origin.client);
  const proven = await prove(parts, secret);
  if (proven === null) throw invalidOneTime();
  const { account } = await findByEmail(parts.data, proven.subject);
  if (account === null) throw invalidOneTime();
  if (account.status !== "active") throw barred(account);
  await markVerified(parts.data, account);
  return finishSignIn(parts, { ...account, emailVerified: true }, wanted, origin, async (rows) => {
    if (!(await parts.oneTimes.stands(rows, proven))) throw invalidOneTime();
  });
}

async function prove({ data, oneTimes }: SignInParts, secret: MailedSecret): Promise<Proven | null> {
  if ("token" in secret) return oneTimes.consume(data, "magic-link", secret.token);
  const code = secret.code.replace(/\s+/g, "").toUpperCase();
  return oneTimes.consumeCode(data, secret.kind, normalizeEmail(secret.email) ?? "", code);
}
