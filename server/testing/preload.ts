/** Loaded by `bunfig.toml` before any test file: ends what tests started. */
import { afterAll } from "bun:test";
import { cleanUp } from "./cleanup";

afterAll(cleanUp);
