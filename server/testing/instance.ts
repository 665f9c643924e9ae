/** A server as a process of its own, for tests of several: its settings are those of the environment. */
import { readConfig, startServer } from "../index";

const server = await startServer(readConfig(process.env), {
  realtime: (realtime) => {
    realtime.registerMessageHandler("tell", (payload) => {
      const { user, topic } = payload as { user: string; topic: string };
      realtime.sendToUser(user, "told", { by: "code" });
      realtime.publishTo(topic, "progress", 50);
      realtime.broadcastToAll("all", 1);
    });
    realtime.registerMessageHandler("stats", () => realtime.getStats());
    realtime.registerTopic("job:", () => true);
  },
});
process.stdout.write(`${server.url}\n`);
process.on("SIGTERM", () => void server.stop().then(() => process.exit(0)));
