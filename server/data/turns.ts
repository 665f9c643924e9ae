/** Turns for work that keeps the one thread for milliseconds: between two of them everybody else is served. */

/** Resolves when it is the caller's turn: in a pass of the event loop that no other caller has. */
export type Turns = () => Promise<void>;

/** Makes the queue of one server. */
export function createTurns(): Turns {
  let last = Promise.resolve();
  const pass = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return () => (last = last.then(pass));
}
