/** `/swagger`: the page, its assets out of the executable, and the document of what the caller may use. */
import { openapi, toOpenAPISchema } from "@elysiajs/openapi";
import { type AnyElysia, Elysia } from "elysia";
import swaggerJs from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import swaggerCss from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import { z } from "zod";
import { accessOf } from "../../core/access/policy";
import type { Actor } from "../../core/access/actor";
import type { Rules } from "../../core/access/rules";
import type { JsonSchema } from "../../core/schema/fields";
import type { Schema } from "../../core/schema/model";
import type { Identity } from "../../http";
import { describeCollections, type Paths } from "./document";

export type OpenApiParts = {
  readonly identity: Identity;
  readonly snapshot: () => { readonly schema: Schema; readonly rules: Rules };
  readonly version: string;
  /** The whole app, once it is built: its other routes are described, too. */
  readonly app: () => AnyElysia;
};

const description =
  "The description shows what the caller may use. Log in with `POST /auth/login` and " +
  '`"authMode": "cookie"`, then load this page again to see what your role opens; or fetch `/swagger/json` with a bearer token.';

const hidden = { detail: { hide: true } };

/** Routes that serve administrators alone; the document shows them to nobody else. */
const administrators = [
  /^(post|patch|put|delete) \/schemas/,
  /^[a-z]+ \/permissions/,
  /^[a-z]+ \/realtime\//,
  /^post \/notifications\/cleanup$/,
];
const signedIn = [
  /^get \/schemas/,
  /^post \/utils\/sort\//,
  /^post \/items\/\{collection\}\/reorder$/,
  /^[a-z]+ \/notifications/,
];
/** Routes that create items, by the collection that they need the right for. */
const creating: ReadonlyMap<string, string> = new Map([["post /notifications/send", "baasix_Notification"]]);

/** The documentation routes. */
export function openApiRoutes(parts: OpenApiParts) {
  const describe = describeRoutes(parts.app);
  const document = (actor: Actor) => documentOf(actor, parts, describe());
  return (
    new Elysia({ name: "openapi-feature" })
      // Mounted for its page. Its own document knows neither collections nor callers: the route below takes its place.
      .use(
        openapi({
          path: "/swagger",
          provider: "swagger-ui",
          documentation: { info: { title: "Baasix", version: parts.version, description: "REST API" } },
          swagger: {
            cdn: "/swagger/ui.js",
            theme: "/swagger/ui.css",
            validatorUrl: "none",
            persistAuthorization: true,
          },
        }),
      )
      .get("/swagger/ui.js", () => asset(swaggerJs, "text/javascript; charset=utf-8"), hidden)
      .get("/swagger/ui.css", () => asset(swaggerCss, "text/css; charset=utf-8"), hidden)
      .use(parts.identity)
      .get("/swagger/json", ({ actor }) => document(actor), hidden)
      .get("/openapi.json", ({ actor }) => document(actor), hidden)
  );
}

function asset(path: string, type: string): Response {
  return new Response(Bun.file(path), {
    headers: { "content-type": type, "cache-control": "public, max-age=3600" },
  });
}

/** Routes never change once the app is built: they are described once. */
function describeRoutes(app: () => AnyElysia): () => Paths {
  let described: Paths | null = null;
  return () => (described ??= describe(app()));
}

function describe(app: AnyElysia): Paths {
  const { paths } = toOpenAPISchema(
    withJsonBodies(app),
    undefined,
    undefined,
    { zod: zodToJsonSchema },
    "3.1.2",
  );
  return paths as unknown as Paths;
}

/** The plugin reads the media types of bodies from the routes' parsers and knows only named ones; ours is a function. */
function withJsonBodies(app: AnyElysia): AnyElysia {
  const routes = app.routes.map((route) => ({
    ...route,
    hooks: { ...route.hooks, parse: [{ fn: "json" }] },
  }));
  return Object.create(app, { getGlobalRoutes: { value: () => routes } }) as AnyElysia;
}

function zodToJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as unknown as JsonSchema;
}

function documentOf(actor: Actor, parts: OpenApiParts, routes: Paths): Response {
  const { schema, rules } = parts.snapshot();
  const access = accessOf(rules, schema, actor);
  const collections = describeCollections(schema, access);
  const mayCreate = (name: string): boolean => {
    const collection = schema.collections.get(name);
    return collection !== undefined && access(collection, "create") !== null;
  };
  const document = {
    openapi: "3.1.2",
    info: { title: "Baasix", version: parts.version, description },
    paths: { ...visibleRoutes(routes, actor, mayCreate), ...collections.paths },
    components: {
      schemas: collections.schemas,
      responses: { Error: errorResponse },
      securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
    security: [{ bearer: [] }, {}],
  };
  return Response.json(document, { headers: { "cache-control": "private, no-cache" } });
}

function visibleRoutes(routes: Paths, actor: Actor, mayCreate: (collection: string) => boolean): Paths {
  const admin = actor.kind === "user" && actor.admin;
  if (admin) return routes;
  const visible: Paths = {};
  for (const [path, operations] of Object.entries(routes)) {
    const shown = Object.entries(operations).filter(([method]) => {
      const route = `${method} ${path}`;
      if (administrators.some((pattern) => pattern.test(route))) return false;
      const made = creating.get(route);
      if (made !== undefined && !mayCreate(made)) return false;
      return actor.kind === "user" || !signedIn.some((pattern) => pattern.test(route));
    });
    if (shown.length > 0) visible[path] = Object.fromEntries(shown);
  }
  return visible;
}

const errorResponse = {
  description: "Refused or failed",
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["error"],
        properties: {
          error: {
            type: "object",
            required: ["message", "code", "statusCode", "requestId"],
            properties: {
              message: { type: "string" },
              code: { type: "string" },
              details: {},
              statusCode: { type: "integer" },
              requestId: { type: "string" },
            },
          },
        },
      },
    },
  },
};
