/** The way between instances over Redis or Valkey: one channel, one connection to hear and one to speak. */
import { RedisClient } from "bun";
import { keepTransport, type Line, type OpenTransport } from "./transport";

/** Milliseconds without an answer until the connection is taken for gone. */
const patience = 10_000;

/** A transport over a server; `channel` is what instances of one installation share, and those of others do not. */
export function redisTransport(url: string, channel: string): OpenTransport {
  return (events) => keepTransport((ended) => openLine(url, channel, events.onText, ended), events);
}

// Each connection is made anew by us: whether the client's own way back restores what it listened to is not said.
async function openLine(
  url: string,
  channel: string,
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
  try {
    for (const client of [listener, speaker]) {
      // oxlint-disable-next-line unicorn/prefer-add-event-listener
      client.onclose = (error) => ended(withoutAddress(error));
      // oxlint-disable-next-line no-await-in-loop -- two
      await client.connect();
    }
    await listener.subscribe(channel, (text) => {
      for (const line of text.split("\n")) onText(line);
    });
  } catch (error) {
    close();
    throw withoutAddress(error);
  }
  const send = async (texts: readonly string[]): Promise<void> => {
    try {
      await within(patience, speaker.publish(channel, texts.join("\n")));
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
