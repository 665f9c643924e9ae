export { writeCell } from "./cells";
export { importsRoutes, type ImportsParts } from "./routes";
