/** Invitations: sent, looked at, and accepted. */
import type {
  AcceptInviteInput,
  AuthMode,
  InviteInfo,
  InviteInput,
  InviteResult,
  LoginResult,
} from "@baasix/types";
import type { Register, RegisterRequest } from "./auth";
import { BaasixError } from "./error";
import { type CallOptions, exchange, type Http, path, type Wire } from "./http";
import type { Session } from "./session";

/** Whom to invite, as what, and where the mail's link leads (one of the server's `AUTH_APP_URL`, by default the first). */
export type InviteRequest = {
  readonly email: string;
  readonly roleId: string;
  /** By default the organisation in which the caller acts. */
  readonly tenantId?: string | null;
  readonly redirectUrl?: string;
  /** What a new account begins with, from administrators. */
  readonly userMetadata?: InviteInput["userMetadata"];
};

/** An invitation that does not hold: unknown, used, withdrawn, or too old. */
export type NoInvite = { readonly valid: false; readonly message: string };

/** What the calls need. */
export type InviteParts = {
  readonly wire: Wire;
  readonly http: Http;
  readonly session: Session;
  readonly authMode: AuthMode;
  readonly register: Register;
};

/** The calls. */
export function createInvites({ wire, http, session, authMode, register }: InviteParts) {
  return {
    /** Has an invitation mailed. @throws BaasixError FORBIDDEN for a role that the caller may not give */
    async sendInvite(request: InviteRequest, options?: CallOptions): Promise<InviteResult["invite"]> {
      const { roleId, tenantId, redirectUrl, ...rest } = request;
      const body: InviteInput = { ...rest, role_Id: roleId, tenant_Id: tenantId, link: redirectUrl };
      return (await http<InviteResult>({ ...options, method: "POST", path: "/auth/invite", body })).invite;
    },
    /** Whom the token of an invitation invites, and as what. `redirectUrl`: the application that `acceptUrl` shall lead to. */
    async verifyInvite(
      token: string,
      redirectUrl?: string,
      options?: CallOptions,
    ): Promise<InviteInfo | NoInvite> {
      const query = { link: redirectUrl };
      const request = { ...options, path: path`/auth/verify-invite/${token}`, query };
      try {
        return await exchange<InviteInfo>(wire, request, null);
      } catch (error) {
        if (!(error instanceof BaasixError) || error.code !== "INVALID_CREDENTIALS") throw error;
        return { valid: false, message: error.message };
      }
    },
    /**
     * Accepts an invitation as who is signed in; this client goes on with a session where it leads.
     * @throws BaasixError INVALID_CREDENTIALS, FORBIDDEN when it is for another address
     */
    acceptInvite: (token: string, options?: CallOptions): Promise<LoginResult> =>
      http({
        ...options,
        method: "POST",
        path: "/auth/accept-invite",
        body: { inviteToken: token, authMode } satisfies AcceptInviteInput,
        within: (work) => session.swap(work, false),
      }),
    /** Makes the account that an invitation is for, and signs it in. @throws BaasixError INVALID_CREDENTIALS, VALIDATION_ERROR */
    registerWithInvite: (input: RegisterRequest & { readonly inviteToken: string }, options?: CallOptions) =>
      register(input, options),
  };
}
