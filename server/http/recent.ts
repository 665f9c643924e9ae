/** A bounded memory of what was used lately. */

/** Keeps at least the `capacity` last used entries and at most twice as many. */
export type Recent<Value> = {
  readonly get: (key: string) => Value | undefined;
  readonly set: (key: string, value: Value) => void;
  readonly delete: (key: string) => void;
  readonly deleteWhere: (test: (value: Value) => boolean) => void;
  readonly clear: () => void;
};

/**
 * Two maps instead of one kept in order of use: a hit in the young map moves nothing, which makes it one look-up.
 * When the young map is full it becomes the old one, and what was in the old one is forgotten.
 */
export function createRecent<Value>(capacity: number): Recent<Value> {
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  const set = (key: string, value: Value): void => {
    young.set(key, value);
    if (young.size < capacity) return;
    old = young;
    young = new Map();
  };
  return {
    get: (key) => {
      const value = young.get(key);
      if (value !== undefined) return value;
      const aged = old.get(key);
      if (aged !== undefined) set(key, aged);
      return aged;
    },
    set,
    delete: (key) => {
      young.delete(key);
      old.delete(key);
    },
    deleteWhere: (test) => {
      for (const map of [young, old]) for (const [key, value] of map) if (test(value)) map.delete(key);
    },
    clear: () => {
      young = new Map();
      old = new Map();
    },
  };
}
