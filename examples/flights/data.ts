/** The files of the npm package vega-datasets as typed rows. Knows nothing of the server. */
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";

/** A line of `airports.csv`. City and state are null where the file says `NA`; degrees, north and east positive. */
export type Airport = {
  readonly iata: string;
  readonly name: string;
  readonly city: string | null;
  readonly state: string | null;
  readonly country: string;
  readonly latitude: number;
  readonly longitude: number;
};

/**
 * An entry of `flights-20k.json`. `sourceRow`: its place in the file, from 1. `date`: the departure, local time in the
 * file and without a zone, taken as UTC. `delay` in minutes (negative is early), `distance` in miles.
 */
export type Flight = {
  readonly sourceRow: number;
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin_Id: string;
  readonly destination_Id: string;
};

/** An entry of `flights-200k.json`. `id`: its place in the file, from 1. `time`: hour of the day, 0 to 24. */
export type Measurement = {
  readonly id: number;
  readonly delay: number;
  readonly distance: number;
  readonly time: number;
};

/** The three files, read. */
export type Files = {
  readonly airports: readonly Airport[];
  readonly flights: readonly Flight[];
  readonly measurements: readonly Measurement[];
};

/** Reads all three files. */
export async function readFiles(): Promise<Files> {
  const [airports, flights, measurements] = await Promise.all([
    readAirports(),
    readFlights(),
    readMeasurements(),
  ]);
  return { airports, flights, measurements };
}

function file(name: string): Bun.BunFile {
  return Bun.file(fileURLToPath(new URL(`../data/${name}`, import.meta.resolve("vega-datasets"))));
}

async function readAirports(): Promise<Airport[]> {
  const lines: Record<keyof Airport, string>[] = parse(await file("airports.csv").text(), { columns: true });
  return lines.map(({ iata, name, city, state, country, latitude, longitude }) => ({
    iata,
    name,
    city: known(city),
    state: known(state),
    country,
    latitude: Number(latitude),
    longitude: Number(longitude),
  }));
}

function known(text: string): string | null {
  return text === "NA" ? null : text;
}

async function readFlights(): Promise<Flight[]> {
  type Entry = Pick<Flight, "date" | "delay" | "distance"> & { origin: string; destination: string };
  const entries = (await file("flights-20k.json").json()) as Entry[];
  return entries.map(({ date, delay, distance, origin, destination }, index) => ({
    sourceRow: index + 1,
    date: instant(date),
    delay,
    distance,
    origin_Id: origin,
    destination_Id: destination,
  }));
}

/** `2001/01/01 00:47` → `2001-01-01T00:47:00Z`. */
function instant(text: string): string {
  return `${text.replaceAll("/", "-").replace(" ", "T")}:00Z`;
}

async function readMeasurements(): Promise<Measurement[]> {
  const entries = (await file("flights-200k.json").json()) as Omit<Measurement, "id">[];
  return entries.map(({ delay, distance, time }, index) => ({ id: index + 1, delay, distance, time }));
}
