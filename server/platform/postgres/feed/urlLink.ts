/** A link to an external server: `pg`'s client does TLS, SCRAM and the framing. */
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import type { Client, Connection, QueryArrayConfig } from "pg";
import { LinkError, type Link, type LinkEvents, type LinkMode } from "./link";

const CONNECT_TIMEOUT = 10_000;

/** What `pg`'s connection can do beyond its types; there since version 8.0. */
type CopyConnection = Connection & { readonly sendCopyFromChunk: (chunk: Buffer) => void };

/** Connects. Rejects with a `LinkError` when the server cannot be reached or refuses; it holds no password. */
export async function connectUrl(
  url: string,
  events: LinkEvents,
  linkMode: LinkMode = "replication",
): Promise<Link> {
  const target = new URL(url);
  const mode = target.searchParams.get("sslmode") ?? "disable";
  const ssl = tlsOptions(mode, target.searchParams.get("sslrootcert"));
  try {
    return await connect(target, ssl, events, linkMode);
  } catch (error) {
    const mayBePlain = mode === "prefer" || mode === "allow";
    if (!mayBePlain || !(error instanceof LinkError) || !/does not support SSL/.test(error.message))
      throw error;
    return connect(target, false, events, linkMode);
  }
}

/** The meaning that libpq gives to `sslmode`, and the pools' driver with it; `pg` itself reads it otherwise. */
function tlsOptions(mode: string, rootCertificate: string | null): ConnectionOptions | false {
  if (mode === "disable") return false;
  if (mode !== "verify-ca" && mode !== "verify-full") return { rejectUnauthorized: false };
  return {
    rejectUnauthorized: true,
    ...(rootCertificate && { ca: readFileSync(rootCertificate, "utf8") }),
    ...(mode === "verify-ca" && { checkServerIdentity: () => undefined }),
  };
}

async function connect(
  target: URL,
  ssl: ConnectionOptions | false,
  events: LinkEvents,
  mode: LinkMode,
): Promise<Link> {
  const { Client } = await import("pg"); // only servers with an external database need it
  const user = decodeURIComponent(target.username);
  const client = new Client({
    host: target.searchParams.get("host") ?? (target.hostname.replace(/^\[|\]$/g, "") || "localhost"),
    port: Number(target.port || 5432),
    ...(user && { user }),
    ...(target.password && { password: decodeURIComponent(target.password) }),
    database: decodeURIComponent(target.pathname.slice(1)) || user,
    ssl,
    ...(mode === "replication" && { replication: "database" }),
    application_name: "baasix",
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    keepAlive: true,
  } as ConstructorParameters<typeof Client>[0]);
  let isUp = false;
  let isOver = false;
  // "error" and "end" may both come, and "error" also before the connection is up.
  const fail = (error: unknown) => {
    if (isOver) return;
    isOver = true;
    if (isUp) events.onEnd(asLinkError(error));
  };
  client.on("error", fail);
  client.on("notification", ({ payload }) => events.onNotice?.(payload ?? ""));
  client.on("end", () => fail(new LinkError("the connection was closed")));
  try {
    await client.connect();
  } catch (error) {
    throw asLinkError(error);
  }
  isUp = true;
  return linkOver(client, events, fail, () => (isOver = true));
}

function linkOver(client: Client, events: LinkEvents, fail: (error: unknown) => void, end: () => void): Link {
  const connection = client.connection as CopyConnection;
  const query = async (text: string) => {
    const config: QueryArrayConfig = { text, rowMode: "array", types: { getTypeParser: () => String } };
    try {
      return (await client.query<(string | null)[]>(config)).rows;
    } catch (error) {
      throw asLinkError(error);
    }
  };
  return {
    query,
    stream: (text) =>
      new Promise((resolve, reject) => {
        connection.once("replicationStart", () => resolve());
        connection.on("copyData", ({ chunk }: { chunk: Buffer }) => {
          try {
            events.onData(chunk, 0, chunk.length);
          } catch (error) {
            fail(error);
            connection.stream.destroy();
          }
        });
        // The command ends only with the stream.
        query(text).then(
          () => fail(new LinkError("the server ended the stream")),
          (error) => (reject(error), fail(error)),
        );
      }),
    send: (body) => connection.sendCopyFromChunk(body),
    close: () => {
      end();
      connection.stream.destroy(); // `end` would wait for the stream, which never ends by itself
    },
  };
}

function asLinkError(error: unknown): LinkError {
  if (error instanceof LinkError) return error;
  const { message, code, severity } = error as { message?: string; code?: string; severity?: string };
  // A code beside a severity is the server's; without one it is the system's.
  return new LinkError(message || code || "the connection failed", severity ? (code ?? null) : null, {
    cause: error,
  });
}
