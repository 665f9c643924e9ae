/** Type tests of the hooks: read by `bun check`, never run. */
import type {
  Baasix,
  CountMode,
  ItemId,
  ListResult,
  MemberTenant,
  MeResult,
  SessionUser,
  Transaction,
  TransactionOperation,
} from "@baasix/sdk";
import { type QueryClient, useInfiniteQuery, useSuspenseQuery } from "@tanstack/react-query";
import { usePermission, useSession, useTenants, useUser } from "./account";
import { useAuth } from "./auth";
import { BaasixProvider } from "./provider";
import {
  useCreateItem,
  useDeleteItem,
  useImportItems,
  useReorder,
  useUpdateItem,
  useUpsertItem,
} from "./mutations";
import { useTransaction } from "./transaction";
import { useAggregate, useCount, useInfiniteItems, useItem, useItems } from "./items";
import { useSubscription } from "./subscription";
import { aggregateQuery, countQuery, infiniteItemsQuery, itemQuery, itemsQuery } from "./queries";

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
  useSubscription<Post>("posts", ({ data, _old }) => void [data.title satisfies string, _old?.views], {
    key: 1,
  });
  // @ts-expect-error -- an unknown field
  useSubscription<Post>("posts", () => undefined, { filter: { titel: "x" } });
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

/** With an explicit item type the whole item is there; `sdk/testing` holds what registered collections give. */
export function Explicit(): void {
  const posts = useInfiniteItems<Post>("posts", { sort: "-views" });
  posts.data?.pages satisfies ListResult<Post, CountMode>[] | undefined;
  useCount<Post>("posts", { search: "words" }).data satisfies number | undefined;
  useAggregate<Post>("posts", { aggregate: { n: { function: "max", field: "views" } } }).data?.[0]
    ?.n satisfies unknown;
  // @ts-expect-error -- an unknown field to work with
  useAggregate<Post>("posts", { aggregate: { n: { function: "max", field: "view" } } });
  // @ts-expect-error -- a count has no pages
  useCount<Post>("posts", { limit: 1 });
  // @ts-expect-error -- where the next page begins is ours
  useInfiniteItems<Post>("posts", {}, { getNextPageParam: () => "" });
}

/** The factories suit the hooks of TanStack Query. */
export function Factories({ client }: { client: Baasix }): void {
  const infinite = useInfiniteQuery(infiniteItemsQuery<Post>(client, "posts", { limit: 20 }));
  infinite.data?.pages[0]?.data satisfies Post[] | undefined;
  useSuspenseQuery(countQuery<Post>(client, "posts")).data satisfies number;
  useSuspenseQuery(itemQuery<Post>(client, "posts", "1")).data satisfies Post;
  const query = { aggregate: { n: { function: "count", field: "*" } } } as const;
  useSuspenseQuery(aggregateQuery<Post>(client, "posts", query)).data[0]?.n satisfies unknown;
}

/** What is known of who is signed in. */
export function Accounts(): void {
  useSession().data satisfies MeResult | null | undefined;
  useSession({ select: (session) => session?.roles.length }).data satisfies number | undefined;
  useUser().data satisfies SessionUser | null | undefined;
  useTenants({ staleTime: 1 }).data satisfies readonly MemberTenant[] | undefined;
  usePermission("posts", "read", "title") satisfies { allowed: boolean; conditional: boolean };
  // @ts-expect-error -- there is no such action
  usePermission("posts", "write");
  // @ts-expect-error -- given already
  useSession({ queryKey: ["mine"] });
  const { register, switchTenant } = useAuth();
  void register({ email: "a", password: "b", firstName: "c", tenant: { name: "d" } }).then((result) => {
    result.token satisfies string | undefined;
    if (!result.requiresEmailVerification) result.token satisfies string;
  });
  void switchTenant("1").then(({ mfaRequired }) => mfaRequired satisfies true | undefined);
}

/** What writing hooks take and give. */
export function Writing(tx: Transaction): void {
  useCreateItem<Post>("posts", {
    optimistic: { at: "start", item: ({ title }) => ({ views: title?.length ?? 0 }) },
  }).mutate({ title: "a" });
  useCreateItem<Post>("posts", {
    // @ts-expect-error -- an unknown field
    optimistic: { at: "end", item: () => ({ view: 0 }) },
  });
  useUpsertItem<Post>("posts").mutate({ on: "title", data: { title: "a" } });
  // @ts-expect-error -- an unknown field
  useUpsertItem<Post>("posts").mutate({ filter: { titel: "a" }, data: {} });
  useReorder("posts").mutate(["2", "1"]);
  // @ts-expect-error -- there is no such mode
  useReorder("posts").mutate({ item: "2", to: "1", mode: "onto" });
  useImportItems("posts").mutate({ file: "title\na\n", format: "csv", mode: "partial" });
  const operation = tx.items("posts").create({ title: "a" });
  const transact = useTransaction();
  transact.mutate(tx);
  transact.data?.of(operation).id satisfies ItemId | undefined;
  // @ts-expect-error -- one that is put together, where nothing else was said
  transact.mutate([]);
  const list = useTransaction<TransactionOperation[]>();
  list.mutate([{ action: "delete", collection: "posts", id: "1" }]);
  list.data?.length satisfies number | undefined;
}
