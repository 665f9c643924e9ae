/** All open sockets: how many each user and address has, and finding those of a session or user. */
import { closeCodes } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { addressKey } from "../../http";
import type { Connection } from "./connection";

/** How many sockets one account may hold, and how many nobody in particular may from one address. */
export type SocketLimits = { readonly perUser: number; readonly perAddress: number };

export type Sockets = {
  /** Counts a socket under its actor, in place of what it was. @throws AppError RATE_LIMITED */
  readonly admit: (connection: Connection, actor: Actor) => void;
  readonly release: (connection: Connection) => void;
  readonly all: () => readonly Connection[];
  /** The sockets of a user, of a session, or of the one where either holds. */
  readonly of: (who: { readonly user?: string; readonly session?: string }) => readonly Connection[];
  readonly count: () => number;
  /** Closes them all: the server stops. From then on none is admitted. */
  readonly close: () => void;
};

/** Makes an empty set. */
export function createSockets({ perUser, perAddress }: SocketLimits): Sockets {
  /** The groups that a socket is in; the first is the one that is counted. */
  const memberships = new Map<Connection, readonly string[]>();
  const groups = new Map<string, Set<Connection>>();
  let closed = false;

  const release = (connection: Connection): void => {
    for (const name of memberships.get(connection) ?? []) {
      const group = groups.get(name);
      group?.delete(connection);
      if (group?.size === 0) groups.delete(name);
    }
    memberships.delete(connection);
  };

  return {
    admit: (connection, actor) => {
      if (closed) throw new AppError("UNAVAILABLE", "The server is stopping");
      const names = groupsOf(connection, actor);
      const owner = groups.get(names[0]);
      const most = actor.kind === "user" ? perUser : perAddress;
      if (owner && !owner.has(connection) && owner.size >= most) {
        const whose = actor.kind === "user" ? "this account" : "this address without an account";
        throw new AppError("RATE_LIMITED", `At most ${most} sockets for ${whose}`);
      }
      release(connection);
      memberships.set(connection, names);
      for (const name of names) groups.set(name, (groups.get(name) ?? new Set()).add(connection));
    },
    release,
    all: () => [...memberships.keys()],
    of: ({ user, session }) => [
      ...new Set([...(groups.get(`user ${user}`) ?? []), ...(groups.get(`session ${session}`) ?? [])]),
    ],
    count: () => memberships.size,
    close: () => {
      closed = true;
      for (const connection of memberships.keys())
        connection.end(closeCodes.goingAway, "the server is stopping");
    },
  };
}

function groupsOf(connection: Connection, actor: Actor): readonly [string, ...string[]] {
  if (actor.kind !== "user") return [`address ${addressKey(connection.address)}`];
  return [`user ${actor.id}`, `session ${actor.session}`];
}
