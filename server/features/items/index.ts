export { type Cell, plainText, writeCell } from "./cell";
export { dataAnswer, itemAnswer, itemText, listAnswer, listText, writtenItems } from "./answer";
export { changeItems, isDeletion, type KeepsDeleted } from "./change";
export { id as itemId, item as itemBody, readEntry, readFlag, readOn, readParameters } from "./model";
export { readVersion, refuseConditions } from "./version";
export { itemsRoutes, type ItemsParts } from "./routes";
