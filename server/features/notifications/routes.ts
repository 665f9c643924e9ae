/** `/notifications`: the own ones over HTTP, and sending. */
import { Elysia } from "elysia";
import type { NotificationsCounted, NotificationsSent } from "@baasix/types";
import type { z } from "zod";
import type { Actor, UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, Snapshot } from "../../data";
import { type Identity, jsonBody, readQueryString } from "../../http";
import { type Idempotency, keyParameter } from "../idempotency";
import { listAnswer, readParameters } from "../items";
import { chosenBody, cleanupBody, readChosen, readDays, readDeleted, readNotice, sendBody } from "./model";
import { countUnseen, deleteOld, deleteOwn, listOwn, markSeen } from "./own";
import { sendNotices } from "./send";

export type NotificationParts = {
  readonly data: Data;
  readonly identity: Identity;
  readonly once: Idempotency["once"];
  readonly snapshot: () => Snapshot;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

const day = 86_400_000;

const described = (summary: string, body?: z.ZodType, more: object = {}) => ({
  detail: {
    tags: ["Notifications"],
    summary,
    ...more,
    ...(body && { parameters: [keyParameter], ...jsonBody(body) }),
  },
});

const listParameters = [
  "filter",
  "fields",
  "sort",
  "search",
  "limit",
  "page",
  "offset",
  "cursor",
  "count",
].map((name) => ({ name, in: "query" as const, schema: { type: "string" as const } }));

/** Mounts them. */
export function notificationRoutes({ data, identity, once, snapshot, now }: NotificationParts) {
  const list = async (actor: Actor, request: Request): Promise<Response> => {
    const user = signedIn(actor);
    return listAnswer(await listOwn(data, user, readQueryString(request.url), request.signal));
  };
  const count = async (actor: Actor): Promise<object> => ({
    count: await countUnseen(data, signedIn(actor)),
  });
  const mark = (actor: Actor, body: unknown, request: Request): Promise<Response> => {
    const user = signedIn(actor);
    readParameters(request);
    const ids = readChosen(body);
    return once({ actor, request, body }, async (rows) =>
      counted("Notifications marked as seen", await markSeen(rows, user, ids)),
    );
  };
  const remove = (actor: Actor, body: unknown, request: Request): Promise<Response> => {
    const user = signedIn(actor);
    const ids = readDeleted(request, body);
    return once({ actor, request, body }, async (rows) =>
      counted("Notifications deleted", await deleteOwn(rows, user, ids)),
    );
  };
  const send = (actor: Actor, body: unknown, request: Request): Promise<Response> => {
    const user = signedIn(actor);
    data.requireRight(user, "baasix_Notification", "create");
    readParameters(request);
    const notice = readNotice(body);
    return once({ actor, request, body }, async (rows) => {
      const ids = await sendNotices(rows, user, notice, snapshot());
      const told: NotificationsSent = {
        message: "Notifications sent successfully",
        notificationIds: ids.map(String),
      };
      return Response.json(told);
    });
  };
  const cleanUp = async (actor: Actor, body: unknown, request: Request): Promise<Response> => {
    const user = signedIn(actor);
    if (!user.admin) throw new AppError("FORBIDDEN", "Access denied. Administrators only.");
    readParameters(request);
    const days = readDays(body);
    return counted("Old notifications cleaned up", await deleteOld(data, now() - days * day));
  };
  return new Elysia({ name: "notifications" })
    .use(identity)
    .get(
      "/notifications",
      ({ actor, request }) => list(actor, request),
      described("My notifications", undefined, {
        description: "The newest first. Takes what a list of items takes.",
        parameters: listParameters,
      }),
    )
    .delete(
      "/notifications",
      ({ actor, body, request }) => remove(actor, body, request),
      described("Delete notifications of mine", chosenBody, {
        description: "Without `notificationIds`, in the body or the query string, all of them.",
      }),
    )
    .get(
      "/notifications/unread/count",
      ({ actor }) => count(actor),
      described("How many of my notifications are unseen"),
    )
    .post(
      "/notifications/mark-seen",
      ({ actor, body, request }) => mark(actor, body, request),
      described("Mark notifications of mine as seen", chosenBody, {
        description: "Without `notificationIds` all of them.",
      }),
    )
    .post(
      "/notifications/send",
      ({ actor, body, request }) => send(actor, body, request),
      described("Notify accounts", sendBody, {
        description: "For administrators, and roles that may create items of `baasix_Notification`.",
      }),
    )
    .post(
      "/notifications/cleanup",
      ({ actor, body, request }) => cleanUp(actor, body, request),
      described("Delete old notifications of everybody (administrators)", cleanupBody),
    );
}

function signedIn(actor: Actor): UserActor {
  if (actor.kind !== "user") throw new AppError("UNAUTHORIZED", "Authentication required");
  return actor;
}

function counted(message: string, count: number): Response {
  return Response.json({ message, count } satisfies NotificationsCounted);
}
