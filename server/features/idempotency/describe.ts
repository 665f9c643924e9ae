/** The header `Idempotency-Key`, as the API's description has it. */
import { idempotencyHeader, replayedHeader } from "@baasix/types";

/** Of every write. */
export const keyParameter = {
  name: idempotencyHeader,
  in: "header" as const,
  description:
    "A name for this request, under which it takes effect once: sent again within a day it is answered as before, with " +
    `${replayedHeader}: true. Visible characters; without an account a UUID`,
  schema: { type: "string" as const, minLength: 1, maxLength: 255 },
};
