/** What a client has of a live query, and what each frame makes of it. Pure. */
import type { GenericItem, LiveMeta, QueryFrame } from "@baasix/types";

/** An answer as it came, and the version that names it. Rows that stayed as they were stay the same objects. */
export type LiveAnswer = {
  readonly version: string;
  readonly result: LiveMeta & { readonly data: readonly GenericItem[] };
};

type Answering = Exclude<QueryFrame, { readonly type: "query.stale" }>;

/** The answer after a frame; null when it cannot be told from what there is: then it is asked for as a whole. */
export function answerAfter(before: LiveAnswer | null, frame: Answering): LiveAnswer | null {
  switch (frame.type) {
    case "query.result":
      return { version: frame.version, result: { ...metaOf(frame), data: frame.data } };
    case "query.unchanged":
      return before?.version === frame.version ? before : null;
    case "query.difference": {
      if (before?.version !== frame.from) return null;
      const kept = before.result.data;
      const data: GenericItem[] = [];
      for (const piece of frame.data) {
        if (!isKept(piece)) {
          data.push(piece);
          continue;
        }
        const [start, count] = piece;
        if (start < 0 || count < 0 || start + count > kept.length) return null;
        for (let i = start; i < start + count; i++) data.push(kept[i] as GenericItem);
      }
      return { version: frame.version, result: { ...metaOf(frame), data } };
    }
  }
}

function isKept(piece: unknown): piece is readonly [start: number, count: number] {
  return Array.isArray(piece);
}

function metaOf({ totalCount, nextCursor, truncated }: LiveMeta): LiveMeta {
  return {
    ...(totalCount !== undefined && { totalCount }),
    ...(nextCursor !== undefined && { nextCursor }),
    ...(truncated && { truncated }),
  };
}
