/** `GET /realtime` becomes a WebSocket; `GET /realtime/status` tells administrators how changes reach it. */
import type { Server } from "bun";
import { Elysia } from "elysia";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Identity } from "../../http";
import type { Connection } from "./connection";

/** What `/realtime/status` answers. `reason`: why there are no changes to be had, or why they stopped. */
export type Status = {
  readonly initialized: boolean;
  readonly connected: boolean;
  readonly walAvailable: boolean;
  readonly source: "log" | "off";
  readonly reason: string | null;
  readonly enabledCollections: readonly { readonly collection: string; readonly config: CollectionConfig }[];
  readonly sockets: number;
  readonly subscriptions: number;
  readonly views: number;
  /** Live queries: how many sockets watch together, and how many are run for them. */
  readonly queries: { readonly watched: number; readonly run: number };
};
type CollectionConfig = { readonly enabled: true; readonly actions: readonly ["insert", "update", "delete"] };

export type RealtimeRoutesParts = {
  readonly identity: Identity;
  /** The state of a new socket. */
  readonly connect: (request: Request, server: Server<Connection>) => Connection;
  readonly status: () => Status;
};

/** Mounts the routes. The server that listens needs the handlers of `websocket.ts`. */
export function realtimeRoutes({ identity, connect, status }: RealtimeRoutesParts) {
  return new Elysia({ name: "realtime" })
    .get(
      "/realtime",
      ({ request, server }) => upgrade(request, server as Server<Connection> | null, connect),
      {
        detail: {
          tags: ["Realtime"],
          summary: "WebSocket of changes",
          description: "Speaks the frames of docs/realtime.md once it is upgraded to a WebSocket.",
        },
      },
    )
    .use(identity)
    .get("/realtime/status", ({ actor }) => ({ data: forAdministrators(actor, status) }), {
      detail: { tags: ["Realtime"], summary: "How changes reach subscribers (administrators)" },
    });
}

function upgrade(
  request: Request,
  server: Server<Connection> | null,
  connect: RealtimeRoutesParts["connect"],
): void {
  if (server !== null && request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    if (server.upgrade(request, { data: connect(request, server) })) return;
  }
  throw new AppError("BAD_REQUEST", "/realtime is a WebSocket: send an upgrade request (RFC 6455)");
}

function forAdministrators(actor: Actor, status: () => Status): Status {
  if (actor.kind === "user" && actor.admin) return status();
  throw new AppError("FORBIDDEN", "The state of realtime is told to administrators");
}
