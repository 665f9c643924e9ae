/** A Redis of its own for tests, from the system's packages, on a socket that nobody else has. */
import { existsSync, rmSync } from "node:fs";
import { afterAllTests } from "./cleanup";
import { temporaryDirectory } from "./postgres";

export type TestRedis = {
  readonly url: string;
  /** Ends it as a crash would, or starts it again on the same port. */
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** It answers nothing from now on, and closes nothing; `thaw` ends that. */
  readonly freeze: () => void;
  readonly thaw: () => void;
};

const program = "/usr/bin/redis-server";

/** Starts one on a port of its own. @throws Error naming the Debian package when the program is not installed */
export async function testRedis(): Promise<TestRedis> {
  if (!existsSync(program)) throw new Error(`${program} is missing: install the Debian package redis-server`);
  const directory = temporaryDirectory();
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  let child: Bun.Subprocess<"ignore", "pipe", "ignore"> | undefined;
  const start = async (): Promise<void> => {
    const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory];
    child = Bun.spawn([program, ...options], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
    let log = "";
    for await (const chunk of child.stdout) {
      log += new TextDecoder().decode(chunk);
      if (log.includes("Ready to accept connections")) return;
    }
    throw new Error(`Redis did not start: ${log}`);
  };
  await start();
  afterAllTests(() => {
    child?.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    freeze: () => child?.kill("SIGSTOP"),
    thaw: () => child?.kill("SIGCONT"),
    kill: async () => {
      child?.kill("SIGKILL");
      await child?.exited;
    },
  };
}
