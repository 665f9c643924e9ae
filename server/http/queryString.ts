/** Query string → values. Plain pairs are read directly; brackets (`filter[price][gt]=1`) by the `qs` library. */
import type Qs from "qs";
import { AppError } from "../core/errors";

/**
 * The parameters of a URL. A repeated parameter is a list; `filter[a][eq]=1` is an object. Values are text.
 * @throws AppError QUERY_TOO_COMPLEX beyond 12 brackets, 2,000 parameters or 1,000 items of a list: nothing is dropped.
 */
export function readQueryString(url: string): Record<string, unknown> {
  const start = url.indexOf("?");
  if (start < 0) return {};
  const hash = url.indexOf("#", start);
  const text = url.slice(start + 1, hash < 0 ? undefined : hash);
  // Brackets in a value are no structure, and JSON is full of them.
  if (bracketInName.test(text)) return readBrackets(text);
  const values: Record<string, unknown> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const present = values[name];
    values[name] =
      present === undefined ? value : Array.isArray(present) ? [...present, value] : [present, value];
  }
  return values;
}

const bracketInName = /(?:^|&)[^=&]*(?:\[|%5b)/i;

function readBrackets(text: string): Record<string, unknown> {
  try {
    // Loaded with the first such query: a start need not wait for it.
    const qs: typeof Qs = require("qs");
    return qs.parse(text, {
      depth: 12,
      arrayLimit: 1000,
      parameterLimit: 2000,
      plainObjects: true,
      strictDepth: true,
      throwOnLimitExceeded: true,
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new AppError(
      "QUERY_TOO_COMPLEX",
      "url: at most 12 brackets a name, 2,000 parameters and 1,000 items a list; send the filter as JSON",
    );
  }
}
