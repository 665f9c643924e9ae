/** A column with its cards: dropped onto, added to, and cards taken from. */
import { useCreateItem, useDeleteItem } from "@baasix/react";
import { type DragEvent, type FormEvent, useState } from "react";
import type { Card, Column as ColumnItem } from "../baasix";
import { hueOf } from "./hue";

/** Somebody else who is holding a card. */
export type Holder = { readonly name: string; readonly userId: string };

type Side = "before" | "after";

type ColumnProps = {
  readonly board: string;
  readonly column: ColumnItem;
  readonly cards: readonly Card[];
  /** By card. */
  readonly holders: ReadonlyMap<string, Holder>;
  readonly isHeld: (card: string) => boolean;
  readonly mayMove: (card: string) => boolean;
  readonly onHold: (card: string | null) => void;
  /** Without `next`: at the end. */
  readonly onDrop: (card: string, next: string | undefined, side: Side) => void;
  readonly onStep: (card: Card, right: number, down: number) => void;
  readonly onRefused: (error: Error) => void;
};

/** One column. A card that is dropped on another one goes before or after it, by the half that it was dropped on. */
export function Column(props: ColumnProps) {
  const { column, cards, onDrop } = props;
  const [over, setOver] = useState(false);
  return (
    <section
      className={over ? "column over" : "column"}
      aria-label={column.title}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        onDrop(event.dataTransfer.getData("text/plain"), cards.at(-1)?.id, "after");
      }}
    >
      <h2>
        {column.title} <span className="count">{cards.length}</span>
        {column.closed && <span className="hint"> closed</span>}
      </h2>
      <ol>
        {cards.map((card) => (
          <CardView key={card.id} card={card} {...props} onDropped={() => setOver(false)} />
        ))}
      </ol>
      {!column.closed && <NewCard {...props} />}
    </section>
  );
}

function CardView({
  card,
  holders,
  isHeld,
  mayMove,
  onHold,
  onDrop,
  onDropped,
  onStep,
  onRefused,
}: ColumnProps & { readonly card: Card; readonly onDropped: () => void }) {
  const { mutate: remove } = useDeleteItem("cards", { onError: onRefused });
  const holder = holders.get(card.id);
  const half = ({ currentTarget, clientY }: DragEvent): Side => {
    const { top, height } = currentTarget.getBoundingClientRect();
    return clientY < top + height / 2 ? "before" : "after";
  };
  return (
    <li
      className={isHeld(card.id) ? "card held" : "card"}
      data-hue={holder && hueOf(holder.userId)}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it is moved with the keyboard, too
      tabIndex={0}
      aria-keyshortcuts="Alt+ArrowLeft Alt+ArrowRight Alt+ArrowUp Alt+ArrowDown"
      draggable={mayMove(card.id)}
      onDragStart={({ dataTransfer }) => {
        dataTransfer.setData("text/plain", card.id);
        dataTransfer.effectAllowed = "move";
        onHold(card.id);
      }}
      onDragEnd={() => onHold(null)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        onDropped();
        onDrop(event.dataTransfer.getData("text/plain"), card.id, half(event));
      }}
      onKeyDown={(event) => {
        const step = steps[event.key];
        if (!event.altKey || !step || !mayMove(card.id)) return;
        event.preventDefault();
        onStep(card, ...step);
      }}
    >
      <span className="title">{card.title}</span>
      {holder && <span className="holder">{holder.name}</span>}
      <button
        type="button"
        className="quiet"
        aria-label={`Delete ${card.title}`}
        disabled={!mayMove(card.id)}
        onClick={() => remove(card.id)}
      >
        ×
      </button>
    </li>
  );
}

const steps: { readonly [key: string]: readonly [right: number, down: number] } = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** A card that is added is there at once: new ones come last. */
function NewCard({ board, column, onRefused }: ColumnProps) {
  const { mutate: create } = useCreateItem<Card>("cards", {
    onError: onRefused,
    optimistic: {
      at: "end",
      lists: ({ filter }) => JSON.stringify(filter ?? null).includes(board),
    },
  });
  function add(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = event.currentTarget;
    const title = String(new FormData(form).get("title")).trim();
    if (title === "") return;
    form.reset();
    create({ title, column_Id: column.id });
  }
  return (
    <form onSubmit={add}>
      <input
        name="title"
        maxLength={200}
        placeholder="Add a card"
        aria-label={`New card in ${column.title}`}
      />
    </form>
  );
}
