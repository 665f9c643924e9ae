/** What the tests of a file share: a server, a document, clients and what they show. All of it ends with the file. */
import { afterAll, afterEach, beforeAll } from "bun:test";
import { type Baasix, type BaasixOptions, createBaasix, MemoryStorageAdapter } from "@baasix/sdk";
import { QueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type TestApp, testAdmin, testApp } from "../../server/testing/app";
import { BaasixProvider } from "..";
import { openDocument, type Rendered } from "./render";

/** `admin` is signed in as the administrator. */
export type Scene = {
  readonly app: TestApp;
  readonly admin: Baasix;
  /** A client of the server with a memory of its own. */
  readonly client: (options?: Partial<BaasixOptions>) => Baasix;
  /** Renders until the test ends. */
  readonly render: (tree: ReactNode) => Rendered;
  /** The same, with a client and a cache. */
  readonly show: (
    baasix: Baasix,
    children: ReactNode,
    cache?: QueryClient,
  ) => Rendered & { readonly cache: QueryClient };
};

/** Opens a scene before the tests of the file; `prepare` sets it. */
export function openScene(prepare: (scene: Scene) => Promise<unknown>): void {
  const rendered: Rendered[] = [];
  const clients: Baasix[] = [];
  let end = async (): Promise<void> => {};
  beforeAll(async () => {
    const page = await openDocument();
    const app = await testApp();
    end = async () => {
      for (const each of clients) each.close();
      await app.close();
      await page.restore();
    };
    const url = app.listen();
    const client: Scene["client"] = (options) => {
      const baasix = createBaasix({ url, storage: new MemoryStorageAdapter(), ...options });
      clients.push(baasix);
      return baasix;
    };
    const admin = client();
    await admin.auth.login(testAdmin);
    const render: Scene["render"] = (tree) => {
      const shown = page.render(tree);
      rendered.push(shown);
      return shown;
    };
    const show: Scene["show"] = (baasix, children, cache = new QueryClient()) => ({
      ...render(
        <BaasixProvider client={baasix} queryClient={cache}>
          {children}
        </BaasixProvider>,
      ),
      cache,
    });
    await prepare({ app, admin, client, render, show });
  }, 60_000);
  afterEach(() => {
    for (const each of rendered.splice(0)) each.unmount();
  });
  afterAll(() => end());
}
