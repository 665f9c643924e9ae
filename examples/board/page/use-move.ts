/** Moving cards: shown at once, written in order, taken back when the server refuses. */
import { baasixKeys, itemsQuery, useBaasix } from "@baasix/react";
import type { BaasixError, ListResult } from "@baasix/sdk";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Card } from "../baasix";
import { cardsQuery, type Move, moved, placeOf } from "./board-query";

/** Gives a function that moves a card. `onRefused` hears why a move was taken back. */
export function useMove(board: string, onRefused: (error: BaasixError) => void): (move: Move) => void {
  const client = useBaasix();
  const cache = useQueryClient();
  const all = baasixKeys.items(client, "cards");
  const { queryKey } = itemsQuery<Card>(client, "cards", cardsQuery(board));
  const show = (move: Move) =>
    cache.setQueryData<ListResult<Card>>(queryKey, (cards) => cards && moved(cards, move));

  const { mutate } = useMutation<void, BaasixError, Move, Move | null>({
    // Under the key of the collection, live answers wait until the move is written.
    mutationKey: [...all, "move"],
    // One after the other, so that two moves of a card end as they were made.
    scope: { id: `moves of ${board}` },
    // All of it or nothing: nobody sees a card in its new column, but not yet in its place.
    async mutationFn({ card, column, next }) {
      const move = client.transaction();
      const cards = move.items<Card>("cards");
      // First of all: those who sort take turns, and whoever waits holds no card then.
      if (next) cards.sortItem(card, next.card, next.side);
      cards.update(card, { column_Id: column });
      await move.run();
    },
    async onMutate(move) {
      await cache.cancelQueries({ queryKey });
      const cards = cache.getQueryData<ListResult<Card>>(queryKey);
      show(move);
      return cards ? placeOf(cards, move.card) : null;
    },
    onError(error, _, before) {
      if (before) show(before);
      onRefused(error);
    },
    onSettled() {
      // The last one reads what became of all.
      if (cache.isMutating({ mutationKey: all }) === 1) void cache.invalidateQueries({ queryKey });
    },
  });
  return mutate;
}
