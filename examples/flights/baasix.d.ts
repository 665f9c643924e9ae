// Written by "baasix generate". Do not edit: run it again after a schema change.
// Values have the types of the wire: BigInt and Decimal are strings (every digit is kept), dates are ISO 8601 strings.

/** Airports by their code */
export interface Airport {
  iata: string;
  name: string;
  /** Null where it is not known */
  city: string | null;
  state: string | null;
  country: string;
  /**
   * @minimum -90
   * @maximum 90
   */
  latitude: number;
  /**
   * @minimum -180
   * @maximum 180
   */
  longitude: number;
  departures?: Flight[];
  arrivals?: Flight[];
}

/** Flights between two airports */
export interface Flight {
  id: string;
  /** Scheduled departure */
  date: string;
  /** Minutes; negative is early */
  delay: number;
  /**
   * Miles
   * @minimum 1
   * @maximum 12000
   */
  distance: number;
  /** For staff only */
  remarks: string | null;
  /** Place in the file; null when added by hand */
  sourceRow: number | null;
  origin_Id: string;
  destination_Id: string;
  origin?: Airport | null;
  destination?: Airport | null;
}

/** Delays without their flights */
export interface Measurement {
  id: number;
  /** Minutes */
  delay: number;
  /** Miles */
  distance: number;
  /** Hour of the day */
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
