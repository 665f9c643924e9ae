/** `?explain=permissions` on reads of items: whose rights are explained, and the answer. */
import type { ItemId } from "@baasix/types";
import { type Actor, anonymous, unproven } from "../../core/access/actor";
import { publicRole, type Rules } from "../../core/access/rules";
import { AppError, suggestion } from "../../core/errors";
import type { Data, ExplainedCaller, RawQuery } from "../../data";

/** Explains a read of a collection, of one item when `id` is given; `{explain: …}`, for administrators. */
export type Explain = (
  actor: Actor,
  collection: string,
  query: ExplainQuery,
  id: ItemId | null,
) => Promise<Response>;

/** The query of a read with the parameters of an explanation among the others. */
export type ExplainQuery = RawQuery & {
  readonly explain?: unknown;
  readonly explainRole?: unknown;
  readonly explainUser?: unknown;
  /** Where the role or the account acts, where there are tenants. */
  readonly explainTenant?: unknown;
  readonly export?: unknown;
};

/** Makes the explainer. `rules`: as they are now. */
export function createExplain({ data, rules }: { data: Data; rules: () => Rules }): Explain {
  return async (actor, collection, query, id) => {
    const { explain, explainRole, explainUser, explainTenant, export: _export, ...read } = query;
    if (actor.kind !== "user" || !actor.admin) {
      throw new AppError("FORBIDDEN", "explain: for administrators only");
    }
    if (explain !== "permissions") throw new AppError("INVALID_QUERY", "explain: expected permissions");
    if (explainRole !== undefined && explainUser !== undefined) {
      throw new AppError("INVALID_QUERY", "explainRole: give either explainRole or explainUser, not both");
    }
    const tenant = explainTenant === undefined ? null : readTenant(explainTenant);
    const caller =
      explainUser !== undefined
        ? await callerOfUser(data, rules(), actor, explainUser, tenant)
        : explainRole !== undefined
          ? callerOfRole(rules(), explainRole, tenant)
          : { actor, unknown: false };
    const explanation = await data.explain(actor, caller, { collection, query: read, id });
    return new Response(JSON.stringify({ explain: explanation }), {
      headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
    });
  };
}

/** A role by its id or name; `public`: a caller without an account. */
function callerOfRole(rules: Rules, value: unknown, tenant: string | null): ExplainedCaller {
  const given = oneText(value, "explainRole");
  const all = [...rules.roles.values()];
  const found = all.find(({ role }) => role.id === given || role.name === given);
  if (!found) {
    const near = suggestion(
      given,
      all.map(({ role }) => role.name),
    );
    throw new AppError("INVALID_QUERY", `explainRole: there is no role '${given}'${near}`);
  }
  const { role, admin } = found;
  if (role.name === publicRole) return { actor: anonymous, unknown: false };
  return {
    actor: { ...unproven, kind: "user", id: nobody, role: role.id, roles: [role.id], admin, tenant },
    unknown: true,
  };
}

/** An account by its id, with the roles that it has now. */
async function callerOfUser(
  data: Data,
  rules: Rules,
  asker: Actor,
  given: unknown,
  tenant: string | null,
): Promise<ExplainedCaller> {
  const id = oneText(given, "explainUser");
  await data.readOne(asker, "baasix_User", id, { fields: ["id"] }).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "NOT_FOUND"
      ? new AppError("NOT_FOUND", "explainUser: there is no account with this id")
      : error;
  });
  const memberships = await data.find<Membership>(asker, "baasix_UserRole", {
    filter: { user_Id: { eq: id } },
    fields: ["role_Id", "tenant_Id"],
    sort: ["createdAt", "id"],
    limit: -1,
  });
  const roles = memberships
    .filter(({ role_Id, tenant_Id }) =>
      counts(rules.roles.get(role_Id)?.seesTenant === true, tenant_Id, tenant),
    )
    .map(({ role_Id }) => role_Id);
  const admin = roles.some((role) => rules.roles.get(role)?.admin === true);
  const actor = { ...unproven, kind: "user", id, role: roles[0] ?? "", roles, admin, tenant } as const;
  return { actor, unknown: false };
}

/** As for sessions: a role that sees one tenant counts in it, one that sees all counts where it is held in none. */
function counts(seesTenant: boolean, held: string | null, tenant: string | null): boolean {
  return seesTenant ? held !== null && held === tenant : held === null;
}

type Membership = { readonly role_Id: string; readonly tenant_Id: string | null };

// No account has it: what a role sees of its own account is nothing.
const nobody = "00000000-0000-0000-0000-000000000000";

function readTenant(value: unknown): string {
  const given = oneText(value, "explainTenant");
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(given)) return given.toLowerCase();
  throw new AppError("INVALID_QUERY", "explainTenant: expected the id of a tenant");
}

/** A query string may hold lists and objects. @throws AppError INVALID_QUERY */
function oneText(value: unknown, at: string): string {
  if (typeof value === "string") return value;
  throw new AppError("INVALID_QUERY", `${at}: expected one text`);
}
