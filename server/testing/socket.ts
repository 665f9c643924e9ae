/** A client of `/realtime` for tests: frames in order, awaited one by one. */
import { type ClientFrame, realtimeVersion, type ServerFrame } from "@baasix/types";

type Unsent<Frame> = Frame extends unknown ? Omit<Frame, "id"> : never;

export type TestSocket = {
  /** Sends a frame; gives its id. */
  readonly send: (frame: Unsent<ClientFrame>) => string;
  readonly sendRaw: (message: string | Uint8Array<ArrayBuffer>) => void;
  /** The next frame, in order. Rejects when the socket closes before it comes. */
  readonly next: () => Promise<ServerFrame>;
  /** The next frame, which must be of that type. */
  readonly expect: <Type extends ServerFrame["type"]>(
    type: Type,
  ) => Promise<Extract<ServerFrame, { type: Type }>>;
  /** The next frame of which that is true; those before it stay unread. Rejects as `next` does. */
  readonly take: (test: (frame: ServerFrame) => boolean) => Promise<ServerFrame>;
  /** Sends a frame and gives its answer, be it an error. */
  readonly ask: (frame: Unsent<ClientFrame>) => Promise<ServerFrame>;
  /** Subscribes; gives the name. */
  readonly subscribe: (
    collection: string,
    options?: { filter?: object; fields?: string[] },
  ) => Promise<string>;
  /** Frames that came and were not awaited. */
  readonly unread: readonly ServerFrame[];
  /** Every message as it came. */
  readonly heard: readonly string[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly close: () => void;
};

/** Connects. `token` undefined: nothing is said; a token or null: sends `authenticate` and awaits the answer. */
export async function openSocket(
  url: string,
  token?: string | null,
  headers: Record<string, string> = {},
): Promise<TestSocket> {
  // Bun's client sends headers; the types of browsers know of none.
  const options = { headers } as unknown as string[];
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/realtime`, options);
  const unread: ServerFrame[] = [];
  const heard: string[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  let wake = Promise.withResolvers<void>();
  let isClosed = false;
  // Shared by all that wait.
  const wakeAll = (): void => {
    const { resolve } = wake;
    wake = Promise.withResolvers();
    resolve();
  };
  let count = 0;
  socket.addEventListener("message", ({ data }) => {
    heard.push(String(data));
    unread.push(JSON.parse(String(data)) as ServerFrame);
    wakeAll();
  });
  socket.addEventListener("close", ({ code, reason }) => {
    isClosed = true;
    closed.resolve({ code, reason });
    wakeAll();
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("close", ({ code }) => reject(new Error(`refused: ${code}`)));
  });

  const send = (frame: Unsent<ClientFrame>): string => {
    const id = String(++count);
    socket.send(JSON.stringify({ ...frame, id }));
    return id;
  };
  const next = async (): Promise<ServerFrame> => {
    for (;;) {
      const frame = unread.shift();
      if (frame) return frame;
      if (isClosed) throw new Error("the socket is closed");
      await wake.promise;
    }
  };
  const expect = async <Type extends ServerFrame["type"]>(type: Type) => {
    const frame = await next();
    if (frame.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(frame)}`);
    return frame as Extract<ServerFrame, { type: Type }>;
  };
  const take = async (wanted: (frame: ServerFrame) => boolean): Promise<ServerFrame> => {
    for (;;) {
      const at = unread.findIndex(wanted);
      const [frame] = at < 0 ? [] : unread.splice(at, 1);
      if (frame) return frame;
      if (isClosed) throw new Error("the socket is closed");
      await wake.promise;
    }
  };
  const test: TestSocket = {
    take,
    ask: (frame) => {
      const id = send(frame);
      return take((answer) => "id" in answer && answer.id === id);
    },
    send,
    sendRaw: (message) => socket.send(message),
    next,
    expect,
    subscribe: async (collection, options = {}) => {
      send({ type: "subscribe", collection, ...options } as Unsent<ClientFrame>);
      return (await expect("subscribed")).subscription;
    },
    unread,
    heard,
    closed: closed.promise,
    close: () => socket.close(),
  };
  if (token !== undefined) {
    send({ type: "authenticate", token, version: realtimeVersion });
    await expect("connected");
  }
  return test;
}
