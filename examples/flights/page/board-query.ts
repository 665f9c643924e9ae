/** What the board shows, as plain state, and the query that gives it. */
import type { Filter, Query } from "@baasix/types";
import type { Flight } from "../baasix";

/** Columns a user may sort by. */
export type SortField = "date" | "origin_Id" | "destination_Id" | "distance" | "delay";

/** State of the board. Dates are `yyyy-mm-dd` or empty; `page` starts at 1. */
export type BoardState = {
  readonly origin: string;
  readonly delay: keyof typeof delayFilters;
  readonly from: string;
  readonly to: string;
  readonly sort: SortField;
  readonly descending: boolean;
  readonly page: number;
};

/** The delays one may pick, by name. */
export const delayFilters = {
  any: { label: "Any", filter: {} },
  punctual: { label: "Early or on time", filter: { delay: { lte: 0 } } },
  quarter: { label: "15 min late or more", filter: { delay: { gte: 15 } } },
  hour: { label: "1 hour late or more", filter: { delay: { gte: 60 } } },
  hours: { label: "3 hours late or more", filter: { delay: { gte: 180 } } },
} satisfies Record<string, { readonly label: string; readonly filter: Filter<Flight> }>;

/** Newest first, nothing filtered. */
export const initialBoard: BoardState = {
  origin: "",
  delay: "any",
  from: "",
  to: "",
  sort: "date",
  descending: true,
  page: 1,
};

/** Flights a page. */
export const pageSize = 20;

/** True when text is an airport's code. */
export function isCode(text: string): boolean {
  return /^[0-9A-Z]{3,4}$/.test(text);
}

/** How many filters are set. */
export function countFilters({ origin, delay, from, to }: BoardState): number {
  return [isCode(origin), delay !== "any", from !== "", to !== ""].filter(Boolean).length;
}

/** The query of a board: one request, airports included. `*` gives the fields this user may read, whichever they are. */
export function boardQuery(board: BoardState): Query<Flight> {
  const { origin, delay, from, to, sort, descending, page } = board;
  const conditions: Filter<Flight>[] = [];
  if (isCode(origin)) conditions.push({ origin_Id: origin });
  if (delay !== "any") conditions.push(delayFilters[delay].filter);
  if (from !== "") conditions.push({ date: { gte: `${from}T00:00:00Z` } });
  if (to !== "") conditions.push({ date: { lte: `${to}T23:59:59.999Z` } });
  return {
    fields: [
      "*",
      "origin.name",
      "origin.city",
      "origin.state",
      "destination.name",
      "destination.city",
      "destination.state",
    ],
    filter: conditions.length > 0 ? { AND: conditions } : undefined,
    sort: [descending ? `-${sort}` : sort, "id"],
    limit: pageSize,
    page,
  };
}
