export { healthRoutes, type HealthParts } from "./routes";
