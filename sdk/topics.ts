/** Topics: events that the code of the server publishes. */
import type { BaasixError } from "./error";
import { createHeld } from "./held";
import { tell } from "./listeners";
import type { Requests } from "./requests";

/** An event of a topic. */
export type TopicEvent = {
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
  readonly timestamp: string;
};

/** What is told of an execution: as far as it has come, and what came of it. Its other parts are the publisher's own. */
export type ExecutionUpdate = {
  readonly executionId: string;
  readonly timestamp: string;
  readonly status?: string;
  /** Percent. */
  readonly progress?: number;
  readonly result?: unknown;
  readonly [part: string]: unknown;
};

/** The topics of a client. */
export function createTopics(requests: Requests) {
  type Follower = {
    readonly callback: (event: TopicEvent) => void;
    readonly onError: ((error: BaasixError) => void) | undefined;
  };
  const followers = new Map<string, Set<Follower>>();
  const held = createHeld<"done">(requests, {
    enter: (topic) => ({ type: "topic.follow", topic }),
    exit: (topic) => ({ type: "topic.unfollow", topic }),
    entered() {},
    lost(topic, error) {
      for (const { onError } of followers.get(topic) ?? []) tell(onError, error);
      followers.delete(topic);
    },
  });
  requests.onFrame((frame) => {
    if (frame.type !== "topic.event") return;
    const { type: _, ...event } = frame;
    for (const { callback } of followers.get(frame.topic) ?? []) tell(callback, event);
  });

  function follow(
    topic: string,
    callback: (event: TopicEvent) => void,
    onError?: (error: BaasixError) => void,
  ): () => void {
    const follower = { callback, onError };
    const set = followers.get(topic) ?? new Set();
    followers.set(topic, set.add(follower));
    held.add(topic).catch(() => {});
    return () => {
      if (!set.delete(follower) || set.size > 0) return;
      followers.delete(topic);
      held.remove(topic).catch(() => {});
    };
  }

  /** Follows an execution: the topic `execution:<id>`. `onError`: refused, or the right has ended. Returns how to stop. */
  function followExecution(
    executionId: string,
    callback: (update: ExecutionUpdate) => void,
    onError?: (error: BaasixError) => void,
  ): () => void {
    const tellOf = ({ payload, timestamp }: TopicEvent) => {
      const parts = typeof payload === "object" ? payload : { result: payload };
      callback({ ...parts, executionId, timestamp });
    };
    return follow(`execution:${executionId}`, tellOf, onError);
  }

  return { follow, followExecution, end: held.forget, names: held.names, list: held.list };
}
