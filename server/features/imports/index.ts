export { importsRoutes, type ImportsParts } from "./routes";
