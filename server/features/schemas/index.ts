export { schemasRoutes, type SchemasParts } from "./routes";
