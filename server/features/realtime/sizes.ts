/** How much members show of themselves. */
import type { Profile } from "@baasix/types";

const sizes = new WeakMap<Profile, number>();

/** Bytes of a profile as JSON; each is measured once. */
export function sizeOf(profile: Profile): number {
  const known = sizes.get(profile);
  if (known !== undefined) return known;
  const size = Buffer.byteLength(JSON.stringify(profile));
  sizes.set(profile, size);
  return size;
}
