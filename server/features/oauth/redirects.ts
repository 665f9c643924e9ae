/** Where a sign-in may lead the browser back to: the operator's own applications, and nowhere else. */
import { AppError } from "../../core/errors";

const longest = 2048;

/**
 * The address as it will be used, if `AUTH_APP_URL` allows it: an entry without a path allows every path of its origin, one
 * with a path that path alone. What is compared is the parsed address, and what is written before parsing must look like it.
 * @throws AppError VALIDATION_ERROR that names `field`
 */
export function requireAllowed(entries: readonly string[], text: string, field: string): URL {
  const url = plainAddress(text);
  if (url !== null && entries.some((entry) => allows(new URL(entry), url))) return url;
  throw new AppError("VALIDATION_ERROR", `${field}: not an address of AUTH_APP_URL`, [
    { field, message: "must lead to an application that is listed in AUTH_APP_URL", rule: "allowed" },
  ]);
}

/** Null for what browsers and other parsers could read in two ways, and for what carries more than a place. */
function plainAddress(text: string): URL | null {
  if (text.length > longest || /[\\\s#\p{C}]/u.test(text)) return null;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    return null;
  return text.toLowerCase().startsWith(url.origin) ? url : null;
}

function allows(entry: URL, url: URL): boolean {
  if (entry.origin !== url.origin) return false;
  return entry.pathname === "/" || entry.pathname.replace(/\/+$/, "") === url.pathname.replace(/\/+$/, "");
}

/** An address with what is to be told in its query, in place of what the same names said there. */
export function withParameters(address: string, told: Readonly<Record<string, string | null>>): string {
  const url = new URL(address);
  for (const name of ["token", "code", "state", "error", "error_description"]) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(told)) if (value !== null) url.searchParams.set(name, value);
  return url.href;
}
