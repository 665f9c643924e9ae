export { dataAnswer, listAnswer } from "./answer";
export { itemsRoutes, type ItemsParts } from "./routes";
