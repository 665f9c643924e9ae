/** Fields of PostGIS that change, on a server that has it. Run on PostgreSQL 15 with the Debian package postgresql-15-postgis-3. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { FieldDefinition } from "@baasix/types";
import { AppError } from "../core/errors";
import { type Database, openDatabase } from "../platform/postgres";
import { type ExternalServer, externalServer, outsider } from "../testing/postgres";
import { openSnapshot, type SnapshotStore } from "./snapshot";

let server: ExternalServer;
let database: Database;
let store: SnapshotStore;

beforeAll(async () => {
  server = await externalServer();
  await outsider(server.address, "create extension postgis");
  database = await openDatabase(server.address, { shortPool: 2, slowPool: 1 });
  store = await openSnapshot(database);
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

const id = { type: "Integer", primaryKey: true } as const;
const put = (spot: FieldDefinition | null, force = false) =>
  store.changeSchema(
    () => ({
      put: [
        {
          collectionName: "spots",
          schema: { name: "Spot", timestamps: false, fields: { id, ...(spot && { spot }) } },
        },
      ],
      remove: [],
    }),
    { force },
  );
const column = async () =>
  (
    await database.run({
      text: `select format_type(atttypid, atttypmod), attnotnull from pg_attribute
        where attrelid = 'spots'::regclass and attname = 'spot' and not attisdropped`,
      params: [],
    })
  ).map((row) => [...row])[0];

test("geometries are added, made required, retyped, renamed and dropped", async () => {
  await put(null);
  await put({ type: "Point" });
  expect(await column()).toEqual(["geometry(Point,4326)", false]);
  await database.run({ text: "insert into spots values (1, st_setsrid(st_point(8, 47), 4326))", params: [] });
  await put({
    type: "Point",
    allowNull: false,
    defaultValue: { value: { type: "Point", coordinates: [0, 0] } },
  });
  expect(await column()).toEqual(["geometry(Point,4326)", true]);
  await put({ type: "Geometry" });
  expect(await column()).toEqual(["geometry(Geometry,4326)", false]);
  const refused = await put({ type: "Geometry", values: { srid: 3857 } }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(AppError);
  expect((refused as AppError).message).toContain("cannot become Geometry(3857)");
  const rename = (from: string, to: string) =>
    store.changeSchema(() => ({ put: [], remove: [], renames: [{ collection: "spots", field: from, to }] }));
  await rename("spot", "place");
  await rename("place", "spot");
  await put({ type: "Geography" });
  await put({ type: "JSON" });
  const [kind] = await database.run({ text: "select spot->>'type' from spots", params: [] });
  expect(kind?.[0]).toBe("Point");
  const loss = await put(null).catch((error: unknown) => error);
  expect((loss as AppError).code).toBe("DATA_LOSS");
  await put(null, true);
  expect(await column()).toBeUndefined();
});
