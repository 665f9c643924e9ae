/** What is mailed to an address that anybody may name: nothing of the answer may depend on whether it has an account. */
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import type { MailType, NewMail } from "../mail";
import { type Account, findByEmail, invalidEmail, normalizeEmail } from "./accounts";
import type { AppLink } from "./app-links";
import { isServiceAccount } from "./api-tokens";
import { belongsTo, membershipsOf } from "./roles";
import { countClient, type Origin, type SignInParts } from "./sign-in";

/** A mail of any one kind, without its recipient. */
export type Letter = { readonly [Type in MailType]: Omit<NewMail<Type>, "to"> }[MailType];

/** Whom a mail goes to, and whose it is to be: a tenant's, for its members. `app`: where its links lead, if it has any. */
export type Addressed = {
  readonly email: string;
  readonly tenant: string | null;
  readonly app: AppLink | null;
};

/**
 * Writes the letter to the account of an address after the answer; `write` runs whether there is one that may come in or not,
 * so that what it makes (a code to try) is there in both cases. It gets the address that the links begin with.
 * @throws AppError VALIDATION_ERROR for a text that is no address; RATE_LIMITED; MAIL_NOT_CONFIGURED; UNAVAILABLE
 */
export function mailTo(
  parts: SignInParts,
  { email, tenant, app }: Addressed,
  origin: Origin,
  write: (rows: Data, address: string, account: Account | null, app: string) => Promise<Letter | null>,
): void {
  const { config, data, errands, mail } = parts;
  countClient(parts, origin.client);
  const address = normalizeEmail(email);
  if (address === null) throw invalidEmail();
  mail.requireWay();
  mail.limits.take(address);
  errands.take("a mail could not be written", () =>
    data.transaction(async (rows) => {
      const found = await reachable(rows, address);
      const isMember =
        found !== null &&
        tenant !== null &&
        belongsTo(await membershipsOf(rows, found.id), tenant, config.MULTI_TENANT);
      const place = app && (isMember ? app.members : app.others);
      const account = app !== null && place === null ? null : found;
      const letter = await write(rows, address, account, place ?? "");
      if (letter !== null && account !== null)
        await queueLetter(parts, rows, account, letter, isMember ? tenant : null);
    }),
  );
}

/** Queues a letter to an account, in the transaction of `rows`, in the words of a tenant (null: of the installation). */
export async function queueLetter(
  { mail }: Pick<SignInParts, "mail">,
  rows: Data,
  { email, firstName }: Pick<Account, "email" | "firstName">,
  letter: Letter,
  tenant: string | null = null,
): Promise<void> {
  const name = firstName as string | null;
  const values = { ...letter.values, ...(name !== null && name !== "" && { name }) };
  const { expiresAt } = { expiresAt: null, ...letter.values };
  const until = typeof expiresAt === "string" ? { until: Date.parse(expiresAt) } : {};
  await mail.queue(rows, {
    ...letter,
    ...until,
    tenant,
    values,
    to: { address: email, name },
  } as NewMail<MailType>);
}

/** Whether mails can be sent: what only tells somebody of a change must not keep it from being made. */
export function canMail({ mail }: Pick<SignInParts, "mail">): boolean {
  try {
    mail.requireWay();
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "MAIL_NOT_CONFIGURED") return false;
    throw error;
  }
}

/** The account of an address, when it may come in. */
async function reachable(rows: Data, address: string): Promise<Account | null> {
  const { account } = await findByEmail(rows, address);
  if (account?.status !== "active") return null;
  return (await isServiceAccount(rows, account.id)) ? null : account;
}
