/** What notifications offer to code: an embedding application, extensions, the server's own features. */
import { system } from "../../core/access/actor";
import type { Data, Snapshot } from "../../data";
import { readNotice } from "./model";
import { type Notice, sendNotices } from "./send";

const notifying = system("the server's own code notifies whom it likes");

/**
 * A notification of the server's own code; bounds as those of `POST /notifications/send`. `tenant`: where they see it, as its
 * members; null, the default, is everywhere.
 */
export type OwnNotice = Notice;

export type NotificationsFace = {
  /**
   * Stores a notification for each account and, once that is committed, tells all their sockets that listen, on all instances.
   * Gives the ids. `realtime.sendToUser` tells sockets without storing anything. `rows`: the transaction that it is a part of.
   * @throws AppError VALIDATION_ERROR
   */
  readonly send: (notice: OwnNotice, rows?: Data) => Promise<readonly string[]>;
};

/** Makes it. */
export function createNotifications(parts: {
  readonly data: Data;
  readonly snapshot: () => Snapshot;
}): NotificationsFace {
  const { data, snapshot } = parts;
  return {
    send: async ({ tenant = null, ...rest }, rows = data) => {
      // Judged as what comes over the wire: nobody else looks at it.
      const notice = readNotice({ ...rest, tenant_Id: tenant });
      return (await sendNotices(rows, notifying, notice, snapshot())).map(String);
    },
  };
}
