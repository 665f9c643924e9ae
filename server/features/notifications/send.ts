/** Sending: a row for each account. The change feed takes it from there, to every socket of theirs on every instance. */
import type { ItemId } from "@baasix/types";
import { type Actor, system } from "../../core/access/actor";
import { rolesOf } from "../../core/access/policy";
import type { Rules } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Data, Snapshot, WriteBody } from "../../data";
import { invalidNotice } from "./model";
import { collection } from "./own";

const looking = system("whether whom a notification is for is there, is not the sender's to read");

/** What is said to whom; `data` is JSON. `tenant` undefined: that in which the sender acts; null: none, they see it everywhere. */
export type Notice = {
  readonly type: string;
  readonly title: string;
  readonly message: string;
  readonly data?: unknown;
  readonly userIds: readonly string[];
  readonly tenant?: string | null;
};

/**
 * Writes the notifications, all or none; gives their ids in the order of the accounts, each named once.
 * @throws AppError FORBIDDEN without a right to create them, or in the tenant; VALIDATION_ERROR naming the accounts that are
 * not there, or are no members of the tenant
 */
export async function sendNotices(
  rows: Data,
  actor: Actor,
  { userIds, tenant: named, data, ...words }: Notice,
  { schema, rules }: Snapshot,
): Promise<readonly ItemId[]> {
  // Nobody without the right learns who is there, or who is a member of what.
  rows.requireRight(actor, collection, "create", ["type", "title", "message", "userId"]);
  const hasTenants = schema.tenants !== null;
  const tenant = named === undefined && actor.kind === "user" ? actor.tenant : (named ?? null);
  const isBound = hasTenants && isBoundTo(rules, actor, tenant);
  if (!hasTenants && tenant !== null) throw invalid("tenant_Id", "this server has no tenants (MULTI_TENANT)");
  // Who may not say a tenant has it filled in.
  const isSaid = hasTenants && (named !== undefined || (actor.kind === "user" && actor.admin));
  const body = { ...words, ...(data !== undefined && { data }), ...(isSaid && { tenant_Id: tenant }) };
  const bodies = userIds.map((userId) => ({ ...body, userId }));
  const missing = await missingAccounts(rows, userIds, tenant);
  if (missing.length === 0) return rows.create(actor, collection, bodies);
  const names = namesOf(missing, tenant);
  // In its own tenant a role may not write of anybody else, and that is what it is told.
  throw isBound ? names : await refusalOf(rows, actor, bodies, names);
}

/** What is answered where accounts are missing: whose permission does not open these notifications is not told which. */
async function refusalOf(
  rows: Data,
  actor: Actor,
  bodies: readonly WriteBody[],
  names: AppError,
): Promise<AppError> {
  if (actor.kind !== "user" || actor.admin) return names;
  try {
    await rows.transaction(async (inner) => {
      await inner.create(actor, collection, bodies);
      throw names;
    });
  } catch (error) {
    if (error instanceof AppError && error.code === "FORBIDDEN") return error;
  }
  return names;
}

/**
 * Whether the actor sends by roles that see one tenant alone: then in the one that it acts in.
 * @throws AppError FORBIDDEN in another one
 */
function isBoundTo(rules: Rules, actor: Actor, tenant: string | null): boolean {
  if (actor.kind !== "user" || actor.admin) return false;
  const sending = rolesOf(rules, actor).filter(({ grants }) => grants.get(collection)?.has("create"));
  if (sending.some(({ seesTenant }) => !seesTenant)) return false;
  if (tenant !== null && tenant === actor.tenant) return true;
  throw new AppError("FORBIDDEN", "tenant_Id: you send in the tenant that you act in");
}

async function missingAccounts(
  rows: Data,
  ids: readonly string[],
  tenant: string | null,
): Promise<readonly string[]> {
  const named = { id: { in: ids } };
  const member = { userRoles: { tenant_Id: { eq: tenant } } };
  const found = await rows.find<{ id: string }>(looking, "baasix_User", {
    filter: tenant === null ? named : { AND: [named, member] },
    fields: ["id"],
    limit: ids.length,
    count: "none",
  });
  const there = new Set(found.map(({ id }) => id));
  return ids.filter((id) => !there.has(id));
}

function namesOf(missing: readonly string[], tenant: string | null): AppError {
  const whose = tenant === null ? "there is no such account" : "no member of the tenant";
  return invalidNotice(
    missing
      .slice(0, mostTold)
      .map((id) => ({ field: "userIds", message: `${id}: ${whose}`, rule: "exists" })),
  );
}

/** Most accounts that a refusal names. */
const mostTold = 100;

function invalid(field: string, message: string): AppError {
  return invalidNotice([{ field, message, rule: "shape" }]);
}
