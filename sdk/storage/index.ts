export { type StorageAdapter, storageKeys } from "./adapter";
export { AsyncStorageAdapter, type AsyncStorageLike } from "./async";
export { MemoryStorageAdapter } from "./memory";
export { LocalStorageAdapter } from "./web";
