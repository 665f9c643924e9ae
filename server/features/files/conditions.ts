/** Conditions of a request for bytes, as RFC 9110 has them: entity tags and byte ranges. Pure. */

/** Inclusive positions, from 0. */
export type ByteRange = { readonly start: number; readonly end: number };

/** Whether an `If-None-Match` header names the tag (weak comparison, section 8.8.3.2) or is `*`. */
export function matchesTag(header: string | null, tag: string): boolean {
  if (header === null) return false;
  return header.split(",").some((item) => {
    const given = item.trim();
    return given === "*" || given === tag || given === `W/${tag}`;
  });
}

/**
 * What a `Range` header asks of `size` bytes. Several ranges, another unit or a malformed header mean the whole, which
 * section 14.2 allows; a range that starts behind the end is unsatisfiable.
 */
export function parseRange(header: string | null, size: number): ByteRange | "whole" | "unsatisfiable" {
  const found = /^\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header ?? "");
  const [first = "", last = ""] = found?.slice(1) ?? [];
  if (first === "" && last === "") return "whole";
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return "whole";
  return start >= size ? "unsatisfiable" : { start, end };
}
