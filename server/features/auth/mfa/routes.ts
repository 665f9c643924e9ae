/** Second factors over HTTP: one's own, the second half of a sign-in, and help for those who lost theirs. */
import { Elysia } from "elysia";
import type { Actor } from "../../../core/access/actor";
import { readParameters } from "../../items";
import { answer, documented, guardCookieMode, idFrom, originOf, signedInAnswer } from "../answers";
import { findCredential } from "../credentials";
import { requireAdministrator, requireFresh, requireSession } from "../fresh";
import type { AuthParts } from "../parts";
import { finishSecondStep } from "./finish";
import {
  challengeFactor,
  describeLevel,
  enrollFactor,
  renewRecoveryCodes,
  resetFactors,
  unenrollFactor,
} from "./manage";
import { enrollBody, parseEnroll, parseSecondStep, parseVerify, secondStepBody, verifyBody } from "./model";
import { listFactors } from "./rows";
import { verifyFactor } from "./verify";

/** Mounts them. Those under `/auth/mfa` let in who has a second factor yet to get, and no other route does. */
export function mfaRoutes(parts: AuthParts) {
  const { clock, data, enrolling, identity } = parts;
  const own = new Elysia({ name: "auth second factors" })
    .post(
      "/auth/mfa/verify",
      ({ body, request }) => finish(body, request),
      documented("The second half of a sign-in", secondStepBody),
    )
    .use(enrolling)
    .get("/auth/mfa/factors", ({ actor }) => list(actor), documented("My second factors"))
    .post(
      "/auth/mfa/factors",
      ({ actor, body }) => enroll(actor, body),
      documented("Begin a second factor (with a fresh proof); its secret is told once", enrollBody),
    )
    .post(
      "/auth/mfa/factors/:id/challenge",
      ({ actor, params }) => challenge(actor, params.id),
      documented("Ask for a code of a factor"),
    )
    .post(
      "/auth/mfa/factors/:id/verify",
      ({ actor, body, params, request }) => verify(actor, params.id, body, request),
      documented("Prove a factor: gives a new session of the level aal2", verifyBody),
    )
    .delete(
      "/auth/mfa/factors/:id",
      ({ actor, params, request }) => unenroll(actor, params.id, request),
      documented("Remove a second factor (with a fresh proof)"),
    )
    .post(
      "/auth/mfa/recovery-codes",
      ({ actor }) => renewCodes(actor),
      documented("Ten new recovery codes in place of the old ones (with a fresh proof)"),
    )
    .get("/auth/mfa/level", ({ actor }) => level(actor), documented("How much this session has proven"));
  const administrators = new Elysia({ name: "auth second factors of users" })
    .use(identity)
    .delete(
      "/auth/admin/users/:id/factors",
      ({ actor, params, request }) => reset(actor, params.id, request),
      documented("Take the second factors from a user who lost them (administrators, with a fresh proof)"),
    );
  return new Elysia({ name: "auth mfa" }).use(own).use(administrators);

  async function finish(body: unknown, request: Request): Promise<Response> {
    const { mfaToken, typed, authMode } = parseSecondStep(body);
    guardCookieMode(parts, authMode, request);
    return signedInAnswer(parts, await finishSecondStep(parts, mfaToken, typed, originOf(request)), authMode);
  }

  async function list(actor: Actor): Promise<Response> {
    return answer({ data: await listFactors(data, requireSession(actor).id) });
  }

  async function enroll(actor: Actor, body: unknown): Promise<Response> {
    const user = requireSession(actor);
    requireFresh(actor, clock());
    return answer({ data: await enrollFactor(parts, user, parseEnroll(body)) }, [], 201);
  }

  async function challenge(actor: Actor, text: string): Promise<Response> {
    const user = requireSession(actor);
    return answer({ data: await challengeFactor(parts, user, idFrom(text, "Factor")) }, [], 201);
  }

  async function verify(actor: Actor, text: string, body: unknown, request: Request): Promise<Response> {
    const user = requireSession(actor);
    const factor = idFrom(text, "Factor");
    const { authMode: asked, ...brought } = parseVerify(body);
    // What came by cookie is answered by cookie: a script must not lift a refresh token out of it.
    const authMode = findCredential(request)?.from === "cookie" ? "cookie" : asked;
    guardCookieMode(parts, authMode, request);
    const done = await verifyFactor(parts, user, { factor, ...brought }, originOf(request));
    const { recoveryCodes } = done;
    const more = { factor: done.factor, ...(recoveryCodes !== null && { recoveryCodes }) };
    return signedInAnswer(parts, done.result, authMode, "Second factor confirmed", more);
  }

  async function unenroll(actor: Actor, text: string, request: Request): Promise<Response> {
    const user = requireSession(actor);
    requireFresh(actor, clock());
    readParameters(request);
    const id = idFrom(text, "Factor");
    await unenrollFactor(parts, user, id);
    return answer({ data: { id } });
  }

  async function renewCodes(actor: Actor): Promise<Response> {
    const user = requireSession(actor);
    requireFresh(actor, clock());
    return answer({ data: { recoveryCodes: await renewRecoveryCodes(parts, user) } });
  }

  async function level(actor: Actor): Promise<Response> {
    return answer({ data: await describeLevel(data, requireSession(actor)) });
  }

  async function reset(actor: Actor, text: string, request: Request): Promise<Response> {
    const admin = requireAdministrator(actor);
    requireFresh(actor, clock());
    // One that is passed over, such as an id, would take all of them.
    readParameters(request);
    return answer({ data: { count: await resetFactors(parts, admin, idFrom(text, "User")) } });
  }
}
