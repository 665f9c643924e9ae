// Written by "baasix generate". Do not edit: run it again after a schema change.
// Values have the types of the wire: BigInt and Decimal are strings (every digit is kept), dates are ISO 8601 strings.

export interface Board {
  id: string;
  name: string;
  columns?: Column[];
}

export interface Card {
  id: string;
  title: string;
  sort: number | null;
  column_Id: string;
  column?: Column | null;
}

export interface Column {
  id: string;
  title: string;
  /** Its cards stay as they are */
  closed: boolean;
  sort: number | null;
  board_Id: string;
  board?: Board | null;
  cards?: Card[];
}

/** Every collection by its name, for createBaasix<BaasixCollections>({ url }). */
export interface BaasixCollections {
  boards: Board;
  cards: Card;
  columns: Column;
}

/** The name of a collection. */
export type CollectionName = keyof BaasixCollections;
