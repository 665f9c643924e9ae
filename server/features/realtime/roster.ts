/** Who is where, on all instances: each knows its own sockets, and is told of those of the others. */
import type { Cluster, Word } from "./cluster";

/** A socket at a place. `joinedAt`: ms since 1970, of the instance that took it in. */
export type Seat<Data> = {
  readonly socketId: string;
  readonly userId: string;
  readonly instance: string;
  readonly joinedAt: number;
  readonly data: Data;
};

/** What happened at one place. */
export type RosterChange<Data> = {
  readonly joined: readonly Seat<Data>[];
  /** Its data is another one. */
  readonly updated: readonly Seat<Data>[];
  readonly left: readonly Seat<Data>[];
};

export type RosterParts<Data> = {
  readonly cluster: Cluster;
  /** Under which the instances speak of it. */
  readonly kind: string;
  /** Bytes of what a seat shows. */
  readonly sizeOf: (data: Data) => number;
  /** Called after each change, whoever made it. */
  readonly changed: (key: string, change: RosterChange<Data>) => void;
  readonly now: () => number;
};

export type Roster<Data> = {
  /** Takes a socket of this instance in, or changes its data. */
  readonly set: (key: string, socketId: string, userId: string, data: Data) => void;
  readonly remove: (key: string, socketId: string) => void;
  /** Bytes of what all of a place show, but for this socket. */
  readonly bytesBut: (key: string, socketId: string) => number;
  /** In no order. */
  readonly at: (key: string) => ReadonlyMap<string, Seat<Data>>;
  readonly keys: () => Iterable<string>;
  /** How many places have somebody. */
  readonly size: () => number;
};

const nobody = new Map<string, never>();

/** Makes an empty roster, and shares it. */
export function createRoster<Data>({ cluster, kind, sizeOf, changed, now }: RosterParts<Data>): Roster<Data> {
  const places = new Map<string, Map<string, Seat<Data>>>();
  // Summed as they come and go: a state may change many times a second among many.
  const bytes = new Map<string, number>();
  let latest = 0;

  const put = (key: string, seat: Seat<Data>): void => {
    const place = places.get(key) ?? new Map<string, Seat<Data>>();
    places.set(key, place);
    const known = place.get(seat.socketId);
    const isKnown = known !== undefined;
    bytes.set(key, (bytes.get(key) ?? 0) + sizeOf(seat.data) - (known ? sizeOf(known.data) : 0));
    place.set(seat.socketId, seat);
    changed(key, { joined: isKnown ? [] : [seat], updated: isKnown ? [seat] : [], left: [] });
  };

  const take = (key: string, socketId: string): boolean => {
    const place = places.get(key);
    const seat = place?.get(socketId);
    if (!place || !seat) return false;
    place.delete(socketId);
    bytes.set(key, (bytes.get(key) ?? 0) - sizeOf(seat.data));
    if (place.size === 0) {
      places.delete(key);
      bytes.delete(key);
    }
    changed(key, { joined: [], updated: [], left: [seat] });
    return true;
  };

  const seatsOf = (instance: string): readonly (readonly [key: string, seat: Seat<Data>])[] =>
    [...places].flatMap(([key, place]) =>
      [...place.values()].filter((seat) => seat.instance === instance).map((seat) => [key, seat] as const),
    );

  cluster.join({
    kind,
    receive: (word, from) => {
      const { key, socketId, seat } = word as {
        key: string;
        socketId?: string;
        seat?: Omit<Seat<Data>, "instance">;
      };
      if (seat) return put(key, { ...seat, instance: from });
      if (socketId !== undefined && places.get(key)?.get(socketId)?.instance === from) take(key, socketId);
    },
    *state() {
      for (const [key, { instance: _, ...seat }] of seatsOf(cluster.id)) yield { key, seat };
    },
    replace: (words, from) => {
      const held = new Set(words.map(({ key, seat }) => `${(seat as Seat<Data>).socketId} ${String(key)}`));
      for (const [key, { socketId }] of seatsOf(from))
        if (!held.has(`${socketId} ${key}`)) take(key, socketId);
      for (const word of words) {
        const { key, seat } = word as { key: string; seat: Seat<Data> };
        const known = places.get(key)?.get(seat.socketId);
        const isSame =
          known?.joinedAt === seat.joinedAt && JSON.stringify(known.data) === JSON.stringify(seat.data);
        if (!isSame) put(key, { ...seat, instance: from });
      }
    },
    gone: (instance) => {
      for (const [key, { socketId }] of seatsOf(instance)) take(key, socketId);
    },
  });

  return {
    set: (key, socketId, userId, data) => {
      // Of two in one millisecond the first is the earlier.
      const joinedAt = places.get(key)?.get(socketId)?.joinedAt ?? (latest = Math.max(now(), latest + 1));
      const seat = { socketId, userId, joinedAt, data };
      put(key, { ...seat, instance: cluster.id });
      cluster.tell(kind, { key, seat } satisfies Word);
    },
    remove: (key, socketId) => {
      if (take(key, socketId)) cluster.tell(kind, { key, socketId });
    },
    bytesBut: (key, socketId) => {
      const own = places.get(key)?.get(socketId);
      return (bytes.get(key) ?? 0) - (own ? sizeOf(own.data) : 0);
    },
    at: (key) => places.get(key) ?? nobody,
    keys: () => places.keys(),
    size: () => places.size,
  };
}
