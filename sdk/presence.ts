/** Presence channels: who is there, and what each shows. Those of one name share one subscription on the socket. */
import type { PresenceMember, Profile } from "@baasix/types";
import { BaasixError } from "./error";
import { createHeld } from "./held";
import { tell } from "./listeners";
import type { Requests } from "./requests";

/** What a presence channel tells. */
export type PresenceCallbacks = {
  /** Everybody who is there: after subscribing, after each change, and after each break. */
  readonly onSync?: (members: readonly PresenceMember[]) => void;
  readonly onJoin?: (members: readonly PresenceMember[]) => void;
  /** They show another state. */
  readonly onUpdate?: (members: readonly PresenceMember[]) => void;
  readonly onLeave?: (members: readonly PresenceMember[]) => void;
  readonly onSubscribed?: () => void;
  /** The channel has ended: refused, or the right to it is gone. */
  readonly onError?: (error: BaasixError) => void;
};

/** Who is there, and what each shows. */
export type PresenceChannel = {
  /**
   * Begins to hear of the others, and shows oneself with `state` unless it is null. Gives how to end both.
   * @throws BaasixError when refused
   */
  subscribe(state: Profile | null, callbacks?: PresenceCallbacks): Promise<() => Promise<void>>;
  /** The same with a user's id before: taken for the sake of older code, and not needed, for the server knows it. */
  subscribe(userId: string, state: Profile, callbacks?: PresenceCallbacks): Promise<() => Promise<void>>;
  /** Shows oneself, or another state. Of many in a short time the last one is sent. */
  track(state: Profile): Promise<void>;
  /** Is not shown any more, and goes on hearing. */
  untrack(): Promise<void>;
  unsubscribe(): Promise<void>;
  getState(): readonly PresenceMember[];
  /** How many connections are there. */
  getPresenceCount(): number;
  isTracking(): boolean;
  isSubscribed(): boolean;
};

/** Milliseconds between two states of one's own: those between are not sent. */
const trackPause = 100;

type Core = {
  readonly users: Set<PresenceCallbacks>;
  readonly members: Map<string, PresenceMember>;
  live: boolean;
  state: Profile | null;
  /** Whose state it is; null: of a handle that does not hear. */
  tracker: PresenceCallbacks | null;
  timer: ReturnType<typeof setTimeout> | undefined;
  last: number;
};

/** The presence channels of a client. */
export function createPresence(requests: Requests) {
  const cores = new Map<string, Core>();
  const coreOf = (channel: string): Core => {
    const known = cores.get(channel);
    if (known) return known;
    const core: Core = {
      users: new Set(),
      members: new Map(),
      live: false,
      state: null,
      tracker: null,
      timer: undefined,
      last: 0,
    };
    cores.set(channel, core);
    return core;
  };
  const membersOf = (channel: string) => [...(cores.get(channel)?.members.values() ?? [])];

  const show = async (channel: string, state: Profile): Promise<void> => {
    await held.ask<"done">(channel, { type: "presence.track", channel, state });
  };

  const held = createHeld<"presence.state">(requests, {
    enter: (channel) => ({ type: "presence.subscribe", channel }),
    exit: (channel) => ({ type: "presence.unsubscribe", channel }),
    entered(channel, { members }, again) {
      const core = coreOf(channel);
      core.live = true;
      core.members.clear();
      for (const member of members) core.members.set(member.socketId, member);
      // After a break the server has forgotten what this socket showed.
      if (again && core.state) show(channel, core.state).catch(() => {});
      for (const { onSubscribed, onSync } of core.users) {
        if (!again) tell(onSubscribed);
        tell(onSync, membersOf(channel));
      }
    },
    lost(channel, error) {
      const core = cores.get(channel);
      cores.delete(channel);
      clearTimeout(core?.timer);
      for (const { onError } of core?.users ?? []) tell(onError, error);
    },
  });

  requests.onFrame((frame) => {
    if (frame.type !== "presence.changed") return;
    const core = cores.get(frame.channel);
    if (!core?.live) return;
    for (const { socketId } of frame.left) core.members.delete(socketId);
    for (const member of [...frame.joined, ...frame.updated]) core.members.set(member.socketId, member);
    for (const { onJoin, onUpdate, onLeave, onSync } of core.users) {
      if (frame.joined.length > 0) tell(onJoin, frame.joined);
      if (frame.updated.length > 0) tell(onUpdate, frame.updated);
      if (frame.left.length > 0) tell(onLeave, frame.left);
      tell(onSync, membersOf(frame.channel));
    }
  });

  const track = async (channel: string, state: Profile): Promise<void> => {
    const core = coreOf(channel);
    core.state = state;
    if (core.timer !== undefined) return;
    const wait = core.last + trackPause - Date.now();
    if (wait > 0) {
      core.timer = setTimeout(() => {
        core.timer = undefined;
        if (core.state && cores.get(channel) === core) track(channel, core.state).catch(() => {});
      }, wait);
      return;
    }
    core.last = Date.now();
    await show(channel, state);
  };

  /** A handle of its own; what is behind it is shared by name. */
  function open(channel: string): PresenceChannel {
    let callbacks: PresenceCallbacks | null = null;
    const handle: PresenceChannel = {
      async subscribe(
        first: string | Profile | null,
        second?: Profile | PresenceCallbacks,
        third?: PresenceCallbacks,
      ) {
        const [state, given] =
          typeof first === "string" ? [second as Profile, third] : [first, second as PresenceCallbacks];
        await handle.unsubscribe();
        const mine = { ...given };
        callbacks = mine;
        const core = coreOf(channel);
        core.users.add(mine);
        const isKnown = core.live;
        await held.add(channel);
        if (isKnown) {
          tell(mine.onSubscribed);
          tell(mine.onSync, membersOf(channel));
        }
        if (state) await handle.track(state);
        return () => handle.unsubscribe();
      },
      async track(state) {
        if (!held.has(channel))
          throw new BaasixError("Subscribe first", { status: 0, code: "INVALID_ARGUMENT" });
        coreOf(channel).tracker = callbacks;
        await track(channel, state);
      },
      async untrack() {
        const core = cores.get(channel);
        if (!core?.state) return;
        core.state = null;
        clearTimeout(core.timer);
        core.timer = undefined;
        // Without a connection nothing is shown.
        if (requests.connected) await held.ask<"done">(channel, { type: "presence.untrack", channel });
      },
      async unsubscribe() {
        const core = cores.get(channel);
        const mine = callbacks;
        callbacks = null;
        if (!mine || !core?.users.delete(mine)) return;
        if (core.users.size > 0) {
          if (core.tracker === mine) await handle.untrack();
          return;
        }
        clearTimeout(core.timer);
        cores.delete(channel);
        await held.remove(channel);
      },
      getState: () => membersOf(channel),
      getPresenceCount: () => membersOf(channel).length,
      isTracking: () => (cores.get(channel)?.state ?? null) !== null,
      isSubscribed: () => callbacks !== null && cores.get(channel)?.live === true,
    };
    return handle;
  }

  return { open, end: held.forget, names: held.names, list: held.list };
}
