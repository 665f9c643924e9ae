export { requireAccount, sortRoutes } from "./routes";
