/** Query string → values. Plain pairs are read directly; brackets (`filter[price][gt]=1`) by the `qs` library. */
import qs from "qs";

/**
 * The parameters of a URL. A repeated parameter is a list; `filter[a][eq]=1` is an object. Values are text.
 * Bounded: 10,000 characters of nesting names are cut off by the URL limit, depth by 12 brackets.
 */
export function readQueryString(url: string): Record<string, unknown> {
  const start = url.indexOf("?");
  if (start < 0) return {};
  const hash = url.indexOf("#", start);
  const text = url.slice(start + 1, hash < 0 ? undefined : hash);
  if (text.includes("[") || text.includes("%5B") || text.includes("%5b")) {
    return qs.parse(text, {
      depth: 12,
      arrayLimit: 1000,
      parameterLimit: 2000,
      plainObjects: true,
      strictDepth: true,
    });
  }
  const values: Record<string, unknown> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const present = values[name];
    values[name] =
      present === undefined ? value : Array.isArray(present) ? [...present, value] : [present, value];
  }
  return values;
}
