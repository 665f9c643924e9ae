/** Invitations that were sent: listed, mailed again, taken back. */
import type { Invite, InviteResult, InviteStatus } from "@baasix/types";
import { type CallOptions, type Http, path } from "./http";

/** The calls on the invitations that the caller may make. */
export type SentInvites = {
  /** The newest first, 1,000 at most. */
  find(status?: InviteStatus, options?: CallOptions): Promise<readonly Invite[]>;
  /** Mails one again, with another link and seven days more. @throws BaasixError NOT_FOUND, CONFLICT when it has ended */
  resend(id: string, redirectUrl?: string, options?: CallOptions): Promise<InviteResult["invite"]>;
  /** Takes one back: its link is dead. @throws BaasixError NOT_FOUND, CONFLICT when it has ended */
  revoke(id: string, options?: CallOptions): Promise<void>;
};

/** The calls on `/auth/invites`. */
export function createSentInvites(http: Http): SentInvites {
  const one = (id: string) => path`/auth/invites/${id}`;
  return {
    find: async (status, options) =>
      (
        await http<{ readonly data: readonly Invite[] }>({
          ...options,
          path: "/auth/invites",
          query: { status },
        })
      ).data,
    resend: async (id, link, options) =>
      (
        await http<InviteResult>({
          ...options,
          method: "POST",
          path: `${one(id)}/resend`,
          body: { link },
        })
      ).invite,
    revoke: (id, options) => http({ ...options, method: "DELETE", path: one(id) }),
  };
}
