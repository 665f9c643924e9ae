/** `/realtime/…` for administrators: how changes reach subscribers, and which collections are live. */
import type { SchemaDefinition } from "@baasix/types";
import { Elysia } from "elysia";
import { z } from "zod";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { SchemaEdit } from "../../core/schema/edit";
import { type Collection, type LiveAction, liveActions, type Schema } from "../../core/schema/model";
import type { SnapshotStore } from "../../data";
import type { Identity } from "../../http";
import type { LogSettings } from "../../platform/postgres";

/** What is told of one collection. */
export type CollectionState = {
  readonly collection: string;
  readonly config: {
    readonly enabled: boolean;
    readonly actions: readonly LiveAction[];
    readonly replicaIdentityFull: boolean;
  };
};

/**
 * What `/realtime/status` answers. `source`: the log of the database, triggers in its place, or nothing. `reason`: why
 * there is no log, or why there are no changes to be had at all. `blind`: what is not told without the log.
 */
export type Status = {
  readonly initialized: true;
  readonly connected: boolean;
  readonly walAvailable: boolean;
  readonly isWalLeader: boolean;
  readonly source: "log" | "triggers" | "off";
  readonly reason: string | null;
  readonly blind: readonly string[];
  readonly publicationName: string;
  /** The slot of this instance, which is gone with its connection. */
  readonly slotName: string | null;
  readonly enabledCollections: readonly CollectionState[];
  readonly sockets: number;
  readonly subscriptions: number;
  readonly views: number;
  /** Live queries: how many sockets watch together, and how many are run for them. */
  readonly queries: { readonly watched: number; readonly run: number };
  /** Rooms with members, on all instances; and how many instances live, this one among them. */
  readonly rooms: number;
  readonly instances: number;
};

/** What the server is told of itself; `replicationConfig` null when the database does not answer. */
type FullStatus = Status & { readonly replicationConfig: LogSettings | null };

export type AdminParts = {
  readonly identity: Identity;
  readonly status: () => Status;
  /** @throws AppError when the database does not answer */
  readonly settings: () => Promise<LogSettings>;
  readonly snapshot: Pick<SnapshotStore, "current" | "changeSchema" | "reloadSchema">;
  /** Tries at once to read the log, where that has failed. */
  readonly retry: () => void;
};

const tags = ["Realtime"];
const detail = (summary: string) => ({ detail: { tags, summary: `${summary} (administrators)` } });
const bodied = (summary: string, shape: z.ZodType) => {
  const schema: object = z.toJSONSchema(shape, { io: "input" });
  return {
    detail: { ...detail(summary).detail, requestBody: { content: { "application/json": { schema } } } },
  };
};

const names = liveActions.join(", ");
const actions = z
  .array(
    z.enum(liveActions, {
      error: ({ input }) =>
        `Invalid action: ${typeof input === "string" ? input : JSON.stringify(input)}; known are ${names}`,
    }),
    { error: `actions: a list of ${names}` },
  )
  .min(1, "actions: at least one; disable the collection for none");
const enabling = z.strictObject({
  actions: actions.optional(),
  replicaIdentityFull: z.boolean({ error: "replicaIdentityFull: true or false" }).optional(),
});
const changing = z.strictObject({ actions });

/** Mounts the routes. */
export function adminRoutes({ identity, status, settings, snapshot, retry }: AdminParts) {
  const collections = (): readonly Collection[] => [...snapshot.current().schema.collections.values()];

  const full = async (): Promise<FullStatus> => ({
    ...status(),
    replicationConfig: await settings().catch(() => null),
  });

  const change = async (actor: Actor, name: string, realtime: Realtime): Promise<CollectionState> => {
    await snapshot.changeSchema((schema) => edit(schema, name, realtime), { by: actor });
    return stateOf(find(snapshot.current().schema, name));
  };

  const enable = async (actor: Actor, name: string, body: unknown): Promise<object> => {
    administratorOnly(actor);
    const { actions: given, replicaIdentityFull } = read(enabling, body ?? {});
    const { collection, config } = await change(actor, name, ({ liveness, realtime }) => ({
      enabled: true,
      actions: given ?? (realtime ? liveness.actions : liveActions),
      replicaIdentityFull: replicaIdentityFull ?? liveness.wholeRows,
    }));
    const { walAvailable } = status();
    const message = `Realtime is enabled for '${collection}'`;
    return {
      data: { message, collection, config, replicaIdentityFull: config.replicaIdentityFull, walAvailable },
    };
  };

  const disable = async (actor: Actor, name: string): Promise<object> => {
    administratorOnly(actor);
    const { collection } = await change(actor, name, () => false);
    return { data: { message: `Realtime is disabled for '${collection}'`, collection } };
  };

  const alter = async (actor: Actor, name: string, body: unknown): Promise<object> => {
    administratorOnly(actor);
    const given = read(changing, body);
    const { collection, config } = await change(actor, name, ({ realtime, liveness }) => {
      if (realtime) return { enabled: true, actions: given.actions, replicaIdentityFull: liveness.wholeRows };
      throw new AppError("BAD_REQUEST", `Realtime is disabled for '${name}': enable it first`);
    });
    return { data: { message: `Realtime of '${collection}' was changed`, collection, config } };
  };

  const renew = async (actor: Actor, message: string): Promise<object> => {
    administratorOnly(actor);
    await snapshot.reloadSchema();
    retry();
    return { data: { message, status: await full() } };
  };

  return new Elysia({ name: "realtime admin" })
    .use(identity)
    .get(
      "/realtime/status",
      async ({ actor }) => {
        administratorOnly(actor);
        return { data: await full() };
      },
      detail("How changes reach subscribers"),
    )
    .get(
      "/realtime/config",
      async ({ actor }) => {
        administratorOnly(actor);
        return { data: await settings() };
      },
      detail("What the database allows, and what would have to change"),
    )
    .get(
      "/realtime/collections",
      ({ actor }) => {
        administratorOnly(actor);
        return {
          data: collections()
            .filter(({ realtime }) => realtime)
            .map(stateOf),
        };
      },
      detail("The live collections"),
    )
    .get(
      "/realtime/collections/:collection",
      ({ actor, params }) => {
        administratorOnly(actor);
        const { collection, config } = stateOf(find(snapshot.current().schema, params.collection));
        return { data: { collection, enabled: config.enabled, config } };
      },
      detail("Whether a collection is live"),
    )
    .post(
      "/realtime/collections/:collection/enable",
      ({ actor, params, body }) => enable(actor, params.collection, body),
      bodied("Make a collection live", enabling),
    )
    .post(
      "/realtime/collections/:collection/disable",
      ({ actor, params }) => disable(actor, params.collection),
      detail("Make a collection live no longer"),
    )
    .patch(
      "/realtime/collections/:collection",
      ({ actor, params, body }) => alter(actor, params.collection, body),
      bodied("Change what subscribers of a collection are told of", changing),
    )
    .post(
      "/realtime/reload",
      ({ actor }) => renew(actor, "Schema and rights were read anew"),
      detail("Read schema and rights anew"),
    )
    .post(
      "/realtime/initialize",
      ({ actor }) => renew(actor, "The log is tried anew, where it is not read already"),
      detail("Try to read the log anew"),
    );
}

/** What is told of live collections. */
export function stateOf({ name, realtime, liveness }: Collection): CollectionState {
  const { actions: told, wholeRows } = liveness;
  return {
    collection: name,
    config: { enabled: realtime, actions: realtime ? told : [], replicaIdentityFull: realtime && wholeRows },
  };
}

/** What the definition of a collection is to say. @throws AppError where it may not say so */
type Realtime = (before: Collection) => NonNullable<SchemaDefinition["realtime"]>;

function edit(schema: Schema, name: string, realtime: Realtime): SchemaEdit {
  const collection = find(schema, name);
  if (collection.system) {
    throw new AppError("INVALID_SCHEMA", `'${name}' is built in; its definition cannot be changed`);
  }
  const definition = { ...collection.definition, realtime: realtime(collection) };
  return { put: [{ collectionName: name, schema: definition }], remove: [] };
}

function find(schema: Schema, name: string): Collection {
  const collection = schema.collections.get(name);
  if (!collection) throw new AppError("NOT_FOUND", `There is no collection '${name}'`);
  return collection;
}

function read<Shape extends z.ZodType>(shape: Shape, body: unknown): z.output<Shape> {
  const result = shape.safeParse(body);
  if (result.success) return result.data;
  throw new AppError("BAD_REQUEST", result.error.issues[0]?.message ?? "The body was not understood");
}

function administratorOnly(actor: Actor): void {
  if (actor.kind === "user" && actor.admin) return;
  throw new AppError("FORBIDDEN", "Realtime is looked after by administrators");
}
