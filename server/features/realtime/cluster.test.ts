/**
 * What instances know of each other, whatever happens to the way between them: random joins, leaves, messages, kicks, broken
 * ways, kills and starts; after quiet all of them must see the same, and what is true. The clock and the way are ours.
 */
import { expect, test } from "bun:test";
import type { RoomMember, ServerFrame } from "@baasix/types";
import { type UserActor, unproven } from "../../core/access/actor";
import { openBus } from "../../platform/bus";
import { chance } from "../../testing/chance";
import type { Capability, Peer } from "./capability";
import { createCluster } from "./cluster";
import { createGate } from "./gate";
import { createRooms, type Rooms } from "./rooms";

const rooms = ["a", "b"] as const;
const people = ["ann", "bob", "cid"] as const;
const beat = 100;

type Instance = {
  readonly name: number;
  readonly rooms: Rooms;
  readonly tick: () => void;
  readonly hear: (text: string) => void;
  readonly up: () => void;
  readonly sockets: Map<string, { readonly peer: Peer; readonly user: string; readonly in: Set<string> }>;
  isUp: boolean;
};

function world(seed: number) {
  const { one: pick, next, below } = chance(seed);
  let clock = 1_000_000;
  let count = 0;
  const instances = new Map<number, Instance>();
  /** Texts under way, by sender and receiver, each in its order. */
  const ways = new Map<string, string[]>();

  const start = (): void => {
    const name = ++count;
    let tick = () => {};
    let events: { onText: (text: string) => void; onUp: () => void } = { onText: () => {}, onUp: () => {} };
    const bus = openBus(
      (given) => {
        events = given;
        return {
          send: (text) => {
            if (!instances.get(name)?.isUp) return;
            for (const to of instances.values()) {
              if (to.isUp) ways.set(`${name} ${to.name}`, [...(ways.get(`${name} ${to.name}`) ?? []), text]);
            }
          },
          close: () => Promise.resolve(),
        };
      },
      {
        keys: [new Uint8Array(32)],
        beat,
        now: () => clock,
        every: (_, work) => {
          tick = work;
          return () => {};
        },
      },
    );
    const made = createRooms({
      cluster: createCluster(bus),
      gate: createGate({
        mayReadCollection: () => false,
        readable: () => Promise.resolve(new Set()),
        reaches: () => new Map(),
      }),
      publish: () => {},
      now: () => clock,
    });
    instances.set(name, {
      name,
      rooms: made,
      tick: () => tick(),
      hear: (text) => events.onText(text),
      up: () => events.onUp(),
      sockets: new Map(),
      isUp: true,
    });
    events.onUp();
  };

  const connect = (instance: Instance): void => {
    const user = pick(people);
    const id = `${instance.name}.${instance.sockets.size}.${below(1e9)}`;
    const held = new Set<string>();
    const actor: UserActor = { ...unproven, kind: "user", id: user, role: "r", roles: ["r"], admin: false };
    const peer: Peer = {
      id,
      actor,
      isOpen: true,
      send: (frame: ServerFrame) => {
        if (frame.type === "room.joined") held.add(frame.room);
        if (frame.type === "room.kicked") held.delete(frame.room);
      },
      sendText: () => {},
      sendError: () => {},
      join: () => {},
      leave: () => {},
      publish: () => {},
    };
    instance.sockets.set(id, { peer, user, in: held });
  };

  const handle = async (capability: Capability, peer: Peer, frame: { type: string }): Promise<void> => {
    const handlers = capability.handlers as Record<
      string,
      (peer: Peer, frame: unknown, actor: unknown) => void | Promise<void>
    >;
    try {
      await handlers[frame.type]?.(peer, { id: "1", ...frame }, peer.actor);
    } catch {
      // A refusal is an answer, too.
    }
  };

  const deliver = (most: number): void => {
    for (let n = 0; n < most; n++) {
      const waiting = [...ways].filter(([, texts]) => texts.length > 0);
      if (waiting.length === 0) return;
      const [way, texts] = pick(waiting);
      instances.get(Number(way.split(" ")[1]))?.hear(texts.shift() ?? "");
    }
  };

  const cutWay = (instance: Instance): void => {
    instance.isUp = false;
    for (const way of ways.keys()) if (way.split(" ").includes(String(instance.name))) ways.delete(way);
  };

  const act = async (): Promise<void> => {
    clock += below(30);
    const instance = pick([...instances.values()]);
    const sockets = [...instance.sockets.values()];
    const socket = sockets[below(sockets.length)];
    const room = pick(rooms);
    const dice = next();
    if (dice < 0.15 || !socket) connect(instance);
    else if (dice < 0.45) await handle(instance.rooms, socket.peer, { type: "room.join", room } as never);
    else if (dice < 0.6) {
      socket.in.delete(room);
      await handle(instance.rooms, socket.peer, { type: "room.leave", room } as never);
    } else if (dice < 0.68) {
      instance.sockets.delete(socket.peer.id);
      instance.rooms.close?.(socket.peer);
    } else if (dice < 0.76) {
      const frame = { type: "room.send", room, event: "e", payload: count, history: next() < 0.5 };
      await handle(instance.rooms, socket.peer, frame as never);
    } else if (dice < 0.79) {
      await handle(instance.rooms, socket.peer, { type: "room.kick", room, userId: pick(people) } as never);
    } else if (dice < 0.83 && instance.isUp) cutWay(instance);
    else if (dice < 0.9 && !instance.isUp) {
      instance.isUp = true;
      instance.up();
    } else if (dice < 0.92 && instances.size > 1) {
      cutWay(instance);
      instances.delete(instance.name);
    } else if (dice < 0.95 && instances.size < 4) start();
    else for (const each of instances.values()) each.tick();
    deliver(below(6));
  };

  const quiet = async (): Promise<void> => {
    for (const instance of instances.values()) {
      if (!instance.isUp) {
        instance.isUp = true;
        instance.up();
      }
    }
    for (let round = 0; round < 12; round++) {
      deliver(Infinity);
      await Promise.resolve();
      clock += beat;
      for (const each of instances.values()) each.tick();
    }
    deliver(Infinity);
  };

  start();
  start();
  return { act, quiet, instances };
}

const told = ({ socketId, userId, isCreator }: RoomMember): string =>
  `${userId} ${socketId}${isCreator ? " creates" : ""}`;

test.each(Array.from({ length: 150 }, (_, seed) => seed))("after quiet all agree (seed %d)", async (seed) => {
  const { act, quiet, instances } = world(seed);
  for (let phase = 0; phase < 3; phase++) {
    for (let n = 0; n < 80; n++) await act();
    await quiet();
    for (const room of rooms) {
      const truth = [...instances.values()]
        .flatMap(({ sockets }) => [...sockets.values()])
        .filter((socket) => socket.in.has(room))
        .map(({ peer, user }) => `${user} ${peer.id}`)
        .toSorted();
      const views = [...instances.values()].map((instance) => instance.rooms.members(null, room).map(told));
      for (const view of views) {
        expect(view.map((each) => each.replace(" creates", "")).toSorted()).toEqual(truth);
        expect(view).toEqual(views[0] as string[]);
      }
    }
  }
});
