/**
 * Why a read shows what it shows: the same parse → plan → authorize, with every decision of `authorize` written down, for
 * whoever it is asked about. No row is read for them; of a read by key it is told whether the row is there and which
 * condition opens it.
 */
import type { ExplainedDecision, ExplainedGrant, Explanation, ItemId } from "@baasix/types";
import { type Actor, anonymous } from "../core/access/actor";
import { accessOf, type Policy, rolesOf } from "../core/access/policy";
import type { PermissionRow, RoleRules, Rules } from "../core/access/rules";
import { AppError } from "../core/errors";
import { isAggregate, parseAggregate } from "../core/query/aggregate";
import { authorizeAggregate, authorizeRead } from "../core/query/authorize";
import { anyOf } from "../core/query/combine";
import { compileRead } from "../core/query/compile";
import { parseRead } from "../core/query/parse";
import { findCollection, type Planned, planRead } from "../core/query/plan";
import { planAggregate } from "../core/query/planAggregate";
import type { Tell } from "../core/query/scope";
import { bind } from "../core/query/variables";
import { parseKey } from "../core/query/write";
import type { Collection } from "../core/schema/model";
import type { ExplainedCaller, ExplainedRead, RawQuery } from "./door";
import type { ReadParts } from "./read";
import type { Snapshot } from "./snapshot";

/**
 * Explains a read to an administrator.
 * @throws AppError FORBIDDEN to anybody else; whatever a read throws that no rule is to blame for.
 */
export async function explainRead(
  parts: ReadParts,
  asker: Actor,
  caller: ExplainedCaller,
  { collection: name, query, id }: ExplainedRead,
): Promise<Explanation> {
  if (asker.kind !== "user" || !asker.admin)
    throw new AppError("FORBIDDEN", "Access denied. Administrators only.");
  const snapshot = parts.snapshot();
  const { schema, rules } = snapshot;
  const { actor } = caller;
  const collection = findCollection(schema, name);
  const policy = accessOf(rules, schema, actor)(collection, "read");
  const decisions: ExplainedDecision[] = [];
  const refusal = judge(snapshot, actor, name, query, (decision) => decisions.push(decision));
  const held = rolesOf(rules, actor);
  const rows = policy && rowsOf(policy);
  return {
    collection: name,
    action: "read",
    caller: {
      kind: actor.kind === "user" ? "user" : "anonymous",
      id: actor.kind === "user" && !caller.unknown ? actor.id : null,
      admin: actor.kind === "user" && actor.admin,
      roles: held.map(({ role: { id, name } }) => ({ id, name })),
    },
    outcome: refusal ? "refused" : "allowed",
    refusal: refusal && { code: refusal.code, message: refusal.message },
    bypass: policy?.unlimited ? "administrator" : null,
    grants: (policy?.grants ?? []).map((grant) => explainGrant(rules, held, grant)),
    rows: policy === null ? "none" : rows === null ? "all" : "some",
    problems: problemsOf(rules, held, name),
    decisions,
    ...(id !== null && {
      row: await explainRow(parts, snapshot, asker, caller, policy, { collection, id }),
    }),
  };
}

/** The refusal by the rules, or null. What is wrong with the request itself is thrown: it is wrong for everybody. */
function judge(
  { schema, rules }: Snapshot,
  actor: Actor,
  collection: string,
  query: RawQuery,
  tell: Tell,
): AppError | null {
  const access = accessOf(rules, schema, actor);
  const authorize = isAggregate(query)
    ? planned(planAggregate(schema, parseAggregate(collection, query)), authorizeAggregate)
    : planned(planRead(schema, parseRead(collection, query)), authorizeRead);
  try {
    authorize(access, tell);
    return null;
  } catch (error) {
    if (error instanceof AppError && error.code === "FORBIDDEN") return error;
    throw error;
  }
}

type Access = ReturnType<typeof accessOf>;

function planned<Plan>(plan: Plan, authorize: (plan: Plan, access: Access, tell: Tell) => unknown) {
  return (access: Access, tell: Tell): void => void authorize(plan, access, tell);
}

function rowsOf({ unlimited, grants }: Policy): Planned | null {
  return unlimited ? null : anyOf(grants.map(({ condition }) => condition));
}

function explainGrant(
  rules: Rules,
  held: readonly RoleRules[],
  { permission, role: roleId }: Policy["grants"][number],
): ExplainedGrant {
  const role = roleId === null ? undefined : rules.roles.get(roleId)?.role;
  const row = held.flatMap(({ permissions }) => permissions).find(({ id }) => id === permission);
  return {
    permission,
    role: role ? { id: role.id, name: role.name } : null,
    fields: (row?.fields ?? null) as ExplainedGrant["fields"],
    conditions: objectOf(row?.conditions),
    relConditions: objectOf(row?.relConditions),
  };
}

function objectOf(value: PermissionRow["conditions"] | undefined): ExplainedGrant["conditions"] {
  return (value ?? null) as ExplainedGrant["conditions"];
}

function problemsOf(rules: Rules, held: readonly RoleRules[], collection: string): readonly string[] {
  const ids = held.flatMap(({ permissions }) =>
    permissions.filter((row) => row.collection === collection && row.action === "read").map(({ id }) => id),
  );
  return rules.problems.filter((problem) => ids.some((id) => problem.startsWith(`permission ${id} `)));
}

/** Asked as the administrator, who may see the row anyway; variables mean the caller. */
async function explainRow(
  { runner, now }: ReadParts,
  { schema, rules }: Snapshot,
  asker: Actor,
  { actor, unknown }: ExplainedCaller,
  policy: Policy | null,
  { collection, id }: { readonly collection: Collection; readonly id: ItemId },
): Promise<NonNullable<Explanation["row"]>> {
  const inputs = [parseKey(collection, id)];
  const plan = planRead(schema, parseRead(collection.name, { fields: [collection.primaryKey.name] }));
  const everything = accessOf(rules, schema, asker);
  const meets = async (where: Planned | null): Promise<boolean> => {
    const statement = compileRead(authorizeRead({ ...plan, where }, everything), "one", schema.version);
    const bound = bind(statement, {
      // In a tenant the account is nobody's; else nothing of the caller is known.
      actor: unknown && !(actor.kind === "user" && actor.tenant !== null) ? anonymous : actor,
      now: now(),
      inputs,
    });
    return (await runner.run(bound)).length > 0;
  };
  const exists = await meets(null);
  const opened: { permission: string | null; holds: boolean }[] = [];
  for (const { permission, condition } of policy?.grants ?? []) {
    // One after the other: an explanation must not take more connections than a read.
    // oxlint-disable-next-line no-await-in-loop
    opened.push({ permission, holds: exists && (await meets(condition)) });
  }
  const visible = exists && (policy?.unlimited === true || opened.some(({ holds }) => holds));
  return { exists, visible, opened };
}
