/** The example's collections, relations and roles, as data. */
import type { Action, Permission, RelationshipDefinition, SchemaDefinition } from "@baasix/types";

/** Collections in the order they must be made. */
export const collections: { readonly [name: string]: SchemaDefinition } = {
  airports: {
    name: "airports",
    description: "Airports by their code",
    timestamps: false,
    fields: {
      iata: { type: "String", primaryKey: true, values: { length: 4 } },
      name: { type: "String", allowNull: false, values: { length: 80 } },
      city: { type: "String", values: { length: 80 }, description: "Null where it is not known" },
      state: { type: "String", values: { length: 2 } },
      country: { type: "String", allowNull: false, values: { length: 60 } },
      latitude: { type: "Double", allowNull: false, validate: { min: -90, max: 90 } },
      longitude: { type: "Double", allowNull: false, validate: { min: -180, max: 180 } },
    },
  },
  flights: {
    name: "flights",
    description: "Flights between two airports",
    timestamps: false,
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      date: { type: "DateTime", allowNull: false, description: "Scheduled departure" },
      delay: { type: "Integer", allowNull: false, description: "Minutes; negative is early" },
      distance: {
        type: "Integer",
        allowNull: false,
        validate: { min: 1, max: 12_000 },
        description: "Miles",
      },
      remarks: { type: "Text", description: "For staff only" },
      sourceRow: { type: "Integer", unique: true, description: "Place in the file; null when added by hand" },
    },
    indexes: [{ fields: ["date"] }, { fields: ["delay"] }],
  },
  measurements: {
    name: "measurements",
    description: "Delays without their flights",
    timestamps: false,
    realtime: false,
    fields: {
      id: { type: "Integer", primaryKey: true },
      delay: { type: "Integer", allowNull: false, description: "Minutes" },
      distance: { type: "Integer", allowNull: false, description: "Miles" },
      time: { type: "Double", allowNull: false, description: "Hour of the day" },
    },
  },
};

/** Relations from `flights` to `airports`; each gives the airport a list of flights. */
export const relationships: readonly RelationshipDefinition[] = [
  { type: "M2O", name: "origin", target: "airports", alias: "departures", allowNull: false },
  { type: "M2O", name: "destination", target: "airports", alias: "arrivals", allowNull: false },
];

/** Viewers see flights of at least this many miles. */
export const viewerMiles = 500;

/** A role of the example with what it may do. */
export type ExampleRole = {
  readonly name: string;
  readonly description: string;
  readonly email: string;
  readonly grants: readonly (Pick<Permission, "collection" | "fields"> & {
    readonly action: Action;
    readonly conditions?: Permission["conditions"];
  })[];
};

const shown = ["id", "date", "delay", "distance", "origin_Id", "destination_Id"];
const written = ["date", "delay", "distance", "remarks", "origin_Id", "destination_Id"];

/** Viewers see longer flights without the remarks; dispatchers see all and add new ones. Nobody sees `sourceRow`. */
export const roles: readonly ExampleRole[] = [
  {
    name: "viewer",
    description: "Reads flights of 500 miles and more",
    email: "viewer@example.com",
    grants: [
      { collection: "airports", action: "read", fields: ["*"] },
      {
        collection: "flights",
        action: "read",
        fields: shown,
        conditions: { distance: { gte: viewerMiles } },
      },
    ],
  },
  {
    name: "dispatcher",
    description: "Reads all flights and adds new ones",
    email: "dispatcher@example.com",
    grants: [
      { collection: "airports", action: "read", fields: ["*"] },
      { collection: "flights", action: "read", fields: [...shown, "remarks"] },
      { collection: "flights", action: "create", fields: written },
    ],
  },
];
