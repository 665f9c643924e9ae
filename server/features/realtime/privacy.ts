/**
 * Private names and the rows they stand for: whoever may no longer read a row leaves. Rows that change are looked at as
 * the log tells of them; conditions that reach over other rows, and validators, by the clock.
 */
import type { ChangeFeed } from "../../platform/postgres";
import type { Schema } from "../../core/schema/model";
import { type Gate, privateName } from "./gate";
import type { Named } from "./holds";

export type PrivacyParts = {
  readonly feed: Pick<ChangeFeed, "onChanges" | "onGap">;
  readonly schema: () => Schema;
  readonly gate: Gate;
  readonly holders: readonly Named[];
};

/** How often everybody who is asked about names is asked again, in ms. */
const interval = 60_000;

/** Follows until the function that it gives is called. */
export function followPrivacy({ feed, schema, gate, holders }: PrivacyParts): () => void {
  const renew = (names: Iterable<string>): void => {
    for (const name of names) for (const holder of holders) holder.renewName(name);
  };
  const stop = feed.onChanges(
    ({ changes }) => {
      const names = new Set<string>();
      for (const { table, before, after } of changes) {
        if (!gate.collections.has(table)) continue;
        const key = schema().collections.get(table)?.primaryKey.name ?? "";
        for (const row of [before, after]) {
          const id = row?.[key];
          if (id !== null && id !== undefined) names.add(privateName(table, id));
        }
      }
      renew(names);
    },
    (table) => gate.collections.has(table),
  );
  const renewAll = (): void =>
    renew(new Set(holders.flatMap((holder) => [...holder.names()].filter(holder.isGuarded))));
  const stopGap = feed.onGap((_reason, tables) => {
    if (tables === null || [...tables].some((table) => gate.collections.has(table))) renewAll();
  });
  const timer = setInterval(renewAll, interval);
  timer.unref();
  return () => {
    stop();
    stopGap();
    clearInterval(timer);
  };
}
