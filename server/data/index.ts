export { type CountOn, createCounters } from "./counters";
export { createData, type DataParts } from "./data";
export type {
  CommittedWrite,
  Data,
  ExplainedCaller,
  ExplainedRead,
  JoinedWrite,
  Move,
  PendingWrite,
  RawQuery,
  ReadAnswer,
  ReadOneAnswer,
  RemoveOptions,
  Rows,
  TransactionOptions,
  UpdateEntry,
  Upserted,
  UpsertTarget,
  WriteBody,
  WriteJoin,
} from "./door";
export { tellMissing } from "./extensions";
export {
  createJudge,
  type Judge,
  type Judgement,
  type Looked,
  markOf,
  type Sight,
  type Survey,
  type View,
} from "./judge";
export { createLiveQueries, type LiveAnswer, type LiveQueries, type LiveQuery } from "./live";
export { type ChangeOptions, openSnapshot, type Snapshot, type SnapshotStore } from "./snapshot";
export { removeInBatches } from "./sweep";
export { createTotals, type Totals } from "./totals";
export { guestOf } from "./write";
