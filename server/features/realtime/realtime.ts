/** The parts of realtime, connected: sockets and their views on one side, the feed of changes on the other. */
import type { Server, WebSocketHandler } from "bun";
import { AppError } from "../../core/errors";
import type { Data, Judge, LiveQueries, Snapshot, SnapshotStore } from "../../data";
import { type ClientAddress, createOrigins, type Identity, type Logger, type OriginConfig } from "../../http";
import type { Bus } from "../../platform/bus";
import type { ChangeFeed, LogSettings } from "../../platform/postgres";
import { type Authenticator, findCredential } from "../auth";
import { createLiveQueries } from "./live-queries";
import { createLiveViews, followLive } from "./live-views";
import { stateOf, type Status } from "./admin";
import { joinCapabilities } from "./capability";
import { aloneCluster, createCluster } from "./cluster";
import { Connection, type ConnectionParts, everyone } from "./connection";
import type { RealtimeFace } from "./face";
import { followFeed } from "./feed";
import { encodeFrame } from "./frames";
import { limits } from "./limits";
import { capabilityTypes } from "./model";
import { createRelated } from "./related";
import { createBarrier } from "./barrier";
import { realtimeRoutes } from "./routes";
import { createSockets } from "./sockets";
import { createSubscriptions } from "./subscriptions";
import { createTogether } from "./together";
import { createViews } from "./views";

export type RealtimeParts = {
  readonly judge: Judge;
  readonly queries: LiveQueries;
  readonly data: Pick<Data, "find">;
  readonly snapshot: () => Snapshot;
  /** Calls back after each change of schema or rules; gives the function that stops. */
  readonly onSnapshotChange: (listener: () => void) => () => void;
  readonly schemas: Pick<SnapshotStore, "changeSchema" | "reloadSchema">;
  /** What the database allows. */
  readonly settings: () => Promise<LogSettings>;
  readonly feed: ChangeFeed;
  readonly authenticator: Pick<Authenticator, "proveToken">;
  readonly identity: Identity;
  readonly clientAddress: ClientAddress;
  readonly config: OriginConfig & {
    readonly REALTIME_SOCKETS_PER_USER: number;
    readonly REALTIME_SOCKETS_PER_ADDRESS: number;
    readonly REALTIME_SILENCE: number;
  };
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The other instances; without it there are none. It is closed with realtime. */
  readonly bus?: Bus;
  /** Milliseconds that a socket has to say who it is; default 5,000. */
  readonly patience?: number;
};

export type Realtime = {
  readonly routes: ReturnType<typeof realtimeRoutes>;
  /** For the server that listens: `app.listen({ …, websocket: realtime.websocket })`. */
  readonly websocket: WebSocketHandler<Connection>;
  /** The identity of a user or session changed (logout, suspension, role): its sockets are asked again who they are. */
  readonly recheck: (who: { readonly user?: string; readonly session?: string }) => Promise<void>;
  readonly recheckAll: () => Promise<void>;
  /** Rights are being read anew: changes of rows are told when that is done. False where it has failed. */
  readonly await: (work: Promise<boolean>) => void;
  /** What is offered to code. */
  readonly face: RealtimeFace;
  /** Closes every socket with 1001 and stops following the feed. */
  readonly close: () => Promise<void>;
};

/** Builds realtime. It follows the feed at once. */
export function createRealtime(parts: RealtimeParts): Realtime {
  const { judge, feed, authenticator, config, logger, now } = parts;
  const origins = createOrigins(config);
  let server: Server<Connection> | null = null;
  let rechecks = 0;
  const publish = (topic: string, text: string): void => void server?.publish(topic, text, false);
  const rights = createBarrier();
  const views = createViews(judge, publish, (live) => {
    for (const name of [live.view.collection.name, ...live.view.dependencies.keys()]) feed.watching(name);
    related.follow(live);
  });
  const related = createRelated({
    judge,
    views,
    settled: rights.settled,
    isTold: () => feed.status().connected,
  });
  const sockets = createSockets({
    perUser: config.REALTIME_SOCKETS_PER_USER,
    perAddress: config.REALTIME_SOCKETS_PER_ADDRESS,
  });
  const following = followFeed({
    feed,
    judge,
    views,
    related,
    settled: rights.settled,
    logger,
    resyncAll: (reason) => publish(everyone, encodeFrame({ type: "resync", subscription: null, reason })),
  });
  const stopSnapshots = parts.onSnapshotChange(() => {
    following.restart();
    for (const connection of sockets.all()) connection.renew();
  });
  const liveViews = createLiveViews({
    publish,
    judge: judge.judge,
    settled: rights.settled,
    tell: (error) => logger.warn("realtime: a query failed", { error }),
    watching: feed.watching,
  });
  const stopLive = followLive(feed, liveViews);
  const queries = createLiveQueries({
    door: parts.queries,
    views: liveViews,
    requireFeed: () => requireFeed(feed),
  });
  const subscriptions = createSubscriptions({
    views,
    requireFeed: () => requireFeed(feed),
    endOther: queries.end,
  });
  // A feed that is gone for good tells of nothing, not of its end either.
  const offCheck = setInterval(() => {
    const error = offError(feed);
    if (error && subscriptions.count() > 0) subscriptions.endAll(error);
  }, limits.offCheck);
  offCheck.unref();
  const silence = config.REALTIME_SILENCE * 1000;
  let beaten = performance.now();
  const beat = (): void => {
    const since = performance.now() - beaten;
    beaten = performance.now();
    // This process itself was held up: signs of life wait to be read.
    if (since > silence / 2) return;
    for (const connection of sockets.all()) connection.beat(silence);
  };
  const heart = setInterval(beat, silence / beats);
  heart.unref();
  const cluster = parts.bus ? createCluster(parts.bus) : aloneCluster();
  const together = createTogether({ cluster, sockets, publish, parts });
  const connectionParts: ConnectionParts = {
    capabilities: joinCapabilities([subscriptions, queries, ...together.capabilities], capabilityTypes),
    proveToken: authenticator.proveToken,
    admit: sockets.admit,
    release: sockets.release,
    rechecks: () => rechecks,
    now,
    patience: parts.patience ?? limits.authentication,
  };

  const connect = (request: Request, host: Server<Connection>): Connection => {
    server = host;
    const credential = findCredential(request);
    // A browser sends cookies for any page; the page must then be one of ours. A bearer token proves itself.
    const usable = credential?.from !== "cookie" || origins.mayUseCookies(request);
    const token = usable ? (credential?.token ?? null) : null;
    return new Connection(connectionParts, parts.clientAddress(request, host), token);
  };

  const status = (): Status => {
    const { source, connected, reason, slot = null, blind = [] } = feed.status();
    const live = [...parts.snapshot().schema.collections.values()].filter(({ realtime }) => realtime);
    return {
      initialized: true,
      connected,
      walAvailable: source === "log",
      // Each instance reads a slot of its own.
      isWalLeader: source === "log" && connected,
      source,
      reason,
      blind,
      publicationName: feed.publication,
      slotName: slot,
      enabledCollections: live.map(stateOf),
      sockets: sockets.count(),
      subscriptions: subscriptions.count(),
      views: [...views.all()].length,
      queries: { watched: queries.count(), run: liveViews.count() },
      rooms: together.face.getStats().rooms,
      instances: together.face.getStats().instances,
    };
  };

  const recheck = async (connections: readonly Connection[]): Promise<void> => {
    rechecks++;
    for (let from = 0; from < connections.length; from += atOnce) {
      const some = connections.slice(from, from + atOnce);
      // oxlint-disable-next-line no-await-in-loop -- thousands at once would keep everybody else from the database
      await Promise.all(some.map((connection) => connection.recheck()));
    }
  };

  return {
    routes: realtimeRoutes({
      identity: parts.identity,
      connect,
      status,
      settings: parts.settings,
      snapshot: { ...parts.schemas, current: parts.snapshot },
      retry: feed.retry,
    }),
    websocket,
    recheck: (who) => recheck(sockets.of(who)),
    recheckAll: () => recheck(sockets.all()),
    await: rights.await,
    face: together.face,
    close: async () => {
      stopSnapshots();
      clearInterval(heart);
      clearInterval(offCheck);
      together.stop();
      following.stop();
      stopLive();
      liveViews.close();
      sockets.close();
      await cluster.close();
    },
  };
}

/** How many sockets are asked at once who they are. */
const atOnce = 100;

/** How often sockets are looked at within the time in which they must give a sign of life. */
const beats = 8;

const websocket: WebSocketHandler<Connection> = {
  maxPayloadLength: limits.message,
  backpressureLimit: limits.sendBuffer,
  // A message that is dropped for one slow reader would be lost in silence; a closed socket comes back and reads again.
  closeOnBackpressureLimit: true,
  idleTimeout: limits.idle,
  sendPings: false,
  perMessageDeflate: false,
  open: (socket) => socket.data.open(socket),
  message: (socket, message) => socket.data.message(socket, message),
  pong: (socket) => socket.data.heard(),
  close: (socket) => socket.data.close(),
};

function requireFeed(feed: ChangeFeed): void {
  const error = offError(feed);
  if (error) throw error;
}

/** Why there are no changes to be had at all; null: there are, or will be again by themselves. */
function offError(feed: ChangeFeed): AppError | null {
  const { source, reason } = feed.status();
  if (source !== "off") return null;
  return new AppError(
    "UNAVAILABLE",
    `Changes are not to be had on this database: ${reason ?? "the log is off"}`,
  );
}
