/** Runs the requests of an `http` block and holds their answers against what the block says. */
import { expect } from "bun:test";
import type { TestApp } from "../../server/testing/app";
import { complete, matches } from "./match";

/**
 * Who a request comes from: `As: public`, `As: user`; without it an administrator. `mailed`: what the last mail carries, for
 * `<token>` and `<code>` in a request.
 */
export type Tokens = { readonly user: string; readonly mailed?: () => Promise<Mailed> };

/** A token of a link and a code; empty where the mail has none. */
export type Mailed = { readonly token: string; readonly code: string };

/** What a mail carries, found in its text. */
export function mailedIn(text: string): Mailed {
  return {
    token: /[/=]([0-9a-f]{64})\b/.exec(text)?.[1] ?? "",
    code: /^\s*([0-9A-F]{12}|\d{6})\s*$/m.exec(text)?.[1] ?? "",
  };
}

/** One request of a block, with the answer that it says. `said` null: the status alone. */
export type Example = {
  readonly method: string;
  readonly path: string;
  readonly as: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly status: number;
  readonly said: string | null;
};

/** Reads a block; requests stand apart by a line `###`. @throws Error for a block without an answer */
export function examplesOf(text: string): readonly Example[] {
  return text.split(/^###.*$/m).map(readExample);
}

function readExample(text: string): Example {
  const [question = "", answer] = split(text, /^(?=\d{3}(?: |$))/m);
  if (answer === undefined) throw new Error(`an http block needs an answer, such as 200:\n${text}`);
  const [first = "", ...lines] = question.trim().split("\n");
  const [, method = "", path = ""] = /^([A-Z]+) (.+)$/.exec(first) ?? [];
  const end = lines.findIndex((line) => !/^[\w-]+: /.test(line));
  const headers = lines.slice(0, end === -1 ? undefined : end).map((line) => {
    const [, name = "", value = ""] = /^([\w-]+): (.*)$/.exec(line) ?? [];
    return [name.toLowerCase(), value] as const;
  });
  const { as = "administrator", ...others } = Object.fromEntries(headers) as Record<string, string>;
  const body = end === -1 ? "" : lines.slice(end).join("\n").trim();
  const said = answer.slice(3).trim();
  return {
    method,
    path: encodeURI(path.trim()).replaceAll("#", "%23").replaceAll("+", "%2B"),
    as,
    headers: others,
    body: body === "" ? undefined : body,
    status: Number(answer.slice(0, 3)),
    said: said === "" ? null : said,
  };
}

/** Puts what was mailed in the place of the words that stand for it; a path has them percent-encoded. */
async function filling({ mailed }: Tokens, text: string): Promise<(part: string) => string> {
  if (!mailed || !/(?:<|%3C)(?:token|code)(?:>|%3E)/.test(text)) return (part) => part;
  const { token, code } = await mailed();
  return (part) =>
    part.replaceAll(/(?:<|%3C)token(?:>|%3E)/g, token).replaceAll(/(?:<|%3C)code(?:>|%3E)/g, code);
}

function split(text: string, separator: RegExp): readonly [string, string?] {
  const at = text.search(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at)];
}

/** Sends the requests of a block, one after the other. */
export async function runHttp(app: TestApp, tokens: Tokens, text: string): Promise<void> {
  for (const { method, path: asked, as, headers, body: sent, status, said } of examplesOf(text)) {
    // oxlint-disable-next-line no-await-in-loop
    const fill = await filling(tokens, asked + (sent ?? ""));
    const [path, body] = [fill(asked), sent === undefined ? undefined : fill(sent)];
    const token = as === "user" ? tokens.user : as === "public" ? undefined : app.admin;
    // oxlint-disable-next-line no-await-in-loop -- the examples are a story
    const answer = await app.call(method, path, { ...(token !== undefined && { token }), body, headers });
    const place = `${method} ${path}`;
    expect(`${place}: ${answer.status} ${answer.status === status ? "" : answer.text}`).toBe(
      `${place}: ${status} `,
    );
    if (said === null) continue;
    const isJson = answer.body !== null;
    const wanted: unknown = isJson ? JSON.parse(said) : said;
    const got = isJson ? answer.body : answer.text.trim();
    if (!matches(got, wanted)) expect<unknown>({ [place]: got }).toEqual({ [place]: complete(wanted, got) });
  }
}
