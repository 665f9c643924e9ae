/** The notifications of who is signed in, for components: a list, how many are unseen, marking and deleting. */
import {
  type BaasixError,
  type CountQuery,
  type Filter,
  type ListResult,
  type NotificationRecord,
  ownNotifications,
} from "@baasix/sdk";
import { useCallback } from "react";
import { useAuthState } from "./auth";
import { useCount, useItems } from "./items";
import { baasixKeys } from "./keys";
import { type CachedPlace, showDelete, showUpdate, type Undo } from "./optimism";
import { useBaasix } from "./provider";
import { useWrite } from "./write";

/** What is shown of them. */
export type NotificationOptions = {
  /** Whether list and count follow the database by themselves; default false. */
  readonly live?: boolean;
  /** How many the list has; default 20. */
  readonly limit?: number;
  /** Which of them the list has, all unless given; the count is of all that are unseen. */
  readonly filter?: Filter<NotificationRecord>;
};

/** The notifications as a component sees them. Without an account there are none. */
export type UseNotificationsResult = {
  /** The newest first. */
  readonly notifications: readonly NotificationRecord[];
  /** How many the list would have without a limit. */
  readonly totalCount: number;
  readonly unreadCount: number;
  /** True until both are known. */
  readonly isPending: boolean;
  /** Of reading, or of the last mark or delete. */
  readonly error: BaasixError | null;
  /** Marks these as seen, or all; shown at once. Gives how many were unseen. @throws BaasixError; it is taken back then */
  readonly markAsSeen: (ids?: readonly string[]) => Promise<number>;
  /** Deletes these, or all; shown at once. Gives how many. @throws BaasixError; they are shown again then */
  readonly remove: (ids?: readonly string[]) => Promise<number>;
};

const collection = "baasix_Notification";
const unread: CountQuery<NotificationRecord> = {
  filter: { AND: [...ownNotifications.AND, { seen: { eq: false } }] },
};
const none: readonly NotificationRecord[] = [];

/** The own notifications, whatever else one may read. With `live: true` new ones come by themselves. */
export function useNotifications({
  live = false,
  limit = 20,
  filter,
}: NotificationOptions = {}): UseNotificationsResult {
  const { isAuthenticated } = useAuthState(useBaasix());
  const read = { live, enabled: isAuthenticated };
  const which: Filter<NotificationRecord> = filter
    ? { AND: [...ownNotifications.AND, filter] }
    : ownNotifications;
  const list = useItems<NotificationRecord>(
    collection,
    { filter: which, sort: ["-createdAt", "id"], limit },
    read,
  );
  const count = useCount<NotificationRecord>(collection, unread, read);
  const { mutateAsync: mark, error: unmarked } = useChange("seen", (place, item) =>
    showUpdate(place, item.id, { seen: true, seenAt: new Date().toISOString() }),
  );
  const { mutateAsync: erase, error: undeleted } = useChange("delete", (place, item) =>
    showDelete(place, item.id),
  );
  return {
    notifications: (isAuthenticated && list.data?.data) || none,
    totalCount: (isAuthenticated && list.data?.totalCount) || 0,
    unreadCount: (isAuthenticated && count.data) || 0,
    isPending: isAuthenticated && (list.isPending || count.isPending),
    error: list.error ?? count.error ?? unmarked ?? undeleted,
    markAsSeen: useCallback((ids?: readonly string[]) => told(mark(ids ?? null)), [mark]),
    remove: useCallback((ids?: readonly string[]) => told(erase(ids ?? null)), [erase]),
  };
}

/** A refusal that nobody waits for is told by `error` alone. */
function told<Result>(result: Promise<Result>): Promise<Result> {
  result.catch(() => undefined);
  return result;
}

/** A write to the own ones with these ids, or (null) all; those that the cache shows are changed ahead. */
function useChange(
  action: "seen" | "delete",
  showOne: (place: CachedPlace, item: NotificationRecord) => Undo,
) {
  return useWrite<number, readonly string[] | null>(
    {},
    {
      mutationKey: (client) => [...baasixKeys.items(client, collection), action],
      async run({ notifications }, ids, call) {
        const write = action === "seen" ? notifications.markAsSeen : notifications.delete;
        return (await write(ids ?? undefined, call)).count;
      },
      show(shown, ids) {
        const place: CachedPlace = { ...shown, collection, primaryKey: "id" };
        const items = knownOf(place, ids);
        const lowered = lowerUnread(place, ids === null ? null : items.filter(({ seen }) => !seen).length);
        const undone = items.map((item) => showOne(place, item));
        return { undo: () => [lowered, ...undone].forEach((undo) => undo()) };
      },
      changes: () => [collection],
    },
  );
}

/** Those of the user that lists in the cache have, each once. */
function knownOf(
  { cache, scope }: CachedPlace,
  ids: readonly string[] | null,
): readonly NotificationRecord[] {
  const own = scope.auth.state.user?.id;
  const lists = cache.getQueriesData<ListResult<NotificationRecord>>({
    queryKey: baasixKeys.lists(scope, collection),
  });
  const all = lists.flatMap(([, list]) => list?.data ?? []);
  const wanted = all.filter(({ id, userId }) => (ids === null ? userId === own : ids.includes(id)));
  return [...new Map(wanted.map((item) => [item.id, item])).values()];
}

/** `by` null: to nothing. */
function lowerUnread({ cache, scope }: CachedPlace, by: number | null): Undo {
  const queryKey = baasixKeys.count<NotificationRecord>(scope, collection, unread);
  const before = cache.getQueryData<number>(queryKey);
  if (before === undefined) return () => undefined;
  const ahead = by === null ? 0 : Math.max(0, before - by);
  cache.setQueryData(queryKey, ahead);
  return () => cache.setQueryData<number>(queryKey, (now) => (now === ahead ? before : now));
}
