export { createRealtime, type Realtime, type RealtimeParts } from "./realtime";
export type { InTenant, RealtimeFace } from "./face";
export type { RoomValidator } from "./gate";
export type { MessageContext, MessageHandler } from "./invoke";
export type { MayFollow } from "./topics";
