/** A page of a site of its own that runs a script of a test. */
import { join } from "node:path";

export type TestSite = {
  readonly url: URL;
  /** Bundles the script, which imports from the folder of the SDK (`./index.ts`); the page runs it from now on. */
  readonly run: (script: string) => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** Opens the site, empty at first: its origin is known before what its script needs is. */
export function openSite(): TestSite {
  let bundle = "";
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      url.endsWith(".js")
        ? new Response(bundle, { headers: { "content-type": "text/javascript" } })
        : new Response('<!doctype html><script type="module" src="/page.js"></script>', {
            headers: { "content-type": "text/html" },
          }),
  });
  const run = async (script: string): Promise<void> => {
    const entry = join(import.meta.dir, "../page-entry.ts");
    const built = await Bun.build({ entrypoints: [entry], files: { [entry]: script }, target: "browser" });
    bundle = (await built.outputs[0]?.text()) ?? "";
  };
  return { url: server.url, run, stop: () => server.stop(true) };
}
