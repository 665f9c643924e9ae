/** The few requests that commands send to a running server. */
import type { AuthResult, ErrorBody, SchemaRecord } from "@baasix/types";
import { CommandError, type Invocation, UsageError, textOption } from "./command";

/** Body of `GET /health`. */
export type Health = {
  readonly live: boolean;
  readonly ready: boolean;
  readonly parts: { readonly [part: string]: unknown };
};

/** An answer: its status and its parsed JSON body (null when it has none). */
export type Answer = { readonly status: number; readonly body: unknown };

/** A server to talk to. `url` has no slash at its end. */
export type Connection = {
  readonly url: string;
  readonly request: (path: string, init?: RequestInit) => Promise<Answer>;
};

const timeout = 30_000;

/**
 * The server named by `--url`, `BAASIX_URL` or `API_URL`, else the default address.
 * @throws UsageError when the address is none; `request` throws CommandError when nothing answers within 30 s.
 */
export function connection(invocation: Invocation): Connection {
  const { env } = invocation;
  const given = textOption(invocation, "url") ?? env.BAASIX_URL ?? env.API_URL ?? "http://localhost:8056";
  if (!/^https?:\/\//.test(given) || !URL.canParse(given)) {
    throw new UsageError(`'${given}' is not an address; write it like http://localhost:8056`);
  }
  const url = given.replace(/\/+$/, "");
  return { url, request: (path, init) => send(url, path, init) };
}

async function send(url: string, path: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const response = await fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(timeout) });
    const text = await response.text();
    return { status: response.status, body: parseJson(text) };
  } catch (error) {
    throw new CommandError(`no answer from ${url} (${reasonOf(error)}); is the server running there?`);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `none within ${timeout / 1000} s`;
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  if (code === "ECONNREFUSED" || code === "ConnectionRefused") return "connection refused";
  return code ?? error.message;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * All collections, as the given account may see them.
 * @throws CommandError when signing in fails or the account may not read the definitions.
 */
export async function fetchSchemas(invocation: Invocation): Promise<readonly SchemaRecord[]> {
  const server = connection(invocation);
  const token = await accessToken(invocation, server);
  const answer = await server.request("/schemas?limit=-1", { headers: { authorization: `Bearer ${token}` } });
  if (answer.status !== 200) throw refused("reading the schemas", answer);
  return (answer.body as { readonly data: readonly SchemaRecord[] }).data;
}

async function accessToken(invocation: Invocation, server: Connection): Promise<string> {
  const { env } = invocation;
  const token = textOption(invocation, "token") ?? env.BAASIX_TOKEN ?? env.BAASIX_AUTH_TOKEN;
  if (token) return token;
  const email = textOption(invocation, "email") ?? env.BAASIX_EMAIL ?? env.ADMIN_EMAIL;
  const password = textOption(invocation, "password") ?? env.BAASIX_PASSWORD ?? env.ADMIN_PASSWORD;
  if (!email || !password) {
    throw new UsageError(
      "a login is needed: --token, or --email and --password (or BAASIX_TOKEN, BAASIX_EMAIL, BAASIX_PASSWORD)",
    );
  }
  const answer = await server.request("/auth/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  if (answer.status !== 200) throw refused(`signing in as ${email}`, answer);
  return (answer.body as AuthResult).token;
}

function refused(what: string, { status, body }: Answer): CommandError {
  const message = (body as Partial<ErrorBody> | null)?.error?.message ?? `status ${status}`;
  const hint = status === 401 || status === 403 ? " (an administrator may)" : "";
  return new CommandError(`${what} was refused: ${message}${hint}`);
}
