/** What the server and the role allow, as far as the change feed is concerned. */
import type { Runner } from "../database";

/** `issues`: what stands against reading the log, each with what would change it; none where it is `isConfigured`. */
export type LogSettings = {
  readonly walLevel: string;
  readonly maxReplicationSlots: number;
  readonly maxWalSenders: number;
  readonly isConfigured: boolean;
  readonly issues: readonly string[];
};

/** Asks the server. Slots and senders that are in use count only where none of them is ours (`isReading`). */
export async function readLogSettings(
  runner: Runner,
  { publication, isReading }: { readonly publication: string; readonly isReading: boolean },
): Promise<LogSettings> {
  const text =
    "select current_setting('wal_level'), current_setting('max_replication_slots'), current_setting('max_wal_senders'), " +
    "(select rolreplication or rolsuper from pg_roles where rolname = current_user), " +
    "(select count(*) from pg_replication_slots)::int, " +
    "exists (select 1 from pg_publication where pubname = $1::text)";
  const [row = []] = await runner.run({ text, params: [publication] });
  const [level, slots, senders, mayReplicate, used, isPublished] = row;
  const [walLevel, maxReplicationSlots, maxWalSenders] = [String(level), Number(slots), Number(senders)];
  const issues = [
    walLevel !== "logical" && `wal_level is ${walLevel}: set wal_level = logical and restart PostgreSQL`,
    mayReplicate !== true && "the role may not replicate: ALTER ROLE … REPLICATION",
    maxWalSenders < 1 && "max_wal_senders is 0: each instance needs one",
    maxReplicationSlots < 1 && "max_replication_slots is 0: each instance needs one",
    !isReading &&
      maxReplicationSlots > 0 &&
      Number(used) >= maxReplicationSlots &&
      `all ${maxReplicationSlots} replication slots are in use: raise max_replication_slots`,
    isPublished !== true &&
      `there is no publication ${publication}: the role needs CREATE on the database to make it`,
  ].filter((issue) => issue !== false);
  return { walLevel, maxReplicationSlots, maxWalSenders, isConfigured: issues.length === 0, issues };
}
