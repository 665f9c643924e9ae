/** The filters above the board. */
import { AirportInput } from "./airport-input";
import { type BoardState, countFilters, delayFilters, initialBoard } from "./board-query";

type FiltersProps = {
  readonly board: BoardState;
  /** Takes what changed; the board goes back to its first page. */
  readonly onChange: (change: Partial<BoardState>) => void;
};

/** Origin, delay and dates. Each takes effect at once. */
export function Filters({ board, onChange }: FiltersProps) {
  const { origin, delay, from, to } = initialBoard;
  return (
    <search className="filters" aria-label="Filters">
      <AirportInput label="From" value={board.origin} onChange={(code) => onChange({ origin: code })} />
      <label>
        <span>Delay</span>
        <select
          value={board.delay}
          onChange={(event) => onChange({ delay: event.target.value as BoardState["delay"] })}
        >
          {Object.entries(delayFilters).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>Not before</span>
        <input
          type="date"
          value={board.from}
          max={board.to || undefined}
          onChange={(event) => onChange({ from: event.target.value })}
        />
      </label>
      <label>
        <span>Not after</span>
        <input
          type="date"
          value={board.to}
          min={board.from || undefined}
          onChange={(event) => onChange({ to: event.target.value })}
        />
      </label>
      {(countFilters(board) > 0 || board.origin !== "") && (
        <button type="button" className="quiet" onClick={() => onChange({ origin, delay, from, to })}>
          Clear
        </button>
      )}
    </search>
  );
}
