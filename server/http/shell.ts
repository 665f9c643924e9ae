/**
 * What every answer of the server has in common, in the order it happens: request id, client address, rate limit,
 * URL length, preflight; then the route; then error bodies, security headers, CORS and the log line.
 */
import http from "node:http";
import { Elysia } from "elysia";
import { AppError } from "../core/errors";
import { addressKey, type ClientAddress, type PeerSource } from "./address";
import { errorAnswer, statusOf, toAppError } from "./errors";
import { createJsonReader, jsonLimit, smallJsonLimit } from "./json";
import type { Logger } from "./logger";
import { addCorsHeaders, type Origins, preflight } from "./origins";
import { nextRequestId, type RequestFacts, requestFacts, settleFacts } from "./request";
import { createWindowCounter } from "./window";

export type ShellOptions = {
  /** Requests per client and interval (ms). */
  readonly config: { readonly RATE_LIMIT: number; readonly RATE_LIMIT_INTERVAL: number };
  readonly logger: Logger;
  readonly origins: Origins;
  readonly clientAddress: ClientAddress;
  /** The running server, for the peer of a request; null before it listens and in `app.handle`. */
  readonly server: () => PeerSource;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
};

/** Characters of a URL, scheme and host included. */
const urlLimit = 16 * 1024;

/** Paths whose bodies are small and whose errors repeat their message at the top level. */
const authPrefix = "/auth/";
/** Paths whose JSON is a file that the route reads as it comes. */
const streamed = /^\/items\/[^/]+\/import-json$/;

/**
 * The plugin that surrounds the whole app; used once, by the app itself. JSON bodies are read here (20 MiB, 64 KiB
 * under `/auth/`); a body of any other type, or of an import, is left in `request` for the route, and `body` is null.
 */
export function shell({ config, logger, origins, clientAddress, server, clock }: ShellOptions) {
  acceptLongUrls();
  const clients = createWindowCounter(config.RATE_LIMIT_INTERVAL);
  const limit = String(config.RATE_LIMIT);
  const readJson = createJsonReader();

  const around = (route: Route, request: Request): Answer | Promise<Answer> => {
    const started = performance.now();
    const now = clock();
    const facts = { id: nextRequestId(), client: clientAddress(request, server()) };
    settleFacts(request, facts);
    // The window is shared with later requests of the client: read now what this one tells.
    const { count, endsAt } = clients.count(addressKey(facts.client), now);
    const wait = Math.max(1, Math.ceil((endsAt - now) / 1000));
    const remaining = Math.max(0, config.RATE_LIMIT - count);

    const finish = (response: Answer): Answer => {
      // An upgraded socket has no answer.
      if (response === undefined) return response;
      const { headers } = response;
      headers.set("x-request-id", facts.id);
      headers.set("x-content-type-options", "nosniff");
      headers.set("x-frame-options", "DENY");
      headers.set("referrer-policy", "no-referrer");
      headers.set("ratelimit-limit", limit);
      headers.set("ratelimit-remaining", String(remaining));
      headers.set("ratelimit-reset", String(wait));
      headers.append("vary", "Origin");
      const origin = request.headers.get("origin");
      if (origin !== null) addCorsHeaders(headers, origin, origins);
      if (logger.enabled("info"))
        logRequest(logger, request, facts, response.status, performance.now() - started);
      return response;
    };

    // Before the limit: a browser that gets no answer to its preflight cannot show the page the 429 either.
    if (request.method === "OPTIONS") return finish(preflight(request, origins));
    if (count > config.RATE_LIMIT) return finish(errorAnswer(tooMany(wait), facts.id));
    if (request.url.length > urlLimit) return finish(errorAnswer(urlTooLong(), facts.id));
    const answer = route(request);
    if (!(answer instanceof Promise)) return finish(answer);
    return answer.then(finish, (error: unknown) => finish(failure(error, request, logger)));
  };

  return (
    new Elysia({ name: "shell" })
      // What the framework hands over answers requests; its type says something vaguer.
      .wrap((route) => (request: Request) => around(route as unknown as Route, request))
      .onParse({ as: "global" }, async ({ request, contentType }) => {
        // Not undefined: the framework would then read what the route wants to stream.
        if (contentType !== "application/json") return null;
        const path = pathOf(request.url);
        if (streamed.test(path)) return null;
        return readJson(request, path.startsWith(authPrefix) ? smallJsonLimit : jsonLimit);
      })
      .onError({ as: "global" }, ({ error, request, set }) => {
        // Else the framework copies the answer through a stream to change its status.
        set.status = 200;
        return failure(error, request, logger);
      })
  );
}

type Answer = Response | undefined;
type Route = (request: Request) => Answer | Promise<Answer>;

function failure(error: unknown, request: Request, logger: Logger): Response {
  const known = toAppError(error);
  const { id } = requestFacts(request);
  const path = pathOf(request.url);
  const status = statusOf[known.code];
  if (status >= 500) {
    const log = known.code === "INTERNAL_ERROR" ? logger.error : logger.warn;
    log("request failed", { requestId: id, method: request.method, path, error: known.cause ?? known });
  }
  return errorAnswer(known, id, path.startsWith(authPrefix) ? { message: known.message } : {});
}

function logRequest(
  logger: Logger,
  { method, url }: Request,
  facts: RequestFacts,
  status: number,
  ms: number,
): void {
  logger.request({ id: facts.id, method, path: pathOf(url), status, ms, client: facts.client });
}

function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const end = url.indexOf("?", start);
  return url.slice(start, end === -1 ? undefined : end);
}

function tooMany(retryAfter: number): AppError {
  return new AppError("RATE_LIMITED", `Too many requests; try again in ${retryAfter} s`, { retryAfter });
}

function urlTooLong(): AppError {
  return new AppError("URL_TOO_LONG", `url: longer than ${urlLimit} characters, which is the limit`);
}

/**
 * Bun refuses request lines and headers above 16 KiB together, with 431 and no body: raised to 64 KiB, so that a URL
 * of the documented length passes and a longer one is told so. Has an effect on servers that start afterwards.
 */
function acceptLongUrls(): void {
  Object.assign(http, { maxHeaderSize: 64 * 1024 });
}
