/** Which web pages may call: CORS (the Fetch standard), and the origin check for what a cookie may do. */

/** What the shell and the auth feature need to know of a configuration. */
export type OriginConfig = {
  readonly AUTH_CORS_ALLOWED_ORIGINS: readonly string[];
  readonly NODE_ENV: "development" | "production" | "test";
};

export type Origins = {
  /** `credentials`: may send cookies. `plain`: may call without them. `none`: the browser must keep the answer from the page. */
  readonly cors: (origin: string) => "credentials" | "plain" | "none";
  /**
   * True when a request that a cookie authenticates comes from a page that may use it: a listed origin, or this
   * server's own. False when the origin is foreign or not told (browsers tell it for everything but simple reads).
   */
  readonly mayUseCookies: (request: Request) => boolean;
};

const localhost = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/**
 * Rules from the configuration: exact origins, and outside production every port of localhost without credentials.
 * A listed origin is compared as the browser spells it: scheme, host and port, no path.
 */
export function createOrigins(config: OriginConfig): Origins {
  const listed = new Set(
    config.AUTH_CORS_ALLOWED_ORIGINS.map((origin) => origin.replace(/\/$/, "").toLowerCase()),
  );
  const local = config.NODE_ENV !== "production";
  return {
    cors: (origin) => {
      if (listed.has(origin)) return "credentials";
      return local && localhost.test(origin) ? "plain" : "none";
    },
    mayUseCookies: (request) => {
      if (request.headers.get("sec-fetch-site") === "same-origin") return true;
      const origin = request.headers.get("origin");
      if (origin === null) return false;
      // Host alone, not the scheme: behind a proxy that ends TLS only the host is the same on both sides.
      return listed.has(origin) || hostOf(origin) === request.headers.get("host")?.toLowerCase();
    },
  };
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}

const exposed =
  "X-Request-Id, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, ETag, Content-Disposition, Idempotency-Replayed";
const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const headerList = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;

/** Adds what the browser must know before it hands the answer to a page of `origin`. */
export function addCorsHeaders(headers: Headers, origin: string, origins: Origins): void {
  const allowed = origins.cors(origin);
  if (allowed === "none") return;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", exposed);
  if (allowed === "credentials") headers.set("access-control-allow-credentials", "true");
}

/** The answer to OPTIONS: a preflight of an allowed origin is told what it may send, all others nothing. */
export function preflight(request: Request, origins: Origins): Response {
  const headers = new Headers({ allow: methods });
  const origin = request.headers.get("origin");
  if (
    origin !== null &&
    origins.cors(origin) !== "none" &&
    request.headers.has("access-control-request-method")
  ) {
    const asked = request.headers.get("access-control-request-headers");
    headers.set("access-control-allow-methods", methods);
    if (asked !== null && headerList.test(asked)) headers.set("access-control-allow-headers", asked);
    headers.set("access-control-max-age", "600");
    headers.set("vary", "Access-Control-Request-Headers");
  }
  return new Response(null, { status: 204, headers });
}
