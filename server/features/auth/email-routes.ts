/** Confirming mail addresses over HTTP. */
import { Elysia } from "elysia";
import type { Actor } from "../../core/access/actor";
import { answer, documented, originOf, privateJson } from "./answers";
import { requireSession } from "./fresh";
import { checked, verifyBody } from "./model";
import type { AuthParts } from "./parts";
import { requestOwnVerification, requestVerification, verifyEmail } from "./verify-email";

/** Mounts them. */
export function emailRoutes(parts: AuthParts) {
  return new Elysia({ name: "auth mail address" })
    .get(
      "/auth/email/verify/:token",
      ({ params, request }) => verify(params.token, request),
      documented("Confirm a mail address with the token of a mail"),
    )
    .use(parts.identity)
    .post(
      "/auth/email/verify",
      ({ actor, body, request }) => ask(actor, body, request),
      documented(
        "Ask for a mail to confirm my address; without a sign-in, the address of `email`",
        verifyBody,
      ),
    );

  async function ask(actor: Actor, sent: unknown, request: Request): Promise<Response> {
    const { email, link, redirectUrl, tenant_Id: tenant } = checked(verifyBody, sent ?? {});
    const app = link ?? redirectUrl;
    if (actor.kind === "anonymous" && email !== undefined) {
      await requestVerification(parts, { email, link: app, tenant }, originOf(request));
      return answer({ message: "Verification email sent" });
    }
    const isSent = await requestOwnVerification(parts, requireSession(actor), app);
    return answer({ message: isSent ? "Verification email sent" : "Email already verified" });
  }

  async function verify(token: string, request: Request): Promise<Response> {
    const user = await verifyEmail(parts, token, originOf(request));
    return new Response(`{"message":"Email verified successfully","user":${user}}`, { headers: privateJson });
  }
}
