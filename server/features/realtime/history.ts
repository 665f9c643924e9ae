/** What rooms remember: the last messages of each, within the bounds of one room and of all together. */
import type { RoomMessage } from "@baasix/types";
import { limits } from "./limits";

type Kept = { readonly message: RoomMessage; readonly at: number; readonly size: number };
type Log = { readonly kept: Kept[]; bytes: number };

export type Histories = {
  /** Remembers a message, in the order of time. `size` in bytes of JSON. One that is known is left as it is. */
  readonly add: (key: string, message: RoomMessage, size: number) => void;
  /** The oldest first. */
  readonly of: (key: string) => readonly RoomMessage[];
  readonly has: (key: string) => boolean;
  readonly drop: (key: string) => void;
  readonly keys: () => Iterable<string>;
};

/** Makes empty ones. `now` in ms since 1970; `memory`: bytes of all together. */
export function createHistories(now: () => number, memory: number = limits.memory): Histories {
  // The room in which something was said last comes last.
  const logs = new Map<string, Log>();
  let total = 0;

  const shift = (log: Log): void => {
    const size = log.kept.shift()?.size ?? 0;
    log.bytes -= size;
    total -= size;
  };

  const drop = (key: string): void => {
    total -= logs.get(key)?.bytes ?? 0;
    logs.delete(key);
  };

  const prune = (key: string): Log | undefined => {
    const log = logs.get(key);
    if (!log) return undefined;
    const oldest = now() - limits.historyAge;
    while (
      log.kept.length > limits.history ||
      log.bytes > limits.historyBytes ||
      (log.kept[0]?.at ?? Infinity) < oldest
    ) {
      shift(log);
    }
    if (log.kept.length > 0) return log;
    logs.delete(key);
    return undefined;
  };

  return {
    add: (key, message, size) => {
      const log = logs.get(key) ?? { kept: [], bytes: 0 };
      logs.delete(key);
      logs.set(key, log);
      if (log.kept.some((kept) => kept.message.messageId === message.messageId)) return;
      const at = Date.parse(message.timestamp);
      let place = log.kept.length;
      while (place > 0 && (log.kept[place - 1]?.at ?? 0) > at) place--;
      log.kept.splice(place, 0, { message, at, size });
      log.bytes += size;
      total += size;
      prune(key);
      for (const other of logs.keys()) {
        if (total <= memory) break;
        drop(other);
      }
    },
    of: (key) => prune(key)?.kept.map(({ message }) => message) ?? [],
    has: (key) => prune(key) !== undefined,
    drop,
    keys: () => logs.keys(),
  };
}
