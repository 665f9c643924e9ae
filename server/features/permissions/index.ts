export { protectRights } from "./protect";
export { permissionsRoutes, type PermissionsParts } from "./routes";
