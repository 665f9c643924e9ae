/** Where bytes lie in the storage: everything of a file is in one folder named by its id. */

/** The folder of a file. `id` is a UUID as the database writes it. */
export const fileFolder = (id: string): string => id.toLowerCase();

/** The bytes as they were uploaded. */
export const originalKey = (id: string): string => `${fileFolder(id)}/original`;

/** A transformed image; `name` comes from `planTransform`. */
export const variantKey = (id: string, name: string): string => `${fileFolder(id)}/${name}`;

/** Where uploads are noted whose row is not there yet; the id of no file. */
export const pendingFolder = "pending";

/** The note of an upload under way: it outlives a process that dies between the bytes and the row. */
export const pendingKey = (id: string): string => `${pendingFolder}/${id.toLowerCase()}`;
