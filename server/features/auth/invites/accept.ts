/** Accepting an invitation: by who is signed in, and by who registers with it. */
import type { UserActor } from "../../../core/access/actor";
import { AppError } from "../../../core/errors";
import type { Data } from "../../../data";
import { createAccount, findAccount, invalidEmail, normalizeEmail, permissionsOf } from "../accounts";
import { appAddress } from "../app-links";
import { entryOf } from "../entry";
import { confirmAddress } from "../first-proof";
import type { RegisterBody } from "../model";
import { type Doer, noteChange } from "../note";
import type { Pending } from "../register";
import { shownRole } from "../roles";
import {
  countClient,
  describeSignIn,
  openSession,
  type Origin,
  requireLocal,
  type SignInParts,
  type SignInResult,
} from "../sign-in";
import { joinTenant, type NewMembership, switchTenant } from "../tenants";
import { mailVerification, welcome } from "../verify-email";
import { mayStillInvite } from "./inviters";
import { invalidInvite } from "./model";
import {
  consumeInvite,
  findByToken,
  findOpenInvites,
  inviteCollection,
  type InviteKey,
  type InviteRow,
} from "./rows";

/**
 * Gives the caller the role of an invitation to its own address, and a new session where the role counts; the one that asks
 * has ended. A token that was mailed proves the address. Of many at once exactly one wins.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired invitation`; FORBIDDEN `This invitation is for a different email
 * address`; UNAUTHORIZED when the session has ended meanwhile; RATE_LIMITED; FORBIDDEN as `openSession`
 */
export async function acceptInvite(
  parts: SignInParts,
  actor: UserActor,
  token: string,
  origin: Origin,
): Promise<SignInResult> {
  const { clock, data } = parts;
  countClient(parts, origin.client);
  const invite = await findByToken(data, token, clock());
  if (invite === null) throw invalidInvite();
  return switchTenant(parts, actor, invite.tenant?.id ?? null, origin, async (rows) => {
    const account = await findAccount(rows, actor.id);
    if (account?.email !== invite.email) {
      throw new AppError("FORBIDDEN", "This invitation is for a different email address");
    }
    const { role, tenant, sentAt } = await take(parts, rows, { token }, actor);
    await joinTenant(rows, actor.id, { role: role.id, tenant: tenant?.id ?? null });
    if (sentAt !== null) await confirmAddress(parts, rows, account, "all");
  });
}

/**
 * Makes an account from an invitation: with its address, its role and its tenant. Holds where registration is closed. A
 * token that was mailed proves the address; where addresses must be proven, one that was handed over leaves that to a mail.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired invitation`; VALIDATION_ERROR, also for another address or one that
 * has an account; RATE_LIMITED; UNAVAILABLE; MAIL_NOT_CONFIGURED
 */
export async function registerInvited(
  parts: SignInParts,
  token: string,
  body: RegisterBody,
  origin: Origin,
): Promise<SignInResult | Pending> {
  const { clock, config, data, mail, passwords } = parts;
  requireLocal(config);
  countClient(parts, origin.client);
  const email = normalizeEmail(body.email);
  if (email === null) throw invalidEmail();
  const found = await findByToken(data, token, clock());
  if (found === null) throw invalidInvite();
  if (found.email !== email) throw otherAddress();
  const { firstName, lastName, username, phone } = body;
  const hash = await passwords.hash(body.password, { email, username, firstName, lastName });
  const id = crypto.randomUUID();
  const done = await data.transaction(async (rows) => {
    const { role, tenant, sentAt, link, userMetadata } = await take(parts, rows, { token }, { id });
    const emailVerified = sentAt !== null;
    const memberships = [{ role: role.id, tenant: tenant?.id ?? null }];
    const names = { id, email, firstName, lastName, username, phone };
    await createAccount(rows, { ...names, hash, memberships, emailVerified, userMetadata });
    const account = await findAccount(rows, id);
    if (account === null) throw invalidInvite();
    const entry = await entryOf(parts, rows, id, tenant?.id ?? null, origin.client);
    if (config.REQUIRE_EMAIL_VERIFICATION && !emailVerified) {
      mail.requireWay();
      mail.limits.take(email);
      await mailVerification(parts, rows, account, link ?? appAddress(config, undefined));
      return { account, entry, opened: null };
    }
    await welcome(parts, rows, account);
    const opened = await openSession(parts, rows, account, { type: "default", entry, aal: 1 }, origin);
    return { account, entry, opened };
  });
  const { account, entry, opened } = done;
  if (opened !== null) return describeSignIn(parts, opened, account, entry);
  const [role] = entry.roles;
  if (!role) throw invalidInvite();
  const permissions = await permissionsOf(data, [role.id]);
  return { account, role: shownRole(role), permissions, tenant: entry.tenant };
}

/** What an account begins with that nobody may make but who is invited. */
export type InvitedStart = {
  readonly memberships: readonly NewMembership[];
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
};

/**
 * What becomes of an account, just made, whose address a provider has confirmed: where registration is closed, it is there because
 * the address is invited, and begins with what it is invited to. With tenants it begins in none, and accepts by the
 * mail which of them it joins. Null: it is not invited.
 * @throws AppError INVALID_CREDENTIALS when the invitation was used meanwhile
 */
export async function startInvited(
  parts: Pick<SignInParts, "clock" | "config">,
  rows: Data,
  { id, email }: { readonly id: string; readonly email: string },
): Promise<InvitedStart | null> {
  const { clock, config } = parts;
  const pending = await findOpenInvites(rows, email, clock());
  const standing: InviteRow[] = [];
  for (const invite of pending) {
    const gift = { role: invite.role, tenant: invite.tenant?.id ?? null };
    // oxlint-disable-next-line no-await-in-loop -- one connection, and seldom more than one
    if (await mayStillInvite(rows, config, invite.invitedBy_Id, gift)) standing.push(invite);
  }
  const [first] = standing;
  if (!first) return null;
  if (config.MULTI_TENANT) return { memberships: [], userMetadata: null };
  const { role, userMetadata } = await take(parts, rows, { id: first.id }, { id });
  return { memberships: [{ role: role.id, tenant: null }], userMetadata };
}

/** Uses it up, if whoever invited could still do so. */
async function take(
  { clock, config }: Pick<SignInParts, "clock" | "config">,
  rows: Data,
  key: InviteKey,
  by: Doer,
): Promise<InviteRow> {
  const invite = await consumeInvite(rows, key, by.id, clock());
  if (invite === null) throw invalidInvite();
  const { id, email, role, tenant, invitedBy_Id } = invite;
  const gift = { role, tenant: tenant?.id ?? null };
  if (!(await mayStillInvite(rows, config, invitedBy_Id, gift))) throw invalidInvite();
  await noteChange(rows, by, {
    entity: inviteCollection,
    entityId: id,
    action: "update",
    before: { status: "pending" },
    after: { status: "accepted", email, role_Id: role.id, tenant_Id: gift.tenant, acceptedBy_Id: by.id },
  });
  return invite;
}

function otherAddress(): AppError {
  const message = "The email address doesn't match the invitation";
  return new AppError("VALIDATION_ERROR", message, [{ field: "email", message, rule: "invitation" }]);
}
