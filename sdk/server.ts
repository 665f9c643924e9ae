/** The server itself. */
import { BaasixError } from "./error";
import { type CallOptions, exchange, type Http, type Wire } from "./http";

/** The server calls of a client; see `createServer`. */
export type Server = ReturnType<typeof createServer>;

/** The calls on `/` and `/health`. */
export function createServer(wire: Wire, http: Http) {
  return {
    /** What the server says of itself. @throws BaasixError */
    info: (options?: CallOptions) => http<Readonly<Record<string, unknown>>>({ ...options, path: "/" }),
    /** Whether the server answers and all its parts work. */
    async health(options?: CallOptions): Promise<boolean> {
      try {
        await exchange(wire, { ...options, path: "/health" }, null);
        return true;
      } catch (error) {
        if (error instanceof BaasixError) return false;
        throw error;
      }
    },
  };
}
