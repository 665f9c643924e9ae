/** The form for a new flight, in a dialog. */
import { useCreateItem } from "@baasix/react";
import { type FormEvent, useRef, useState } from "react";
import type { Flight } from "../baasix";
import { AirportInput } from "./airport-input";
import { isCode } from "./board-query";

/** A button that opens the form. The board hears of the new flight as everyone else does. */
export function AddFlight() {
  const dialog = useRef<HTMLDialogElement>(null);
  const create = useCreateItem<Flight>("flights");
  const [airports, setAirports] = useState({ origin: "", destination: "" });

  function open() {
    create.reset();
    setAirports({ origin: "", destination: "" });
    dialog.current?.querySelector("form")?.reset();
    dialog.current?.showModal();
  }

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    create.mutate(
      {
        date: `${String(form.get("date"))}:00Z`,
        origin_Id: airports.origin,
        destination_Id: airports.destination,
        distance: Number(form.get("distance")),
        delay: Number(form.get("delay")),
        remarks: String(form.get("remarks")).trim() || null,
      },
      { onSuccess: () => dialog.current?.close() },
    );
  }

  return (
    <>
      <button type="button" className="primary" onClick={open}>
        Add flight
      </button>
      <dialog ref={dialog} aria-labelledby="add-flight">
        <form onSubmit={submit}>
          <h2 id="add-flight">Add flight</h2>
          <div className="fields">
            <AirportInput
              label="From"
              value={airports.origin}
              onChange={(origin) => setAirports({ ...airports, origin })}
              required
            />
            <AirportInput
              label="To"
              value={airports.destination}
              onChange={(destination) => setAirports({ ...airports, destination })}
              required
            />
            <label className="wide">
              <span>Departure</span>
              <input name="date" type="datetime-local" defaultValue={now()} required />
            </label>
            <label>
              <span>Distance in miles</span>
              <input name="distance" type="number" min={1} max={12000} required />
            </label>
            <label>
              <span>Delay in minutes</span>
              <input name="delay" type="number" min={-600} max={6000} defaultValue={0} required />
            </label>
            <label className="wide">
              <span>Remarks for staff</span>
              <textarea name="remarks" rows={2} aria-describedby="remarks-hint" />
              <small id="remarks-hint">Viewers never receive them.</small>
            </label>
          </div>
          {create.error && (
            <p className="problem" role="alert">
              {create.error.code === "FOREIGN_KEY_VIOLATION"
                ? `${airports.origin} or ${airports.destination} is not the code of an airport.`
                : create.error.message}
            </p>
          )}
          <div className="actions">
            <button type="button" className="quiet" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button
              type="submit"
              className="primary"
              disabled={create.isPending || !isCode(airports.origin) || !isCode(airports.destination)}
            >
              {create.isPending ? "Adding…" : "Add"}
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}

/** The time here, as the field takes it. */
function now(): string {
  const date = new Date();
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
