/**
 * What a socket can do, as a table from frame type to capability. A capability is a file of its own; `Connection` knows
 * none of them: it proves who asks, holds the limits of a socket, and hands each frame to its row.
 */
import type { ClientFrame, ServerFrame } from "@baasix/types";
import type { Actor } from "../../core/access/actor";

/** One socket, as capabilities see it. */
export type Peer = {
  /** Random, told to others as `socketId`; no credential, and unequal to the session. */
  readonly id: string;
  /** Who it is now; null until it was let in. Another frame may make it another. */
  readonly actor: Actor | null;
  /** False once it has closed: what was awaited meanwhile comes too late. */
  readonly isOpen: boolean;
  readonly send: (frame: Exclude<ServerFrame, { readonly type: "change" }>) => void;
  /** A frame that is encoded already. */
  readonly sendText: (text: string) => void;
  /** An error that answers no request. `subscription`: the one that has ended by it. */
  readonly sendError: (error: unknown, id: string | null, subscription?: string) => void;
  /** Topics of Bun's publish. */
  readonly join: (topic: string) => void;
  readonly leave: (topic: string) => void;
  /** To all other sockets of this instance that joined the topic. */
  readonly publish: (topic: string, text: string) => void;
};

/** The frames that capabilities answer; `authenticate` and `ping` are the connection's own. */
export type CapabilityFrame = Exclude<ClientFrame, { readonly type: "authenticate" | "ping" }>;

/**
 * Answers a frame as the actor. What it throws, or rejects with, becomes an error frame with the frame's `id`.
 * Frames of one socket are handled in order up to the first wait of each.
 */
export type Handle<Frame> = (peer: Peer, frame: Frame, actor: Actor) => void | Promise<void>;

type Handlers = {
  readonly [Type in CapabilityFrame["type"]]?: Handle<Extract<CapabilityFrame, { readonly type: Type }>>;
};

export type Capability = {
  readonly handlers: Handlers;
  /** Rights, schema, or who the socket is have changed: what it holds is judged again. */
  readonly renew?: (peer: Peer, actor: Actor) => void;
  /** The socket has closed: everything that it holds ends. */
  readonly close?: (peer: Peer) => void;
};

/** All capabilities as one. */
export type Dispatch = {
  readonly handle: (peer: Peer, frame: CapabilityFrame, actor: Actor) => void | Promise<void>;
  readonly renew: (peer: Peer, actor: Actor) => void;
  readonly close: (peer: Peer) => void;
};

/** Joins capabilities; each frame type has exactly one. @throws Error when two claim the same frame, or none does */
export function joinCapabilities(
  capabilities: readonly Capability[],
  types: readonly CapabilityFrame["type"][],
): Dispatch {
  const table = new Map<string, Handle<CapabilityFrame>>();
  for (const { handlers } of capabilities) {
    for (const [type, handle] of Object.entries(handlers)) {
      if (table.has(type)) throw new Error(`two capabilities answer '${type}'`);
      table.set(type, handle as Handle<CapabilityFrame>);
    }
  }
  const missing = types.filter((type) => !table.has(type));
  if (missing.length > 0) throw new Error(`no capability answers ${missing.join(", ")}`);
  return {
    handle: (peer, frame, actor) => table.get(frame.type)?.(peer, frame, actor),
    renew: (peer, actor) => {
      for (const { renew } of capabilities) renew?.(peer, actor);
    },
    close: (peer) => {
      for (const { close } of capabilities) close?.(peer);
    },
  };
}
