/** A server as a process of its own, for tests of several: its settings are those of the environment. */
import { type NotificationsFace, type OwnNotice, readConfig, startServer } from "../index";

let notifications: NotificationsFace | undefined;
const server = await startServer(readConfig(process.env), {
  realtime: (realtime) => {
    realtime.registerMessageHandler("tell", (payload) => {
      const { user, topic } = payload as { user: string; topic: string };
      realtime.sendToUser(user, "told", { by: "code" });
      realtime.publishTo(topic, "progress", 50);
      realtime.broadcastToAll("all", 1);
    });
    realtime.registerMessageHandler("stats", () => realtime.getStats());
    realtime.registerMessageHandler("notify", (notice) => notifications?.send(notice as OwnNotice));
    realtime.registerTopic("job:", () => true);
    // Executions are named after whom they belong to.
    realtime.registerTopic("execution:", (actor, topic) => topic === `execution:${actor.id}`);
    realtime.registerMessageHandler("work", (execution) => {
      const topic = `execution:${String(execution)}`;
      for (let progress = 0; progress < 100; progress++)
        realtime.publishTo(topic, "update", { status: "running", progress });
      realtime.publishTo(topic, "complete", { status: "completed", progress: 100 });
      // In the scope of another tenant it is another topic.
      realtime.publishTo(topic, "update", { status: "foreign" }, { tenant: crypto.randomUUID() });
    });
  },
  notifications: (face) => void (notifications = face),
});
process.stdout.write(`${server.url}\n`);
process.on("SIGTERM", () => void server.stop().then(() => process.exit(0)));
