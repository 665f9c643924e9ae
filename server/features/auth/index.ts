export { type AdminInput, createAdmin, ensureFirstAdmin, listAdmins, upsertAdmin } from "./admin";
export {
  confirmAddressOf,
  listAccounts,
  type ListedAccount,
  type OperatorLink,
  operatorLink,
  removeAccount,
  setPasswordOf,
  setStatus,
} from "./administration/operator";
export { startInvited } from "./invites/accept";
export { sweepInvites } from "./invites/rows";
export { type Authenticator, type AuthenticatorParts, createAuthenticator } from "./authenticate";
export { findCredential, type Credential } from "./credentials";
export { requireAdministrator, requireFresh, requireSession, requireUser } from "./fresh";
export { joinAccountWrites } from "./account-writes";
export { tellMoved } from "./move-address";
export { createErrands, type Errands } from "./errands";
export { removeExpiredChallenges } from "./mfa/challenges";
export { sealFactorsAnew } from "./mfa/factors";
export { createFactorSeal, type FactorSeal } from "./mfa/seal";
export { removeExpiredOneTimes } from "./one-time";
export { type CheckPassword, createPasswordPolicy, type PasswordOwner } from "./password-policy";
export { createPasswords, type Passwords } from "./passwords";
export { type AuthParts, type AuthRoutesParts, createParts as createAuthParts } from "./parts";
export { authRoutes } from "./routes";
export { deriveKey, loadSecret, type Secret } from "./secret";
export { removeExpiredSessions } from "./sessions";
export { createTokens, type TokenOptions, type Tokens } from "./tokens";
export { type Account, findAccount, findByEmail, normalizeEmail } from "./accounts";
export { answer, documented, guardCookieMode, originOf, provenAnswer, signedInAnswer } from "./answers";
export { finishSignIn } from "./finish-sign-in";
export { checked } from "./model";
export { findRole, noSuchRole } from "./roles";
export { noteProof } from "./reauthenticate";
export { countClient, lockAccount } from "./sign-in";
export { welcome } from "./verify-email";
