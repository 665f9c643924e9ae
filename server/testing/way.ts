/** A way to a server over TCP that breaks when it is told to, or by itself in the middle of what the server sends. */
import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";

/** `url` leads to the server. `cut` ends all connections, and while it is `shut` there are none; `end` closes it for good. */
export type Way = {
  readonly url: string;
  readonly cut: () => void;
  readonly shut: (isShut: boolean) => void;
  readonly end: () => void;
};

/**
 * Opens a way to `target`. `budget` is asked at each WebSocket for the bytes that it may carry to the client: it breaks right
 * behind them, be it within a frame. Without it nothing breaks by itself.
 */
export async function openWay(target: string, budget?: () => number): Promise<Way> {
  const pairs = new Set<Socket>();
  let isShut = false;
  const server = createServer((near) => {
    if (isShut) return void near.destroy();
    const far = connect(Number(new URL(target).port), "127.0.0.1");
    let left = Infinity;
    near.on("data", (data) => {
      if (budget && left === Infinity && /upgrade: websocket/i.test(data.toString("latin1"))) left = budget();
      far.write(data);
    });
    far.on("data", (data) => {
      const bytes = Buffer.from(data as Uint8Array);
      near.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left <= 0) near.destroySoon();
    });
    for (const socket of [near, far]) {
      pairs.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        near.destroy();
        far.destroy();
        pairs.delete(socket);
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const cut = (): void => {
    for (const socket of pairs) socket.destroy();
  };
  const end = (): void => {
    cut();
    server.close();
  };
  const shut = (now: boolean): void => {
    isShut = now;
    if (isShut) cut();
  };
  return { url: `http://127.0.0.1:${port}`, cut, shut, end };
}
