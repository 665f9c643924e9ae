/** What the files hold, so that a changed release of the package is seen before the loader runs into it. */
import { expect, test } from "bun:test";
import { readFiles } from "./data";

const { airports, flights, measurements } = await readFiles();
const codes = new Set(airports.map(({ iata }) => iata));
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test("airports.csv: 3,376 airports, each code once, 12 without city and state", () => {
  expect(airports).toHaveLength(3376);
  expect(codes.size).toBe(3376);
  expect([...codes].every((code) => /^[0-9A-Z]{3,4}$/.test(code))).toBe(true);
  expect(airports.filter(({ city }) => city === null)).toHaveLength(12);
  expect(airports.every(({ city, state }) => (city === null) === (state === null))).toBe(true);
  expect(airports.every(({ latitude }) => latitude > -90 && latitude < 90)).toBe(true);
  expect(airports.every(({ longitude }) => longitude > -180 && longitude < 180)).toBe(true);
});

test("flights-20k.json: 20,000 flights of the first three months of 2001, between airports that are known", () => {
  expect(flights).toHaveLength(20_000);
  expect(flights.filter(({ origin_Id }) => !codes.has(origin_Id))).toEqual([]);
  expect(flights.filter(({ destination_Id }) => !codes.has(destination_Id))).toEqual([]);
  const dates = flights.map(({ date }) => date).toSorted();
  expect([dates.at(0), dates.at(-1)]).toEqual(["2001-01-01T00:47:00Z", "2001-03-31T22:27:00Z"]);
  expect(sum(flights.map(({ delay }) => delay))).toBe(154_078);
  expect(sum(flights.map(({ distance }) => distance))).toBe(14_476_934);
  expect(flights.every(({ delay, distance }) => Number.isInteger(delay) && Number.isInteger(distance))).toBe(
    true,
  );
});

test("flights-200k.json: 200,000 measurements without a key, 6,073 of them equal to an earlier one", () => {
  expect(measurements).toHaveLength(200_000);
  expect(sum(measurements.map(({ delay }) => delay))).toBe(1_500_159);
  expect(sum(measurements.map(({ distance }) => distance))).toBe(145_847_125);
  const distinct = new Set(measurements.map(({ delay, distance, time }) => `${delay} ${distance} ${time}`));
  expect(measurements.length - distinct.size).toBe(6073);
  expect(measurements.every(({ time }) => time >= 0 && time < 24)).toBe(true);
});
