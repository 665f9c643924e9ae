/** Invitations over HTTP. */
import { Elysia } from "elysia";
import type { InviteResult } from "@baasix/types";
import type { Actor, UserActor } from "../../../core/access/actor";
import { createWindowCounter } from "../../../http";
import { readParameters } from "../../items";
import { answer, documented, guardCookieMode, idFrom, originOf, signedInAnswer } from "../answers";
import { tooMany } from "../attempts";
import { findCredential } from "../credentials";
import { requireSession, requireUser } from "../fresh";
import type { AuthParts } from "../parts";
import { acceptInvite } from "./accept";
import { invite, listInvites, resendInvite, takeBackInvite } from "./invite";
import {
  acceptBody,
  inviteBody,
  parseAccept,
  parseInvite,
  parseList,
  parseResend,
  resendBody,
} from "./model";
import { verifyInvite } from "./verify";

const hour = 3_600_000;

/** Invitations that an account may have mailed in an hour, if it is no administrator: addresses of strangers are mailed to. */
const mostInvites = 100;

/** Mounts them. Who lacks a second factor that a role asks for may still accept another one. */
export function inviteRoutes(parts: AuthParts) {
  const sent = createWindowCounter(hour);
  const accepting = new Elysia({ name: "auth accepting invitations" })
    .use(parts.enrolling)
    .post(
      "/auth/accept-invite",
      ({ actor, body, request }) => accept(actor, body, request),
      documented("Accept an invitation to my address: gives a new session", acceptBody),
    );
  return new Elysia({ name: "auth invitations" })
    .use(accepting)
    .get(
      "/auth/verify-invite/:token",
      ({ params, request }) => verify(params.token, request),
      documented("What an invitation is to"),
    )
    .use(parts.identity)
    .post(
      "/auth/invite",
      ({ actor, body }) => create(actor, body),
      documented("Invite an address, by mail", inviteBody),
    )
    .get(
      "/auth/invites",
      ({ actor, request }) => list(actor, request.url),
      documented("The invitations that I could make"),
    )
    .post(
      "/auth/invites/:id/resend",
      ({ actor, params, body }) => resend(actor, params.id, body),
      documented("Mail an invitation again, with another link", resendBody),
    )
    .delete(
      "/auth/invites/:id",
      ({ actor, params, request }) => takeBack(actor, params.id, request),
      documented("Take an invitation back"),
    );

  async function verify(token: string, request: Request): Promise<Response> {
    const link = new URL(request.url).searchParams.get("link");
    return answer(await verifyInvite(parts, token, link, originOf(request)));
  }

  /** Counts them for each instance by itself. */
  function countInviter({ id, admin }: UserActor): void {
    if (admin) return;
    const now = parts.clock();
    const { count, endsAt } = sent.count(id, now);
    if (count > mostInvites) throw tooMany((endsAt - now) / 1000);
  }

  async function create(actor: Actor, body: unknown): Promise<Response> {
    const user = requireUser(actor);
    countInviter(user);
    const { id, email, status, expiresAt } = await invite(parts, user, parseInvite(body));
    const told: InviteResult = {
      message: "Invitation sent successfully",
      invite: { id, email, status, expiresAt },
    };
    return answer(told);
  }

  async function list(actor: Actor, url: string): Promise<Response> {
    const user = requireUser(actor);
    return answer({ data: await listInvites(parts, user, parseList(url).status) });
  }

  async function resend(actor: Actor, text: string, body: unknown): Promise<Response> {
    const user = requireUser(actor);
    countInviter(user);
    const link = parseResend(body);
    const { id, email, status, expiresAt } = await resendInvite(
      parts,
      user,
      idFrom(text, "Invitation"),
      link,
    );
    const told: InviteResult = {
      message: "Invitation sent successfully",
      invite: { id, email, status, expiresAt },
    };
    return answer(told);
  }

  async function takeBack(actor: Actor, text: string, request: Request): Promise<Response> {
    const user = requireUser(actor);
    readParameters(request);
    const id = idFrom(text, "Invitation");
    await takeBackInvite(parts, user, id);
    return answer({ data: { id } });
  }

  async function accept(actor: Actor, body: unknown, request: Request): Promise<Response> {
    const user = requireSession(actor);
    const { inviteToken, authMode: asked } = parseAccept(body);
    // What came by cookie is answered by cookie: a script must not lift a refresh token out of it.
    const authMode = findCredential(request)?.from === "cookie" ? "cookie" : asked;
    guardCookieMode(parts, authMode, request);
    const result = await acceptInvite(parts, user, inviteToken, originOf(request));
    return signedInAnswer(parts, result, authMode, "Invitation accepted successfully");
  }
}
