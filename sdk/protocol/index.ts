export * from "./auth";
export * from "./errors";
export * from "./files";
export * from "./items";
export * from "./query";
export * from "./realtime";
export * from "./schema";
