export { createExplain, type Explain } from "./explain";
export { protectRights } from "./protect";
export { permissionsRoutes, type PermissionsParts } from "./routes";
