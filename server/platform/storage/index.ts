export { openLocalStorage } from "./local";
export { openSpool, type Spool, type Spooled } from "./spool";
export type { ByteSource, Storage, StoredEntry, StoredFile } from "./storage";
