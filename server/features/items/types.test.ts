/** Every field type, through the API, on the server that we carry and on an operator's own: values come back as they were given. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { type ExternalServer, externalServer, outsider } from "../../testing/postgres";
import { openSocket } from "../../testing/socket";

type Row = Record<string, unknown>;
type Trip = readonly [field: string, given: unknown, answered?: unknown];

const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const closed = (lower: unknown, upper: unknown) => ({
  lower,
  upper,
  lowerInclusive: true,
  upperInclusive: true,
});
const open = (lower: unknown, upper: unknown) => ({
  lower,
  upper,
  lowerInclusive: false,
  upperInclusive: false,
});

const fields: Row = {
  uuid: { type: "UUID" },
  suid: { type: "SUID" },
  string: { type: "String", values: { length: 10 } },
  text: { type: "Text" },
  html: { type: "HTML" },
  citext: { type: "CiText" },
  token: { type: "TOKEN" },
  integer: { type: "Integer" },
  bigint: { type: "BigInt" },
  boolean: { type: "Boolean" },
  datetime: { type: "DateTime" },
  wallclock: { type: "DateTime_NO_TZ" },
  date: { type: "Date" },
  time: { type: "Time" },
  time_no_tz: { type: "Time_NO_TZ" },
  decimal: { type: "Decimal" },
  money: { type: "Decimal", values: { precision: 10, scale: 2 } },
  double: { type: "Double" },
  float: { type: "Float" },
  real: { type: "Real" },
  json: { type: "JSON" },
  jsonb: { type: "JSONB" },
  enum: { type: "Enum", values: ["a", "it's"] },
  strings: { type: "Array_String" },
  integers: { type: "Array_Integer" },
  doubles: { type: "Array_Double" },
  decimals: { type: "Array_Decimal" },
  booleans: { type: "Array_Boolean" },
  uuids: { type: "Array_UUID" },
  dates: { type: "Array_Date" },
  datetimes: { type: "Array_DateTime" },
  wallclocks: { type: "Array_DateTime_NO_TZ" },
  times: { type: "Array_Time" },
  times_no_tz: { type: "Array_Time_NO_TZ" },
  enums: { type: "Array", values: { type: "Enum", values: ["a", "b"] } },
  citexts: { type: "Array", values: { type: "CiText" } },
  r_integer: { type: "Range_Integer" },
  r_bigint: { type: "Range", values: { type: "BigInt" } },
  r_double: { type: "Range_Double" },
  r_decimal: { type: "Range_Decimal" },
  r_date: { type: "Range_Date" },
  r_datetime: { type: "Range_DateTime" },
  r_wallclock: { type: "Range_DateTime_NO_TZ" },
  r_time: { type: "Range_Time" },
  r_time_no_tz: { type: "Range_Time_NO_TZ" },
};

const trips: readonly Trip[] = [
  ["uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["suid", "b2x-_9"],
  ["string", "häß 😀 \\ '"],
  ["text", 'line\n"quoted" {a,b} NULL'],
  ["html", "<p title='x'>é & \"</p>"],
  ["citext", "AnnA"],
  ["token", "a-b_c"],
  ["integer", -2147483648],
  ["bigint", "9223372036854775807"],
  ["boolean", false],
  ["datetime", "2026-11-20T11:13:51.123456+02:00", "2026-11-20T09:13:51.123456+00:00"],
  ["wallclock", "2026-11-20T11:13:51.123456"],
  ["wallclock", "2026-11-20T11:13:51.5Z", "2026-11-20T11:13:51.5"],
  ["date", "2024-02-29"],
  ["time", "09:30", "09:30:00"],
  ["time_no_tz", "23:59:59.999999"],
  ["decimal", "123456789012345678901234567890.0123456789"],
  ["money", 0.1, "0.10"],
  ["double", 0.1],
  ["double", 1e300],
  ["float", 3.5],
  ["real", -0.25],
  ["json", { a: [1, null, { b: "x" }] }],
  ["jsonb", 'a "text"'],
  ["jsonb", [null, 1.5, true]],
  ["enum", "it's"],
  ["strings", ['a"b', "c\\d", "", "NULL", null, "{x,y}"]],
  ["strings", []],
  ["integers", [1, null, -3]],
  ["doubles", [0.1, 1e300]],
  ["decimals", ["0.10", "12345678901234567890.5"]],
  ["booleans", [true, null, false]],
  ["uuids", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]],
  ["dates", ["2026-11-20", null]],
  ["datetimes", ["2026-11-20T09:13:51Z"], ["2026-11-20T09:13:51+00:00"]],
  ["wallclocks", ["2026-11-20T09:13:51"]],
  ["times", ["09:13:00"]],
  ["times_no_tz", ["09:13:00.5"]],
  ["enums", ["b", "a"]],
  ["citexts", ["a", "A"]],
  ["r_integer", { lower: 1, upper: 5 }, closed(1, 5)],
  ["r_integer", { lower: 1, upper: 6, upperInclusive: false }, closed(1, 5)],
  ["r_integer", { lower: null, upper: 5 }, { ...closed(null, 5), lowerInclusive: false }],
  ["r_integer", { lower: null, upper: null }, open(null, null)],
  ["r_integer", { lower: 3, upper: 3, upperInclusive: false }, { ...open(null, null), empty: true }],
  ["r_integer", "[1,6)", closed(1, 5)],
  ["r_bigint", closed("-9223372036854775808", "9223372036854775806")],
  ["r_double", closed(0.1, 1e300)],
  ["r_decimal", { ...closed("0.10", "123456789012345678901234567890"), upperInclusive: false }],
  ["r_date", closed("2026-02-28", "2026-03-01")],
  [
    "r_datetime",
    { lower: "2026-11-20T11:00:00+02:00", upper: null },
    { ...closed("2026-11-20T09:00:00+00:00", null), upperInclusive: false },
  ],
  ["r_wallclock", open("2026-11-20T09:00:00", "2026-11-20T10:00:00.5")],
  ["r_time", { lower: "09:00", upper: "17:30" }, closed("09:00:00", "17:30:00")],
  ["r_time_no_tz", closed("00:00:00", "23:59:59.999999")],
  ...Object.keys(fields).map((field) => [field, null] as const),
];

const point = { type: "Point", coordinates: [8.54169, 47.37687] };
const ring = [
  [0, 0],
  [4, 0],
  [4, 4],
  [0, 0],
];
const spatial: Row = {
  point: { type: "Point" },
  line: { type: "LineString" },
  polygon: { type: "Polygon" },
  points: { type: "MultiPoint" },
  lines: { type: "MultiLineString" },
  polygons: { type: "MultiPolygon" },
  collection: { type: "GeometryCollection" },
  geometry: { type: "Geometry" },
  geography: { type: "Geography" },
  mercator: { type: "Point", values: { srid: 3857 } },
  home: { type: "Point", defaultValue: { value: point } },
};
const spatialTrips: readonly Trip[] = [
  ["point", point],
  ["point", { x: 1.5, y: -2 }, { type: "Point", coordinates: [1.5, -2] }],
  ["point", { type: "Point", coordinates: [0.1, 1e-300] }],
  [
    "point",
    { ...point, bbox: [8, 47, 9, 48], crs: { type: "name", properties: { name: "EPSG:4326" } } },
    point,
  ],
  [
    "line",
    {
      type: "LineString",
      coordinates: [
        [0, 0],
        [1.25, -1],
        [123456789.125, 1e20],
      ],
    },
  ],
  [
    "polygon",
    {
      type: "Polygon",
      coordinates: [
        ring,
        [
          [2, 1],
          [3, 1],
          [3, 2],
          [2, 1],
        ],
      ],
    },
  ],
  [
    "points",
    {
      type: "MultiPoint",
      coordinates: [
        [0, 0],
        [1, 1],
      ],
    },
  ],
  ["points", { type: "MultiPoint", coordinates: [] }],
  [
    "lines",
    {
      type: "MultiLineString",
      coordinates: [
        [
          [0, 0],
          [1, 1],
        ],
        [
          [2, 2],
          [3, 3],
        ],
      ],
    },
  ],
  [
    "polygons",
    {
      type: "MultiPolygon",
      coordinates: [
        [ring],
        [
          [
            [9, 9],
            [8, 9],
            [8, 8],
            [9, 9],
          ],
        ],
      ],
    },
  ],
  [
    "collection",
    { type: "GeometryCollection", geometries: [point, { type: "Polygon", coordinates: [ring] }] },
  ],
  ["geometry", { type: "Polygon", coordinates: [ring] }],
  ["geometry", { type: "GeometryCollection", geometries: [point] }],
  [
    "geography",
    {
      type: "LineString",
      coordinates: [
        [-180, -90],
        [180, 90],
      ],
    },
  ],
  ["mercator", { type: "Point", coordinates: [950847.53, 6003364.12] }],
  ...Object.keys(spatial).map((field) => [field, null] as const),
];

async function call(
  app: TestApp,
  status: number,
  method: string,
  path: string,
  body?: unknown,
): Promise<Row> {
  const answer = await app.call(method, path, { token: app.admin, ...(body !== undefined && { body }) });
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.body as Row;
}

async function value(app: TestApp, id: unknown, field: string): Promise<unknown> {
  const { data } = await call(app, 200, "GET", `/items/things/${id}?fields=${field}`);
  return (data as Row)[field];
}

async function definition(app: TestApp, collection: string): Promise<{ readonly fields: Row }> {
  const { data } = await call(app, 200, "GET", `/schemas/${collection}`);
  return (data as { schema: { fields: Row } }).schema;
}

/** Created alone, beside an item without it, changed to it, and sent back as it was answered. */
async function trip(app: TestApp, [field, given, answered = given]: Trip): Promise<void> {
  const { data: one } = await call(app, 201, "POST", "/items/things", { [field]: given });
  const { id } = one as { id: number };
  const first = await value(app, id, field);
  expect(first).toEqual(answered);
  const { data: bulk } = await call(app, 201, "POST", "/items/things/bulk", [
    { [field]: given },
    { string: "x" },
  ]);
  expect(await value(app, (bulk as number[])[0], field)).toEqual(answered);
  const [other] = (bulk as number[]).slice(1);
  await call(app, 200, "PATCH", `/items/things/${other}`, { [field]: given });
  expect(await value(app, other, field)).toEqual(answered);
  await call(app, 200, "PATCH", `/items/things/${id}`, { [field]: first });
  expect(await value(app, id, field)).toEqual(answered);
}

const refusals: readonly (readonly [field: string, given: unknown, message: string])[] = [
  ["citext", 5, "citext: expected text"],
  [
    "wallclock",
    "2026-11-20T09:13:51+02:00",
    "wallclock: expected an ISO 8601 date and time without an offset",
  ],
  ["time_no_tz", "9:13", "time_no_tz: expected a time"],
  ["integers", [1, 2.5], "integers: [1]: expected a whole number"],
  ["r_integer", { lower: 5, upper: 1 }, "r_integer: Lower bound (5) cannot be greater than upper bound (1)"],
  ["r_integer", { lower: "x" }, "r_integer: lower: expected a whole number"],
  ["r_date", "tomorrow", 'r_date: expected a range such as {"lower": 1, "upper": 5} or "[1,5)"'],
];

const hosts = [
  ["the server that we carry", false],
  ["PostgreSQL 15 with PostGIS", true],
] as const;

describe.each(hosts)("%s", (_host, external) => {
  let app: TestApp;
  let server: ExternalServer | undefined;

  beforeAll(async () => {
    if (external) server = await externalServer({ walLevel: "logical" });
    app = await testApp(server ? { address: server.address } : {});
    const schema = { name: "Thing", fields: { id: key, ...fields, ...(external && spatial) } };
    await call(app, 201, "POST", "/schemas", { collectionName: "things", schema });
  }, 60_000);
  afterAll(async () => {
    await app.close();
    await server?.stop();
  });

  const all = external ? [...trips, ...spatialTrips] : trips;
  test.each(all.map((one) => [one[0], one[1], one] as const))("%s keeps %j", (_field, _given, one) =>
    trip(app, one),
  );

  test.each(refusals)("%s refuses %j", async (field, given, message) => {
    const answer = await app.call("POST", "/items/things", { token: app.admin, body: { [field]: given } });
    expect([answer.status, answer.text]).toEqual([
      400,
      expect.stringContaining(JSON.stringify(message).slice(1, -1)),
    ]);
  });

  test("a CiText that is unique minds no letter case", async () => {
    const unique = { id: key, name: { type: "CiText", unique: true } };
    await call(app, 201, "POST", "/schemas", {
      collectionName: "names",
      schema: { name: "N", fields: unique },
    });
    await call(app, 201, "POST", "/items/names", { name: "Ann" });
    const twice = await app.call("POST", "/items/names", { token: app.admin, body: { name: "ANN" } });
    expect([twice.status, twice.text]).toEqual([409, expect.stringContaining("UNIQUE_VIOLATION")]);
    expect(await call(app, 200, "GET", "/items/names?fields=name&filter[name]=aNN")).toMatchObject({
      data: [{ name: "Ann" }],
    });
  });

  test("calculated fields follow from the others, and are written by nobody", async () => {
    const schema = {
      name: "Order",
      fields: {
        id: key,
        total: { type: "Decimal", calculated: "price * count", unique: true },
        firstName: { type: "String" },
        lastName: { type: "String" },
        fullName: { type: "VIRTUAL", calculated: `"firstName" || ' ' || coalesce("lastName", '')` },
        price: { type: "Decimal" },
        count: { type: "Integer", defaultValue: 1 },
      },
    };
    await call(app, 201, "POST", "/schemas", { collectionName: "orders", schema });
    const body = { firstName: "Ann", lastName: "Lee", price: "2.50", count: 3, total: "99", fullName: "Eve" };
    const made = await call(app, 201, "POST", "/items/orders?fields=fullName,total", body);
    expect(made).toEqual({ data: { fullName: "Ann Lee", total: "7.50" } });
    const changed = await call(app, 200, "PATCH", "/items/orders/1?fields=fullName,total", {
      lastName: null,
      total: 1,
    });
    expect(changed).toEqual({ data: { fullName: "Ann ", total: "7.50" } });
    const found = await call(app, 200, "GET", "/items/orders?filter[fullName]=Ann%20&sort=-total&fields=id");
    expect(found).toMatchObject({ data: [{ id: 1 }] });
    const again = await app.call("POST", "/items/orders", { token: app.admin, body: { price: 7.5 } });
    expect(again.status).toBe(409);

    const stored = await definition(app, "orders");
    expect(stored.fields.total).toEqual({ type: "Decimal", calculated: "price * count", unique: true });
    await call(app, 200, "PATCH", "/schemas/orders", { schema: stored });
    const next = {
      ...schema,
      fields: { ...schema.fields, total: { type: "Integer", calculated: "count + 1" } },
    };
    await call(app, 200, "PATCH", "/schemas/orders", { schema: next });
    expect(await call(app, 200, "GET", "/items/orders/1?fields=total")).toEqual({ data: { total: 4 } });
    const plain = { ...schema, fields: { ...schema.fields, total: { type: "Integer" } } };
    await call(app, 200, "PATCH", "/schemas/orders", { schema: plain });
    expect(await call(app, 200, "PATCH", "/items/orders/1?fields=total", { total: 9 })).toEqual({
      data: { total: 9 },
    });
    const back = await app.call("PATCH", "/schemas/orders", { token: app.admin, body: { schema } });
    expect([back.status, back.text]).toEqual([409, expect.stringContaining("the values of 'total'")]);
    const { price, ...rest } = schema.fields;
    expect(price).toBeDefined();
    const gone = { ...schema, fields: { ...rest, total: { type: "Integer" } } };
    await call(app, 200, "PATCH", "/schemas/orders?force=true", { schema: gone });
  });

  const unfit: readonly (readonly [calculated: string, message: string])[] = [
    ["now()::text", "a calculated field must follow from its row alone"],
    ["concat(name, price)", "a calculated field must follow from its row alone"],
    ["price || 1", "unfit: an SQL expression cannot be used: operator does not exist: numeric || integer"],
    ["nothing", "'unfit' has no field 'nothing'"],
    ["upper(price)", "function upper(numeric) does not exist"],
  ];
  test.each(unfit)("a field calculated by %s is refused", async (calculated, message) => {
    const schema = {
      name: "U",
      fields: {
        id: key,
        name: { type: "String" },
        price: { type: "Decimal" },
        v: { type: "VIRTUAL", calculated },
      },
    };
    const answer = await app.call("POST", "/schemas", {
      token: app.admin,
      body: { collectionName: "unfit", schema },
    });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(message)]);
  });

  test("sortEnabled numbers new items", async () => {
    const schema = { name: "L", sortEnabled: true, fields: { id: key, name: { type: "String" } } };
    await call(app, 201, "POST", "/schemas", { collectionName: "lines", schema });
    await call(app, 201, "POST", "/items/lines", { name: "a" });
    await call(app, 201, "POST", "/items/lines/bulk", [
      { name: "b" },
      { name: "c", sort: 10 },
      { name: "d" },
    ]);
    await call(app, 201, "POST", "/items/lines", { name: "e" });
    const { data } = await call(app, 200, "GET", "/items/lines?fields=name,sort&sort=id");
    expect(data).toEqual([
      { name: "a", sort: 1 },
      { name: "b", sort: 11 },
      { name: "c", sort: 10 },
      { name: "d", sort: 12 },
      { name: "e", sort: 13 },
    ]);
    const stored = await definition(app, "lines");
    expect(stored.fields.sort).toEqual({ type: "Integer", SystemGenerated: true });
    const same = await call(app, 200, "PATCH", "/schemas/lines?dryRun=true", { schema: stored });
    expect(same.changes).toEqual([]);
  });

  test("indexes are of the type and the kind that they say", async () => {
    const schema = {
      name: "I",
      fields: {
        id: key,
        tags: { type: "Array_String" },
        span: { type: "Range_Integer" },
        code: { type: "String" },
      },
      indexes: [
        { fields: ["tags"], type: "gin" },
        { fields: ["span"], type: "GIST" },
        { name: "one_code", fields: ["code"], unique: true, nullsNotDistinct: true },
      ],
    };
    await call(app, 201, "POST", "/schemas", { collectionName: "indexed", schema });
    const defined = (await outsider(
      app.address,
      "select indexdef from pg_indexes where tablename = 'indexed' order by indexname",
    )) as { indexdef: string }[];
    expect(defined.map(({ indexdef }) => indexdef.replace(/^.* USING /, ""))).toEqual([
      "btree (id)",
      "gist (span)",
      "gin (tags)",
      "btree (code) NULLS NOT DISTINCT",
    ]);
    const same = await call(app, 200, "PATCH", "/schemas/indexed?dryRun=true", { schema });
    expect(same.changes).toEqual([]);
    for (const [index, message] of [
      [
        { fields: ["code"], type: "gin", unique: true },
        "schema.indexes[0].type: a unique index is a btree, not gin",
      ],
      [{ fields: ["code"], type: "hush" }, "schema.indexes[0].type: expected btree, hash"],
      [
        { fields: ["code"], nullsNotDistinct: true },
        "schema.indexes[0].nullsNotDistinct: belongs to a unique index",
      ],
      [{ fields: ["id"], type: "gin" }, "has no default operator class"],
    ] as const) {
      const answer = await app.call("PATCH", "/schemas/indexed", {
        token: app.admin,
        body: { schema: { ...schema, indexes: [index] } },
      });
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(message)]);
    }
  });

  test("subscribers see all of it, whole", async () => {
    const schema = {
      name: "Live",
      timestamps: false,
      fields: {
        id: key,
        name: { type: "CiText" },
        price: { type: "Decimal" },
        dear: { type: "Boolean", calculated: "price > 10" },
        span: { type: "Range_Date" },
        hours: { type: "Range_Time" },
        days: { type: "Array_Date" },
        ...(external && { spot: { type: "Point" } }),
        thing: { relType: "BelongsTo", target: "things" },
      },
    };
    await call(app, 201, "POST", "/schemas", { collectionName: "lives", schema });
    const { data: thing } = await call(app, 201, "POST", "/items/things", {
      string: "x",
      r_integer: "[1,3]",
    });
    const socket = await openSocket(app.listen(), app.admin);
    const shown = ["*", "thing.string", "thing.r_integer"];
    socket.send({ type: "subscribe", collection: "lives", filter: { dear: true }, fields: shown });
    await socket.expect("subscribed");
    const given = {
      name: "A",
      price: "12.50",
      span: closed("2026-01-01", "2026-01-31"),
      hours: { ...closed("09:00:00", "17:00:00"), upperInclusive: false },
      days: ["2026-01-01"],
      ...(external && { spot: point }),
      thing_Id: (thing as Row).id,
    };
    await call(app, 201, "POST", "/items/lives", { ...given, price: "9" });
    await call(app, 200, "PATCH", "/items/lives/1", { price: "12.50" });
    const entered = await socket.expect("change");
    const row = {
      id: 1,
      dear: true,
      ...given,
      thing: { string: "x", r_integer: closed(1, 3), id: (thing as Row).id },
    };
    expect(entered).toMatchObject({ action: "create", data: row });
    await call(app, 200, "PATCH", "/items/lives/1", { price: "1" });
    expect(await socket.expect("change")).toMatchObject({ action: "delete", data: { id: 1 } });
    await socket.close();
  });

  if (external) {
    const wrong: readonly (readonly [field: string, given: unknown, message: string])[] = [
      [
        "point",
        { type: "LineString", coordinates: [] },
        "point: expected a GeoJSON Point at 'type', got 'LineString'",
      ],
      [
        "point",
        { type: "Point", coordinates: [1, 2, 3] },
        "point: expected [x, y] at 'coordinates', got a list of 3",
      ],
      [
        "point",
        { type: "Point", coordinates: ["1", 2] },
        "point: expected [x, y] of numbers at 'coordinates', got '1'",
      ],
      [
        "point",
        { type: "Feature", geometry: point },
        "point: expected a GeoJSON Point at 'type', got 'Feature'",
      ],
      [
        "point",
        { ...point, crs: { type: "name", properties: { name: "EPSG:3857" } } },
        "point: expected EPSG:4326",
      ],
      [
        "point",
        { ...point, extra: 1 },
        "point: expected only type, coordinates, geometries, bbox, crs, got 'extra'",
      ],
      [
        "line",
        { type: "LineString", coordinates: [[0, 0]] },
        "line: expected at least 2 positions at 'coordinates'",
      ],
      [
        "polygon",
        {
          type: "Polygon",
          coordinates: [
            [
              [0, 0],
              [1, 1],
              [2, 0],
              [0, 1],
            ],
          ],
        },
        "polygon: expected a ring that ends where it begins at 'coordinates[0]'",
      ],
      [
        "polygon",
        {
          type: "Polygon",
          coordinates: [
            [
              [0, 0],
              [0, 0],
            ],
          ],
        },
        "polygon: expected at least 4 positions",
      ],
      [
        "geometry",
        { type: "GeometryCollection", geometries: [point, { type: "GeometryCollection", geometries: [] }] },
        "geometry: expected no collection inside a collection at 'geometries[1].type'",
      ],
      [
        "geography",
        { type: "Point", coordinates: [181, 0] },
        "geography: expected a longitude from -180 to 180",
      ],
      [
        "collection",
        { type: "GeometryCollection" },
        "collection: expected a list at 'geometries', got nothing",
      ],
    ];
    test.each(wrong)("%s refuses %j", async (field, given, message) => {
      const answer = await app.call("POST", "/items/things", { token: app.admin, body: { [field]: given } });
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(message)]);
    });

    test("a default place is taken where none is given", async () => {
      const { data } = await call(app, 201, "POST", "/items/things?fields=home", { string: "x" });
      expect(data).toEqual({ home: point });
    });
  } else {
    test.each(Object.keys(spatial))("%s is refused with the name of what is missing", async (field) => {
      const schema = { name: "P", fields: { id: key, [field]: spatial[field] } };
      for (const path of ["/schemas", "/schemas?dryRun=true"]) {
        const answer = await app.call("POST", path, {
          token: app.admin,
          body: { collectionName: "places", schema },
        });
        expect(answer.status).toBe(400);
        expect(answer.body).toMatchObject({
          error: {
            code: "INVALID_SCHEMA",
            message: expect.stringMatching(
              new RegExp(
                `places.${field}.type: .* needs the extension 'postgis' of PostgreSQL, which this database`,
              ),
            ),
            details: { extension: "postgis" },
          },
        });
      }
    });
  }
});
