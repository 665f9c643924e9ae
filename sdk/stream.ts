/** Answers that are read while they arrive. */
import { BaasixError } from "./error";

/**
 * The body of an answer, until it ends or the signal does: reading then rejects with the signal's reason. A
 * connection that breaks is a NETWORK_ERROR.
 * @throws BaasixError where the platform's `fetch` gives no stream (React Native)
 */
export function streamOf(
  { body }: Response,
  signal: AbortSignal | undefined,
  reasonOf: (signal: AbortSignal) => unknown,
): ReadableStream<Uint8Array> {
  if (!body) throw new BaasixError("fetch gives no stream here", { status: 0, code: "UNKNOWN" });
  const reader = body.getReader();
  let stop = () => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (!signal) return;
        const abort = () => {
          controller.error(reasonOf(signal));
          void reader.cancel();
        };
        signal.addEventListener("abort", abort);
        stop = () => signal.removeEventListener("abort", abort);
      },
      async pull(controller) {
        try {
          const { value, done } = await reader.read();
          if (signal?.aborted) return;
          if (!done) return controller.enqueue(value);
          stop();
          controller.close();
        } catch (cause) {
          stop();
          controller.error(
            new BaasixError("The connection was broken off", { status: 0, code: "NETWORK_ERROR", cause }),
          );
        }
      },
      cancel(reason) {
        stop();
        return reader.cancel(reason);
      },
    },
    // Nothing is read ahead: a slow reader holds the server back.
    { highWaterMark: 0 },
  );
}
