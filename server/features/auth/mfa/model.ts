/** What the routes of second factors take. */
import { z } from "zod";
import { AppError } from "../../../core/errors";
import { checked } from "../model";
import type { Code } from "./prove";
import type { Verification } from "./verify";

const code = z.string().max(100);
const authMode = z.enum(["jwt", "cookie"]).catch("jwt").default("jwt");

/** Body of `POST /auth/mfa/factors`; all of it may be missing. */
export const enrollBody = z.strictObject({
  type: z.literal("totp").default("totp"),
  friendlyName: z.string().trim().min(1).max(100).default("Authenticator").meta({
    description: "What its owner calls it",
  }),
});

/** Body of `POST /auth/mfa/factors/:id/verify`. */
export const verifyBody = z.strictObject({
  code: code.meta({ description: "The six digits that the app shows" }),
  challengeId: z.uuid().nullish(),
  authMode,
});

/** Body of `POST /auth/mfa/verify`: a code or a recovery code. */
export const secondStepBody = z.strictObject({
  mfaToken: z.string().max(200),
  code: code.nullish(),
  recoveryCode: code.nullish(),
  authMode,
});

/** Gives the factor's name. @throws AppError VALIDATION_ERROR */
export function parseEnroll(body: unknown): string {
  return checked(enrollBody, body ?? {}).friendlyName;
}

/** @throws AppError VALIDATION_ERROR */
export function parseVerify(
  body: unknown,
): Omit<Verification, "factor"> & { readonly authMode: "jwt" | "cookie" } {
  const { code, challengeId = null, authMode } = checked(verifyBody, body);
  return { code, challengeId, authMode };
}

/** @throws AppError VALIDATION_ERROR */
export function parseSecondStep(body: unknown): {
  readonly mfaToken: string;
  readonly typed: Code;
  readonly authMode: "jwt" | "cookie";
} {
  const { mfaToken, code, recoveryCode, authMode } = checked(secondStepBody, body);
  if (typeof code === "string" && typeof recoveryCode !== "string")
    return { mfaToken, typed: { code }, authMode };
  if (typeof recoveryCode === "string" && typeof code !== "string")
    return { mfaToken, typed: { recoveryCode }, authMode };
  const message = "code: send a code or a recoveryCode, one of the two";
  throw new AppError("VALIDATION_ERROR", message, [{ field: "code", message, rule: "required" }]);
}
