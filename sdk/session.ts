/**
 * The signed-in user and the life of the tokens: kept in a storage, renewed once for all who wait, and gone
 * at sign-out. It knows no HTTP: how to renew, and the time, are handed in.
 */
import type { AuthMode, LoginResult, RefreshResult, Tenant } from "@baasix/types";
import { BaasixError } from "./error";
import { tell } from "./listeners";
import { type StorageAdapter, storageKeys } from "./storage";
import { type Kept, nothing, readKept, type SessionUser, writeKept } from "./storage/kept";

/**
 * What happened. `INITIALIZED`: the storage was read. `TENANT_SWITCHED`: the same user, in another organisation. `user` is who
 * is signed in afterwards.
 */
export type AuthEvent =
  "INITIALIZED" | "SIGNED_IN" | "SIGNED_OUT" | "TOKEN_REFRESHED" | "TENANT_SWITCHED" | "USER_UPDATED";
export type AuthListener = (event: AuthEvent, user: SessionUser | null) => void;

/** Who is signed in, as far as this side knows. A new object at each change. */
export type AuthState = {
  readonly user: SessionUser | null;
  /** The organisation in which the session acts, null outside of any. */
  readonly tenant: Tenant | null;
  readonly isAuthenticated: boolean;
  /** True until the storage was read. */
  readonly isLoading: boolean;
  /** Why the last session ended without a sign-out, null otherwise. */
  readonly error: BaasixError | null;
  /**
   * Differs for whoever may see different data: the user's id (with the tenant's, in one), a name for a bare token, null
   * when anonymous.
   */
  readonly identity: string | null;
};

/**
 * A token to send, and the session it belongs to. In `cookie` mode the token is null: the browser sends it, and the server is
 * told whose it is `expected` to be: an identity, `-` for nobody, null when that is not known.
 */
export type Credential = {
  readonly token: string | null;
  readonly expected: string | null;
  readonly epoch: number;
  readonly generation: number;
};

/** Tokens after a renewal: null in `cookie` mode. `expiresIn` in seconds, `expiresAt` in ms since 1970. */
export type Tokens = Omit<Kept, "user" | "tenant"> & { readonly expiresIn: number };

/** What a sign-in answers. */
export type SignIn = RefreshResult & { readonly user: SessionUser; readonly tenant?: Tenant | null };

/** Who is signed in, and where. */
export type SessionSeed = { readonly user: SessionUser; readonly tenant: Tenant | null };

/** What a session needs. `clock` answers ms since 1970. `refresh` rejects with BaasixError. */
export type SessionOptions = {
  readonly mode: AuthMode;
  readonly storage: StorageAdapter;
  readonly token?: string;
  /** In `cookie` mode: who is signed in, as a server that rendered the page was told. */
  readonly seed?: SessionSeed | null;
  /** Asks the server for the user, when what is known is in doubt. */
  readonly confirm?: () => Promise<unknown>;
  readonly autoRefresh: boolean;
  readonly clock: () => number;
  readonly refresh: (refreshToken: string | null) => Promise<RefreshResult>;
};

/**
 * Whether a token should be renewed before its next use: a minute before its end, or a quarter of its
 * `lifetime` (ms, null when unknown) if that is shorter.
 */
export function refreshDue(expiresAt: number | null, lifetime: number | null, now: number): boolean {
  return expiresAt !== null && now >= expiresAt - Math.min(60_000, (lifetime ?? Infinity) / 4);
}

/** The session of one client; see its methods. */
export type Session = ReturnType<typeof createSession>;

/** Makes the session of one client. */
export function createSession(options: SessionOptions) {
  const { mode, storage, clock } = options;
  const seed = mode === "cookie" && options.seed;
  let kept: Kept = { ...nothing, token: options.token ?? null };
  if (seed) kept = { ...nothing, user: seed.user, tenant: seed.tenant };
  let lifetime: number | null = null;
  // The epoch tells one sign-in from the next, the generation one token from the next.
  let epoch = 0;
  let generation = 0;
  let cookieRefused = false;
  let error: BaasixError | null = null;
  let loading: Promise<void> | null = null;
  let loaded = Boolean(seed);
  // What other pages have kept counts for less than a seed, until the server has said who is right.
  let doubtful = false;
  let writing: Promise<void> = Promise.resolve();
  let renewal: { readonly epoch: number; readonly done: Promise<boolean> } | null = null;
  const initial = describe();
  let state = initial;
  let unwatch: (() => void) | undefined;
  let busy: Promise<unknown> | null = null;
  const listeners = new Set<AuthListener>();

  const signedIn = () => (mode === "jwt" ? kept.token !== null : kept.user !== null);
  const current = (): Credential => ({
    token: kept.token,
    // Without a storage that pages share nobody has kept who signed in: that is a server, which was sent the cookie.
    expected: mode === "jwt" ? null : kept.user ? state.identity : unwatch ? "-" : null,
    epoch,
    generation,
  });
  const canRenew = () => (mode === "jwt" ? kept.refreshToken !== null : !cookieRefused);

  function describe(): AuthState {
    const { user, tenant, token } = kept;
    const name = user?.id ?? (token === null ? null : `token:${epoch}`);
    const identity = tenant ? `${name}@${tenant.id}` : name;
    return {
      user,
      tenant,
      isAuthenticated: (mode === "jwt" ? token : user) !== null,
      isLoading: !loaded,
      error,
      identity,
    };
  }

  function announce(event: AuthEvent): void {
    state = describe();
    for (const listener of listeners) tell(listener, event, state.user);
  }

  function replace(next: Kept, event: AuthEvent, why: BaasixError | null = null): Promise<void> {
    epoch += 1;
    generation += 1;
    kept = next;
    error = why;
    doubtful = false;
    announce(event);
    return save();
  }

  function save(): Promise<void> {
    const snapshot = kept;
    writing = writing.then(() => writeKept(storage, snapshot)).catch(() => undefined);
    return writing;
  }

  async function read(): Promise<void> {
    const before = epoch;
    const stored = options.token === undefined ? await readKept(storage, mode) : kept;
    loaded = true;
    if (options.token === undefined) unwatch = storage.watch?.(storageKeys.change, () => void adopt());
    if (epoch === before) {
      const same = stored.user?.id === kept.user?.id && stored.tenant?.id === kept.tenant?.id;
      if (!seed || same) kept = stored;
      else doubtful = unwatch !== undefined;
    }
    announce("INITIALIZED");
    if (doubtful) void options.confirm?.();
  }

  function load(): Promise<void> {
    return (loading ??= read());
  }

  /** Takes over what another page of the same storage has put there. */
  async function adopt(): Promise<void> {
    await writing;
    if (doubtful) return;
    const before = kept;
    const stored = await readKept(storage, mode);
    if (kept !== before || JSON.stringify(stored) === JSON.stringify(kept)) return;
    const sameUser = stored.user !== null && stored.user.id === kept.user?.id;
    const sameTenant = stored.tenant?.id === kept.tenant?.id;
    const renewed = stored.token !== kept.token || stored.expiresAt !== kept.expiresAt;
    if (!sameUser || !sameTenant) epoch += 1;
    if (renewed) generation += 1;
    const wasSignedIn = signedIn();
    kept = stored;
    error = null;
    cookieRefused = false;
    if (!signedIn()) announce(wasSignedIn ? "SIGNED_OUT" : "USER_UPDATED");
    else if (!sameUser) announce("SIGNED_IN");
    else if (!sameTenant) announce("TENANT_SWITCHED");
    else announce(renewed ? "TOKEN_REFRESHED" : "USER_UPDATED");
  }

  /** Whether another page has renewed the session since. @throws BaasixError SESSION_CHANGED when it is another */
  async function renewedElsewhere(started: Credential): Promise<boolean> {
    await adopt();
    ensureSame(started.epoch);
    return generation !== started.generation;
  }

  /** Runs `work` while nobody else renews or replaces the session, here or on another page. */
  function exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    if (storage.exclusive) return storage.exclusive("refresh", work);
    const mine = busy ? busy.then(work, work) : work();
    busy = mine;
    const clear = () => {
      if (busy === mine) busy = null;
    };
    mine.then(clear, clear);
    return mine;
  }

  function ensureSame(started: number): void {
    if (epoch === started) return;
    throw new BaasixError("The user signed out or changed while the request ran", {
      status: 0,
      code: "SESSION_CHANGED",
    });
  }

  /** True when there is a newer token, false when the server refused to renew: the session has then ended. */
  async function renewNow(started: Credential): Promise<boolean> {
    // To use a refresh token that another page has used already would end the session.
    ensureSame(started.epoch);
    if (unwatch && (await renewedElsewhere(started))) return true;
    let result: RefreshResult;
    try {
      result = await options.refresh(kept.refreshToken);
    } catch (thrown) {
      ensureSame(started.epoch);
      if (!(thrown instanceof BaasixError) || ![400, 401, 403].includes(thrown.status)) throw thrown;
      // Pages hear of one another late: what was refused may be the session that another has left behind.
      if (unwatch && (await renewedElsewhere(started))) return true;
      cookieRefused = true;
      if (signedIn()) await replace(nothing, "SIGNED_OUT", thrown);
      return false;
    }
    // Whoever signed out on another page meanwhile is not brought back.
    if (unwatch) await adopt();
    ensureSame(started.epoch);
    kept = { ...kept, ...tokens(result, kept.refreshToken) };
    generation += 1;
    announce("TOKEN_REFRESHED");
    await save();
    return true;
  }

  function shareRenewal(started: Credential): Promise<boolean> {
    if (renewal?.epoch === started.epoch) return renewal.done;
    const done = exclusive(() => renewNow(started));
    const mine = { epoch: started.epoch, done };
    renewal = mine;
    const clear = () => {
      if (renewal === mine) renewal = null;
    };
    done.then(clear, clear);
    return done;
  }

  /** After the server refused `used`: a newer credential, or null when there is none to be had. */
  async function renew(used: Credential): Promise<Credential | null> {
    ensureSame(used.epoch);
    if (generation !== used.generation) return current();
    if (!options.autoRefresh || !canRenew()) return null;
    if (!(await shareRenewal(used))) return null;
    ensureSame(used.epoch);
    return current();
  }

  function tokens(result: RefreshResult, previous: string | null): Omit<Kept, "user" | "tenant"> {
    lifetime = result.expiresIn * 1000;
    const expiresAt = clock() + lifetime;
    if (mode === "cookie") return { token: null, refreshToken: null, expiresAt };
    return { token: result.token, refreshToken: result.refreshToken ?? previous, expiresAt };
  }

  function begin({ user, tenant = null, ...result }: SignIn, switched = false): Promise<void> {
    cookieRefused = false;
    const other = kept.user?.id === user.id && kept.tenant?.id !== tenant?.id;
    const event = switched || other ? "TENANT_SWITCHED" : "SIGNED_IN";
    return replace({ ...tokens(result, null), user, tenant }, event);
  }

  return {
    /** Reads the storage, once. */
    load,
    /** Who is signed in, now. */
    state: () => state,
    /** What was known when it was made. */
    initial,
    /** Calls `listener` at each change, and returns how to stop. */
    listen(listener: AuthListener): () => void {
      listeners.add(listener);
      void load();
      return () => listeners.delete(listener);
    },
    /**
     * The token for a request, renewed first when its end is near.
     * @throws BaasixError UNAUTHORIZED when the session has ended, or why an ended token could not be renewed.
     */
    async credential(): Promise<Credential> {
      await load();
      if (mode === "cookie" && unwatch) {
        // The browser sends the cookie of whoever signed in last on any page: that must be who this page thinks it is.
        const started = epoch;
        await adopt();
        ensureSame(started);
      }
      const now = current();
      if (!options.autoRefresh || !canRenew() || !refreshDue(kept.expiresAt, lifetime, clock())) return now;
      try {
        const renewed = await renew(now);
        if (renewed) return renewed;
      } catch (thrown) {
        ensureSame(now.epoch);
        if (kept.expiresAt === null || kept.expiresAt <= clock()) throw thrown;
        return now;
      }
      throw new BaasixError("The session has ended: sign in again", { status: 401, code: "UNAUTHORIZED" });
    },
    renew,
    /** Asks the server who is signed in. */
    confirm: async () => options.confirm?.(),
    /** Renews at once, whatever the token's age. @throws BaasixError when it cannot be done. */
    async refresh(): Promise<Tokens> {
      await load();
      if (!canRenew()) {
        throw new BaasixError("There is no refresh token", { status: 401, code: "NO_REFRESH_TOKEN" });
      }
      if (await shareRenewal(current())) {
        const { token, refreshToken, expiresAt } = kept;
        return { token, refreshToken, expiresAt, expiresIn: Math.round(((expiresAt ?? 0) - clock()) / 1000) };
      }
      throw error ?? new BaasixError("The session has ended", { status: 401, code: "UNAUTHORIZED" });
    },
    /** Starts the session of a user who signed in. */
    begin,
    /**
     * Goes on with the session that `work` gets in place of this one; `switched`: for another organisation. Nobody renews
     * meanwhile, or the one that is left behind would seem to have been stolen.
     * @throws BaasixError SESSION_CHANGED
     */
    swap<Result>(work: () => Promise<Result>, switched: boolean): Promise<Result> {
      const started = epoch;
      return exclusive(async () => {
        ensureSame(started);
        const result = await work();
        if (unwatch) await adopt();
        ensureSame(started);
        const { mfaRequired } = result as LoginResult;
        // A second factor is asked for in place of a session, and this one has ended for that.
        await (mfaRequired ? replace(nothing, "SIGNED_OUT") : begin(result as unknown as SignIn, switched));
        return result;
      });
    },
    /** Uses a token that came from elsewhere, or none. */
    setToken(token: string | null): Promise<void> {
      cookieRefused = false;
      return replace({ ...nothing, token }, token === null ? "SIGNED_OUT" : "SIGNED_IN");
    },
    /** Keeps what the server says of the user, if the session is still the one that was asked for. */
    async setUser(user: SessionUser, tenant: Tenant | null, asked: Credential): Promise<void> {
      if (epoch !== asked.epoch) return;
      const next = { ...kept, user, tenant };
      if (kept.user && kept.user.id !== user.id) return replace(next, "SIGNED_IN");
      if (kept.user && kept.tenant?.id !== tenant?.id) return replace(next, "TENANT_SWITCHED");
      const known = JSON.stringify([user, tenant]) === JSON.stringify([kept.user, kept.tenant]);
      const wasSignedIn = signedIn();
      kept = next;
      if (!known) announce(wasSignedIn ? "USER_UPDATED" : "SIGNED_IN");
      if (known && !doubtful) return;
      doubtful = false;
      await save();
    },
    /** Forgets the user and the tokens, and answers the token and refresh token that were in use. */
    end(): {
      readonly token: string | null;
      readonly refreshToken: string | null;
      readonly saved: Promise<void>;
    } {
      const { token, refreshToken } = kept;
      return { token, refreshToken, saved: replace(nothing, "SIGNED_OUT") };
    },
    current,
    /** Stops listening to other pages. */
    close: () => unwatch?.(),
  };
}
