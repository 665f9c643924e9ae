export { type JsonPart, readJsonPart } from "./jsonPart";
export { type KeepBytes, limitedBody, readUploadForm, type UploadForm } from "./multipart";
export { type FilesParts, filesRoutes } from "./routes";
export { removeAbandonedBytes } from "./sweep";
