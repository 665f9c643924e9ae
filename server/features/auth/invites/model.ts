/** What the routes of invitations take. */
import { z } from "zod";
import { AppError } from "../../../core/errors";
import { metadata } from "../metadata";
import { checked, requireTexts } from "../model";

const address = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined)
  .meta({
    description: "Where the link of the mail leads: an entry of AUTH_APP_URL; the first one by default",
  });
const authMode = z.enum(["jwt", "cookie"]).catch("jwt").default("jwt");

/** Body of `POST /auth/invite`. `redirectUrl` is another word for `link`. */
export const inviteBody = z.strictObject({
  email: z.string(),
  role_Id: z.uuid().meta({ description: "The role that the account gets" }),
  tenant_Id: z.uuid().nullish().meta({ description: "Where it gets the role; default: the caller's tenant" }),
  link: address,
  redirectUrl: address,
  userMetadata: metadata.nullish().meta({ description: "What a new account begins with (administrators)" }),
});

/** Body of `POST /auth/invites/:id/resend`; all of it may be missing. */
export const resendBody = z.strictObject({ link: address, redirectUrl: address });

/** Body of `POST /auth/accept-invite`. */
export const acceptBody = z.strictObject({ inviteToken: z.string().max(200), authMode });

const listQuery = z.strictObject({
  status: z.enum(["pending", "accepted", "expired", "revoked"]).optional(),
});

/** What somebody is invited with. `tenant` undefined: that of who invites. */
export type InviteRequest = {
  readonly email: string;
  readonly role: string;
  readonly tenant: string | null | undefined;
  readonly link: string | undefined;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
};

/** @throws AppError VALIDATION_ERROR */
export function parseInvite(body: unknown): InviteRequest {
  requireTexts(body, ["email", "role_Id"], "Email and role_Id are required");
  const { email, role_Id, tenant_Id, link, redirectUrl, userMetadata } = checked(inviteBody, body);
  return {
    email,
    role: role_Id.toLowerCase(),
    tenant: tenant_Id?.toLowerCase(),
    link: link ?? redirectUrl,
    userMetadata: userMetadata ?? null,
  };
}

/** Gives the application's address. @throws AppError VALIDATION_ERROR */
export function parseResend(body: unknown): string | undefined {
  const { link, redirectUrl } = checked(resendBody, body ?? {});
  return link ?? redirectUrl;
}

/** @throws AppError VALIDATION_ERROR */
export function parseAccept(body: unknown): z.output<typeof acceptBody> {
  requireTexts(body, ["inviteToken"], "Invitation token is required");
  return checked(acceptBody, body);
}

/** @throws AppError VALIDATION_ERROR */
export function parseList(url: string): z.output<typeof listQuery> {
  return checked(listQuery, Object.fromEntries(new URL(url).searchParams));
}

/** The refusal of a token that invites nobody. 400: it is not the caller's session that ended. */
export function invalidInvite(): AppError {
  return new AppError("INVALID_CREDENTIALS", "Invalid or expired invitation");
}
