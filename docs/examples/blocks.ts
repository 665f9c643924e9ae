/** A guide as its blocks: what stands between fences, and the hidden requests in HTML comments. */

/** One block. `kind` is the word behind the fence, `note` the rest of that line; `line` counts from 1. */
export type Block = {
  readonly kind: string;
  readonly note: string;
  readonly text: string;
  readonly line: number;
};

/** The blocks of a Markdown text, in order. A comment that begins with the word `http` is a block that readers do not see. */
export function blocksOf(markdown: string): readonly Block[] {
  const found = markdown.matchAll(/^( *)```(\w*)([^\n]*)\n([^]*?)^\1```$|^<!--\s*(http)\n([^]*?)-->$/gm);
  return [...found].map(({ 1: indent = "", 2: kind, 3: note, 4: text, 5: hidden, 6: comment, index }) => ({
    kind: hidden ?? kind ?? "",
    note: note?.trim() ?? "",
    text: (comment ?? text ?? "").replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    line: markdown.slice(0, index).split("\n").length,
  }));
}
