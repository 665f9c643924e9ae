/** A database address as options of the driver, and in words that hold no password. */
import { lookup } from "node:dns/promises";
import { SQL } from "bun";
import type { DatabaseAddress } from "./database";
import { StartError } from "./start-error";

/** The part of the driver's options that says where the server is and who we are. */
export function connectionOptions(address: DatabaseAddress): Bun.SQL.PostgresOrMySQLOptions {
  if (address.kind === "socket") {
    return {
      adapter: "postgres",
      path: address.directory,
      username: address.user,
      database: address.database,
      password: "",
      tls: false,
    };
  }
  const url = parse(address.url);
  const socket = url.searchParams.get("host");
  const user = decodeURIComponent(url.username);
  // Given again, because the driver would prefer PGDATABASE and the like of the environment to the URL's.
  const database = decodeURIComponent(url.pathname.slice(1)) || user;
  return {
    adapter: "postgres",
    url: address.url,
    ...(user && { username: user }),
    ...(database && { database }),
    ...(socket?.startsWith("/") && { path: socket }),
  };
}

function parse(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed === null) {
    throw new StartError("DATABASE_URL is not a URL; write postgres://user:password@host:5432/database");
  }
  return parsed;
}

/** `host:port` of a URL, or the socket's folder. */
export function placeOf(address: DatabaseAddress): string {
  if (address.kind === "socket") return address.directory;
  const { hostname, port, searchParams } = parse(address.url);
  return searchParams.get("host") ?? `${hostname || "localhost"}:${port || "5432"}`;
}

/** One line that says why the server at `address` cannot be used. */
export async function explainFailure(address: DatabaseAddress, error: unknown): Promise<StartError> {
  const place = placeOf(address);
  const name = address.kind === "url" ? `PostgreSQL at ${place} (DATABASE_URL)` : `PostgreSQL in ${place}`;
  const reason = error instanceof Error ? error.message : String(error);
  if (!(error instanceof SQL.PostgresError)) return new StartError(`cannot use ${name}: ${reason}`);
  const problem =
    error.errno === undefined
      ? `cannot reach ${name}: ${await connectionProblem(address, error.code, reason)}`
      : `${name} refused the connection: ${reason}`;
  return new StartError(problem, { cause: error });
}

async function connectionProblem(address: DatabaseAddress, code: string, reason: string): Promise<string> {
  if (code === "ERR_POSTGRES_CONNECTION_TIMEOUT") return "no answer in time";
  if (code !== "ERR_POSTGRES_CONNECTION_REFUSED" || address.kind === "socket") return reason;
  const { hostname } = parse(address.url);
  const isKnown = await lookup(hostname.replace(/^\[|\]$/g, "") || "localhost").then(
    () => true,
    () => false,
  );
  return isKnown ? "nothing accepts connections there" : `the name ${hostname} is not known`;
}
