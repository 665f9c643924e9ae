/** Type tests of queries: read by `bun check`, never run. */
import type {
  FieldPath,
  Filter,
  FilterOperators,
  ItemId,
  ItemInput,
  OperatorName,
  Query,
  Sort,
} from "@baasix/types";
import type { Baasix } from "./client";

interface User {
  id: string;
  email: string;
  team: Team | null;
}
interface Team {
  id: number;
  name: string;
  members: User[] | null;
}
interface Post {
  id: string;
  title: string;
  status: "draft" | "published";
  views: number;
  price: `${number}`;
  featured: boolean;
  tags: string[];
  meta: unknown;
  deletedAt: string | null;
  author: User | null;
  comments?: { id: string; text: string; author: User | null }[] | null;
}

export const filters: Filter<Post>[] = [
  { title: "x", views: { gt: 3, lte: 9 }, deletedAt: { isNull: true } },
  { status: { in: ["draft"] }, featured: true, price: { gte: 10 } },
  { price: { gte: "10.50" } },
  { views: { gt: "$COL(price)" }, author: { email: { endsWith: "@x.org" } } },
  { OR: [{ status: "draft" }, { NOT: { title: { contains: "x" } } }], AND: [{ views: 1 }] },
  { "author.email": { eq: "$CURRENT_USER.email" }, "author.team.name": "core" },
  { author: { team: { members: { email: "a@b.c" } } } },
  { author: { isNull: true }, comments: { text: { ilike: "%x%" } }, meta: { anything: 1 } },
  { deletedAt: null, title: { like: "%x%" } },
  // @ts-expect-error -- an unknown field
  { titel: "x" },
  // @ts-expect-error -- an unknown operator
  { views: { above: 3 } },
  // @ts-expect-error -- a value outside the enumeration
  { status: { eq: "gone" } },
  // @ts-expect-error -- text for a number
  { views: { gt: "3" } },
  // @ts-expect-error -- text operators are not for numbers
  { views: { like: "3" } },
  // @ts-expect-error -- between takes two values
  { views: { between: [1] } },
  // @ts-expect-error -- an unknown field of a related item
  { author: { mail: "x" } },
  // @ts-expect-error -- an unknown field of a related item, dotted
  { "author.mail": "x" },
  // @ts-expect-error -- a wrong value behind a dotted path
  { "author.email": { eq: 3 } },
  // @ts-expect-error -- nested: a list of filters, not one
  { OR: { status: "draft" } },
];

export const sorts: Sort<Post>[] = [
  { views: "desc", title: "asc" },
  ["-views", "title", "title:desc", "author.email", "-author.team.name"],
  "anything goes in text",
  { _distance: { target: [8.5, 47.4], column: "title" }, views: "asc" },
  { "author.email": "asc" },
  // @ts-expect-error -- an unknown field
  { viewz: "desc" },
  // @ts-expect-error -- an unknown direction
  { views: "down" },
  // @ts-expect-error -- an unknown field in a list
  ["-viewz"],
];

export const fields: FieldPath<Post>[] = [
  "*",
  "title",
  "author.*",
  "author.*.*",
  "author.email",
  "author.team.name",
  "comments.author.email",
  "-title",
  "-author.email",
  // @ts-expect-error -- an unknown field
  "titel",
  // @ts-expect-error -- an unknown field of a related item
  "author.mail",
  // @ts-expect-error -- a column is no relation
  "title.x",
];

const anyPaths: string[] = ["x.y"];
/** Where nothing is known, everything may be said. */
export const untyped: Query = {
  fields: anyPaths,
  filter: { whatever: { gt: 1 }, "a.b": 2, AND: [{ c: "d" }] },
  sort: { "a.b": "desc", c: "asc" },
};

export const inputs: ItemInput<Post>[] = [
  { title: "x", views: 1, price: 12.5, tags: ["a"], meta: { any: [1] }, deletedAt: null },
  { price: "12.50", author: "3f1c", comments: [{ text: "first" }, "8b2a"] },
  { author: { email: "a@b.c", team: 3 } },
  { author: null },
  {
    author: { id: "3f1c", team: { name: "new", members: ["8b2a"] } },
    comments: [{ id: "8b2a", text: "b" }, "1"],
  },
  {
    comments: {
      create: [{ text: "x" }],
      connect: ["8b2a"],
      update: [{ id: "1", text: "y" }],
      detach: [{ id: "2" }],
    },
  },
  { comments: { delete: ["8b2a"], create: [{ author: { email: "a@b.c" } }] } },
  // @ts-expect-error -- an unknown field of a related item in a list
  { comments: [{ txt: "x" }] },
  // @ts-expect-error -- an unknown change of a list
  { comments: { remove: ["8b2a"] } },
  // @ts-expect-error -- a wrong type in a change of a list
  { comments: { update: [{ id: "1", text: 2 }] } },
  // @ts-expect-error -- there is one author, no list
  { author: { create: [{ email: "a@b.c" }] } },
  // @ts-expect-error -- a wrong type
  { views: "1" },
  // @ts-expect-error -- a number for text
  { title: 1 },
  // @ts-expect-error -- an unknown field
  { titel: "x" },
  // @ts-expect-error -- a wrong type in a related item
  { author: { email: 3 } },
];

interface Collections {
  posts: Post;
  teams: Team;
}

/** A typed client: items, inputs and changes have the types of their collections. */
export async function typedClient(baasix: Baasix<Collections>, plain: Baasix): Promise<void> {
  const { data } = await baasix.items("posts").find({ filter: { views: { gt: 1 } } });
  data[0]?.title satisfies string | undefined;
  const id: ItemId = await baasix.items("teams").create({ name: "core" });
  const team: Team = await baasix.items("teams").create({ name: "core" }, { fields: ["*"] });
  await baasix.items("teams").update(id, { name: team.name });
  (await baasix.from("baasix_Role").findOne("1")).name satisfies string;
  (await baasix.items<User>("elsewhere").findOne("1")).email satisfies string;
  baasix.realtime.subscribe(
    "posts",
    { filter: { status: "draft" } },
    ({ data }) => data.title satisfies string,
  );
  baasix.realtime.on("teams", "create", (team) => team.name satisfies string);
  const first = await baasix.items("posts").query().select("title").where({ views: 1 }).first();
  first satisfies { title: string } | null;
  // @ts-expect-error -- a field that was not selected
  first?.views satisfies number | undefined;
  // @ts-expect-error -- an unknown collection
  baasix.items("post");
  // @ts-expect-error -- an unknown field
  await baasix.items("posts").find({ filter: { titel: "x" } });
  // @ts-expect-error -- a wrong type
  await baasix.items("posts").create({ views: "many" });
  // @ts-expect-error -- an unknown field in a subscription
  baasix.realtime.subscribe("posts", { filter: { titel: "x" } }, () => undefined);

  (await plain.items("anything").find()).data[0]?.whatever satisfies unknown;
  (await plain.items<Post>("posts").find({ sort: { views: "asc" } })).data satisfies Post[];
  // @ts-expect-error -- an unknown field of the given type
  await plain.items<Post>("posts").find({ sort: { viewz: "asc" } });
}

/** Writes and transactions: what they take and give has the types of the collections. */
export async function typedWrites(baasix: Baasix<Collections>, plain: Baasix): Promise<void> {
  const posts = baasix.items("posts");
  const { data, version } = await posts.getWithVersion("1", { fields: ["title"] });
  data satisfies { title: string };
  (await posts.update("1", { views: 2 }, { version, fields: ["views"] })) satisfies { views: number };
  (await posts.upsert({ title: "a" }, { views: 1 })) satisfies string;
  const [upserted] = await baasix.items("teams").upsertMany([{ name: "a" }], { on: "name" });
  upserted?.id satisfies number | undefined;
  (await posts.deleteWhere({ status: "draft" }, { permanent: true })).ids satisfies
    readonly string[] | undefined;
  // @ts-expect-error -- an unknown field
  await posts.updateWhere({ titel: "a" }, { views: 1 });
  // @ts-expect-error -- a wrong type
  await posts.bulkUpdate([{ id: "1", data: { views: "many" } }]);
  // @ts-expect-error -- an unknown field
  await posts.upsertMany([{ title: "a" }], { on: ["titel"] });
  // @ts-expect-error -- what is created has no version yet
  await posts.create({ title: "a" }, { version });

  const tx = baasix.transaction();
  const team = tx.items("teams").create({ name: "core" });
  const post = tx.items("posts").create({ author: { email: "a@b.c", team: team.id } }, { fields: ["title"] });
  const members = tx
    .items("teams")
    .findOne(team.id, { fields: ["members.email"] })
    .named("members");
  const archived = tx.items("posts").updateWhere({ title: post.field("title") }, { status: "draft" });
  const results = await tx.run({ idempotencyKey: "1" });
  results.of(team) satisfies { id: number };
  results.of(post) satisfies { id: string; data: { title: string } };
  results.of(members).data.members?.[0]?.email satisfies string | undefined;
  results.of(archived).count satisfies number;
  // @ts-expect-error -- not asked for
  post.field("views");
  // @ts-expect-error -- no item, no fields
  team.field("name");
  // @ts-expect-error -- an unknown collection
  tx.items("post");
  // @ts-expect-error -- a wrong type: the id of a team is a number
  tx.items("posts").update(post.id, { title: team.id });

  const [order, line, found, read] = await plain.transaction([
    { action: "create", collection: "orders", data: { total: 100 } },
    { action: "create", collection: "lines", data: [{ order: "{{0.id}}" }] },
    { action: "read", collection: "lines", query: { filter: { order: "{{0.id}}" } } },
    { action: "read", collection: "orders", id: "{{0.id}}" },
  ]);
  order.id satisfies ItemId;
  line.count satisfies number;
  found.data[0]?.order satisfies unknown;
  read.data.total satisfies unknown;
  // @ts-expect-error -- an unknown action
  await plain.transaction([{ action: "drop", collection: "orders" }]);
}

interface Place {
  name: string;
  rank: number | null;
  open: boolean;
  at: { type: "Point"; coordinates: number[] } | null;
  stay: { lower: string | null; upper: string | null; lowerInclusive: boolean; upperInclusive: boolean };
  labels: ("a" | "b")[];
  meta: unknown;
  price: `${number}`;
}

export const operators: Filter<Place>[] = [
  { at: { within: { type: "Polygon", coordinates: [] } } },
  { at: { dwithin: { geometry: { type: "Point", coordinates: [1, 2] }, distance: 100 } } },
  { stay: { rangeContains: "2026-01-01" } },
  { stay: { rangeOverlaps: { lower: "2026-01-01", upper: null } } },
  { labels: { arraycontains: ["a"], contains: "b", isNotNull: true } },
  { meta: { jsonbKeyGt: { key: "size", value: 3 } } },
  { meta: { jsonbDeepValue: { path: ["a", "b"], op: "like", value: "x%" } } },
  { rank: { cast: "text", like: "1%" } },
  { rank: { is: null }, open: { is: true }, name: { nstartsWith: "x" } },
  { rank: { in: "$CURRENT_USER.ranks" } },
  // @ts-expect-error -- a text operator on a number
  { rank: { gt: 1, like: "1%" } },
  // @ts-expect-error -- an order on a boolean
  { open: { gt: true } },
  // @ts-expect-error -- not one of the items
  { labels: { arraycontains: ["c"] } },
  // @ts-expect-error -- text operators are not for Decimals
  { price: { like: "1%" } },
  // @ts-expect-error -- no geometry
  { at: { within: "here" } },
  // @ts-expect-error -- a wrong bound
  { stay: { rangeContains: 3 } },
  // @ts-expect-error -- no such operator
  { meta: "x", rank: { jsonbHasKey: "a" } },
];

/** An operator whose operand has no type here would be `never`. */
type Untyped = {
  [Name in OperatorName]: FilterOperators<unknown>[Name] extends undefined ? Name : never;
}[OperatorName];
export const untypedOperators: Untyped[] = [];
untypedOperators satisfies never[];
