/** What the routes of administration take. */
import { z } from "zod";
import { metadata } from "../metadata";

const name = z.string().trim().min(1).max(255);
const address = z
  .string()
  .optional()
  .meta({ description: "Where it leads: an entry of AUTH_APP_URL; the first one by default" });

/** Body of `POST /auth/admin/links`. */
export const linkBody = z.strictObject({
  type: z.enum(["magic-link", "password-reset", "email-verification", "invite"]),
  email: z.string(),
  link: address,
  role_Id: z
    .uuid()
    .transform((id) => id.toLowerCase())
    .optional()
    .meta({ description: "Of an invitation: the role that it gives" }),
  tenant_Id: z
    .uuid()
    .transform((id) => id.toLowerCase())
    .nullish()
    .meta({ description: "Of an invitation: where it gives the role" }),
});

/** Body of `PATCH /auth/me`: these fields and no other. */
export const profileBody = z.strictObject({
  firstName: name.optional(),
  lastName: name.nullish(),
  phone: z.string().trim().max(50).nullish(),
  userMetadata: metadata.nullish(),
});
