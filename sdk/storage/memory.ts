/** Storage that ends with the process: the default outside browsers. */
import type { StorageAdapter } from "./adapter";

/** Keeps values in memory. */
export class MemoryStorageAdapter implements StorageAdapter {
  readonly #values = new Map<string, string>();

  get(key: string): string | null {
    return this.#values.get(key) ?? null;
  }

  set(key: string, value: string): void {
    this.#values.set(key, value);
  }

  remove(key: string): void {
    this.#values.delete(key);
  }

  clear(): void {
    this.#values.clear();
  }

  /** The keys that hold a value. */
  keys(): string[] {
    return [...this.#values.keys()];
  }

  /** How many values are held. */
  size(): number {
    return this.#values.size;
  }
}
