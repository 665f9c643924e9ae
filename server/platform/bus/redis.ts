/** The way between instances over Redis or Valkey: one channel, one connection to hear and one to speak. */
import { RedisClient } from "bun";
import { keepTransport, type Line, type OpenTransport } from "./transport";

/** Milliseconds without an answer until the connection is taken for gone. */
const defaultPatience = 10_000;

/**
 * A transport over a server; `channel` is what instances of one installation share, and those of others do not. `patience`: ms
 * that it may take to answer.
 */
export function redisTransport(url: string, channel: string, patience = defaultPatience): OpenTransport {
  return (events) => keepTransport((ended) => openLine(url, channel, patience, events.onText, ended), events);
}

// Each connection is made anew by us: whether the client's own way back restores what it listened to is not said.
async function openLine(
  url: string,
  channel: string,
  patience: number,
  onText: (text: string) => void,
  ended: (error: Error) => void,
): Promise<Line> {
  const options = { autoReconnect: false, enableOfflineQueue: false, connectionTimeout: patience };
  const [listener, speaker] = [new RedisClient(url, options), new RedisClient(url, options)];
  const close = (): void => {
    for (const client of [speaker, listener]) {
      // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the client has no other way
      client.onclose = () => {};
      client.close();
    }
  };
  /** What was sent last: the listener hears it, too, or is deaf. */
  let said = { text: "", echoed: (): void => {} };
  const opened = async (): Promise<void> => {
    for (const client of [listener, speaker]) {
      // oxlint-disable-next-line unicorn/prefer-add-event-listener
      client.onclose = (error) => ended(withoutAddress(error));
      // oxlint-disable-next-line no-await-in-loop -- two
      await client.connect();
    }
    await listener.subscribe(channel, (text) => {
      if (text === said.text) said.echoed();
      for (const line of text.split("\n")) onText(line);
    });
  };
  try {
    await within(patience, opened());
  } catch (error) {
    close();
    throw withoutAddress(error);
  }
  const send = async (texts: readonly string[]): Promise<void> => {
    const echo = Promise.withResolvers<void>();
    said = { text: texts.join("\n"), echoed: echo.resolve };
    try {
      await within(patience, Promise.all([speaker.publish(channel, said.text), echo.promise]));
    } catch (error) {
      ended(withoutAddress(error));
    }
  };
  return { send, close };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("the server has fallen silent")), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The reason alone: the address may hold a password. */
function withoutAddress(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  return new Error(`Redis: ${message.replace(/\w+:\/\/\S*@/g, "")}`);
}
