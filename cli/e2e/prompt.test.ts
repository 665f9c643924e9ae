/** The one question the command line asks a person, asked on a real pseudo-terminal. */
import { afterAll, describe, expect, test } from "bun:test";
import { baasix, converse as converseIn, emptyFolder } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
afterAll(folder.remove);
const converse = (args: readonly string[], answers: Parameters<typeof converseIn>[1]) =>
  converseIn(args, answers, { cwd });

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
