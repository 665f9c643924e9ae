/** The session as it lies in a storage. */
import type { AuthMode, User } from "@baasix/types";
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
};

export const nothing: Kept = { token: null, refreshToken: null, expiresAt: null, user: null };

/** The key that is written last: when another page changes it, everything else is in place. */
export function changeKey(mode: AuthMode): string {
  return mode === "jwt" ? storageKeys.token : storageKeys.user;
}

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
  const user = parseUser(await get(storageKeys.user));
  if (mode === "cookie") return { ...nothing, expiresAt: user && expiresAt, user };
  const token = await get(storageKeys.token);
  if (!token) return nothing;
  return { token, refreshToken: await get(storageKeys.refresh), expiresAt, user };
}

/** Writes all of a session, the change key last. */
export async function writeKept(
  storage: StorageAdapter,
  mode: AuthMode,
  { token, refreshToken, expiresAt, user }: Kept,
) {
  const put = (key: string, value: string | null) =>
    value === null ? storage.remove(key) : storage.set(key, value);
  await put(storageKeys.refresh, refreshToken);
  await put(storageKeys.expiry, expiresAt === null ? null : String(expiresAt));
  if (mode === "cookie") await put(storageKeys.token, token);
  await put(storageKeys.user, user && JSON.stringify(user));
  if (mode === "jwt") await put(storageKeys.token, token);
}

function parseUser(text: string | null): SessionUser | null {
  try {
    const user: unknown = JSON.parse(text ?? "null");
    return typeof user === "object" && user !== null && "id" in user && typeof user.id === "string"
      ? (user as SessionUser)
      : null;
  } catch {
    return null;
  }
}
