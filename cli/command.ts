/** The shape of an entry in the command table, and the errors a command may end with. */
import type { Terminal } from "./terminal";

/** An option as it is typed, e.g. `--port <number>`; `--json` alone is a switch. */
export type CommandOption = { readonly flags: string; readonly description: string };

/** A positional argument: `<email>` is required, `[password]` is not. */
export type CommandArgument = { readonly name: string; readonly description: string };

/** What a command is run with. Options are named in camelCase, as commander does (`--password-stdin`: `passwordStdin`). */
export type Invocation = {
  readonly args: readonly (string | undefined)[];
  readonly options: { readonly [name: string]: string | boolean | undefined };
  readonly terminal: Terminal;
  /** The settings from outside: `.env` under the environment. */
  readonly env: Environment;
};

/** Settings by name, as text. */
export type Environment = { readonly [name: string]: string | undefined };

/** A command, or (with `commands`) a group of them. `run` gives the exit code: 0 done, 1 failed. */
export type Command = {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly arguments?: readonly CommandArgument[];
  readonly options?: readonly CommandOption[];
  readonly examples: readonly string[];
  readonly commands?: readonly Command[];
  readonly run?: (invocation: Invocation) => Promise<number>;
};

/** A failure whose message is one clear line for the user; exit code 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** The command was called wrongly; exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** An option's text, or undefined when it was not given. */
export function textOption(invocation: Pick<Invocation, "options">, name: string): string | undefined {
  const value = invocation.options[name];
  return typeof value === "string" ? value : undefined;
}

/** Prints a result: one JSON document with `--json`, else the given lines. */
export function printResult(invocation: Invocation, json: unknown, lines: readonly string[]): void {
  if (invocation.options.json === true) return invocation.terminal.document(`${JSON.stringify(json)}\n`);
  for (const line of lines) invocation.terminal.result(line);
}
