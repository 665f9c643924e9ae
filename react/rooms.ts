/** Rooms for components: who is there and what was said. Components that show one room share one membership. */
import {
  BaasixError,
  type Profile,
  type RoomMember,
  type RoomMessage,
  type RoomMessageData,
} from "@baasix/sdk";
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { useAuthState } from "./auth";
import { type Begin, createCounted, type TogetherClient } from "./counted";
import { useBaasix } from "./provider";

/** `joining`: also while a broken connection comes back. `left`: sent away, or refused; `error` or `kickedBy` says why. */
export type RoomStatus = "idle" | "joining" | "joined" | "left";

/** How a room is shown. */
export type RoomOptions = {
  /** What the other members see: that of the first component that shows a room, and then of each whose own changes. */
  readonly metadata?: Profile;
  /** Called for each message, those that are not kept too. */
  readonly onMessage?: (message: RoomMessageData) => void;
};

/** A room as a component sees it. */
export type UseRoomResult = {
  readonly status: RoomStatus;
  /** What was said and is kept, the oldest first; at most 200. */
  readonly messages: readonly RoomMessageData[];
  readonly members: readonly RoomMember[];
  readonly creatorUserId: string | null;
  readonly error: BaasixError | null;
  /** Who sent this user away; null: nobody, or the server. */
  readonly kickedBy: string | null;
  /** Sends to all members. `history: false`: not kept. @throws BaasixError */
  readonly send: (
    event: string,
    payload?: unknown,
    options?: { readonly history?: boolean },
  ) => Promise<void>;
  /** Sends a user away; the creator alone may. @throws BaasixError */
  readonly kick: (userId: string) => Promise<void>;
};

type View = Omit<UseRoomResult, "send" | "kick">;

const nothing: View = {
  status: "idle",
  messages: [],
  members: [],
  creatorUserId: null,
  error: null,
  kickedBy: null,
};
const kept = 200;

const storeOf = createCounted<TogetherClient, View>();
const idle = { subscribe: () => () => {}, snapshot: () => nothing };

/** Is in a room as long as the component is there; null: in none. */
export function useRoom(room: string | null, { metadata, onMessage }: RoomOptions = {}): UseRoomResult {
  const client: TogetherClient = useBaasix();
  const { identity } = useAuthState(client);
  const given = useRef(metadata);
  given.current = metadata;
  const store = useMemo(() => {
    if (room === null) return idle;
    // Another user is another member.
    const begin: Begin<View> = (change) => enter(client, room, given.current, change);
    return storeOf(client, JSON.stringify([identity, room]), { ...nothing, status: "joining" }, begin);
  }, [client, identity, room]);
  const view = useSyncExternalStore(store.subscribe, store.snapshot, () => nothing);

  const { status } = view;
  const shows = metadata && JSON.stringify(metadata);
  const shown = useRef(shows);
  useEffect(() => {
    if (room === null || status !== "joined" || shows === undefined || shows === shown.current) return;
    shown.current = shows;
    // A break: the next connection joins with the same.
    client.realtime.joinRoom(room, JSON.parse(shows) as Profile).catch(() => {});
  }, [client, room, status, shows]);

  const heard = useRef(onMessage);
  useEffect(() => {
    heard.current = onMessage;
  });
  useEffect(() => {
    if (room === null) return undefined;
    return client.realtime.onRoomMessage(room, "*", (message) => heard.current?.(message));
  }, [client, room]);

  const send = useCallback<UseRoomResult["send"]>(
    (event, payload, options) => client.realtime.sendToRoom(room ?? "", event, payload, options),
    [client, room],
  );
  const kick = useCallback(
    (userId: string) => client.realtime.kickFromRoom(room ?? "", userId),
    [client, room],
  );
  return { ...view, send, kick };
}

type Alter = (members: readonly RoomMember[]) => readonly RoomMember[];

function mark(members: readonly RoomMember[], creatorUserId: string | null): readonly RoomMember[] {
  return members.map((each) => ({ ...each, isCreator: each.userId === creatorUserId }));
}

function enter(
  client: TogetherClient,
  room: string,
  metadata: Profile | undefined,
  change: (next: (view: View) => View) => void,
): () => void {
  const { realtime } = client;
  let over = false;
  const set = (next: Partial<View> | ((view: View) => Partial<View>)) => {
    if (!over) change((view) => ({ ...view, ...(typeof next === "function" ? next(view) : next) }));
  };
  /** Changes of members that came while all of them were being asked for. */
  let waiting: Alter[] | null = null;
  const alter = (how: Alter) => {
    waiting?.push(how);
    set(({ members, creatorUserId }) => ({ members: mark(how(members), creatorUserId) }));
  };
  const crown = (creatorUserId: string | null) => {
    set(({ members }) => ({ creatorUserId, members: mark(members, creatorUserId) }));
  };

  /** Takes over what there is, after joining; `again`: after a break. */
  async function arrive(history: readonly RoomMessage[], again: boolean) {
    const me = realtime.getSocketId();
    const known = history.map((each) => ({
      ...each,
      room,
      self: each.sender.socketId === me,
      ephemeral: false,
    }));
    set(({ messages }) => {
      const before = new Set(known.map(({ messageId }) => messageId));
      const others = messages.filter(({ messageId }) => !before.has(messageId));
      // After a break they are what the room remembers no more; at first what was said since the answer.
      const all = again ? [...others, ...known] : [...known, ...others];
      return { messages: all.slice(-kept), status: "joined", error: null, kickedBy: null };
    });
    waiting = [];
    try {
      const all = await realtime.getRoomMembers(room);
      const creatorUserId = all.find(({ isCreator }) => isCreator)?.userId ?? null;
      let members = all;
      for (const how of waiting) members = how(members);
      set({ creatorUserId, members: mark(members, creatorUserId) });
    } catch {
      // The connection broke again, or one was sent away: either is told.
    } finally {
      waiting = null;
    }
  }

  const stops = [
    realtime.onRoomMessage(room, "*", (message) => {
      if (message.ephemeral) return;
      set(({ messages }) => ({ messages: [...messages, message].slice(-kept) }));
    }),
    realtime.onRoomUserJoined(room, ({ socketId, userId, metadata: shows }) => {
      const member = { socketId, userId, isCreator: false, metadata: shows };
      alter((members) =>
        members.some((each) => each.socketId === socketId)
          ? members.map((each) => (each.socketId === socketId ? member : each))
          : [...members, member],
      );
    }),
    realtime.onRoomUserLeft(room, ({ socketId }) =>
      alter((members) => members.filter((each) => each.socketId !== socketId)),
    ),
    realtime.onRoomCreatorChanged(room, ({ newCreatorUserId }) => crown(newCreatorUserId)),
    realtime.onRoomRejoined(room, ({ history }) => void arrive(history, true)),
    realtime.onKicked(room, ({ kickedBy, reason }) => {
      const error = kickedBy === null ? new BaasixError(reason, { status: 0, code: "FORBIDDEN" }) : null;
      set({ status: "left", kickedBy, error, members: [], creatorUserId: null });
    }),
    realtime.onConnectionChange((connected) => {
      if (!connected) set(({ status }) => (status === "joined" ? { status: "joining" } : {}));
    }),
  ];
  realtime.joinRoom(room, metadata).then(
    ({ history }) => void arrive(history, false),
    (error: BaasixError) => set({ status: "left", error }),
  );
  return () => {
    over = true;
    for (const stop of stops) stop();
    realtime.leaveRoom(room).catch(() => {});
  };
}
