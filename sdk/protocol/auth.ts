/** Wire shapes of `/auth`. Times are seconds unless said otherwise. */
import type { AuthRole, Permission } from "./items";

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
  readonly authMode?: AuthMode;
};

export type LoginInput = { readonly email: string; readonly password: string; readonly authMode?: AuthMode };

/** Answer of register and login. `token` lives `expiresIn` seconds; `refreshToken` is there in `jwt` mode only. */
export type AuthResult = {
  readonly message?: string;
  readonly token: string;
  readonly refreshToken?: string;
  readonly expiresIn: number;
  readonly authMode: AuthMode;
  readonly user: User;
  /** The role that the account has had longest; `permissions` are those of all roles. */
  readonly role: AuthRole;
  readonly roles: readonly AuthRole[];
  readonly permissions: readonly Permission[];
  readonly tenant: null;
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
  /** The role that the account has had longest; `permissions` are those of all roles. */
  readonly role: AuthRole;
  readonly roles: readonly AuthRole[];
  readonly permissions: readonly Permission[];
  readonly tenant: null;
};
