// Written by "baasix generate". Do not edit: run it again after a schema change.
// Values have the types of the wire: BigInt and Decimal are strings (every digit is kept), dates are ISO 8601 strings.

/** Airports by their code */
export interface Airport {
  iata: string;
  name: string;
  city: string | null;
  state: string | null;
  country: string;
  latitude: number;
  longitude: number;
  departures?: Flight[];
  arrivals?: Flight[];
}

/** Flights between two airports */
export interface Flight {
  id: string;
  date: string;
  delay: number;
  distance: number;
  remarks: string | null;
  sourceRow: number | null;
  origin_Id: string;
  origin?: Airport | null;
  destination_Id: string;
  destination?: Airport | null;
}

/** Delays without their flights */
export interface Measurement {
  id: number;
  delay: number;
  distance: number;
  time: number;
}

/** Every collection by its name, for createBaasix<BaasixCollections>({ url }). */
export interface BaasixCollections {
  airports: Airport;
  flights: Flight;
  measurements: Measurement;
}

/** The name of a collection. */
export type CollectionName = keyof BaasixCollections;
