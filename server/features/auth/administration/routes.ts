/** What administrators do with accounts beyond items, and everyone with the own one, over HTTP. */
import { Elysia } from "elysia";
import type { Actor } from "../../../core/access/actor";
import { answer, documented, privateJson } from "../answers";
import { requireAdministrator, requireFresh, requireSession } from "../fresh";
import { describeMe } from "../me";
import { checked } from "../model";
import type { AuthParts } from "../parts";
import { generateLink } from "./links";
import { linkBody, profileBody } from "./model";
import { changeProfile } from "./profile";

/** Mounts them. */
export function administrationRoutes(parts: AuthParts) {
  const { clock, data, identity } = parts;
  return new Elysia({ name: "auth administration" })
    .use(identity)
    .patch(
      "/auth/me",
      ({ actor, body }) => change(actor, body),
      documented("Change my name, phone number and what I say of myself", profileBody),
    )
    .post(
      "/auth/admin/links",
      ({ actor, body }) => link(actor, body),
      documented(
        "Make a link of a mail to hand it over; it is told once (administrators, with a fresh proof)",
        linkBody,
      ),
    );

  async function change(actor: Actor, body: unknown): Promise<Response> {
    const user = requireSession(actor);
    await changeProfile(data, user, checked(profileBody, body));
    return new Response(await describeMe(parts, user), { headers: privateJson });
  }

  async function link(actor: Actor, body: unknown): Promise<Response> {
    const admin = requireAdministrator(actor);
    requireFresh(actor, clock());
    return answer({ data: await generateLink(parts, admin, checked(linkBody, body)) }, [], 201);
  }
}
