/** Forgotten, changed and given passwords over HTTP, under the paths of the contract and those of the documents. */
import { Elysia } from "elysia";
import type { Actor } from "../../core/access/actor";
import { answer, documented, idFrom, originOf } from "./answers";
import { changePassword, changePasswordOf, chooseFirstPassword, passwordsMissing } from "./change-password";
import { requireAdministrator, requireFresh, requireSession } from "./fresh";
import {
  changeBody,
  changeOfBody,
  checked,
  requestResetBody,
  requireTexts,
  resetBody,
  resetTokenBody,
} from "./model";
import type { AuthParts } from "./parts";
import { checkReset, requestReset, resetPassword } from "./reset-password";

const askDocumented = documented("Ask for a link to choose a new password, by mail", requestResetBody);
const changeOfDocumented = documented(
  "Set the password of a user (administrators, with a fresh proof)",
  changeOfBody,
);

/** Mounts them. */
export function passwordRoutes(parts: AuthParts) {
  const { clock, identity } = parts;
  return new Elysia({ name: "auth passwords" })
    .post("/auth/password/reset", ({ body, request }) => ask(body, request), askDocumented)
    .post("/auth/forgot-password", ({ body, request }) => ask(body, request), askDocumented)
    .get(
      "/auth/password/reset/:token",
      async ({ params, request }) =>
        answer({ valid: await checkReset(parts, params.token, originOf(request)) }),
      documented("Whether a link to choose a new password holds"),
    )
    .post(
      "/auth/password/reset/:token",
      ({ body, params, request }) => reset(body, params.token, request),
      documented("Choose a new password with the token of a mail", resetBody),
    )
    .post(
      "/auth/reset-password",
      ({ body, request }) => resetWithToken(body, request),
      documented("Choose a new password with the token of a mail", resetTokenBody),
    )
    .use(identity)
    .post(
      "/auth/password/change",
      ({ actor, body, request }) => change(actor, body, request),
      documented("Change my password; with a fresh proof, choose the first one", changeBody),
    )
    .post("/auth/admin/password/change", ({ actor, body }) => changeOf(actor, body), changeOfDocumented)
    .post("/auth/admin/change-password", ({ actor, body }) => changeOf(actor, body), changeOfDocumented);

  async function ask(body: unknown, request: Request): Promise<Response> {
    requireTexts(body, ["email"], "Email is required");
    const { email, link, redirectUrl, tenant_Id: tenant } = checked(requestResetBody, body);
    await requestReset(parts, { email, link: link ?? redirectUrl, tenant }, originOf(request));
    return answer({ message: "If an account exists, a reset link will be sent" });
  }

  function resetWithToken(body: unknown, request: Request): Promise<Response> {
    requireTexts(body, ["token"], "Token is required");
    requireTexts(body, ["password"], "Password is required");
    return reset(body, checked(resetTokenBody, body).token, request);
  }

  async function reset(body: unknown, token: string, request: Request): Promise<Response> {
    requireTexts(body, ["password"], "Password is required");
    const { password } = checked(resetBody, body);
    await resetPassword(parts, { token, password }, originOf(request));
    return answer({ message: "Password reset successfully" });
  }

  async function change(actor: Actor, body: unknown, request: Request): Promise<Response> {
    const user = requireSession(actor);
    requireTexts(body, ["newPassword"], passwordsMissing);
    const { currentPassword, newPassword } = checked(changeBody, body);
    if (currentPassword)
      await changePassword(parts, user, { currentPassword, newPassword }, originOf(request));
    else await chooseFirstPassword(parts, user, newPassword);
    return answer({ message: "Password changed successfully" });
  }

  async function changeOf(actor: Actor, body: unknown): Promise<Response> {
    const user = requireAdministrator(actor, "Only administrators can change other users' passwords");
    requireFresh(actor, clock());
    requireTexts(body, ["userId"], "User and new password are required");
    const { userId, newPassword, password } = checked(changeOfBody, body);
    requireTexts({ password: newPassword ?? password }, ["password"], "User and new password are required");
    await changePasswordOf(parts, user, {
      userId: idFrom(userId, "User"),
      newPassword: newPassword ?? password ?? "",
    });
    return answer({ message: "Password changed successfully" });
  }
}
