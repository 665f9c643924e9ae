/** What one socket may cost. */

/** Bounds of a socket. Times in milliseconds, sizes in bytes. */
export const limits = {
  /** Of one message. Larger ones close the socket with 1009. */
  message: 256 * 1024,
  /**
   * What may wait to be sent. Beyond it the socket is closed, and the client reads again. With the room in which it grows, and
   * the message that comes last, a client that stopped reading stays below 1 MB (`bench/stalled.ts`).
   */
  sendBuffer: 640 * 1024,
  /** What may wait while a token is checked. */
  waiting: 1024 * 1024,
  subscriptions: 100,
  /** Live queries of one socket, and bytes of the rows of one answer: less than may wait to be sent. */
  queries: 50,
  result: 512 * 1024,
  /** Characters of the answers that all live queries together remember, to tell differences from. */
  remembered: 64 * 1024 * 1024,
  /** Characters of all that its subscriptions ask for: they are kept, and read again when rules change. */
  requests: 256 * 1024,
  /** Of each kind that a socket may hold: rooms, presence channels, broadcast channels, topics. */
  rooms: 50,
  /** Attempts to enter one a second, and at once: whoever comes back takes all its rooms at once. */
  joins: 10,
  joinBurst: 50,
  /** What a member shows of itself, and all members of a room together. */
  profile: 4 * 1024,
  profiles: 512 * 1024,
  members: 1_000,
  /** Of a message of a room or a broadcast, of an event, and of a handler's result. */
  payload: 64 * 1024,
  /** Bytes of messages that a socket may send to others in a second, and at once: each goes out once a member. */
  sendRate: 128 * 1024,
  sendBurst: 512 * 1024,
  /** Bytes a second of what changes in a presence channel: beyond, changes are gathered for longer. */
  presenceRate: 256 * 1024,
  /** What a room remembers: messages, their bytes, and for how long. */
  history: 200,
  historyBytes: 256 * 1024,
  historyAge: 24 * 3_600_000,
  /** What all rooms remember together, and how many without members are remembered at all. */
  memory: 64 * 1024 * 1024,
  /** Characters of all that was said, when an instance tells another one what there is. */
  told: 4 * 1024 * 1024,
  emptyRooms: 1_000,
  /** Rooms in one list, and rooms that are looked through for it. */
  listed: 1_000,
  /** For so long whoever was kicked may not come back. */
  ban: 600_000,
  /** For so long a handler of `invoke` may work. */
  invoke: 30_000,
  /** So long changes of presence are gathered. */
  presencePause: 50,
  /** Messages a second, and at once. */
  rate: 20,
  burst: 40,
  /** Messages in a row that were refused for their rate, and that were not understood, before the socket is closed. */
  refusals: 100,
  mistakes: 20,
  /** Requests of a socket that are being worked on; more are refused until some were answered. */
  unanswered: 32,
  /** Between two looks whether changes are to be had at all. */
  offCheck: 1_000,
  /** From the upgrade to the proof of who it is. */
  authentication: 5_000,
  /** Seconds after which Bun closes a socket over which nothing went either way; the heart-beat is quicker. */
  idle: 120,
} as const;

/** Counts messages, or whatever has a `cost`: `rate` a second, `burst` at once. */
export type Bucket = { readonly take: (cost?: number) => boolean };

/** Makes a full bucket. `clock` in milliseconds. */
export function createBucket(
  clock: () => number,
  rate: number = limits.rate,
  burst: number = limits.burst,
): Bucket {
  let tokens = burst;
  let filledAt = clock();
  return {
    take: (cost = 1) => {
      const now = clock();
      tokens = Math.min(burst, tokens + (Math.max(0, now - filledAt) * rate) / 1000);
      filledAt = now;
      if (tokens < cost) return false;
      tokens -= cost;
      return true;
    },
  };
}
