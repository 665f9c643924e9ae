/** Serving bytes: the row is the gate, on every request; then the original or a kept variant, with cache headers. */
import { create as contentDisposition } from "content-disposition";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { requestFacts } from "../../http";
import type { Storage, StoredFile } from "../../platform/storage";
import { originalKey } from "./keys";
import { type AssetQuery, filesCollection, type ServedFile } from "./model";
import { matchesTag, parseRange } from "./conditions";
import { planTransform } from "./transform";
import type { Variants } from "./variants";

/** What serving needs. */
export type ServeParts = { readonly data: Data; readonly storage: Storage; readonly variants: Variants };

/** Types that a browser may show in place. All else is offered as a download. */
const inlineTypes =
  /^(?:image\/(?:jpeg|png|webp|avif|gif)|application\/pdf|(?:audio|video)\/[a-z0-9.+-]+|text\/plain)$/;

/**
 * Answers `GET /assets/:id` (RFC 9110 for conditions and ranges).
 * @throws AppError NOT_FOUND when there is no such file or the actor may not see it, and what `planTransform` and
 * the image work throw.
 */
export async function serveAsset(
  { data, storage, variants }: ServeParts,
  actor: Actor,
  id: string,
  query: AssetQuery,
  request: Request,
): Promise<Response> {
  const { headers } = request;
  const file: ServedFile = JSON.parse((await data.readOne(actor, filesCollection, id)).json);
  const plan = planTransform(file, query, headers.get("accept"));
  // Bytes under an id never change, so the name of what was asked for is a strong tag.
  const tag = plan.kind === "original" ? `"${file.id}"` : `"${file.id}-${plan.name}"`;
  const answer = new Headers(cacheHeaders(file, query, tag));
  if (matchesTag(headers.get("if-none-match"), tag))
    return new Response(null, { status: 304, headers: answer });

  const stored =
    plan.kind === "original"
      ? await storage.get(originalKey(file.id))
      : await variants.get(file.id, plan, requestFacts(request).client);
  if (!stored) throw new AppError("NOT_FOUND", `The bytes of file '${file.id}' are not in the storage`);
  const type = plan.kind === "original" ? (file.type ?? "application/octet-stream") : plan.type;
  setContentHeaders(answer, type, query.download === true, downloadName(file, plan));
  return partial(stored, answer, headers, tag);
}

function cacheHeaders(file: ServedFile, query: AssetQuery, tag: string): Record<string, string> {
  return {
    etag: tag,
    // A private file is asked for again each time: rights may have changed, and so may who sits at the browser.
    "cache-control": file.isPublic === true ? "public, max-age=60, must-revalidate" : "private, no-cache",
    ...(query.format === "auto" && { vary: "Accept" }),
  };
}

function setContentHeaders(answer: Headers, type: string, download: boolean, name: string): void {
  const inline = !download && inlineTypes.test(type);
  answer.set("content-type", type.startsWith("text/") ? `${type}; charset=utf-8` : type);
  answer.set("content-disposition", contentDisposition(name, { type: inline ? "inline" : "attachment" }));
  answer.set("x-content-type-options", "nosniff");
  // Browsers do not open their PDF viewer in a sandbox.
  answer.set(
    "content-security-policy",
    inline && type === "application/pdf"
      ? "default-src 'none'; object-src 'self'"
      : "sandbox; default-src 'none'",
  );
  answer.set("accept-ranges", "bytes");
}

function downloadName(file: ServedFile, plan: ReturnType<typeof planTransform>): string {
  const name = file.originalFilename ?? file.title ?? file.filename ?? file.id;
  return plan.kind === "original" ? name : `${name.replace(/\.[^.]*$/, "")}.${plan.image.format}`;
}

function partial({ blob, size }: StoredFile, answer: Headers, asked: Headers, tag: string): Response {
  const condition = asked.get("if-range");
  // A date in If-Range never matches: no Last-Modified is sent.
  const range = condition === null || condition === tag ? parseRange(asked.get("range"), size) : "whole";
  if (range === "whole") {
    answer.set("content-length", String(size));
    return new Response(blob, { headers: answer });
  }
  if (range === "unsatisfiable") {
    const refused = new Headers({ "content-range": `bytes */${size}`, "accept-ranges": "bytes" });
    return new Response(null, { status: 416, headers: refused });
  }
  answer.set("content-range", `bytes ${range.start}-${range.end}/${size}`);
  answer.set("content-length", String(range.end - range.start + 1));
  return new Response(blob.slice(range.start, range.end + 1), { status: 206, headers: answer });
}
