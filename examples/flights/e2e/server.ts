/** A Baasix server of its own for a test: the executable when BAASIX_EXECUTABLE names one, else the source. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { patientClient, type Client } from "../account";

const administrator = { email: "admin@example.com", password: "correct-horse-battery" };

/** A running server in an empty folder, with an administrator. `stop` ends it and deletes the folder. */
export type TestServer = {
  readonly url: string;
  readonly account: typeof administrator;
  /** A client that is signed in as the administrator. */
  readonly admin: Client;
  /** Ends the process and starts it again, with its data and at its address. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** Starts a server on a free port, with its embedded database. */
export async function startServer(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "baasix-flights-"));
  chmodSync(folder, 0o711); // the user that PostgreSQL runs as walks through it
  const { BAASIX_EXECUTABLE } = process.env;
  const command = BAASIX_EXECUTABLE
    ? [BAASIX_EXECUTABLE]
    : [process.execPath, "--no-env-file", join(import.meta.dir, "../../../cli/main.ts")];
  const start = (port: string) =>
    Bun.spawn([...command, "serve", "--json", "--port", port], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        LOG_LEVEL: "warn",
        RATE_LIMIT: "1000000",
        ADMIN_EMAIL: administrator.email,
        ADMIN_PASSWORD: administrator.password,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
  let child = start("0");
  const end = async () => {
    child.kill("SIGTERM");
    await child.exited;
  };
  const stop = async () => {
    await end();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { url } = JSON.parse(await firstLine(child.stdout)) as { readonly url: string };
    const admin = patientClient(url);
    await admin.auth.login(administrator);
    const restart = async () => {
      await end();
      child = start(new URL(url).port);
      await firstLine(child.stdout);
    };
    return { url, account: administrator, admin, restart, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function firstLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0] ?? "";
}
