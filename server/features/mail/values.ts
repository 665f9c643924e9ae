/** The values of a mail, checked before they are kept: of the right kind, bounded, and none that nobody asked for. */
import { AppError, suggestion } from "../../core/errors";
import { kindOf, type Variable } from "./types";

/** Checked values, by variable. */
export type CheckedValues = Readonly<Record<string, string>>;

// oxlint-disable-next-line no-control-regex -- what has no place in a text that people read; lines and tabs have
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

/** @throws AppError INVALID_VALUE, which names the value and never repeats it */
export function checkValues(type: string, values: Readonly<Record<string, unknown>>): CheckedValues {
  const kind = kindOf(type);
  if (kind === null) throw new AppError("INVALID_VALUE", `mail.type: there is no mail of the kind '${type}'`);
  const { variables } = kind;
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(variables, name)) {
      throw invalid(type, name, `is no value of this mail${suggestion(name, Object.keys(variables))}`);
    }
  }
  const checked: Record<string, string> = {};
  for (const [name, variable] of Object.entries(variables)) {
    const value = values[name] ?? "";
    if (value === "" && variable.optional) continue;
    if (typeof value !== "string" || value === "") throw invalid(type, name, "must be a text");
    checked[name] = checkValue(value, variable, (what) => invalid(type, name, what));
  }
  return checked;
}

function checkValue(value: string, { kind, longest }: Variable, fail: (what: string) => AppError): string {
  const text = value.replace(control, " ");
  if (kind === "label") return toLabel(text, longest);
  if (text.length > longest) throw fail(`must have at most ${longest} characters`);
  if (kind === "url" && !isWebAddress(value))
    throw fail("must be an address that begins with http:// or https://");
  if (kind === "time" && Number.isNaN(Date.parse(value))) throw fail("must be a time in ISO 8601");
  return text;
}

const direction = /[\u202a-\u202e\u2066-\u2069]/g;
const linking = /:\/\/|@|(?<=[\p{L}\p{N}])[.\u3002\uff0e\uff61](?=[\p{L}\p{N}])/gu;

/**
 * What people call themselves, as one line in which no mail program finds an address to make a link of, and which turns no
 * text around: whoever signs up with a stranger's address has a mail sent there with it.
 */
export function toLabel(text: string, longest: number): string {
  return toLine(text.replace(direction, "").replace(linking, " "), longest);
}

/** A text as one line, cut (between characters, not inside one) where it is longer than `longest`. */
export function toLine(text: string, longest: number): string {
  const line = text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const characters = Array.from(line);
  return characters.length <= longest ? line : `${characters.slice(0, longest - 1).join("")}…`;
}

function isWebAddress(text: string): boolean {
  return /^https?:\/\//i.test(text) && !/\s/.test(text) && URL.canParse(text);
}

function invalid(type: string, name: string, what: string): AppError {
  return new AppError("INVALID_VALUE", `mail.${type}.${name}: ${what}`);
}
