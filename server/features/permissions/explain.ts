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
  readonly export?: unknown;
};

/** Makes the explainer. `rules`: as they are now. */
export function createExplain({ data, rules }: { data: Data; rules: () => Rules }): Explain {
  return async (actor, collection, query, id) => {
    const { explain, explainRole, explainUser, export: _export, ...read } = query;
    if (actor.kind !== "user" || !actor.admin) {
      throw new AppError("FORBIDDEN", "explain: for administrators only");
    }
    if (explain !== "permissions") throw new AppError("INVALID_QUERY", "explain: expected permissions");
    if (explainRole !== undefined && explainUser !== undefined) {
      throw new AppError("INVALID_QUERY", "explainRole: give either explainRole or explainUser, not both");
    }
    const caller =
      explainUser !== undefined
        ? await callerOfUser(data, rules(), actor, explainUser)
        : explainRole !== undefined
          ? callerOfRole(rules(), explainRole)
          : { actor, unknown: false };
    const explanation = await data.explain(actor, caller, { collection, query: read, id });
    return new Response(JSON.stringify({ explain: explanation }), {
      headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
    });
  };
}

/** A role by its id or name; `public`: a caller without an account. */
function callerOfRole(rules: Rules, value: unknown): ExplainedCaller {
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
    actor: { kind: "user", id: "", role: role.id, roles: [role.id], admin, ...unproven },
    unknown: true,
  };
}

/** An account by its id, with the roles that it has now. */
async function callerOfUser(
  data: Data,
  rules: Rules,
  asker: Actor,
  given: unknown,
): Promise<ExplainedCaller> {
  const id = oneText(given, "explainUser");
  await data.readOne(asker, "baasix_User", id, { fields: ["id"] }).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "NOT_FOUND"
      ? new AppError("NOT_FOUND", "explainUser: there is no account with this id")
      : error;
  });
  const memberships = await data.find<{ role_Id: string }>(asker, "baasix_UserRole", {
    filter: { user_Id: { eq: id } },
    fields: ["role_Id"],
    sort: ["createdAt", "id"],
    limit: -1,
  });
  const roles = memberships.map(({ role_Id }) => role_Id);
  const admin = roles.some((role) => rules.roles.get(role)?.admin === true);
  const actor = { kind: "user", id, role: roles[0] ?? "", roles, admin, ...unproven } as const;
  return { actor, unknown: false };
}

/** A query string may hold lists and objects. @throws AppError INVALID_QUERY */
function oneText(value: unknown, at: string): string {
  if (typeof value === "string") return value;
  throw new AppError("INVALID_QUERY", `${at}: expected one text`);
}
