/** Storage of browsers, shared by all pages of an origin. */
import { prefixed, type StorageAdapter } from "./adapter";
import { MemoryStorageAdapter } from "./memory";

/**
 * Keeps values in `localStorage`, or in memory where the browser forbids or has filled it. Scripts of
 * the same origin can read them: `authMode: "cookie"` keeps tokens out of their reach.
 */
export class LocalStorageAdapter implements StorageAdapter {
  readonly #prefix: string;
  readonly #fallback = new MemoryStorageAdapter();

  constructor(prefix = "baasix_") {
    this.#prefix = prefix;
  }

  get(key: string): string | null {
    const name = prefixed(this.#prefix, key);
    return this.#fallback.get(name) ?? attempt(() => localStorage.getItem(name)) ?? null;
  }

  set(key: string, value: string): void {
    const name = prefixed(this.#prefix, key);
    const kept = attempt(() => {
      localStorage.setItem(name, value);
      return true;
    });
    if (kept) this.#fallback.remove(name);
    else this.#fallback.set(name, value);
  }

  remove(key: string): void {
    const name = prefixed(this.#prefix, key);
    this.#fallback.remove(name);
    attempt(() => localStorage.removeItem(name));
  }

  clear(): void {
    this.#fallback.clear();
    attempt(() => {
      const names = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index));
      for (const name of names) if (name?.startsWith(this.#prefix)) localStorage.removeItem(name);
    });
  }

  watch(key: string, listener: () => void): () => void {
    if (typeof addEventListener !== "function") return () => undefined;
    const name = prefixed(this.#prefix, key);
    // Without a key everything was cleared.
    const onStorage = ({ key: changed }: StorageEvent) => {
      if (changed === null || changed === name) listener();
    };
    // A page that the browser brings back by its back button has slept through all events.
    const onShow = ({ persisted }: PageTransitionEvent) => {
      if (persisted) listener();
    };
    addEventListener("storage", onStorage);
    addEventListener("pageshow", onShow);
    return () => {
      removeEventListener("storage", onStorage);
      removeEventListener("pageshow", onShow);
    };
  }

  async exclusive<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    // Old browsers and insecure origins have no locks: there the server's grace for replaced tokens must do.
    if (typeof navigator === "undefined" || !("locks" in navigator)) return work();
    return navigator.locks.request(prefixed(this.#prefix, name), work);
  }
}

function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
