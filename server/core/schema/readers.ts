/** Reading untrusted definitions piece by piece: each function checks one kind of value and names its place. */
import { suggestion } from "../errors";
import { invalid } from "./names";
import { showValue } from "./values";

/** An object whose keys are all known. Entries are own keys only. */
export type Entries = ReadonlyMap<string, unknown>;

/** A plain object as a Map, so that no prototype is ever reached. `keys` null: any key. */
export function readObject(value: unknown, place: string, keys: readonly string[] | null): Entries {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(place, `expected an object, got ${showValue(value)}`);
  }
  const entries = new Map<string, unknown>(
    Object.entries(value).filter(([, member]) => member !== undefined),
  );
  if (keys !== null) {
    for (const key of entries.keys()) {
      if (!keys.includes(key)) {
        throw invalid(`${place}.${key}`, `unknown key${suggestion(key, keys)}; known are ${keys.join(", ")}`);
      }
    }
  }
  return entries;
}

/** A boolean, also as the text that the reference writes for its flags; `otherwise` when absent or null. */
export function readFlag<Otherwise>(
  entries: Entries,
  key: string,
  place: string,
  otherwise: Otherwise,
): boolean | Otherwise {
  const value = entries.get(key);
  if (value === undefined || value === null) return otherwise;
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw invalid(`${place}.${key}`, `expected true or false, got ${showValue(value)}`);
}

/** Text that is not empty; null when absent. */
export function readWords(entries: Entries, key: string, place: string): string | null {
  const value = entries.get(key);
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || value === "") {
    throw invalid(`${place}.${key}`, `expected text, got ${showValue(value)}`);
  }
  return value;
}

/** A whole number between two bounds; null when absent. */
export function readCount(
  entries: Entries,
  key: string,
  place: string,
  least: number,
  most: number,
): number | null {
  const value = entries.get(key);
  if (value === undefined || value === null) return null;
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw invalid(
      `${place}.${key}`,
      `expected a whole number from ${least} to ${most}, got ${showValue(value)}`,
    );
  }
  return value;
}

/** A list; null when absent. */
export function readList(value: unknown, place: string, most: number): readonly unknown[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) throw invalid(place, `expected a list, got ${showValue(value)}`);
  if (value.length > most) throw invalid(place, `expected at most ${most} entries, got ${value.length}`);
  return value;
}
