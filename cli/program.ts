/** argv → command: builds the parser from the command table, and turns every end into an exit code. */
import { Command as Parser, CommanderError } from "commander";
import { type Command, CommandError, type Environment, type Invocation, UsageError } from "./command";
import { commands } from "./commands";
import { readEnvironment } from "./environment";
import { type Terminal, wantsColour } from "./terminal";
import { version } from "./package.json" with { type: "json" };

const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong usage.";

/** What the program takes from the world. `directory` is where `.env` is looked for. */
export type World = {
  readonly env: Environment;
  readonly directory: string;
  readonly terminal: Terminal;
};

/**
 * Runs the command that `args` (without the program's own name) asks for.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage.
 */
export async function runProgram(args: readonly string[], world: World): Promise<number> {
  let code = 0;
  const root = new Parser("baasix")
    .description(
      "Baasix: a backend in one executable. Collections, items, files, auth and realtime on PostgreSQL.",
    )
    .version(version, "-V, --version", "print the version");
  configure(root, world.terminal, world.env);
  describeExamples(root, [
    "baasix serve",
    "baasix admin create you@example.com",
    "baasix generate -o baasix.d.ts",
  ]);
  root.addHelpText("after", `\n${exitCodes}`);
  const finish = (value: number) => void (code = value);
  for (const command of commands) add(root, command, world, finish);
  if (args.length === 0) args = ["--help"];
  try {
    await root.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    return report(error, args.includes("--json"), world);
  }
}

function configure(parser: Parser, terminal: Terminal, env: Environment): void {
  parser
    .exitOverride()
    .helpOption("-h, --help", "show help")
    .configureOutput({
      writeOut: (text) => terminal.document(text),
      writeErr: (text) => terminal.talk(text.trimEnd()),
      // One line, named like every other message of ours.
      outputError: (text, write) =>
        write(
          `baasix: ${text
            .trim()
            .replace(/^error: /, "")
            .replace(/\n\(Did you mean (.*)\?\)$/s, "; did you mean '$1'?")}`,
        ),
      getOutHasColors: () => wantsColour(env, process.stdout.isTTY),
      getErrHasColors: () => wantsColour(env, process.stderr.isTTY),
    });
}

function describeExamples(parser: Parser, examples: readonly string[]): void {
  if (examples.length > 0)
    parser.addHelpText("after", `\nExamples:\n${examples.map((line) => `  $ ${line}`).join("\n")}`);
}

function add(parent: Parser, command: Command, world: World, finish: (code: number) => void): void {
  const parser = new Parser(command.name).description(command.summary).aliases([...(command.aliases ?? [])]);
  configure(parser, world.terminal, world.env);
  if (command.commands) parser.helpCommand(false);
  for (const { name, description } of command.arguments ?? []) parser.argument(name, description);
  for (const { flags, description } of command.options ?? []) parser.option(flags, description);
  describeExamples(parser, command.examples);
  for (const child of command.commands ?? []) add(parser, child, world, finish);
  const { run } = command;
  if (run) {
    parser.action(async () => {
      const invocation: Invocation = {
        args: parser.processedArgs,
        options: parser.opts(),
        terminal: world.terminal,
        env: readEnvironment(world.env, world.directory),
      };
      finish(await run(invocation));
    });
  }
  parent.addCommand(parser);
}

/** Says what went wrong in one line on stderr (and as a document on stdout with `--json`), and gives the exit code. */
function report(error: unknown, json: boolean, { terminal, env }: World): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const message = error instanceof Error ? error.message : String(error);
  terminal.talk(`baasix: ${message.replaceAll(/\s*\n\s*/g, " ")}`);
  if (!(error instanceof CommandError) && env.LOG_LEVEL === "debug" && error instanceof Error) {
    terminal.talk(error.stack ?? "");
  }
  if (json) {
    const code =
      error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
    terminal.document(`${JSON.stringify({ error: { message, code } })}\n`);
  }
  return error instanceof UsageError ? 2 : 1;
}
