// Written by "baasix generate". Do not edit: run it again after a schema change.
// Values have the types of the wire: BigInt and Decimal are strings (every digit is kept), dates are ISO 8601 strings.

import type { Geometry, RangeValue } from "@baasix/sdk";

export interface _2024Sale {
  id: `${number}`;
  unknown: unknown;
}

export interface PLACE {
  id: string;
}

export interface BaasixUser {
  id: string;
  email: string;
  roles?: BaasixUserRole[];
  createdAt: string;
  updatedAt: string;
}

export interface BaasixUserRole {
  id: string;
  user_Id: string | null;
  user?: BaasixUser | null;
  createdAt: string;
  updatedAt: string;
}

export interface Category {
  id: string;
  name: string;
  posts?: Post[];
  parent_Id: string | null;
  parent?: Category | null;
}

export interface Comment {
  id: number;
  text: string;
  post_Id: string;
  post?: Post | null;
}

export interface Place {
  code: string;
  name: string | null;
}

/** What people wrote. */
export interface Post {
  id: string;
  /**
   * @minLength 3
   * @maxLength 200
   */
  title: string;
  /** Set once. */
  slug: string;
  /**
   * Markdown. It may hold *\/ and
   * more lines.
   */
  body: string | null;
  views: `${number}`;
  /** @minimum 0 */
  price: `${number}` | null;
  rank: number;
  score: number | null;
  weight: number | null;
  share: number | null;
  live: boolean;
  startsAt: string;
  day: string | null;
  hour: string | null;
  meta: unknown;
  raw: unknown;
  status: "draft" | "published" | "it's late";
  mood: "calm" | "cross" | null;
  tags: string[];
  moods: ("calm" | "cross")[] | null;
  marks: `${number}`[] | null;
  seats: RangeValue<number>;
  open: RangeValue<string> | null;
  place_at: (Geometry & { type: "Point"; coordinates: number[] }) | null;
  area: Geometry | null;
  full: string | null;
  local: string | null;
  /** @format email */
  contact: string | null;
  "odd name": string | null;
  category_Id: string | null;
  author_Id: string;
  category?: Category | null;
  author?: BaasixUser | null;
  place_Id: string | null;
  place?: Place | null;
  comments?: Comment[];
  userCreated_Id: string | null;
  userCreated?: BaasixUser | null;
  userUpdated_Id: string | null;
  userUpdated?: BaasixUser | null;
  createdAt: string;
  updatedAt: string;
  deletedAt: string | null;
}

/** Every collection by its name, for createBaasix<BaasixCollections>({ url }). */
export interface BaasixCollections {
  "2024 sales": _2024Sale;
  PLACES: PLACE;
  baasix_User: BaasixUser;
  baasix_UserRole: BaasixUserRole;
  categories: Category;
  comments: Comment;
  places: Place;
  posts: Post;
}

/** The name of a collection. */
export type CollectionName = keyof BaasixCollections;
