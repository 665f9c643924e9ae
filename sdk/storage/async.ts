/** Storage of React Native, or anything else of its shape. */
import { prefixed, type StorageAdapter } from "./adapter";

/** What is used of `@react-native-async-storage/async-storage`. */
export type AsyncStorageLike = {
  getItem(key: string): Promise<string | null>;
  setItem(key: string, value: string): Promise<void>;
  removeItem(key: string): Promise<void>;
};

/** Keeps values in an AsyncStorage. A failure to read counts as nothing kept; one to write is swallowed. */
export class AsyncStorageAdapter implements StorageAdapter {
  readonly #store: AsyncStorageLike;
  readonly #prefix: string;

  constructor(store: AsyncStorageLike, prefix = "baasix_") {
    this.#store = store;
    this.#prefix = prefix;
  }

  async get(key: string): Promise<string | null> {
    return this.#store.getItem(prefixed(this.#prefix, key)).catch(() => null);
  }

  async set(key: string, value: string): Promise<void> {
    await this.#store.setItem(prefixed(this.#prefix, key), value).catch(() => undefined);
  }

  async remove(key: string): Promise<void> {
    await this.#store.removeItem(prefixed(this.#prefix, key)).catch(() => undefined);
  }
}
