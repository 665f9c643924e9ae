/** A board: its columns and cards, who else is there, and what they are doing. */
import { isTemporaryId, useItems, usePresence } from "@baasix/react";
import { useRef, useState } from "react";
import type { Board as BoardItem, Card, Column as ColumnItem } from "../baasix";
import { cardsQuery, columnsQuery } from "./board-query";
import { Column, type Holder } from "./column";
import { hueOf } from "./hue";
import { People, useCursors } from "./people";
import { useMove } from "./use-move";

/** What one shows to the others of a board: a name, and the card that one is holding. */
type Shown = { readonly name: string; readonly card: string | null };

/** One board. `name` is what the others see. */
export function Board({ board, name }: { readonly board: BoardItem; readonly name: string }) {
  // Whoever may read the board may join this room, and nobody else.
  const room = `private:boards:${board.id}`;
  const columns = useItems<ColumnItem>("columns", columnsQuery(board.id), { live: true });
  const cards = useItems<Card>("cards", cardsQuery(board.id), { live: true });
  const [problem, setProblem] = useState<string | null>(null);
  const [held, setHeld] = useState<string | null>(null);
  const refuse = (error: Error) => setProblem(error.message);
  const move = useMove(board.id, refuse);
  const { others } = usePresence(room, { name, card: held } satisfies Shown);
  const surface = useRef<HTMLDivElement>(null);
  const { people, cursors, point } = useCursors(room, name, surface);

  const holders = new Map<string, Holder>();
  for (const { state, userId } of others) {
    const { name: who, card } = state as Partial<Shown>;
    if (card && who) holders.set(card, { name: who, userId });
  }
  const list = cards.data?.data ?? [];
  const inColumn = (id: string) => list.filter(({ column_Id }) => column_Id === id);
  const error = columns.error ?? cards.error;

  /** With the keyboard: to the next column, or past the next card. */
  function step(card: Card, right: number, down: number): void {
    const order = columns.data?.data ?? [];
    const at = order.findIndex(({ id }) => id === card.column_Id);
    const own = inColumn(card.column_Id);
    const neighbour = own[own.indexOf(card) + down];
    const column = order[at + right];
    if (right !== 0 && column) drop(card.id, column.id, inColumn(column.id).at(-1)?.id, "after");
    else if (down !== 0 && neighbour) {
      drop(card.id, card.column_Id, neighbour.id, down > 0 ? "after" : "before");
    }
  }

  function drop(card: string, column: string, next: string | undefined, side: "before" | "after"): void {
    setProblem(null);
    setHeld(null);
    if (next === card) return;
    move({ card, column, next: next === undefined ? null : { card: next, side } });
  }

  return (
    <main>
      <People people={people} />
      {(error ?? problem) !== null && (
        <p className="problem" role="alert">
          {error?.message ?? problem}
        </p>
      )}
      <div
        className="board"
        ref={surface}
        onPointerMove={point}
        // While something is dragged, browsers tell of nothing else.
        onDragOver={point}
        onPointerLeave={() => point(null)}
      >
        {columns.data?.data.map((column) => (
          <Column
            key={column.id}
            board={board.id}
            column={column}
            cards={inColumn(column.id)}
            holders={holders}
            isHeld={(id) => id === held}
            mayMove={(id) => !isTemporaryId(id)}
            onHold={setHeld}
            onDrop={(card, next, side) => drop(card, column.id, next, side)}
            onStep={step}
            onRefused={refuse}
          />
        ))}
        {cursors.map(({ socketId, name: who, userId, x, y }) => (
          <div
            key={socketId}
            className="cursor"
            data-hue={hueOf(userId)}
            style={{ translate: `${x}px ${y}px` }}
            aria-hidden="true"
          >
            {who}
          </div>
        ))}
      </div>
    </main>
  );
}
