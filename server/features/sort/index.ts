export { sortRoutes } from "./routes";
