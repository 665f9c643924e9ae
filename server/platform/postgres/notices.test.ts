/** Notices over a connection of their own, also after one that the server refused. */
import { expect, test } from "bun:test";
import { testDatabase } from "../../testing/postgres";
import { openNotices } from "./notices";

test("a refusal takes back what was to go with it, and leaves the connection usable", async () => {
  const { address, drop } = await testDatabase();
  const heard: string[] = [];
  const last = Promise.withResolvers<void>();
  const notices = await openNotices(address, "test", {
    onNotice: (payload) => {
      heard.push(payload);
      if (payload === "last") last.resolve();
    },
    onEnd: last.reject,
  });
  // The second one is longer than a notice may be; together they are more than one command.
  const refused = notices.send(["first", "x".repeat(8_000), ...Array(10).fill("y".repeat(7_000))]);
  expect(refused).rejects.toThrow("payload string too long");
  await refused.catch(() => undefined);
  await notices.send(["last"]);
  await last.promise;
  expect(heard).toEqual(["last"]);
  notices.close();
  await drop();
}, 20_000);
