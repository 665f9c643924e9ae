/** argv → command: builds the parser from the command table, and turns every end into an exit code. */
import { Command as Parser, CommanderError } from "commander";
import { type Command, type Environment, type Invocation, UsageError } from "./command";
import { commands } from "./commands";
import { readEnvironment } from "./environment";
import { type Terminal, wantsColour } from "./terminal";
import { version } from "./package.json" with { type: "json" };

const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 needs confirmation, 4 differences found.";

/** What the program takes from the world. `directory` is where `.env` is looked for. */
export type World = {
  readonly env: Environment;
  readonly directory: string;
  readonly terminal: Terminal;
};

/**
 * Runs the command that `args` (without the program's own name) asks for.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage, 3 needs confirmation, 4 differences found.
 */
export async function runProgram(
  args: readonly string[],
  world: World,
  table: readonly Command[] = commands,
): Promise<number> {
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
  for (const command of table) add(root, command, world, finish);
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
    .configureHelp({ subcommandTerm: (command) => [command.name(), ...command.aliases()].join("|") })
    .configureOutput({
      writeOut: (text) => terminal.document(text),
      writeErr: (text) => terminal.talk(text.trimEnd()),
      outputError: (text, write) => write(`baasix: ${oneLine(new Error(text))}`),
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
  const ended = error instanceof CommanderError ? error.exitCode : null;
  if (ended === 0) return 0;
  const message = oneLine(error);
  // The parser has said its own errors already.
  if (ended === null) terminal.talk(`baasix: ${message}`);
  if (env.LOG_LEVEL === "debug" && error instanceof Error && ended === null) terminal.talk(error.stack ?? "");
  if (json) terminal.document(`${JSON.stringify({ error: { message, code: codeOf(error) } })}\n`);
  return ended !== null || error instanceof UsageError ? 2 : 1;
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .trim()
    .replace(/^error: /, "")
    .replace(/\n\(Did you mean (.*)\?\)$/s, "; did you mean '$1'?")
    .replaceAll(/\s*\n\s*/g, " ");
}

function codeOf(error: unknown): string | null {
  if (error instanceof CommanderError || error instanceof UsageError) return "USAGE";
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}
