/** Where an application says which collections its server has. */
import type { CollectionName, GenericItem, ItemOf } from "@baasix/sdk";

/**
 * Declare the generated types here once, and every hook knows them:
 * `declare module "@baasix/react" { interface Register { collections: BaasixCollections } }`.
 */
// oxlint-disable-next-line typescript/no-empty-interface, typescript/no-empty-object-type -- filled by applications
export interface Register {}

/** The declared collections, or any name with items of which nothing is known. */
export type RegisteredCollections = Register extends { collections: infer Collections extends object }
  ? Collections
  : Record<string, GenericItem>;

/** Names that hooks accept without an explicit item type. */
export type RegisteredName = CollectionName<RegisteredCollections>;

/** The item type of such a name. */
export type RegisteredItem<Name> = ItemOf<RegisteredCollections, Name>;
