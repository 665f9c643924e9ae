/** Inviting by mail: making, mailing again, listing and taking back. */
import type { Invite, InviteStatus } from "@baasix/types";
import type { UserActor } from "../../../core/access/actor";
import { AppError } from "../../../core/errors";
import type { Data } from "../../../data";
import { type Account, findAccount, findByEmail, invalidEmail, normalizeEmail } from "../accounts";
import { appLink } from "../app-links";
import { noteChange } from "../note";
import type { SignInParts } from "../sign-in";
import { findGift, invitable, requireInvitable } from "./inviters";
import type { InviteRequest } from "./model";
import {
  createInvite,
  findInvite,
  findInvites,
  inviteCollection,
  type InviteRow,
  type MadeInvite,
  renewInvite,
  revokeInvite,
  shownInvite,
} from "./rows";

/**
 * Invites an address, and mails it the link of seven days. One that is pending for the same address and tenant ends.
 * @throws AppError VALIDATION_ERROR `Invalid link`, for an address that is none, and for a role or tenant that is none;
 * FORBIDDEN beyond what the caller may give; CONFLICT; RATE_LIMITED; MAIL_NOT_CONFIGURED
 */
export async function invite(parts: SignInParts, actor: UserActor, request: InviteRequest): Promise<Invite> {
  const { mail } = parts;
  const { email, role, invitedBy, replaceable, tenant, link } = await judge(parts, actor, request);
  mail.requireWay();
  mail.limits.take(email);
  return parts.data.transaction(async (rows) => {
    const { userMetadata } = request;
    const input = { email, role, tenant, link, userMetadata, invitedBy, mailed: true };
    const made = await createInvite(rows, input, replaceable, parts.clock());
    const row = await written(rows, made.id);
    await noteInvite(rows, actor, "create", row);
    await mailInvite(parts, rows, row, made, link);
    return shownInvite(row, parts.clock());
  });
}

/** An invitation that nobody mails: for an administrator to hand over. Gives the link. @throws AppError as `invite` */
export async function inviteByHand(
  parts: Pick<SignInParts, "config" | "data" | "clock">,
  actor: UserActor | null,
  request: InviteRequest,
): Promise<MadeInvite & { readonly email: string; readonly url: string }> {
  const { email, role, invitedBy, replaceable, tenant, link } = await judge(parts, actor, request);
  return parts.data.transaction(async (rows) => {
    const { userMetadata } = request;
    const input = { email, role, tenant, link, userMetadata, invitedBy, mailed: false };
    const made = await createInvite(rows, input, replaceable, parts.clock());
    await noteInvite(rows, actor, "create", await written(rows, made.id));
    const { account } = await findByEmail(rows, email);
    return { ...made, email, url: inviteUrl(link, made.token, account !== null) };
  });
}

/**
 * Mails a pending invitation again, with another link; from now on it is the caller's. An expired one pends again.
 * @throws AppError NOT_FOUND for one that the caller may not make; CONFLICT when it has ended; RATE_LIMITED
 */
export async function resendInvite(
  parts: SignInParts,
  actor: UserActor,
  id: string,
  app: string | undefined,
): Promise<Invite> {
  const { data, config, clock, mail } = parts;
  const before = await requireOwn(parts, actor, id);
  if (before.status !== "pending" && before.status !== "expired") throw hasEnded(before);
  const kept = config.AUTH_APP_URL.find((entry) => entry.replace(/\/+$/, "") === before.link);
  const tenant = before.tenant?.id ?? null;
  const { members: link } = await appLink(parts, { link: app ?? kept, tenant });
  mail.requireWay();
  mail.limits.take(before.email);
  return data.transaction(async (rows) => {
    const made = await renewInvite(rows, before, { invitedBy_Id: actor.id, link }, clock());
    if (made === null) throw hasEnded(await findInvite(rows, id));
    const row = await written(rows, id);
    await noteInvite(rows, actor, "update", row);
    await mailInvite(parts, rows, row, made, link);
    return shownInvite(row, clock());
  });
}

/** @throws AppError NOT_FOUND for one that the caller may not make; CONFLICT when it has ended already */
export async function takeBackInvite(parts: SignInParts, actor: UserActor, id: string): Promise<void> {
  await requireOwn(parts, actor, id);
  await parts.data.transaction(async (rows) => {
    if (!(await revokeInvite(rows, id))) throw hasEnded(await findInvite(rows, id));
    await noteInvite(rows, actor, "delete", await written(rows, id));
  });
}

/** The invitations that the caller could make, the newest first, 1,000 at most. */
export async function listInvites(
  { data, config, clock }: SignInParts,
  actor: UserActor,
  status: InviteStatus | undefined,
): Promise<readonly Invite[]> {
  const found = await findInvites(data, await reachOf(data, config, actor), status, clock());
  return found.map((row) => shownInvite(row, clock()));
}

/** Which invitations somebody could make; null: all. */
async function reachOf(data: Data, config: SignInParts["config"], actor: UserActor): Promise<object | null> {
  if (actor.admin) return null;
  const places = actor.tenant === null ? [null] : [null, actor.tenant];
  const reaches = places.map(async (tenant) => {
    const roles = (await invitable(data, config, actor, tenant)) ?? [];
    const place = tenant === null ? { isNull: true } : { eq: tenant };
    return { AND: [{ role_Id: { in: roles } }, { tenant_Id: place }] };
  });
  return { OR: await Promise.all(reaches) };
}

/** Where an invitation is accepted. */
function inviteUrl(app: string, token: string, userExists: boolean): string {
  return `${app}/accept-invite?token=${token}${userExists ? "&existing=true" : ""}`;
}

/** What of a request may be done, and by whom. `link`: the application that it leads to, which may be the tenant's own. */
async function judge(
  { config, data }: Pick<SignInParts, "config" | "data">,
  actor: UserActor | null,
  { email: text, role, tenant, userMetadata, link: asked }: InviteRequest,
) {
  const email = normalizeEmail(text);
  if (email === null) throw invalidEmail();
  const gift = await findGift(data, config, actor, { role, tenant });
  const roles = actor === null ? null : await invitable(data, config, actor, gift.tenant);
  requireInvitable(roles, gift);
  if (userMetadata !== null && roles !== null) {
    throw new AppError("FORBIDDEN", "userMetadata: only administrators say what a new account begins with");
  }
  const invitedBy = actor?.id ?? null;
  const { members: link } = await appLink({ config, data }, { link: asked, tenant: gift.tenant });
  return { email, role: gift.role.id, tenant: gift.tenant, link, invitedBy, replaceable: roles };
}

/** One that the caller could make; any other is as if it were not there. */
async function requireOwn({ data, config }: SignInParts, actor: UserActor, id: string): Promise<InviteRow> {
  const row = await findInvite(data, id);
  if (row === null) throw noSuchInvite();
  if (actor.admin) return row;
  const tenant = row.tenant?.id ?? null;
  const roles = await invitable(data, config, actor, tenant);
  const isElsewhere = tenant !== null && tenant !== actor.tenant;
  if (isElsewhere || !roles?.includes(row.role.id)) throw noSuchInvite();
  return row;
}

async function mailInvite(
  { mail }: SignInParts,
  rows: Data,
  row: InviteRow,
  { token, expiresAt }: MadeInvite,
  app: string,
): Promise<void> {
  const { account } = await findByEmail(rows, row.email);
  const inviter = row.invitedBy_Id === null ? null : await findAccount(rows, row.invitedBy_Id);
  await mail.queue(rows, {
    type: account === null ? "inviteNewUser" : "inviteExistingUser",
    to: row.email,
    tenant: row.tenant?.id ?? null,
    values: {
      inviterName: inviter && nameOf(inviter),
      tenant: row.tenant?.name,
      inviteLink: inviteUrl(app, token, account !== null),
      expirationDate: expiresAt,
    },
    until: Date.parse(expiresAt),
  });
}

function nameOf({ firstName, lastName }: Account): string {
  return [firstName, lastName].filter((part) => (part ?? "") !== "").join(" ");
}

/** Notes in the audit log who invites whom, with what. */
function noteInvite(
  rows: Data,
  actor: UserActor | null,
  action: "create" | "update" | "delete",
  { id, email, role, tenant }: InviteRow,
): Promise<void> {
  const told = { email, role_Id: role.id, tenant_Id: tenant?.id ?? null };
  return noteChange(rows, actor, {
    entity: inviteCollection,
    entityId: id,
    action,
    before: action === "delete" ? told : null,
    after: action === "delete" ? null : told,
  });
}

async function written(rows: Data, id: string): Promise<InviteRow> {
  const row = await findInvite(rows, id);
  if (row === null) throw noSuchInvite();
  return row;
}

function noSuchInvite(): AppError {
  return new AppError("NOT_FOUND", "Invitation not found");
}

function hasEnded(row: InviteRow | null): AppError {
  return new AppError("CONFLICT", `The invitation is ${row?.status ?? "gone"}; invite anew`);
}
