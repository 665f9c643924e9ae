/** Serves the page on a port of its own. It talks to the server across origins, as a page of yours would. */
import { parseArgs } from "node:util";
import page from "./page/index.html";

/** Where the page listens, and which server it talks to. */
export type PageOptions = { readonly port: number; readonly serverUrl: string };

/** Starts the page; port 0 picks a free one. */
export function servePage({ port, serverUrl }: PageOptions) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port,
    development: false,
    routes: { "/": page, "/config.json": Response.json({ url: serverUrl }) },
  });
}

if (import.meta.main) {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { url: text, port: text } });
  const serverUrl = values.url ?? process.env.BAASIX_URL ?? "http://127.0.0.1:8056";
  const server = servePage({ port: Number(values.port ?? 5174), serverUrl });
  console.log(`The board is at ${server.url} (data from ${serverUrl})`);
}
