import type { Config } from "./config";
import type { Parts } from "./parts";

export { type Config, ConfigError, readConfig } from "./config";
export { AppError } from "./core/errors";
export type { Parts } from "./parts";
export { StartError } from "./platform/postgres/embedded";
export { type RunningServer, startServer } from "./start";
export { version } from "./package.json";

/** See `parts.ts`, which is loaded when it is asked for: a server that starts does without it. */
export async function openParts(config: Config): Promise<Parts> {
  const parts = await import("./parts");
  return parts.openParts(config);
}
