/** `LISTEN` and `NOTIFY` on one channel over a connection of its own. It ends when the connection does. */
import { quoteLiteral, quoteName } from "../../core/query/statement";
import type { DatabaseAddress } from "./database";
import { connectSocket, connectUrl, LinkError } from "./feed";

/** What is told of a channel. `onNotice` hears one's own notices, too; `onEnd` comes once, and not after `close`. */
export type NoticeEvents = {
  readonly onNotice: (payload: string) => void;
  readonly onEnd: (error: Error) => void;
};

/** An open channel. */
export type Notices = {
  /** Sends all of them or none, in order, with no others between. Each has at most 7,999 bytes of ASCII. */
  readonly send: (payloads: readonly string[]) => Promise<void>;
  readonly close: () => void;
};

/** Bytes of one command: it must fit the buffer of the socket. */
const COMMAND = 48 * 1024;
/** A server that answers no command for so long is taken for gone, ms. */
const PATIENCE = 10_000;

/** Connects and listens. @throws LinkError when the server cannot be reached or refuses */
export async function openNotices(
  address: DatabaseAddress,
  channel: string,
  events: NoticeEvents,
): Promise<Notices> {
  let ended = false;
  const end = (error: Error): void => {
    if (!ended) events.onEnd(error);
    ended = true;
  };
  const linkEvents = { onData: () => {}, onEnd: end, onNotice: events.onNotice };
  const link =
    address.kind === "socket"
      ? await connectSocket(address, linkEvents, "plain")
      : await connectUrl(address.url, linkEvents, "plain");

  const query = async (text: string): Promise<void> => {
    const timer = setTimeout(() => {
      link.close();
      end(new LinkError("the server has fallen silent"));
    }, PATIENCE);
    try {
      await link.query(text);
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    await query("SET statement_timeout = 0");
    await query(`LISTEN ${quoteName(channel)}`);
  } catch (error) {
    link.close();
    throw error;
  }
  const notify = (payload: string): string =>
    `SELECT pg_notify(${quoteLiteral(channel)}, ${quoteLiteral(payload)});`;
  return {
    send: async (payloads) => {
      const commands = [""];
      for (const payload of payloads) {
        const command = notify(payload);
        if ((commands.at(-1) ?? "").length + command.length > COMMAND) commands.push("");
        commands[commands.length - 1] += command;
      }
      if (commands.length === 1) return query(commands[0] ?? "");
      try {
        // oxlint-disable-next-line no-await-in-loop -- one connection, one order
        for (const command of ["BEGIN", ...commands, "COMMIT"]) await query(command);
      } catch (error) {
        // Else everything said later would be refused, too.
        await query("ROLLBACK");
        throw error;
      }
    },
    close: () => {
      ended = true;
      link.close();
    },
  };
}
