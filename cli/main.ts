/** Entry of the executable. The only file of the CLI that acts when imported. */
import { launchIfAsked } from "../server/platform/postgres/embedded/launcher";

// Before anything else is loaded: as the launcher of PostgreSQL this process becomes PostgreSQL, and nothing of ours may stay in it.
launchIfAsked(process.argv);

const [{ runProgram }, { processTerminal }] = await Promise.all([import("./program"), import("./terminal")]);
process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  directory: process.cwd(),
  terminal: processTerminal(process.env),
});
