/** How the programs of this example reach the server: where it is, and as whom. */
import { parseArgs } from "node:util";
import { type Baasix, BaasixError, createBaasix } from "@baasix/sdk";
import type { BaasixCollections } from "./baasix";

/** A client that knows the example's collections. */
export type Client = Baasix<BaasixCollections>;

const help = `
  --url <url>            the server (BAASIX_URL; default http://127.0.0.1:8056)
  --email <email>        an administrator (BAASIX_EMAIL or ADMIN_EMAIL)
  --password <password>  its password (BAASIX_PASSWORD or ADMIN_PASSWORD)`;

/**
 * Runs a program with a client that is signed in with the account of the command line or the environment. The
 * process ends with 1 when the server cannot be reached or refuses, in one line, and with 2 when there is no account.
 */
export async function runProgram(usage: string, work: (client: Client) => Promise<void>): Promise<void> {
  const text = { type: "string" } as const;
  const options = { url: text, email: text, password: text, help: { type: "boolean" } } as const;
  const { values } = parseArgs({ options });
  const { env } = process;
  const email = values.email ?? env.BAASIX_EMAIL ?? env.ADMIN_EMAIL;
  const password = values.password ?? env.BAASIX_PASSWORD ?? env.ADMIN_PASSWORD;
  if (values.help || email === undefined || password === undefined) {
    console.log(`${usage}\n${help}`);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const client = patientClient(values.url ?? env.BAASIX_URL ?? "http://127.0.0.1:8056");
  try {
    await client.auth.login({ email, password });
    await work(client);
  } catch (error) {
    if (!(error instanceof BaasixError)) throw error;
    console.error(`${client.url}: ${error.message} (${error.code})`);
    process.exitCode = 1;
  }
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
