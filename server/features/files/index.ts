export { type KeepBytes, readUploadForm, type UploadForm } from "./multipart";
export { type FilesParts, filesRoutes } from "./routes";
