/**
 * The first proof that somebody reads the mail of an account's address. Whoever made the account may be somebody else, who keeps a
 * session, a password or a provider for the day on which the owner comes: with the proof all of that ends, unless the same
 * person is seen to have made it. A second factor stays and is asked for: it opens nothing by itself, and must not be taken off
 * by who reads the mail and no more.
 */
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { type Account, findAccount, hashOf, markVerified } from "./accounts";
import { serviceProvider } from "./api-tokens";
import { removeFactor } from "./mfa/factors";
import { listFactors } from "./mfa/rows";
import { invalidOneTime } from "./one-time";
import type { SignInParts } from "./sign-in";

const ending = system("the first proof of an address ends what opened the account before");

/**
 * What stays. `all`: the proof came from the account's own session, or with its password. `password`: the mail asked whether the
 * reader registered with it, and nobody could come in before the answer.
 */
export type Kept = "all" | "password" | "nothing";

/** What the proof ended: shown to who gave it. */
export type FirstProof = { readonly passwordRemoved: boolean };

/**
 * Notes that the address of an account is proven, and ends what may be a stranger's. To be called in a transaction that has
 * locked the account's row. Null: it was proven before, and nothing changes.
 * @throws AppError INVALID_CREDENTIALS where the account has another address by now; CONFLICT where it came there lately from one
 * whose reader may take it back: to share it with that one would be worse than to wait
 */
export async function confirmAddress(
  parts: Pick<SignInParts, "sessions" | "oneTimes">,
  rows: Data,
  { id, email }: Pick<Account, "id" | "email">,
  kept: Kept,
): Promise<FirstProof | null> {
  const account = await findAccount(rows, id);
  if (account?.email !== email) throw invalidOneTime();
  if (account.emailVerified) return null;
  if (kept !== "all" && (await parts.oneTimes.isOpen(rows, "email-undo", `${id}:`))) throw movedLately();
  await markVerified(rows, account);
  return kept === "all" ? { passwordRemoved: false } : endStrangers(parts, rows, id, kept);
}

/**
 * Ends what may be a stranger's in an account whose address nobody has proven, in a transaction that has locked its row; also for
 * whom an administrator vouches in place of a mail, who proves no address.
 */
export async function endStrangers(
  { sessions }: Pick<SignInParts, "sessions">,
  rows: Data,
  id: string,
  kept: Exclude<Kept, "all">,
): Promise<FirstProof> {
  const passwordRemoved = kept === "nothing" && (await hashOf(rows, id)) !== null;
  const stays = kept === "password" ? ["credential", serviceProvider] : [serviceProvider];
  const ways = { AND: [{ user_Id: { eq: id } }, { providerId: { notIn: stays } }] };
  const ended = await rows.removeWhere(ending, "baasix_Account", ways);
  for (const { id: factor, status } of await listFactors(rows, id)) {
    // oxlint-disable-next-line no-await-in-loop -- in one transaction, a handful
    if (status === "unverified") await removeFactor(rows, id, factor);
  }
  const sessionsEnded = await sessions.endAll(id, null, rows);
  const after = { passwordRemoved, waysInEnded: ended.length, sessionsEnded };
  await rows.create(ending, "baasix_AuditLog", [
    { type: "auth", entity: "baasix_User", entityId: id, action: "update", changes: { after }, userId: id },
  ]);
  return { passwordRemoved };
}

function movedLately(): AppError {
  return new AppError(
    "CONFLICT",
    "An account came to this mail address lately; confirm the address where you are signed in to it, or wait for three days",
  );
}

/** What answers tell of it. */
export function shownProof(proof: FirstProof | null): { readonly passwordRemoved?: true } {
  return proof?.passwordRemoved === true ? { passwordRemoved: true } : {};
}
