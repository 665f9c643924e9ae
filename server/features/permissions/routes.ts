/** `/permissions`: what roles may do. Writes are for administrators; a row is checked before it is stored. */
import { Elysia } from "elysia";
import { z } from "zod";
import type { Actor } from "../../core/access/actor";
import { type PermissionRow, parseGrant } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Schema } from "../../core/schema/model";
import type { Data } from "../../data";
import { type Identity, readQueryString } from "../../http";
import { itemAnswer, listAnswer } from "../items";

export type PermissionsParts = {
  readonly data: Data;
  readonly identity: Identity;
  readonly schema: () => Schema;
  /** Reads roles and permissions anew and swaps them in whole. */
  readonly reload: () => Promise<void>;
};

const collection = "baasix_Permission";

const conditions = z.record(z.string(), z.unknown()).nullish();
// Not an array of texts to zod: it notes every wrong element, and bodies are checked before the caller is known.
const fields = z
  .custom<string | readonly string[]>(
    (value) =>
      typeof value === "string" || (Array.isArray(value) && value.every((name) => typeof name === "string")),
    "expected a list of texts, or comma text",
  )
  .nullish()
  .meta({
    type: ["array", "string", "null"],
    items: { type: "string" },
    description: "Column names, *, relation.*, relation.column; list or comma text",
  });

/** A permission as it is written. */
export const permissionBody = z.strictObject({
  role_Id: z.uuid(),
  collection: z.string(),
  action: z.enum(["create", "read", "update", "delete"]),
  fields,
  conditions,
  relConditions: conditions,
  defaultValues: conditions,
});

const tags = ["Permissions"];

/** The routes of permissions. */
export function permissionsRoutes({ data, identity, schema, reload }: PermissionsParts) {
  return new Elysia({ name: "permissions" })
    .use(identity)
    .get(
      "/permissions",
      async ({ actor, request }) =>
        listAnswer(await data.read(actor, collection, { limit: -1, ...readQueryString(request.url) })),
      { detail: { tags, summary: "List permissions" } },
    )
    .get(
      "/permissions/:id",
      async ({ actor, params }) => itemAnswer(await data.readOne(actor, collection, params.id)),
      {
        detail: { tags, summary: "Read a permission" },
      },
    )
    .post(
      "/permissions",
      async ({ actor, body }) => {
        administratorOnly(actor);
        return bare(await store(data, actor, schema(), null, body), 201);
      },
      { body: permissionBody, detail: { tags, summary: "Create a permission" } },
    )
    .patch(
      "/permissions/:id",
      async ({ actor, params, body }) => {
        administratorOnly(actor);
        return bare(await store(data, actor, schema(), params.id, body), 200);
      },
      { body: permissionBody.partial(), detail: { tags, summary: "Change a permission" } },
    )
    .delete(
      "/permissions/:id",
      async ({ actor, params }) => {
        administratorOnly(actor);
        await data.remove(actor, collection, [params.id]);
        return new Response(null, { status: 204 });
      },
      { detail: { tags, summary: "Delete a permission" } },
    )
    .post(
      "/permissions/reload",
      async ({ actor }) => {
        administratorOnly(actor);
        await reload();
        return { message: "Permission cache reloaded successfully" };
      },
      { detail: { tags, summary: "Read all permissions anew" } },
    );
}

function bare(json: string, status: number): Response {
  return new Response(json, { status, headers: { "content-type": "application/json; charset=utf-8" } });
}

function administratorOnly(actor: Actor): void {
  if (actor.kind === "user" && actor.admin) return;
  throw new AppError("FORBIDDEN", "Access denied. Administrators only.");
}

/** Writes a row whose whole was understood; gives it as JSON text. */
function store(
  data: Data,
  actor: Actor,
  schema: Schema,
  id: string | null,
  body: Partial<z.infer<typeof permissionBody>>,
): Promise<string> {
  return data.transaction(async (rows) => {
    const stored = id === null ? {} : JSON.parse((await rows.readOne(actor, collection, id)).json);
    const whole = {
      conditions: null,
      relConditions: null,
      defaultValues: null,
      fields: null,
      ...stored,
      ...body,
    };
    parseGrant(whole as Omit<PermissionRow, "id">, schema);
    const [key] =
      id === null
        ? await rows.create(actor, collection, [body])
        : await rows.update(actor, collection, [{ id, data: body }]);
    return (await rows.readOne(actor, collection, key ?? "")).json;
  });
}
