export { permissionsRoutes, type PermissionsParts } from "./routes";
