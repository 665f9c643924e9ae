/** The frames that clients send: what they must look like, and what an answer to a bad one says. */
import { type ClientFrame, reservedEvents } from "@baasix/types";
import { z } from "zod";
import { AppError } from "../../core/errors";
import { checkJson } from "../../http";
import type { CapabilityFrame } from "./capability";
import { limits } from "./limits";

const id = z.string().min(1).max(64);
const name = z.string().min(1).max(128);
// Control characters would let two names look alike; lone surrogates have no UTF-8.
const printable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u;
const room = name.regex(printable, "no control characters");
const event = z
  .string()
  .min(1)
  .max(64)
  .regex(printable, "no control characters")
  .refine((text) => !reservedEvents.test(text), "this name is the system's own");
const payload = z.unknown().optional();
const profile = z.record(z.string(), z.unknown());

/** What to watch of a collection. */
const wish = {
  collection: name,
  key: z.union([z.string().max(1024), z.number()]).optional(),
  filter: z.record(z.string(), z.unknown()).optional(),
  fields: z.array(z.string().max(1024)).max(200).optional(),
  events: z
    .array(z.enum(["create", "update", "delete"]))
    .min(1)
    .max(3)
    .optional(),
};

const frame = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("authenticate"),
    id,
    token: z.string().max(8192).nullable(),
    version: z.int(),
  }),
  z.strictObject({ type: z.literal("subscribe"), id, ...wish }),
  z.strictObject({
    type: z.literal("subscribe.many"),
    id,
    subscriptions: z.array(z.strictObject(wish)).min(1).max(limits.subscriptions),
  }),
  z.strictObject({
    type: z.literal("query"),
    id,
    collection: name,
    query: z.record(z.string(), z.unknown()).optional(),
    version: z.string().max(64).optional(),
  }),
  z.strictObject({ type: z.literal("unsubscribe"), id, subscription: name }),
  z.strictObject({ type: z.literal("ping"), id }),
  z.strictObject({ type: z.literal("room.join"), id, room, metadata: profile.optional() }),
  z.strictObject({ type: z.literal("room.leave"), id, room }),
  z.strictObject({ type: z.literal("room.members"), id, room }),
  z.strictObject({ type: z.literal("room.list"), id, prefix: z.string().max(128).optional() }),
  z.strictObject({
    type: z.literal("room.send"),
    id,
    room,
    event,
    payload,
    history: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal("room.kick"), id, room, userId: z.string().min(1).max(64) }),
  z.strictObject({ type: z.literal("presence.subscribe"), id, channel: room }),
  z.strictObject({ type: z.literal("presence.track"), id, channel: room, state: profile }),
  z.strictObject({ type: z.literal("presence.untrack"), id, channel: room }),
  z.strictObject({ type: z.literal("presence.unsubscribe"), id, channel: room }),
  z.strictObject({ type: z.literal("broadcast.subscribe"), id, channel: room }),
  z.strictObject({ type: z.literal("broadcast.unsubscribe"), id, channel: room }),
  z.strictObject({
    type: z.literal("broadcast.send"),
    id,
    channel: room,
    event,
    payload,
    self: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal("invoke"), id, event: name.regex(printable), payload }),
  z.strictObject({ type: z.literal("topic.follow"), id, topic: room }),
  z.strictObject({ type: z.literal("topic.unfollow"), id, topic: room }),
]);

/** A frame that was understood, or what is wrong with it and the `id` that the answer carries. */
export type Parsed =
  { readonly frame: ClientFrame } | { readonly error: AppError; readonly id: string | null };

/** Reads one message. Never throws. */
export function parseFrame(message: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return { error: new AppError("INVALID_JSON", "A message must be one JSON object"), id: null };
  }
  const asked = requestId(value);
  try {
    checkJson(value);
  } catch (error) {
    return { error: error as AppError, id: asked };
  }
  const result = frame.safeParse(value);
  if (result.success) return { frame: result.data };
  return { error: new AppError("BAD_REQUEST", describe(result.error)), id: asked };
}

/** The `id` of a frame whatever else is in it, so that its sender learns which one was refused. */
function requestId(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "id")) return null;
  const result = id.safeParse((value as { id: unknown }).id);
  return result.success ? result.data : null;
}

/** What each frame may say beside its type and id. */
export const frameKeys: ReadonlyMap<string, readonly string[]> = new Map(
  frame.options.map(({ shape }) => [
    shape.type.value,
    Object.keys(shape).filter((key) => key !== "type" && key !== "id"),
  ]),
);

/** The types of frames that capabilities answer: each has its row in the table of one. */
export const capabilityTypes: readonly CapabilityFrame["type"][] = frame.options
  .map((option) => option.shape.type.value)
  .filter((type) => type !== "authenticate" && type !== "ping");

const types = frame.options.map((option) => option.shape.type.value).join(", ");

function describe(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue || issue.path.length === 0) {
    const unknown = issue?.code === "unrecognized_keys" ? ` (${issue.keys[0]})` : "";
    return `${issue?.message ?? "Not understood"}${unknown}`;
  }
  if (issue.path[0] === "type") return `type: expected one of ${types}`;
  return `${issue.path.join(".")}: ${issue.message}`;
}
