/** Reads the same figures over the API and straight from the files, and compares them. */
import type { Filter } from "@baasix/types";
import { type Client, runProgram } from "./account";
import type { Flight as FlightItem } from "./baasix";
import { type Airport, type Files, type Flight, readFiles } from "./data";

/** Items a request; the server answers at most 1,000. */
const limit = 1000;

/** One figure: from the files and over the API. Equal when their JSON is. */
export type Comparison = {
  readonly name: string;
  readonly expected: unknown;
  readonly actual: unknown;
  readonly equal: boolean;
};

/** A list of flights: as the API is asked, and as it is found in the files. */
type ListCase = {
  readonly name: string;
  readonly filter: Filter<FlightItem>;
  readonly matches: (flight: Flight, origin: Airport, destination: Airport) => boolean;
};

const lists: readonly ListCase[] = [
  {
    name: "flights from ORD",
    filter: { origin_Id: "ORD" },
    matches: (flight) => flight.origin_Id === "ORD",
  },
  {
    name: "flights two hours late or more out of California",
    filter: { delay: { gte: 120 }, origin: { state: "CA" } },
    matches: ({ delay }, origin) => delay >= 120 && origin.state === "CA",
  },
  {
    name: "flights on 14 February between Texas and elsewhere",
    filter: {
      date: { between: ["2001-02-14T00:00:00Z", "2001-02-14T23:59:59Z"] },
      OR: [{ "origin.state": "TX" }, { "destination.state": "TX" }],
      NOT: { AND: [{ "origin.state": "TX" }, { "destination.state": "TX" }] },
    },
    matches: ({ date }, origin, destination) =>
      date.startsWith("2001-02-14") && (origin.state === "TX") !== (destination.state === "TX"),
  },
  {
    name: "early flights to airports whose name has International, not over 200 miles",
    filter: {
      delay: { lt: 0 },
      distance: { lte: 200 },
      destination: { name: { contains: "International" } },
    },
    matches: ({ delay, distance }, _, destination) =>
      delay < 0 && distance <= 200 && destination.name.includes("International"),
  },
  {
    name: "flights from three small airports",
    filter: { origin_Id: { in: ["ABE", "YAK", "XNA"] }, delay: { notBetween: [-5, 5] } },
    matches: ({ origin_Id, delay }) => ["ABE", "YAK", "XNA"].includes(origin_Id) && (delay < -5 || delay > 5),
  },
  {
    name: "flights from cities that begin with San",
    filter: { "origin.city": { startsWith: "San " }, destination_Id: { ne: "LAX" }, distance: { gt: 2000 } },
    matches: ({ destination_Id, distance }, origin) =>
      (origin.city ?? "").startsWith("San ") && destination_Id !== "LAX" && distance > 2000,
  },
];

/** Compares everything, as an administrator. Flights that were added since the load are left out. */
export async function verify(client: Client, files: Files): Promise<readonly Comparison[]> {
  return [
    ...(await verifyCounts(client, files)),
    ...(await verifySums(client, files)),
    ...(await verifyLists(client, files)),
    await verifyExpansion(client, files),
    await verifyReverse(client, files),
  ];
}

const loaded: Filter<FlightItem> = { sourceRow: { isNotNull: true } };

async function verifyCounts(client: Client, files: Files): Promise<Comparison[]> {
  const airports = client.items("airports").query();
  const measurements = client.items("measurements").query();
  return [
    compare("airports", files.airports.length, await airports.count()),
    compare("flights", files.flights.length, await client.items("flights").query().filter(loaded).count()),
    compare("measurements", files.measurements.length, await measurements.count()),
    compare(
      "airports without a city",
      files.airports.filter(({ city }) => city === null).length,
      await airports.filter({ city: { isNull: true } }).count(),
    ),
    compare(
      "measurements over an hour late",
      files.measurements.filter(({ delay }) => delay > 60).length,
      await measurements.filter({ delay: { gt: 60 } }).count(),
    ),
    compare(
      "measurements between 6 and 9 in the morning",
      files.measurements.filter(({ time }) => time >= 6 && time <= 9).length,
      await measurements.filter({ time: { between: [6, 9] } }).count(),
    ),
  ];
}

async function verifySums(client: Client, files: Files): Promise<Comparison[]> {
  const flights = { delay: 0, distance: 0 };
  const wanted = { fields: ["delay", "distance"], filter: loaded, limit } as const;
  for await (const { delay, distance } of client.items("flights").all(wanted)) {
    flights.delay += delay;
    flights.distance += distance;
  }
  // In the order of the file, so that even the rounding of the sum of times is the same.
  const measurements = { delay: 0, distance: 0, time: 0 };
  for await (const { delay, distance, time } of client.items("measurements").all({ sort: "id", limit })) {
    measurements.delay += delay;
    measurements.distance += distance;
    measurements.time += time;
  }
  return [
    compare(
      "sums of the flights",
      { delay: sum(files.flights, "delay"), distance: sum(files.flights, "distance") },
      flights,
    ),
    compare(
      "sums of the measurements",
      {
        delay: sum(files.measurements, "delay"),
        distance: sum(files.measurements, "distance"),
        time: sum(files.measurements, "time"),
      },
      measurements,
    ),
  ];
}

async function verifyLists(client: Client, files: Files): Promise<Comparison[]> {
  const airports = byCode(files.airports);
  const result: Comparison[] = [];
  for (const { name, filter, matches } of lists) {
    const expected = files.flights
      .filter((flight) => {
        const origin = airports.get(flight.origin_Id);
        const destination = airports.get(flight.destination_Id);
        return origin !== undefined && destination !== undefined && matches(flight, origin, destination);
      })
      .toSorted((a, b) => b.delay - a.delay || a.sourceRow - b.sourceRow)
      .map(({ sourceRow }) => sourceRow);
    const answer = await client.items("flights").find({
      fields: ["sourceRow"],
      filter: { AND: [loaded, filter] },
      sort: ["-delay", "sourceRow"],
      limit: 1000,
    });
    result.push(
      compare(
        name,
        { totalCount: expected.length, rows: expected.slice(0, 1000) },
        { totalCount: answer.totalCount, rows: answer.data.map(({ sourceRow }) => sourceRow) },
      ),
    );
  }
  return result;
}

/** The third page of a sorted list, with both airports, in one request. */
async function verifyExpansion(client: Client, files: Files): Promise<Comparison> {
  const airports = byCode(files.airports);
  const city = (code: string) => {
    const { name, city, state } = airports.get(code) as Airport;
    return { name, city, state };
  };
  const expected = files.flights
    .toSorted((a, b) => b.distance - a.distance || a.sourceRow - b.sourceRow)
    .slice(40, 60)
    .map(({ sourceRow, distance, origin_Id, destination_Id }) => ({
      sourceRow,
      distance,
      origin: city(origin_Id),
      destination: city(destination_Id),
    }));
  const { data } = await client.items("flights").find({
    fields: [
      "sourceRow",
      "distance",
      "origin.name",
      "origin.city",
      "origin.state",
      "destination.name",
      "destination.city",
      "destination.state",
    ],
    filter: loaded,
    sort: { distance: "desc", sourceRow: "asc" },
    limit: 20,
    page: 3,
  });
  const actual = data.map(({ sourceRow, distance, origin, destination }) => ({
    sourceRow,
    distance,
    origin: place(origin),
    destination: place(destination),
  }));
  return compare("the third page by distance, with airports", expected, actual);
}

/** The list of departures behind an airport. */
async function verifyReverse(client: Client, files: Files): Promise<Comparison> {
  const airport = await client.items("airports").findOne("BUR", { fields: ["iata", "departures.sourceRow"] });
  const actual = (airport.departures ?? []).map(({ sourceRow }) => sourceRow).filter((row) => row !== null);
  const expected = files.flights
    .filter(({ origin_Id }) => origin_Id === "BUR")
    .map(({ sourceRow }) => sourceRow);
  return compare(
    "departures of Burbank",
    expected,
    actual.toSorted((a, b) => a - b),
  );
}

function place(airport: Pick<Airport, "name" | "city" | "state"> | null | undefined) {
  return airport && { name: airport.name, city: airport.city, state: airport.state };
}

function byCode(airports: readonly Airport[]): ReadonlyMap<string, Airport> {
  return new Map(airports.map((airport) => [airport.iata, airport]));
}

function sum<Key extends string>(rows: readonly { readonly [Name in Key]: number }[], key: Key): number {
  return rows.reduce((total, row) => total + row[key], 0);
}

function compare(name: string, expected: unknown, actual: unknown): Comparison {
  return { name, expected, actual, equal: Bun.deepEquals(expected, actual, true) };
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

if (import.meta.main) {
  await runProgram("bun run verify: compares what the server answers with the files.", async (client) => {
    const comparisons = await verify(client, await readFiles());
    for (const { name, expected, actual, equal } of comparisons) {
      console.log(equal ? `equal: ${name}: ${shorten(actual)}` : `DIFFERENT: ${name}`);
      if (!equal) console.log(`  files  ${shorten(expected)}\n  server ${shorten(actual)}`);
    }
    const different = comparisons.filter(({ equal }) => !equal).length;
    console.log(`${comparisons.length - different} equal, ${different} different`);
    if (different > 0) process.exitCode = 1;
  });
}
