/** Answers of the item routes. */
import type { RelatedItem } from "./paths";
import type { GenericItem, NumberText } from "./values";

/** A primary key value: UUID, SUID or text, or a number. */
export type ItemId = string | number;

/** The type of an item's primary key, where it is called `id`. */
export type IdOf<Item> = string extends keyof Item
  ? ItemId
  : Item extends { readonly id: infer Id extends ItemId }
    ? Id
    : ItemId;

/** `POST /items/:collection` without `?fields=`. */
export type CreatedItem = { readonly data: { readonly id: ItemId } };

/** One entry of `PATCH /items/:collection/bulk`. `version`: that the item must still have, an ETag or its first part. */
export type BulkUpdateEntry<Item = GenericItem> = {
  readonly id: ItemId;
  readonly data: ItemInput<Item>;
  readonly version?: string;
};

/** What a permission may allow on a collection. */
export type Action = "create" | "read" | "update" | "delete";

/** A row of `baasix_Permission`. `fields`: column names, `*`, `relation.*`, `relation.column`. Null conditions: none. */
export type Permission = {
  readonly id: string;
  readonly role_Id: string;
  readonly collection: string;
  readonly action: Action;
  readonly fields: readonly string[] | null;
  readonly conditions: { readonly [key: string]: unknown } | null;
  readonly relConditions: { readonly [key: string]: unknown } | null;
  readonly defaultValues: { readonly [key: string]: unknown } | null;
};

/**
 * A row of `baasix_Role`. `appAccess`: a hint for front ends, whether to let the role in. `adminAccess`: told, not given;
 * true for `administrator` alone. `ipWhitelist`: addresses and CIDR ranges from which alone the role counts.
 */
export type Role = {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly icon: string | null;
  readonly appAccess: boolean;
  readonly adminAccess: boolean;
  readonly enforceTotp: boolean;
  readonly ipWhitelist: readonly string[] | null;
  readonly isTenantSpecific: boolean;
  readonly canInviteRoleIds: readonly string[] | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

/** A role as sign-in answers it. */
export type AuthRole = Pick<
  Role,
  "id" | "name" | "description" | "icon" | "appAccess" | "isTenantSpecific" | "canInviteRoleIds"
>;

/** An item by its key, as text or number or `{id: 1}`; the row of a junction also by where it leads: `{tags_id: 5}`. */
type KeyInput<Item> = ItemId | ItemInput<Item>;

/**
 * Changes to a list of related items; those that it does not name stay as they are. `create`: new ones. `connect`: those
 * that are there, by key. `update`: with their key and what changes. `detach`: no longer in the list. `delete`: no longer
 * at all.
 */
export type ListChanges<Item = GenericItem> = {
  readonly create?: readonly ItemInput<Item>[];
  readonly connect?: readonly KeyInput<Item>[];
  readonly update?: readonly ItemInput<Item>[];
  readonly detach?: readonly KeyInput<Item>[];
  readonly delete?: readonly KeyInput<Item>[];
};

type WrittenValue<Value> = [RelatedItem<Value>] extends [never]
  ? NumberText extends Value
    ? string extends Value
      ? Value
      : Value | string | number
    : Value
  : Value extends null | undefined
    ? Value
    : Value extends readonly unknown[]
      ? readonly KeyInput<RelatedItem<Value>>[] | ListChanges<RelatedItem<Value>>
      : Value | ItemId | ItemInput<RelatedItem<Value>>;

/**
 * The fields of a new or changed item. A relation to one takes the key of its target, or the related item's fields: without
 * a key a new one, with its key one that is there and what changes of it; null takes it away. A relation to many takes the
 * whole list that is to be there, of keys and of such items; or `ListChanges`.
 */
export type ItemInput<Item = GenericItem> = {
  readonly [Key in keyof Item]?: unknown extends Item[Key] ? unknown : WrittenValue<Item[Key]>;
};
