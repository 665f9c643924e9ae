/** A way between instances: whatever one sends all hear, the sender too, each sender's texts in the order of sending. */

/** What a transport tells. */
export type TransportEvents = {
  readonly onText: (text: string) => void;
  /** It stands: again after each break, during which texts may have been missed. */
  readonly onUp: () => void;
  readonly onError: (error: Error) => void;
};

/** An open transport. It comes back by itself. */
export type Transport = {
  /** Sends a text of one line; while the way is broken, to nobody. */
  readonly send: (text: string) => void;
  /** Sends what waits, as far as that is possible at once, and closes. */
  readonly close: () => Promise<void>;
};

/** Opens a transport; it connects in the background and never throws. */
export type OpenTransport = (events: TransportEvents) => Transport;

/** Pauses before a new attempt, ms. */
export const firstPause = 100;
export const longestPause = 5_000;
/** Characters that may wait to be sent. Beyond, all of it is dropped: those who miss it notice, and ask for everything. */
export const backlog = 64 * 1024 * 1024;
