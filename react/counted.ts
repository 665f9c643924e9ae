/** Something that several components share: it begins with the first of them and ends a moment after the last. */

import type { Baasix, TogetherCalls } from "@baasix/sdk";

/** What the hooks of rooms and channels need of a client. */
export type TogetherClient = Pick<Baasix, "url" | "auth"> & {
  readonly realtime: TogetherCalls & Pick<Baasix["realtime"], "onConnectionChange">;
};

/** Milliseconds that it outlives its last component: Strict Mode and page changes come back at once. */
const linger = 250;

/** What components see of it. `snapshot` is the same object until something changes. */
export type Store<Value> = {
  readonly subscribe: (listener: () => void) => () => void;
  readonly snapshot: () => Value;
};

/** Something that begins when it is first subscribed to. `change` replaces what is seen of it. */
export type Begin<Value> = (change: (next: (value: Value) => Value) => void) => () => void;

/** Makes the stores of one kind: one for each owner and name, counted by their components. */
export function createCounted<Owner extends object, Value>() {
  const owners = new WeakMap<Owner, Map<string, Store<Value>>>();

  function make(initial: Value, begin: Begin<Value>, forget: () => void): Store<Value> {
    const listeners = new Set<() => void>();
    let value = initial;
    let end: (() => void) | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    return {
      snapshot: () => value,
      subscribe(listener) {
        // Each call counts, be it with the same function.
        const mine = () => listener();
        listeners.add(mine);
        clearTimeout(timer);
        end ??= begin((next) => {
          value = next(value);
          for (const each of listeners) each();
        });
        return () => {
          if (!listeners.delete(mine) || listeners.size > 0) return;
          timer = setTimeout(() => {
            forget();
            end?.();
            end = null;
            value = initial;
          }, linger);
        };
      },
    };
  }

  /** The store of that name; `initial` and `begin` count when it is new. */
  return (owner: Owner, name: string, initial: Value, begin: Begin<Value>): Store<Value> => {
    const stores = owners.get(owner) ?? new Map<string, Store<Value>>();
    owners.set(owner, stores);
    const known = stores.get(name);
    if (known) return known;
    const store = make(initial, begin, () => {
      if (stores.get(name) === store) stores.delete(name);
    });
    stores.set(name, store);
    return store;
  };
}
