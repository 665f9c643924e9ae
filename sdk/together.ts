/** What clients do with each other and with the server's own code, over the socket: rooms, channels, calls, notifications. */
import type { ErrorCode, ServerFrame } from "@baasix/types";
import { createChannels } from "./channels";
import { BaasixError } from "./error";
import { tell } from "./listeners";
import { createRequests, type RequestOptions } from "./requests";
import { createRooms } from "./rooms";

/** What the server tells a user. */
export type Notification = {
  readonly event: string;
  readonly payload: unknown;
  readonly timestamp: string;
};

/** The calls of `realtime` about rooms, channels, calls and notifications. */
export type TogetherCalls = ReturnType<typeof createTogether>["calls"];

/** Makes them for one client. `calls` are those of `realtime`; the rest is told by the connection. */
export function createTogether(options: RequestOptions) {
  const requests = createRequests(options);
  /** What others know this connection by. */
  let socketId: string | null = null;
  const { leaveAll, list: listHeldRooms, ...rooms } = createRooms(requests, () => socketId);
  const { endAll, list: listChannels, ...channels } = createChannels(requests, () => socketId);
  const notified = new Set<readonly [event: string, callback: (notification: Notification) => void]>();
  requests.onFrame((frame) => {
    if (frame.type === "connected") socketId = frame.socketId;
    if (frame.type !== "notification") return;
    const { type: _, ...notification } = frame;
    for (const [event, callback] of notified) {
      if (event === "*" || event === frame.event) tell(callback, notification);
    }
  });
  return {
    receive: (frame: ServerFrame) => requests.receive(frame),
    connection: (now: boolean) => requests.connection(now),
    /** The connection was refused for good. */
    end: (message: string, code: ErrorCode) => requests.end(message, code),
    /** Leaves everything, for the reason given. */
    endAll(reason: string): void {
      const error = new BaasixError(reason, { status: 0, code: "SESSION_CHANGED" });
      leaveAll(error);
      endAll(error);
    },
    list: () => [...listHeldRooms(), ...listChannels()],
    calls: {
      ...rooms,
      /** What others know the present connection by: the `socketId` of members and senders; null before the first one. */
      getSocketId: () => socketId,
      ...channels,
      /** Calls a handler of the server and gives its result. @throws BaasixError NOT_FOUND without such a handler */
      async invoke<Result = unknown>(event: string, payload?: unknown): Promise<Result> {
        return (await requests.request<"result">({ type: "invoke", event, payload })).data as Result;
      },
      /** What the server tells this user, on all its connections; `*` for all events. Returns how to stop. */
      onNotification(event: string, callback: (notification: Notification) => void): () => void {
        const entry = [event, callback] as const;
        notified.add(entry);
        const release = requests.keep();
        return () => {
          notified.delete(entry);
          release();
        };
      },
    },
  };
}
