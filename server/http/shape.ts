/** What is wrong with a body that does not have the shape it should, by place. */
import type { z } from "zod";
import { AppError } from "../core/errors";

/** Most mistakes that one refusal names. */
const mostErrors = 100;

/** The refusal: BAD_REQUEST with the first place in its message, and all of them in its details. */
export function shapeError({ issues }: z.ZodError): AppError {
  const details = issues.slice(0, mostErrors).map((issue) => {
    const isUnknown = issue.code === "unrecognized_keys";
    return {
      field: placeOf(isUnknown ? [...issue.path, issue.keys[0] ?? ""] : issue.path),
      message: isUnknown ? "is not known here" : issue.message,
      rule: "shape",
    };
  });
  const [first] = details;
  return new AppError("BAD_REQUEST", `${first?.field || "body"}: ${first?.message ?? "not valid"}`, details);
}

/** `roles[0].permissions[2].action`. */
function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("");
}
