/** Starts servers as processes of their own (`instance.ts`), for tests of several on one database. */
import { join } from "node:path";
import { afterAllTests } from "./cleanup";
import { temporaryDirectory } from "./postgres";

/** `url` answers already. Who starts one kills its process, which else ends with the test run. */
export type Instance = {
  readonly url: string;
  readonly process: Bun.Subprocess<"ignore", "pipe", "inherit">;
};

/** The administrator that instances make. */
export const instanceAdmin = { email: "admin@example.com", password: "correct horse battery" };

/** Starts a server. `env`: `DATABASE_URL`, and what else it is to be told. */
export async function startInstance(env: Record<string, string>): Promise<Instance> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "instance.ts")], {
    env: {
      PATH: process.env["PATH"] ?? "",
      BAASIX_DIR: temporaryDirectory(),
      SECRET_KEY: "a secret of the tests, at least 32 characters",
      ADMIN_EMAIL: instanceAdmin.email,
      ADMIN_PASSWORD: instanceAdmin.password,
      HOST: "127.0.0.1",
      PORT: "0",
      LOG_LEVEL: "error",
      NODE_ENV: "test",
      DATABASE_POOL_MAX: "4",
      DATABASE_SLOW_POOL_MAX: "2",
      INSTANCE_BEAT: "1",
      LOGIN_RATE_LIMIT: "1000",
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  afterAllTests(() => child.kill("SIGKILL"));
  let told = "";
  for await (const chunk of child.stdout) {
    told += new TextDecoder().decode(chunk);
    if (told.includes("\n")) return { url: told.trim(), process: child };
  }
  throw new Error("the server did not start");
}
