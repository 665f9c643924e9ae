/** Topics: events that the server's own code publishes, such as the progress of a job, to those who may follow them. */
import type { UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Capability } from "./capability";
import { encodeFrame } from "./frames";
import { createHolds, keepHolds, type Named, requireSize } from "./holds";
import { limits } from "./limits";
import { keyOf, type Scope } from "./scope";

/** Whether the actor may follow a topic. What it throws counts as no. */
export type MayFollow = (actor: UserActor, topic: string) => boolean | Promise<boolean>;

export type TopicsParts = {
  /** Sends text to all sockets of all instances that joined a topic. */
  readonly publish: (topic: string, text: string) => void;
  readonly now: () => number;
};

export type Topics = Capability &
  Named & {
    /** Opens the topics with that prefix to those who may; the longest prefix that fits decides. Without one, nobody may. */
    readonly register: (prefix: string, mayFollow: MayFollow) => void;
    readonly unregister: (prefix: string) => void;
    /** Tells those who follow. @throws AppError PAYLOAD_TOO_LARGE */
    readonly publishTo: (scope: Scope, topic: string, event: string, payload: unknown) => void;
  };

/** Makes the capability of `topic.…` frames. */
export function createTopics({ publish, now }: TopicsParts): Topics {
  const rules = new Map<string, MayFollow>();
  const place = (key: string): string => `topic ${key}`;

  const mayEnter = async (actor: UserActor, topic: string): Promise<void> => {
    const [prefix] = [...rules.keys()]
      .filter((each) => topic.startsWith(each))
      .toSorted((a, b) => b.length - a.length);
    const mayFollow = prefix === undefined ? undefined : rules.get(prefix);
    if (!mayFollow || !(await isTrue(mayFollow, actor, topic))) {
      throw new AppError("FORBIDDEN", `You may not follow '${topic}'`);
    }
  };

  const holds = createHolds({ what: "topics", mayEnter, now });
  const { leave, ...kept } = keepHolds({
    holds,
    isGuarded: () => true,
    stand: (peer, key) => peer.leave(place(key)),
    ended: (name, reason) => ({ type: "ended", kind: "topic", name, reason }),
  });
  return {
    handlers: {
      "topic.follow": (peer, { id, topic }, actor) =>
        holds.enter(peer, actor, topic, (_, key) => {
          peer.join(place(key));
          peer.send({ type: "done", id });
        }),
      "topic.unfollow": (peer, { id, topic }) => leave(peer, id, topic),
    },
    ...kept,
    register: (prefix, mayFollow) => void rules.set(prefix, mayFollow),
    unregister: (prefix) => void rules.delete(prefix),
    publishTo: (scope, topic, event, payload) => {
      requireSize("an event", payload, limits.payload);
      const timestamp = new Date(now()).toISOString();
      publish(
        place(keyOf(scope, topic)),
        encodeFrame({ type: "topic.event", topic, event, payload: payload ?? null, timestamp }),
      );
    },
  };
}

async function isTrue(mayFollow: MayFollow, actor: UserActor, topic: string): Promise<boolean> {
  try {
    return (await mayFollow(actor, topic)) === true;
  } catch {
    return false;
  }
}
