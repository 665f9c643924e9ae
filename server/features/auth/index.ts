export { type AdminInput, createAdmin, ensureFirstAdmin, listAdmins, upsertAdmin } from "./admin";
export { type Authenticator, type AuthenticatorParts, createAuthenticator } from "./authenticate";
export { findCredential, type Credential } from "./credentials";
export { createPasswords, passwordFault, type Passwords } from "./passwords";
export { authRoutes, type AuthRoutesParts } from "./routes";
export { deriveKey, loadSecret, type Secret } from "./secret";
export { removeExpiredSessions } from "./sessions";
export { createTokens, type TokenOptions, type Tokens } from "./tokens";
