/** `/permissions`: what roles may do. Writes are for administrators; a row is checked before it is stored. */
import { Elysia } from "elysia";
import { z } from "zod";
import type { Actor } from "../../core/access/actor";
import { checkFieldNames } from "../../core/access/grants";
import { type PermissionRow, parseGrant } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import { findCollection } from "../../core/query/find";
import type { Schema } from "../../core/schema/model";
import type { Data, Snapshot } from "../../data";
import { type Identity, jsonBody, readQueryString } from "../../http";
import { itemAnswer, listAnswer, readFlag, readParameters } from "../items";
import { documentShape, readDocument } from "./document";
import { describeRights } from "./me";
import { exportRights, importRights, previewImport } from "./transfer";

export type PermissionsParts = {
  readonly data: Data;
  readonly identity: Identity;
  readonly snapshot: () => Snapshot;
  /** Reads roles and permissions anew and swaps them in whole. */
  readonly reload: () => Promise<void>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

const collection = "baasix_Permission";

const conditions = z.record(z.string(), z.unknown()).nullish();
const fields = z
  .union([z.array(z.string()), z.string()], "expected a list of texts, or comma text")
  .nullish()
  .meta({ description: "Column names, *, relation.*, relation.column; list or comma text" });

/** A permission as it is written. */
const permissionBody = z.strictObject({
  role_Id: z.uuid(),
  collection: z.string(),
  action: z.enum(["create", "read", "update", "delete"]),
  fields,
  conditions,
  relConditions: conditions,
  defaultValues: conditions,
});

const tags = ["Permissions"];
const documented = {
  list: { detail: { tags, summary: "List permissions" } },
  me: { detail: { tags, summary: "What the caller may do" } },
  one: { detail: { tags, summary: "Read a permission" } },
  create: { detail: { tags, summary: "Create a permission", ...jsonBody(permissionBody) } },
  update: { detail: { tags, summary: "Change a permission", ...jsonBody(permissionBody.partial()) } },
  remove: { detail: { tags, summary: "Delete a permission" } },
  reload: { detail: { tags, summary: "Read all permissions anew" } },
  export: { detail: { tags, summary: "All roles and permissions as one document" } },
  preview: { detail: { tags, summary: "What an import would do", ...jsonBody(documentShape) } },
  import: {
    detail: {
      tags,
      summary: "Import roles and permissions, all or none",
      parameters: [
        {
          name: "dryRun",
          in: "query" as const,
          description: "Change nothing; answer what would change",
          schema: { type: "boolean" as const },
        },
      ],
      ...jsonBody(documentShape),
    },
  },
};

/** The routes of permissions. */
export function permissionsRoutes({ data, identity, snapshot, reload, now }: PermissionsParts) {
  const schema = (): Schema => snapshot().schema;
  const exported = async (actor: Actor): Promise<Response> => {
    administratorOnly(actor);
    const name = `roles-permissions-export-${now()}.json`;
    return plain(JSON.stringify(await exportRights(data, actor, now()), null, 2), 200, {
      "content-disposition": `attachment; filename="${name}"`,
    });
  };
  return (
    new Elysia({ name: "permissions" })
      .use(identity)
      .get(
        "/permissions",
        async ({ actor, request }) =>
          listAnswer(await data.read(actor, collection, { limit: -1, ...readQueryString(request.url) })),
        documented.list,
      )
      .get(
        "/permissions/me",
        ({ actor }) => plain(`{"data":${describeRights(snapshot(), actor)}}`, 200),
        documented.me,
      )
      .get(
        "/permissions/:id",
        async ({ actor, params }) => itemAnswer(await data.readOne(actor, collection, params.id)),
        documented.one,
      )
      .post(
        "/permissions",
        async ({ actor, request, body }) => {
          administratorOnly(actor);
          readParameters(request);
          return stored(await store(data, actor, schema(), null, read(permissionBody, body)), 201);
        },
        documented.create,
      )
      .patch(
        "/permissions/:id",
        async ({ actor, params, request, body }) => {
          administratorOnly(actor);
          readParameters(request);
          return stored(
            await store(data, actor, schema(), params.id, read(permissionBody.partial(), body)),
            200,
          );
        },
        documented.update,
      )
      .delete(
        "/permissions/:id",
        async ({ actor, params, request }) => {
          administratorOnly(actor);
          readParameters(request);
          await data.remove(actor, collection, [params.id]);
          return new Response(null, { status: 204 });
        },
        documented.remove,
      )
      .post(
        "/permissions/reload",
        async ({ actor }) => {
          administratorOnly(actor);
          await reload();
          return { message: "Permission cache reloaded successfully" };
        },
        documented.reload,
      )
      .get("/permissions-export", ({ actor }) => exported(actor), documented.export)
      // The way of clients that were made for the reference's SDK.
      .post("/permissions-export", ({ actor }) => exported(actor), { detail: { hide: true } })
      .post(
        "/permissions-preview-import",
        async ({ actor, request, body }) => {
          administratorOnly(actor);
          readParameters(request);
          return previewImport(data, actor, schema(), await readDocument(request, body));
        },
        documented.preview,
      )
      .post(
        "/permissions-import",
        async ({ actor, request, body }) => {
          administratorOnly(actor);
          const dryRun = readFlag(readParameters(request, ["dryRun"]).dryRun, "dryRun");
          const document = await readDocument(request, body);
          return (dryRun ? previewImport : importRights)(data, actor, schema(), document);
        },
        documented.import,
      )
  );
}

function plain(json: string, status: number, headers: Record<string, string> = {}): Response {
  const kind = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
  return new Response(json, { status, headers: { ...kind, ...headers } });
}

/** The row itself, as the reference answers it, and once more below `data`, where its SDK looks for it. */
function stored(row: string, status: number): Response {
  return plain(`${row.slice(0, -1)},"data":${row}}`, status);
}

/** A body, bare or below `data`. @throws AppError BAD_REQUEST that names the place */
function read<T>(shape: z.ZodType<T>, body: unknown): T {
  const wrapped =
    typeof body === "object" && body !== null && "data" in body && Object.keys(body).length === 1;
  const result = shape.safeParse(wrapped ? body.data : body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.code === "unrecognized_keys" ? issue.keys[0] : issue?.path.join(".");
  throw new AppError("BAD_REQUEST", `${place || "body"}: ${issue?.message ?? "not a permission"}`);
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
    if (body.fields !== undefined || body.collection !== undefined) {
      checkFieldNames(whole.fields, findCollection(schema, whole.collection), schema);
    }
    const [key] =
      id === null
        ? await rows.create(actor, collection, [body])
        : await rows.update(actor, collection, [{ id, data: body }]);
    return (await rows.readOne(actor, collection, key ?? "")).json;
  });
}
