import { expect, test } from "bun:test";
import type { RealtimeEvent } from "./realtime-words";
import { createSubscriptions } from "./subscriptions";

test("one that the server has ended for a while is joining again, and says so to all who listen", () => {
  const events: RealtimeEvent[] = [];
  const subscriptions = createSubscriptions((event) => events.push(event));
  const states: string[] = [];
  const stop = subscriptions.subscribe("posts", { onState: (state) => states.push(state) }, () => {});
  const [added] = events;
  const key = added?.type === "add" ? added.key : "";
  subscriptions.live(key, "id");
  expect(stop.isSubscribed()).toBe(true);
  subscriptions.ended(key);
  expect(stop.getState()).toBe("JOINING");
  subscriptions.live(key, "id");
  stop();
  expect(states).toEqual(["JOINING", "SUBSCRIBED", "JOINING", "SUBSCRIBED", "CLOSED"]);
});
