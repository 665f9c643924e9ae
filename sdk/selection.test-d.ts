/** Type tests of what answers hold: read by `bun check`, never run. */
import type { CountMode, ListResult, NumberText, Query, Selected } from "@baasix/types";
import type { Baasix } from "./client";
import type { Items } from "./items";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Holds<Cases extends readonly true[]> = Cases;

/** As `baasix generate` writes them: relations are optional. */
interface User {
  id: string;
  email: string;
  settings: unknown;
  team?: Team | null;
  posts?: Post[];
}
interface Team {
  id: number;
  name: string;
  members?: User[];
}
interface Post {
  id: string;
  title: string;
  views: number | null;
  price: NumberText;
  tags: string[];
  extra: { width: number } | null;
  createdAt: string;
  author?: User | null;
  comments?: Comment[];
}
interface Comment {
  key: string;
  text: string;
  author?: User | null;
}
type Columns = Omit<Post, "author" | "comments">;

export type Selections = Holds<
  [
    Same<
      Selected<Post, ["title", "author.email"]>,
      { title: string; author: { id: string; email: string } | null }
    >,
    Same<Selected<Post, ["title", "comments.text"]>, { title: string; comments: { text: string }[] }>,
    Same<Selected<Post, ["*"]>["title"], string>,
    Same<keyof Selected<Post, ["*"]>, keyof Columns>,
    Same<keyof Selected<Post, ["*", "comments.text"]>, keyof Columns | "comments">,
    Same<keyof Selected<Post, []>, keyof Columns>,
    Same<keyof Selected<Post, ["-title"]>, Exclude<keyof Columns, "title">>,
    Same<keyof Selected<Post, ["*", "-title", "-views"]>, Exclude<keyof Columns, "title" | "views">>,
    Same<
      Selected<Post, ["author", "extra"]>,
      {
        author: { id: string; email: string; settings: unknown } | null;
        extra: { width: number } | null;
      }
    >,
    Same<Selected<Post, ["author.*", "-author.email"]>, { author: { id: string; settings: unknown } | null }>,
    Same<Selected<Post, ["author.team.name"]>, Selected<Post, "author.team.name">>,
    Same<
      Selected<Post, "title, author.team.name">,
      { title: string; author: { id: string; team: { id: number; name: string } | null } | null }
    >,
    Same<NonNullable<Selected<Post, ["author.*.*"]>["author"]>["team"], { id: number; name: string } | null>,
    Same<
      Selected<Post, ["title", { comments: { fields: ["text"]; sort: "-key"; limit: 5 } }]>,
      { title: string; comments: { text: string }[] }
    >,
    Same<
      Selected<Post, [{ author: { fields: ["email", { team: "name" }] } }, "views"]>,
      {
        views: number | null;
        author: { id: string; email: string; team: { id: number; name: string } | null } | null;
      }
    >,
    Same<
      keyof NonNullable<Selected<Post, [{ author: { fields: ["-email"] } }]>["author"]>,
      "id" | "settings"
    >,
    Same<keyof NonNullable<Selected<Post, [{ author: {} }]>["author"]>, "id" | "email" | "settings">,
    Same<Selected<Post, undefined>, Post>,
    Same<Selected<Post, string>, Post>,
    Same<Selected<Post, readonly "title"[]>, Post>,
    Same<Selected<Record<string, unknown>, ["a"]>, Record<string, unknown>>,
  ]
>;

interface Collections {
  posts: Post;
  users: User;
  teams: Team;
}

export async function reads(baasix: Baasix<Collections>, plain: Baasix, query: Query<Post>): Promise<void> {
  const posts = baasix.items("posts");
  const { data, totalCount } = await posts.find({
    fields: ["title", "author.email"],
    filter: { price: { gte: 5 }, author: { team: { name: "core" } } },
    sort: { createdAt: "desc" },
  });
  data satisfies { title: string; author: { id: string; email: string } | null }[];
  totalCount satisfies number;
  // @ts-expect-error -- a field that was not asked for
  data[0]?.views satisfies unknown;
  // @ts-expect-error -- an unknown field
  await posts.find({ fields: ["title", "titel"] });
  // @ts-expect-error -- an unknown field of a relation
  await posts.find({ fields: ["author.mail"] });
  const some = await posts.find({
    fields: [
      "title",
      { comments: { fields: ["text", "author.email"], filter: { text: { contains: "x" } }, limit: 3 } },
    ],
  });
  some.data satisfies {
    title: string;
    comments: { text: string; author: { id: string; email: string } | null }[];
  }[];
  // @ts-expect-error -- an unknown field of a relation, inside an object
  await posts.find({ fields: [{ comments: { fields: ["txt"] } }] });
  // @ts-expect-error -- a wrong value in the filter of a relation
  await posts.find({ fields: [{ comments: { filter: { text: 3 } } }] });
  // @ts-expect-error -- an unknown relation
  await posts.find({ fields: [{ remarks: { limit: 1 } }] });
  // @ts-expect-error -- an unknown parameter
  await posts.find({ fields: ["title"], filtre: {} });

  (await posts.find()).data satisfies Post[];
  (await posts.find(query)).data satisfies Post[];
  (await posts.find(query)).totalCount satisfies number;
  const uncounted = await posts.find({ count: "none", cursor: "" });
  uncounted.totalCount satisfies undefined;
  uncounted.nextCursor satisfies string | null | undefined;
  // @ts-expect-error -- no such way to count
  await posts.find({ count: "some" });

  (await posts.findOne("1", { fields: ["title"] })) satisfies { title: string };
  (await posts.create({ title: "a" }, { fields: ["id", "createdAt"] })) satisfies {
    id: string;
    createdAt: string;
  };
  (await posts.create({ title: "a" })) satisfies string;
  (await baasix.items("teams").createMany([{ name: "a" }])) satisfies number[];
  (await plain.items("anything").create({ a: 1 })) satisfies string | number;
  for await (const post of posts.all({ fields: ["title"], limit: 1000 })) post satisfies { title: string };
  for await (const page of posts.pages({ count: "exact" })) {
    page satisfies ListResult<Post, CountMode>;
  }
  const anything = await plain.items("anything").find({ fields: ["a", "b.c"] });
  anything.data[0]?.whatever satisfies unknown;
}

export async function steps(posts: Items<Post>, plain: Baasix): Promise<void> {
  const cheap = posts
    .query()
    .gte("price", 5)
    .lt("price", "10.50")
    .in("views", [1, 2])
    .like("author.email", "%@x.org")
    .between("createdAt", ["2026-01-01", "$NOW"])
    .eq("author.team.name", "core")
    .isNotNull("author.team.id")
    .isNull("extra", false)
    .relFilter({ comments: { text: { contains: "x" } } })
    .search("words", ["title"])
    .orderBy("author.email", "asc");
  (await cheap.get()).data satisfies Post[];
  const named = cheap.select("title", "comments.text").withCount("none");
  const page = await named.get();
  page.data satisfies { title: string; comments: { text: string }[] }[];
  page.totalCount satisfies undefined;
  (await named.first()) satisfies { title: string } | null;
  (await named.single()) satisfies { title: string };
  for await (const { title } of named.all()) title satisfies string;
  const few = await posts
    .query()
    .select("title", { comments: { fields: ["text"], limit: 1 } })
    .first();
  few satisfies { title: string; comments: { text: string }[] } | null;
  (await posts.query().select(["id"]).first())?.id satisfies string | undefined;
  // @ts-expect-error -- an unknown field
  posts.query().eq("titel", "x");
  // @ts-expect-error -- a wrong value
  posts.query().gt("views", "3");
  // @ts-expect-error -- text operators are not for numbers
  posts.query().like("views", "3");
  // @ts-expect-error -- an operator needs its value
  posts.query().eq("title");
  // @ts-expect-error -- a wrong value behind a path
  posts.query().eq("author.email", 3);
  // @ts-expect-error -- a column is no relation
  posts.query().relFilter({ title: { eq: "x" } });
  // @ts-expect-error -- an unknown field in the selection
  posts.query().select("titel");
  plain.items("anything").query().eq("what.ever", 1).select("a").search("x", ["b"]);
}

export async function works(posts: Items<Post>, plain: Baasix): Promise<void> {
  const rows = await posts.aggregate({
    aggregate: {
      total: { function: "sum", field: "price" },
      n: { function: "count", field: "*" },
      last: { function: "max", field: "createdAt" },
      titles: { function: "array_agg", field: "title" },
      first: { function: "min", field: "author.email" },
    },
    groupBy: ["views", "author.team.name", "date:month:createdAt"],
    having: { total: { gt: 100 }, OR: [{ n: 1 }, { last: { gte: "$NOW-DAYS_7" } }] },
    sort: { total: "desc", "author.team.name": "asc" },
    filter: { "author.email": { isNotNull: true } },
  });
  const [row] = rows;
  row?.total satisfies number | null | undefined;
  row?.n satisfies number | undefined;
  row?.last satisfies string | null | undefined;
  row?.titles satisfies string[] | null | undefined;
  row?.views satisfies number | null | undefined;
  row?.["author.team.name"] satisfies string | null | undefined;
  row?.author_team_name satisfies string | null | undefined;
  row?.month_createdAt satisfies number | null | undefined;
  // @ts-expect-error -- an unknown alias
  row?.totals satisfies unknown;
  const exact = await posts.aggregate({
    aggregate: { total: { function: "sum", field: "price" }, views: { function: "sum", field: "views" } },
    exact: true,
  });
  exact[0]?.total satisfies NumberText | null | undefined;
  exact[0]?.views satisfies number | null | undefined;
  await posts
    .query()
    .eq("title", "x")
    .aggregate({ aggregate: { n: { function: "count", field: "*" } } });
  // @ts-expect-error -- an unknown field
  await posts.aggregate({ aggregate: { n: { function: "count", field: "titel" } } });
  // @ts-expect-error -- an unknown function
  await posts.aggregate({ aggregate: { n: { function: "median", field: "views" } } });
  // @ts-expect-error -- an unknown field to group by
  await posts.aggregate({ aggregate: { n: { function: "count", field: "*" } }, groupBy: ["titel"] });
  const loose = await plain.items("a").aggregate({ aggregate: { n: { function: "count", field: "b" } } });
  loose[0]?.n satisfies unknown;
}
