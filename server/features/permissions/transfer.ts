/**
 * Roles and permissions from one server to another. What an import does is decided first, as a list that a preview shows
 * and an import carries out: whole, in one transaction, or not at all.
 */
import type {
  PermissionImportPreview,
  PermissionImportResult,
  ItemId,
  Permission,
  PermissionExport,
} from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import type { Schema } from "../../core/schema/model";
import type { Data } from "../../data";
import { documentVersion, type ImportDocument } from "./document";
import {
  nameOfPermission,
  parts,
  planImport,
  type RolePlan,
  settings,
  type Stored,
  type StoredRole,
} from "./importPlan";

/** All roles with their permissions, by name. */
export async function exportRights(data: Data, actor: Actor, now: number): Promise<PermissionExport> {
  const stored = await readStored(data, actor);
  const nameOf = new Map(stored.roles.map(({ id, name }) => [id, name]));
  return {
    version: documentVersion,
    timestamp: new Date(now).toISOString(),
    roles: stored.roles.map((role) => ({
      name: role.name,
      ...Object.fromEntries(settings.map((setting) => [setting, role[setting]])),
      canInviteRoles: role.canInviteRoleIds && role.canInviteRoleIds.flatMap((id) => nameOf.get(id) ?? []),
      permissions: stored.permissions
        .filter(({ role_Id }) => role_Id === role.id)
        .map(({ collection, action, ...row }) => ({
          collection,
          action,
          fields: row.fields,
          conditions: row.conditions,
          defaultValues: row.defaultValues,
          relConditions: row.relConditions,
        })),
    })),
  };
}

/** What an import would do. @throws AppError VALIDATION_ERROR with everything that is wrong with the document */
export async function previewImport(
  data: Data,
  actor: Actor,
  schema: Schema,
  document: ImportDocument,
): Promise<PermissionImportPreview> {
  const plans = planImport(await readStored(data, actor), document, schema);
  return {
    importVersion: document.version,
    importTimestamp: document.timestamp,
    changes: {
      new: plans
        .filter(({ stored }) => stored === null)
        .map(({ role, create }) => ({
          name: role.name,
          type: "role",
          details: { description: role.description ?? null, permissions: create.map(nameOfPermission) },
        })),
      modified: plans
        .filter(({ stored, differences }) => stored !== null && differences !== null)
        .map(({ role, differences }) => ({ name: role.name, type: "role", differences: differences ?? {} })),
      deleted: [],
      unchanged: plans
        .filter(({ stored, differences }) => stored !== null && differences === null)
        .map(({ role }) => role.name),
    },
  };
}

/** Carries an import out, in one transaction. @throws AppError as `previewImport`; then nothing was changed */
export async function importRights(
  data: Data,
  actor: Actor,
  schema: Schema,
  document: ImportDocument,
): Promise<PermissionImportResult> {
  const plans = await data.transaction(async (rows) => {
    const stored = await readStored(rows, actor);
    const planned = planImport(stored, document, schema);
    await carryOut(rows, actor, stored, planned);
    return planned;
  });
  const made = plans.filter(({ stored }) => stored === null);
  const changed = plans.filter(({ stored, differences }) => stored !== null && differences !== null);
  const sum = (count: (plan: RolePlan) => number): number =>
    plans.reduce((all, plan) => all + count(plan), 0);
  return {
    message: "Roles and permissions import completed",
    changes: {
      created: made.map(({ role, create }) => `Role '${role.name}' with ${counted(create.length)}`),
      updated: changed.map(({ role, ...plan }) => `Role '${role.name}': ${described(plan)}`),
      deleted: [],
      errors: [],
    },
    imported: sum(({ create, update }) => create.length + update.length),
    skipped: sum(({ skipped }) => skipped),
    errors: [],
  };
}

async function carryOut(rows: Data, actor: Actor, stored: Stored, plans: readonly RolePlan[]): Promise<void> {
  const fresh = plans.filter((plan) => plan.stored === null);
  const made: ItemId[] = [];
  await inBatches(
    fresh.map(({ role: { name }, changed: { canInviteRoles: _later, ...body } }) => ({ ...body, name })),
    async (batch) => made.push(...(await rows.create(actor, "baasix_Role", batch))),
  );
  const ids = new Map<string, ItemId>([
    ...stored.roles.map(({ id, name }) => [name, id] as const),
    ...fresh.map(({ role }, i) => [role.name, made[i] ?? ""] as const),
  ]);
  const idOf = (name: string): ItemId => ids.get(name) ?? "";
  // Whom a role may invite is told last, when every role has its id.
  const changes = plans.flatMap(({ role, changed: { canInviteRoles, ...body }, ...plan }) => {
    const canInviteRoleIds = role.canInviteRoles?.map(idOf) ?? null;
    const invites = canInviteRoles === undefined ? {} : { canInviteRoleIds };
    const data = plan.stored === null ? invites : { ...body, ...invites };
    return Object.keys(data).length > 0 ? [{ id: idOf(role.name), data }] : [];
  });
  const created = plans.flatMap(({ role, create }) =>
    create.map((permission) => ({ ...permission, role_Id: idOf(role.name) })),
  );
  const removed = plans.flatMap(({ remove }) => remove);
  const updated = plans.flatMap(({ update }) => update);
  await inBatches(changes, (batch) => rows.update(actor, "baasix_Role", batch));
  await inBatches(removed, (batch) => rows.remove(actor, "baasix_Permission", batch));
  await inBatches(updated, (batch) => rows.update(actor, "baasix_Permission", batch));
  await inBatches(created, (batch) => rows.create(actor, "baasix_Permission", batch));
}

const batchSize = 1000;

async function inBatches<T>(
  list: readonly T[],
  work: (batch: readonly T[]) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < list.length; from += batchSize) {
    // oxlint-disable-next-line no-await-in-loop -- one transaction is one connection
    await work(list.slice(from, from + batchSize));
  }
}

async function readStored(data: Data, actor: Actor): Promise<Stored> {
  const roles = await readAll<StoredRole>(data, actor, "baasix_Role", {
    fields: ["id", "name", ...settings, "canInviteRoleIds"],
    sort: ["name"],
  });
  const permissions = await readAll<Permission>(data, actor, "baasix_Permission", {
    fields: ["id", "role_Id", "collection", "action", ...parts],
    sort: ["collection", "action"],
  });
  return { roles, permissions };
}

async function readAll<T>(
  data: Data,
  actor: Actor,
  collection: string,
  query: object,
): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const batch of data.stream(actor, collection, query)) {
    for (const row of batch) found.push(JSON.parse(row) as T);
  }
  return found;
}

function counted(count: number): string {
  return `${count} permission${count === 1 ? "" : "s"}`;
}

function described({ create, update, remove, changed }: Omit<RolePlan, "role">): string {
  const told = [
    ...(Object.keys(changed).length > 0 ? [`${Object.keys(changed).join(", ")} changed`] : []),
    ...(create.length > 0 ? [`${counted(create.length)} added`] : []),
    ...(update.length > 0 ? [`${counted(update.length)} changed`] : []),
    ...(remove.length > 0 ? [`${counted(remove.length)} removed`] : []),
  ];
  return told.join(", ");
}
