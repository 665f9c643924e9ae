/** Reading more items than one answer holds. */
import type { FieldPath, Filter, Query } from "@baasix/types";
import type { Items } from "@baasix/sdk";

/** Items an answer; the server gives at most 1,000. */
const limit = 1000;

/**
 * Every matching item in the order of `key`, which must tell items apart and be among the fields. Each page begins
 * behind the last item of the one before, so that items that come and go meanwhile shift nothing.
 */
export async function* everyItem<Item extends object>(
  items: Items<Item>,
  key: keyof Item & FieldPath<Item>,
  query: Pick<Query<Item>, "fields" | "filter"> = {},
): AsyncGenerator<Item> {
  let builder = items.query().sort(key).limit(limit);
  if (query.fields) builder = builder.select(...([query.fields].flat() as FieldPath<Item>[]));
  if (query.filter) builder = builder.filter(query.filter);
  let page = builder;
  for (;;) {
    const { data } = await page.get();
    yield* data;
    const last = data.at(-1);
    if (last === undefined || data.length < limit) return;
    page = builder.filter({ [key]: { gt: last[key] } } as Filter<Item>);
  }
}
