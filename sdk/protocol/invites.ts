/** Wire shapes of invitations, and of links that administrators hand over themselves. Times are ISO 8601. */
import type { AuthMode } from "./auth";

/** `expired`: it was pending for its seven days; nobody accepted it. */
export type InviteStatus = "pending" | "accepted" | "expired" | "revoked";

/**
 * Body of `POST /auth/invite`. `tenant_Id`: default the tenant in which the caller acts. `link`: where the mail leads, an
 * entry of the server's `AUTH_APP_URL`, by default the first one. `userMetadata`: what a new account begins with, from
 * administrators.
 */
export type InviteInput = {
  readonly email: string;
  readonly role_Id: string;
  readonly tenant_Id?: string | null;
  readonly link?: string;
  readonly userMetadata?: { readonly [name: string]: unknown } | null;
};

/** An invitation as it is listed. Its token is in the mail alone. */
export type Invite = {
  readonly id: string;
  readonly email: string;
  readonly status: InviteStatus;
  readonly role: { readonly id: string; readonly name: string };
  readonly tenant_Id: string | null;
  readonly expiresAt: string;
  /** When it was mailed last; null: it was handed over. */
  readonly sentAt: string | null;
  /** Null: whoever runs the server. */
  readonly invitedBy_Id: string | null;
  readonly acceptedBy_Id: string | null;
  readonly acceptedAt: string | null;
  readonly createdAt: string;
};

/** Answer of `POST /auth/invite`, and of `POST /auth/invites/:id/resend`. */
export type InviteResult = {
  readonly message: string;
  readonly invite: Pick<Invite, "id" | "email" | "status" | "expiresAt">;
};

/**
 * Answer of `GET /auth/verify-invite/:token` for an invitation that holds; any other is refused. `acceptUrl`: where to go on
 * in the application that was named as `link`.
 */
export type InviteInfo = {
  readonly valid: true;
  readonly email: string;
  /** Sign in and accept it, or else register with it. */
  readonly userExists: boolean;
  readonly tenant: { readonly id: string; readonly name: string } | null;
  readonly role: { readonly id: string; readonly name: string };
  readonly acceptUrl?: string;
};

/** Body of `POST /auth/accept-invite`; its answer is an `AuthResult`. */
export type AcceptInviteInput = { readonly inviteToken: string; readonly authMode?: AuthMode };

/** What a link does that an administrator asks for: `invite` alone may be for an address without an account. */
export type AdminLinkType = "magic-link" | "password-reset" | "email-verification" | "invite";

/** Body of `POST /auth/admin/links`. `role_Id` and `tenant_Id` as of an invitation, and for one alone. */
export type AdminLinkInput = {
  readonly type: AdminLinkType;
  readonly email: string;
  readonly link?: string;
  readonly role_Id?: string;
  readonly tenant_Id?: string | null;
};

/** Answer of `POST /auth/admin/links` (in `data`): nothing was mailed, and neither url nor token is told again. */
export type AdminLink = {
  readonly type: AdminLinkType;
  readonly email: string;
  readonly url: string;
  readonly token: string;
  readonly expiresAt: string;
};

/** Body of `PATCH /auth/me`: what everyone may change of the own account. */
export type ProfileInput = {
  readonly firstName?: string;
  readonly lastName?: string | null;
  readonly phone?: string | null;
  readonly userMetadata?: { readonly [name: string]: unknown } | null;
};
