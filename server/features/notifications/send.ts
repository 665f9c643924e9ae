/** Sending: a row for each account. The change feed takes it from there, to every socket of theirs on every instance. */
import type { ItemId } from "@baasix/types";
import { type Actor, system } from "../../core/access/actor";
import { rolesOf } from "../../core/access/policy";
import type { Rules } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Data, Snapshot } from "../../data";
import { invalidNotice } from "./model";
import { collection } from "./own";

const looking = system("whether whom a notification is for is there, is not the sender's to read");

/** What is said to whom. `tenant` undefined: that in which the sender acts; null: none, they see it everywhere. */
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
  if (hasTenants) requireTenant(rules, actor, tenant);
  else if (tenant !== null) throw invalid("tenant_Id", "this server has no tenants (MULTI_TENANT)");
  await requireAccounts(rows, userIds, tenant);
  // Who may not say a tenant has it filled in.
  const isSaid = hasTenants && (named !== undefined || (actor.kind === "user" && actor.admin));
  const body = { ...words, ...(data !== undefined && { data }), ...(isSaid && { tenant_Id: tenant }) };
  return rows.create(
    actor,
    collection,
    userIds.map((userId) => ({ ...body, userId })),
  );
}

/** By a role that sees one tenant, one sends in the tenant that one acts in. */
function requireTenant(rules: Rules, actor: Actor, tenant: string | null): void {
  if (actor.kind !== "user" || actor.admin) return;
  const sending = rolesOf(rules, actor).filter(({ grants }) => grants.get(collection)?.has("create"));
  if (sending.some(({ seesTenant }) => !seesTenant)) return;
  if (tenant !== null && tenant === actor.tenant) return;
  throw new AppError("FORBIDDEN", "tenant_Id: you send in the tenant that you act in");
}

async function requireAccounts(rows: Data, ids: readonly string[], tenant: string | null): Promise<void> {
  const named = { id: { in: ids } };
  const member = { userRoles: { tenant_Id: { eq: tenant } } };
  const found = await rows.find<{ id: string }>(looking, "baasix_User", {
    filter: tenant === null ? named : { AND: [named, member] },
    fields: ["id"],
    limit: ids.length,
    count: "none",
  });
  const there = new Set(found.map(({ id }) => id));
  const missing = ids.filter((id) => !there.has(id));
  if (missing.length === 0) return;
  const whose = tenant === null ? "there is no such account" : "no member of the tenant";
  throw invalidNotice(
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
