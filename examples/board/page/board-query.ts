/** What the page reads of a board, and where a card that moves goes. */
import type { ListResult, Query } from "@baasix/sdk";
import type { Card, Column } from "../baasix";

/** The columns of a board, in their order. */
export function columnsQuery(board: string): Query<Column> {
  return { filter: { board_Id: board }, sort: "sort", limit: 50 };
}

/** The cards of all columns of a board, in their order. */
export function cardsQuery(board: string): Query<Card> {
  return { filter: { column: { board_Id: board } }, sort: "sort", limit: 1000 };
}

/** A card goes to a column: right before or after another card of it, or nowhere in particular when there is none. */
export type Move = {
  readonly card: string;
  readonly column: string;
  readonly next: { readonly card: string; readonly side: "before" | "after" } | null;
};

/** The list as it is after the move; the same where the card is not in it. */
export function moved(cards: ListResult<Card>, { card: id, column, next }: Move): ListResult<Card> {
  const card = cards.data.find((each) => each.id === id);
  if (!card) return cards;
  const target = { ...card, column_Id: column };
  if (!next || next.card === id) {
    return { ...cards, data: cards.data.map((each) => (each === card ? target : each)) };
  }
  const others = cards.data.filter((each) => each !== card);
  const at = others.findIndex((each) => each.id === next.card);
  if (at < 0) return { ...cards, data: cards.data.map((each) => (each === card ? target : each)) };
  return { ...cards, data: others.toSpliced(next.side === "after" ? at + 1 : at, 0, target) };
}

/** Where a card is now, as a move that brings it back there. */
export function placeOf(cards: ListResult<Card>, id: string): Move | null {
  const at = cards.data.findIndex((each) => each.id === id);
  const card = cards.data[at];
  if (!card) return null;
  const [before, after] = [cards.data[at - 1], cards.data[at + 1]];
  const next = before
    ? ({ card: before.id, side: "after" } as const)
    : after
      ? ({ card: after.id, side: "before" } as const)
      : null;
  return { card: id, column: card.column_Id, next };
}
