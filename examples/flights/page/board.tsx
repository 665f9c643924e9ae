/** The board: filters, the list that keeps itself up to date, and the form for a new flight. */
import { useIsConnected, useItems, usePermission } from "@baasix/react";
import { keepPreviousData } from "@tanstack/react-query";
import { useState } from "react";
import type { Flight } from "../baasix";
import { AddFlight } from "./add-flight";
import { boardQuery, type BoardState, countFilters, initialBoard, type SortField } from "./board-query";
import { Filters } from "./filters";
import { FlightTable } from "./flight-table";
import { formatNumber } from "./format";
import { Pager } from "./pager";

/** What a signed-in user sees. */
export function Board() {
  const [board, setBoard] = useState(initialBoard);
  const flights = useItems<Flight>("flights", boardQuery(board), {
    live: true,
    placeholderData: keepPreviousData,
  });
  const { data, error, isPlaceholderData } = flights;
  const isConnected = useIsConnected();
  const mayAdd = usePermission("flights", "create").allowed;

  const change = (part: Partial<BoardState>) => setBoard((before) => ({ ...before, page: 1, ...part }));
  const sortBy = (field: SortField) =>
    change({ sort: field, descending: board.sort === field ? !board.descending : false });

  return (
    <>
      <div className="head">
        <div>
          <h1>Departures</h1>
          <div className="meta">
            <p role="status" className="hint">
              {data ? `${formatNumber(data.totalCount)} flights` : error ? "" : "Loading…"}
            </p>
            <p className={isConnected ? "live on" : "live"}>{isConnected ? "Live" : "Connecting…"}</p>
          </div>
        </div>
        {mayAdd && <AddFlight />}
      </div>
      <section className="card" aria-label="Flights">
        <Filters board={board} onChange={change} />
        {error && !data ? (
          <div className="empty" role="alert">
            <strong>The flights cannot be shown</strong>
            <p>{error.message}</p>
            <button type="button" onClick={() => void flights.refetch()}>
              Try again
            </button>
          </div>
        ) : !data ? (
          <Skeleton />
        ) : data.data.length === 0 ? (
          <div className="empty">
            <strong>No flights</strong>
            <p>{countFilters(board) > 0 ? "Nothing matches these filters." : "There is nothing here yet."}</p>
          </div>
        ) : (
          <>
            {error && (
              <p className="problem" role="alert">
                This may be out of date: {error.message}
              </p>
            )}
            <FlightTable flights={data.data} board={board} onSort={sortBy} stale={isPlaceholderData} />
            <Pager page={board.page} total={data.totalCount} onPage={(page) => change({ page })} />
          </>
        )}
      </section>
    </>
  );
}

/** The shape of the table while it is on its way. */
function Skeleton() {
  return (
    <div className="skeleton" aria-hidden="true">
      {Array.from({ length: 8 }, (_, row) => (
        <div key={row} />
      ))}
    </div>
  );
}
