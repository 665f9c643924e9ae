/** Presence and broadcast channels, and topics, and how each ends. */
import { createBroadcast } from "./broadcast";
import { BaasixError } from "./error";
import { createPresence } from "./presence";
import type { Requests } from "./requests";
import { createTopics } from "./topics";

/** The channels of a client. `me` gives the `socketId` of the present connection. */
export function createChannels(requests: Requests, me: () => string | null) {
  const presence = createPresence(requests);
  const broadcast = createBroadcast(requests, me);
  const topics = createTopics(requests);
  requests.onFrame((frame) => {
    if (frame.type !== "ended") return;
    const error = new BaasixError(frame.reason, { status: 0, code: "FORBIDDEN" });
    ({ presence, broadcast, topic: topics })[frame.kind].end(frame.name, error);
  });
  return {
    createPresenceChannel: presence.open,
    createBroadcastChannel: broadcast.open,
    /** Events that the server publishes under a topic. Returns how to stop. */
    followTopic: topics.follow,
    subscribeToExecution: topics.followExecution,
    /** Another user, or the end of all: channels are not taken along. */
    endAll(error: BaasixError): void {
      for (const each of [presence, broadcast, topics])
        for (const name of each.names()) each.end(name, error);
    },
    list: () => [...presence.list("presence"), ...broadcast.list("broadcast"), ...topics.list("topic")],
  };
}
