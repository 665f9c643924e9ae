/** A file in pieces between which other requests have their turn: rows that are wrong wait for no database. */

/** Bytes that are read without a break: there may be thousands of rows in them. */
const atOnce = 8 * 1024;
/** So long (ms) reading goes on at once. */
const stretch = 10;

/** The same bytes. Whoever takes them works between two pieces, and not on two at a time. */
export async function* inTurns(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let began = performance.now();
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += atOnce) {
      yield chunk.subarray(at, at + atOnce);
      if (performance.now() - began < stretch) continue;
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      began = performance.now();
    }
  }
}
