/** Wire shapes of `/auth`. Times are seconds unless said otherwise. */
import type { AuthRole, Permission } from "./items";
import type { NewTenantInput, Tenant } from "./tenants";

/** `jwt`: tokens in the body. `cookie`: HttpOnly cookies, and no refresh token in the body. */
export type AuthMode = "jwt" | "cookie";

/** The account as it is answered at sign-in. */
export type User = {
  readonly id: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string | null;
};

export type RegisterInput = {
  readonly email: string;
  readonly password: string;
  readonly firstName: string;
  readonly lastName?: string;
  readonly phone?: string;
  /** A name to sign in with: 3 to 64 letters, digits, dots, dashes and underscores; its letter case says nothing. */
  readonly username?: string;
  /** Where the mail leads that confirms the address, where one is sent: an entry of the server's `AUTH_APP_URL`. */
  readonly link?: string;
  /** Of an invitation to this address: gives the account its role, and needs no open registration. */
  readonly inviteToken?: string;
  /** Founds an organisation, of which the account is the owner. Needed where new accounts have a role within one. */
  readonly tenant?: NewTenantInput;
  readonly authMode?: AuthMode;
};

/** What a session is opened for. The operator may limit how many of `mobile` and `web` an account has. */
export type SessionType = "default" | "mobile" | "web";

/** `email`, `username` or `identifier` (either of them) names the account. */
export type LoginInput = {
  readonly email?: string;
  readonly username?: string;
  readonly identifier?: string;
  readonly password: string;
  readonly authMode?: AuthMode;
  /** Default `default`. */
  readonly authType?: SessionType;
  /** The organisation to act in; by default the one that the account joined first. */
  readonly tenant_Id?: string | null;
};

/** Answer of register and login. `token` lives `expiresIn` seconds; `refreshToken` is there in `jwt` mode only. */
export type AuthResult = {
  readonly message?: string;
  readonly token: string;
  readonly refreshToken?: string;
  readonly expiresIn: number;
  readonly authMode: AuthMode;
  readonly user: User;
  /** The role that the account has had longest of those that count in `tenant`; null: it has none. `permissions`: of all roles. */
  readonly role: AuthRole | null;
  readonly roles: readonly AuthRole[];
  readonly permissions: readonly Permission[];
  /** The organisation in which the session acts. */
  readonly tenant: Tenant | null;
  /** How many factors were proven. */
  readonly aal: 1 | 2;
  /** A role asks for a second factor, and the account has none: the session is good for `POST /auth/mfa/factors` alone. */
  readonly mfaEnrollmentRequired?: true;
  readonly mfaRequired?: undefined;
};

/** Answer of a registration that waits for its mail address to be confirmed; the same where the address was taken. */
export type PendingResult = {
  readonly message: string;
  readonly requiresEmailVerification: true;
  readonly user: User;
  readonly role: AuthRole;
  readonly permissions: readonly Permission[];
  /** The one that is founded with the account. Another id where the address was taken, as the account's. */
  readonly tenant: Tenant | null;
};

/** Body of `POST /auth/magiclink`. `link`: an entry of the server's `AUTH_APP_URL`, by default the first one. */
export type MagicLinkInput = {
  readonly email: string;
  /** A link to follow, or a code to type. Default `link`. */
  readonly mode?: "link" | "code";
  readonly link?: string;
  /** Whose words and looks the mail has, where the account is one of its members. */
  readonly tenant_Id?: string | null;
};

/** Body of `POST /auth/magiclink/verify`: the token of a link, or a code and the address that it was mailed to. */
export type MagicLinkProof = (
  { readonly token: string } | { readonly email: string; readonly code: string }
) & {
  readonly authMode?: AuthMode;
  readonly authType?: SessionType;
  /** The organisation to act in; by default the one that the account joined first. */
  readonly tenant_Id?: string | null;
};

/** Body of `POST /auth/otp/verify`. */
export type OtpProof = {
  readonly email: string;
  readonly code: string;
  readonly authMode?: AuthMode;
  readonly authType?: SessionType;
  /** The organisation to act in; by default the one that the account joined first. */
  readonly tenant_Id?: string | null;
};

/**
 * Answer of `GET /auth/email/verify/:token`. `passwordRemoved`: it was the first proof of the address, and nobody knows who chose
 * the password before; sign-ins by mail tell it, too.
 */
export type VerifyEmailResult = {
  readonly message: string;
  readonly user: User & { readonly emailVerified: true };
  readonly passwordRemoved?: true;
};

/** Answer of `POST /auth/refresh`. */
export type RefreshResult = {
  readonly token: string;
  readonly refreshToken?: string;
  readonly expiresIn: number;
  readonly authMode: AuthMode;
};

/** Answer of `GET /auth/me`. */
export type MeResult = {
  readonly user: User & { readonly [field: string]: unknown };
  /** The role that the account has had longest of those that count in `tenant`; null: it has none. `permissions`: of all roles. */
  readonly role: AuthRole | null;
  readonly roles: readonly AuthRole[];
  readonly permissions: readonly Permission[];
  readonly tenant: Tenant | null;
};

/** A session that is open. Times are ISO 8601; `lastUsedAt`: when it was opened or its tokens were renewed last. */
export type SessionInfo = {
  readonly id: string;
  readonly type: SessionType;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  /** The organisation in which it acts. */
  readonly tenant_Id: string | null;
  /** It is the one that asks. */
  readonly current: boolean;
};

/** Answer of `POST /auth/reauthenticate`: when the secret was proven (ISO 8601). */
export type ReauthenticateResult = { readonly message: string; readonly authenticatedAt: string };

/** An API token as it is listed; its text is told once, when it is made. Times are ISO 8601. */
export type ApiToken = {
  readonly id: string;
  readonly name: string;
  /** The first characters of its text. */
  readonly prefix: string;
  /** The account that it acts as, with this one role. */
  readonly user_Id: string;
  readonly role_Id: string;
  /** The organisation in which it acts. */
  readonly tenant_Id: string | null;
  /** Null: it does not end. */
  readonly expiresAt: string | null;
  /** Noted once a minute at most. */
  readonly lastUsedAt: string | null;
  readonly createdBy_Id: string | null;
  readonly createdAt: string;
};

/** An API token that was made or replaced just now, with its text. */
export type NewApiToken = ApiToken & { readonly token: string };

/** Body of `POST /auth/tokens`. Without `user_Id` a service account is made for it. */
export type ApiTokenInput = {
  readonly name: string;
  readonly role_Id: string;
  readonly user_Id?: string | null;
  /** The organisation to act in, in which the account has the role: for roles within one. */
  readonly tenant_Id?: string | null;
  /** ISO 8601; null or missing: it does not end. */
  readonly expiresAt?: string | null;
};
