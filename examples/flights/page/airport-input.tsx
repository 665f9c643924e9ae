/** A field for an airport's code that suggests airports while one types. */
import { useItems } from "@baasix/react";
import { useDeferredValue, useId } from "react";
import type { Airport } from "../baasix";
import { isCode } from "./board-query";

type AirportInputProps = {
  readonly label: string;
  readonly value: string;
  readonly onChange: (code: string) => void;
  readonly name?: string;
  readonly required?: boolean;
};

/** Takes any code; suggests airports with departures by code, city and name. What is typed is turned to capitals. */
export function AirportInput({ label, value, onChange, name, required }: AirportInputProps) {
  const list = useId();
  const text = useDeferredValue(value);
  const { data } = useItems<Airport>(
    "airports",
    {
      fields: ["iata", "name", "city", "state"],
      // Most of the airports are airfields without any flight of ours.
      filter: {
        departures: { id: { isNotNull: true } },
        OR: [{ iata: { startsWith: text } }, { city: { startsWith: text } }, { name: { startsWith: text } }],
      },
      sort: "iata",
      limit: 8,
    },
    // A whole code needs no suggestion, and one letter would suggest anything.
    { enabled: text.length > 1 && !isCode(text) },
  );
  return (
    <label>
      <span>{label}</span>
      <input
        name={name}
        list={list}
        value={value}
        onChange={(event) => onChange(event.target.value.toUpperCase())}
        placeholder="Code or city"
        autoComplete="off"
        spellCheck={false}
        required={required}
      />
      <datalist id={list}>
        {data?.data.map(({ iata, name, city, state }) => (
          <option key={iata} value={iata}>
            {[name, city, state].filter((part) => part !== null).join(", ")}
          </option>
        ))}
      </datalist>
    </label>
  );
}
