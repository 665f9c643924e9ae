/** The start on a data folder that this version cannot use. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readConfig } from "./config";
import { systemVersion } from "./core/schema/system";
import { startEmbedded, StartError } from "./platform/postgres/embedded";
import { startServer } from "./start";
import { outsider, temporaryDirectory } from "./testing/postgres";

setDefaultTimeout(60_000);

test("a folder of a newer version is refused in one line, and left as it was and stopped", async () => {
  const dir = temporaryDirectory();
  const start = () =>
    startServer(
      readConfig({
        BAASIX_DIR: dir,
        HOST: "127.0.0.1",
        PORT: "0",
        LOG_LEVEL: "error",
        NODE_ENV: "test",
        SECRET_KEY: "a secret of the tests, at least 32 characters",
      }),
    );
  const note = async (version: number): Promise<void> => {
    const { address, stop } = await startEmbedded({ dir });
    const words = `baasix system collections ${version}`;
    await outsider(address, `comment on table "baasix_SchemaDefinition" is '${words}'`).finally(stop);
  };
  try {
    await (await start()).stop();
    await note(systemVersion + 6);
    const error: unknown = await start().catch((refusal: unknown) => refusal);
    expect(error).toBeInstanceOf(StartError);
    const numbers = `have the number ${systemVersion + 6}, this version knows ${systemVersion};`;
    expect((error as StartError).message).toContain(numbers);
    expect((error as StartError).message).not.toContain("\n");
    expect(existsSync(join(dir, "pg/postmaster.pid"))).toBe(false);
    // As the newer version would say of its own.
    await note(systemVersion);
    await (await start()).stop();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
