/**
 * Requests to other servers, guarded: over https, to addresses that are checked at the moment of connecting, with an end to
 * redirects, time and bytes. For whatever follows an address that a setting or a person names.
 */
import { lookup } from "node:dns";
import http, { type IncomingMessage, type RequestOptions } from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { isLoopbackHost, literalAddress, mayReach, type Reach } from "./address";

/** Why a request was not made, or its answer not taken. */
export type OutboundReason = "refused" | "redirects" | "timeout" | "too-large" | "network";

/** A request that failed. The message names the host, never the path or what was sent. */
export class OutboundError extends Error {
  override readonly name = "OutboundError";
  constructor(
    readonly reason: OutboundReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export type OutboundOptions = {
  /** Whether this machine may be asked, also over http: while developing, and in tests. */
  readonly loopback: boolean;
  /** Hosts that may have private addresses, as the operator lists them. */
  readonly privateHosts: readonly string[];
};

/** `redirects`: how many are followed, at most and by default 3. `maxBytes`: of the answer, default 1 MiB. `timeout`: ms, default 10,000. */
export type OutboundRequest = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly redirects?: number;
  readonly maxBytes?: number;
  readonly timeout?: number;
  readonly signal?: AbortSignal | undefined;
};

/** Sends a request and gives the whole answer. @throws OutboundError */
export type Outbound = (address: string | URL, request?: OutboundRequest) => Promise<Response>;

const mostRedirects = 3;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Headers that are for the first server alone. */
const ownHeaders: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/** Makes the function. */
export function createOutbound(options: OutboundOptions): Outbound {
  return async (address, request = {}) => {
    const { timeout = 10_000, signal } = request;
    const late = AbortSignal.timeout(timeout);
    const ended = signal ? AbortSignal.any([late, signal]) : late;
    try {
      return await follow(options, new URL(address), request, ended);
    } catch (error) {
      if (error instanceof OutboundError) throw error;
      if (late.aborted)
        throw new OutboundError("timeout", `no answer within ${timeout} ms`, { cause: error });
      signal?.throwIfAborted();
      throw new OutboundError("network", "the server could not be reached", { cause: error });
    }
  };
}

async function follow(
  options: OutboundOptions,
  first: URL,
  request: OutboundRequest,
  signal: AbortSignal,
): Promise<Response> {
  const redirects = Math.min(request.redirects ?? mostRedirects, mostRedirects);
  let url = first;
  let sent: OutboundRequest = request;
  for (let hops = 0; ; hops++) {
    // oxlint-disable-next-line no-await-in-loop -- each hop is known from the one before
    const response = await send(options, url, sent, signal);
    const location = response.headers.get("location");
    if (!redirectStatuses.has(response.status) || location === null || redirects === 0) return response;
    if (hops === redirects)
      throw new OutboundError("redirects", `${url.host}: more than ${redirects} redirects`);
    const next = URL.parse(location, url);
    if (next === null || (url.protocol === "https:" && next.protocol !== "https:"))
      throw new OutboundError("refused", `${url.host}: leads to an address that is not followed`);
    sent = redirected(sent, response.status, next.origin === url.origin);
    url = next;
  }
}

/** What is sent after a redirect (RFC 9110 section 15.4): nothing that was meant for another server. */
function redirected(request: OutboundRequest, status: number, sameOrigin: boolean): OutboundRequest {
  const { method = "GET", body, headers = {}, ...rest } = request;
  const kept = Object.entries(headers).filter(([name]) => sameOrigin || !ownHeaders.has(name.toLowerCase()));
  const asGet = status === 303 || (status < 303 && method === "POST") || !sameOrigin;
  return {
    ...rest,
    headers: Object.fromEntries(kept),
    method: asGet && method !== "HEAD" ? "GET" : method,
    ...(!asGet && body !== undefined && { body }),
  };
}

function send(
  options: OutboundOptions,
  url: URL,
  { method = "GET", headers = {}, body, maxBytes = 1024 * 1024 }: OutboundRequest,
  signal: AbortSignal,
): Promise<Response> {
  const reach = reachOf(options, url);
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const transport = url.protocol === "https:" ? https : http;
  const request: RequestOptions = {
    method,
    headers: { "accept-encoding": "identity", "user-agent": "baasix", ...headers },
    // A connection of its own: one that is kept open was looked up, and judged, for somebody else.
    agent: false,
    lookup: guardedLookup(reach),
  };
  const sending = transport.request(url, request, (answer) => {
    collect(answer, maxBytes, url.host).then(resolve, reject);
  });
  const abort = (): void => {
    sending.destroy();
    reject(signal.reason);
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  sending.on("error", (error) =>
    reject(error instanceof OutboundError ? error : (refusalIn(error) ?? error)),
  );
  sending.end(body);
  return promise.finally(() => {
    signal.removeEventListener("abort", abort);
    sending.destroy();
  });
}

/** Our own refusal, where the runtime hands it on as the cause of another error. */
function refusalIn({ cause }: Error): OutboundError | null {
  return cause instanceof OutboundError ? cause : null;
}

/** How far a request may reach. @throws OutboundError for a URL that is not asked at all */
function reachOf({ loopback, privateHosts }: OutboundOptions, url: URL): Reach {
  const { protocol, hostname, username, password } = url;
  const local = loopback && isLoopbackHost(hostname);
  const refuse = (why: string) => new OutboundError("refused", `${url.host}: ${why}`);
  if (protocol !== "https:" && !(protocol === "http:" && local)) throw refuse("only https is asked");
  if (username !== "" || password !== "") throw refuse("an address must not carry credentials");
  const reach = { loopback: local, private: privateHosts.includes(hostname) };
  const address = literalAddress(hostname);
  if (address !== null && !mayReach(address, reach)) throw refuse("its address is not public");
  return reach;
}

/** Looks a host up, and refuses it when any of its addresses is out of reach: that is the address that is connected to. */
function guardedLookup(reach: Reach): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, "");
      const [first] = addresses;
      if (!first || !addresses.every(({ address }) => mayReach(address, reach)))
        return done(new OutboundError("refused", `${host}: its address is not public`), "");
      if (options.all === true) return done(null, addresses);
      return done(null, first.address, first.family);
    });
  };
}

async function collect(answer: IncomingMessage, maxBytes: number, host: string): Promise<Response> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of answer as AsyncIterable<Uint8Array>) {
    size += piece.byteLength;
    if (size > maxBytes) {
      answer.destroy();
      throw new OutboundError("too-large", `${host}: answered more than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  const status = answer.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  const bodiless = size === 0 || status === 204 || status === 205 || status === 304;
  return new Response(bodiless ? null : Buffer.concat(pieces), { status, headers });
}
