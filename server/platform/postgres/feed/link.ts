/**
 * A connection of its own, whatever it runs over. In replication mode: commands first, then one stream of data both ways.
 * In plain mode: commands, and notices of `LISTEN` between them.
 */

/** `plain`: an ordinary session. */
export type LinkMode = "replication" | "plain";

/** What a link tells. `onEnd` comes once, after the link was up, and never after `close`. */
export type LinkEvents = {
  /** The body of a CopyData message lies in `bytes` from `start` to `end`, valid during the call only. */
  readonly onData: (bytes: Buffer, start: number, end: number) => void;
  readonly onEnd: (error: Error) => void;
  /** The payload of a `NOTIFY`. */
  readonly onNotice?: (payload: string) => void;
};

export type Link = {
  /** Runs one command and gives its rows as text. Rejects with a `LinkError` when the server refuses it. */
  readonly query: (text: string) => Promise<readonly (readonly (string | null)[])[]>;
  /** Sends the command that starts the stream; resolves when the server has started it. */
  readonly stream: (text: string) => Promise<void>;
  /** Sends a CopyData body. */
  readonly send: (body: Buffer) => void;
  readonly close: () => void;
};

/** The server does not allow what a feed needs; the message says why and what would change that. */
export class NotAllowed extends Error {
  override readonly name = "NotAllowed";
}

/** The server, or the way to it, refused. `state` is the SQLSTATE, or null when there was no answer. */
export class LinkError extends Error {
  override readonly name = "LinkError";
  readonly state: string | null;

  constructor(message: string, state: string | null = null, options?: ErrorOptions) {
    super(message, options);
    this.state = state;
  }
}
