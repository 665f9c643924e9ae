/** Server frames as text. A change is encoded around the JSON that PostgreSQL made, which passes through untouched. */
import type { ChangeAction, ServerFrame } from "@baasix/types";
import { AppError } from "../../core/errors";
import { encodePieces, type Piece } from "./difference";

/** Any frame but a change. */
export function encodeFrame(frame: Exclude<ServerFrame, { readonly type: "change" }>): string {
  return JSON.stringify(frame);
}

/** What is equal in the frames of one change: `data` is the text of a JSON object, `committedAt` ms since 1970. */
export type Change = {
  readonly action: ChangeAction;
  readonly collection: string;
  readonly data: string;
  /** The item before an update, likewise. */
  readonly old: string | null;
  readonly committedAt: number;
};

/** The frame of a change for the subscriptions of that name. */
export function encodeChange(
  subscription: string,
  { action, collection, data, old, committedAt }: Change,
): string {
  const timestamp = new Date(committedAt).toISOString();
  return (
    `{"type":"change","subscription":${JSON.stringify(subscription)},"action":"${action}",` +
    `"collection":${JSON.stringify(collection)},"data":${data},${old === null ? "" : `"_old":${old},`}"timestamp":"${timestamp}"}`
  );
}

/** What stands beside the rows of an answer. */
export type Meta = {
  readonly totalCount: number | null;
  readonly truncated: boolean;
  readonly nextCursor?: string | null;
};

/** The whole answer of a live query: `rows` is the text of a JSON list. `id` null: nothing was asked. */
export function encodeResult(
  subscription: string,
  id: string | null,
  { version, rows, meta }: { readonly version: string; readonly rows: string; readonly meta: Meta },
): string {
  return `${beginning("query.result", id, subscription)},"version":"${version}","data":${rows}${metaText(meta)}}`;
}

/** What became of the answer of the version `from`. */
export function encodeDifference(
  subscription: string,
  id: string | null,
  {
    from,
    version,
    pieces,
    meta,
  }: {
    readonly from: string;
    readonly version: string;
    readonly pieces: readonly Piece[];
    readonly meta: Meta;
  },
): string {
  const start = beginning("query.difference", id, subscription);
  return `${start},"from":"${from}","version":"${version}","data":${encodePieces(pieces)}${metaText(meta)}}`;
}

/** The answer is that of the version. */
export function encodeUnchanged(subscription: string, id: string | null, version: string): string {
  return `${beginning("query.unchanged", id, subscription)},"version":"${version}"}`;
}

function beginning(type: ServerFrame["type"], id: string | null, subscription: string): string {
  const answer = id === null ? "" : `"id":${JSON.stringify(id)},`;
  return `{"type":"${type}",${answer}"subscription":${JSON.stringify(subscription)}`;
}

function metaText({ totalCount, truncated, nextCursor }: Meta): string {
  const total = totalCount === null ? "" : `,"totalCount":${totalCount}`;
  const cursor = nextCursor === undefined ? "" : `,"nextCursor":${JSON.stringify(nextCursor)}`;
  return `${total}${cursor}${truncated ? ',"truncated":true' : ""}`;
}

/** What is told of an error. What is no AppError stays unsaid. */
export function errorOf(error: unknown): Pick<AppError, "code" | "message"> {
  const { code, message } =
    error instanceof AppError ? error : new AppError("INTERNAL_ERROR", "Something went wrong on the server");
  return { code, message };
}

/** An error as a frame. */
export function encodeError(error: unknown, id: string | null, subscription?: string): string {
  const { code, message } = errorOf(error);
  return encodeFrame({
    type: "error",
    id,
    ...(subscription !== undefined && { subscription }),
    code,
    message,
  });
}
