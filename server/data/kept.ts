/** What was planned on one snapshot, kept for as long as it is the current one: for all queries of a shape together. */
import { type Actor, roleKey } from "../core/access/actor";
import { filled, type Filled, noInputs, type Slot } from "../core/query/holes";
import { type Shaped, shapeOf } from "../core/query/shape";
import type { RawQuery } from "./door";
import type { Snapshot } from "./snapshot";

/** What was made for a query, and what is to be bound in it. Input 0 is left for a key. */
export type Kept<T> = { readonly made: T; readonly inputs: Filled["inputs"] };

/** How often something kept was found, and how often it had to be made. */
export type KeptCounts = { readonly hits: number; readonly misses: number };

export type Keeper<T> = {
  /**
   * Gives what is kept for the roles of the actor and the shape of the query, or makes and keeps it.
   * @throws what `make` throws for the query itself; nothing is kept then
   */
  readonly take: (
    snapshot: Snapshot,
    actor: Actor,
    collection: string,
    query: RawQuery,
    make: (query: RawQuery) => T,
  ) => Kept<T>;
  readonly counts: (snapshot: Snapshot) => KeptCounts;
};

/** Things made for one shape. `slots` read the values of a query, and `made` has one for each form that they took. */
type Shape<T> = { readonly slots: readonly Slot[]; readonly made: Map<string, T> };
type Memory<T> = { readonly shapes: Map<string, Shape<T>>; made: number; hits: number; misses: number };

/** Most things that are kept, and of one shape: a client that goes through all values of one place drops its own alone. */
const mostMade = 2000;
const mostOfShape = 64;
const longestForm = 2000;

/** Makes a memory of its own. */
export function keepByShape<T>(): Keeper<T> {
  const memories = new WeakMap<Snapshot, Memory<T>>();
  const memoryOf = (snapshot: Snapshot): Memory<T> => {
    let memory = memories.get(snapshot);
    if (!memory) memories.set(snapshot, (memory = { shapes: new Map(), made: 0, hits: 0, misses: 0 }));
    return memory;
  };
  return {
    take: (snapshot, actor, collection, query, make) => {
      const memory = memoryOf(snapshot);
      const shaped = shapeOf(query);
      const kept = shaped && takeShaped(memory, keyOf(actor, collection, shaped), shaped, make);
      if (kept) return kept;
      memory.misses++;
      return { made: make(query), inputs: noInputs };
    },
    counts: (snapshot) => {
      const { hits, misses } = memoryOf(snapshot);
      return { hits, misses };
    },
  };
}

/** A name is quoted: else a role's id could begin it. */
function keyOf(actor: Actor, collection: string, { key }: Shaped): string {
  return `${roleKey(actor)} ${JSON.stringify(collection)} ${key}`;
}

/** Null: something is wrong with the query; its own plan tells what. */
function takeShaped<T>(
  memory: Memory<T>,
  key: string,
  { query, planning }: Shaped,
  make: (query: RawQuery) => T,
): Kept<T> | null {
  try {
    const shape = memory.shapes.get(key);
    if (shape) {
      const { form, inputs } = filled(shape.slots.map((slot) => slot(planning.values)));
      const made = shape.made.get(form);
      if (made !== undefined) {
        memory.hits++;
        return { made, inputs };
      }
    }
    const made = make(query);
    const { form, inputs } = planning.end();
    memory.misses++;
    if (form.length <= longestForm) keep(memory, key, planning.slots, form, made);
    return { made, inputs };
  } catch {
    return null;
  }
}

function keep<T>(memory: Memory<T>, key: string, slots: readonly Slot[], form: string, made: T): void {
  if (memory.made >= mostMade) {
    memory.shapes.clear();
    memory.made = 0;
  }
  let shape = memory.shapes.get(key);
  if (!shape) memory.shapes.set(key, (shape = { slots, made: new Map() }));
  if (shape.made.size >= mostOfShape) {
    memory.made -= shape.made.size;
    shape.made.clear();
  }
  shape.made.set(form, made);
  memory.made++;
}
