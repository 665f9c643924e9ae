/**
 * Values that were taken out of a query, so that queries which differ in values alone share their plans. What reads a
 * value while the first of them is planned reads the values of every later one, with the same checks.
 */
import type { Param } from "./variables";

/** Stands in a query where a value was taken out. It is no value, no list and no object: `readWritten` alone opens it. */
export class Hole {
  readonly planning: ShapePlanning;
  readonly index: number;
  constructor(planning: ShapePlanning, index: number) {
    this.planning = planning;
    this.index = index;
  }
}

/** Notes what reads which values while a query with holes is planned with the values of one query. */
export class ShapePlanning {
  values: readonly unknown[];
  splits: Split[] = [];
  readonly slots: Slot[] = [];
  inputs = noInputs.length;
  constructor(values: readonly unknown[]) {
    this.values = values;
  }

  /** Ends the planning. What is kept of it holds none of the values, which may be large. */
  end(): Filled {
    const made = filled(this.splits);
    this.values = [];
    this.splits = [];
    return made;
  }
}

/** What was made of values: `form` decides how the SQL looks, `texts` are bound in it. Equal forms have as many texts. */
export type Split = { readonly form: string; readonly texts: readonly string[] };

/**
 * How something is read that may hold values. `split` null: all that was written decides the SQL. `join`: the same with
 * parameters in the places of its texts. The form may hold no line break.
 */
export type WrittenReader<T> = {
  readonly read: (written: unknown) => T;
  readonly split: (made: T) => Split | null;
  readonly join: (made: T, params: readonly Param[]) => T;
};

/** Reads the values that another query of the same shape has in one place. @throws AppError as at first sight. */
export type Slot = (values: readonly unknown[]) => Split;

/** The values of one query, read: `form` picks the plan among those of the shape, `inputs` are bound in it. */
export type Filled = { readonly form: string; readonly inputs: readonly (string | null)[] };

/** What is bound where no value was taken out. Input 0 is the key of a read by key. */
export const noInputs: readonly (string | null)[] = [null];

/** Reads what may hold values that were taken out: they become inputs of the plan, or a part of its form. */
export function readWritten<T>(written: unknown, reader: WrittenReader<T>): T {
  const planning = planningOf(written, 0);
  if (planning === null) return reader.read(written);
  const value = fill(written, planning.values);
  const made = reader.read(value);
  const split = reader.split(made);
  planning.slots.push((values) => {
    const other = fill(written, values);
    return reader.split(reader.read(other)) ?? wholly(other);
  });
  planning.splits.push(split ?? wholly(value));
  if (split === null) return made;
  const first = planning.inputs;
  planning.inputs += split.texts.length;
  return reader.join(
    made,
    split.texts.map((_, i): Param => ({ kind: "input", index: first + i })),
  );
}

/** The value itself is the form. No form of a reader begins so. */
function wholly(value: unknown): Split {
  return { form: `=${JSON.stringify(value)}`, texts: [] };
}

/** What was read of the values of a query, in the order of the slots. */
export function filled(splits: readonly Split[]): Filled {
  const inputs = [...noInputs];
  let form = "";
  for (const split of splits) {
    form += `${split.form}\n`;
    for (const text of split.texts) inputs.push(text);
  }
  return { form, inputs };
}

/** Deeper than values are ever taken from. */
const deepest = 70;

function planningOf(written: unknown, depth: number): ShapePlanning | null {
  if (typeof written !== "object" || written === null || depth > deepest) return null;
  if (written instanceof Hole) return written.planning;
  for (const member of Object.values(written)) {
    const planning = planningOf(member, depth + 1);
    if (planning !== null) return planning;
  }
  return null;
}

function fill(written: unknown, values: readonly unknown[]): unknown {
  if (typeof written !== "object" || written === null) return written;
  if (written instanceof Hole) return values[written.index];
  if (Array.isArray(written)) return written.map((member: unknown) => fill(member, values));
  // Without a prototype: any name is a name like any other.
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, member] of Object.entries(written)) object[key] = fill(member, values);
  return object;
}
