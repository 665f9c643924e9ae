/** A connection in replication mode, whatever it runs over: commands first, then one stream of data both ways. */

/** What a link tells. `onEnd` comes once, after the link was up, and never after `close`. */
export type LinkEvents = {
  /** The body of a CopyData message lies in `bytes` from `start` to `end`, valid during the call only. */
  readonly onData: (bytes: Buffer, start: number, end: number) => void;
  readonly onEnd: (error: Error) => void;
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

/** The server, or the way to it, refused. `state` is the SQLSTATE, or null when there was no answer. */
export class LinkError extends Error {
  override readonly name = "LinkError";
  readonly state: string | null;

  constructor(message: string, state: string | null = null, options?: ErrorOptions) {
    super(message, options);
    this.state = state;
  }
}
