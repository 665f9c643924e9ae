export { createRealtime, type Realtime, type RealtimeParts } from "./realtime";
