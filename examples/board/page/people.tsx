/** Who else is on a board, and where their pointers are: a room with its members and messages that nobody keeps. */
import { useRoom } from "@baasix/react";
import type { RoomMember, RoomMessageData } from "@baasix/sdk";
import {
  type PointerEvent,
  type DragEvent,
  type RefObject,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { hueOf } from "./hue";

/** A pointer of somebody else, in pixels from the corner of the board. */
export type Cursor = {
  readonly socketId: string;
  readonly userId: string;
  readonly name: string;
  readonly x: number;
  readonly y: number;
};

type Point = { readonly x: number; readonly y: number };

/** Milliseconds between two places of one's own pointer: those between are not sent. */
const pause = 100;

/** Joins the room and tells where the pointer is. `point(null)`: it has left. */
export function useCursors(room: string, name: string, surface: RefObject<HTMLElement | null>) {
  const [points, setPoints] = useState<ReadonlyMap<string, Point>>(new Map());
  const onMessage = ({ event, payload, sender: { socketId }, self }: RoomMessageData) => {
    if (event !== "cursor" || self || socketId === null) return;
    const place = pointOf(payload);
    setPoints((before) => {
      const after = new Map(before);
      if (place) after.set(socketId, place);
      else after.delete(socketId);
      return after;
    });
  };
  const { members, status, send } = useRoom(room, { metadata: { name }, onMessage });

  const own = useRef<{ next: Point | null; timer?: ReturnType<typeof setTimeout> | undefined }>({
    next: null,
  });
  useEffect(() => () => clearTimeout(own.current.timer), []);
  function point(event: PointerEvent | DragEvent | null): void {
    const box = surface.current?.getBoundingClientRect();
    if (!box || status !== "joined") return;
    own.current.next = event && {
      x: Math.round(event.clientX - box.left + (surface.current?.scrollLeft ?? 0)),
      y: Math.round(event.clientY - box.top),
    };
    own.current.timer ??= setTimeout(() => {
      own.current.timer = undefined;
      // What is not delivered is replaced by the next place.
      send("cursor", own.current.next, { history: false }).catch(() => undefined);
    }, pause);
  }

  // Who has left takes the pointer along.
  const cursors = useMemo(
    () =>
      members.flatMap(({ socketId, userId, metadata }): Cursor[] => {
        const place = points.get(socketId);
        return place ? [{ socketId, userId, name: nameOf(metadata), ...place }] : [];
      }),
    [members, points],
  );
  return { people: members, cursors, point };
}

/** The names of those who are there, each once. */
export function People({ people }: { readonly people: readonly RoomMember[] }) {
  const names = new Map(people.map(({ userId, metadata }) => [userId, nameOf(metadata)]));
  return (
    <ul className="people" aria-label="On this board">
      {[...names].map(([userId, name]) => (
        <li key={userId} data-hue={hueOf(userId)}>
          {name}
        </li>
      ))}
    </ul>
  );
}

function nameOf(metadata: RoomMember["metadata"]): string {
  return typeof metadata["name"] === "string" ? metadata["name"] : "Somebody";
}

/** What others send is whatever they like. */
function pointOf(payload: unknown): Point | null {
  if (typeof payload !== "object" || payload === null || !("x" in payload) || !("y" in payload)) return null;
  const { x, y } = payload;
  return typeof x === "number" && typeof y === "number" ? { x, y } : null;
}
