export { apple, type AppleCredentials, facebook, github, google, openIdConnect } from "./known";
export type { OAuthParts } from "./parts";
export { createProtocol, type Protocol } from "./protocol";
export type { Provider } from "./provider";
export { oauthRoutes } from "./routes";
