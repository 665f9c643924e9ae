import { expect, test } from "bun:test";
import type { Socket } from "bun";
import { externalServer } from "../../testing/postgres";
import { connectionOptions } from "./address";
import { Lane } from "./lane";

/** A way to a server that can fall silent without closing, as a network does. */
function silentRelay(port: number) {
  type Pair = { peer: Socket<Pair> | null; early: Buffer[] };
  let isSilent = false;
  const forward = (socket: Socket<Pair>, chunk: Buffer) => {
    if (isSilent) return;
    if (socket.data.peer) socket.data.peer.write(chunk);
    else socket.data.early.push(Buffer.from(chunk));
  };
  const listener = Bun.listen<Pair>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: async (client) => {
        client.data = { peer: null, early: [] };
        client.data.peer = await Bun.connect<Pair>({
          hostname: "127.0.0.1",
          port,
          data: { peer: client, early: [] },
          socket: { data: forward },
        });
        for (const chunk of client.data.early) client.data.peer.write(chunk);
      },
      data: forward,
    },
  });
  return {
    port: listener.port,
    fallSilent: (silent: boolean) => (isSilent = silent),
    stop: () => listener.stop(true),
  };
}

test("connections whose server fell silent are replaced, and their statements fail", async () => {
  const server = await externalServer();
  const relay = silentRelay(server.port);
  const url = server.url.replace(String(server.port), String(relay.port));
  const lane = new Lane({
    prepare: true,
    connection: connectionOptions({ kind: "url", url }),
    size: 2,
    statementTimeout: 15_000,
    grace: 100,
    onTrouble: () => {},
  });
  const ask = () => lane.send({ text: "SELECT 1", params: [] }, { timeout: 50 });
  expect((await ask()).map((row) => [...row])).toEqual([[1]]);
  relay.fallSilent(true);
  const unanswered = await Promise.allSettled([ask(), ask()]);
  expect(unanswered.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  relay.fallSilent(false);
  expect((await lane.send({ text: "SELECT 2", params: [] })).map((row) => [...row])).toEqual([[2]]);
  await lane.close();
  relay.stop();
  await server.stop();
});
