/** `POST /items/:collection/import-csv` and `…/import-json`: files of items over HTTP. */
import { Elysia } from "elysia";
import type { Identity } from "../../http";
import { createImports, type ImportParts } from "./import";

export type ImportsParts = ImportParts & { readonly identity: Identity };

// The OpenAPI document describes every collection by itself (`features/openapi`), so these are hidden.
const hidden = { detail: { hide: true } };

/** The routes of imports. Their bodies are read as they arrive, whatever their type. */
export function importsRoutes({ identity, ...parts }: ImportsParts) {
  const importItems = createImports(parts);
  return new Elysia({ name: "imports" })
    .use(identity)
    .post(
      "/items/:collection/import-csv",
      ({ actor, params, request, server }) =>
        importItems("csv", actor, params.collection, request, () => server?.timeout(request, 0)),
      hidden,
    )
    .post(
      "/items/:collection/import-json",
      ({ actor, params, request, server }) =>
        importItems("json", actor, params.collection, request, () => server?.timeout(request, 0)),
      hidden,
    );
}
