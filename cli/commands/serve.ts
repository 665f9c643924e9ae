/** `baasix serve`: runs the server until it is told to stop. */
import {
  type Command,
  type Environment,
  type Invocation,
  UsageError,
  printResult,
  textOption,
} from "../command";
import { withFlags } from "../environment";
import { version } from "../package.json" with { type: "json" };
import { programName } from "../program-name";

export const serve: Command = {
  name: "serve",
  summary: "run the server",
  options: [
    {
      flags: "--http <host:port>",
      description: "address to listen on (HOST and PORT; default 127.0.0.1:8056)",
    },
    { flags: "--port <number>", description: "port alone; 0 picks a free one" },
    { flags: "--dir <folder>", description: "data directory (BAASIX_DIR; default ./baasix_data)" },
    { flags: "--json", description: "print the addresses as one JSON document" },
  ],
  examples: [
    "baasix serve",
    "baasix serve --http 0.0.0.0:8080 --dir /var/lib/baasix",
    "DATABASE_URL=postgres://… baasix serve",
  ],
  run: async (invocation) => {
    const env = withFlags(invocation.env, addressFlags(invocation));
    const stop = stopSignal();
    const { serve: start } = await import("@baasix/server/serve");
    const server = await start(env);
    const docs = `${server.url}/swagger`;
    printResult(
      invocation,
      {
        version,
        url: server.url,
        docs,
        database: server.database,
        hasAdministrator: server.hasAdministrator,
      },
      [
        `Baasix ${version} is ready at ${invocation.terminal.strong(server.url)} (${server.database})`,
        `API documentation: ${docs}`,
        ...(server.hasAdministrator
          ? []
          : [`No administrator yet. Make the first one: ${adminCommand(invocation)}`]),
      ],
    );
    const signal = await stop;
    if (invocation.terminal.interactive)
      invocation.terminal.talk(`${signal}: stopping; once more to force it`);
    await server.stop();
    return 0;
  },
};

/**
 * `--http` and `--port` as settings. `--port` wins, being the narrower one.
 * @throws UsageError when `--http` is not `host:port`.
 */
export function addressFlags(invocation: Pick<Invocation, "options">): Environment {
  const address = textOption(invocation, "http");
  const [, host, port] = address === undefined ? [] : (/^(.+):(\d+)$/.exec(address) ?? []);
  if (address !== undefined && host === undefined) {
    throw new UsageError(`--http takes host:port, like 127.0.0.1:8056, and not '${address}'`);
  }
  return {
    // A literal IPv6 address stands in brackets before a port, and nowhere else.
    HOST: host?.replace(/^\[(.*)\]$/, "$1"),
    PORT: textOption(invocation, "port") ?? port,
    BAASIX_DIR: textOption(invocation, "dir"),
  };
}

function adminCommand(invocation: Invocation): string {
  const dir = textOption(invocation, "dir");
  return `${programName(invocation.env)} admin create you@example.com${dir === undefined ? "" : ` --dir ${dir}`}`;
}

/** Resolves with the first SIGINT or SIGTERM; the second one ends the process at once (PostgreSQL is told by the kernel). */
function stopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let asked = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (asked) process.exit(1);
    asked = true;
    resolve(signal);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return promise;
}
