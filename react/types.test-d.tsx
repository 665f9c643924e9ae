/** Type tests of the hooks: read by `bun check`, never run. */
import type { Baasix, ListResult } from "@baasix/sdk";
import type { QueryClient } from "@tanstack/react-query";
import { BaasixProvider } from "./provider";
import { useCreateItem, useDeleteItem, useUpdateItem } from "./mutations";
import { useItem, useItems } from "./items";
import { itemsQuery } from "./queries";

interface Post {
  id: string;
  title: string;
  views: number;
}

/** Typed by an explicit item type, or not at all. */
export function Typed(): void {
  const list = useItems<Post>(
    "posts",
    { filter: { views: { gt: 1 } }, sort: { views: "desc" } },
    { live: true },
  );
  list.data satisfies ListResult<Post> | undefined;
  const titles = useItems<Post, string[]>(
    "posts",
    {},
    { select: ({ data }) => data.map(({ title }) => title) },
  );
  titles.data satisfies string[] | undefined;
  const one = useItem<Post>("posts", "1", { fields: ["id", "title"], staleTime: 1000 });
  one.data?.title satisfies string | undefined;
  list.error?.status satisfies number | undefined;
  const roles = useItems("baasix_Role");
  roles.data?.data[0]?.name satisfies string | undefined;
  const anything = useItems("anything", { filter: { a: 1 } }, { select: ({ totalCount }) => totalCount });
  anything.data satisfies number | undefined;
  // @ts-expect-error -- an unknown field
  useItems<Post>("posts", { filter: { titel: "x" } });
  // @ts-expect-error -- the key is ours
  useItems<Post>("posts", {}, { queryKey: ["x"] });

  useCreateItem<Post>("posts").mutate({ title: "a" });
  useUpdateItem<Post>("posts").mutate({ id: "1", data: { views: 2 } });
  useDeleteItem<Post>("posts", { onSuccess: () => undefined }).mutate("1");
  // @ts-expect-error -- a wrong type
  useUpdateItem<Post>("posts").mutate({ id: "1", data: { views: "2" } });
}

/** The provider takes typed clients; the options carry the type of their data. */
export async function accepts(client: Baasix<{ posts: Post }>, cache: QueryClient): Promise<unknown> {
  const options = itemsQuery<Post>(client, "posts", { limit: 1 });
  cache.getQueryData(options.queryKey)?.data[0]?.title satisfies string | undefined;
  (await cache.ensureQueryData(options)).totalCount satisfies number;
  return <BaasixProvider client={client} />;
}
