/** The way between instances over Redis or Valkey: one channel, one connection to hear and one to speak. */
import { RedisClient } from "bun";
import { backlog, firstPause, longestPause, type OpenTransport, type TransportEvents } from "./transport";

/** Milliseconds without an answer until the connection is taken for gone. */
const patience = 10_000;

/** A transport over a server; `channel` is what instances of one installation share, and those of others do not. */
export function redisTransport(url: string, channel: string): OpenTransport {
  return (events) => {
    const transport = new RedisTransport(url, channel, events);
    void transport.keepUp();
    return transport;
  };
}

class RedisTransport {
  readonly #url: string;
  readonly #channel: string;
  readonly #events: TransportEvents;
  readonly #closing = Promise.withResolvers<void>();
  #speaker: RedisClient | null = null;
  #listener: RedisClient | null = null;
  #isClosed = false;
  #waiting: string[] = [];
  #size = 0;
  #sending: Promise<void> | null = null;
  #fail: (error: Error) => void = () => {};

  constructor(url: string, channel: string, events: TransportEvents) {
    this.#url = url;
    this.#channel = channel;
    this.#events = events;
  }

  async keepUp(): Promise<void> {
    for (let pause = firstPause; !this.#isClosed;) {
      const ended = Promise.withResolvers<Error>();
      this.#fail = ended.resolve;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one connection after the other
        await this.#connect();
        pause = firstPause;
        if (!this.#isClosed) this.#events.onUp();
        // oxlint-disable-next-line no-await-in-loop
        const error = await Promise.race([ended.promise, this.#closing.promise]);
        if (error) this.#events.onError(error);
      } catch (error) {
        if (!this.#isClosed) this.#events.onError(withoutAddress(error));
      }
      this.#drop();
      // oxlint-disable-next-line no-await-in-loop
      await Promise.race([Bun.sleep(pause), this.#closing.promise]);
      pause = Math.min(pause * 2, longestPause);
    }
    this.#drop();
  }

  send(text: string): void {
    if (!this.#speaker || this.#isClosed) return;
    this.#size += text.length;
    if (this.#size > backlog) {
      this.#waiting = [];
      this.#size = 0;
      return;
    }
    this.#waiting.push(text);
    this.#sending ??= this.#pump();
  }

  async close(): Promise<void> {
    await Promise.race([this.#sending, Bun.sleep(1_000)]);
    this.#isClosed = true;
    this.#closing.resolve();
    this.#drop();
  }

  // Each connection is made anew by us: whether the client's own way back restores what it listened to is not said.
  async #connect(): Promise<void> {
    const options = { autoReconnect: false, enableOfflineQueue: false, connectionTimeout: patience };
    const [listener, speaker] = [new RedisClient(this.#url, options), new RedisClient(this.#url, options)];
    this.#listener = listener;
    for (const client of [listener, speaker]) {
      // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the client has no other way
      client.onclose = (error) => this.#fail(withoutAddress(error));
      // oxlint-disable-next-line no-await-in-loop -- two
      await client.connect();
    }
    await listener.subscribe(this.#channel, (text) => {
      for (const line of text.split("\n")) this.#events.onText(line);
    });
    this.#speaker = speaker;
  }

  async #pump(): Promise<void> {
    await Promise.resolve();
    while (this.#speaker && this.#waiting.length > 0) {
      const texts = this.#waiting;
      this.#waiting = [];
      this.#size = 0;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other keeps the order
        await within(patience, this.#speaker.publish(this.#channel, texts.join("\n")));
      } catch (error) {
        this.#fail(withoutAddress(error));
        break;
      }
    }
    this.#sending = null;
  }

  #drop(): void {
    for (const client of [this.#speaker, this.#listener]) {
      if (!client) continue;
      // oxlint-disable-next-line unicorn/prefer-add-event-listener
      client.onclose = () => {};
      client.close();
    }
    this.#speaker = null;
    this.#listener = null;
    this.#waiting = [];
    this.#size = 0;
  }
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
