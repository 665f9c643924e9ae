/**
 * A program of someone who installed the packages and registered their collections: type checked by `packages.test.ts`
 * against what is published. It is no part of the workspace, as registering counts for all of a program.
 */
import {
  BaasixProvider,
  useAggregate,
  useCount,
  useCreateItem,
  useInfiniteItems,
  useItem,
  useItems,
  useTransaction,
  useUpsertItem,
} from "@baasix/react";
import { aggregateQuery, countQuery, infiniteItemsQuery, itemQuery, itemsQuery } from "@baasix/react/queries";
import { createBaasix, type QueryBuilder } from "@baasix/sdk";

interface Category {
  id: string;
  name: string;
}
interface Product {
  id: string;
  name: string;
  price: `${number}` | null;
  category?: Category | null;
}
declare module "@baasix/react" {
  interface Register {
    collections: { products: Product; categories: Category };
  }
}
const baasix = createBaasix<{ products: Product; categories: Category }>({ url: "http://localhost" });

export function Names() {
  const { data } = useItems("products", { sort: "name" });
  return <BaasixProvider client={baasix}>{data?.data.map(({ name }) => name.trim())}</BaasixProvider>;
}

/** What the hooks give follows what was asked for. */
export function Asked() {
  const chosen = useItems("products", { fields: ["name", "category.name"], count: "none" });
  chosen.data?.data satisfies { name: string; category: { id: string; name: string } | null }[] | undefined;
  chosen.data?.totalCount satisfies undefined;
  const names = useItems(
    "products",
    { fields: ["name"], filter: { price: { gte: 5 } } },
    { select: ({ data }) => data.map(({ name }) => name), placeholderData: (before) => before },
  );
  names.data satisfies string[] | undefined;
  useItem("products", "1", { fields: ["price"] }).data satisfies { price: `${number}` | null } | undefined;
  useItem("baasix_Role", "1").data?.description satisfies string | null | undefined;

  const pages = useInfiniteItems("products", { fields: ["name"], limit: 20 }, { live: true });
  pages.data?.pages[0]?.data satisfies { name: string }[] | undefined;
  pages.data?.pages[0]?.totalCount satisfies undefined;
  void pages.fetchNextPage();
  const read = useInfiniteItems("products", { count: "exact" }, { select: ({ pages }) => pages.length });
  read.data satisfies number | undefined;

  useCount("products", { filter: { name: "a" } }, { live: true }).data satisfies number | undefined;
  const rows = useAggregate("products", {
    aggregate: { n: { function: "count", field: "*" }, most: { function: "max", field: "price" } },
    groupBy: ["category.name"],
    having: { n: { gt: 1 } },
  });
  rows.data?.[0]?.n satisfies number | undefined;
  rows.data?.[0]?.most satisfies `${number}` | null | undefined;
  rows.data?.[0]?.category_name satisfies string | null | undefined;
  useCreateItem("products").mutate({ name: "Boot", price: 5, category: { name: "Shoes" } });
  useCreateItem("products", { optimistic: { at: "end", item: () => ({ price: "0" }) } }).mutate({
    name: "Boot",
  });
  useUpsertItem("products").mutate({ filter: { name: "Boot" }, data: { price: 5 } });
  const tx = baasix.transaction();
  const category = tx.items("categories").create({ name: "Shoes" });
  const boot = tx.items("products").create({ name: "Boot", category: category.id }, { fields: ["price"] });
  const transact = useTransaction();
  transact.mutate(tx);
  transact.data?.of(boot).data.price satisfies `${number}` | null | undefined;
  // @ts-expect-error -- an unknown collection
  tx.items("product");
  // @ts-expect-error -- an unknown field
  useItems("products", { fields: ["nam"] });
  // @ts-expect-error -- a field that was not asked for
  chosen.data?.data[0]?.price satisfies unknown;
  // @ts-expect-error -- an unknown field to work with
  useAggregate("products", { aggregate: { n: { function: "max", field: "cost" } } });
  // @ts-expect-error -- a wrong type
  useCreateItem("products").mutate({ name: 1 });
}

export const options = [
  itemsQuery(baasix, "products", { fields: ["name"] }).queryKey,
  itemQuery(baasix, "products", "1", ["name"]).queryKey,
  infiniteItemsQuery(baasix, "products", { limit: 20 }).queryKey,
  countQuery(baasix, "products", { filter: { price: { isNull: true } } }).queryKey,
  aggregateQuery(baasix, "products", { aggregate: { n: { function: "count", field: "*" } } }).queryKey,
];
export const cheap: QueryBuilder<Product> = baasix.items("products").query().lt("price", 20);
// @ts-expect-error -- an unknown collection
baasix.items("nothing");
// @ts-expect-error -- an unknown field
itemsQuery(baasix, "products", { filter: { nam: "x" } });
// @ts-expect-error -- text operators are not for Decimals
cheap.like("price", "1%");
