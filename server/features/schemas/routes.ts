/** `/schemas`: collections and relations over HTTP. Writes are for administrators. */
import { Elysia } from "elysia";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { SchemaEdit } from "../../core/schema/edit";
import type { Schema } from "../../core/schema/model";
import type { Data, SnapshotStore } from "../../data";
import { type Identity, jsonBody } from "../../http";
import { documentShape, readSchemaDocument } from "./document";
import { createEdit, removeEdit, renameEdit, updateEdit } from "./edits";
import { addIndexEdit, migrateIndexes, removeIndexEdit } from "./indexes";
import { listSchemas, readSchema, visibleTo } from "./list";
import {
  type ChangeQuery,
  changeQuery,
  createBody,
  type ImportQuery,
  importQuery,
  indexBody,
  listQuery,
  noQuery,
  previewQuery,
  relationshipBody,
  relationshipChange,
  renameBody,
  updateBody,
} from "./model";
import { relateEdit } from "./relate";
import { rerelateEdit } from "./rerelate";
import { exportSchemas, importSchemas, previewSchemas } from "./transfer";
import { unrelateEdit } from "./unrelate";

export type SchemasParts = {
  readonly snapshot: Pick<SnapshotStore, "current" | "changeSchema" | "makeIndexes">;
  readonly data: Data;
  readonly identity: Identity;
  readonly config: { readonly SCHEMAS_PUBLIC: boolean };
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

const tags = ["Schemas"];

/** The routes of schemas. */
export function schemasRoutes({ snapshot, data, identity, config, now }: SchemasParts) {
  const visible = (actor: Actor) => visibleTo(data, actor, config.SCHEMAS_PUBLIC);

  async function change(
    actor: Actor,
    { force, dryRun }: ChangeQuery,
    done: { readonly message: string; readonly status: number },
    edit: (schema: Schema) => SchemaEdit,
  ): Promise<Response> {
    administratorOnly(actor);
    const changes = await snapshot.changeSchema(edit, { force, dryRun, by: actor });
    if (dryRun) return Response.json({ message: "Dry run: nothing was changed", changes });
    return Response.json({ message: done.message }, { status: done.status });
  }

  async function exported(actor: Actor): Promise<Response> {
    administratorOnly(actor);
    const at = now();
    const body = await exportSchemas(data, actor, snapshot.current().schema, at);
    return new Response(JSON.stringify(body, null, 2), {
      headers: {
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
        "content-disposition": `attachment; filename="schema-export-${at}.json"`,
      },
    });
  }

  async function imported(
    actor: Actor,
    { prune, force, dryRun }: ImportQuery,
    request: Request,
    body: unknown,
  ): Promise<object> {
    administratorOnly(actor);
    const read = await readSchemaDocument(request, body);
    if (dryRun) return previewSchemas(snapshot, read, { prune });
    return importSchemas(snapshot, read, { prune, force, by: actor });
  }

  return new Elysia({ name: "schemas" })
    .use(identity)
    .get(
      "/schemas",
      async ({ actor, query }) => listSchemas(snapshot.current().schema, await visible(actor), query),
      { query: listQuery, detail: { tags, summary: "List definitions" } },
    )
    .get(
      "/schemas/:collection",
      async ({ actor, params }) => {
        const seen = await visible(actor);
        return { data: readSchema(snapshot.current().schema, params.collection, seen) };
      },
      { detail: { tags, summary: "Read a definition" } },
    )
    .post(
      "/schemas",
      ({ actor, query, body }) =>
        change(actor, query, { message: "Schema created successfully", status: 201 }, (schema) =>
          createEdit(schema, body.collectionName, body.schema),
        ),
      { query: changeQuery, body: createBody, detail: { tags, summary: "Create a collection" } },
    )
    .patch(
      "/schemas/:collection",
      ({ actor, query, params, body }) =>
        change(actor, query, { message: "Schema updated successfully", status: 200 }, (schema) =>
          updateEdit(schema, params.collection, body, body.renames),
        ),
      {
        query: changeQuery,
        body: updateBody,
        detail: {
          tags,
          summary: "Change a collection",
          description:
            "The body is the whole definition: a field that it leaves out is dropped, which needs ?force=true when it " +
            "holds values; or only the fields that are to be otherwise. Relations made by POST /schemas/:collection/relationships stay when they are left out, and so do " +
            "indexes when it has no indexes.",
        },
      },
    )
    .delete(
      "/schemas/:collection",
      ({ actor, query, params }) =>
        change(
          actor,
          { ...query, force: true },
          { message: "Schema deleted successfully", status: 200 },
          (schema) => removeEdit(schema, params.collection),
        ),
      { query: changeQuery, detail: { tags, summary: "Delete a collection and all its items, for good" } },
    )
    .post(
      "/schemas/:collection/relationships",
      ({ actor, query, params, body }) =>
        change(actor, query, { message: "Relationship created successfully", status: 201 }, (schema) =>
          relateEdit(schema, params.collection, body),
        ),
      { query: changeQuery, body: relationshipBody, detail: { tags, summary: "Create a relation" } },
    )
    .patch(
      "/schemas/:collection/relationships/:relation",
      ({ actor, query, params, body }) =>
        change(actor, query, { message: "Relationship updated successfully", status: 200 }, (schema) =>
          rerelateEdit(schema, params.collection, params.relation, body),
        ),
      {
        query: changeQuery,
        body: relationshipChange,
        detail: {
          tags,
          summary: "Change a relation",
          description:
            "tables is the whole list of an M2A relation: items of the junction that lead to one that is left out need " +
            "?force=true, and go.",
        },
      },
    )
    .delete(
      "/schemas/:collection/relationships/:relation",
      ({ actor, query, params }) =>
        change(actor, query, { message: "Relationship deleted successfully", status: 200 }, (schema) =>
          unrelateEdit(schema, params.collection, params.relation),
        ),
      {
        query: changeQuery,
        detail: { tags, summary: "Delete a relation with its key column, way back and junction" },
      },
    )
    .post(
      "/schemas/:collection/indexes",
      ({ actor, query, params, body }) =>
        change(actor, query, { message: "Index added successfully", status: 201 }, (schema) =>
          addIndexEdit(schema, params.collection, body),
        ),
      { query: changeQuery, body: indexBody, detail: { tags, summary: "Add an index" } },
    )
    .delete(
      "/schemas/:collection/indexes/:index",
      ({ actor, query, params }) =>
        change(actor, query, { message: "Index removed successfully", status: 200 }, (schema) =>
          removeIndexEdit(schema, params.collection, params.index),
        ),
      { query: changeQuery, detail: { tags, summary: "Remove an index" } },
    )
    .post(
      "/schemas/indexes/migrate",
      ({ actor }) => {
        administratorOnly(actor);
        return migrateIndexes(snapshot);
      },
      { query: noQuery, detail: { tags, summary: "Make the indexes that the database lacks" } },
    )
    .post(
      "/schemas/:collection/rename",
      ({ actor, query, params, body }) =>
        change(actor, query, { message: "Schema renamed successfully", status: 200 }, () =>
          renameEdit(params.collection, null, body.to),
        ),
      {
        query: changeQuery,
        body: renameBody,
        detail: {
          tags,
          summary: "Rename a collection",
          description: "Items stay; relations, permissions, indexes and expressions that name it follow.",
        },
      },
    )
    .post(
      "/schemas/:collection/fields/:field/rename",
      ({ actor, query, params, body }) =>
        change(actor, query, { message: "Field renamed successfully", status: 200 }, () =>
          renameEdit(params.collection, params.field, body.to),
        ),
      { query: changeQuery, body: renameBody, detail: { tags, summary: "Rename a field or a relation" } },
    )
    .get("/schemas-export", ({ actor }) => exported(actor), {
      detail: { tags, summary: "All definitions as one document" },
    })
    .post(
      "/schemas-preview-import",
      async ({ actor, query, request, body }) => {
        administratorOnly(actor);
        return previewSchemas(snapshot, await readSchemaDocument(request, body), query);
      },
      { query: previewQuery, detail: { tags, summary: "What an import would do", ...document } },
    )
    .post("/schemas-import", ({ actor, query, request, body }) => imported(actor, query, request, body), {
      query: importQuery,
      detail: {
        tags,
        summary: "Import definitions, all or none",
        description:
          "What the document does not mention stays, unless ?prune=true. A multipart form with the file in its part " +
          "schema will do, too.",
        ...document,
      },
    });
}

const document = jsonBody(documentShape);

function administratorOnly(actor: Actor): void {
  if (actor.kind === "system" || (actor.kind === "user" && actor.admin)) return;
  if (actor.kind === "anonymous") throw new AppError("UNAUTHORIZED", "Authentication required");
  throw new AppError("FORBIDDEN", "Access denied. Administrators only.");
}
