/** Loaded by `bunfig.toml` before any test file: gives tests time on a busy machine, and ends what they started. */
import { afterAll, setDefaultTimeout } from "bun:test";
import { cleanUp } from "./cleanup";

// For a file that runs alone: Bun 1.4.4 forgets it with the next file. `bun run test` says --timeout.
setDefaultTimeout(60_000);
afterAll(cleanUp);
