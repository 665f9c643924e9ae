/** What rights say about one thing that a component offers. Pure. */
import type { Action, FieldRights, Rights } from "@baasix/sdk";

/** Whether something may be done, and whether on some items alone. The server decides all the same. */
export type Right = { readonly allowed: boolean; readonly conditional: boolean };

const refused: Right = { allowed: false, conditional: false };

/**
 * Whether `rights` allow an action on a collection, and with a `field` (a column, or a path such as `author.name`) on that. A
 * path counts as allowed where a permission on this collection opens it.
 */
export function rightTo(rights: Rights, collection: string, action: Action, field?: string): Right {
  const granted = Object.hasOwn(rights.collections, collection) && rights.collections[collection]?.[action];
  if (!granted) return refused;
  const { conditional } = granted;
  if (field === undefined || !("fields" in granted)) return { allowed: true, conditional };
  if (!opens(granted, field)) return refused;
  return { allowed: true, conditional: conditional || granted.partly.includes(field) };
}

function opens({ fields }: FieldRights, field: string): boolean {
  const path = field.split(".");
  return fields.some((pattern) => leadsTo(pattern.split("."), path));
}

/** One star is one level, two are everything from there on. A relation counts as open where anything behind it is. */
function leadsTo(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [place, name] of path.entries()) {
    const part = pattern[place];
    if (part === "**") return true;
    if (part === undefined || (part !== "*" && part !== name)) return false;
  }
  return true;
}
