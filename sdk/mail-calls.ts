/** Passwords, and ways in by mail: what is asked for, and what comes back from the mail. */
import type { LoginResult, MagicLinkInput, SessionType, User, VerifyEmailResult } from "@baasix/types";
import { type CallOptions, exchange, type Http, path, type Wire } from "./http";

/** Whom to mail. `redirectUrl`: where the link leads, one of the server's `AUTH_APP_URL`; by default the first of them. */
export type MailRequest = { readonly email: string; readonly redirectUrl?: string };

/** `mode`: a link to follow (the default), or a code to type. `tenantId`: whose words and looks the mail has. */
export type MagicLinkRequest = MailRequest &
  Pick<MagicLinkInput, "mode"> & { readonly tenantId?: string | null };

/** What a way in opens. */
export type SignInChoice = {
  /** The organisation to act in; by default the one that the account joined first. */
  readonly tenantId?: string | null;
  /** Default `default`. */
  readonly authType?: SessionType;
};

/** A code, and the address that it was mailed to. */
export type MailedCode = SignInChoice & { readonly email: string; readonly code: string };

/** The token of a link that was mailed. */
export type MailedToken = SignInChoice & { readonly token: string };

/** The account whose address was confirmed. */
export type VerifiedUser = VerifyEmailResult["user"] & Pick<VerifyEmailResult, "passwordRemoved">;

/** Signs in with a body and keeps the session, as `login` does. */
export type SignIn = (path: string, body: object, options?: CallOptions) => Promise<LoginResult>;

/** The calls. `wire` serves those that need no session. */
export function createMailCalls(wire: Wire, http: Http, signIn: SignIn) {
  const post = (to: string, body: object, options?: CallOptions): Promise<unknown> =>
    exchange(wire, { ...options, method: "POST", path: to, body }, null);
  return {
    /** Has a link mailed to choose a new password; whether there is such an account, nobody is told. */
    async forgotPassword({ email, redirectUrl }: MailRequest, options?: CallOptions): Promise<void> {
      await post("/auth/password/reset", { email, link: redirectUrl }, options);
    },
    /** Whether the token of such a link still holds. */
    async checkResetToken(token: string, options?: CallOptions): Promise<boolean> {
      const request = { ...options, path: path`/auth/password/reset/${token}` };
      return (await exchange<{ readonly valid: boolean }>(wire, request, null)).valid;
    },
    /** Sets the password with the token of the link; all sessions of the account end. @throws BaasixError INVALID_CREDENTIALS, VALIDATION_ERROR */
    async resetPassword(token: string, newPassword: string, options?: CallOptions): Promise<void> {
      await post(path`/auth/password/reset/${token}`, { password: newPassword }, options);
    },
    /** Changes the password; the other sessions of the account end. @throws BaasixError INVALID_CREDENTIALS, VALIDATION_ERROR */
    async changePassword(currentPassword: string, newPassword: string, options?: CallOptions): Promise<void> {
      const body = { currentPassword, newPassword };
      await http({ ...options, method: "POST", path: "/auth/password/change", body });
    },
    /** Has a link or a code mailed to sign in with. */
    async sendMagicLink(
      { email, mode, redirectUrl, tenantId }: MagicLinkRequest,
      options?: CallOptions,
    ): Promise<void> {
      await post("/auth/magiclink", { email, mode, link: redirectUrl, tenant_Id: tenantId }, options);
    },
    /** Signs in with the token of the link, or with the code. @throws BaasixError INVALID_CREDENTIALS, FORBIDDEN */
    verifyMagicLink: (proof: string | MailedToken | MailedCode, options?: CallOptions) =>
      signIn("/auth/magiclink/verify", typeof proof === "string" ? { token: proof } : proof, options),
    /** Has a one-time code of six digits mailed, which holds for five minutes. */
    async signInWithOtp({ email }: Pick<MailRequest, "email">, options?: CallOptions): Promise<void> {
      await post("/auth/otp", { email }, options);
    },
    /** Signs in with the one-time code. @throws BaasixError INVALID_CREDENTIALS, FORBIDDEN */
    verifyOtp: (proof: MailedCode, options?: CallOptions) => signIn("/auth/otp/verify", proof, options),
    /**
     * Has a link mailed that confirms the address of who is signed in; `asked` with an `email`: for who cannot sign in before
     * that, and nobody is told whether there is such an account.
     */
    async requestEmailVerification(asked?: string | MailRequest, options?: CallOptions): Promise<void> {
      if (typeof asked === "object") {
        await post("/auth/email/verify", { email: asked.email, link: asked.redirectUrl }, options);
        return;
      }
      await http({ ...options, method: "POST", path: "/auth/email/verify", body: { link: asked } });
    },
    /**
     * Confirms the address with the token of the link; gives the account. Its first proof takes away a password that somebody else
     * may have chosen (`passwordRemoved`): not when the account is signed in here, or its `password` is given.
     * @throws BaasixError INVALID_CREDENTIALS
     */
    async verifyEmail(
      token: string,
      { password, ...options }: CallOptions & { readonly password?: string } = {},
    ): Promise<VerifiedUser> {
      const request = { ...options, path: path`/auth/email/verify/${token}` };
      const { user, passwordRemoved } = await http<VerifyEmailResult>(
        password === undefined ? request : { ...request, method: "POST", body: { password } },
      );
      return { ...user, ...(passwordRemoved && { passwordRemoved }) };
    },
    /**
     * Takes an account back whose address somebody has changed, with the token of the mail that told it to the address before.
     * A new password must be chosen then. @throws BaasixError INVALID_CREDENTIALS
     */
    async undoEmailChange(token: string, options?: CallOptions): Promise<User> {
      const request = { ...options, method: "POST", path: path`/auth/email/undo/${token}` } as const;
      return (await exchange<{ readonly user: User }>(wire, request, null)).user;
    },
  };
}
