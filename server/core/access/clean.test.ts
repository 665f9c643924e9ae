/** What happens to permission rows when fields, relations and collections go. */
import { describe, expect, test } from "bun:test";
import type { SchemaRecord } from "@baasix/types";
import { buildSchema } from "../schema/define";
import { cleanPermissions } from "./clean";
import type { PermissionRow } from "./rules";

const records = (posts: SchemaRecord["schema"]["fields"], team = true): readonly SchemaRecord[] => [
  {
    collectionName: "authors",
    schema: { name: "A", fields: { name: { type: "String" }, ...(team && { team: { type: "String" } }) } },
  },
  { collectionName: "posts", schema: { name: "P", fields: posts } },
];
const author = { relType: "BelongsTo", target: "authors" } as const;
const before = buildSchema(1, records({ title: { type: "String" }, state: { type: "String" }, author }));

const row = (more: Partial<PermissionRow>): PermissionRow => ({
  id: "p1",
  role_Id: "r1",
  collection: "posts",
  action: "read",
  fields: ["*"],
  conditions: null,
  relConditions: null,
  defaultValues: null,
  ...more,
});

const without = {
  state: buildSchema(2, records({ title: { type: "String" }, author })),
  author: buildSchema(2, records({ title: { type: "String" }, state: { type: "String" } })),
  team: buildSchema(2, records({ title: { type: "String" }, state: { type: "String" }, author }, false)),
  posts: buildSchema(2, records({ title: { type: "String" } }).slice(0, 1)),
};

type Outcome = "kept" | "removed" | Partial<PermissionRow>;
const rows: readonly (readonly [
  gone: keyof typeof without,
  row: Partial<PermissionRow>,
  outcome: Outcome,
])[] = [
  ["state", {}, "kept"],
  ["state", { fields: ["title", "state"] }, { fields: ["title"] }],
  ["state", { fields: "title, state" }, { fields: ["title"] }],
  ["state", { fields: ["state"] }, { fields: [] }],
  ["state", { fields: ["titel"] }, "kept"],
  ["state", { conditions: { state: "open" } }, "removed"],
  ["state", { conditions: { OR: [{ title: "a" }, { NOT: { state: { eq: "open" } } }] } }, "removed"],
  ["state", { conditions: { title: "a" } }, "kept"],
  ["state", { conditions: { "author.name": "a" } }, "kept"],
  ["state", { defaultValues: { state: "open", title: "x" } }, { defaultValues: { title: "x" } }],
  ["state", { collection: "authors", conditions: { name: "state" } }, "kept"],
  ["state", { conditions: { state: { nonsense: 1 } } }, "removed"],
  ["author", { fields: ["*", "author.*", "author.name", "author_Id"] }, { fields: ["*"] }],
  ["state", { conditions: { title: { ne: "$COL(state)" } } }, "removed"],
  ["state", { conditions: { title: { cast: "text", ne: "$COL(state::text)" } } }, "removed"],
  ["author", { conditions: { title: { ne: "$COL(author.name)" } } }, "removed"],
  ["team", { conditions: { title: { ne: "$COL(author.name)" } } }, "kept"],
  ["author", { conditions: { "author.name": "a" } }, "removed"],
  ["author", { conditions: { author: { name: { eq: "a" } } } }, "removed"],
  ["author", { conditions: { author_Id: { eq: "$CURRENT_USER" } } }, "removed"],
  ["team", { fields: ["*", "author.team", "author.*"] }, { fields: ["*", "author.*"] }],
  ["team", { conditions: { author: { team: "x" } } }, "removed"],
  ["team", { collection: "authors", conditions: { team: "x" } }, "removed"],
  ["team", { relConditions: { author: { team: "x" } } }, "removed"],
  ["team", { relConditions: { AND: [{ "author.team": { eq: "x" } }] } }, "removed"],
  ["team", { relConditions: { author: { name: "x" } } }, "kept"],
  ["author", { relConditions: { author: { name: "x" } } }, "removed"],
  ["posts", {}, "removed"],
  ["posts", { collection: "authors" }, "kept"],
  ["posts", { collection: "unknown" }, "kept"],
];

describe("when it is gone", () => {
  for (const [gone, given, outcome] of rows) {
    test(`${gone}: ${JSON.stringify(given)} is ${JSON.stringify(outcome)}`, () => {
      const { changed, removed } = cleanPermissions([row(given)], before, without[gone]);
      if (outcome === "kept") expect([changed, removed]).toEqual([[], []]);
      else if (outcome === "removed") expect([changed, removed]).toEqual([[], [row(given)]]);
      else expect([changed, removed]).toEqual([[row({ ...given, ...outcome })], []]);
    });
  }

  test("a relation that leads elsewhere is another relation", () => {
    const moved = buildSchema(2, [
      ...records({
        title: { type: "String" },
        state: { type: "String" },
        author: { ...author, target: "people" },
      }),
      { collectionName: "people", schema: { name: "P", fields: { name: { type: "String" } } } },
    ]);
    const { removed } = cleanPermissions([row({ conditions: { "author.name": "a" } })], before, moved);
    expect(removed).toHaveLength(1);
  });
});
