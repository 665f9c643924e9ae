/** What other instances (and hands in the database) change: told by the log, taken up by this process. */
import type { Authenticator } from "./features/auth";
import type { Realtime } from "./features/realtime";
import type { Logger } from "./http";
import type { Data, SnapshotStore, Totals } from "./data";
import type { ChangeFeed, RowChange } from "./platform/postgres";

export type FollowParts = {
  readonly data: Pick<Data, "onWrite">;
  readonly feed: ChangeFeed;
  readonly snapshot: SnapshotStore;
  readonly authenticator: Authenticator;
  readonly realtime: Realtime;
  readonly logger: Logger;
  readonly totals: Totals;
};

/** How often the database is asked for rules, schema and sessions while nobody tells of their changes, in ms. */
const pollInterval = 2_000;

/**
 * Keeps rules, schema and sessions in step with the database. A gap in the feed reads everything anew. While nobody tells
 * of changes, or after a reading that failed, the database is asked again and again, and what this process writes itself
 * counts at once. Gives the function that stops asking.
 */
export function followChanges({
  data,
  feed,
  snapshot,
  authenticator,
  realtime,
  logger,
  totals,
}: FollowParts): () => void {
  let behind = false;
  /** Changes of rows are told when it is done, as it may end the right to them. */
  const attempt = (work: () => Promise<unknown>): void => {
    const done = work().then(
      () => true,
      (error: Error) => {
        behind = true;
        logger.error("following a change failed", { error: error.message });
        return false;
      },
    );
    realtime.await(done);
  };
  let asking = false;
  const poll = setInterval(() => {
    if (asking || (feed.status().connected && !behind)) return;
    asking = true;
    behind = false;
    const ask = async (): Promise<void> => {
      await snapshot.reloadSchema();
      await realtime.recheckAll();
    };
    attempt(() => ask().finally(() => (asking = false)));
  }, pollInterval);
  poll.unref();
  data.onWrite(({ collection, ids }) => {
    if (feed.status().connected) return;
    if (collection === "baasix_Sessions" || collection === "baasix_ApiToken") {
      for (const id of ids) attempt(() => realtime.recheck({ session: String(id) }));
    } else if (collection === "baasix_User") {
      for (const id of ids) attempt(() => realtime.recheck({ user: String(id) }));
    } else if (rolesAndTenants.has(collection)) attempt(realtime.recheckAll);
  });
  feed.onChanges(({ changes }) => {
    const tables = new Set(changes.map((change) => change.table));
    if (tables.has("baasix_SchemaDefinition")) attempt(snapshot.reloadSchema);
    else if (tables.has("baasix_Role") || tables.has("baasix_Permission")) attempt(snapshot.reloadRules);
    // What a role is called decides what it may: every remembered actor may be another now.
    if (tables.has("baasix_Role")) {
      authenticator.clear();
      attempt(realtime.recheckAll);
    }
    for (const who of affected(changes)) {
      authenticator.evict(who);
      attempt(() => realtime.recheck(who));
    }
  }, followed);
  feed.onChanges(
    ({ changes }) => {
      for (const table of new Set(changes.map((change) => change.table))) totals.touched(table);
      // Triggers would tell at the cost of every write; without the log nothing is remembered.
    },
    (table) => feed.status().source === "log" && totals.depends(table),
  );
  feed.onGap((_reason, missed) => {
    if (missed !== null && ![...missed].some(followed)) return;
    totals.clear();
    authenticator.clear();
    attempt(snapshot.reloadSchema);
    attempt(realtime.recheckAll);
  });
  return () => clearInterval(poll);
}

const tables: ReadonlySet<string> = new Set([
  "baasix_SchemaDefinition",
  "baasix_Role",
  "baasix_Permission",
  "baasix_Sessions",
  "baasix_ApiToken",
  "baasix_User",
  "baasix_UserRole",
]);
const followed = (table: string): boolean => tables.has(table);
/** With a tenant go memberships and sessions: the log tells of them, our own write of the tenant alone. */
const rolesAndTenants: ReadonlySet<string> = new Set(["baasix_UserRole", "baasix_Role", "baasix_Tenant"]);

type Who = { readonly session?: string; readonly user?: string };

/** Whose identity the changes touch: sessions and API tokens that changed or ended, users with another status or role. */
function affected(changes: readonly RowChange[]): readonly Who[] {
  return changes.flatMap((change): readonly Who[] => {
    const row = change.before ?? change.after;
    if (change.action === "create" && change.table !== "baasix_UserRole") return [];
    const isToken = change.table === "baasix_Sessions" || change.table === "baasix_ApiToken";
    if (isToken && row?.id) return [{ session: row.id }];
    if (change.table === "baasix_User" && row?.id) return [{ user: row.id }];
    if (change.table !== "baasix_UserRole") return [];
    return [change.before?.user_Id, change.after?.user_Id].flatMap((user) => (user ? [{ user }] : []));
  });
}
