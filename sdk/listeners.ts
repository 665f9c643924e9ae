/** Calling those who listen. */

/** Calls a listener. Its mistake is its own: it is thrown later, so that it stops nothing that is under way. */
export function tell<Arguments extends readonly unknown[]>(
  listener: ((...args: Arguments) => void) | undefined,
  ...args: Arguments
): void {
  try {
    listener?.(...args);
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
