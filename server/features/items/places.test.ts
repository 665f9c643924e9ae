/**
 * What the embedded server does not have: operators of PostGIS, text without letter case, and casts on a PostgreSQL that
 * cannot ask whether a text fits a type. Run on PostgreSQL 15 with the Debian package postgresql-15-postgis-3.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { createData, createTotals, type Data, openSnapshot } from "../../data";
import { type Database, openDatabase } from "../../platform/postgres";
import { type ExternalServer, externalServer, outsider } from "../../testing/postgres";

const actor = system("tests of places");

const square = (from: number, to: number) => ({
  type: "Polygon",
  coordinates: [
    [
      [from, from],
      [to, from],
      [to, to],
      [from, to],
      [from, from],
    ],
  ],
});
const point = (x: number, y: number) => ({ type: "Point", coordinates: [x, y] });
/** Zürich, Bern and New York; row 4 is nowhere. */
const cities = [point(8.54, 47.37), point(7.45, 46.95), point(-74, 40.71)] as const;
const alps = square(5, 50);

let server: ExternalServer;
let database: Database;
let data: Data;

beforeAll(async () => {
  server = await externalServer();
  await outsider(server.address, "create extension postgis", "create extension citext");
  database = await openDatabase(server.address, { shortPool: 2, slowPool: 1 });
  const snapshot = await openSnapshot(database);
  const totals = createTotals({ schema: () => snapshot.current().schema, live: () => false });
  data = createData({
    database,
    snapshot: snapshot.current,
    reloadSchema: snapshot.reloadSchema,
    now: Date.now,
    totals,
  });
  const srid = { srid: 3857 };
  await snapshot.changeSchema(() => ({
    put: [
      {
        collectionName: "places",
        schema: {
          name: "Place",
          timestamps: false,
          fields: {
            id: { type: "Integer", primaryKey: true },
            name: { type: "CiText" },
            spot: { type: "Point" },
            area: { type: "Polygon" },
            shape: { type: "Geometry" },
            earth: { type: "Geography" },
            flat: { type: "Point", values: srid },
          },
        },
      },
    ],
    remove: [],
  }));
  const rows = cities.map((spot, i) => ({
    id: i + 1,
    name: ["Zürich", "bern", "New York"][i],
    spot,
    area: square(i * 10, i * 10 + 5),
    shape: spot,
    earth: spot,
    flat: point(i * 1000, 0),
  }));
  await data.create(actor, "places", [...rows, { id: 4 }]);
}, 60_000);
afterAll(async () => {
  await database?.close();
  await server?.stop();
});

async function ids(filter: unknown): Promise<readonly number[]> {
  const rows = await data.find<{ id: number }>(actor, "places", { filter, fields: "id", sort: "id" });
  return rows.map(({ id }) => id);
}

async function refusal(filter: unknown): Promise<string> {
  try {
    await ids(filter);
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "accepted";
}

describe("places", () => {
  const toBern = (distance: unknown, not?: boolean) => ({
    dwithin: { geometry: cities[1], distance, ...(not !== undefined && { not }) },
  });
  const table: readonly (readonly [column: string, condition: unknown, rows: readonly number[]])[] = [
    ["spot", { within: alps }, [1, 2]],
    ["shape", { within: alps }, [1, 2]],
    ["earth", { within: alps }, [1, 2]],
    ["area", { containsGEO: point(11, 12) }, [2]],
    ["shape", { containsGEO: cities[2] }, [3]],
    ["earth", { containsGEO: cities[2] }, [3]],
    ["area", { intersects: square(4, 11) }, [1, 2]],
    ["spot", { intersects: alps }, [1, 2]],
    ["earth", { intersects: alps }, [1, 2]],
    ["area", { nIntersects: square(4, 11) }, [3]],
    ["spot", { nIntersects: alps }, [3]],
    ["spot", toBern(100_000), [1, 2]],
    ["spot", toBern("50000"), [2]],
    ["earth", toBern(100_000), [1, 2]],
    ["earth", toBern(100_000, true), [3]],
    ["shape", toBern(0), [2]],
    [
      "flat",
      {
        within: {
          type: "Polygon",
          coordinates: [
            [
              [-1, -1],
              [1500, -1],
              [1500, 1],
              [-1, 1],
              [-1, -1],
            ],
          ],
        },
      },
      [1, 2],
    ],
    ["flat", { dwithin: { geometry: point(0, 0), distance: 1100 } }, [1, 2]],
    ["spot", { isNull: true }, [4]],
    ["spot", { intersects: { x: 8.54, y: 47.37 } }, [1]],
  ];
  test.each(table.map((row) => [...row] as const))("%s %j", async (column, condition, rows) => {
    expect(await ids({ [column]: condition })).toEqual([...rows]);
    const known = [1, 2, 3].filter((id) => !rows.includes(id) && !rows.includes(4));
    expect(await ids({ NOT: { [column]: condition } })).toEqual(rows.includes(4) ? [1, 2, 3] : known);
  });

  const wrong: readonly (readonly [unknown, string])[] = [
    [{ spot: { within: "POINT(1 2)" } }, "INVALID_VALUE filter.spot.within: expected GeoJSON"],
    [{ spot: { within: { type: "Square", coordinates: [] } } }, "INVALID_VALUE filter.spot.within"],
    [{ spot: { within: point(1, NaN) } }, "INVALID_VALUE filter.spot.within"],
    [{ spot: { within: { type: "Point', 1); drop table places; --" } } }, "INVALID_VALUE filter.spot.within"],
    [{ spot: toBern("far") }, "INVALID_VALUE filter.spot.dwithin.distance: expected a number of metres"],
    [{ spot: toBern(-1) }, "INVALID_VALUE filter.spot.dwithin.distance"],
    [{ spot: toBern("1) or true --") }, "INVALID_VALUE filter.spot.dwithin.distance"],
    [
      { spot: { eq: cities[0] } },
      "INVALID_QUERY filter.spot.eq: the operator 'eq' does not work on a field of type Point",
    ],
    [
      { name: { within: alps } },
      "INVALID_QUERY filter.name.within: the operator 'within' does not work on a field of type CiText; it works on Point",
    ],
    [
      { spot: { cast: "text", eq: "x" } },
      "INVALID_QUERY filter.spot.cast: a field of type Point cannot be cast to text",
    ],
  ];
  test.each(wrong.map((row) => [...row] as const))("%j is refused", async (filter, expected) => {
    expect(await refusal(filter)).toStartWith(expected);
  });
});

describe("sorting by distance", () => {
  const sorted = async (sort: unknown, more: object = {}) =>
    (await data.find<{ id: number }>(actor, "places", { fields: "id", sort, ...more })).map(({ id }) => id);
  const from = (target: unknown, column: string, direction?: string) => ({
    _distance: { target, column, ...(direction && { direction }) },
  });
  const table: readonly (readonly [sort: unknown, rows: readonly number[]])[] = [
    [from([7.45, 46.95], "spot"), [2, 1, 3, 4]],
    [from([7.45, 46.95], "earth"), [2, 1, 3, 4]],
    [from([-74, 40.71], "shape", "ASC"), [3, 2, 1, 4]],
    [from([-74, 40.71], "spot", "desc"), [4, 1, 2, 3]],
    [from(cities[0], "spot"), [1, 2, 3, 4]],
    // Three thousand metres east of nowhere, in another system of coordinates.
    [from([0.03, 0], "flat"), [3, 2, 1, 4]],
    [JSON.stringify({ ...from([7.45, 46.95], "spot"), name: "asc" }), [2, 1, 3, 4]],
  ];
  test.each(table.map((row) => [...row] as const))("%j", async (sort, rows) => {
    expect(await sorted(sort)).toEqual([...rows]);
  });
  test("pages", async () => {
    expect(await sorted(from([7.45, 46.95], "spot"), { limit: 1, page: 2 })).toEqual([1]);
  });
  const wrong: readonly (readonly [sort: unknown, more: object, message: string])[] = [
    [{ _distance: "spot" }, {}, "expected {"],
    [from([200, 0], "spot"), {}, "expected [longitude, latitude]"],
    [from(["x", 0], "spot"), {}, "expected [longitude, latitude]"],
    [from([0, 0, 0], "spot"), {}, "expected [longitude, latitude]"],
    [from([0, 0], "name"), {}, "is no geometry"],
    [from([0, 0], "nowhere"), {}, "no field 'nowhere'"],
    [from([0, 0], "spot", "up"), {}, "must be asc or desc"],
    [from([0, 0], "spot"), { cursor: "" }, "an order by distance has none"],
  ];
  test.each(wrong.map((row) => [...row] as const))("%j %j is refused", async (sort, more, message) => {
    await expect(sorted(sort, more)).rejects.toThrow(message);
  });
});

describe("text without letter case", () => {
  const table: readonly (readonly [condition: unknown, rows: readonly number[]])[] = [
    ["BERN", [2]],
    [{ ne: "BERN" }, [1, 3]],
    [{ in: ["BERN", "new york"] }, [2, 3]],
    [{ notIn: ["BERN"] }, [1, 3]],
    [{ gt: "C" }, [1, 3]],
    [{ between: ["A", "c"] }, [2]],
    [{ like: "ER" }, [2]],
    [{ ilike: "%K" }, [3]],
    [{ contains: "w y" }, [3]],
    [{ startsWith: "zü" }, [1]],
    [{ eq: "$COL(name)" }, [1, 2, 3]],
    [{ cast: "text", eq: "BERN" }, []],
  ];
  test.each(table.map((row) => [...row] as const))("%j", async (condition, rows) => {
    expect(await ids({ name: condition })).toEqual([...rows]);
  });
});

test("casts find by trying whether a text fits", async () => {
  expect(await ids({ name: { cast: "integer", isNull: true } })).toEqual([1, 2, 3, 4]);
  await data.update(actor, "places", [{ id: 4, data: { name: "42" } }]);
  expect(await ids({ name: { cast: "integer", gt: 41 } })).toEqual([4]);
  expect(await ids({ name: { cast: "date", isNotNull: true } })).toEqual([]);
  await data.update(actor, "places", [{ id: 4, data: { name: null } }]);
});
