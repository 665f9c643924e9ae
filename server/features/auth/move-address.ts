/**
 * An account that goes to another mail address: its owner is told at the one before, with a way back, as whoever holds the new
 * one gets everything else that is mailed.
 */
import { z } from "zod";
import { type Actor, system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import type { Moved } from "./account-writes";
import { type Account, findAccount, findByEmail } from "./accounts";
import { serviceProvider } from "./api-tokens";
import { appAddress } from "./app-links";
import { canMail, queueLetter } from "./mailed";
import { removeFactor } from "./mfa/factors";
import { listFactors } from "./mfa/rows";
import { invalidOneTime } from "./one-time";
import { barred, countClient, lockAccount, type Origin, type SignInParts } from "./sign-in";

const restoring = system("the owner of an account takes its address back");

/** What a way back knows. `factors`: those that the account had; later ones go. */
const wayBackSchema = z.object({ user: z.uuid(), email: z.string(), factors: z.array(z.string()) });

const mailedKinds = ["password-reset", "magic-link", "otp", "email-verification"] as const;

/**
 * Mails to the address before, where it had been confirmed: else it may be anybody's. A way back of three days is in the
 * mail where the account itself went away; who was moved by somebody with a right to it was meant to be.
 */
export async function tellMoved(
  parts: SignInParts,
  rows: Data,
  actor: Actor,
  { id, before, wasVerified }: Moved,
): Promise<void> {
  const account = await findAccount(rows, id);
  if (account === null || !wasVerified || !canMail(parts)) return;
  const isOwn = actor.kind === "user" && actor.id === id;
  const wayBack =
    isOwn && parts.config.AUTH_APP_URL.length > 0 ? await makeWayBack(parts, rows, id, before) : {};
  await queueLetter(parts, rows, { ...account, email: before }, { type: "emailChanged", values: wayBack });
}

async function makeWayBack(
  { config, oneTimes }: SignInParts,
  rows: Data,
  user: string,
  email: string,
): Promise<{ readonly undoUrl: string; readonly expiresAt: string }> {
  const factors = (await listFactors(rows, user)).map(({ id }) => id);
  const { text, expiresAt } = await oneTimes.create(rows, {
    kind: "email-undo",
    // One for each address: going on to a third one must not end the way back to the first.
    subject: `${user}:${email}`,
    data: { user, email, factors } satisfies z.output<typeof wayBackSchema>,
  });
  return { undoUrl: `${appAddress(config, undefined)}/auth/undo-email/${text}`, expiresAt };
}

/**
 * Gives the account its address back. Whoever took it away may know the password: it goes, with all providers, sessions and the
 * factors that were added since. The owner gets a new password by mail.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired token`; FORBIDDEN for an account that may not come in; CONFLICT when
 * another account has confirmed the address meanwhile; RATE_LIMITED
 */
export async function undoMove(parts: SignInParts, token: string, origin: Origin): Promise<Account> {
  countClient(parts, origin.client);
  const { clock, data, oneTimes, sessions } = parts;
  const found = await oneTimes.find(data, "email-undo", token);
  const wayBack = wayBackSchema.safeParse(found?.data).data;
  const account = wayBack && (await findAccount(data, wayBack.user));
  if (!wayBack || !account) throw invalidOneTime();
  if (account.status !== "active") throw barred(account);
  const { email, factors } = wayBack;
  await data.transaction(async (rows) => {
    await lockAccount(rows, account.id, clock());
    if ((await oneTimes.consume(rows, "email-undo", token)) === null) throw invalidOneTime();
    await releaseAddress(parts, rows, email, account.id);
    const now = await findAccount(rows, account.id);
    await rows.update(restoring, "baasix_User", [{ id: account.id, data: { email, emailVerified: true } }]);
    const ways = { AND: [{ user_Id: { eq: account.id } }, { providerId: { ne: serviceProvider } }] };
    await rows.removeWhere(restoring, "baasix_Account", ways);
    for (const { id } of await listFactors(rows, account.id)) {
      // oxlint-disable-next-line no-await-in-loop -- in one transaction, a handful
      if (!factors.includes(id)) await removeFactor(rows, account.id, id);
    }
    await sessions.endAll(account.id, null, rows);
    for (const address of [email, now?.email ?? account.email]) {
      // oxlint-disable-next-line no-await-in-loop
      await oneTimes.end(rows, address, mailedKinds);
    }
  });
  return { ...account, email, emailVerified: true };
}

/** Takes an address from an account that nobody has shown to be its reader's: it may have been made to bar the way back. */
async function releaseAddress(
  { sessions }: SignInParts,
  rows: Data,
  email: string,
  owner: string,
): Promise<void> {
  const { account: other } = await findByEmail(rows, email);
  if (other === null || other.id === owner) return;
  if (other.emailVerified) throw new AppError("CONFLICT", "Another account has this mail address now");
  await sessions.endAll(other.id, null, rows);
  // A domain that is never given to anyone (RFC 2606).
  const nowhere = { email: `${other.id}@released.invalid` };
  await rows.update(restoring, "baasix_User", [{ id: other.id, data: nowhere }]);
}
