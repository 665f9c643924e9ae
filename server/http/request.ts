/** What the shell knows of a request and others may ask for: its id and its client. */

/** Facts of one request, settled when it arrives. */
export type RequestFacts = {
  /** Given by us, in `X-Request-Id`, in error bodies and in the log. */
  readonly id: string;
  /** The client's address; see `createClientAddress`. */
  readonly client: string;
};

// A property costs a tenth of a WeakMap look-up, and the request object is ours alone.
const factsOf = Symbol("facts");
type KnownRequest = Request & { [factsOf]?: RequestFacts };

/** Settles the facts of a request; the shell's business. */
export function settleFacts(request: Request, facts: RequestFacts): void {
  (request as KnownRequest)[factsOf] = facts;
}

/** The facts of a request that came through the shell; of any other, an id of its own and loopback. */
export function requestFacts(request: Request): RequestFacts {
  return (request as KnownRequest)[factsOf] ?? { id: nextRequestId(), client: "127.0.0.1" };
}

const prefix = crypto.randomUUID().slice(0, 8);
let count = 0;

/** An id that is unique among all processes of a deployment for all practical purposes; not a secret. */
export function nextRequestId(): string {
  return `${prefix}-${(count++).toString(36)}`;
}
