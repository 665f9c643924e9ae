export { openApiRoutes, type OpenApiParts } from "./routes";
