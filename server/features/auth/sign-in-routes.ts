/** Signing up, in and out, and who is signed in, over HTTP. */
import { Elysia } from "elysia";
import type { PendingResult, RefreshResult } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { errorAnswer, requestFacts } from "../../http";
import {
  answer,
  cookiesFor,
  documented,
  guardCookieMode,
  originOf,
  privateJson,
  signedInAnswer,
} from "./answers";
import type { Authenticator } from "./authenticate";
import { clearedCookies } from "./credentials";
import { requireUser } from "./fresh";
import { login } from "./login";
import { logout } from "./logout";
import { describeMe } from "./me";
import { loginBody, parseLogin, parseRefresh, parseRegister, refreshBody, registerBody } from "./model";
import type { AuthParts } from "./parts";
import { refresh } from "./refresh";
import { type Pending, register } from "./register";

/** Mounts them. */
export function signInRoutes(parts: AuthParts) {
  const { authenticator, config, identity } = parts;
  return new Elysia({ name: "auth sign-in" })
    .post(
      "/auth/register",
      async ({ body, request }) => {
        const input = parseRegister(body);
        guardCookieMode(parts, input.authMode, request);
        const result = await register(parts, input, originOf(request));
        return "role" in result
          ? pendingAnswer(result)
          : signedInAnswer(parts, result, input.authMode, "User registered successfully");
      },
      documented("Make an account and sign in", registerBody),
    )
    .post(
      "/auth/login",
      async ({ body, request }) => {
        const input = parseLogin(body);
        guardCookieMode(parts, input.authMode, request);
        return tellingUnverified(request, async () =>
          signedInAnswer(parts, await login(parts, input, originOf(request)), input.authMode),
        );
      },
      documented("Sign in", loginBody),
    )
    .post(
      "/auth/refresh",
      ({ body, request }) => refreshed(request, body),
      documented("New tokens for the session", refreshBody),
    )
    .get("/auth/logout", ({ request }) => loggedOut(request, null), documented("End the session"))
    .post(
      "/auth/logout",
      ({ body, request }) => loggedOut(request, parseRefresh(body).refreshToken),
      documented("End the session"),
    )
    .get(
      "/auth/check",
      ({ request }) => check(authenticator, request),
      documented("Whether the access token is good"),
    )
    .use(identity)
    .get("/auth/me", ({ actor }) => me(actor), documented("The caller's account, roles and permissions"));

  async function refreshed(request: Request, sent: unknown): Promise<Response> {
    const input = parseRefresh(sent);
    guardCookieMode(parts, input.authMode, request);
    const { access, refreshToken, authMode } = await refresh(parts, request, input);
    const body: RefreshResult = {
      ...access,
      authMode,
      ...(authMode === "jwt" && refreshToken !== null && { refreshToken }),
    };
    return answer(body, cookiesFor(parts, authMode, { token: access.token, refreshToken }));
  }

  async function loggedOut(request: Request, refreshToken: string | null): Promise<Response> {
    await logout(parts, request, refreshToken);
    return answer({ message: "Logged out successfully" }, clearedCookies(config.NODE_ENV === "production"));
  }

  async function me(actor: Actor): Promise<Response> {
    return new Response(await describeMe(parts, requireUser(actor)), { headers: privateJson });
  }
}

function pendingAnswer({ account, role, permissions, tenant }: Pending): Response {
  const { id, email, firstName, lastName } = account;
  const body: PendingResult = {
    message: "User registered successfully. Please verify your email to login.",
    requiresEmailVerification: true,
    user: { id, email, firstName, lastName },
    role,
    permissions,
    tenant,
  };
  return answer(body);
}

/** Repeats `requiresEmailVerification` of a refusal where clients of the contract look for it. */
async function tellingUnverified(request: Request, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "FORBIDDEN") throw error;
    const { details, message } = error;
    if (typeof details !== "object" || details === null || !("requiresEmailVerification" in details))
      throw error;
    return errorAnswer(error, requestFacts(request).id, { message, requiresEmailVerification: true });
  }
}

/** `{valid: true, user: {id}}`, or 401 with `valid: false` beside the error. */
async function check(authenticator: Authenticator, request: Request): Promise<Response> {
  try {
    const actor = await authenticator.authenticate(request);
    if (actor.kind !== "user") throw new AppError("UNAUTHORIZED", "No token provided");
    return answer({ valid: true, user: { id: actor.id } });
  } catch (error) {
    if (!(error instanceof AppError && error.code === "UNAUTHORIZED")) throw error;
    return errorAnswer(error, requestFacts(request).id, { valid: false, message: error.message });
  }
}
