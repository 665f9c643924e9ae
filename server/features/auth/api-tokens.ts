/**
 * API tokens: what programs sign in with. A token is a row of `baasix_ApiToken`, an account and one role of it; the text is
 * shown once and kept as its SHA-256 hash, which is enough for 32 random bytes. A token that is made without an account
 * gets one of its own, a service account: it has no password and nobody reads its mail, so that nothing signs in as it.
 */
import { createHash } from "node:crypto";
import type { ApiToken, NewApiToken } from "@baasix/types";
import { system, type UserActor } from "../../core/access/actor";
import { publicRole } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { findAccount } from "./accounts";
import { holdAdministrators } from "./administrators";
import type { ApiTokenInput } from "./model";
import { type TenantConfig, tenantOf } from "./entry";
import { findRoleById, type HeldRole, membershipsOf, rolesIn } from "./roles";

const collection = "baasix_ApiToken";
const keeping = system("API tokens and their accounts are kept by the auth feature");

/** What every API token begins with. */
const tokenPrefix = "bsx_";
/** How an account is marked that only API tokens act for: a way in (`providerId`) that nobody can take. */
export const serviceProvider = "service";
/** Milliseconds between two notes of a token's last use. */
export const noteUseEvery = 60_000;

const pattern = /^bsx_[\w-]{43}$/;
const shownCharacters = 10;
const fields = [
  "id",
  "name",
  "prefix",
  "user_Id",
  "role_Id",
  "tenant_Id",
  "expiresAt",
  "lastUsedAt",
  "createdBy_Id",
  "createdAt",
];

/** A token as a request shows it. `expiresAt` and `lastUsedAt` as the database writes them. */
export type KnownToken = {
  readonly id: string;
  readonly user_Id: string;
  readonly role_Id: string;
  readonly tenant_Id: string | null;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
};

/** True for a text that is meant as an API token, good or not. */
export function isApiToken(token: string): boolean {
  return token.startsWith(tokenPrefix);
}

/** The row of a token, whether it has expired or not; null when there is none. */
export async function findApiToken(data: Data, token: string): Promise<KnownToken | null> {
  if (!pattern.test(token)) return null;
  const found = await data.find<KnownToken>(keeping, collection, {
    filter: { tokenHash: { eq: hashOf(token) } },
    fields: ["id", "user_Id", "role_Id", "tenant_Id", "expiresAt", "lastUsedAt"],
    limit: 1,
  });
  return found[0] ?? null;
}

/** Notes that a token was used, unless that was done within the minute, by whichever server. */
export async function noteUse(data: Data, id: string, now: number): Promise<void> {
  const before = new Date(now - noteUseEvery).toISOString();
  await data.updateWhere(
    keeping,
    collection,
    {
      AND: [{ id: { eq: id } }, { OR: [{ lastUsedAt: { isNull: true } }, { lastUsedAt: { lte: before } }] }],
    },
    { lastUsedAt: new Date(now).toISOString() },
  );
}

/** All tokens, the newest first, 1,000 at most. */
export function listApiTokens(data: Data): Promise<readonly ApiToken[]> {
  return data.find<ApiToken>(keeping, collection, { fields, sort: ["-createdAt", "id"], limit: -1 });
}

/** What making one takes. `clock` in ms since 1970. */
export type ApiTokenParts = {
  readonly data: Data;
  readonly config: Pick<TenantConfig, "MULTI_TENANT">;
  readonly clock: () => number;
};

/**
 * Makes a token for an account that has the role (in the tenant, for a role of tenants), or with a service account of its own.
 * The answer alone shows its text.
 * @throws AppError VALIDATION_ERROR
 */
export async function createApiToken(
  { data, config: { MULTI_TENANT }, clock }: ApiTokenParts,
  maker: UserActor,
  { name, role_Id, user_Id, tenant_Id, expiresAt }: ApiTokenInput,
): Promise<NewApiToken> {
  requireFuture(expiresAt, clock());
  const role = await findRoleById(data, role_Id);
  if (role === null || role.name === publicRole)
    throw invalid("role_Id", "there is no such role to sign in with");
  await requirePlace(data, role, tenant_Id, MULTI_TENANT);
  if (user_Id !== null) {
    const account = await findAccount(data, user_Id);
    if (account?.status !== "active") throw invalid("user_Id", "there is no such active account");
    const held = rolesIn(await membershipsOf(data, user_Id), tenant_Id, MULTI_TENANT);
    if (!held.some(({ id }) => id === role_Id))
      throw invalid("role_Id", `the account does not have this role${tenant_Id === null ? "" : " there"}`);
  }
  const token = makeToken();
  const id = await data.transaction(async (rows) => {
    const user = user_Id ?? (await createServiceAccount(rows, name, { role_Id, tenant_Id }));
    const [made] = await rows.create(keeping, collection, [
      { ...secretOf(token), name, role_Id, tenant_Id, user_Id: user, expiresAt, createdBy_Id: maker.id },
    ]);
    return String(made);
  });
  return { ...(await readOne(data, id)), token };
}

/**
 * Replaces the text of a token; the old one is dead at once. `expiresAt` undefined: its end stays.
 * @throws AppError NOT_FOUND, VALIDATION_ERROR
 */
export async function rotateApiToken(
  data: Data,
  id: string,
  expiresAt: string | null | undefined,
  now: number,
): Promise<NewApiToken> {
  if (expiresAt !== undefined) requireFuture(expiresAt, now);
  const token = makeToken();
  const change = { ...secretOf(token), ...(expiresAt !== undefined && { expiresAt }) };
  const changed = await data.updateWhere(keeping, collection, { id: { eq: id } }, change);
  if (changed.length === 0) throw noSuchToken();
  return { ...(await readOne(data, id)), token };
}

/**
 * Deletes a token, for an administrator. A service account goes out of use with its last one: it loses its roles and its status is `deleted`; what
 * it wrote keeps its name.
 * @throws AppError NOT_FOUND, FORBIDDEN
 */
export async function removeApiToken(data: Data, by: UserActor, id: string): Promise<void> {
  await data.transaction(async (rows) => {
    // The service account may be an administrator itself.
    await holdAdministrators(rows, by);
    const [token] = await rows.find<{ user_Id: string }>(keeping, collection, {
      filter: { id: { eq: id } },
      fields: ["user_Id"],
    });
    const removed = await rows.removeWhere(keeping, collection, { id: { eq: id } });
    if (!token || removed.length === 0) throw noSuchToken();
    const ofAccount = { user_Id: { eq: token.user_Id } };
    const others = await rows.find(keeping, collection, { filter: ofAccount, fields: ["id"], limit: 1 });
    if (others.length > 0 || !(await isServiceAccount(rows, token.user_Id))) return;
    await rows.removeWhere(keeping, "baasix_UserRole", ofAccount);
    await rows.update(keeping, "baasix_User", [{ id: token.user_Id, data: { status: "deleted" } }]);
  });
}

/** True for an account that API tokens alone act for. */
export async function isServiceAccount(data: Data, user: string): Promise<boolean> {
  const found = await data.find(keeping, "baasix_Account", {
    filter: { AND: [{ user_Id: { eq: user } }, { providerId: { eq: serviceProvider } }] },
    fields: ["id"],
    limit: 1,
  });
  return found.length > 0;
}

async function createServiceAccount(
  rows: Data,
  name: string,
  membership: { readonly role_Id: string; readonly tenant_Id: string | null },
): Promise<string> {
  // A domain that is never given to anyone (RFC 2606): no mail for it arrives anywhere.
  const email = `${crypto.randomUUID()}@service.invalid`;
  const [id] = await rows.create(keeping, "baasix_User", [{ email, firstName: name, status: "active" }]);
  const user = String(id);
  await rows.create(keeping, "baasix_Account", [
    { user_Id: user, accountId: user, providerId: serviceProvider },
  ]);
  await rows.create(keeping, "baasix_UserRole", [{ user_Id: user, ...membership }]);
  return user;
}

/** A role of tenants gives nothing outside of them, and one that sees all tenants nothing in one. */
async function requirePlace(
  data: Data,
  { isTenantSpecific }: HeldRole,
  tenant: string | null,
  multiTenant: boolean,
): Promise<void> {
  if (!multiTenant) {
    if (tenant !== null) throw invalid("tenant_Id", "there are no tenants here");
  } else if (isTenantSpecific !== (tenant !== null)) {
    throw invalid(
      "tenant_Id",
      isTenantSpecific
        ? "the role counts within a tenant: say in which"
        : "the role sees all tenants, and acts in none",
    );
  } else if (tenant !== null && (await tenantOf(data, tenant)) === null) {
    throw invalid("tenant_Id", "there is no such tenant");
  }
}

async function readOne(data: Data, id: string): Promise<ApiToken> {
  const [token] = await data.find<ApiToken>(keeping, collection, { filter: { id: { eq: id } }, fields });
  if (!token) throw noSuchToken();
  return token;
}

function requireFuture(expiresAt: string | null, now: number): void {
  if (expiresAt !== null && Date.parse(expiresAt) <= now) throw invalid("expiresAt", "must be in the future");
}

function makeToken(): string {
  return tokenPrefix + Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
}

function secretOf(token: string) {
  return { prefix: token.slice(0, shownCharacters), tokenHash: hashOf(token) };
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

function invalid(field: string, message: string): AppError {
  return new AppError("VALIDATION_ERROR", `${field}: ${message}`, [{ field, message, rule: "reference" }]);
}

function noSuchToken(): AppError {
  return new AppError("NOT_FOUND", "API token not found");
}
