/** `bun run start`: installs what is missing, then runs the server from source. Arguments go to `baasix serve`. */
import { prepare, root } from "./steps";

if (!(await prepare())) process.exit(1);
const server = Bun.spawn(
  [process.execPath, "--no-env-file", "cli/main.ts", "serve", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: ["inherit", "inherit", "inherit"],
  },
);
// A terminal's Ctrl-C reaches the server itself; this process only has to outlive it. SIGTERM comes to us alone.
process.on("SIGINT", () => undefined).on("SIGTERM", () => server.kill("SIGTERM"));
process.exitCode = await server.exited;
