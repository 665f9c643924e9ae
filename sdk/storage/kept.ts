/** The session as it lies in a storage. */
import type { AuthMode, Tenant, User } from "@baasix/types";
import { type StorageAdapter, storageKeys } from "./adapter";

/** A user as the server last told; columns beyond the named ones depend on the server. */
export type SessionUser = User & { readonly [field: string]: unknown };

/** What is kept. In `cookie` mode the browser holds the tokens and only their end is known. */
export type Kept = {
  readonly token: string | null;
  readonly refreshToken: string | null;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | null;
  readonly user: SessionUser | null;
  /** The organisation in which the session acts. */
  readonly tenant: Tenant | null;
};

export const nothing: Kept = { token: null, refreshToken: null, expiresAt: null, user: null, tenant: null };

/** What the storage holds of a session; whatever is damaged counts as absent. */
export async function readKept(storage: StorageAdapter, mode: AuthMode): Promise<Kept> {
  const get = async (key: string) => {
    try {
      return await storage.get(key);
    } catch {
      return null;
    }
  };
  const expiry = Number((await get(storageKeys.expiry)) ?? Number.NaN);
  const expiresAt = Number.isFinite(expiry) ? expiry : null;
  const user = parseNamed<SessionUser>(await get(storageKeys.user));
  const tenant = user && parseNamed<Tenant>(await get(storageKeys.tenant));
  if (mode === "cookie") return { ...nothing, expiresAt: user && expiresAt, user, tenant };
  const token = await get(storageKeys.token);
  if (!token) return nothing;
  return { token, refreshToken: await get(storageKeys.refresh), expiresAt, user, tenant };
}

/** Writes all of a session. */
export async function writeKept(
  storage: StorageAdapter,
  { token, refreshToken, expiresAt, user, tenant }: Kept,
) {
  const put = (key: string, value: string | null) =>
    value === null ? storage.remove(key) : storage.set(key, value);
  await put(storageKeys.refresh, refreshToken);
  await put(storageKeys.expiry, expiresAt === null ? null : String(expiresAt));
  await put(storageKeys.tenant, tenant && JSON.stringify(tenant));
  await put(storageKeys.user, user && JSON.stringify(user));
  await put(storageKeys.token, token);
  await put(storageKeys.change, (token ?? user) && String(Math.random()));
}

/** An object with an id. */
function parseNamed<Value extends { readonly id: string }>(text: string | null): Value | null {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string"
      ? (value as Value)
      : null;
  } catch {
    return null;
  }
}
