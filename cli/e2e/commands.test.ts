import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { baasix, emptyFolder } from "./executable";

const folder = emptyFolder();
afterAll(folder.remove);
const run = (line: string, env: Record<string, string> = {}) =>
  baasix(line === "" ? [] : line.split(" "), { cwd: folder.path, env });

describe("the executable in an empty folder with a bare environment", () => {
  test("tells its version in three ways", async () => {
    const { version } = await Bun.file(new URL("../package.json", import.meta.url)).json();
    expect(await run("version")).toEqual({ code: 0, out: `${version}\n`, err: "" });
    expect(await run("--version")).toEqual({ code: 0, out: `${version}\n`, err: "" });
    expect(JSON.parse((await run("version --json")).out)).toEqual({
      version,
      bun: "1.4.4",
      platform: `${process.platform}-${process.arch}`,
    });
  });

  test.each([
    "",
    "--help",
    "serve --help",
    "admin --help",
    "admin create -h",
    "generate --help",
    "gen --help",
    "health -h",
  ])("`baasix %s` shows help and examples", async (line) => {
    const { code, out, err } = await run(line);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("Usage: baasix");
    expect(out).toContain("Examples:\n  $ ");
  });

  test.each([
    ["srve", "unknown command 'srve'; did you mean 'serve'?"],
    ["admin craete", "unknown command 'craete'; did you mean 'create'?"],
    ["serve --prot 1", "unknown option '--prot'; did you mean '--port'?"],
    [
      "generate",
      "a login is needed: --token, or --email and --password (or BAASIX_TOKEN, BAASIX_EMAIL, BAASIX_PASSWORD)",
    ],
  ])("`baasix %s` is wrong usage: one line, exit 2", async (line, message) => {
    expect(await run(line)).toEqual({ code: 2, out: "", err: `baasix: ${message}\n` });
  });

  test("a server that is not there is a failure: one line, exit 1, and a document with --json", async () => {
    const message = "no answer from http://127.0.0.1:9 (connection refused); is the server running there?";
    expect(await run("health --url http://127.0.0.1:9")).toEqual({
      code: 1,
      out: "",
      err: `baasix: ${message}\n`,
    });
    const ended = await run("health --url http://127.0.0.1:9 --json");
    expect(JSON.parse(ended.out)).toEqual({ error: { message, code: null } });
  });

  test("colours only on request where it is no terminal", async () => {
    const escape = "\u001B[";
    expect((await run("--help")).out).not.toContain(escape);
    expect((await run("--help", { NO_COLOR: "1" })).out).not.toContain(escape);
  });

  test("settings of the folder do not run code in it", async () => {
    await Bun.write(`${folder.path}/bunfig.toml`, 'preload = ["./evil.ts"]\n');
    await Bun.write(`${folder.path}/evil.ts`, 'require("node:fs").writeFileSync("ran", "")');
    expect((await run("version")).code).toBe(0);
    expect(readdirSync(folder.path).toSorted()).toEqual(["bunfig.toml", "evil.ts"]);
  });
});
