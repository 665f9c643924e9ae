/** Conditions on the rows of relations: how they are read, and what several permissions leave of them. */
import { describe, expect, test } from "bun:test";
import { type Grant, parseGrant } from "../access/rules";
import type { Access } from "../access/policy";
import { AppError } from "../errors";
import { blogSchema } from "../../testing/blog";
import { authorizeRead } from "./authorize";
import { compileRead } from "./compile";
import { filterBudget } from "./filter";
import { parseRead } from "./parse";
import { planRead } from "./plan";
import { planRelConditions } from "./relConditions";
import type { Param } from "./variables";

type Rule = { readonly conditions?: unknown; readonly relConditions?: unknown };

const posts = blogSchema.collections.get("posts");
if (!posts) throw new Error("no posts");

function grant(collection: string, { conditions = null, relConditions = null }: Rule): Grant {
  const row = { role_Id: "r", collection, action: "read", fields: ["*"], defaultValues: null };
  return parseGrant({ ...row, conditions, relConditions }, blogSchema);
}

/** What is bound in the list of comments, which carries the values of the conditions that hold there. */
function bound(query: Record<string, unknown>, rules: readonly Rule[]): string {
  const grants = rules.map((rule) => grant("posts", rule));
  const access: Access = (collection) =>
    collection.name === "posts"
      ? { unlimited: false, secrets: false, grants }
      : { unlimited: false, secrets: false, grants: [grant(collection.name, {})] };
  const read = authorizeRead(planRead(blogSchema, parseRead("posts", query)), access);
  const { text, params } = compileRead(read, "one", 1);
  const comments = /from "comments" t\d+ where (.*?) order by/.exec(text)?.[1] ?? "";
  return comments
    .replaceAll(/t\d+\./g, "")
    .replaceAll(/\$(\d+)::\w+/g, (_, n: string) => `'${textOf(params[Number(n) - 1])}'`)
    .replace(/^"post_Id" = "id" and "deletedAt" is null(?: and )?/, "");
}

function textOf(param: Param | undefined): string | null {
  return param?.kind === "value" ? param.text : null;
}

const only = (text: string): unknown => ({ comments: { text } });

describe("of several permissions", () => {
  const fields = "id,comments.id";
  const table: readonly (readonly [what: string, rules: readonly Rule[], condition: string])[] = [
    ["without any, all rows", [{}], ""],
    ["one", [{ relConditions: only("a") }], `("text" = 'a')`],
    ["one that opens every row lifts those of others", [{ relConditions: only("a") }, {}], ""],
    [
      "several that open every row: any of them suffices",
      [{ relConditions: only("a") }, { relConditions: only("b") }],
      `(("text" = 'a') or ("text" = 'b'))`,
    ],
    [
      "one that opens some rows lifts them for those alone",
      [{ relConditions: only("a") }, { conditions: { published: true } }],
      `(("text" = 'a') or ("published" = 'true'))`,
    ],
    [
      "each holds for the rows that it opens",
      [
        { conditions: { published: true }, relConditions: only("a") },
        { conditions: { title: "x" }, relConditions: only("b") },
      ],
      `((("published" = 'true') and ("text" = 'a')) or (("title" = 'x') and ("text" = 'b')))`,
    ],
  ];
  test.each(table)("%s", (_what, rules, condition) => expect(bound({ fields }, rules)).toBe(condition));

  test("the request adds to them", () => {
    const query = { fields, relConditions: only("c") };
    expect(bound(query, [{ relConditions: only("a") }])).toBe(`("text" = 'a') and ("text" = 'c')`);
    const inner = { fields: ["id", { comments: { filter: { text: "c" } } }] };
    expect(bound(inner, [{ relConditions: only("a") }])).toBe(`("text" = 'a') and ("text" = 'c')`);
  });

  test("they go on from relation to relation", () => {
    const relConditions = { author: { posts: { comments: { text: "deep" } } } };
    expect(bound({ fields: "author.posts.comments.id" }, [{ relConditions }])).toBe(`("text" = 'deep')`);
    expect(bound({ fields: "comments.id" }, [{ relConditions }])).toBe("");
  });
});

describe("reading", () => {
  const plan = (input: unknown) =>
    planRelConditions(blogSchema, posts, input, "relConditions", filterBudget());

  test("the key of a relation goes a level down, every other key is a filter", () => {
    const rules = plan({ comments: { text: "a", "post.title": "b", post: { author: { name: "c" } } } });
    const comments = rules.get("comments");
    expect(comments?.rows).toMatchObject({
      kind: "all",
      items: [{ field: { name: "text" } }, { kind: "related", relation: { name: "post" } }],
    });
    expect(comments?.nested.get("post")?.rows).toBeNull();
    expect(comments?.nested.get("post")?.nested.get("author")?.rows).toMatchObject({
      field: { name: "name" },
    });
  });

  const deep = (levels: number): unknown =>
    levels === 0 ? { text: "a" } : { comments: { post: deep(levels - 1) } };
  const refused: readonly (readonly [input: unknown, message: string])[] = [
    [{ comment: {} }, "relConditions.comment: 'posts' has no relation 'comment'; did you mean 'comments'?"],
    [{ comments: true }, "relConditions.comments: 'comments' is not among the fields"],
    [
      { comments: { txt: "a" } },
      "relConditions.comments.txt: 'comments' has no field 'txt'; did you mean 'text'?",
    ],
    [{ AND: [5] }, "relConditions.AND[0]: expected an object"],
    [deep(6), "conditions may be nested 10 levels deep"],
    [JSON.parse('{"comments":{"__proto__":{"eq":1}}}'), "'comments' has no field '__proto__'"],
  ];
  test.each(refused)("%j is refused", (input, message) => {
    try {
      plan(input);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return expect(error.message).toContain(message);
    }
    throw new Error("expected a refusal");
  });
});
