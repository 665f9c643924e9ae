/** The table of flights. */
import { useEffect, useRef } from "react";
import type { Airport, Flight } from "../baasix";
import type { BoardState, SortField } from "./board-query";
import { describeDelay, formatDate, formatNumber } from "./format";

const columns: readonly { readonly field: SortField; readonly label: string; readonly numeric?: boolean }[] =
  [
    { field: "date", label: "Departure" },
    { field: "origin_Id", label: "From" },
    { field: "destination_Id", label: "To" },
    { field: "distance", label: "Miles", numeric: true },
    { field: "delay", label: "Delay" },
  ];

type FlightTableProps = {
  readonly flights: readonly Flight[];
  readonly board: BoardState;
  readonly onSort: (field: SortField) => void;
  /** True while these rows are of an earlier query and the next are on their way. */
  readonly stale: boolean;
};

/** Rows with their airports; a click on a column sorts by it, a second one turns the order. */
export function FlightTable({ flights, board, onSort, stale }: FlightTableProps) {
  const arrived = useArrivals(flights, board);
  return (
    <table aria-busy={stale}>
      <caption className="unseen">Flights</caption>
      <thead>
        <tr>
          {columns.map(({ field, label, numeric }) => {
            const order = board.sort !== field ? undefined : board.descending ? "descending" : "ascending";
            return (
              <th key={field} scope="col" aria-sort={order} className={numeric ? "numeric" : undefined}>
                <button type="button" onClick={() => onSort(field)}>
                  {label}
                  <span aria-hidden="true" className="arrow">
                    {order === "descending" ? "↓" : "↑"}
                  </span>
                </button>
              </th>
            );
          })}
        </tr>
      </thead>
      <tbody>
        {flights.map((flight) => (
          <FlightRow key={flight.id} flight={flight} isNew={arrived.has(flight.id)} />
        ))}
      </tbody>
    </table>
  );
}

function FlightRow({ flight, isNew }: { readonly flight: Flight; readonly isNew: boolean }) {
  const { date, origin_Id, origin, destination_Id, destination, distance, delay, remarks } = flight;
  const { level, text } = describeDelay(delay);
  return (
    <tr className={isNew ? "new" : undefined} data-flight={flight.id}>
      <td className="when">
        <time dateTime={date}>{formatDate(date)}</time>
      </td>
      <td className="place">
        <Place code={origin_Id} airport={origin} />
      </td>
      <td className="place">
        <Place code={destination_Id} airport={destination} />
      </td>
      <td className="numeric">
        {formatNumber(distance)}
        <span className="unit"> miles</span>
      </td>
      <td className="state">
        <span className={`delay ${level}`}>{text}</span>
        {remarks && <p className="remarks">{remarks}</p>}
      </td>
    </tr>
  );
}

function Place({ code, airport }: { readonly code: string; readonly airport: Airport | null | undefined }) {
  const city = [airport?.city, airport?.state].filter(Boolean).join(", ");
  return (
    <div className="stop">
      <abbr className="code" title={airport?.name}>
        {code}
      </abbr>
      <span className="city">{city || airport?.name}</span>
    </div>
  );
}

/** The flights that came while the same page was on show. */
function useArrivals(flights: readonly Flight[], board: BoardState): ReadonlySet<string> {
  const before = useRef({ board, ids: new Set<string>(), arrived: new Set<string>() });
  const ids = new Set(flights.map(({ id }) => id));
  const { current } = before;
  const same = current.board === board && current.ids.size > 0;
  const arrived = same
    ? new Set([...ids].filter((id) => !current.ids.has(id) || current.arrived.has(id)))
    : new Set<string>();
  useEffect(() => {
    before.current = { board, ids, arrived };
  });
  return arrived;
}
