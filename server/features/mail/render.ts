/**
 * Template and values → subject, HTML and plain text. Values are data: they are escaped in HTML, and what looks like a
 * template in them stays text. Templates read no files and include nothing; time, memory and size are bounded.
 */
import type * as HtmlToText from "html-to-text";
import type * as Liquidjs from "liquidjs";
import { AppError, suggestion } from "../../core/errors";
import { type Branding, brandingValues, kindOf, mailTypes, pageLayout } from "./types";
import { toLine } from "./values";

/** What is stored for a kind of mail. Without `text` it is made from the HTML. */
export type Template = { readonly subject: string; readonly body: string; readonly text: string | null };

/** What a mail says. */
export type Content = { readonly subject: string; readonly html: string; readonly text: string };

/** Values to show in a mail of a kind. */
export type Shown = {
  readonly type: string;
  readonly values: Readonly<Record<string, string>>;
  readonly branding: Branding;
};

export type Renderer = {
  /** @throws AppError INVALID_VALUE for a template that cannot be rendered */
  readonly render: (template: Template, shown: Shown) => Content;
  /** The subject with dots in the place of secrets. */
  readonly loggedSubject: (template: Pick<Template, "subject">, shown: Shown) => string;
  /**
   * Refuses a template that could not be rendered. `type` null: not known here, so that the variables of all kinds pass.
   * @throws AppError VALIDATION_ERROR
   */
  readonly check: (type: string | null, template: Partial<Template>) => void;
};

/** HTML that we made ourselves. */
class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Most characters of a rendered part, and of a subject, which is one line whatever its values hold. */
const longestPart = 1_048_576;
const longestSubject = 255;

/** What the tags of a template may do: choose, repeat and name. None of them reads a file or writes unescaped. */
const tags: ReadonlySet<string> = new Set([
  "assign",
  "break",
  "capture",
  "case",
  "comment",
  "continue",
  "for",
  "if",
  "raw",
  "unless",
  "#",
]);

/** Makes a renderer. */
export function createRenderer(): Renderer {
  // Loaded with the first mail: a start need not wait for it.
  let html: Liquid | null = null;
  let plain: Liquid | null = null;
  const htmlEngine = (): Liquid => (html ??= openEngine(escapeHtml));
  const plainEngine = (): Liquid => (plain ??= openEngine(toText));
  const scopeOf = ({ type, values, branding }: Shown, hidden: boolean): Record<string, unknown> => {
    const scope: Record<string, unknown> = { ...brandingValues(branding) };
    for (const [name, { secret }] of Object.entries(kindOf(type)?.variables ?? {})) {
      scope[name] = hidden && secret && values[name] !== undefined ? "•••" : (values[name] ?? null);
    }
    return scope;
  };
  const fill = (liquid: Liquid, part: string, template: string, scope: Record<string, unknown>): string => {
    try {
      const text = String(liquid.parseAndRenderSync(template, scope));
      if (text.length <= longestPart) return text;
    } catch (error) {
      throw new AppError("INVALID_VALUE", `${part}: ${reasonOf(error)}`, null, { cause: error });
    }
    throw new AppError(
      "INVALID_VALUE",
      `${part}: is longer than ${longestPart} characters when it is rendered`,
    );
  };
  const subjectOf = (template: string, scope: Record<string, unknown>): string =>
    toLine(fill(plainEngine(), "subject", template, scope), longestSubject);
  return {
    render: (template, shown) => {
      const scope = scopeOf(shown, false);
      const subject = subjectOf(template.subject, scope);
      const body = fill(htmlEngine(), "body", template.body, scope);
      const page = isPage(template.body)
        ? body
        : fill(htmlEngine(), "layout", pageLayout, { ...scope, subject, content: new Html(body) });
      const text = template.text ? fill(plainEngine(), "text", template.text, scope) : textOf(page);
      return { subject, html: page, text };
    },
    loggedSubject: (template, shown) => subjectOf(template.subject, scopeOf(shown, true)),
    check: (type, template) => {
      const names = namesFor(type);
      for (const part of ["subject", "body", "text"] as const) {
        const text = template[part];
        if (typeof text !== "string") continue;
        if (part === "subject" && /[\r\n\u2028\u2029]/.test(text)) throw invalid(part, "must be one line");
        let used: readonly string[];
        try {
          used = plainEngine().globalVariablesSync(text);
        } catch (error) {
          throw invalid(part, reasonOf(error));
        }
        for (const name of used) {
          if (!names.has(name))
            throw invalid(part, `'${name}' is no value of this mail${suggestion(name, names)}`);
        }
      }
    },
  };
}

type Liquid = Liquidjs.Liquid;

function openEngine(outputEscape: (value: unknown) => string): Liquid {
  const { Liquid: Engine } = require("liquidjs") as typeof Liquidjs;
  const liquid = new Engine({
    outputEscape,
    // In memory and empty: there is nothing to include, and no file is looked for.
    templates: {},
    strictFilters: true,
    strictVariables: true,
    lenientIf: true,
    ownPropertyOnly: true,
    timezoneOffset: 0,
    locale: "en",
    parseLimit: 600_000,
    renderLimit: 200,
    memoryLimit: 2_000_000,
  });
  for (const name of Object.keys(liquid.tags)) if (!tags.has(name)) delete liquid.tags[name];
  // The one filter that would let a value through as HTML.
  delete liquid.filters.raw;
  return liquid;
}

function escapeHtml(value: unknown): string {
  return value instanceof Html ? value.text : Bun.escapeHTML(toText(value));
}

function toText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A body that is a page of its own goes without the layout. */
function isPage(body: string): boolean {
  return /<(html|body)[\s>]/i.test(body);
}

/** The plain part of a page: links in full, no images. */
function textOf(page: string): string {
  const { convert } = require("html-to-text") as typeof HtmlToText;
  return convert(page, {
    wordwrap: 78,
    limits: { maxInputLength: longestPart },
    selectors: [
      { selector: "img", format: "skip" },
      { selector: "a", options: { hideLinkHrefIfSameAsText: true, linkBrackets: ["<", ">"] } },
      { selector: "h1", options: { uppercase: false } },
      { selector: "h2", options: { uppercase: false } },
      { selector: "h3", options: { uppercase: false } },
    ],
  });
}

/** All names that a template of a kind may use. */
function namesFor(type: string | null): ReadonlySet<string> {
  const kinds = type === null ? Object.values(mailTypes) : [kindOf(type)];
  const branding = brandingValues({ name: "", url: null, logoUrl: null, color: "" });
  return new Set([...Object.keys(branding), ...kinds.flatMap((kind) => Object.keys(kind?.variables ?? {}))]);
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 300);
}

function invalid(field: string, message: string): AppError {
  return new AppError("VALIDATION_ERROR", `${field}: ${message}`, {
    code: "VALIDATION_ERROR",
    errors: [{ field, message, rule: "template" }],
  });
}
