/** What the routes of notifications take. */
import { z } from "zod";
import type { FieldError } from "@baasix/types";
import { AppError } from "../../core/errors";
import { shapeError } from "../../http";
import { readParameters } from "../items";
import type { Notice } from "./send";

/** Most accounts that one sending is for, and most notifications that one request names. */
const most = 1000;

/** Most bytes of `data`, as JSON in UTF-8. */
const mostData = 16_384;

const data = z.unknown().refine((value) => sizeOf(value) <= mostData, `at most ${mostData} bytes of JSON`);
const words = (longest: number) =>
  z
    .string()
    .max(longest)
    .refine((text) => text.trim() !== "", "must say something");

/** Body of `POST /notifications/send`. */
export const sendBody = z.strictObject({
  type: words(64).meta({ description: "What kind it is, in the application's own words" }),
  title: words(255),
  message: words(10_000),
  data: data.optional().meta({ description: "JSON for the application, 16 KiB at most" }),
  userIds: z.array(z.uuid()).min(1).max(most).meta({ description: "Whom it is for; each must be there" }),
  tenant_Id: z.uuid().nullish().meta({
    description: "Where they see it, as its members; default: the caller's tenant",
  }),
});

const notificationIds = z
  .array(z.uuid())
  .max(most)
  .optional()
  .meta({ description: "Which of the own ones; missing: all of them, and an empty list none" });

/** Body of `POST /notifications/mark-seen` and `DELETE /notifications`; all of it may be missing. */
export const chosenBody = z.strictObject({ notificationIds });

/** Body of `POST /notifications/cleanup`. */
export const cleanupBody = z.strictObject({
  days: z
    .int()
    .min(1)
    .max(36_500)
    .default(30)
    .meta({ description: "Those that are older are deleted, for everybody" }),
});

/** @throws AppError VALIDATION_ERROR in the contract's words, with a detail for each mistake */
export function readNotice(body: unknown): Notice {
  const result = sendBody.safeParse(body);
  if (!result.success) throw invalidNotice(shapeError(result.error).details);
  const { tenant_Id, userIds, ...rest } = result.data;
  return {
    ...rest,
    userIds: [...new Set(userIds.map((id) => id.toLowerCase()))],
    ...(tenant_Id !== undefined && { tenant: tenant_Id === null ? null : tenant_Id.toLowerCase() }),
  };
}

/** The refusal of what cannot be sent. */
export function invalidNotice(details: unknown): AppError {
  return new AppError("VALIDATION_ERROR", "Invalid notification parameters", details as FieldError[]);
}

/** Which notifications a body names; null: all. @throws AppError BAD_REQUEST */
export function readChosen(body: unknown): readonly string[] | null {
  const result = chosenBody.safeParse(body ?? {});
  if (!result.success) throw shapeError(result.error);
  return result.data.notificationIds ?? null;
}

/**
 * The same of a request to delete, which may name them in the query string: a list of JSON, or with commas. What is not
 * understood is refused, since nothing named means all.
 * @throws AppError BAD_REQUEST
 */
export function readDeleted(request: Request, body: unknown): readonly string[] | null {
  const { notificationIds: named } = readParameters(request, ["notificationIds"]);
  if (named === undefined) return readChosen(body);
  if (body !== undefined && body !== null)
    throw new AppError(
      "BAD_REQUEST",
      "notificationIds: give them in the body or in the query string, not in both",
    );
  return readChosen({ notificationIds: typeof named === "string" ? listed(named) : named });
}

/** @throws AppError BAD_REQUEST */
export function readDays(body: unknown): number {
  const result = cleanupBody.safeParse(body ?? {});
  if (!result.success) throw shapeError(result.error);
  return result.data.days;
}

function listed(text: string): unknown {
  if (!text.startsWith("[")) return text.split(",").filter((part) => part !== "");
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError("BAD_REQUEST", "notificationIds: not valid JSON");
  }
}

function sizeOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
