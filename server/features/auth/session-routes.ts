/** Open sessions over HTTP: one's own, those of a user for administrators, and the fresh proof that some calls ask for. */
import { Elysia } from "elysia";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { readParameters } from "../items";
import { findAccount } from "./accounts";
import { answer, documented, idFrom, originOf, provenAnswer } from "./answers";
import { requireAdministrator, requireFresh, requireSession } from "./fresh";
import { parseReauthenticate, reauthenticateBody } from "./model";
import type { AuthParts } from "./parts";
import { reauthenticate, reauthenticateByCode, requestConfirmCode } from "./reauthenticate";

/** Mounts them. */
export function sessionRoutes(parts: AuthParts) {
  const { clock, data, enrolling, identity, sessions } = parts;
  const ofUser = "/auth/admin/users/:id/sessions";
  // To get a second factor takes a fresh proof, too.
  const proof = new Elysia({ name: "auth fresh proof" })
    .use(enrolling)
    .post(
      "/auth/reauthenticate",
      ({ actor, body, request }) => proveAgain(actor, body, request),
      documented(
        "Prove the password again, or a mailed code, for what asks for a fresh proof",
        reauthenticateBody,
      ),
    )
    .post(
      "/auth/reauthenticate/code",
      ({ actor }) => mailCode(actor),
      documented("Ask for a code to prove with who I am, by mail"),
    );
  return new Elysia({ name: "auth sessions" })
    .use(proof)
    .use(identity)
    .get("/auth/sessions", ({ actor }) => listOwn(actor), documented("My open sessions"))
    .delete(
      "/auth/sessions",
      ({ actor, request }) => endOthers(actor, request),
      documented("End my other sessions"),
    )
    .delete(
      "/auth/sessions/:id",
      ({ actor, params, request }) => endOwn(actor, params.id, request),
      documented("End one of my sessions"),
    )
    .get(
      ofUser,
      ({ actor, params }) => listOf(actor, params.id),
      documented("Open sessions of a user (administrators)"),
    )
    .delete(
      ofUser,
      ({ actor, params, request }) => endAllOf(actor, params.id, request),
      documented("End all sessions of a user (administrators, with a fresh proof)"),
    )
    .delete(
      `${ofUser}/:session`,
      ({ actor, params, request }) => endOneOf(actor, params.id, params.session, request),
      documented("End a session of a user (administrators, with a fresh proof)"),
    );

  async function listOwn(actor: Actor): Promise<Response> {
    const { id, session } = requireSession(actor);
    return answer({ data: await sessions.list(id, session) });
  }

  async function endOthers(actor: Actor, request: Request): Promise<Response> {
    const { id, session } = requireSession(actor);
    // One that is passed over, such as an id, would end all the others.
    readParameters(request);
    return answer({ data: { count: await sessions.endAll(id, session) } });
  }

  async function endOwn(actor: Actor, text: string, request: Request): Promise<Response> {
    const { id } = requireSession(actor);
    readParameters(request);
    return endOne(id, text);
  }

  async function endOne(user: string, text: string): Promise<Response> {
    const id = idFrom(text, "Session");
    if (!(await sessions.endOne(user, id))) throw new AppError("NOT_FOUND", "Session not found");
    return answer({ data: { id } });
  }

  async function proveAgain(actor: Actor, body: unknown, request: Request): Promise<Response> {
    const user = requireSession(actor);
    const brought = parseReauthenticate(body);
    const time =
      "code" in brought
        ? await reauthenticateByCode(parts, user, brought.code, originOf(request))
        : await reauthenticate(parts, user, brought.password, originOf(request));
    return provenAnswer(time);
  }

  async function mailCode(actor: Actor): Promise<Response> {
    await requestConfirmCode(parts, requireSession(actor));
    return answer({ message: "Instruction sent to your email" });
  }

  async function listOf(actor: Actor, text: string): Promise<Response> {
    const { session } = requireAdministrator(actor);
    return answer({ data: await sessions.list(await userFrom(text), session) });
  }

  async function endAllOf(actor: Actor, text: string, request: Request): Promise<Response> {
    requireAdministrator(actor);
    requireFresh(actor, clock());
    readParameters(request);
    return answer({ data: { count: await sessions.endAll(await userFrom(text), null) } });
  }

  async function endOneOf(actor: Actor, user: string, session: string, request: Request): Promise<Response> {
    requireAdministrator(actor);
    requireFresh(actor, clock());
    readParameters(request);
    return endOne(await userFrom(user), session);
  }

  async function userFrom(text: string): Promise<string> {
    const account = await findAccount(data, idFrom(text, "User"));
    if (account === null) throw new AppError("NOT_FOUND", "User not found");
    return account.id;
  }
}
