/** Numbers that a file gives, of a field that otherwise counts by itself. */
import { isCounted } from "../../core/schema/counters";
import type { Collection } from "../../core/schema/model";
import type { Batch } from "./rows";

/** `watch` passes the rows of a file on; `given`: the fields of which one had a number. */
export type Counted = {
  readonly watch: (batches: AsyncGenerator<Batch>) => AsyncGenerator<Batch>;
  readonly given: () => readonly string[];
};

export function watchCounted({ fields }: Collection): Counted {
  const names = [...fields.values()].filter(isCounted).map(({ name }) => name);
  const given = new Set<string>();
  async function* watch(batches: AsyncGenerator<Batch>): AsyncGenerator<Batch> {
    for await (const batch of batches) {
      for (const name of names)
        if (!given.has(name) && batch.some(({ body }) => (body?.[name] ?? null) !== null)) given.add(name);
      yield batch;
    }
  }
  return { watch: names.length === 0 ? (batches) => batches : watch, given: () => [...given] };
}
