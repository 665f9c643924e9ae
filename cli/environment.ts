/** Settings from outside, in order: flags, then the environment, then `.env` in the working directory. */
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { CommandError, type Environment } from "./command";

/**
 * The environment on top of the `.env` file of a directory. The file is read as it stands: no `$` expansion (passwords
 * hold `$`), and no `.env.local` or `.env.production` beside it.
 * @throws CommandError when the file is there and cannot be read.
 */
export function readEnvironment(env: Environment, directory: string): Environment {
  return { ...readDotEnv(directory), ...env };
}

function readDotEnv(directory: string): Environment {
  try {
    return parseEnv(readFileSync(`${directory}/.env`, "utf8"));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOENT" || code === "ENOTDIR") return {};
    throw new CommandError(`cannot read ${directory}/.env (${String(code ?? error)})`);
  }
}

/** Lays flags over the environment; a flag that was not given changes nothing. */
export function withFlags(env: Environment, flags: Environment): Environment {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return { ...env, ...Object.fromEntries(given) };
}
