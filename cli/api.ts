/** What commands ask of a running server. */
import { type Baasix, BaasixError, MemoryStorageAdapter, createBaasix } from "@baasix/sdk";
import type { SchemaRecord } from "@baasix/types";
import { CommandError, type CommandOption, type Invocation, UsageError, textOption } from "./command";

/** Body of `GET /health`. */
export type Health = {
  readonly live: boolean;
  readonly ready: boolean;
  readonly parts: { readonly [part: string]: string };
};

/** How long a command waits for an answer, in ms. */
const timeout = 30_000;

/**
 * The address of the server: `--url`, `BAASIX_URL` or `API_URL`, else the default one. No slash at its end.
 * @throws UsageError when what was given is no address.
 */
export function serverUrl(invocation: Invocation): string {
  const { env } = invocation;
  const given = textOption(invocation, "url") ?? env.BAASIX_URL ?? env.API_URL ?? "http://localhost:8056";
  if (!/^https?:\/\//.test(given) || !URL.canParse(given)) {
    throw new UsageError(`'${given}' is not an address; write it like http://localhost:8056`);
  }
  return given.replace(/\/+$/, "");
}

/**
 * How the server at an address is; it says so in the body of 200 and of 503.
 * @throws CommandError when nothing answers, or something else than Baasix.
 */
export async function fetchHealth(url: string): Promise<Health> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(timeout) });
    const body = (await response.json()) as Partial<Health> | null;
    if (typeof body?.ready === "boolean")
      return { live: body.live ?? true, ready: body.ready, parts: body.parts ?? {} };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw noAnswer(url, error);
  }
  throw new CommandError(`what answers at ${url} is no Baasix server`);
}

/** The options of a command that signs in to a server. */
export const loginOptions: readonly CommandOption[] = [
  { flags: "--url <url>", description: "address of the server (BAASIX_URL; default http://localhost:8056)" },
  { flags: "--token <token>", description: "access token (BAASIX_TOKEN)" },
  { flags: "--email <email>", description: "account to sign in with (BAASIX_EMAIL)" },
  { flags: "--password <password>", description: "its password (BAASIX_PASSWORD)" },
  { flags: "--json", description: "print one JSON document about what was done" },
];

/**
 * Signs in, works with the server, and signs out. `patience`: how long one call may take, ms.
 * @throws UsageError without a login, CommandError when it is refused or nothing answers.
 */
export async function withClient<T>(
  invocation: Invocation,
  work: (client: Baasix) => Promise<T>,
  patience = timeout,
): Promise<T> {
  const url = serverUrl(invocation);
  const login = readLogin(invocation);
  const client = createBaasix({
    url,
    timeout: patience,
    autoRefresh: false,
    storage: new MemoryStorageAdapter(),
    ...("token" in login ? login : {}),
  });
  try {
    if (!("token" in login)) await signIn(client, login);
    return await work(client);
  } catch (error) {
    throw explain(url, error);
  } finally {
    await close(client, login);
  }
}

/** @throws CommandError for an account whose second factor nobody can be asked for here */
async function signIn(client: Baasix, login: Exclude<Login, { readonly token: string }>): Promise<void> {
  const { mfaRequired } = await client.auth.login(login);
  if (!mfaRequired) return;
  throw new CommandError(
    "the account has a second factor, which a command cannot ask for: give an access or API token (--token)",
  );
}

/** All collections, as the given account may see them. @throws as `withClient` */
export function fetchSchemas(invocation: Invocation): Promise<readonly SchemaRecord[]> {
  return withClient(invocation, async (client) => (await client.schemas.find()).data);
}

type Login = { readonly token: string } | { readonly email: string; readonly password: string };

function readLogin(invocation: Invocation): Login {
  const { env } = invocation;
  const token = textOption(invocation, "token") ?? env.BAASIX_TOKEN ?? env.BAASIX_AUTH_TOKEN;
  if (token) return { token };
  const email = textOption(invocation, "email") ?? env.BAASIX_EMAIL ?? env.ADMIN_EMAIL;
  const password = textOption(invocation, "password") ?? env.BAASIX_PASSWORD ?? env.ADMIN_PASSWORD;
  if (email && password) return { email, password };
  throw new UsageError(
    "a login is needed: --token, or --email and --password (or BAASIX_TOKEN, BAASIX_EMAIL, BAASIX_PASSWORD)",
  );
}

/** Ends the session that was made for the command; a token that was given stays good. */
async function close(client: Baasix, login: Login): Promise<void> {
  if (!("token" in login)) await client.auth.logout();
  client.close();
}

function explain(url: string, error: unknown): Error {
  if (!(error instanceof BaasixError))
    return error instanceof Error ? error : new CommandError(String(error));
  if (error.status === 0 || error.code === "TIMEOUT") return noAnswer(url, error.cause ?? error);
  const hint = error.status === 401 || error.status === 403 ? " (an administrator may read the schemas)" : "";
  return new CommandError(`${url} refused: ${error.message}${hint}`);
}

function noAnswer(url: string, error: unknown): CommandError {
  return new CommandError(`no answer from ${url} (${reasonOf(error)}); is the server running there?`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  if (error.name === "TimeoutError" || code === "TIMEOUT") return `none within ${timeout / 1000} s`;
  if (code === "ECONNREFUSED" || code === "ConnectionRefused") return "connection refused";
  return code ?? error.message;
}
