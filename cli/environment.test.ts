import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEnvironment, withFlags } from "./environment";
import { wantsColour } from "./terminal";

describe("settings from outside", () => {
  test("the environment stands over .env, and .env is taken as it is written", async () => {
    const directory = mkdtempSync(join(tmpdir(), "baasix-env-"));
    await Bun.write(
      join(directory, ".env"),
      '# a comment\nPORT=1\nHOST="a b"\nDATABASE_URL=postgres://u:p$HOST@h/d\n',
    );
    await Bun.write(join(directory, ".env.local"), "PORT=3\n");
    expect(readEnvironment({ PORT: "2" }, directory)).toEqual({
      PORT: "2",
      HOST: "a b",
      DATABASE_URL: "postgres://u:p$HOST@h/d",
    });
    rmSync(directory, { recursive: true });
  });

  test("no .env is no failure, one that cannot be read is", () => {
    const directory = mkdtempSync(join(tmpdir(), "baasix-env-"));
    expect(readEnvironment({ A: "1" }, directory)).toEqual({ A: "1" });
    mkdirSync(join(directory, ".env"));
    expect(() => readEnvironment({}, directory)).toThrow(`cannot read ${directory}/.env (EISDIR)`);
    rmSync(directory, { recursive: true });
  });

  test("a flag stands over the environment; one that was not given changes nothing", () => {
    expect(withFlags({ PORT: "1", HOST: "h" }, { PORT: "2", HOST: undefined })).toEqual({
      PORT: "2",
      HOST: "h",
    });
  });
});

describe("colour", () => {
  test.each([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false, true],
  ])("%j on a terminal (%p): %p", (env: Record<string, string>, isTerminal, wanted) => {
    expect(wantsColour(env, isTerminal)).toBe(wanted);
  });
});
