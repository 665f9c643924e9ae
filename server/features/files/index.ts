export { type FilesParts, filesRoutes } from "./routes";
