/**
 * Links that administrators hand over themselves: the same as those of the mails, with the same life, and told once. As nobody
 * mailed them they prove no address, but for those that confirm one: there the administrator vouches.
 */
import type { AdminLink, AdminLinkInput } from "@baasix/types";
import type { UserActor } from "../../../core/access/actor";
import { AppError } from "../../../core/errors";
import { type Account, findByEmail, invalidEmail, normalizeEmail } from "../accounts";
import { isServiceAccount } from "../api-tokens";
import { appLink } from "../app-links";
import { inviteByHand } from "../invites/invite";
import { noteChange } from "../note";
import { handedOver, type OneTimeKind } from "../one-time";
import { barred, requireLocal, type SignInParts } from "../sign-in";

type LinkParts = Pick<SignInParts, "config" | "data" | "oneTimes" | "clock">;

/** Where the links of the mails lead, below the application's address. */
const paths = {
  "magic-link": "auth/magiclink",
  "password-reset": "auth/reset-password",
  "email-verification": "auth/verify-email",
} as const satisfies Partial<Record<OneTimeKind, string>>;

/**
 * Makes a link; one of the kind that was mailed before is dead. `actor` null: whoever runs the server. The audit log tells of it.
 * @throws AppError NOT_FOUND `User not found`; FORBIDDEN for an account that may not come in; CONFLICT for an address that is
 * confirmed already; VALIDATION_ERROR; of an invitation what `invite` throws
 */
export async function generateLink(
  parts: LinkParts,
  actor: UserActor | null,
  { type, email: text, link, role_Id, tenant_Id }: AdminLinkInput,
): Promise<AdminLink> {
  if (type === "invite") {
    if (role_Id === undefined) throw needsRole();
    const request = { email: text, role: role_Id, tenant: tenant_Id, link, userMetadata: null };
    const { email, url, token, expiresAt } = await inviteByHand(parts, actor, request);
    return { type, email, url, token, expiresAt };
  }
  if (type !== "email-verification") requireLocal(parts.config);
  const { members: app } = await appLink(parts, { link, tenant: null });
  const email = normalizeEmail(text);
  if (email === null) throw invalidEmail();
  return parts.data.transaction(async (rows) => {
    const { account } = await findByEmail(rows, email);
    if (account === null || (await isServiceAccount(rows, account.id))) {
      throw new AppError("NOT_FOUND", "User not found");
    }
    requireUse(type, account);
    // Of this one its maker says that the address is right; the others prove none.
    const data = type === "email-verification" ? {} : handedOver;
    const made = await parts.oneTimes.create(rows, { kind: type, subject: email, data });
    const { expiresAt } = made;
    const after = { type, email, expiresAt };
    const entity = "baasix_Verification";
    await noteChange(rows, actor, { entity, entityId: account.id, action: "create", before: null, after });
    return { type, email, url: `${app}/${paths[type]}/${made.text}`, token: made.text, expiresAt };
  });
}

/** A link that could not be used is not made. */
function requireUse(type: keyof typeof paths, account: Account): void {
  if (account.status !== "active") throw barred(account);
  if (type === "email-verification" && account.emailVerified) {
    throw new AppError("CONFLICT", "The address of this account is confirmed already");
  }
}

function needsRole(): AppError {
  const message = "role_Id: an invitation gives a role";
  return new AppError("VALIDATION_ERROR", message, [{ field: "role_Id", message, rule: "required" }]);
}
