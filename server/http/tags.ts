/** Entity tags and the conditions that name them: RFC 9110, sections 8.8.3 and 13.1. Pure. */
import { AppError } from "../core/errors";

/** An entity tag; `opaque` is what stands between the quotes. */
export type EntityTag = { readonly weak: boolean; readonly opaque: string };

const element = /[\t ]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)")?[\t ]*(,|$)/y;

/** The tags of an `If-Match` or `If-None-Match` header, `*` for any, null when it is neither. */
export function readTags(header: string): readonly EntityTag[] | "*" | null {
  if (header.trim() === "*") return "*";
  const tags: EntityTag[] = [];
  element.lastIndex = 0;
  for (;;) {
    const found = element.exec(header);
    if (!found) return null;
    if (found[2] !== undefined) tags.push({ weak: found[1] !== undefined, opaque: found[2] });
    if (found[3] === "") return tags.length > 0 ? tags : null;
  }
}

/**
 * Whether an `If-None-Match` header names the tag (`opaque`, by weak comparison) or is `*`. A header that is no list of
 * tags names none: the answer is then sent in full.
 */
export function namesTag(header: string | null, opaque: string): boolean {
  if (header === null) return false;
  const tags = readTags(header);
  return tags === "*" || (tags?.some((tag) => tag.opaque === opaque) ?? false);
}

/**
 * The tags of an `If-Match` header that may match, by strong comparison: weak ones never do. Null when there is no header,
 * or any state will do (`*`).
 * @throws AppError BAD_REQUEST for what is no list of tags.
 */
export function strongTags(header: string | null): readonly string[] | null {
  if (header === null) return null;
  const tags = readTags(header);
  if (tags === null)
    throw new AppError("BAD_REQUEST", 'If-Match: expected tags in quotes, such as "123-abc", or *');
  return tags === "*" ? null : tags.filter(({ weak }) => !weak).map(({ opaque }) => opaque);
}
