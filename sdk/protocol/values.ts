/** Values as they travel. */

/** A JSON value. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** An item of which nothing is known at compile time. */
// oxlint-disable-next-line typescript/no-explicit-any -- the one place where an untyped item may be anything
export type GenericItem = Record<string, any>;

/** A BigInt or Decimal as it is answered: text, so that no digit is lost. Accepted as text or number. */
export type NumberText = `${number}`;

/** A value that the server works out: `$CURRENT_USER`, `$NOW-DAYS_30`, `$COL(other)`. */
export type Variable = `$${string}`;

/** A range as it is answered; a side that is null has no bound. Written, both bounds are included unless it says otherwise. */
export type RangeValue<Bound = unknown> = {
  readonly lower: Bound | null;
  readonly upper: Bound | null;
  readonly lowerInclusive: boolean;
  readonly upperInclusive: boolean;
  readonly empty?: boolean;
};

/** A geometry as GeoJSON (RFC 7946). */
export type Geometry =
  | {
      readonly type: "Point" | "LineString" | "Polygon" | "MultiPoint" | "MultiLineString" | "MultiPolygon";
      readonly coordinates: readonly unknown[];
    }
  | { readonly type: "GeometryCollection"; readonly geometries: readonly unknown[] };
