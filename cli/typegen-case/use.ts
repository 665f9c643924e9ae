/** What the generated types promise, held by the type check: this file compiles and the wrong uses in it do not. */
import { createBaasix } from "@baasix/sdk";
import type { Filter, Geometry, NumberText, Query, RangeValue } from "@baasix/types";
import type { BaasixCollections, CollectionName, Post } from "./generated";

type Item<Name extends CollectionName> = BaasixCollections[Name];
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Holds<T extends true> = T;

export type FieldsHaveTheTypesOfTheWire = [
  Holds<Same<Post["views"], NumberText>>,
  Holds<Same<Post["price"], NumberText | null>>,
  Holds<Same<Post["rank"], number>>,
  Holds<Same<Post["status"], "draft" | "published" | "it's late">>,
  Holds<Same<Post["tags"], string[]>>,
  Holds<Same<Post["meta"], unknown>>,
  Holds<Same<Post["moods"], ("calm" | "cross")[] | null>>,
  Holds<Same<Post["seats"]["lower"], number | null>>,
  Holds<Post["seats"] extends RangeValue<number> ? true : false>,
  Holds<NonNullable<Post["area"]> extends Geometry ? true : false>,
  Holds<Same<Post["category_Id"], string | null>>,
  Holds<Same<Item<"comments">["id"], number>>,
  Holds<Same<Item<"2024 sales">["id"], NumberText>>,
];

export function relationsLeadToTheirCollections(post: Post): string | null | undefined {
  const commenter: string | undefined = post.comments?.[0]?.post?.author?.email;
  // @ts-expect-error -- a relation may be null
  const parent: string | undefined = post.category?.parent.name;
  return commenter ?? parent ?? post.category?.name;
}

export const query: Query<Post> = {
  fields: ["*", "category.name"],
  filter: {
    status: { in: ["draft", "published"] },
    rank: { gte: 3 },
    price: { gte: 10, lt: "20.50" },
    views: { in: [1, "9007199254740993"] },
    category: { name: { startsWith: "a" } },
    comments: { text: { contains: "thanks" } },
    OR: [{ live: true }, { startsAt: { gt: "2026-01-01T00:00:00Z" } }],
  },
  sort: { startsAt: "desc" },
};

export const wrong: readonly Filter<Post>[] = [
  // @ts-expect-error -- no such value of the enum
  { status: "gone" },
  // @ts-expect-error -- a number, not text
  { rank: { gte: "three" } },
  // @ts-expect-error -- no such field
  { tittle: "x" },
  // @ts-expect-error -- no such field of the related collection
  { category: { nam: { eq: "x" } } },
];

// @ts-expect-error -- no such collection
export const name: CollectionName = "postz";

const baasix = createBaasix<BaasixCollections>({ url: "http://localhost:8056" });

export async function answersHoldWhatWasAskedFor(): Promise<void> {
  const { data } = await baasix.items("posts").find({
    fields: ["title", "price", "category.name", "comments.text"],
  });
  data satisfies {
    title: string;
    price: NumberText | null;
    category: { id: string; name: string } | null;
    comments: { id: number; text: string }[];
  }[];
  const [column] = (await baasix.items("posts").find({ fields: ["*"] })).data;
  // @ts-expect-error -- `*` is the columns alone
  const related: unknown = column?.category;
  return void related;
}

export async function theClientKnowsTheCollections(): Promise<number> {
  const { data } = await baasix.items("posts").find({ filter: { rank: { gt: 1 } }, sort: "-startsAt" });
  const [first] = data;
  const status: "draft" | "published" | "it's late" | undefined = first?.status;
  // @ts-expect-error -- a BigInt is text on the wire
  const views: number | undefined = first?.views;
  // @ts-expect-error -- a number is compared with a number
  await baasix.items("comments").find({ filter: { id: { gt: "one" } } });
  // @ts-expect-error -- no such collection
  baasix.items("postz");
  const made = await baasix.items("comments").create({ text: "thanks", post_Id: "x" });
  // @ts-expect-error -- text is text
  await baasix.items("comments").update(made, { text: 3 });
  return (status?.length ?? 0) + (views ?? 0);
}
