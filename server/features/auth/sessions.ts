/** Sessions as rows of `baasix_Sessions`: opened at sign-in, carried on by refreshing, ended by deleting the row. */
import type { SessionInfo } from "@baasix/types";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, Rows } from "../../data";
import { endChallenges } from "./mfa/challenges";
import type { SessionType } from "./session-limits";
import { invalidToken, type Tokens } from "./tokens";

const collection = "baasix_Sessions";
const keeping = system("sessions are opened, carried on and ended by the auth feature");

/** Milliseconds within which the refresh token that was just replaced still gives its successor. */
const refreshGrace = 10_000;

/** Who opens a session, and from where. */
export type SessionStart = {
  readonly user: string;
  readonly type: SessionType;
  /** Where it acts; null: in no tenant. */
  readonly tenant: string | null;
  /** How many factors were proven, and when (ms since 1970). */
  readonly aal: 1 | 2;
  readonly authenticatedAt: number;
  readonly client: string;
  readonly userAgent: string | null;
};

/** An open session. `expiresAt` in ms since 1970. */
export type Session = {
  readonly id: string;
  readonly user: string;
  readonly tenant: string | null;
  readonly expiresAt: number;
  readonly refreshToken: string;
};

/** What a session was opened with that is handed on. `authenticatedAt` in ms since 1970; 0 for never. */
export type Predecessor = {
  readonly type: SessionType;
  readonly aal: 1 | 2;
  readonly authenticatedAt: number;
};

export type Sessions = {
  /** Opens a session under a new id. */
  readonly open: (rows: Rows, start: SessionStart) => Promise<Session>;
  /**
   * Replaces a refresh token. Of requests that bring the same one together, one replaces it and all get the same
   * successor; the same within the grace. Brought again later, it ends the session, since one of its two holders stole it.
   * @throws AppError UNAUTHORIZED
   */
  readonly rotate: (refreshToken: string) => Promise<Session>;
  /** When a session ends (ms since 1970); null when there is none. */
  readonly endOf: (session: string) => Promise<number | null>;
  /**
   * Refuses a session that has ended since its request came in. To be asked in a transaction that has locked the account, so
   * that nobody changes a way into it from a session that something else is ending at that moment.
   * @throws AppError UNAUTHORIZED
   */
  readonly requireOpen: (rows: Data, session: string) => Promise<void>;
  /** Ends a session; nothing happens when it has ended already. */
  readonly end: (session: string) => Promise<void>;
  /**
   * Ends a session that another one takes the place of, in the same transaction; gives what it was opened with.
   * @throws AppError UNAUTHORIZED when it has ended meanwhile
   */
  readonly endForSuccessor: (rows: Data, user: string, session: string) => Promise<Predecessor>;
  /** How many sessions of a type an account has open, in one tenant or in all; inside the transaction that opens another. */
  readonly count: (
    rows: Data,
    user: string,
    among: { readonly type: SessionType; readonly tenant?: string | null },
  ) => Promise<number>;
  /** The open sessions of an account, the one that was used last first, 1,000 at most. `current`: the asking one's id. */
  readonly list: (user: string, current: string | null) => Promise<readonly SessionInfo[]>;
  /** Ends a session of an account; false when it has no such session. */
  readonly endOne: (user: string, session: string) => Promise<boolean>;
  /**
   * Ends the sessions of an account, all or all but one, and its half-finished sign-ins; gives how many sessions. `rows`: the
   * transaction that it belongs to.
   */
  readonly endAll: (user: string, keep: string | null, rows?: Rows) => Promise<number>;
  /** Notes that a secret was proven now; gives the time (ms since 1970), null when the session has ended. */
  readonly proveAgain: (session: string) => Promise<number | null>;
};

export type SessionParts = {
  readonly data: Data;
  readonly tokens: Tokens;
  /** Seconds. */
  readonly config: { readonly REFRESH_TOKEN_EXPIRES_IN: number };
  readonly clock: () => number;
  /** Hears of a refresh token that came back after its grace. */
  readonly onReuse: (session: { readonly session: string; readonly user: string }) => void;
};

type SessionRow = {
  readonly id: string;
  readonly user_Id: string;
  readonly tenant_Id: string | null;
  readonly token: string;
  readonly previousToken: string | null;
  readonly rotatedAt: string | null;
  readonly expiresAt: string;
};

/** Makes the functions over sessions. */
export function createSessions({ data, tokens, config, clock, onReuse }: SessionParts): Sessions {
  const expiry = () => clock() + config.REFRESH_TOKEN_EXPIRES_IN * 1000;

  const openOf = (user: string) => ({
    AND: [{ user_Id: { eq: user } }, { expiresAt: { gt: new Date(clock()).toISOString() } }],
  });

  const find = async (id: string): Promise<SessionRow | null> => {
    const found = await data.find<SessionRow>(keeping, collection, {
      filter: { id: { eq: id } },
      fields: ["id", "user_Id", "tenant_Id", "token", "previousToken", "rotatedAt", "expiresAt"],
      limit: 1,
    });
    const session = found[0];
    return session && Date.parse(session.expiresAt) > clock() ? session : null;
  };

  /** Replaces the token in one statement that only the first of several can win. Null: it was not the first. */
  const replace = async (session: SessionRow, presented: string): Promise<Session | null> => {
    const refreshToken = tokens.nextRefresh(presented);
    const expiresAt = expiry();
    const now = new Date(clock()).toISOString();
    const won = await data.updateWhere(
      keeping,
      collection,
      { AND: [{ id: { eq: session.id } }, { token: { eq: session.token } }] },
      {
        token: tokens.hashRefresh(refreshToken),
        previousToken: session.token,
        rotatedAt: now,
        lastUsedAt: now,
        expiresAt: new Date(expiresAt).toISOString(),
      },
    );
    const { id, user_Id: user, tenant_Id: tenant } = session;
    return won.length === 0 ? null : { id, user, tenant, expiresAt, refreshToken };
  };

  return {
    open: async (rows, { user, type, tenant, aal, authenticatedAt, client, userAgent }) => {
      const id = crypto.randomUUID();
      const refreshToken = tokens.firstRefresh(id);
      const expiresAt = expiry();
      const now = new Date(clock()).toISOString();
      await rows.create(keeping, collection, [
        {
          id,
          user_Id: user,
          token: tokens.hashRefresh(refreshToken),
          expiresAt: new Date(expiresAt).toISOString(),
          type,
          tenant_Id: tenant,
          aal,
          authenticatedAt: new Date(authenticatedAt).toISOString(),
          lastUsedAt: now,
          ipAddress: client,
          userAgent: userAgent === null ? null : userAgent.toWellFormed().replaceAll("\0", "").slice(0, 500),
        },
      ]);
      return { id, user, tenant, expiresAt, refreshToken };
    },

    rotate: async (presented) => {
      const id = tokens.readRefresh(presented);
      if (id === null) throw invalidToken();
      const hash = tokens.hashRefresh(presented);
      const session = await find(id);
      if (session === null) throw invalidToken();
      if (session.token === hash) {
        const replaced = await replace(session, presented);
        if (replaced !== null) return replaced;
      }
      // Somebody was faster by moments or by weeks: the row as it is now tells which.
      const now = session.token === hash ? await find(id) : session;
      if (now === null) throw invalidToken();
      const age = clock() - Date.parse(now.rotatedAt ?? "");
      if (now.previousToken === hash && age <= refreshGrace) {
        // Another server may have replaced it, which has another secret since, or not yet.
        const refreshToken = tokens.successorOf(presented, now.token);
        if (refreshToken === null) throw invalidToken();
        const { user_Id: user, tenant_Id: tenant } = now;
        return { id, user, tenant, expiresAt: Date.parse(now.expiresAt), refreshToken };
      }
      await removeOne(data, id);
      onReuse({ session: id, user: now.user_Id });
      throw invalidToken();
    },

    endOf: async (id) => {
      const session = await find(id);
      return session === null ? null : Date.parse(session.expiresAt);
    },
    requireOpen: async (rows, id) => {
      const filter = { id: { eq: id } };
      const found = await rows.find(keeping, collection, { filter, fields: ["id"], limit: 1 });
      if (found.length === 0) throw invalidToken();
    },
    end: (id) => removeOne(data, id),

    endForSuccessor: async (rows, user, session) => {
      const filter = { AND: [{ id: { eq: session } }, openOf(user)] };
      const [row] = await rows.find<
        Omit<Predecessor, "authenticatedAt"> & { authenticatedAt: string | null }
      >(keeping, collection, { filter, fields: ["type", "aal", "authenticatedAt"], limit: 1 });
      const ended = await rows.removeWhere(keeping, collection, filter);
      if (!row || ended.length === 0) throw invalidToken();
      const { type, aal, authenticatedAt: at } = row;
      return { type, aal: aal === 2 ? 2 : 1, authenticatedAt: at === null ? 0 : Date.parse(at) };
    },

    count: async (rows, user, { type, tenant }) => {
      const place = tenant === null ? { isNull: true } : { eq: tenant };
      const there = tenant === undefined ? [] : [{ tenant_Id: place }];
      const filter = { AND: [openOf(user), { type: { eq: type } }, ...there] };
      const { totalCount } = await rows.read(keeping, collection, { filter, fields: ["id"], limit: 1 });
      // A number that cannot be told must not let anybody in.
      return totalCount ?? Infinity;
    },

    list: async (user, current) => {
      const found = await data.find<Omit<SessionInfo, "current">>(keeping, collection, {
        filter: openOf(user),
        fields: ["id", "type", "tenant_Id", "createdAt", "lastUsedAt", "expiresAt", "ipAddress", "userAgent"],
        sort: ["-lastUsedAt", "id"],
        limit: -1,
      });
      return found.map((session) => ({ ...session, current: session.id === current }));
    },

    endOne: async (user, session) => {
      const filter = { AND: [{ id: { eq: session } }, { user_Id: { eq: user } }] };
      return (await data.removeWhere(keeping, collection, filter)).length > 0;
    },

    endAll: async (user, keep, rows = data) => {
      const ofUser = { user_Id: { eq: user } };
      const filter = keep === null ? ofUser : { AND: [ofUser, { id: { ne: keep } }] };
      await endChallenges(rows, user);
      return (await rows.removeWhere(keeping, collection, filter)).length;
    },

    proveAgain: async (session) => {
      const now = clock();
      const change = { authenticatedAt: new Date(now).toISOString() };
      const changed = await data.updateWhere(keeping, collection, { id: { eq: session } }, change);
      return changed.length === 0 ? null : now;
    },
  };
}

/** Deletes the sessions that ended before `now` (ms since 1970); gives how many. For an hourly run. */
export async function removeExpiredSessions(data: Data, now: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const found = await data.find<{ id: string }>(keeping, collection, {
      filter: { expiresAt: { lt: new Date(now).toISOString() } },
      fields: ["id"],
      limit: -1,
    });
    for (const { id } of found) await removeOne(data, id);
    removed += found.length;
    if (found.length === 0) return removed;
  }
}

async function removeOne(data: Data, id: string): Promise<void> {
  await data.remove(keeping, collection, [id]).catch((error: unknown) => {
    // Gone already: another instance, or a logout.
    if (!(error instanceof AppError && error.code === "NOT_FOUND")) throw error;
  });
}
