/** Uploads that tell how far they are: `fetch` cannot, so XMLHttpRequest does it where it exists. */
import type { Fetch, OnProgress } from "./http";

/**
 * Sends a form and reports how much of it has been sent. Without XMLHttpRequest (Bun, Node) it is reported once, at the end.
 * @throws what `fetch` would: TypeError without a connection, the signal's reason when aborted.
 */
export async function sendWithProgress(
  fetch: Fetch,
  url: string,
  init: RequestInit,
  onProgress: OnProgress,
): Promise<Response> {
  if (typeof XMLHttpRequest === "undefined") {
    const response = await fetch(url, init);
    onProgress(100, formSize(init.body));
    return response;
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(init.method ?? "POST", url);
    request.responseType = "text";
    request.withCredentials = init.credentials === "include";
    for (const [name, value] of Object.entries(init.headers ?? {})) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
      if (lengthComputable && total > 0) onProgress(Math.round((loaded / total) * 100), loaded);
    });
    request.addEventListener("load", () => {
      const { status, statusText, responseText } = request;
      resolve(new Response(status === 204 ? null : responseText, { status, statusText }));
    });
    request.addEventListener("error", () => reject(new TypeError("Network request failed")));
    request.addEventListener("abort", () => reject(init.signal?.reason ?? new Error("aborted")));
    init.signal?.addEventListener("abort", () => request.abort());
    request.send(init.body as XMLHttpRequestBodyInit);
  });
}

/** Bytes of the files in a form. */
function formSize(body: RequestInit["body"]): number {
  const values: Iterable<unknown> = body instanceof FormData ? body.values() : [];
  let bytes = 0;
  for (const value of values) if (value instanceof Blob) bytes += value.size;
  return bytes;
}
