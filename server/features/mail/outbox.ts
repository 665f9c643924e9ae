/**
 * The rows of `baasix_EmailLog`: mails that wait, and what became of those that went. A mail is written in the transaction
 * that causes it, so that it goes after the commit or not at all.
 */
import { z } from "zod";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { type Data, removeInBatches, type Rows } from "../../data";
import type { Payload, Seal } from "./seal";
import type { MailType, MailValues } from "./types";
import { checkValues, toLabel } from "./values";

/** The collection of mails. */
export const collection = "baasix_EmailLog";

const keeping = system("mails wait in the outbox and are told of by the server alone");

/** How long a mail is tried at most, in ms. */
const longestTrying = 24 * 3_600_000;

/** How long whoever tries a mail has it for itself, in ms: longer than a try may take. */
const lease = 5 * 60_000;

/**
 * A mail to send. `to`: an address, or one with a name. `tenant`: whose words and looks it has. `until`: when it is of no use any
 * more, in ms since 1970.
 */
export type NewMail<Type extends MailType> = {
  readonly type: Type;
  readonly to: string | { readonly address: string; readonly name?: string | null };
  readonly values: MailValues<Type>;
  readonly tenant?: string | null;
  readonly until?: number;
};

/** A mail that waits. Times in ISO 8601. */
export type WaitingMail = {
  readonly id: string;
  readonly email: string;
  readonly tenant_Id: string | null;
  readonly templateName: string;
  readonly attempts: number;
  readonly nextAttemptAt: string;
  readonly giveUpAt: string;
  readonly payload: string | null;
};

/** What the log keeps of a mail that went. */
export type SentFacts = {
  readonly subject: string;
  readonly sender: string | null;
  readonly messageId: string;
};

const iso = (time: number): string => new Date(time).toISOString();

/** Writes a mail through the rows of the caller's transaction; gives its id. @throws AppError INVALID_VALUE */
export async function writeMail<Type extends MailType>(
  rows: Rows,
  seal: Seal,
  { type, to, values, tenant = null, until }: NewMail<Type>,
  now: number,
): Promise<string> {
  const { address, name = null } = typeof to === "string" ? { address: to } : to;
  if (address.length > 254 || !z.email().safeParse(address).success) {
    throw new AppError("INVALID_VALUE", `mail.${type}.to: must be one mail address`);
  }
  // What people call themselves may hold anything; in a header it is one line.
  const label = toLabel(name ?? "", 100) || null;
  const payload: Payload = { name: label, values: checkValues(type, values) };
  const row = {
    email: address,
    tenant_Id: tenant,
    templateName: type,
    status: "pending",
    nextAttemptAt: iso(now),
    giveUpAt: iso(Math.min(until ?? Infinity, now + longestTrying)),
    payload: await seal.close(payload),
  };
  const [id] = await rows.create(keeping, collection, [row]);
  return String(id);
}

/** Mails that may be tried at `now`, the longest waiting first. */
export function findDue(data: Data, now: number, limit: number): Promise<readonly WaitingMail[]> {
  return data.find<WaitingMail>(keeping, collection, {
    filter: { AND: [{ status: { eq: "pending" } }, { nextAttemptAt: { lte: iso(now) } }] },
    fields: ["id", "email", "tenant_Id", "templateName", "attempts", "nextAttemptAt", "giveUpAt", "payload"],
    sort: "nextAttemptAt",
    limit,
    count: "none",
  });
}

/**
 * Takes a mail for this instance until the lease ends; false when another one was first: the row is changed only as it was
 * seen, and PostgreSQL looks again once the other's change is there.
 */
export async function claim(data: Data, mail: WaitingMail, now: number): Promise<WaitingMail | null> {
  const taken = { nextAttemptAt: iso(now + lease), attempts: mail.attempts + 1 };
  const ids = await data.updateWhere(keeping, collection, asSeen(mail), taken);
  return ids.length === 0 ? null : { ...mail, ...taken };
}

/** It went. What it said is dropped; whoever had it meanwhile finds it gone. */
export async function markSent(data: Data, id: string, facts: SentFacts, now: number): Promise<void> {
  const change = { ...facts, status: "sent", sentAt: iso(now), errorMessage: null, payload: null };
  await data.updateWhere(keeping, collection, { id: { eq: id } }, change);
}

/** It did not go and is tried again at `next` (ms since 1970), unless another instance has it by now. */
export async function markWaiting(data: Data, mail: WaitingMail, error: string, next: number): Promise<void> {
  await data.updateWhere(keeping, collection, asSeen(mail), {
    nextAttemptAt: iso(next),
    errorMessage: error,
  });
}

/** It will not go. What it said is dropped. */
export async function markFailed(data: Data, mail: WaitingMail, error: string): Promise<void> {
  const change = { status: "failed", errorMessage: error, payload: null };
  await data.updateWhere(keeping, collection, asSeen(mail), change);
}

function asSeen({ id, nextAttemptAt }: WaitingMail): object {
  return {
    AND: [{ id: { eq: id } }, { status: { eq: "pending" } }, { nextAttemptAt: { eq: nextAttemptAt } }],
  };
}

const day = 86_400_000;

/** Deletes what is told of mails that went, or were given up, more than `days` before `now`; gives how many. Hourly. */
export async function removeOldMails(data: Data, now: number, days: number | "forever"): Promise<number> {
  if (days === "forever") return 0;
  const old = { AND: [{ createdAt: { lt: iso(now - days * day) } }, { status: { ne: "pending" } }] };
  return removeInBatches(data, keeping, collection, old);
}
