/** Where a file's bytes lie in the storage: everything of a file is in one folder named by its id. */

/** The folder of a file. `id` is a UUID as the database writes it. */
export const fileFolder = (id: string): string => id.toLowerCase();

/** The bytes as they were uploaded. */
export const originalKey = (id: string): string => `${fileFolder(id)}/original`;

/** A transformed image; `name` comes from `planTransform`. */
export const variantKey = (id: string, name: string): string => `${fileFolder(id)}/${name}`;
