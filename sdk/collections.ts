/** How names of collections give the types of their items. Types alone. */
import type { FileRecord, NotificationRecord, Permission, Role } from "@baasix/types";
import type { UserRecord } from "./accounts";
import type { Items } from "./items";

/** Collections that every server has. */
export type SystemCollections = {
  baasix_User: UserRecord;
  baasix_Role: Role;
  baasix_Permission: Permission;
  baasix_File: FileRecord;
  baasix_Notification: NotificationRecord;
};

/** Names of collections that a typed client knows. */
export type CollectionName<Collections> = (keyof Collections | keyof SystemCollections) & string;

/** The item type of a collection. */
export type ItemOf<Collections, Name> = Name extends keyof Collections
  ? AsObject<Collections[Name]>
  : Name extends keyof SystemCollections
    ? SystemCollections[Name]
    : never;

type AsObject<Value> = Value extends object ? Value : never;

/**
 * A collection named beside an explicit item type: any name. Without the type it is `never`, so that
 * a name the typed client does not know is a mistake.
 */
export type NameFor<Item> = [Item] extends [never] ? never : string;

/** Gives the items of a collection: `items("products")` of a typed client, or `items<Product>("products")`. */
export type ItemsOf<Collections> = {
  <Name extends CollectionName<Collections>>(collection: Name): Items<ItemOf<Collections, Name>>;
  <Item extends object = never>(collection: NameFor<Item>): Items<Item>;
};
