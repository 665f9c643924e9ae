/** Accounts and the providers that are linked to them: found, made, linked and unlinked. */
import { system, type UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import {
  type Account,
  findAccount,
  findByEmail,
  findRole,
  lockAccount,
  noSuchRole,
  normalizeEmail,
  startInvited,
  welcome,
} from "../auth";
import type { OAuthParts } from "./parts";
import type { LinkFor } from "./proofs";
import type { Identity } from "./provider";

const linking = system("providers are linked to accounts by the server alone, after they said who it is");

/** A provider that opens an account. `createdAt` in ISO 8601. */
export type Linked = { readonly provider: string; readonly createdAt: string };

type Row = { readonly user_Id: string; readonly providerId: string; readonly accountId: string };

/**
 * The account that an identity opens: the one that it is linked to; else the one with its mail address, if both sides have
 * confirmed it, which is linked then; else a new one, where registration is open.
 * @throws AppError CONFLICT where there is an account that must not be opened this way; FORBIDDEN where none is made
 */
export async function openAccount(parts: OAuthParts, identity: Identity): Promise<Account> {
  const { data } = parts.auth;
  const open = () => data.transaction((rows) => findOrMake(parts, rows, identity));
  try {
    return await open();
  } catch (error) {
    // Somebody made it at the same time: now it is there.
    if (error instanceof AppError && error.code === "UNIQUE_VIOLATION") return open();
    throw error;
  }
}

async function findOrMake(parts: OAuthParts, rows: Data, identity: Identity): Promise<Account> {
  const { provider, subject } = identity;
  const linked = await findLink(rows, { providerId: { eq: provider } }, { accountId: { eq: subject } });
  const known = linked && (await findAccount(rows, linked.user_Id));
  if (known) return known;
  const label = parts.providers.get(provider)?.label ?? provider;
  const email = normalizeEmail(identity.email ?? "");
  if (email === null)
    throw new AppError("FORBIDDEN", `${label} tells no mail address, without which there is no account`);
  requireConfirmed(parts, identity, label);
  const { account: found } = await findByEmail(rows, email);
  if (found === null) return makeAccount(parts, rows, identity, email);
  // As it stands once nobody else can change it.
  await lockAccount(rows, found.id, parts.auth.clock());
  const account = await findAccount(rows, found.id);
  // Made, or linked, by the same person between the two looks.
  const meanwhile = await findLink(rows, { providerId: { eq: provider } }, { accountId: { eq: subject } });
  if (account && meanwhile?.user_Id === account.id) return account;
  if (account?.email !== email) throw mustLink(label);
  if (!identity.emailVerified || !account.emailVerified || (await hasLink(rows, account.id, provider)))
    throw mustLink(label);
  await rows.create(linking, "baasix_Account", [
    { user_Id: account.id, providerId: provider, accountId: subject },
  ]);
  return account;
}

/**
 * Where an address that is not confirmed makes no account, it is refused before it is looked up: whoever tells a provider
 * somebody else's must not learn whether it has one.
 */
function requireConfirmed(
  { auth: { config } }: OAuthParts,
  { emailVerified }: Identity,
  label: string,
): void {
  if (emailVerified || (config.PUBLIC_REGISTRATION && !config.REQUIRE_EMAIL_VERIFICATION)) return;
  throw new AppError(
    "FORBIDDEN",
    `${label} does not say that your mail address is confirmed; come in another way, and link ${label} there`,
  );
}

/** The refusal to take the word of one side for who owns an account. */
function mustLink(label: string): AppError {
  return new AppError(
    "CONFLICT",
    `There is an account with this mail address; sign in to it another way, and link ${label} there`,
    { reason: "account_exists" },
  );
}

async function makeAccount(
  { auth }: OAuthParts,
  rows: Data,
  { provider, subject, emailVerified, ...names }: Identity,
  email: string,
): Promise<Account> {
  const firstName = shortened(names.firstName) ?? email.slice(0, email.indexOf("@"));
  const person = { email, emailVerified, firstName, lastName: shortened(names.lastName) };
  const [created] = await rows.create(linking, "baasix_User", [{ ...person, status: "active" }]);
  const id = String(created);
  await giveRoles(auth, rows, { id, email, emailVerified });
  await rows.create(linking, "baasix_Account", [{ user_Id: id, providerId: provider, accountId: subject }]);
  const account = await findAccount(rows, id);
  if (account === null) throw new Error("an account that was just made is not there");
  await welcome(auth, rows, account);
  return account;
}

/** @throws AppError FORBIDDEN where registration is closed, for an address that is not invited */
async function giveRoles(
  auth: OAuthParts["auth"],
  rows: Data,
  { id, email, emailVerified }: Pick<Account, "id" | "email" | "emailVerified">,
): Promise<void> {
  const { config } = auth;
  if (!config.PUBLIC_REGISTRATION) {
    const start = emailVerified ? await startInvited(auth, rows, { id, email }) : null;
    if (start === null)
      throw new AppError("FORBIDDEN", "Registration is closed; ask an administrator for an account");
    const { memberships, userMetadata } = start;
    if (userMetadata !== null) await rows.update(linking, "baasix_User", [{ id, data: { userMetadata } }]);
    const held = memberships.map(({ role, tenant }) => ({ user_Id: id, role_Id: role, tenant_Id: tenant }));
    await rows.create(linking, "baasix_UserRole", held);
    return;
  }
  const role = await findRole(rows, config.DEFAULT_ROLE_REGISTERED);
  if (role === null) throw noSuchRole(config.DEFAULT_ROLE_REGISTERED);
  // A role of tenants gives nothing outside of them: its owner founds one, or accepts an invitation to one.
  if (!config.MULTI_TENANT || !role.isTenantSpecific)
    await rows.create(linking, "baasix_UserRole", [{ user_Id: id, role_Id: role.id }]);
}

function shortened(name: string | null): string | null {
  return name?.replace(/\p{C}/gu, "").trim().slice(0, 255) || null;
}

/**
 * Links an identity to an account whose owner asks for it; once more changes nothing.
 * @throws AppError CONFLICT when it opens another account, or the account has another one of that provider; UNAUTHORIZED when
 * the session has ended meanwhile
 */
export async function linkAccount(
  { auth, providers }: OAuthParts,
  { user, session }: LinkFor,
  identity: Identity,
): Promise<void> {
  const { provider, subject } = identity;
  const label = providers.get(provider)?.label ?? provider;
  await auth.data.transaction(async (rows) => {
    await lockAccount(rows, user, auth.clock());
    await auth.sessions.requireOpen(rows, session);
    const linked = await findLink(rows, { providerId: { eq: provider } }, { accountId: { eq: subject } });
    if (linked?.user_Id === user) return;
    if (linked) throw new AppError("CONFLICT", `This ${label} account is linked to another account`);
    if (await hasLink(rows, user, provider))
      throw new AppError("CONFLICT", `Another ${label} account is linked; unlink it first`);
    await rows.create(linking, "baasix_Account", [
      { user_Id: user, providerId: provider, accountId: subject },
    ]);
  });
}

/**
 * Unlinks a provider and ends all other sessions of the account: one of them may have come that way.
 * @throws AppError NOT_FOUND; CONFLICT for the last way in
 */
export async function unlinkAccount(
  parts: OAuthParts,
  { id, session }: UserActor,
  provider: string,
): Promise<void> {
  const { auth } = parts;
  await auth.data.transaction(async (rows) => {
    // Two at once must not take the last two ways.
    await lockAccount(rows, id, auth.clock());
    await auth.sessions.requireOpen(rows, session);
    const ways = await rows.find<Row & { password: string | null }>(linking, "baasix_Account", {
      filter: { user_Id: { eq: id } },
      fields: ["providerId", "password"],
      limit: -1,
    });
    if (!ways.some(({ providerId }) => providerId === provider))
      throw new AppError("NOT_FOUND", "This provider is not linked");
    const opens = ({ providerId, password }: (typeof ways)[number]): boolean =>
      providerId === "credential"
        ? password !== null && parts.config.AUTH_SERVICES_ENABLED.includes("LOCAL")
        : providerId !== provider && parts.providers.has(providerId);
    if (!ways.some(opens))
      throw new AppError("CONFLICT", "This is the last way into the account; set a password first");
    const mine = { user_Id: { eq: id } };
    await rows.removeWhere(linking, "baasix_Account", { AND: [mine, { providerId: { eq: provider } }] });
    await auth.sessions.endAll(id, session, rows);
  });
}

/**
 * Asked again once the account is locked: an identity that was unlinked meanwhile opens nothing.
 * @throws AppError INVALID_CREDENTIALS
 */
export function requireLinked(
  { provider, subject }: Identity,
  { id }: Pick<Account, "id">,
): (rows: Data) => Promise<void> {
  return async (rows) => {
    const linked = await findLink(rows, { providerId: { eq: provider } }, { accountId: { eq: subject } });
    if (linked?.user_Id !== id) throw new AppError("INVALID_CREDENTIALS", "Invalid or expired token");
  };
}

/** What is linked to an account, the oldest first. */
export async function listLinked(data: Data, user: string): Promise<readonly Linked[]> {
  const found = await data.find<Row & { createdAt: string }>(linking, "baasix_Account", {
    filter: { AND: [{ user_Id: { eq: user } }, { providerId: { ne: "credential" } }] },
    fields: ["providerId", "createdAt"],
    sort: ["createdAt", "id"],
    limit: -1,
  });
  return found.map(({ providerId, createdAt }) => ({ provider: providerId, createdAt }));
}

async function findLink(rows: Data, ...conditions: readonly object[]): Promise<Row | null> {
  const found = await rows.find<Row>(linking, "baasix_Account", {
    filter: { AND: conditions },
    fields: ["user_Id", "providerId", "accountId"],
    limit: 1,
  });
  return found[0] ?? null;
}

async function hasLink(rows: Data, user: string, provider: string): Promise<boolean> {
  return (await findLink(rows, { user_Id: { eq: user } }, { providerId: { eq: provider } })) !== null;
}
