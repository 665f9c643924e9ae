/** The server itself. */
import { BaasixError } from "./error";
import { type CallOptions, exchange, type Wire } from "./http";

/** What `/health` answers. */
export type ServerInfo = {
  readonly status: string;
  readonly live: boolean;
  readonly ready: boolean;
  readonly version: string;
  readonly parts: Readonly<Record<string, string>>;
};

/** The server calls of a client; see `createServer`. */
export type Server = ReturnType<typeof createServer>;

/** The calls on `/health`; they need no one signed in. */
export function createServer(wire: Wire) {
  return {
    /** What the server says of itself: its version and how its parts are. @throws BaasixError also when a part is down */
    info: (options?: CallOptions) => exchange<ServerInfo>(wire, { ...options, path: "/health" }, null),
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
