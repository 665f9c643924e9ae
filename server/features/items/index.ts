export { dataAnswer, itemAnswer, listAnswer } from "./answer";
export { itemsRoutes, type ItemsParts } from "./routes";
