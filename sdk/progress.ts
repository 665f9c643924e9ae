/** Uploads that tell how far they are: `fetch` cannot, so XMLHttpRequest does it where it exists. */
import type { Fetch } from "./http";

/**
 * Sends a form and reports the percentage sent. Without XMLHttpRequest (Bun, Node) it is reported once, at the end.
 * @throws what `fetch` would: TypeError without a connection, the signal's reason when aborted.
 */
export async function sendWithProgress(
  fetch: Fetch,
  url: string,
  init: RequestInit,
  onProgress: (percent: number) => void,
): Promise<Response> {
  if (typeof XMLHttpRequest === "undefined") {
    const response = await fetch(url, init);
    onProgress(100);
    return response;
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(init.method ?? "POST", url);
    request.responseType = "text";
    request.withCredentials = init.credentials === "include";
    for (const [name, value] of Object.entries(init.headers ?? {})) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
      if (lengthComputable && total > 0) onProgress(Math.round((loaded / total) * 100));
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
