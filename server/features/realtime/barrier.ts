/** What must be done before changes are told: a right that a transaction ended must not show what it, or a later one, wrote. */

export type Barrier = {
  /** Work that changes of rows wait for. */
  readonly await: (work: Promise<boolean>) => void;
  /** Resolves when all that was begun until now is done; false when some of it has failed. */
  readonly settled: () => Promise<boolean>;
};

/** Makes an open one. */
export function createBarrier(): Barrier {
  const pending = new Set<Promise<boolean>>();
  return {
    await: (work) => {
      pending.add(work);
      void work.finally(() => pending.delete(work));
    },
    settled: async () => (await Promise.all(pending)).every(Boolean),
  };
}
