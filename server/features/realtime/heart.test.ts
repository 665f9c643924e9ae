/** Whoever's cable is pulled is gone in time, also where others speak on; whoever answers stays. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { type TestApp, testApp } from "../../testing/app";
import { openSocket } from "../../testing/socket";

let app: TestApp;
let url: string;
beforeAll(async () => {
  app = await testApp({ env: { REALTIME_SILENCE: "1" } });
  url = app.listen();
}, 60_000);
afterAll(() => app.close());

/** A client that joins a room and from then on answers nothing, not even pings. */
async function deaf(token: string, room: string): Promise<Socket> {
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  const frame = Buffer.from(JSON.stringify({ type: "room.join", id: "1", room }));
  const heard = Promise.withResolvers<void>();
  let text = "";
  socket.on("data", (data) => {
    text += data.toString("latin1");
    if (text.includes("room.joined")) heard.resolve();
  });
  socket.write(
    `GET /realtime HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nUpgrade: websocket\r\n` +
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]), frame]));
  await heard.promise;
  return socket;
}

test("in a room in which others speak on", async () => {
  const [ann, bob] = await Promise.all([app.signUp("ann@example.com"), app.signUp("bob@example.com")]);
  const [speaker, listener] = await Promise.all([openSocket(url, ann.token), openSocket(url, ann.token)]);
  for (const socket of [speaker, listener]) await socket.ask({ type: "room.join", room: "r" });
  const silent = await deaf(bob.token, "r");
  const closed = new Promise((resolve) => silent.once("close", resolve));
  const timer = setInterval(() => app.realtime.face.broadcastToRoom("r", "e", 1), 50);
  const left = await listener.take(({ type }) => type === "room.user.left");
  clearInterval(timer);
  expect(left).toMatchObject({ userId: bob.id });
  await closed;
  // The listener said nothing all the while, but answered pings: it is there.
  expect(await listener.ask({ type: "room.members", room: "r" })).toMatchObject({
    members: [{ userId: ann.id }, { userId: ann.id }],
  });
  for (const socket of [speaker, listener]) socket.close();
}, 20_000);
