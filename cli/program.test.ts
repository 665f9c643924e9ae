import { describe, expect, test } from "bun:test";
import { type Command, CommandError, type Invocation } from "./command";
import { commands } from "./commands";
import { addressFlags } from "./commands/serve";
import { runProgram } from "./program";
import type { Terminal } from "./terminal";

/** A terminal that keeps what was said. */
function recorder() {
  const said = { out: "", err: "" };
  const terminal: Terminal = {
    result: (line) => void (said.out += `${line}\n`),
    document: (text) => void (said.out += text),
    bytes: async (chunk) => void (said.out += new TextDecoder().decode(chunk)),
    talk: (line) => void (said.err += `${line}\n`),
    status: () => {},
    input: () => new Blob(["piped"]).stream(),
    interactive: false,
    askSecrets: () => Promise.reject(new Error("nobody is there to ask")),
    confirm: () => Promise.reject(new Error("nobody is there to ask")),
    readLine: () => Promise.resolve("piped secret"),
    strong: (text) => text,
  };
  return { said, terminal };
}

async function run(args: readonly string[], table?: readonly Command[], env: Invocation["env"] = {}) {
  const { said, terminal } = recorder();
  const code = await runProgram(args, { env, directory: "/nonexistent", terminal }, table);
  return { code, ...said };
}

/** Every command of the table with the words that lead to it. */
function flatten(
  table: readonly Command[],
  path: readonly string[] = [],
): readonly (readonly [string[], Command])[] {
  return table.flatMap((command): readonly (readonly [string[], Command])[] => {
    const here = [...path, command.name];
    return [[here, command], ...flatten(command.commands ?? [], here)];
  });
}

/** The table with every command's work replaced. */
function withRun(table: readonly Command[], work: NonNullable<Command["run"]>): readonly Command[] {
  return table.map((command) => ({
    ...command,
    ...(command.commands ? { commands: withRun(command.commands, work) } : {}),
    ...(command.run ? { run: work } : {}),
  }));
}

describe("help", () => {
  test("plain `baasix` prints it and is no failure", async () => {
    const { code, out, err } = await run([]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const { name, summary } of commands)
      expect(out).toMatch(new RegExp(`^  ${name}\\b.* ${summary}$`, "m"));
  });

  test.each(flatten(commands).map(([path, command]) => ({ path, words: path.join(" "), command })))(
    "$words --help tells summary, options and examples",
    async ({ path, command }) => {
      const { code, out, err } = await run([...path, "--help"]);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out.replaceAll(/\s+/g, " ")).toContain(command.summary);
      for (const { flags } of command.options ?? []) expect(out).toContain(flags);
      for (const child of command.commands ?? []) expect(out).toContain(child.name);
      expect(command.examples).not.toEqual([]);
      for (const example of command.examples) expect(out).toContain(`$ ${example}`);
    },
  );

  const examples = flatten(commands).flatMap(([, { examples: lines }]) => lines);
  test.each(examples)("the example `%s` is understood", async (example) => {
    let reached = false;
    const table = withRun(commands, async () => {
      reached = true;
      return 0;
    });
    const words = example.slice(example.indexOf("baasix ") + 7).match(/'[^']*'|\S+/g) ?? [];
    const { code, err } = await run(
      words.map((word) => word.replaceAll("'", "")),
      table,
    );
    expect({ code, err, reached }).toEqual({ code: 0, err: "", reached: true });
  });
});

describe("ends", () => {
  const table: readonly Command[] = [
    {
      name: "work",
      summary: "s",
      examples: [],
      options: [{ flags: "--json", description: "d" }],
      run: async () => 0,
    },
    {
      name: "fail",
      summary: "s",
      examples: [],
      options: [{ flags: "--json", description: "d" }],
      run: () => Promise.reject(new CommandError("it broke\n  in two lines")),
    },
    {
      name: "crash",
      summary: "s",
      examples: [],
      run: () => Promise.reject(Object.assign(new Error("address in use"), { code: "EADDRINUSE" })),
    },
    { name: "half", summary: "s", examples: [], run: async () => 1 },
  ];
  const cases: readonly (readonly [string, number, string])[] = [
    ["work", 0, ""],
    ["half", 1, ""],
    ["fail", 1, "baasix: it broke in two lines\n"],
    ["crash", 1, "baasix: address in use\n"],
    ["wrok", 2, "baasix: unknown command 'wrok'; did you mean 'work'?\n"],
    ["work --jsn", 2, "baasix: unknown option '--jsn'; did you mean '--json'?\n"],
    ["work harder", 2, "baasix: too many arguments for 'work'. Expected 0 arguments but got 1: harder.\n"],
  ];
  test.each(cases)("`baasix %s` exits %d", async (line, code, err) => {
    expect(await run(line.split(" "), table)).toEqual({ code, out: "", err });
  });

  test.each([
    ["fail --json", 1, { error: { message: "it broke in two lines", code: null } }],
    [
      "work --json --jsn",
      2,
      { error: { message: "unknown option '--jsn'; did you mean '--json'?", code: "USAGE" } },
    ],
  ] as const)("`baasix %s` prints one document", async (line, code, document) => {
    const ended = await run(line.split(" "), table);
    expect(ended.code).toBe(code);
    expect(JSON.parse(ended.out)).toEqual(document);
  });

  test("the stack of an unexpected error is shown on request", async () => {
    expect((await run(["crash"], table, { LOG_LEVEL: "debug" })).err).toContain("program.test.ts");
  });

  test.each([
    ["admin create", "missing required argument 'email'"],
    ["admin create not-a-mail secret", "'not-a-mail' is not a mail address"],
    ["admin create a@b.c", "a password is needed: as second argument, or with --password-stdin"],
    ["health --url example.com", "'example.com' is not an address; write it like http://localhost:8056"],
    ["generate --target types2", "unknown target 'types2'; known are types and schema-json"],
    ["import products", "missing required argument 'file'"],
    ["import products -", "what format is '-'? Say it with --format: csv, json, ndjson"],
    ["import products a.csv --format xml", "unknown format 'xml'; known are csv, json, ndjson"],
    ["export products --format xml", "unknown format 'xml'; known are csv, json, ndjson"],
    ["export products --filter price>1", `--filter takes JSON, like '{"price":{"lt":10}}'`],
    ["generate -o - --check", "--check compares with a file; name one with -o"],
    [
      "generate",
      "a login is needed: --token, or --email and --password (or BAASIX_TOKEN, BAASIX_EMAIL, BAASIX_PASSWORD)",
    ],
    ["serve --http 8056", "--http takes host:port, like 127.0.0.1:8056, and not '8056'"],
  ])("`baasix %s` is wrong usage", async (line, message) => {
    expect(await run(line.split(" "))).toEqual({ code: 2, out: "", err: `baasix: ${message}\n` });
  });
});

describe("the address flags of serve", () => {
  test.each([
    [{}, {}],
    [{ port: "0" }, { PORT: "0" }],
    [{ http: "0.0.0.0:80" }, { HOST: "0.0.0.0", PORT: "80" }],
    [{ http: "[::1]:8056" }, { HOST: "::1", PORT: "8056" }],
    [
      { http: "localhost:1", port: "2", dir: "x" },
      { HOST: "localhost", PORT: "2", BAASIX_DIR: "x" },
    ],
  ] as const)("%j are the settings %j", (options, settings) => {
    expect(JSON.parse(JSON.stringify(addressFlags({ options })))).toEqual(settings);
  });
});
