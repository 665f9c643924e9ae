import { expect, test } from "bun:test";
import type { Action, Rights } from "@baasix/sdk";
import { rightTo } from "./rights";

const rights: Rights = {
  admin: false,
  roles: [],
  collections: {
    posts: {
      read: { fields: ["*", "author.name", "comments.*", "tags.**"], partly: ["price"], conditional: false },
      update: { fields: ["title", "price"], partly: ["price"], conditional: false },
      delete: { conditional: true },
    },
    all: { read: { fields: ["*", "**"], partly: [], conditional: false } },
  },
};
const yes = { allowed: true, conditional: false };
const some = { allowed: true, conditional: true };
const no = { allowed: false, conditional: false };

test.each<[string, Action, string | undefined, typeof yes]>([
  ["posts", "read", undefined, yes],
  ["posts", "create", undefined, no],
  ["nothing", "read", undefined, no],
  ["constructor", "read", undefined, no],
  ["posts", "delete", undefined, some],
  ["posts", "delete", "title", some],
  ["posts", "update", "title", yes],
  ["posts", "update", "body", no],
  ["posts", "update", "price", some],
  ["posts", "read", "body", yes],
  ["posts", "read", "author", yes],
  ["posts", "read", "author.name", yes],
  ["posts", "read", "author.email", no],
  ["posts", "read", "author.company.name", no],
  ["posts", "read", "comments.text", yes],
  ["posts", "read", "comments.author.name", no],
  ["posts", "read", "tags.group.name", yes],
  ["posts", "update", "title.x", no],
  ["all", "read", "anything.at.all", yes],
])("%s: %s of %p", (collection, action, field, right) => {
  expect(rightTo(rights, collection, action, field)).toEqual(right);
});
