/**
 * Who may enter which name. Rooms, presence and broadcast channels of one name have the same gate, so that none of them
 * is a way around the others.
 */
import type { UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { type Dependency, joinDependencies } from "../../core/query/dependencies";

/** Decides for names with a prefix. What it throws counts as no. */
export type RoomValidator = (actor: UserActor, name: string) => boolean | Promise<boolean>;

export type GateParts = {
  /** What of other rows decides which items of a collection the actor may read. */
  readonly reaches: (actor: UserActor, collection: string) => ReadonlyMap<string, Dependency>;
  /** Whether the actor may read the collection at all; false for one that is not there. */
  readonly mayReadCollection: (actor: UserActor, collection: string) => boolean;
  /** Which of these items of a collection the actor may read. @throws AppError when it cannot be told */
  readonly readable: (
    actor: UserActor,
    collection: string,
    ids: readonly string[],
  ) => Promise<ReadonlySet<string>>;
};

export type Gate = {
  /** @throws AppError FORBIDDEN, the same for a name that is not there and one that is closed */
  readonly enter: (actor: UserActor, name: string) => Promise<void>;
  /** Those of the names that the actor may enter, in their order. */
  readonly open: (actor: UserActor, names: readonly string[]) => Promise<readonly string[]>;
  /** All validators whose prefix fits must agree. One prefix has one validator: a later one takes its place. */
  readonly register: (prefix: string, validator: RoomValidator) => void;
  readonly unregister: (prefix: string) => void;
  /** Whether somebody is asked about a name, so that the answer may be another one later. */
  readonly isGuarded: (name: string) => boolean;
  /** Collections that private names were asked for, which the asker could read. */
  readonly collections: ReadonlySet<string>;
  /** By collection: what the rights of those who asked read of it, to tell who may read which item of which collections. */
  readonly reached: ReadonlyMap<string, ReadonlyMap<string, Dependency>>;
};

/** `private:<collection>:<id>`, or `private:<collection>`: for those who may read that item, or items of the collection. */
const privatePrefix = "private:";
/** Names of the server's own, and those that look as if they were private. */
const ownPrefix = /^(baasix|system|private):/i;

/** Makes a gate without validators. */
export function createGate({ mayReadCollection, readable, reaches }: GateParts): Gate {
  const validators = new Map<string, RoomValidator>();
  const collections = new Set<string>();
  const reached = new Map<string, Map<string, Dependency>>();

  const noteReached = (actor: UserActor, collection: string): void => {
    for (const [table, dependency] of reaches(actor, collection)) {
      const readers = reached.get(table) ?? new Map<string, Dependency>();
      reached.set(table, readers.set(collection, joinDependencies(readers.get(collection), dependency)));
    }
  };

  const agreed = async (actor: UserActor, name: string): Promise<boolean> => {
    for (const [prefix, validator] of validators) {
      if (!name.startsWith(prefix)) continue;
      // oxlint-disable-next-line no-await-in-loop -- one no is enough: the others are not asked
      if (!(await ask(validator, actor, name))) return false;
    }
    return true;
  };

  /** The private names that the actor may enter: one question for each collection. */
  const openPrivate = async (actor: UserActor, names: readonly string[]): Promise<ReadonlySet<string>> => {
    const open = new Set<string>();
    const items = new Map<string, string[]>();
    for (const name of names) {
      const { collection, id } = partsOf(name);
      if (!mayReadCollection(actor, collection)) continue;
      collections.add(collection);
      // Before it is asked: what changes meanwhile asks again.
      if (id !== null) noteReached(actor, collection);
      if (id === null) open.add(name);
      else items.set(collection, [...(items.get(collection) ?? []), id]);
    }
    await Promise.all(
      [...items].map(async ([collection, ids]) => {
        for (const id of await readable(actor, collection, ids)) open.add(privateName(collection, id));
      }),
    );
    return open;
  };

  const open = async (actor: UserActor, names: readonly string[]): Promise<readonly string[]> => {
    // With tenants anybody may have an account that is a member of nothing: it meets nobody.
    if (actor.roles.length === 0) return [];
    const allowed = await openPrivate(actor, names.filter(isPrivate));
    const candidates = names.filter((name) => (isPrivate(name) ? allowed.has(name) : !ownPrefix.test(name)));
    const answers = await Promise.all(candidates.map((name) => agreed(actor, name)));
    return candidates.filter((_, index) => answers[index]);
  };

  return {
    open,
    collections,
    reached,
    isGuarded: (name) => isPrivate(name) || [...validators.keys()].some((prefix) => name.startsWith(prefix)),
    enter: async (actor, name) => {
      const [entered] = await open(actor, [name]);
      if (entered === undefined) throw new AppError("FORBIDDEN", `You may not join '${name}'`);
    },
    register: (prefix, validator) => void validators.set(prefix, validator),
    unregister: (prefix) => void validators.delete(prefix),
  };
}

/** Whether a name is for those who may read something. */
function isPrivate(name: string): boolean {
  return name.startsWith(privatePrefix);
}

function partsOf(name: string): { readonly collection: string; readonly id: string | null } {
  const rest = name.slice(privatePrefix.length);
  const at = rest.indexOf(":");
  return at < 0 ? { collection: rest, id: null } : { collection: rest.slice(0, at), id: rest.slice(at + 1) };
}

/** The collection that a private name is of; null for other names. */
export function privateCollection(name: string): string | null {
  return isPrivate(name) ? partsOf(name).collection : null;
}

/** The private name of an item. */
export function privateName(collection: string, id: string): string {
  return `${privatePrefix}${collection}:${id}`;
}

async function ask(validator: RoomValidator, actor: UserActor, name: string): Promise<boolean> {
  try {
    return (await validator(actor, name)) === true;
  } catch {
    return false;
  }
}
