export { createData, type DataParts } from "./data";
export type { CommittedWrite, Data, PendingWrite, RawQuery, ReadAnswer, Rows, WriteBody } from "./door";
