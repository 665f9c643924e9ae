/** Server frames as text. A change is encoded around the JSON that PostgreSQL made, which passes through untouched. */
import type { ChangeAction, ServerFrame } from "@baasix/types";
import { AppError } from "../../core/errors";

/** Any frame but a change. */
export function encodeFrame(frame: Exclude<ServerFrame, { readonly type: "change" }>): string {
  return JSON.stringify(frame);
}

/** What is equal in the frames of one change: `data` is the text of a JSON object, `committedAt` ms since 1970. */
export type Change = {
  readonly action: ChangeAction;
  readonly collection: string;
  readonly data: string;
  readonly committedAt: number;
};

/** The frame of a change for the subscriptions of that name. */
export function encodeChange(
  subscription: string,
  { action, collection, data, committedAt }: Change,
): string {
  const timestamp = new Date(committedAt).toISOString();
  return (
    `{"type":"change","subscription":${JSON.stringify(subscription)},"action":"${action}",` +
    `"collection":${JSON.stringify(collection)},"data":${data},"timestamp":"${timestamp}"}`
  );
}

/** An error as a frame. What is no AppError stays unsaid. */
export function encodeError(error: unknown, id: string | null, subscription?: string): string {
  const { code, message } =
    error instanceof AppError ? error : new AppError("INTERNAL_ERROR", "Something went wrong on the server");
  return encodeFrame({
    type: "error",
    id,
    ...(subscription !== undefined && { subscription }),
    code,
    message,
  });
}
