/**
 * The names under which subscribers hear of one thing; each is a topic of its own. Those who share a name share each
 * encoding and each native publish. Names are unique within a socket.
 */

/** What is needed of a socket: which names it has, and its topics. */
export type Member = {
  readonly has: (name: string) => boolean;
  readonly join: (topic: string) => void;
  readonly leave: (topic: string) => void;
};

export type Seats = {
  /** Takes a seat, and gives its name; the member joins the topic when it will hear. `kind`: of those who hear less. */
  readonly sit: (member: Member, kind?: string) => string;
  readonly stand: (member: Member, name: string) => void;
  /** Publishes to every name of the kinds that `wants` (default all). */
  readonly tell: (encode: (name: string) => string, wants?: (kind: string) => boolean) => void;
  readonly isEmpty: () => boolean;
};

/** Makes an empty set of seats. `publish` sends text to all sockets that joined a topic. */
export function createSeats(name: string, publish: (topic: string, text: string) => void): Seats {
  const taken = new Map<string, { readonly kind: string; members: number }>();
  return {
    sit: (member, kind = "") => {
      const first = kind === "" ? name : `${name}.${kind}`;
      let seat = first;
      for (let place = 2; member.has(seat); place++) seat = `${first}.${place}`;
      const known = taken.get(seat) ?? { kind, members: 0 };
      known.members++;
      taken.set(seat, known);
      return seat;
    },
    stand: (member, seat) => {
      member.leave(seat);
      const known = taken.get(seat);
      if (known && --known.members === 0) taken.delete(seat);
    },
    tell: (encode, wants) => {
      for (const [seat, { kind }] of taken) if (!wants || wants(kind)) publish(seat, encode(seat));
    },
    isEmpty: () => taken.size === 0,
  };
}
