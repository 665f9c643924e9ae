/** Limits that belong to no single parameter. */

/** Paging and size limits of a read. */
export const readLimits = { page: 100, maximum: 1000, sort: 8, fields: 200 } as const;
