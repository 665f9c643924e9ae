/** `GET /realtime` becomes a WebSocket. */
import type { Server } from "bun";
import { Elysia } from "elysia";
import { AppError } from "../../core/errors";
import { type AdminParts, adminRoutes } from "./admin";
import type { Connection } from "./connection";

export type RealtimeRoutesParts = AdminParts & {
  /** The state of a new socket. */
  readonly connect: (request: Request, server: Server<Connection>) => Connection;
};

/** Mounts the routes, those of administrators too. The server that listens needs the handlers of `websocket.ts`. */
export function realtimeRoutes({ connect, ...admin }: RealtimeRoutesParts) {
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
    .use(adminRoutes(admin));
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
