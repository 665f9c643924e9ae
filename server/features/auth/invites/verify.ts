/** `GET /auth/verify-invite/:token`: what an invitation is to, for who holds its token. */
import type { InviteInfo } from "@baasix/types";
import { AppError } from "../../../core/errors";
import { findByEmail } from "../accounts";
import { appLink } from "../app-links";
import { countClient, type Origin, type SignInParts } from "../sign-in";
import { mayStillInvite } from "./inviters";
import { invalidInvite } from "./model";
import { findByToken } from "./rows";

/**
 * Tells it; the invitation stays as it is. `link`: the application to go on in, an entry of `AUTH_APP_URL`.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired invitation`; VALIDATION_ERROR `Invalid application URL`; RATE_LIMITED
 */
export async function verifyInvite(
  parts: SignInParts,
  token: string,
  link: string | null,
  origin: Origin,
): Promise<InviteInfo> {
  const { clock, config, data } = parts;
  countClient(parts, origin.client);
  const invite = await findByToken(data, token, clock());
  if (invite === null) throw invalidInvite();
  const { email, role, tenant } = invite;
  const gift = { role, tenant: tenant?.id ?? null };
  if (!(await mayStillInvite(data, config, invite.invitedBy_Id, gift))) throw invalidInvite();
  const app = link === null ? null : await applicationOf(parts, link, gift.tenant);
  const userExists = (await findByEmail(data, email)).account !== null;
  return {
    valid: true,
    email,
    userExists,
    tenant,
    role: { id: role.id, name: role.name },
    ...(app !== null && { acceptUrl: acceptUrl(app, token, email, userExists) }),
  };
}

function acceptUrl(app: string, token: string, email: string, userExists: boolean): string {
  return userExists
    ? `${app}/login?inviteToken=${token}`
    : `${app}/register?inviteToken=${token}&email=${encodeURIComponent(email)}`;
}

async function applicationOf(parts: SignInParts, link: string, tenant: string | null): Promise<string> {
  try {
    return (await appLink(parts, { link, tenant })).members;
  } catch (error) {
    if (!(error instanceof AppError && error.code === "VALIDATION_ERROR")) throw error;
    throw new AppError("VALIDATION_ERROR", "Invalid application URL", error.details, { cause: error });
  }
}
