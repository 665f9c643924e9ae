export { type Bus, type BusOptions, openBus } from "./bus";
export { postgresTransport } from "./postgres";
export { redisTransport } from "./redis";
export type { OpenTransport, Transport } from "./transport";
