/** Runs the commands of a `sh` block in bash, against a server that listens, and holds what they print. */
import { expect } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { complete, matches } from "./match";

const root = join(import.meta.dir, "../..");

/** A photograph of one pixel, for uploads. */
const photograph =
  "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8QEBEQCgwSExIQEw8QEBD/" +
  "yQALCAABAAEBAREA/8wABgAQEAX/2gAIAQEAAD8A0s8g/9k=";

/** Where commands run: the server's port, an administrator's token, and a folder of their own. */
export type ShellPlace = { readonly port: string; readonly token: string; readonly folder: string };

/** Runs a block. Lines that begin with `# →` say, in order, what the commands print: JSON, or the text of a line. */
export async function runShell(text: string, { port, token, folder }: ShellPlace): Promise<void> {
  const said = [...text.matchAll(/^# → (.*)$/gm)].map(([, line = ""]) => line.trim());
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(folder, "harbour.jpg"), Buffer.from(photograph, "base64"));
  const program = `#!/bin/sh\nexec "${process.execPath}" --no-env-file "${join(root, "cli/main.ts")}" "$@"\n`;
  writeFileSync(join(bin, "baasix"), program);
  chmodSync(join(bin, "baasix"), 0o755);
  const child = Bun.spawn(["bash", "-euo", "pipefail", "-c", text.replaceAll("8056", port)], {
    cwd: folder,
    env: {
      PATH: `${bin}:${process.env.PATH ?? ""}`,
      HOME: folder,
      TOKEN: token,
      BAASIX_URL: `http://localhost:${port}`,
    },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 30_000,
  });
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect({ code, err: code === 0 ? "" : err + out }).toEqual({ code: 0, err: "" });
  const printed = documents(out);
  const wanted = said.map(readValue);
  if (wanted.length > 0 && !matches(printed, wanted)) {
    expect<unknown>(printed).toEqual(complete(wanted, printed));
  }
}

/** What was printed: `curl` leaves no line break behind an answer. */
function documents(out: string): readonly unknown[] {
  return out
    .replaceAll(/(?<=[}\]])(?=\{")/g, "\n")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map(readValue);
}

function readValue(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
