/** How the user would call us again, for messages that name a command. */
import type { Environment } from "./command";

/** The executable as it was called; from source `bun run baasix`, with `npx` before it when that was used. */
export function programName(env: Environment): string {
  if (Bun.isStandaloneExecutable) return process.argv0;
  const throughNpx = env.npm_execpath?.includes("npm-cli") ?? false;
  return throughNpx ? `npx bun@${Bun.version} run baasix` : "bun run baasix";
}
