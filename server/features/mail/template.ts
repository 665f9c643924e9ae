/** Which words a mail has: those that are stored for its kind, or the ones that come with the server. */
import { system } from "../../core/access/actor";
import { AppError, suggestion } from "../../core/errors";
import type { Data, PendingWrite } from "../../data";
import { type Content, createRenderer, type Renderer, type Shown, type Template } from "./render";
import { kindOf, mailTypes } from "./types";

const collection = "baasix_Template";
const rendering = system("mails are rendered by the server, for recipients who may read no template");

/** The words that come with the server. @throws Error for a kind that there is none of */
export function defaultTemplate(type: string): Template {
  const kind = kindOf(type);
  if (kind === null) throw new Error(`there is no mail of the kind '${type}'`);
  return { subject: kind.subject, body: kind.body, text: null };
}

/** The stored template of a kind that is in use: a tenant's own (null: of the installation), else the one for all; or null. */
export async function storedTemplate(
  data: Data,
  type: string,
  tenant: string | null,
): Promise<Template | null> {
  const forAll = { tenant_Id: { isNull: true } };
  const place = tenant === null ? forAll : { OR: [forAll, { tenant_Id: { eq: tenant } }] };
  const found = await data.find<Template & { readonly tenant_Id: string | null }>(rendering, collection, {
    filter: { AND: [{ type: { eq: type } }, { isActive: { eq: true } }, place] },
    fields: ["tenant_Id", "subject", "body", "text"],
    limit: 2,
    count: "none",
  });
  return found.find(({ tenant_Id }) => tenant_Id !== null) ?? found[0] ?? null;
}

/** A rendered mail, and the subject that may be kept. */
export type Rendered = Content & { readonly loggedSubject: string };

/**
 * Renders with the stored template, or with the server's own when there is none or it fails: nobody should be locked out by a
 * slip in a template. `told` hears of the slip.
 */
export function renderWith(
  renderer: Renderer,
  stored: Template | null,
  shown: Shown,
  told: (reason: string) => void,
): Rendered {
  const render = (template: Template): Rendered => ({
    ...renderer.render(template, shown),
    loggedSubject: renderer.loggedSubject(template, shown),
  });
  if (stored !== null) {
    try {
      return render(stored);
    } catch (error) {
      told(error instanceof Error ? error.message : String(error));
    }
  }
  return render(defaultTemplate(shown.type));
}

/**
 * Refuses templates that could not be rendered, before they are stored; and those of others than administrators, whatever a
 * permission says: who writes the words of a mail can send the link in it elsewhere, that of an administrator, too.
 * @throws AppError VALIDATION_ERROR, FORBIDDEN
 */
export function checkTemplates(
  renderer: Renderer,
  { actor, collection: written, action, bodies }: PendingWrite,
): void {
  if (written !== collection || action === "delete") return;
  if (actor.kind !== "system" && !(actor.kind === "user" && actor.admin))
    throw new AppError("FORBIDDEN", "Only administrators write the templates of mails");
  for (const body of bodies) {
    const { type = null } = body;
    if (typeof type === "string" && kindOf(type) === null) {
      const names = Object.keys(mailTypes);
      const message = `there is no mail of the kind '${type}'${suggestion(type, names)}`;
      throw new AppError("VALIDATION_ERROR", `type: ${message}`, {
        code: "VALIDATION_ERROR",
        errors: [{ field: "type", message, rule: "template" }],
      });
    }
    renderer.check(typeof type === "string" ? type : null, body as Partial<Template>);
  }
}

/** A mail in the server's own words, for where there is no database to ask. @throws AppError INVALID_VALUE */
export function renderDefault(shown: Shown): Content {
  return createRenderer().render(defaultTemplate(shown.type), shown);
}
