/** Wire shapes of notifications: what a user is told, and keeps until it is deleted. Times are ISO 8601. */

/** A row of `baasix_Notification`. `tenant_Id` null: its user sees it in every tenant. */
export type NotificationRecord = {
  readonly id: string;
  /** What kind it is, in the application's own words. */
  readonly type: string;
  readonly title: string;
  readonly message: string;
  /** What the application does with it: where it leads, say. */
  readonly data: unknown;
  readonly seen: boolean;
  /** When it was marked; null while it is unseen. */
  readonly seenAt: string | null;
  readonly userId: string;
  readonly tenant_Id: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

/**
 * Body of `POST /notifications/send`. `userIds`: 1 to 1,000 accounts, all of which must be there. `data`: JSON, 16 KiB at
 * most. `tenant_Id`: where they see it, and of which they must be members; default the tenant in which the sender acts.
 */
export type NotificationInput = {
  readonly type: string;
  readonly title: string;
  readonly message: string;
  readonly data?: unknown;
  readonly userIds: readonly string[];
  readonly tenant_Id?: string | null;
};

/** Answer of `POST /notifications/send`: the ids in the order of `userIds`, one for each account. */
export type NotificationsSent = {
  readonly message: string;
  readonly notificationIds: readonly string[];
};

/** Answer of the writes that tell how many they were about. */
export type NotificationsCounted = { readonly message: string; readonly count: number };
