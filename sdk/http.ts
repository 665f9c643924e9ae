/** The one way to the server: an exchange with its timeout and errors, and the request that carries a token. */
import { answerError, BaasixError } from "./error";
import { tell } from "./listeners";
import { sendWithProgress } from "./progress";
import type { Credential, Session } from "./session";
import { streamOf } from "./stream";

/** What is used of the global `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Milliseconds until a request without its own `timeout` is given up. */
export const defaultTimeout = 60_000;

/** The same for uploads and downloads. */
export const transferTimeout = 600_000;

/** What every call accepts. */
export type CallOptions = {
  /** Ends the request; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds until a `TIMEOUT` error. */
  readonly timeout?: number;
};

/** What writes accept. */
export type WriteOptions = CallOptions & {
  /**
   * A name for this write, of the caller's making (1 to 255 visible characters, a UUID for one): sent again under the same
   * key within a day it takes no effect, and answers as it did. Only a write with a key is repeated, once, when no answer
   * came.
   */
  readonly idempotencyKey?: string;
};

/** What writes to one item accept: under which condition they are made. Else they fail with PRECONDITION_FAILED. */
export type OneWriteOptions = WriteOptions & {
  /** The version that the item must still have, as `getWithVersion` told it. */
  readonly version?: string;
  /** The same as the `If-Match` header takes it (RFC 9110): tags in quotes, or `*`. */
  readonly ifMatch?: string;
};

/** One exchange. `query` skips null and undefined; objects and arrays in it travel as JSON text. */
export type HttpRequest = OneWriteOptions & {
  readonly method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** From the server's root, names already encoded by `path`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  /** Sent as JSON, or as it is when it is a form. */
  readonly body?: unknown;
  /**
   * `blob` gives the bytes, `stream` while they arrive, `tagged` a `Tagged`; default is the parsed JSON (undefined when the
   * answer is empty).
   */
  readonly answer?: "json" | "blob" | "stream" | "tagged";
  readonly onProgress?: OnProgress;
  /** In `cookie` mode: also when somebody else has signed in meanwhile. */
  readonly anyone?: boolean;
  /** Wraps each exchange, for what must not meet a renewal of the session. */
  readonly within?: <Answer>(exchange: () => Promise<Answer>) => Promise<Answer>;
};

/** Told how much of a body has been sent: in percent, and in bytes. */
export type OnProgress = (percent: number, bytes: number) => void;

/** An answer with the `ETag` that came with it. */
export type Tagged<Answer> = { readonly answer: Answer; readonly tag: string | null };

/** Where and how exchanges are made. Read anew for each, so that they can be configured later. */
export type Wire = {
  readonly url: string;
  readonly fetch: Fetch;
  readonly credentials: RequestCredentials | undefined;
  headers: Readonly<Record<string, string>>;
  timeout: number;
};

/** Sends a request with the signed-in user's token. @throws BaasixError, or the signal's reason when aborted. */
export type Http = <Answer>(request: HttpRequest) => Promise<Answer>;

/** Encodes names and ids into a path. @throws BaasixError INVALID_ARGUMENT for one that would change the route. */
export function path(strings: TemplateStringsArray, ...names: readonly (string | number)[]): string {
  return String.raw(
    { raw: strings },
    ...names.map((name) => {
      const text = String(name ?? "");
      if (text === "" || text === "." || text === "..") {
        throw new BaasixError(`'${text}' is not a name or id`, { status: 0, code: "INVALID_ARGUMENT" });
      }
      return encodeURIComponent(text);
    }),
  );
}

/** The absolute address of a path with its query. */
export function address(url: string, path: string, query: Readonly<Record<string, unknown>> = {}): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null) continue;
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    parts.push(`${encodeURIComponent(name)}=${encodeURIComponent(text)}`);
  }
  return url + path + (parts.length === 0 ? "" : `?${parts.join("&")}`);
}

/** One exchange with the given token or none. @throws BaasixError, or the signal's reason when aborted. */
export async function exchange<Answer>(
  wire: Wire,
  request: HttpRequest,
  token: string | null,
): Promise<Answer> {
  const { method = "GET", body, signal, timeout = wire.timeout, onProgress } = request;
  const { idempotencyKey, version } = request;
  const ifMatch = request.ifMatch ?? (version === undefined ? undefined : `"${version}"`);
  const headers: Record<string, string> = { Accept: "application/json", ...wire.headers };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (idempotencyKey !== undefined) headers["Idempotency-Key"] = idempotencyKey;
  if (ifMatch !== undefined) headers["If-Match"] = ifMatch;
  const init: RequestInit = { method, headers, credentials: wire.credentials };
  if (body instanceof FormData) init.body = body;
  else if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const url = address(wire.url, request.path, request.query);
  return withDeadline(signal, timeout, async (deadline) => {
    init.signal = deadline;
    const response = await (onProgress
      ? sendWithProgress(wire.fetch, url, init, onProgress)
      : wire.fetch(url, init));
    if (!response.ok) throw answerError(response.status, response.statusText, await response.text());
    if (request.answer === "stream") return streamOf(response, signal, reasonOf) as Answer;
    if (request.answer === "blob") return (await response.blob()) as Answer;
    const answer = parseAnswer<unknown>(response.status, await response.text());
    return (request.answer === "tagged" ? { answer, tag: response.headers.get("ETag") } : answer) as Answer;
  });
}

/** Requests that carry the session's token, renewed ahead of its end, and once more when the server refuses it. */
export function createHttp(wire: Wire, session: Session, onError?: (error: BaasixError) => void): Http {
  async function send<Answer>(request: HttpRequest): Promise<Answer> {
    const credential = await session.credential();
    const within = request.within ?? ((work) => work());
    const sendAs = ({ token, expected }: Credential): Promise<Answer> => {
      const headers = { ...wire.headers, "Baasix-Expect-User": expected ?? "" };
      const from = expected === null || request.anyone ? wire : { ...wire, headers };
      return within(() => exchangeKeyed<Answer>(from, request, token));
    };
    try {
      return await sendAs(credential);
    } catch (error) {
      if (!(error instanceof BaasixError)) throw error;
      if (error.status === 409 && error.code === "SESSION_CHANGED") await session.confirm();
      if (error.status !== 401) throw error;
      const renewed = await session.renew(credential);
      if (renewed === null) throw error;
      return sendAs(renewed);
    }
  }
  return async (request) => {
    try {
      return await send(request);
    } catch (error) {
      if (error instanceof BaasixError) tell(onError, error);
      throw error;
    }
  };
}

/** Without an answer nobody knows whether a write was made: only one with a key is sent again. */
async function exchangeKeyed<Answer>(
  wire: Wire,
  request: HttpRequest,
  token: string | null,
): Promise<Answer> {
  try {
    return await exchange<Answer>(wire, request, token);
  } catch (error) {
    const lost = error instanceof BaasixError && error.code === "NETWORK_ERROR";
    if (!lost || request.idempotencyKey === undefined) throw error;
    return exchange<Answer>(wire, request, token);
  }
}

function parseAnswer<Answer>(status: number, text: string): Answer {
  if (text === "") return undefined as Answer;
  try {
    return JSON.parse(text) as Answer;
  } catch (cause) {
    throw new BaasixError("The answer is not JSON: is the url that of a Baasix server?", {
      status,
      code: "UNKNOWN",
      cause,
    });
  }
}

/** Runs `work` with a signal that ends by the caller's signal or the timeout, whichever is first. */
async function withDeadline<Result>(
  signal: AbortSignal | undefined,
  timeout: number,
  work: (deadline: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (signal?.aborted) throw reasonOf(signal);
  // AbortSignal.any and AbortSignal.timeout are missing in React Native, as are reasons.
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal?.addEventListener("abort", abort);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort();
  }, timeout);
  try {
    return await work(controller.signal);
  } catch (cause) {
    if (signal?.aborted) throw reasonOf(signal);
    if (late)
      throw new BaasixError(`No answer within ${timeout} ms`, { status: 408, code: "TIMEOUT", cause });
    if (cause instanceof BaasixError) throw cause;
    throw new BaasixError("The server cannot be reached", { status: 0, code: "NETWORK_ERROR", cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** Why a signal ended. */
export function reasonOf({ reason }: AbortSignal): unknown {
  return reason ?? Object.assign(new Error("The request was aborted"), { name: "AbortError" });
}
