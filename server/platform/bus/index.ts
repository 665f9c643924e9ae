export { type Bus, type BusOptions, openBus } from "./bus";
export { postgresTransport } from "./postgres";
export { redisTransport } from "./redis";
export { createSeal, type Seal, type Sealed } from "./seal";
export type { OpenTransport, Transport } from "./transport";
