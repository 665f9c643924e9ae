export { openLocalStorage } from "./local";
export type { ByteSource, Storage, StoredEntry, StoredFile } from "./storage";
