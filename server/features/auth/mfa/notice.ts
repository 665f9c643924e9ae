/** Mails to the owner of an account about its second factors: somebody else may have changed them. */
import type { Data } from "../../../data";
import { findAccount } from "../accounts";
import { canMail, queueLetter } from "../mailed";
import type { SignInParts } from "../sign-in";

/** What happened. */
export type FactorEvent = "added" | "removed" | "taken" | "codes";

const told: Readonly<Record<FactorEvent, (name: string) => readonly [title: string, message: string]>> = {
  added: (name) => ["A second factor was added", `'${name}' is asked for from now on when you sign in.`],
  removed: (name) => ["A second factor was removed", `'${name}' is no longer asked for when you sign in.`],
  taken: () => [
    "Your second factors were removed",
    "An administrator removed them. You can sign in without them, and add new ones.",
  ],
  codes: () => ["New recovery codes were made", "Those that you had before work no longer."],
};

/** Queues the mail with the change that it tells of; without a way to send mails nobody is told, and nothing fails. */
export async function tellOwner(
  parts: Pick<SignInParts, "mail">,
  rows: Data,
  user: string,
  event: FactorEvent,
  name = "",
): Promise<void> {
  const account = await findAccount(rows, user);
  if (account === null || !canMail(parts)) return;
  const [title, message] = told[event](name);
  const values = {
    notification_title: title,
    notification_message: `${message} If that was not with your knowledge, change your password and ask an administrator for help.`,
  };
  await queueLetter(parts, rows, account, { type: "notification", values });
}
