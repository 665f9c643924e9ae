/**
 * Invitations as rows of `baasix_Invite`. Of its token a row keeps the SHA-256 hash, which is enough for 32 random bytes. Of an
 * address and a tenant one is pending at a time: the database holds that by `pendingKey`.
 */
import { createHash } from "node:crypto";
import type { Invite, InviteStatus } from "@baasix/types";
import { system } from "../../../core/access/actor";
import { AppError } from "../../../core/errors";
import { type Data, removeInBatches, type Rows } from "../../../data";

export const inviteCollection = "baasix_Invite";
const keeping = system("invitations are kept by the auth feature");

const day = 24 * 3_600_000;

/** Milliseconds that an invitation holds. */
export const inviteLifetime = 7 * day;

/** Milliseconds after which what has ended is forgotten; the audit log has it. */
const remembered = 90 * day;

/** An invitation, with the role that it gives. */
export type InviteRow = {
  readonly id: string;
  readonly email: string;
  readonly status: InviteStatus;
  readonly role: { readonly id: string; readonly name: string; readonly isTenantSpecific: boolean };
  readonly tenant: { readonly id: string; readonly name: string } | null;
  readonly expiresAt: string;
  /** Null: nobody mailed it, and its token proves no address. */
  readonly sentAt: string | null;
  readonly link: string | null;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
  readonly invitedBy_Id: string | null;
  readonly acceptedBy_Id: string | null;
  readonly acceptedAt: string | null;
  readonly createdAt: string;
};

const fields = [
  "id",
  "email",
  "status",
  "role.id",
  "role.name",
  "role.isTenantSpecific",
  "tenant.id",
  "tenant.name",
  "expiresAt",
  "sentAt",
  "link",
  "userMetadata",
  "invitedBy_Id",
  "acceptedBy_Id",
  "acceptedAt",
  "createdAt",
];

/** What is to be written. `link`: the application; `mailed`: not handed over; `invitedBy` null: whoever runs the server. */
export type NewInvite = {
  readonly email: string;
  readonly role: string;
  readonly tenant: string | null;
  readonly link: string | null;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
  readonly invitedBy: string | null;
  readonly mailed: boolean;
};

/** An invitation that was just made, with the token that no row holds. */
export type MadeInvite = { readonly id: string; readonly token: string; readonly expiresAt: string };

const iso = (time: number): string => new Date(time).toISOString();
const openAt = (now: number) => [{ status: { eq: "pending" } }, { expiresAt: { gt: iso(now) } }];
const pendingKeyOf = (email: string, tenant: string | null): string => `${tenant ?? "-"}:${email}`;

/**
 * Makes an invitation, inside a transaction. The one that is pending for the address and tenant ends; `replaceable`: only
 * when it is for one of these roles (null: for any).
 * @throws AppError CONFLICT when there is one that stays
 */
export async function createInvite(
  rows: Rows,
  { role, tenant, invitedBy, mailed, ...invite }: NewInvite,
  replaceable: readonly string[] | null,
  now: number,
): Promise<MadeInvite> {
  const pendingKey = pendingKeyOf(invite.email, tenant);
  const pending = { pendingKey: { eq: pendingKey } };
  await endWhere(rows, [pending, { expiresAt: { lte: iso(now) } }], "expired");
  const mine = replaceable === null ? [] : [{ role_Id: { in: replaceable } }];
  await endWhere(rows, [pending, ...mine], "revoked");
  const { token, ...secret } = newSecret(now);
  const sentAt = mailed ? iso(now) : null;
  const columns = { role_Id: role, tenant_Id: tenant, invitedBy_Id: invitedBy, pendingKey, sentAt };
  const [id] = await rows
    .create(keeping, inviteCollection, [{ ...invite, ...secret, ...columns }])
    .catch((error: unknown) => {
      throw error instanceof AppError && error.code === "UNIQUE_VIOLATION" ? pendingAlready(error) : error;
    });
  return { id: String(id), token, expiresAt: secret.expiresAt };
}

/**
 * Gives an invitation that is pending or has expired another token, to mail, and seven days more; null when it has ended
 * otherwise.
 * @throws AppError CONFLICT when another one is pending by now
 */
export async function renewInvite(
  rows: Rows,
  { id, email, tenant }: Pick<InviteRow, "id" | "email" | "tenant">,
  change: { readonly invitedBy_Id: string | null; readonly link: string },
  now: number,
): Promise<MadeInvite | null> {
  const { token, ...secret } = newSecret(now);
  const open = { AND: [{ id: { eq: id } }, { status: { in: ["pending", "expired"] } }] };
  const pendingKey = pendingKeyOf(email, tenant?.id ?? null);
  const pending = { status: "pending", pendingKey, sentAt: iso(now) };
  const renewed = await rows
    .updateWhere(keeping, inviteCollection, open, { ...secret, ...change, ...pending })
    .catch((error: unknown) => {
      throw error instanceof AppError && error.code === "UNIQUE_VIOLATION" ? pendingAlready(error) : error;
    });
  return renewed.length === 0 ? null : { id, token, expiresAt: secret.expiresAt };
}

/** The invitation that a token stands for; null when there is none that can still be accepted. It stays. */
export async function findByToken(rows: Data, token: string, now: number): Promise<InviteRow | null> {
  return findOne(rows, { AND: [{ tokenHash: { eq: hashOf(token) } }, ...openAt(now)] });
}

/** The invitation with an id (a UUID), whatever became of it. */
export function findInvite(rows: Data, id: string): Promise<InviteRow | null> {
  return findOne(rows, { id: { eq: id } });
}

/** Invitations in reach (null: all), those in a state where one is named; the newest first, 1,000 at most. */
export function findInvites(
  data: Data,
  reach: object | null,
  status: InviteStatus | undefined,
  now: number,
): Promise<readonly InviteRow[]> {
  const conditions = [
    ...(reach === null ? [] : [reach]),
    ...(status === undefined ? [] : [inState(status, now)]),
  ];
  return data.find<InviteRow>(keeping, inviteCollection, {
    ...(conditions.length > 0 && { filter: { AND: conditions } }),
    fields,
    sort: ["-createdAt", "id"],
    limit: -1,
  });
}

/** As `shownInvite` tells states. */
function inState(status: InviteStatus, now: number): object {
  if (status === "pending") return { AND: openAt(now) };
  if (status !== "expired") return { status: { eq: status } };
  const unnoted = { AND: [{ status: { eq: "pending" } }, { expiresAt: { lte: iso(now) } }] };
  return { OR: [{ status: { eq: "expired" } }, unnoted] };
}

/** The pending invitations of an address, the oldest first. */
export function findOpenInvites(rows: Data, email: string, now: number): Promise<readonly InviteRow[]> {
  const filter = { AND: [{ email: { eq: email } }, ...openAt(now)] };
  return rows.find<InviteRow>(keeping, inviteCollection, {
    filter,
    fields,
    sort: ["createdAt", "id"],
    limit: -1,
  });
}

/** Which invitation is meant: by its token, or by its id for who has proven the address otherwise. */
export type InviteKey = { readonly token: string } | { readonly id: string };

/** Uses an invitation up for an account: of any number at once exactly one gets it, all others null. */
export async function consumeInvite(
  rows: Data,
  key: InviteKey,
  acceptedBy: string,
  now: number,
): Promise<InviteRow | null> {
  const named = "token" in key ? { tokenHash: { eq: hashOf(key.token) } } : { id: { eq: key.id } };
  const open = { AND: [named, ...openAt(now)] };
  const [id] = await rows.updateWhere(keeping, inviteCollection, open, {
    status: "accepted",
    pendingKey: null,
    acceptedBy_Id: acceptedBy,
    acceptedAt: iso(now),
  });
  return id === undefined ? null : findInvite(rows, String(id));
}

/** Ends a pending invitation; false when it was not pending any more. */
export async function revokeInvite(rows: Rows, id: string): Promise<boolean> {
  return (await endWhere(rows, [{ id: { eq: id } }], "revoked")) > 0;
}

/** Notes which invitations have expired at `now` (ms since 1970), and deletes what ended long ago. For an hourly run. */
export async function sweepInvites(data: Data, now: number): Promise<void> {
  await endWhere(data, [{ expiresAt: { lte: iso(now) } }], "expired");
  const old = { AND: [{ status: { ne: "pending" } }, { expiresAt: { lt: iso(now - remembered) } }] };
  await removeInBatches(data, keeping, inviteCollection, old);
}

/** As it is told: one that nobody accepted in time has expired, whether that is noted yet or not. */
export function shownInvite(row: InviteRow, now: number): Invite {
  const { tenant, role, status, link: _, userMetadata: __, ...shown } = row;
  const isOver = status === "pending" && Date.parse(row.expiresAt) <= now;
  return {
    ...shown,
    role: { id: role.id, name: role.name },
    tenant_Id: tenant?.id ?? null,
    status: isOver ? "expired" : status,
  };
}

async function findOne(rows: Data, filter: object): Promise<InviteRow | null> {
  const [found] = await rows.find<InviteRow>(keeping, inviteCollection, { filter, fields, limit: 1 });
  return found ?? null;
}

async function endWhere(
  rows: Rows,
  conditions: readonly object[],
  status: "expired" | "revoked",
): Promise<number> {
  const filter = { AND: [{ status: { eq: "pending" } }, ...conditions] };
  return (await rows.updateWhere(keeping, inviteCollection, filter, { status, pendingKey: null })).length;
}

function newSecret(now: number) {
  const token = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  return { token, tokenHash: hashOf(token), expiresAt: iso(now + inviteLifetime) };
}

function hashOf(token: string): string {
  return createHash("sha256").update(`invite:${token}`).digest("hex");
}

function pendingAlready(cause: AppError): AppError {
  const message = "There is a pending invitation for this address, and it is not for you to replace";
  return new AppError("CONFLICT", message, null, { cause });
}
