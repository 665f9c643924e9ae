/** Loaded by `bunfig.toml` before any test file: gives tests time on a busy machine, and ends what they started. */
import { afterAll, setDefaultTimeout } from "bun:test";
import { cleanUp } from "./cleanup";

setDefaultTimeout(60_000);
afterAll(cleanUp);
