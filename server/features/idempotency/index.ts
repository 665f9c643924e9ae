export { keyParameter } from "./describe";
export { createIdempotency, type Idempotency, type OnceRequest } from "./once";
export { removeExpiredKeys } from "./sweep";
export { markOfRights } from "./rights";
