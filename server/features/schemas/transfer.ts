/** Definitions from one server to another: `/schemas-export`, `/schemas-preview-import`, `/schemas-import`. */
import type { SchemaExport, SchemaImportPreview, SchemaImportResult } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { recordsOf } from "../../core/schema/define";
import { describeCollection } from "../../core/schema/describe";
import type { Schema } from "../../core/schema/model";
import type { Data, SnapshotStore } from "../../data";
import { documentVersion, type SchemaDocument } from "./document";
import { compareImport, type ImportOptions, type ImportPlan, planSchemaImport } from "./importPlan";

/** All definitions, built-in ones without their secrets. `now` in milliseconds since 1970. */
export async function exportSchemas(
  data: Data,
  actor: Actor,
  schema: Schema,
  now: number,
): Promise<SchemaExport> {
  const times = new Map<string, object>();
  const fields = ["collectionName", "createdAt", "updatedAt"];
  for await (const batch of data.stream(actor, "baasix_SchemaDefinition", { fields })) {
    for (const row of batch) {
      const { collectionName, ...stored } = JSON.parse(row) as { readonly collectionName: string };
      times.set(collectionName, stored);
    }
  }
  const own = new Map(recordsOf(schema).map((one) => [one.collectionName, one.schema] as const));
  return {
    version: documentVersion,
    timestamp: new Date(now).toISOString(),
    schemas: [...schema.collections.values()]
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((collection) => ({
        collectionName: collection.name,
        schema: (collection.system ? null : own.get(collection.name)) ?? describeCollection(collection),
        ...times.get(collection.name),
      })),
  };
}

/** How the server differs from a document, and what an import would do. @throws AppError as `planSchemaImport` */
export async function previewSchemas(
  snapshot: Pick<SnapshotStore, "current" | "changeSchema">,
  document: SchemaDocument,
  options: ImportOptions,
): Promise<SchemaImportPreview> {
  const { schema } = snapshot.current();
  const { skipped } = planSchemaImport(schema, document, options);
  const plan = await snapshot.changeSchema((now) => planSchemaImport(now, document, options).edit, {
    dryRun: true,
  });
  return {
    importVersion: document.version,
    importTimestamp: document.timestamp,
    changes: compareImport(schema, document),
    plan,
    skipped,
  };
}

/** Carries an import out: all of it, or nothing. @throws AppError as `planSchemaImport`; DATA_LOSS without `force` */
export async function importSchemas(
  snapshot: Pick<SnapshotStore, "changeSchema">,
  document: SchemaDocument,
  { force, by, ...options }: ImportOptions & { readonly force: boolean; readonly by: Actor },
): Promise<SchemaImportResult> {
  const plans: ImportPlan[] = [];
  await snapshot.changeSchema(
    (schema) => {
      const plan = planSchemaImport(schema, document, options);
      plans.push(plan);
      return plan.edit;
    },
    { force, by },
  );
  const plan = plans.at(-1);
  return {
    message: "Schema import completed",
    changes: {
      created: plan?.created ?? [],
      updated: plan?.updated ?? [],
      unchanged: plan?.unchanged ?? [],
      deleted: plan?.deleted ?? [],
      errors: [],
    },
    skipped: plan?.skipped ?? [],
  };
}
