/** Renders components into a document of their own, and waits for what they show. */
import { Window } from "happy-dom";
import { type ReactNode, useEffect } from "react";

/** A rendered tree in the element `host`. `rerender` replaces it. */
export type Rendered = { readonly host: Element; rerender(tree: ReactNode): void; unmount(): void };

/** What a probe has seen, the latest last, and a way to wait for it. */
export type Seen<Value> = {
  readonly all: Value[];
  readonly last: () => Value | undefined;
  /** Resolves with the first value, seen or to come, that passes. */
  until(test: (value: Value) => boolean): Promise<Value>;
  /** Makes those who wait fail, for the reason given. */
  stop(reason: string): void;
  /** Renders a hook and notes what it gives after each rendering. */
  Probe(props: { readonly read: () => Value }): null;
};

/**
 * Lends the document of a fresh window to the globals that React DOM looks at. Call `restore` at the end: other
 * tests of the process are to find no document.
 */
export async function openDocument() {
  const window = new Window({ url: "http://localhost" });
  const lent: Record<string, unknown> = { window, document: window.document };
  const before = new Map(
    Object.keys(lent).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]),
  );
  for (const [name, value] of Object.entries(lent)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const { createRoot } = await import("react-dom/client");

  return {
    render(tree: ReactNode): Rendered {
      const host = window.document.createElement("div") as unknown as Element;
      const root = createRoot(host);
      root.render(tree);
      return { host, rerender: (next) => root.render(next), unmount: () => root.unmount() };
    },
    async restore(): Promise<void> {
      await window.happyDOM.close();
      for (const [name, descriptor] of before) {
        if (descriptor) Object.defineProperty(globalThis, name, descriptor);
        else Reflect.deleteProperty(globalThis, name);
      }
    },
  };
}

/** Notes what a hook gives. */
export function probe<Value>(): Seen<Value> {
  const all: Value[] = [];
  const watchers = new Set<() => void>();
  let stopped: string | null = null;
  const wake = () => {
    for (const watch of watchers) watch();
  };
  return {
    all,
    last: () => all.at(-1),
    until: (test) =>
      new Promise((resolve, reject) => {
        let from = 0;
        const watch = () => {
          if (stopped !== null) reject(new Error(stopped));
          const found = all.slice(from).find(test);
          from = all.length;
          if (found === undefined) return;
          watchers.delete(watch);
          resolve(found);
        };
        watchers.add(watch);
        watch();
      }),
    stop(reason) {
      stopped = reason;
      wake();
    },
    Probe({ read }) {
      const value = read();
      useEffect(() => {
        all.push(value);
        wake();
      });
      return null;
    },
  };
}
