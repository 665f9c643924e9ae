/** The seam to wherever a session outlives the page or process. One driver a file. */

/**
 * Text by key. Methods may be synchronous or not; an adapter does not throw for a full or forbidden
 * storage, it then keeps values in memory.
 */
export type StorageAdapter = {
  get(key: string): string | null | Promise<string | null>;
  set(key: string, value: string): void | Promise<void>;
  remove(key: string): void | Promise<void>;
  clear?(): void | Promise<void>;
  /**
   * Only where other pages share the storage: calls `listener` when another page has changed the value of
   * `key`, and returns how to stop.
   */
  watch?(key: string, listener: () => void): () => void;
  /** Only where other pages share the storage: runs `work` while no other page does. */
  exclusive?<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
};

/**
 * Keys under which a session is kept. `expiry` in ms since 1970, `user` and `tenant` as JSON. `change` is another text after
 * each change, and written last: whoever watches it finds everything else in place.
 */
export const storageKeys = {
  token: "baasix_access_token",
  refresh: "baasix_refresh_token",
  expiry: "baasix_token_expiry",
  user: "baasix_user",
  tenant: "baasix_tenant",
  change: "baasix_change",
} as const;

/** Puts the prefix before a key that does not have it yet. */
export function prefixed(prefix: string, key: string): string {
  return key.startsWith(prefix) ? key : prefix + key;
}
