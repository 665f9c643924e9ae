/** Which user PostgreSQL runs as: it refuses root, so a root process picks an unprivileged one. */
import { readFileSync, statSync } from "node:fs";

/** User and group ids of the system. */
export type Identity = { readonly uid: number; readonly gid: number };

/**
 * The user to drop to, or null when this process is not root. `paths` are looked at in order: the owner of the first
 * one that exists and is not root's. Else the user `postgres`, else `nobody`, else 65534.
 */
export function serviceIdentity(paths: readonly string[]): Identity | null {
  if (process.getuid?.() !== 0) return null;
  for (const path of paths) {
    const owner = statSync(path, { throwIfNoEntry: false });
    if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  }
  return knownUser("postgres") ?? knownUser("nobody") ?? { uid: 65_534, gid: 65_534 };
}

function knownUser(name: string): Identity | null {
  let users: string;
  try {
    users = readFileSync("/etc/passwd", "utf8");
  } catch {
    return null;
  }
  const [, , uid, gid] =
    users
      .split("\n")
      .find((line) => line.startsWith(`${name}:`))
      ?.split(":") ?? [];
  return uid && gid && uid !== "0" ? { uid: Number(uid), gid: Number(gid) } : null;
}
