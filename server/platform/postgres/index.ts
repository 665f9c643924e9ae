export { type FeedOptions, type LogSettings, openFeed, readLogSettings } from "./feed";
export { type Notices, openNotices } from "./notices";
export { LONG_TEXT, openDatabase, type PoolOptions } from "./pool";
export { sqlState } from "./sqlstate";
export { StartError } from "./start-error";
export type {
  ChangeFeed,
  ChangeSet,
  Database,
  DatabaseAddress,
  FeedStatus,
  Row,
  RowChange,
  RunOptions,
  Runner,
  TransactionRunner,
} from "./database";
