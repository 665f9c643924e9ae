export { openFeed, type FeedOptions } from "./feed";
export { type Notices, openNotices } from "./notices";
export { openDatabase, type PoolOptions } from "./pool";
export { sqlState } from "./sqlstate";
export { StartError } from "./start-error";
export type {
  ChangeFeed,
  ChangeSet,
  Database,
  DatabaseAddress,
  Row,
  RowChange,
  RunOptions,
  Runner,
  TransactionRunner,
} from "./database";
