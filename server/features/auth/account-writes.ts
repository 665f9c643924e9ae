/**
 * What bodies of `baasix_User` mean beyond columns, at every door to items: the password that an administrator gives a new
 * account, its role and in which tenant it has it, and that an address which changes is no longer confirmed.
 */
import { z } from "zod";
import { type Actor, system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, PendingWrite, WriteBody, WriteJoin } from "../../data";
import { holdAdministrators, isAdministrator } from "./administrators";
import { followStatus, joinMemberships, requireMetadata, requireOthers } from "./account-settings";
import { normalizeEmail, setPassword } from "./accounts";
import { requireFresh, requireSession } from "./fresh";
import { invalidToken } from "./tokens";
import type { PasswordOwner } from "./password-policy";
import type { Passwords } from "./passwords";
import { findRoleById } from "./roles";
import { checkTenants } from "./tenants";

const collection = "baasix_User";
const keeping = system("the credential and the confirmed address of an account follow its row");

/** Most accounts with passwords in one request: each hash takes a while. */
const mostPasswords = 100;

/** An account whose address changed. `wasVerified`: the one before had been confirmed. */
export type Moved = { readonly id: string; readonly before: string; readonly wasVerified: boolean };

/** What the writes take. `clock` in ms since 1970; `onMoved` is called in the transaction of the write. */
export type AccountWriteParts = {
  readonly passwords: Passwords;
  readonly config: { readonly MULTI_TENANT: boolean };
  readonly clock: () => number;
  readonly onMoved: (rows: Data, actor: Actor, moved: Moved) => Promise<void>;
};

/** Takes part in the writes of accounts. */
export function joinAccountWrites(data: Data, parts: AccountWriteParts): void {
  const { passwords, config } = parts;
  const multiTenant = config.MULTI_TENANT;
  const join: WriteJoin = async (write, rows) => {
    // What is no object is refused where the columns are read.
    if (!write.bodies.every(isObject)) return { bodies: write.bodies };
    if (write.action === "create") return joinCreate({ passwords, multiTenant }, write, rows);
    if (write.action === "update") return joinUpdate(write, rows, parts);
    await holdAdministrators(rows, write.actor);
    return { bodies: write.bodies };
  };
  data.joinWrites(collection, join, { deletes: true });
  joinMemberships(data);
  data.beforeWrite(requireOthers);
  data.beforeWrite(checkTenants);
}

async function joinCreate(
  { passwords, multiTenant }: { readonly passwords: Passwords; readonly multiTenant: boolean },
  { actor, bodies }: PendingWrite,
  rows: Data,
): ReturnType<WriteJoin> {
  for (const body of bodies) {
    requireVouching(actor, body);
    requireAddress(body);
    requireMetadata(actor, body);
    // oxlint-disable-next-line no-await-in-loop -- as many questions as roles are given
    if (multiTenant) await requirePlace(rows, actor, body);
  }
  const extras = bodies.filter((body) => given(body, "password") || given(body, "role_Id"));
  if (extras.length === 0) return { bodies };
  const hashes = new Map<string, string>();
  const roles = new Map<string, object>();
  if (extras.filter((body) => given(body, "password")).length > mostPasswords) {
    throw new AppError(
      "QUERY_TOO_COMPLEX",
      `at most ${mostPasswords} accounts with passwords in one request`,
    );
  }
  for (const body of extras) {
    const email = String(body.email ?? "")
      .trim()
      .toLowerCase();
    if (given(body, "role_Id")) roles.set(email, membershipIn(body, multiTenant));
    if (!given(body, "password")) continue;
    if (!isAdministrator(actor)) {
      throw new AppError("FORBIDDEN", "password: only administrators give accounts their passwords");
    }
    if (typeof body.password !== "string") throw invalid("password", "expected text");
    // oxlint-disable-next-line no-await-in-loop -- one at a time: sign-ins wait in the same queue
    hashes.set(email, await passwords.hash(body.password, body as PasswordOwner));
  }
  return {
    bodies: bodies.map((body) => without(body, multiTenant ? [...extraNames, "tenant_Id"] : extraNames)),
    after: async (ids) => {
      const made = await addressesOf(rows, ids);
      for (const [id, { email }] of made) {
        const hash = hashes.get(email);
        // oxlint-disable-next-line no-await-in-loop
        if (hash !== undefined) await setPassword(rows, id, hash);
        const membership = roles.get(email);
        // By who makes the account: that needs the right to give roles, and says in which tenant.
        // oxlint-disable-next-line no-await-in-loop
        if (membership) await rows.create(actor, "baasix_UserRole", [{ ...membership, user_Id: id }]);
      }
    },
  };
}

async function joinUpdate(
  write: PendingWrite,
  rows: Data,
  { clock, onMoved }: AccountWriteParts,
): ReturnType<WriteJoin> {
  const { actor, ids, bodies } = write;
  const endSessions = followStatus(write);
  for (const body of bodies) {
    requireVouching(actor, body);
    requireAddress(body);
    requireMetadata(actor, body);
    if (given(body, "password")) {
      throw invalid("password", "change it with POST /auth/admin/password/change");
    }
  }
  if (endSessions) await holdAdministrators(rows, actor);
  const moving = ids.filter((_, i) => given(bodies[i] ?? {}, "email"));
  const columns = bodies.map((body) => without(body, ["password"]));
  const ended = async () => endSessions?.(rows);
  if (moving.length === 0) return { bodies: columns, after: ended };
  const before = await addressesOf(rows, moving);
  // Asked first: that an address is taken is for nobody to learn who could not have it.
  if (ids.some((id, i) => isAnother(bodies[i], before.get(String(id)))))
    requireRecent(actor, before, clock());
  return {
    bodies: columns,
    after: async () => {
      await ended();
      const now = await addressesOf(rows, moving);
      const vouched = new Set(ids.filter((_, i) => bodies[i]?.emailVerified === true).map(String));
      const moved = [...now].flatMap(([id, { email }]) => {
        const was = before.get(id);
        return was && was.email !== email ? [{ id, before: was.email, wasVerified: was.emailVerified }] : [];
      });
      if (moved.length > 0) {
        requireRecent(actor, now, clock());
        await requireOpen(rows, actor);
      }
      // Nothing was locked when they were read first: what says "confirmed" only since then may say it of another address.
      const unproven = [...now.keys()].filter((id) => {
        const [was, is] = [before.get(id), now.get(id)];
        return was?.email !== is?.email || (is?.emailVerified === true && was?.emailVerified !== true);
      });
      const entries = unproven
        .filter((id) => !vouched.has(id))
        .map((id) => ({ id, data: { emailVerified: false } }));
      await rows.update(keeping, collection, entries);
      for (const each of moved) {
        // oxlint-disable-next-line no-await-in-loop -- in one transaction
        await onMoved(rows, actor, each);
      }
    },
  };
}

/** Of the body of a new account, what is no column. */
const extraNames = ["password", "role_Id"];

function membershipIn({ role_Id, tenant_Id }: WriteBody, multiTenant: boolean): object {
  return { role_Id, ...(multiTenant && tenant_Id !== undefined && { tenant_Id }) };
}

/**
 * A role of tenants gives nothing outside of them, and one that sees all tenants nothing in one. Who acts in a tenant makes
 * accounts for that one: without a membership they would be out of its reach at once.
 */
async function requirePlace(rows: Data, actor: Actor, body: WriteBody): Promise<void> {
  const within = actor.kind === "user" && !actor.admin ? actor.tenant : null;
  if (!given(body, "role_Id")) {
    if (given(body, "tenant_Id")) throw invalid("tenant_Id", "say with which role: role_Id is missing");
    if (within === null) return;
    throw new AppError("FORBIDDEN", "role_Id: a new account needs a role in your tenant, or an invitation");
  }
  const { role_Id: id } = body;
  const role = z.uuid().safeParse(id).success ? await findRoleById(rows, String(id)) : null;
  // What is no role is refused where the membership is written.
  if (role === null) return;
  const isPlaced = given(body, "tenant_Id") || (within !== null && body.tenant_Id === undefined);
  if (role.isTenantSpecific === isPlaced) return;
  throw invalid(
    "tenant_Id",
    isPlaced
      ? "the role sees all tenants, and is held in none"
      : "the role counts within a tenant: say in which",
  );
}

/** That an address is confirmed is for its owner to show, or for an administrator to say. */
function requireVouching(actor: Actor, body: WriteBody): void {
  if (given(body, "emailVerified") && body.emailVerified !== false && !isAdministrator(actor)) {
    throw new AppError("FORBIDDEN", "emailVerified: set by confirming the address, or by an administrator");
  }
}

/**
 * New passwords and sign-in links go to the address: who has no more than a session left open, or a program with one role of
 * an account, must not turn that into the account. Programs may change the addresses of others, as their role has it.
 */
function requireRecent(actor: Actor, accounts: ReadonlyMap<string, Address>, now: number): void {
  if (actor.kind !== "user") return;
  if (actor.via === "session") requireFresh(actor, now);
  else if (accounts.has(actor.id)) requireSession(actor);
}

/** Once the account's row is locked: whatever ended the session meanwhile has ended it. @throws AppError UNAUTHORIZED */
async function requireOpen(rows: Data, actor: Actor): Promise<void> {
  if (actor.kind !== "user" || actor.via !== "session") return;
  const filter = { AND: [{ id: { eq: actor.session } }, { user_Id: { eq: actor.id } }] };
  const open = await rows.find(keeping, "baasix_Sessions", { filter, fields: ["id"], limit: 1 });
  if (open.length === 0) throw invalidToken();
}

function isAnother(body: WriteBody | undefined, before: Address | undefined): boolean {
  const email = body?.email;
  return typeof email === "string" && before !== undefined && normalizeEmail(email) !== before.email;
}

/** Mails go there, people read it, and limits count by it. */
function requireAddress({ email }: WriteBody): void {
  if (typeof email === "string" && normalizeEmail(email) === null) {
    throw invalid("email", "not a valid mail address");
  }
}

/** The columns of a body that holds more. */
function without(body: WriteBody, names: readonly string[]): WriteBody {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));
}

function isObject(body: unknown): boolean {
  return typeof body === "object" && body !== null && !Array.isArray(body);
}

function given(body: WriteBody, field: string): boolean {
  return body[field] !== undefined && body[field] !== null;
}

type Address = { readonly id: string; readonly email: string; readonly emailVerified: boolean };

async function addressesOf(
  rows: Data,
  ids: readonly (string | number)[],
): Promise<ReadonlyMap<string, Address>> {
  const found = await rows.find<Address>(keeping, collection, {
    filter: { id: { in: ids } },
    fields: ["id", "email", "emailVerified"],
    limit: -1,
  });
  return new Map(found.map((address) => [address.id, address] as const));
}

function invalid(field: string, message: string): AppError {
  return new AppError("VALIDATION_ERROR", `Validation failed: ${field}: ${message}`, {
    code: "VALIDATION_ERROR",
    errors: [{ field, message, rule: "account" }],
  });
}
