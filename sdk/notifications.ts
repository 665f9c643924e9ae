/** Notifications of the user who is signed in, and sending them. */
import type {
  Filter,
  NotificationInput,
  NotificationRecord,
  NotificationsCounted,
  NotificationsSent,
} from "@baasix/types";
import type { CallOptions, Http, WriteOptions } from "./http";
import type { Items } from "./items";
import type { Realtime } from "./realtime";
import type { StopSubscription, SubscribeOptions } from "./subscriptions";

/** The notification calls of a client: of the user's own ones, where it acts. */
export type Notifications = {
  /** The newest first, unless the query says otherwise. */
  find: Items<NotificationRecord>["find"];
  /** How many are unseen. */
  getUnreadCount(options?: CallOptions): Promise<number>;
  /** Marks the unseen ones among these as seen, or all; `count` tells how many were marked. */
  markAsSeen(ids?: readonly string[], options?: WriteOptions): Promise<Counted>;
  /** Deletes these, or all; `count` tells how many. An empty list deletes none. */
  delete(ids?: readonly string[], options?: WriteOptions): Promise<Counted>;
  /** Notifies accounts; for administrators and roles that may create notifications. @throws BaasixError VALIDATION_ERROR */
  send(input: NotificationInput, options?: WriteOptions): Promise<NotificationsSent>;
  /** Deletes everybody's that are older than some days (default 30); for administrators. */
  cleanup(days?: number, options?: CallOptions): Promise<Counted>;
  /**
   * Calls back with each new one as it comes. After a break some may have come unheard: then `onResync` is called, and `find`
   * tells. Returns how to stop.
   */
  onNotification(
    callback: (notification: NotificationRecord) => void,
    options?: Pick<SubscribeOptions, "onState" | "onResync" | "onError">,
  ): StopSubscription;
};

type Counted = Pick<NotificationsCounted, "count">;

/** Which notifications are the user's own where it acts: what an administrator needs to say, who may read all. */
export const ownNotifications = {
  AND: [
    { userId: { eq: "$CURRENT_USER" } },
    { OR: [{ tenant_Id: { isNull: true } }, { tenant_Id: { eq: "$CURRENT_TENANT" } }] },
  ],
} as const satisfies Filter<NotificationRecord>;

const all = "/notifications";

/** The calls on `/notifications`, and on the changes of what lies behind. */
export function createNotifications(
  http: Http,
  realtime: Pick<Realtime<object>, "subscribe">,
): Notifications {
  return {
    find: (query, options) => http({ ...options, path: all, query }),
    getUnreadCount: async (options) =>
      (await http<{ readonly count: number }>({ ...options, path: `${all}/unread/count` })).count,
    markAsSeen: (notificationIds, options) =>
      http({ ...options, method: "POST", path: `${all}/mark-seen`, body: { notificationIds } }),
    delete: (notificationIds, options) =>
      http({ ...options, method: "DELETE", path: all, body: { notificationIds } }),
    send: (body, options) => http({ ...options, method: "POST", path: `${all}/send`, body }),
    cleanup: (days, options) => http({ ...options, method: "POST", path: `${all}/cleanup`, body: { days } }),
    onNotification: (callback, options) =>
      realtime.subscribe<NotificationRecord>(
        "baasix_Notification",
        { ...options, filter: ownNotifications, events: ["create"] },
        ({ data }) => callback(data),
      ),
  };
}
