/** The clients of a file of tests. They end with it. */
import { afterAll } from "bun:test";
import { type Baasix, type BaasixOptions, createBaasix, MemoryStorageAdapter, type SocketLike } from "..";

export type Clients = {
  /** A client with a memory of its own. */
  readonly open: (options: BaasixOptions) => Baasix;
  /** Its sockets and those of the others, the newest last: to be broken. */
  readonly sockets: readonly WebSocket[];
  /** Closes all but the first `kept`. */
  readonly close: (kept?: number) => void;
};

/** Called once in a file, outside its tests. */
export function openClients(): Clients {
  const clients: Baasix[] = [];
  const sockets: WebSocket[] = [];
  const close = (kept = 0): void => {
    for (const each of clients.splice(kept)) each.close();
  };
  afterAll(() => close());
  const webSocket = (address: string): SocketLike => {
    const socket = new WebSocket(address);
    sockets.push(socket);
    return socket as SocketLike;
  };
  const open = (options: BaasixOptions): Baasix => {
    const made = createBaasix({ storage: new MemoryStorageAdapter(), webSocket, ...options });
    clients.push(made);
    return made;
  };
  return { open, sockets, close };
}

/** The code with which a call fails; null: it does not. */
export const failure = (work: Promise<unknown>): Promise<string | null | undefined> =>
  work.then(
    () => null,
    (error: { code?: string }) => error.code,
  );
