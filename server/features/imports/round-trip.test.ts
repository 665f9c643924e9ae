/**
 * What goes out comes in: rows of every type of field, exported in each format and imported into a twin of their collection,
 * are the same there. On PostgreSQL 15 with the Debian package postgresql-15-postgis-3, which has all types.
 * `SEED=… bun test` repeats a run.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import * as fc from "fast-check";
import { testApp, type TestApp } from "../../testing/app";
import { seedOfRun } from "../../testing/chance";
import { type ExternalServer, externalServer, outsider } from "../../testing/postgres";

const seed = seedOfRun();

const texts = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "'",
    "''",
    "'=1",
    "''=1",
    "=1+1",
    "+1",
    "-1",
    "'-1",
    "-1.5x",
    "@a",
    "\t=",
    "\r",
    "\n",
  ),
  fc.constantFrom(
    "＝1",
    "null",
    "true",
    "{a}",
    "[1]",
    '{"a":1}',
    '"q"',
    'a,b\n"c"',
    "a;b",
    "0012",
    "ä😀",
    " = ",
  ),
  fc.string({
    unit: fc.constantFrom("'", '"', "=", "-", "1", ",", "\n", "\r", " ", "a", "{", "}"),
    maxLength: 8,
  }),
);
const range = (lower: unknown, upper: unknown) => ({
  lower,
  upper,
  lowerInclusive: true,
  upperInclusive: false,
});
const point = { type: "Point", coordinates: [8.54169, -47.37687] };
const ring = [
  [0, 0],
  [4, 0],
  [4, 4],
  [0, 0],
];
const json = fc
  .jsonValue({ maxDepth: 2 })
  .filter(
    (value) => value !== null && !/\\u|"(__proto__|constructor|prototype)"/.test(JSON.stringify(value)),
  );

/** Every type of field, and values of it that are not null. */
const types: readonly (readonly [definition: object, values: fc.Arbitrary<unknown>])[] = [
  [{ type: "UUID" }, fc.uuid()],
  [{ type: "SUID" }, texts],
  [{ type: "String", values: { length: 40 } }, texts],
  [{ type: "Text" }, texts],
  [{ type: "HTML" }, texts],
  [{ type: "CiText" }, texts],
  [{ type: "TOKEN" }, texts],
  [
    { type: "Enum", values: ["a", "=b", "'=b", "-1", "it's"] },
    fc.constantFrom("a", "=b", "'=b", "-1", "it's"),
  ],
  [{ type: "Integer" }, fc.integer()],
  [{ type: "BigInt" }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
  [{ type: "Boolean" }, fc.boolean()],
  [{ type: "DateTime" }, fc.constantFrom("2026-11-20T11:13:51.123456+02:00", "2026-01-01")],
  [{ type: "DateTime_NO_TZ" }, fc.constantFrom("2026-11-20T11:13:51.123456", "2026-01-01T00:00:00")],
  [{ type: "Date" }, fc.constantFrom("2024-02-29", "0001-01-01")],
  [{ type: "Time" }, fc.constantFrom("09:30", "23:59:59.999999")],
  [{ type: "Time_NO_TZ" }, fc.constantFrom("09:30", "00:00:00.5")],
  [{ type: "Decimal" }, fc.constantFrom("-123456789012345678901234567890.0123456789", "0", "12")],
  [{ type: "Decimal", values: { precision: 10, scale: 2 } }, fc.constantFrom("-0.10", "12345678.90", 3)],
  [{ type: "Double" }, fc.double({ noNaN: true, noDefaultInfinity: true })],
  [{ type: "Float" }, fc.constantFrom(3.5, -0.25, 1e30)],
  [{ type: "Real" }, fc.constantFrom(3.5, -0.1, 1e-30)],
  [{ type: "JSON" }, json],
  [{ type: "JSONB" }, fc.oneof(json, texts)],
  [{ type: "Array_String" }, fc.array(fc.option(texts), { maxLength: 3 })],
  [{ type: "Array_Integer" }, fc.array(fc.option(fc.integer()), { maxLength: 3 })],
  [{ type: "Array_Decimal" }, fc.constantFrom([], ["0.10", "12345678901234567890.5"])],
  [{ type: "Array_BigInt" }, fc.constantFrom(["9223372036854775807", null])],
  [{ type: "Array_Boolean" }, fc.array(fc.boolean(), { maxLength: 3 })],
  [{ type: "Array_DateTime" }, fc.constantFrom(["2026-11-20T09:13:51Z"])],
  [{ type: "Range_Integer" }, fc.constantFrom(range(1, 5), range(null, 3), range(3, 3), range(null, null))],
  [{ type: "Range_Decimal" }, fc.constantFrom(range("0.10", "12345678901234567890.5"))],
  [{ type: "Range_Date" }, fc.constantFrom(range("2026-02-28", "2026-03-01"))],
  [{ type: "Range_DateTime" }, fc.constantFrom(range("2026-11-20T11:00:00+02:00", null))],
  [{ type: "Range_Time" }, fc.constantFrom(range("09:00", "17:30"))],
  [{ type: "Point" }, fc.constant(point)],
  [{ type: "LineString" }, fc.constant({ type: "LineString", coordinates: ring })],
  [{ type: "Polygon" }, fc.constant({ type: "Polygon", coordinates: [ring] })],
  [{ type: "MultiPoint" }, fc.constant({ type: "MultiPoint", coordinates: ring })],
  [{ type: "MultiLineString" }, fc.constant({ type: "MultiLineString", coordinates: [ring] })],
  [{ type: "MultiPolygon" }, fc.constant({ type: "MultiPolygon", coordinates: [[ring]] })],
  [{ type: "GeometryCollection" }, fc.constant({ type: "GeometryCollection", geometries: [point] })],
  [{ type: "Geometry" }, fc.constant(point)],
  [{ type: "Geography" }, fc.constant(point)],
];
const names = types.map(([definition], i) => `f${i}_${(definition as { type: string }).type}`);
const row = fc.tuple(...types.map(([, values]) => fc.option(values, { freq: 6 })));

let server: ExternalServer;
let app: TestApp;

beforeAll(async () => {
  server = await externalServer();
  await outsider(server.address, "create extension postgis", "create extension citext");
  app = await testApp({ address: server.address });
  for (const collectionName of ["sent", "come"]) {
    const fields = {
      id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
      ...Object.fromEntries(types.map(([definition], i) => [names[i], definition])),
      calculated: { type: "VIRTUAL", calculated: "f8_Integer::text" },
    };
    const body = { collectionName, schema: { name: collectionName, timestamps: true, fields } };
    const answer = await app.call("POST", "/schemas", { token: app.admin, body });
    if (answer.status !== 201) throw new Error(answer.text);
  }
});
afterAll(async () => {
  await app.close();
  await server.stop();
});

async function call(method: string, path: string, body?: unknown, type?: string) {
  const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
  const answer = await app.call(method, path, { token: app.admin, body, headers });
  if (answer.status >= 300) throw new Error(`${path}: ${answer.text.slice(0, 2000)}`);
  return answer;
}

const fields = `fields=id,${names.join(",")}`;
async function everything(collection: string): Promise<unknown> {
  return (await call("GET", `/items/${collection}?${fields}&sort=id&limit=-1`)).body;
}

async function empty(collection: string): Promise<void> {
  const { body } = await call("GET", `/items/${collection}?fields=id&limit=-1`);
  const ids = (body as { data: readonly { id: number }[] }).data.map(({ id }) => id);
  if (ids.length > 0) await call("DELETE", `/items/${collection}/bulk`, ids);
}

test.each([
  ["csv", "import-csv", "text/csv", ""],
  ["json", "import-json", "application/json", "?empty=text"],
  ["ndjson", "import-json", "application/x-ndjson", "?empty=text"],
])("%s", async (format, route, type, query) => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), async (rows) => {
      await Promise.all([empty("sent"), empty("come")]);
      const items = rows.map((values) => Object.fromEntries(values.map((value, i) => [names[i], value])));
      await call("POST", "/items/sent/bulk", items);
      const { text } = await call("GET", `/items/sent?export=${format}`);
      await call("POST", `/items/come/${route}${query}`, text, type);
      expect(await everything("come")).toEqual(await everything("sent"));
    }),
    { seed, numRuns: 12, endOnFailure: true },
  );
});
