/** Entry of the executable. The only file of the CLI that acts when imported. */
import { launchIfAsked } from "../server/platform/postgres/embedded/launcher";

// Before anything else is loaded: as the launcher of PostgreSQL this process becomes PostgreSQL, and nothing of ours may stay in it.
launchIfAsked(process.argv);

const [{ runProgram }, { flush, processTerminal }] = await Promise.all([
  import("./program"),
  import("./terminal"),
]);
const code = await runProgram(process.argv.slice(2), {
  env: process.env,
  directory: process.cwd(),
  terminal: processTerminal(process.env),
});
// The command is over: what a part that failed to start has left open must not keep the process alive.
await flush();
process.exit(code);
