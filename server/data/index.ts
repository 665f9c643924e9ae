export { createData, type DataParts } from "./data";
export type { CommittedWrite, Data, RawQuery, ReadAnswer, Rows, WriteBody } from "./door";
