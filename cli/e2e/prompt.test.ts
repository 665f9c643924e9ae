/** The one question the command line asks a person, asked on a real pseudo-terminal. */
import { afterAll, describe, expect, test } from "bun:test";
import { baasix, emptyFolder, executable } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
afterAll(folder.remove);

/** Runs the executable on a terminal; each answer is typed when its question stands there. */
async function converse(
  args: readonly string[],
  answers: readonly (readonly [question: string, typed: string])[],
) {
  let shown = "";
  let place = 0;
  const left = [...answers];
  const child = Bun.spawn([executable(), ...args], {
    cwd,
    env: { HOME: "/nonexistent", PATH: "/nonexistent", TERM: "xterm" },
    terminal: {
      cols: 120,
      rows: 40,
      data: (terminal, data) => {
        shown += new TextDecoder().decode(data);
        const next = left[0];
        if (next === undefined || !shown.includes(next[0], place)) return;
        place = shown.length;
        left.shift();
        terminal.write(next[1]);
      },
    },
  });
  return { code: await child.exited, shown };
}

describe("a password that is typed", () => {
  test("is asked for twice, is never shown, and may be corrected", async () => {
    const { code, shown } = await converse(
      ["admin", "create", "typed@example.com"],
      [
        ["Password: ", "correct-hoarse\u007F\u007F\u007F\u007Frse\r"],
        ["Again: ", "correct-horse\r"],
      ],
    );
    expect(shown).toContain("Created administrator typed@example.com");
    expect(shown).not.toMatch(/correct|rse/);
    expect(code).toBe(0);
    expect((await baasix(["admin", "list"], { cwd })).out).toContain("typed@example.com");
  });

  test("that differs the second time makes nothing", async () => {
    const { code, shown } = await converse(
      ["admin", "create", "differs@example.com"],
      [
        ["Password: ", "correct-horse\r"],
        ["Again: ", "another-horse\r"],
      ],
    );
    expect({ code, last: shown.trim().split("\r\n").at(-1) }).toEqual({
      code: 2,
      last: "baasix: the two passwords differ",
    });
  });

  test("is given up with Ctrl-C", async () => {
    const { code } = await converse(["admin", "create", "left@example.com"], [["Password: ", "half\u0003"]]);
    expect(code).toBe(130);
  });
});
