/** The README's five minutes, run as they are written: the blocks of terminal 1 and terminal 2, on a free port. */
import { afterAll, expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { emptyFolder, executable } from "./executable";

const folder = emptyFolder();
afterAll(folder.remove);

test("every command of the five-minute tour works", async () => {
  const readme = await Bun.file(join(import.meta.dir, "../../README.md")).text();
  const blocks = [...readme.matchAll(/^```sh (terminal \d)\n([\s\S]*?)^```$/gm)];
  const of = (terminal: string) => blocks.filter(([, name]) => name === terminal).map(([, , text]) => text);
  const port = freePort();
  symlinkSync(executable(), join(folder.path, "baasix"));
  const shell = (text: string) =>
    Bun.spawn(["bash", "-euo", "pipefail", "-c", text.replaceAll("8056", String(port))], {
      cwd: folder.path,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: folder.path,
        PORT: String(port),
        LOG_LEVEL: "warn",
        BAASIX_URL: `http://localhost:${port}`,
      },
      stdout: "pipe",
      stderr: "pipe",
    });

  const server = shell(`exec ${of("terminal 1").join("")}`);
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes("No administrator yet")) {
    const { value, done } = await lines.read();
    if (done) throw new Error(`serve ended: ${said}${await new Response(server.stderr).text()}`);
    said += value;
  }
  expect(said.split("\n").slice(0, 3)).toEqual([
    expect.stringMatching(
      /^Baasix 0\.\d+\.\d+ is ready at http:\/\/127\.0\.0\.1:\d+ \(embedded PostgreSQL 18\.\d+ in /,
    ),
    `API documentation: http://127.0.0.1:${port}/swagger`,
    "No administrator yet. Make the first one: ./baasix admin create you@example.com",
  ]);

  const tour = shell(of("terminal 2").join("\n"));
  const [code, out, err] = await Promise.all([
    tour.exited,
    new Response(tour.stdout).text(),
    new Response(tour.stderr).text(),
  ]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toMatch(
    /\{"data":\[\{"title":"The Last Man","year":1826,"author":\{"name":"Mary Shelley","id":"[-\w]+"\}\}\],"totalCount":1\}/,
  );
  expect(await Bun.file(join(folder.path, "baasix.d.ts")).text()).toContain("author?: Author | null;");
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
});

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
