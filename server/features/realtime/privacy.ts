/**
 * Private names and the rows they stand for: whoever may no longer read a row leaves. It is asked again when the row has changed,
 * and when others have that decide who may read it, as the log tells of them; and by the clock, for validators, for what time
 * decides, and for collections that are not live.
 */
import type { ChangeFeed } from "../../platform/postgres";
import type { Schema } from "../../core/schema/model";
import { touches } from "../../core/query/dependencies";
import { type Gate, privateCollection, privateName } from "./gate";
import type { Named } from "./holds";

export type PrivacyParts = {
  readonly feed: Pick<ChangeFeed, "onChanges" | "onGap">;
  readonly schema: () => Schema;
  readonly gate: Gate;
  readonly holders: readonly Named[];
};

/** How often everybody who is asked about names is asked again, in ms. */
const interval = 60_000;
/** Milliseconds between two times that all items of a collection are asked about because other rows have changed. */
const pause = 250;

/** Follows until the function that it gives is called. */
export function followPrivacy({ feed, schema, gate, holders }: PrivacyParts): () => void {
  const renew = (names: Iterable<string>): void => {
    for (const name of names) for (const holder of holders) holder.renewName(name);
  };
  /** Collections whose items are to be asked about when the pause ends; those of which no pause runs are not here. */
  const resting = new Map<string, { isDue: boolean; readonly timer: ReturnType<typeof setTimeout> }>();
  const renewCollection = (collection: string): void => {
    const rest = resting.get(collection);
    if (rest) {
      rest.isDue = true;
      return;
    }
    const held = holders.flatMap((holder) => [...holder.names()]);
    renew(new Set(held.filter((name) => privateCollection(name) === collection)));
    const timer = setTimeout(() => {
      const isDue = resting.get(collection)?.isDue;
      resting.delete(collection);
      if (isDue) renewCollection(collection);
    }, pause);
    timer.unref();
    resting.set(collection, { isDue: false, timer });
  };
  const stop = feed.onChanges(
    ({ changes }) => {
      const names = new Set<string>();
      const reaching = new Set<string>();
      for (const change of changes) {
        const { table, before, after } = change;
        for (const [collection, dependency] of gate.reached.get(table) ?? [])
          if (touches(dependency, change)) reaching.add(collection);
        if (!gate.collections.has(table)) continue;
        const key = schema().collections.get(table)?.primaryKey.name ?? "";
        for (const row of [before, after]) {
          const id = row?.[key];
          if (id !== null && id !== undefined) names.add(privateName(table, id));
        }
      }
      renew(names);
      for (const collection of reaching) renewCollection(collection);
    },
    (table) => gate.collections.has(table) || gate.reached.has(table),
  );
  const renewAll = (): void =>
    renew(new Set(holders.flatMap((holder) => [...holder.names()].filter(holder.isGuarded))));
  const stopGap = feed.onGap((_reason, tables) => {
    const isTheirs = (table: string): boolean => gate.collections.has(table) || gate.reached.has(table);
    if (tables === null || [...tables].some(isTheirs)) renewAll();
  });
  const timer = setInterval(renewAll, interval);
  timer.unref();
  return () => {
    stop();
    stopGap();
    clearInterval(timer);
    for (const rest of resting.values()) clearTimeout(rest.timer);
  };
}
