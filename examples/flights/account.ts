/** How the programs of this example reach the server: where it is, and as whom. */
import { parseArgs } from "node:util";
import { type Baasix, createBaasix } from "@baasix/sdk";
import type { BaasixCollections } from "./baasix";

/** A client that knows the example's collections. */
export type Client = Baasix<BaasixCollections>;

const help = `
  --url <url>            the server (BAASIX_URL; default http://127.0.0.1:8056)
  --email <email>        an administrator (BAASIX_EMAIL or ADMIN_EMAIL)
  --password <password>  its password (BAASIX_PASSWORD or ADMIN_PASSWORD)`;

/** Signs in with the account of the command line or the environment; without one, says how and ends the program. */
export async function signedInClient(usage: string): Promise<Client> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { url: text, email: text, password: text, help: { type: "boolean" } },
  });
  const { env } = process;
  const email = values.email ?? env.BAASIX_EMAIL ?? env.ADMIN_EMAIL;
  const password = values.password ?? env.BAASIX_PASSWORD ?? env.ADMIN_PASSWORD;
  if (values.help || email === undefined || password === undefined) {
    console.log(`${usage}\n${help}`);
    process.exit(values.help ? 0 : 2);
  }
  const client = patientClient(values.url ?? env.BAASIX_URL ?? "http://127.0.0.1:8056");
  await client.auth.login({ email, password });
  return client;
}

/** A client that waits as long as the server asks, where it would be refused for too many requests at a time. */
export function patientClient(url: string): Client {
  return createBaasix<BaasixCollections>({
    url,
    fetch: async (input, init) => {
      for (;;) {
        const response = await fetch(input, init);
        if (response.status !== 429) return response;
        await Bun.sleep(1000 * Number(response.headers.get("retry-after") ?? 1));
      }
    },
  });
}
