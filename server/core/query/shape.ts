/** The shape of a query: what is left of it when its values are taken out, as a key, and the query with the holes. */
import { Hole, ShapePlanning } from "./holes";
import { fromJson, isAbsent } from "./parameters";
import { isReference } from "./variables";

type Written = Readonly<Record<string, unknown>>;

/** Queries with equal keys differ in values alone. `values`: those of this one, by the holes in `query`. */
export type Shaped = {
  readonly key: string;
  readonly query: Written;
  readonly planning: ShapePlanning;
};

const deepest = 64;
const longestKey = 2000;

/** Parameters that hold filters, also as JSON text. */
const filters: ReadonlySet<string> = new Set(["filter", "relConditions", "relFilter", "having"]);
/** Parameters that are one value. */
const texts: ReadonlySet<string> = new Set(["search", "cursor"]);
/** Whatever stands in it, the plan is the same. */
const unread = "access_token";

/**
 * Takes the values out of a query: of its filters, of the filters inside `fields`, the searched text and the cursor. What
 * stands for something else (`$NOW`, `$COL(a)`), null and empty lists stay, and all that is no filter. Null: the
 * shape is too large to be kept, or the query is not written as it should be.
 */
export function shapeOf(query: Written): Shaped | null {
  const taking = new Taking();
  const holed = taking.query(query);
  if (taking.isOdd || taking.key.length > longestKey) return null;
  return { key: taking.key, query: holed, planning: taking.planning };
}

/** Goes through a query once. Everything enters the key quoted but the marks of holes, so that no text can look like one. */
class Taking {
  key = "";
  /** Written as nothing that comes as JSON or in a URL: planned as it is, which tells what is wrong. */
  isOdd = false;
  readonly #values: unknown[] = [];
  readonly planning = new ShapePlanning(this.#values);

  query(query: Written): Written {
    const holed: Record<string, unknown> = Object.create(null);
    for (const name of Object.keys(query)) {
      const value = query[name];
      if (value === undefined || name === unread) continue;
      this.key += `${JSON.stringify(name)}:`;
      if (filters.has(name)) holed[name] = this.#filter(value);
      else if (name === "fields") holed[name] = this.#fields(value, 0);
      else if (texts.has(name) && typeof value === "string" && value !== "")
        holed[name] = this.#hole(value, "?s");
      else holed[name] = this.#keep(value, 0);
    }
    return holed;
  }

  #filter(value: unknown): unknown {
    if (isAbsent(value)) return this.#keep(value, 0);
    const filter = this.#read(value);
    // A text that means null would become a filter that is not given.
    if (!isPlain(filter)) this.isOdd = true;
    return this.#take(filter, 0);
  }

  /** The grammar of `parseFields`: names, and objects of relations that may have filters of their own. */
  #fields(value: unknown, depth: number): unknown {
    const text = typeof value === "string";
    if (depth > deepest || (text && !(/^\s*\[/.test(value) && value.includes('"filter"'))))
      return this.#keep(value, depth);
    const list = this.#read(value);
    if (!Array.isArray(list)) return this.#keep(list, depth);
    return this.#list(list, (member) =>
      isPlain(member)
        ? this.#object(member, (inner) =>
            isPlain(inner)
              ? this.#object(inner, (part, name) => {
                  if (name === "filter") return this.#filter(part);
                  return name === "fields" ? this.#fields(part, depth + 1) : this.#keep(part, 0);
                })
              : this.#fields(inner, depth + 1),
          )
        : this.#keep(member, 0),
    );
  }

  /** JSON text as what it means. */
  #read(value: unknown): unknown {
    if (typeof value !== "string") return value;
    try {
      return fromJson(value, "");
    } catch {
      this.isOdd = true;
      return null;
    }
  }

  #take(value: unknown, depth: number): unknown {
    const mark = markOf(value);
    if (mark !== null) return this.#hole(value, mark);
    if (this.#isTooMuch(depth)) return null;
    if (Array.isArray(value)) return this.#list(value, (member) => this.#take(member, depth + 1));
    if (!isPlain(value)) return this.#keep(value, depth);
    return this.#object(value, (member, name) =>
      // The name of a type, which decides what the values beside it are.
      name === "cast" && typeof member === "string"
        ? this.#keep(member, depth)
        : this.#take(member, depth + 1),
    );
  }

  #hole(value: unknown, mark: string): Hole {
    this.key += mark;
    return new Hole(this.planning, this.#values.push(value) - 1);
  }

  #keep(value: unknown, depth: number): unknown {
    if (typeof value === "string") this.key += JSON.stringify(value);
    else if (value === null || typeof value === "boolean" || isNumber(value)) this.key += String(value);
    else if (this.#isTooMuch(depth)) return null;
    else if (Array.isArray(value)) this.#list(value, (member) => this.#keep(member, depth + 1));
    else if (isPlain(value)) this.#object(value, (member) => this.#keep(member, depth + 1));
    else this.isOdd = true;
    return value;
  }

  #isTooMuch(depth: number): boolean {
    if (depth > deepest || this.key.length > longestKey) this.isOdd = true;
    return this.isOdd;
  }

  #list(list: readonly unknown[], take: (member: unknown) => unknown): unknown[] {
    this.key += "[";
    const taken = list.map((member) => {
      const one = take(member);
      this.key += ",";
      return one;
    });
    this.key += "]";
    return taken;
  }

  #object(object: Written, take: (member: unknown, name: string) => unknown): Written {
    // Without a prototype: any name is a name like any other.
    const taken: Record<string, unknown> = Object.create(null);
    this.key += "{";
    for (const name of Object.keys(object)) {
      const member = object[name];
      if (member === undefined) continue;
      this.key += `${JSON.stringify(name)}:`;
      taken[name] = take(member, name);
      this.key += ",";
    }
    this.key += "}";
    return taken;
  }
}

/** The mark of a value, or of a list of values alone; null for all else. */
function markOf(value: unknown): string | null {
  if (!Array.isArray(value)) return markOfOne(value);
  return value.length > 0 && value.every((member) => markOfOne(member) !== null) ? "?a" : null;
}

function markOfOne(value: unknown): string | null {
  if (typeof value === "string") return isReference(value) ? null : "?s";
  if (typeof value === "boolean") return "?b";
  return isNumber(value) ? "?n" : null;
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value);
}

function isPlain(value: unknown): value is Written {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
