export { type Config, ConfigError, readConfig } from "./config";
export { AppError } from "./core/errors";
export { openParts, type Parts, type RunningServer, startServer } from "./start";
export { StartError } from "./platform/postgres";
export { version } from "./package.json";
