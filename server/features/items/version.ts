/**
 * Versions of items on the wire. An entity tag is `"<version>-<hash of the body>"`: a write asks for the row, whatever
 * fields were read, so it compares the part before the dash; a read compares the whole.
 */
import { AppError } from "../../core/errors";
import type { ReadOneAnswer } from "../../data";
import { strongTags } from "../../http";

/** What stands between the quotes of an item's tag. */
export function tagOf({ version, json, truncated }: ReadOneAnswer): string {
  return `${version}-${Bun.hash(truncated ? `${json}~` : json).toString(16)}`;
}

/** A version that no row has: xmin of a row is at least 3. */
const none = "0";
const form = /^(\d{1,10})(?:-[\da-z]*)?$/;

/** Most versions that one header may name. */
const mostVersions = 10;

/**
 * The version that an `If-Match` header allows, or several with commas between; undefined for any. A tag that is not of
 * this server matches nothing.
 * @throws AppError BAD_REQUEST
 */
export function allowedVersion(headers: Headers): string | undefined {
  const tags = strongTags(headers.get("if-match"));
  if (tags === null) return undefined;
  const versions = [...new Set(tags.map(versionOf))];
  if (versions.length > mostVersions)
    throw new AppError("BAD_REQUEST", `If-Match: at most ${mostVersions} tags`);
  return versions.length === 0 ? none : versions.join(",");
}

function versionOf(opaque: string): string {
  const version = form.exec(opaque)?.[1];
  return version !== undefined && Number(version) < 2 ** 32 ? version : none;
}

/**
 * The version that a body names: an entity tag, or its part before the dash. Undefined where none is named.
 * @throws AppError BAD_REQUEST
 */
export function readVersion(version: unknown, place: string): string | undefined {
  if (version === undefined) return undefined;
  const opaque = typeof version === "string" ? (/^"(.*)"$/.exec(version)?.[1] ?? version) : "";
  if (!form.test(opaque))
    throw new AppError("BAD_REQUEST", `${place}: expected an item's ETag, such as "123-abc", or "123" alone`);
  return versionOf(opaque);
}

const conditionNames = { "if-match": "If-Match", "if-none-match": "If-None-Match" } as const;

/** Refuses conditions that a route does not know: a client that sends one counts on it. @throws AppError BAD_REQUEST */
export function refuseConditions({ headers }: Request, also?: "if-match"): void {
  for (const name of ["if-match", "if-none-match"] as const) {
    if (name === "if-match" && also === "if-match") continue;
    if (headers.has(name))
      throw new AppError("BAD_REQUEST", `${conditionNames[name]}: this request takes no such condition`);
  }
}
