/** The client: everything built once and handed to those who need it. */
import type { AuthMode, GenericItem } from "@baasix/types";
import { createRoles, createUsers, type Roles, type Users } from "./accounts";
import { type Auth, createAuth, refreshCall } from "./auth";
import type { ItemsOf } from "./collections";
import { BaasixError } from "./error";
import { createFiles, type Files } from "./files";
import { createHttp, defaultTimeout, type Fetch, type Http, type Wire } from "./http";
import { createItems, type Items } from "./items";
import { createNotifications, type Notifications } from "./notifications";
import { createPermissions, type Permissions } from "./permissions";
import { createRealtime, type Realtime } from "./realtime";
import { createReports, type Reports } from "./reports";
import { createSchemas, type Schemas } from "./schemas";
import { createServer, type Server } from "./server";
import { type AuthListener, createSession, type Credential, type SessionSeed } from "./session";
import type { SocketLike } from "./socket";
import { LocalStorageAdapter, MemoryStorageAdapter, type StorageAdapter } from "./storage";
import { type ApiTokens, createApiTokens } from "./tokens";
import { createTransactions, type TransactionOf } from "./transactions";

/** How a client is made. Only `url` is needed. */
export type BaasixOptions = {
  /** Address of the server. */
  readonly url: string;
  /** `jwt` (default): tokens are kept in `storage`. `cookie`: the browser keeps them, out of reach of scripts. */
  readonly authMode?: AuthMode;
  /** Milliseconds until a request is given up; default 60,000, for files 600,000. */
  readonly timeout?: number;
  /** Whether tokens are renewed before they end; default true. */
  readonly autoRefresh?: boolean;
  /** Default: `localStorage` in browsers, else memory. */
  readonly storage?: StorageAdapter;
  /** A token that came from elsewhere; the storage is then not read. */
  readonly token?: string;
  /**
   * In `cookie` mode: what `auth.getSession` told a server that rendered the page. It is known from the first moment then who is
   * signed in; null counts as not known.
   */
  readonly session?: SessionSeed | null;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Used in place of the global `fetch`. */
  readonly fetch?: Fetch;
  /** Default `include` in `cookie` mode, else that of `fetch`. */
  readonly credentials?: RequestCredentials;
  /** Makes the connection of `realtime`; needed where there is no global WebSocket (Node 20). */
  readonly webSocket?: (url: string) => SocketLike;
  readonly onAuthStateChange?: AuthListener;
  /** Told of every failed request and refused subscription. */
  readonly onError?: (error: BaasixError) => void;
};

/** A client of one server, for one user at a time. */
export type Baasix<Collections extends object = Record<string, GenericItem>> = {
  readonly url: string;
  readonly auth: Auth;
  readonly items: ItemsOf<Collections>;
  /** Same as `items`. */
  readonly from: ItemsOf<Collections>;
  /** Same as `items`. */
  readonly collection: ItemsOf<Collections>;
  /** Writes to several collections, all of them or none. */
  readonly transaction: TransactionOf<Collections>;
  readonly files: Files;
  readonly schemas: Schemas;
  readonly roles: Roles;
  readonly users: Users;
  readonly tokens: ApiTokens;
  readonly permissions: Permissions;
  readonly notifications: Notifications;
  readonly reports: Reports<Collections>;
  readonly realtime: Realtime<Collections>;
  readonly server: Server;
  /** Any other route, with the user's token. @throws BaasixError */
  readonly request: Http;
  /** Changes the extra headers or the timeout of later requests. */
  configure(change: Partial<Pick<Wire, "headers" | "timeout">>): void;
  /** Closes the connection and stops listening to other pages. */
  close(): void;
};

/**
 * Makes a client. `Collections` maps names to item types, as `baasix generate` writes them.
 * @throws Error when the url is missing
 */
export function createBaasix<Collections extends object = Record<string, GenericItem>>(
  options: BaasixOptions,
): Baasix<Collections> {
  if (!options.url) throw new Error("Baasix SDK: url is required");
  const { authMode = "jwt", onError } = options;
  const url = options.url.replace(/\/+$/, "");
  const wire: Wire = {
    url,
    fetch: options.fetch ?? ((address, init) => fetch(address, init)),
    credentials: options.credentials ?? (authMode === "cookie" ? "include" : undefined),
    headers: options.headers ?? {},
    timeout: options.timeout ?? defaultTimeout,
  };
  const storage = options.storage ?? defaultStorage();
  const session = createSession({
    mode: authMode,
    storage,
    token: options.token,
    seed: options.session,
    confirm: () => auth.getUser().catch(() => undefined),
    autoRefresh: options.autoRefresh ?? true,
    clock: Date.now,
    refresh: refreshCall(wire, authMode),
  });
  const http = createHttp(wire, session, onError);

  let proven: Credential | null = null;
  async function proof(renew: boolean) {
    const credential = renew && proven ? await session.renew(proven) : await session.credential();
    if (credential === null) {
      throw new BaasixError("The session has ended: sign in again", { status: 401, code: "UNAUTHORIZED" });
    }
    proven = credential;
    // The browser's cookie opens the socket, and nothing tells it whose it must be.
    const cookie = authMode === "cookie" && session.state().isAuthenticated;
    if (cookie) await http({ path: "/auth/check" });
    return { token: credential.token, cookie };
  }
  const socketUrl = `${url.replace(/^http/, "ws")}/realtime`;
  const open = options.webSocket ?? openWebSocket;
  const realtime = createRealtime({ url: socketUrl, open, proof, random: Math.random }, onError);

  let { epoch } = session.current();
  session.listen(() => {
    if (session.current().epoch === epoch) return;
    epoch = session.current().epoch;
    realtime.changeIdentity();
  });
  if (options.onAuthStateChange) session.listen(options.onAuthStateChange);

  const auth = createAuth(wire, http, session, { authMode, storage });
  const byName = new Map<string, Items<object>>();
  const items = ((collection: string) => {
    const known = byName.get(collection) ?? createItems<object>(http, collection);
    byName.set(collection, known);
    return known;
  }) as ItemsOf<Collections>;

  return {
    url,
    auth,
    items,
    from: items,
    collection: items,
    transaction: createTransactions(http),
    files: createFiles(wire, http),
    schemas: createSchemas(http),
    roles: createRoles(http),
    users: createUsers(http),
    tokens: createApiTokens(http),
    permissions: createPermissions(http),
    notifications: createNotifications(http, realtime as Realtime<Collections>),
    reports: createReports((collection) => items<GenericItem>(collection)) as unknown as Reports<Collections>,
    realtime: realtime as Realtime<Collections>,
    server: createServer(wire),
    request: http,
    configure: (change) => void Object.assign(wire, change),
    close() {
      realtime.close();
      session.close();
    },
  };
}

function defaultStorage(): StorageAdapter {
  return typeof document === "undefined" ? new MemoryStorageAdapter() : new LocalStorageAdapter();
}

function openWebSocket(url: string): SocketLike {
  if (typeof WebSocket === "undefined") {
    throw new Error("There is no WebSocket here: give createBaasix({ webSocket: (url) => ... }) one");
  }
  return new WebSocket(url);
}
