/** `/auth` over HTTP: bodies, cookies and answers. The work is in the verbs. */
import { Elysia } from "elysia";
import { z } from "zod";
import type { AuthMode, AuthResult, RefreshResult } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import {
  createOrigins,
  createWindowCounter,
  errorAnswer,
  type Identity,
  type Logger,
  type OriginConfig,
  requestFacts,
} from "../../http";
import { createAttempts } from "./attempts";
import type { Authenticator } from "./authenticate";
import { clearedCookies, sessionCookies } from "./credentials";
import { login } from "./login";
import { logout } from "./logout";
import { describeMe } from "./me";
import { loginBody, parseLogin, parseRefresh, parseRegister, refreshBody, registerBody } from "./model";
import { createPasswords } from "./passwords";
import { type Refreshed, refresh } from "./refresh";
import { register } from "./register";
import { createSessions } from "./sessions";
import type { AuthConfig, SignedIn } from "./sign-in";
import type { Tokens } from "./tokens";

export type AuthRoutesParts = {
  readonly data: Data;
  readonly identity: Identity;
  readonly authenticator: Authenticator;
  readonly tokens: Tokens;
  readonly logger: Logger;
  readonly clock: () => number;
  readonly config: AuthConfig &
    OriginConfig & {
      /** Seconds. */
      readonly REFRESH_TOKEN_EXPIRES_IN: number;
      /** Failed passwords per account and quarter of an hour. */
      readonly LOGIN_ACCOUNT_LIMIT: number;
    };
};

const minute = 60_000;

const bodyOf = (schema: z.ZodType) => ({
  requestBody: {
    content: { "application/json": { schema: z.toJSONSchema(schema, { io: "input" }) as object } },
  },
});
const tags = ["Auth"];
const documented = {
  register: { detail: { tags, summary: "Make an account and sign in", ...bodyOf(registerBody) } },
  login: { detail: { tags, summary: "Sign in", ...bodyOf(loginBody) } },
  refresh: { detail: { tags, summary: "New tokens for the session", ...bodyOf(refreshBody) } },
  logout: { detail: { tags, summary: "End the session" } },
  me: { detail: { tags, summary: "The caller's account, roles and permissions" } },
  check: { detail: { tags, summary: "Whether the access token is good" } },
};

/** The routes of accounts and sessions. */
export function authRoutes({
  data,
  identity,
  authenticator,
  tokens,
  logger,
  clock,
  config,
}: AuthRoutesParts) {
  const origins = createOrigins(config);
  const sessions = createSessions({
    data,
    tokens,
    config,
    clock,
    onReuse: ({ session, user }) =>
      logger.warn("a refresh token came back after it was replaced: its session was ended", {
        session,
        user,
      }),
  });
  const parts = {
    data,
    tokens,
    sessions,
    authenticator,
    origins,
    clock,
    config,
    passwords: createPasswords(),
    attempts: createAttempts({ limit: config.LOGIN_ACCOUNT_LIMIT, interval: 15 * minute, clock }),
    clients: createWindowCounter(minute),
    refreshes: createWindowCounter(minute),
  };
  const secure = config.NODE_ENV === "production";
  const maxAge = config.REFRESH_TOKEN_EXPIRES_IN;

  const signedIn = (result: SignedIn, authMode: AuthMode, message?: string): Response => {
    const { refreshToken } = result.session;
    const cookies =
      authMode === "cookie"
        ? sessionCookies({ token: result.access.token, refreshToken }, { secure, maxAge })
        : [];
    return answer(authResult(result, authMode, message), cookies);
  };
  const refreshed = ({ access, refreshToken, authMode }: Refreshed): Response => {
    const body: RefreshResult = {
      ...access,
      authMode,
      ...(authMode === "jwt" && refreshToken !== null && { refreshToken }),
    };
    return answer(
      body,
      authMode === "cookie" ? sessionCookies({ token: access.token, refreshToken }, { secure, maxAge }) : [],
    );
  };
  const guardCookieMode = (authMode: AuthMode, request: Request): void => {
    // Sign-in by cookie from a foreign page would put the visitor into somebody else's account.
    if (authMode === "cookie" && request.headers.has("origin") && !origins.mayUseCookies(request)) {
      throw new AppError(
        "FORBIDDEN",
        "Cookie mode is for this server's own origin and those in AUTH_CORS_ALLOWED_ORIGINS",
      );
    }
  };

  return new Elysia({ name: "auth" })
    .post(
      "/auth/register",
      async ({ body, request }) => {
        const input = parseRegister(body);
        guardCookieMode(input.authMode, request);
        return signedIn(
          await register(parts, input, originOf(request)),
          input.authMode,
          "User registered successfully",
        );
      },
      documented.register,
    )
    .post(
      "/auth/login",
      async ({ body, request }) => {
        const input = parseLogin(body);
        guardCookieMode(input.authMode, request);
        return signedIn(await login(parts, input, originOf(request)), input.authMode);
      },
      documented.login,
    )
    .post(
      "/auth/refresh",
      async ({ body, request }) => refreshed(await refresh(parts, request, parseRefresh(body))),
      documented.refresh,
    )
    .get("/auth/logout", ({ request }) => loggedOut(request, null), documented.logout)
    .post(
      "/auth/logout",
      ({ body, request }) => loggedOut(request, parseRefresh(body).refreshToken),
      documented.logout,
    )
    .get("/auth/check", ({ request }) => check(authenticator, request), documented.check)
    .use(identity)
    .get("/auth/me", ({ actor }) => me(actor), documented.me);

  async function loggedOut(request: Request, refreshToken: string | null): Promise<Response> {
    await logout(parts, request, refreshToken);
    return answer({ message: "Logged out successfully" }, clearedCookies(secure));
  }

  async function me(actor: Actor): Promise<Response> {
    if (actor.kind !== "user") throw new AppError("UNAUTHORIZED", "Unauthorized");
    return new Response(await describeMe(data, actor, clock()), { headers: privateJson });
  }
}

const privateJson = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };

function answer(body: object, cookies: readonly string[]): Response {
  const response = new Response(JSON.stringify(body), { headers: privateJson });
  for (const cookie of cookies) response.headers.append("set-cookie", cookie);
  return response;
}

function authResult(
  { access, session, account, roles, permissions }: SignedIn,
  authMode: AuthMode,
  message?: string,
): AuthResult {
  const { id, email, firstName, lastName } = account;
  const told = authMode === "cookie" ? "Authentication successful" : message;
  return {
    ...(told !== undefined && { message: told }),
    ...access,
    ...(authMode === "jwt" && { refreshToken: session.refreshToken }),
    authMode,
    user: { id, email, firstName, lastName },
    role: roles[0],
    roles,
    permissions,
    tenant: null,
  };
}

function originOf(request: Request) {
  return { client: requestFacts(request).client, userAgent: request.headers.get("user-agent") };
}

/** `{valid: true, user: {id}}`, or 401 with `valid: false` beside the error. */
async function check(authenticator: Authenticator, request: Request): Promise<Response> {
  try {
    const actor = await authenticator.authenticate(request);
    if (actor.kind !== "user") throw new AppError("UNAUTHORIZED", "No token provided");
    return answer({ valid: true, user: { id: actor.id } }, []);
  } catch (error) {
    if (!(error instanceof AppError && error.code === "UNAUTHORIZED")) throw error;
    return errorAnswer(error, requestFacts(request).id, { valid: false, message: error.message });
  }
}
