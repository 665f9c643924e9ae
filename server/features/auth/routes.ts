/** `/auth` over HTTP: the routes of each capability, on parts that they share. The work is in the verbs. */
import { Elysia } from "elysia";
import { administrationRoutes } from "./administration/routes";
import { apiTokenRoutes } from "./api-token-routes";
import type { AuthParts } from "./parts";
import { emailRoutes } from "./email-routes";
import { inviteRoutes } from "./invites/routes";
import { mailSignInRoutes } from "./mail-sign-in-routes";
import { mfaRoutes } from "./mfa/routes";
import { passwordRoutes } from "./password-routes";
import { sessionRoutes } from "./session-routes";
import { signInRoutes } from "./sign-in-routes";
import { tenantRoutes } from "./tenant-routes";

/** The routes of accounts, sessions and API tokens. */
export function authRoutes(parts: AuthParts) {
  return new Elysia({ name: "auth" })
    .use(signInRoutes(parts))
    .use(passwordRoutes(parts))
    .use(mailSignInRoutes(parts))
    .use(emailRoutes(parts))
    .use(mfaRoutes(parts))
    .use(sessionRoutes(parts))
    .use(tenantRoutes(parts))
    .use(inviteRoutes(parts))
    .use(administrationRoutes(parts))
    .use(apiTokenRoutes(parts));
}
