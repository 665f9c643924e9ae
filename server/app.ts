/** Wiring: every part is built once, handed to those that need it, and its routes are mounted. */
import { join } from "node:path";
import { Elysia } from "elysia";
import { type Config, ConfigError, tenantsOf } from "./config";
import type { Actor } from "./core/access/actor";
import { rightsCollections } from "./core/access/policy";
import { builtInDrafts } from "./core/schema/define";
import {
  createCounters,
  createData,
  createJudge,
  createLiveQueries,
  createTotals,
  openSnapshot,
  type SnapshotStore,
  tellMissing,
} from "./data";
import { removeOldEntries } from "./features/audit";
import {
  authRoutes,
  type CheckPassword,
  createAuthenticator,
  createAuthParts,
  createErrands,
  createFactorSeal,
  createPasswordPolicy,
  createPasswords,
  createTokens,
  deriveKey,
  ensureFirstAdmin,
  joinAccountWrites,
  loadSecret,
  removeExpiredChallenges,
  removeExpiredOneTimes,
  removeExpiredSessions,
  sealFactorsAnew,
  type Secret,
  sweepInvites,
  tellMoved,
} from "./features/auth";
import { filesRoutes, removeAbandonedBytes } from "./features/files";
import { healthRoutes } from "./features/health";
import { createIdempotency, markOfRights, removeExpiredKeys } from "./features/idempotency";
import { importsRoutes } from "./features/imports";
import { itemsRoutes } from "./features/items";
import { createMail } from "./features/mail";
import {
  createNotifications,
  joinNotificationWrites,
  notificationRoutes,
  type NotificationsFace,
} from "./features/notifications";
import { createProtocol, oauthRoutes } from "./features/oauth";
import { openApiRoutes } from "./features/openapi";
import { createExplain, permissionsRoutes, protectRights } from "./features/permissions";
import { createRealtime, type RealtimeFace } from "./features/realtime";
import { schemasRoutes } from "./features/schemas";
import { checkSettings } from "./features/settings";
import { sortRoutes } from "./features/sort";
import { transactionRoutes } from "./features/transactions";
import {
  createClientAddress,
  createLogger,
  createOrigins,
  errorAnswer,
  identity as identityOf,
  type Logger,
  nextRequestId,
  requestFacts,
  settleFacts,
  shell,
  toAppError,
} from "./http";
import { version } from "./package.json";
import { openBus, postgresTransport, redisTransport } from "./platform/bus";
import { createOutbound } from "./platform/http";
import { createImages } from "./platform/images";
import type { Mailer, SendMail } from "./platform/mail";
import { type DatabaseAddress, openDatabase, openFeed, readLogSettings } from "./platform/postgres";
import { openLocalStorage, openSpool } from "./platform/storage";
import { followChanges } from "./follow";
import { providersOf } from "./oauth";
import { brandingIn, mailerOf, senderOf } from "./mail";

/**
 * `now`: how the app is told about time (milliseconds since 1970); tests hand in a clock of their own. `sendMail`: an
 * embedding application's way to send mails, in place of SMTP; `checkPassword`: what it asks of new passwords beyond the
 * policy.
 */
export type AppOptions = {
  readonly now?: () => number;
  readonly sendMail?: SendMail;
  readonly checkPassword?: CheckPassword;
  /** Called before the server listens, to register validators of rooms, handlers of messages and topics. */
  readonly realtime?: (realtime: RealtimeFace) => void;
  /** Called before the server listens, with what sends notifications. */
  readonly notifications?: (notifications: NotificationsFace) => void;
};

/** The built server, ready to listen. */
export type App = Awaited<ReturnType<typeof createApp>>;

/** How often what has expired is removed, and how long after the start for the first time, in ms. */
const sweepInterval = 3_600_000;
const firstSweepAfter = 60_000;

/**
 * Builds the server on a database: tables, rules, routes; nothing listens yet.
 * @throws StartError or AppError with one clear line.
 */
export async function createApp(
  config: Config,
  address: DatabaseAddress,
  {
    now = Date.now,
    sendMail,
    checkPassword,
    realtime: extendRealtime,
    notifications: extendNotifications,
  }: AppOptions = {},
) {
  const logger = createLogger(config);
  // Before anything is opened that would have to be closed again.
  const mailer = mailerOf(config, { sendMail, log: (text) => logger.info(text) });
  const needsMail = (["REQUIRE_EMAIL_VERIFICATION", "SEND_WELCOME_EMAIL"] as const).find(
    (key) => config[key],
  );
  if (mailer === null && needsMail)
    throw new ConfigError(`SMTP_HOST: is needed beside ${needsMail}: there is no way to send mails`);
  // Closes what was opened, the newest first: when a later part fails to open, and when the app ends.
  await using opened = new AsyncDisposableStack();
  const opening = openDatabase(address, {
    shortPool: config.DATABASE_POOL_MAX,
    slowPool: config.DATABASE_SLOW_POOL_MAX,
    onError: (error) =>
      error === null
        ? logger.info("database is back")
        : logger.warn("database is lost", { error: error.message }),
  });
  // Work that waits for nothing, while the database answers.
  builtInDrafts();
  const database = await opening;
  opened.defer(() => database.close());
  const snapshot = await openSnapshot(database, { tenants: tenantsOf(config) });
  for (const line of tellMissing(snapshot.current().schema.extensions)) logger.warn(line);
  tellProblems(snapshot, logger);
  tellUnknownRoles(config.SESSION_LIMIT_ROLES, snapshot, logger);
  tellUnknownTables(config.TENANT_IGNORED_TABLES, snapshot, logger);
  tellFounders(config, snapshot, logger);
  const feed = openFeed(address, {
    publication: "baasix_realtime",
    onError: (error) => logger.warn("change feed", { error: error.message }),
  });
  opened.defer(() => feed.close());
  const totals = createTotals({
    schema: () => snapshot.current().schema,
    live: () => feed.status().source === "log" && feed.status().connected,
  });
  const data = createData({
    database,
    snapshot: snapshot.current,
    reloadSchema: snapshot.reloadSchema,
    now,
    totals,
  });
  data.beforeWrite((write) => protectRights(write, snapshot.current().rules));
  data.beforeWrite(checkSettings);
  data.onWrite(({ collection }) => (rightsCollections.has(collection) ? snapshot.reloadRules() : undefined));

  const secret = await loadSecret(config);
  const tokens = createTokens({ secret, config, clock: now });
  const authenticator = createAuthenticator({
    data,
    tokens,
    config,
    clock: now,
    feedLive: () => feed.status().connected,
    onFault: (error) => logger.warn("the use of an API token could not be noted", { error: error.message }),
  });
  const identity = identityOf(authenticator.authenticate);
  const clientAddress = createClientAddress(config);
  const storage = await openLocalStorage(join(config.BAASIX_DIR, "files"));
  const spool = await openSpool(join(config.BAASIX_DIR, "imports"));
  const images = createImages({ libraryFolder: join(config.BAASIX_DIR, "native") });
  const { once } = createIdempotency({
    hashKey: deriveKey(secret, "idempotency"),
    data,
    now,
    rights: (actor) => markOfRights(snapshot.current().rules, actor),
    limit: config.IDEMPOTENCY_KEY_LIMIT,
  });
  const keepsDeleted = (collection: string): boolean =>
    snapshot.current().schema.collections.get(collection)?.paranoid === true;
  const explain = createExplain({ data, rules: () => snapshot.current().rules });
  const bus = openBus(
    config.REDIS_URL
      ? redisTransport(config.REDIS_URL, `baasix:${Buffer.from(deriveKey(secret, "bus")).toString("hex")}`)
      : postgresTransport(address),
    {
      keys: [secret, ...(secret.previous ?? [])].map((one) => deriveKey(one, "words between instances")),
      beat: config.INSTANCE_BEAT * 1000,
      onError: (error) => logger.warn("bus between instances", { error: error.message }),
    },
  );
  opened.defer(() => bus.close());
  const realtime = createRealtime({
    bus,
    judge: createJudge({ database, snapshot: snapshot.current, now }),
    queries: createLiveQueries({ database, snapshot: snapshot.current, now }),
    data,
    snapshot: snapshot.current,
    onSnapshotChange: snapshot.onChange,
    schemas: snapshot,
    settings: () =>
      readLogSettings(database, {
        publication: feed.publication,
        isReading: feed.status().source === "log" && feed.status().connected,
      }),
    feed,
    authenticator,
    identity,
    clientAddress,
    config,
    logger,
    now,
  });
  opened.defer(() => realtime.close());
  extendRealtime?.(realtime.face);
  joinNotificationWrites(data, now);
  const notifications = createNotifications({ data, snapshot: snapshot.current });
  extendNotifications?.(notifications);
  opened.defer(followChanges({ data, feed, snapshot, authenticator, realtime, logger, totals }));
  const sealKey = (one: Secret): Uint8Array => deriveKey(one, "mail outbox");
  const mail = createMail({
    data,
    mailer,
    from: senderOf(config),
    keys: [sealKey(secret), ...(secret.previous ?? []).map(sealKey)],
    branding: (tenant) => brandingIn(data, config, tenant),
    logger,
    now,
  });
  opened.defer(() => mail.close());
  tellMail(mailer, logger);
  const policy = createPasswordPolicy(config, checkPassword);
  const passwords = createPasswords({ policy });
  const errands = createErrands({ logger });
  const factorKey = (one: Secret): Uint8Array => deriveKey(one, "second factors");
  const factorSeal = createFactorSeal([factorKey(secret), ...(secret.previous ?? []).map(factorKey)]);
  opened.defer(() => errands.idle());
  const hasAdministrator = await ensureFirstAdmin(data, config, policy);

  let accepting = true;
  const sweep = async (): Promise<void> => {
    for (const [what, remove] of [
      ["session sweep", () => removeExpiredSessions(data, now())],
      ["one-time token sweep", () => removeExpiredOneTimes(data, now())],
      ["invitation sweep", () => sweepInvites(data, now())],
      ["second step sweep", () => removeExpiredChallenges(data, now())],
      ["sealing of second factors", () => sealFactorsAnew(data, factorSeal)],
      ["sweep of uploads", () => removeAbandonedBytes(data, storage, now())],
      ["idempotency key sweep", () => removeExpiredKeys(data, now())],
      ["audit log sweep", () => removeOldEntries(data, now(), config.AUDIT_RETENTION_DAYS)],
      ["mail log sweep", () => mail.removeOld(config.EMAIL_LOG_RETENTION_DAYS)],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other, to leave the pool to requests
      await remove().catch((error: Error) => logger.warn(what, { error: error.message }));
    }
  };
  // Servers that restart often sweep, too.
  const firstSweep = setTimeout(() => void sweep(), firstSweepAfter);
  const sweeps = setInterval(() => void sweep(), sweepInterval);
  firstSweep.unref();
  sweeps.unref();
  opened.defer(() => {
    clearTimeout(firstSweep);
    clearInterval(sweeps);
  });

  const auth = createAuthParts({
    data,
    identity,
    authenticator,
    tokens,
    passwords,
    errands,
    mail,
    codeKey: deriveKey(secret, "one-time codes"),
    factorSeal,
    config,
    clock: now,
    logger,
  });
  joinAccountWrites(data, {
    passwords,
    config,
    clock: now,
    onMoved: (rows, actor, moved) => tellMoved(auth, rows, actor, moved),
  });
  const local = config.NODE_ENV !== "production";
  const protocol = createProtocol({
    fetch: createOutbound({ loopback: local, privateHosts: config.OUTBOUND_PRIVATE_HOSTS }),
    clock: now,
    insecure: local,
    logger,
  });

  const routes: Elysia = new Elysia({ name: "baasix", normalize: false });
  const server = () => routes.server;
  routes
    .use(shell({ config, logger, origins: createOrigins(config), clientAddress, server, clock: now }))
    .use(
      healthRoutes({
        version,
        accepting: () => accepting,
        parts: () => ({
          database: { state: database.healthy() ? "up" : "down", required: true },
          realtime: { state: feedState(feed.status()), required: false },
        }),
      }),
    )
    .use(
      importsRoutes({
        data,
        identity,
        once,
        countOn: createCounters({ database, snapshot: snapshot.current }),
        schema: () => snapshot.current().schema,
        spool,
        maxBytes: config.IMPORT_LIMIT * 1024 * 1024,
        // The others are for exports and schema changes, which wait in the same pool.
        connections: Math.max(1, config.DATABASE_SLOW_POOL_MAX >> 1),
      }),
    )
    .use(
      itemsRoutes({ data, identity, once, keepsDeleted, explain, schema: () => snapshot.current().schema }),
    )
    .use(transactionRoutes({ identity, once, keepsDeleted, schema: () => snapshot.current().schema }))
    .use(sortRoutes({ identity, once }))
    .use(authRoutes(auth))
    .use(oauthRoutes({ auth, protocol, providers: providersOf(config), config }))
    .use(
      permissionsRoutes({
        data,
        identity,
        snapshot: snapshot.current,
        reload: snapshot.reloadRules,
        now,
      }),
    )
    .use(schemasRoutes({ snapshot, data, identity, config, now }))
    .use(notificationRoutes({ data, identity, once, snapshot: snapshot.current, now }))
    .use(filesRoutes({ data, identity, storage, images, config }))
    .use(realtime.routes)
    .use(openApiRoutes({ identity, snapshot: snapshot.current, version, app: () => routes }));

  const closing = opened.move();
  return {
    routes,
    data,
    snapshot,
    database,
    feed,
    realtime,
    notifications,
    mail,
    /** Work of `/auth` that is done after its answers. */
    errands,
    logger,
    hasAdministrator,
    actorOf: async (request: Request, address: string): Promise<Actor> => {
      settleFacts(request, { id: requestFacts(request).id, client: address });
      return authenticator.authenticate(request);
    },
    errorAnswer: (error: unknown): Response => {
      const requestId = nextRequestId();
      const { code, cause } = toAppError(error);
      if (code === "INTERNAL_ERROR")
        logger.error("a route of the application", { requestId, error: String(cause) });
      return errorAnswer(error, requestId);
    },
    /** From now on `/health` answers that the server takes no more requests. */
    refuse: () => {
      accepting = false;
    },
    /** Ends everything that `createApp` began, in order. Call after the listener has stopped. */
    close: () => closing.disposeAsync(),
  };
}

/** Permissions that cannot be understood give nothing: whoever runs the server should hear of each, once. */
function tellProblems(snapshot: SnapshotStore, logger: Logger): void {
  let told: ReadonlySet<string> = new Set();
  const tell = (problems: readonly string[]): void => {
    for (const problem of problems) if (!told.has(problem)) logger.warn(problem);
    told = new Set(problems);
  };
  tell(snapshot.current().rules.problems);
  snapshot.onChange(({ rules }) => tell(rules.problems));
}

/** Says where mails go, and tries the way, so that a wrong password shows before somebody waits for a mail. */
function tellMail(mailer: Mailer | null, logger: Logger): void {
  logger.info(mailer ? `mails go to ${mailer.description}` : "mails are refused: there is no mail server");
  mailer?.verify().catch((error: Error) => logger.warn("mails cannot go yet", { error: error.message }));
}

/** A limit for a role that is not there holds nobody, which somebody may not have meant. */
function tellUnknownRoles(limited: readonly string[], snapshot: SnapshotStore, logger: Logger): void {
  const known = [...snapshot.current().rules.roles.values()].flatMap(({ role: { id, name } }) => [id, name]);
  for (const role of limited)
    if (!known.includes(role)) logger.warn(`SESSION_LIMIT_ROLES: there is no role '${role}'`);
}

/** Where the founder's role is missing, or none of tenants, nobody founds one: which somebody may not have meant. */
function tellFounders(
  { MULTI_TENANT, TENANT_OWNER_ROLE, DEFAULT_ROLE_REGISTERED }: Config,
  snapshot: SnapshotStore,
  logger: Logger,
): void {
  if (!MULTI_TENANT) return;
  const name = TENANT_OWNER_ROLE ?? DEFAULT_ROLE_REGISTERED;
  const held = [...snapshot.current().rules.roles.values()].find(({ role }) => role.name === name);
  if (!held) logger.warn(`TENANT_OWNER_ROLE: there is no role '${name}', so that nobody can found a tenant`);
  else if (held.role.isTenantSpecific === false)
    logger.warn(`TENANT_OWNER_ROLE: '${name}' is no role of tenants, so that nobody can found one`);
}

/** A collection that is not there may come; a name that was meant otherwise leaves one to the tenants. */
function tellUnknownTables(ignored: readonly string[], snapshot: SnapshotStore, logger: Logger): void {
  for (const name of ignored) {
    const known = snapshot.current().schema.collections.get(name);
    if (!known) logger.warn(`TENANT_IGNORED_TABLES: there is no collection '${name}'`);
    else if (known.system) logger.warn(`TENANT_IGNORED_TABLES: '${name}' is built in, and not ignored`);
  }
}

function feedState({ source, connected }: { source: string; connected: boolean }): "up" | "down" | "off" {
  if (source === "off") return "off";
  return connected ? "up" : "down";
}
