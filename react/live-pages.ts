/** A list that is read page after page, as one live query from its beginning. Pure. */
import type { AnyQuery } from "@baasix/sdk";
import type { InfiniteData } from "@tanstack/react-query";
import { type LiveResult, mustRead } from "./live";

export type Pages = InfiniteData<LiveResult, string>;

/** Items of a page unless told, and most of one answer. */
const pageSize = 100;
const longest = 1000;

function sizeOf({ limit = pageSize }: AnyQuery): number {
  return limit === -1 ? longest : limit;
}

/** One query for as many pages as there are, as far as one answer reaches. */
export function pagesAsOne(query: AnyQuery, pages: number): AnyQuery {
  return {
    count: "none",
    ...query,
    cursor: "",
    limit: Math.min(longest, sizeOf(query) * Math.max(1, pages)),
  };
}

/**
 * The answer cut into pages. Cursors between pages stay what they were: they say where a walk went on, and only the
 * last one is gone on from.
 */
export function cutIntoPages(
  query: AnyQuery,
  result: LiveResult,
  known: Pages | undefined,
): Pages | typeof mustRead {
  const size = sizeOf(query);
  const count = Math.max(1, known?.pages.length ?? 1);
  // Pages beyond one answer are no part of it.
  if (size < 1 || size * count > longest) return mustRead;
  const { data, nextCursor = null, ...rest } = result;
  const filled = Math.max(1, Math.min(count, Math.ceil(data.length / size)));
  // More than a page was fetched since it was asked.
  if (filled < count && nextCursor !== null) return mustRead;
  const pages = Array.from({ length: filled }, (_, place): LiveResult => {
    const isLast = place === filled - 1;
    const cursor = isLast ? nextCursor : (known?.pages[place]?.nextCursor ?? null);
    return { ...rest, data: data.slice(place * size, (place + 1) * size), nextCursor: cursor } as LiveResult;
  });
  return { pages, pageParams: known?.pageParams.slice(0, filled) ?? [""] };
}
