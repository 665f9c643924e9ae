/** Confirming mail addresses over HTTP. */
import { Elysia } from "elysia";
import type { VerifyEmailResult } from "@baasix/types";
import type { Actor, UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { answer, documented, originOf } from "./answers";
import { shownProof } from "./first-proof";
import { requireSession } from "./fresh";
import { checked, passwordBody, requireTexts, verifyBody } from "./model";
import { undoMove } from "./move-address";
import type { AuthParts } from "./parts";
import { requestOwnVerification, requestVerification, verifyEmail } from "./verify-email";

/** Mounts them. */
export function emailRoutes(parts: AuthParts) {
  return new Elysia({ name: "auth mail address" })
    .get(
      "/auth/email/verify/:token",
      ({ params, request }) => verify(params.token, null, request),
      documented("Confirm a mail address with the token of a mail"),
    )
    .post(
      "/auth/email/verify/:token",
      ({ body, params, request }) => verifyWithPassword(params.token, body, request),
      documented("The same with the account's password, which shows that it is one's own", passwordBody),
    )
    .post(
      "/auth/email/undo/:token",
      ({ params, request }) => undo(params.token, request),
      documented(
        "Take an account back whose mail address was changed, with the token of the mail that told it",
      ),
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
    const isSent = await requestOwnVerification(parts, requireSession(actor), app, originOf(request));
    return answer({ message: isSent ? "Verification email sent" : "Email already verified" });
  }

  function verifyWithPassword(token: string, sent: unknown, request: Request): Promise<Response> {
    requireTexts(sent, ["password"], "Password is required");
    return verify(token, checked(passwordBody, sent).password, request);
  }

  async function verify(token: string, password: string | null, request: Request): Promise<Response> {
    const follower = { actor: await sessionOf(request), password };
    const { account, firstProof } = await verifyEmail(parts, token, follower, originOf(request));
    const { id, email, firstName, lastName } = account;
    const body: VerifyEmailResult = {
      message: "Email verified successfully",
      user: { id, email, firstName, lastName, emailVerified: true },
      ...shownProof(firstProof),
    };
    return answer(body);
  }

  async function undo(token: string, request: Request): Promise<Response> {
    const { id, email, firstName, lastName } = await undoMove(parts, token, originOf(request));
    return answer({
      message: "Email restored. Choose a new password.",
      user: { id, email, firstName, lastName },
    });
  }

  /** The session that a request brings; one that has ended is none, as a link works without one, too. */
  async function sessionOf(request: Request): Promise<UserActor | null> {
    try {
      const actor = await parts.authenticator.authenticateEnrolling(request);
      return actor.kind === "user" && actor.via === "session" ? actor : null;
    } catch (error) {
      if (error instanceof AppError && ["UNAUTHORIZED", "FORBIDDEN"].includes(error.code)) return null;
      throw error;
    }
  }
}
